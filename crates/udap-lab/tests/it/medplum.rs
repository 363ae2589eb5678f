//! The gateway in front of a FHIR server that nobody here wrote: Medplum's engine, with the same people
//! in it as the built-in server.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::program::Home;

#[test]
#[ignore = "needs Node and Medplum's engine, which `./check medplum` installs"]
fn the_main_job_in_front_of_medplum() {
    let home = Home::new();
    let bundle = home.path().join("bundle.json");
    let printed = home.run(&["actor", "fhir-bundle"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    fs::write(&bundle, printed.out).unwrap();
    let mut medplum = Medplum::start(home.port_base + 3, &bundle);

    let ran = home.dev(&["--once", "--json", "--upstream", &medplum.base]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let steps = ran.json();
    let detail = |name: &str| &steps.iter().find(|step| step["step"] == name).unwrap()["detail"];
    assert_eq!(steps.last().unwrap()["step"], "all");
    assert_eq!(detail("search")["patients"], 40);
    assert_eq!(home.processes(), []);

    page_to_the_end(&home, &medplum);
    medplum.child.kill().unwrap();
    medplum.child.wait().unwrap();
}

/// Every page of a search, at the gateway's address and at no other.
fn page_to_the_end(home: &Home, medplum: &Medplum) {
    let mut running = home.start(&["--upstream", &medplum.base]);
    let base_url = running.until_up()["up"].as_str().unwrap().to_owned();
    let get = |url: &str| {
        let ran = home.run(&["get", url]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for address in [
            &medplum.base,
            &format!("localhost:{}", home.port_base + 3),
            "127.0.0.1",
        ] {
            assert!(!ran.out.contains(address), "{url} shows {address}");
        }
        serde_json::from_str::<Value>(&ran.out).unwrap()
    };
    let mut next = Some(format!("{base_url}/Patient?_count=7"));
    let (mut pages, mut ids) = (0, Vec::new());
    while let Some(url) = next {
        assert!(url.starts_with(&format!("{base_url}/Patient?")), "{url}");
        let page = get(&url);
        pages += 1;
        for entry in page["entry"].as_array().unwrap() {
            let id = entry["resource"]["id"].as_str().unwrap().to_owned();
            assert_eq!(entry["fullUrl"], format!("{base_url}/Patient/{id}"));
            ids.push(id);
        }
        let links = page["link"].as_array().unwrap();
        next = links
            .iter()
            .find(|link| link["relation"] == "next")
            .map(|link| link["url"].as_str().unwrap().to_owned());
    }
    assert_eq!((pages, ids.len()), (6, 40));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40, "nobody twice");

    // What it refuses is its own to say, and its address stays behind the gateway there too.
    let absent = home.run(&["get", &format!("{base_url}/Patient/nobody")]);
    assert_eq!(absent.code, Some(1));
    assert!(!format!("{}{}", absent.out, absent.err).contains(&medplum.base));
    running.signal("INT");
    assert_eq!(running.end().0, Some(0));
}

struct Medplum {
    child: Child,
    base: String,
}

impl Medplum {
    fn start(port: u16, bundle: &Path) -> Self {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/medplum");
        let mut child = Command::new("node")
            .arg("server.mjs")
            .args(["--port", &port.to_string(), "--load"])
            .arg(bundle)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        assert_eq!(ready["loaded"]["Patient"], 40, "{ready}");
        Self {
            child,
            base: ready["base"].as_str().unwrap().to_owned(),
        }
    }
}
