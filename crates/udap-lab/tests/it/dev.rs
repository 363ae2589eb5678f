//! `udap dev`, from end to end.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use serde_json::Value;

use crate::program::Home;

const STEPS: [&str; 14] = [
    "tls",
    "discover",
    "trust",
    "register",
    "token",
    "read",
    "search",
    "phisher",
    "other-community",
    "revoked",
    "wrong-key",
    "replay",
    "leave",
    "all",
];

/// What README.md shows as the output of `udap dev --once`, without what varies.
fn steps_of_the_readme() -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, output) = readme.split_once("<!-- output of dev --once -->").unwrap();
    let (output, _) = output.split_once("<!-- end of output -->").unwrap();
    let steps = output.lines().filter_map(|line| line.strip_prefix("✓ "));
    steps
        .map(|step| step.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_main_job_is_done_twice_and_nothing_is_left() {
    let home = Home::new();
    for _ in 0..2 {
        let ran = home.dev(&["--once", "--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let steps = ran.json();
        let names: Vec<_> = steps
            .iter()
            .map(|step| step["step"].as_str().unwrap())
            .collect();
        assert_eq!(names, STEPS);
        assert_eq!(names, steps_of_the_readme(), "README.md shows others");
        for step in &steps {
            assert_eq!(step["ok"], true);
            assert!(step["ms"].as_f64().unwrap() > 0.0, "{step}");
            assert_eq!(step["detail"].is_object(), step["step"] != "all", "{step}");
        }
        let by_name =
            |name: &str| &steps.iter().find(|step| step["step"] == name).unwrap()["detail"];
        assert_eq!(by_name("tls")["version"], "TLS 1.3");
        assert_eq!(by_name("tls")["key_exchange_group"], "X25519MLKEM768");
        // A registration that the run before left would be changed, not new.
        assert_eq!(by_name("register")["outcome"], "new");
        let said = by_name("register")["certifications"].as_array().unwrap();
        let said: Vec<_> = said
            .iter()
            .map(|c| {
                (
                    c["name"].as_str().unwrap(),
                    c["self_signed"].as_bool().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                ("Privacy disclosure", true),
                ("Security audit", false),
                ("Data use agreement", false),
            ]
        );
        assert_eq!(by_name("search")["patients"], 40);
        assert_eq!(by_name("phisher")["client"]["code"], "chain-not-trusted");
        refused(
            &by_name("phisher")["registration"],
            "unapproved_software_statement",
            "chain-not-trusted",
        );
        refused(
            &by_name("other-community")["token_for_the_first"],
            "invalid_client",
            "chain-not-trusted",
        );
        refused(
            &by_name("revoked")["registration"],
            "unapproved_software_statement",
            "certificate-revoked",
        );
        refused(
            &by_name("revoked")["token"],
            "invalid_client",
            "certificate-revoked",
        );
        refused(
            &by_name("wrong-key")["key_of_x5c_1"],
            "invalid_request",
            "jwt-signature-invalid",
        );
        refused(
            &by_name("wrong-key")["certificate_of_another_app"],
            "invalid_client",
            "san-uri-mismatch",
        );
        refused(
            &by_name("replay")["token"],
            "invalid_client",
            "jwt-replayed",
        );
        refused(
            &by_name("replay")["registration"],
            "invalid_software_statement",
            "jwt-replayed",
        );
        assert_eq!(by_name("leave")["gateway"]["status"], 401);
        refused(
            &by_name("leave")["token"],
            "invalid_client",
            "registration-cancelled",
        );
        assert_eq!(ran.err, "");
        assert_eq!(home.processes(), []);
    }
}

/// A page by http.
#[expect(
    clippy::disallowed_methods,
    reason = "a test asks a process on this machine, and may wait"
)]
fn plain_get(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect((host, port)).unwrap();
    let path = url.path();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn refused(detail: &Value, error: &str, code: &str) {
    assert_eq!(detail["error"], error, "{detail}");
    assert_eq!(detail["code"], code, "{detail}");
}

#[test]
fn a_person_reads_a_line_for_each_step() {
    let home = Home::new();
    let ran = home.dev(&["--once"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), STEPS.len());
    for (line, step) in lines.iter().zip(STEPS) {
        let rest = line.strip_prefix(&format!("✓ {step} ")).unwrap();
        assert!(rest.contains(" ms  "), "{line}");
    }
    assert!(
        !ran.out.contains('\u{1b}'),
        "no colours where there is no terminal"
    );
    assert!(ran.err.starts_with("sandbox in "), "{}", ran.err);
}

#[test]
fn the_commands_to_try_work_as_they_are() {
    let home = Home::new();
    let mut running = home.start(&[]);
    let up = running.until_up();
    let base_url = format!("https://localhost:{}/fhir", home.port_base);
    assert_eq!(up["up"], base_url.as_str());
    let commands: Vec<_> = up["try"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect();
    assert_eq!(commands.len(), 7);
    for (command, expected) in commands.iter().zip([
        (0, "is trusted"),
        (0, "client_id"),
        (0, "\"Shaw\""),
        (1, "certificate-revoked"),
        (0, "✓"),
        (0, "active"),
        (0, "access-allowed"),
    ]) {
        let output = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(home.path())
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(expected.0), "{command}: {text}");
        assert!(text.contains(expected.1), "{command}: {text}");
    }

    // And the pages are there.
    for (page, expected) in [
        ("admin", "location: /login"),
        (
            "metrics",
            "udap_certificate_expires_seconds{used_for=\"tls\"}",
        ),
    ] {
        let text = plain_get(up[page].as_str().unwrap());
        assert!(text.contains(expected), "{text}");
    }

    // A second one in the same directory is refused and disturbs nothing.
    let second = home.dev(&["--once"]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.err.starts_with("error[sandbox-locked]: "),
        "{}",
        second.err
    );

    running.signal("INT");
    let (code, rest) = running.end();
    assert_eq!((code, rest.len()), (Some(0), 0));
    assert_eq!(home.processes(), []);
}

#[test]
fn ports_in_use_are_named_before_anything_starts() {
    let home = Home::new();
    let taken: Vec<_> = [1, 4]
        .map(|offset| TcpListener::bind(("127.0.0.1", home.port_base + offset)).unwrap())
        .into();
    let ran = home.dev(&["--once", "--json"]);
    assert_eq!(ran.code, Some(1));
    let (ca, phisher) = (home.port_base + 1, home.port_base + 4);
    let said = &ran.json()[0];
    assert_eq!(said["code"], "port-in-use");
    assert_eq!(
        said["error"],
        format!("ports {ca} (for ca-1), {phisher} (for phisher) are in use")
    );
    assert!(
        !home.path().join("udap-sandbox").exists(),
        "nothing was made"
    );
    let ran = home.dev(&["--once"]);
    assert!(
        ran.err.ends_with("\n  see: udap explain port-in-use\n"),
        "{}",
        ran.err
    );
    drop(taken);
    assert_eq!(home.dev(&["--once"]).code, Some(0));
}

#[test]
fn what_cannot_be_used_is_a_sentence() {
    let home = Home::new();
    for (args, code, exit) in [
        (
            &["dev", "--once", "--port-base", "1"][..],
            "port-base-invalid",
            2,
        ),
        (
            &["dev", "--once", "--port-base", "65528"],
            "port-base-invalid",
            2,
        ),
        (
            &["dev", "--once", "--upstream", "ftp://localhost/x"],
            "upstream-invalid",
            2,
        ),
        (
            &["dev", "--once", "--dir", "udap/below-a-file"],
            "sandbox-directory",
            1,
        ),
    ] {
        let ran = home.run(args);
        assert_eq!(ran.code, Some(exit), "{ran:?}");
        assert!(
            ran.err.starts_with(&format!("error[{code}]: ")),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("\n  hint: "), "{}", ran.err);
        let see = format!("\n  see: udap explain {code}\n");
        assert!(ran.err.ends_with(&see), "{}", ran.err);
        assert_eq!(ran.out, "");
        let mut json = args.to_vec();
        json.push("--json");
        let ran = home.run(&json);
        assert_eq!(ran.json()[0]["code"], code);
        assert_eq!(ran.json()[0]["ok"], false);
    }
}

#[test]
fn an_actor_that_cannot_start_is_named_with_its_last_words() {
    let home = Home::new();
    assert_eq!(home.dev(&["--once"]).code, Some(0));
    let database = home.path().join("udap-sandbox/data-holder/state/udap.db");
    for beside in ["udap.db-wal", "udap.db-shm"] {
        let _ = fs::remove_file(database.with_file_name(beside));
    }
    fs::write(&database, "this is no database").unwrap();
    let ran = home.dev(&["--once"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err
            .contains("error[actor-ended]: data-holder ended at once"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("is not a database"), "{}", ran.err);
    assert_eq!(home.processes(), []);
    // What is said to be removable is.
    fs::remove_dir_all(home.path().join("udap-sandbox/data-holder/state")).unwrap();
    assert_eq!(home.dev(&["--once"]).code, Some(0));
}

#[test]
fn a_stranger_needs_nothing_but_the_files() {
    let home = Home::new();
    let mut running = home.start(&[]);
    running.until_up();
    let output = std::process::Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stranger.py"))
        .arg("udap-sandbox/sandbox.json")
        .current_dir(home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said,
        serde_json::json!({ "registered": 201, "scope": "system/Patient.rs", "patients": 4 })
    );
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn the_main_job_neither_rests_on_nor_ends_what_people_did_with_the_apps() {
    let home = Home::new();
    let config = "udap-sandbox/data-holder/udap.toml";
    let states = || {
        let ran = home.run(&["admin", "apps", "--config", config, "--json"]);
        let apps = ran.json()[0]["apps"].as_array().unwrap().clone();
        let mut states: Vec<_> = apps
            .iter()
            .map(|app| (app["client_id"].to_string(), app["state"].to_string()))
            .filter(|(_, state)| state != "\"cancelled\"")
            .collect();
        states.sort();
        states
    };
    let mut running = home.start(&[]);
    let up = running.until_up();
    let register = |app: &str| {
        let ran = home.run(&[
            "register",
            up["up"].as_str().unwrap(),
            "--app",
            app,
            "--json",
        ]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()[0]["client_id"].as_str().unwrap().to_owned()
    };
    let good = register("good");
    register("good-ec");
    register("other-community");
    let why = ["--reason", "to see what happens", "--config", config];
    let ran = home.run(&[&["admin", "suspend", &good], &why[..]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let before = states();
    assert_eq!(before.len(), 3);
    running.signal("INT");
    assert_eq!(running.end().0, Some(0));

    let ran = home.dev(&["--once"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(states(), before);
}

#[test]
fn a_sandbox_whose_main_job_fails_stays_up_and_says_so() {
    let home = Home::new();
    let mut running = home.start(&["--upstream", "http://localhost:1/fhir"]);
    let mut step = running.next().unwrap();
    while step["ok"] == true {
        step = running.next().unwrap();
    }
    assert_eq!(step["step"], "read");
    assert_eq!(step["code"], "upstream-unreachable");
    let hint = step["hint"].as_str().unwrap();
    assert!(hint.contains("http://localhost:1/fhir"), "{hint}");
    let all = running.next().unwrap();
    assert_eq!((&all["step"], &all["ok"]), (&"all".into(), &false.into()));
    let up = all["detail"]["up"].as_str().unwrap();
    let ran = home.run(&["discover", up]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    running.signal("INT");
    assert_eq!(running.end().0, Some(1));
    assert_eq!(home.processes(), []);
}
