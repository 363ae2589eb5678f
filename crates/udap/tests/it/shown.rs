//! Requests that are shown and not sent: `--curl` and `--offline`.

use crate::community::{Community, until};
use serde_json::Value;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::process::{Command, Stdio};

const CONTACT: [&str; 2] = ["--contact", "mailto:a@b.example"];
const PURPOSE: [&str; 2] = ["--purpose", "TREAT"];

#[test]
fn what_is_shown_is_what_would_be_sent_and_is_not() {
    let mut community = Community::start();
    let base = community.base_url.clone();
    let patients = format!("{base}/Patient?_count=1");
    let client = |args: &[&[&str]]| community.client(&args.concat());
    let register = ["register", base.as_str()];

    // Of a server that nobody looked at yet, only its metadata can be asked for.
    for args in [
        &[&register[..], &CONTACT[..]].concat()[..],
        &[&["get", &patients][..], &CONTACT[..], &PURPOSE[..]].concat(),
    ] {
        let said = client(&[args, &["--offline", "--json"]]);
        assert_eq!((said.code, said.error().as_str()), (1, "offline-unknown"));
    }

    // The line for the metadata fetches those that `discover` finds.
    let shown = client(&[&["discover", &base, "--curl"]]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let url = format!("{base}/.well-known/udap");
    assert!(shown.out.starts_with("# discover\ncurl "), "{shown:?}");
    let (_, asked) = shown.out.trim_end().split_once("--url ").unwrap();
    assert!(asked.trim_matches('\'').starts_with(&url), "{shown:?}");
    assert!(shown.err.contains("would be verified"), "{shown:?}");
    let found = client(&[&["discover", &base, "--json"]]).json();
    if let Some(fetched) = by_curl(&community, &shown.out) {
        assert_eq!(unsigned(fetched), unsigned(found["metadata"].clone()));
    }

    // Neither registers: whoever registers afterwards is new.
    for how in ["--curl", "--offline"] {
        let shown = client(&[&register, &CONTACT, &[how]]);
        assert_eq!(shown.code, 0, "{shown:?}");
        for part in [
            "# register\ncurl ",
            "SOFTWARE_STATEMENT",
            found["registration_endpoint"].as_str().unwrap(),
        ] {
            assert!(shown.out.contains(part), "{how} {part}: {shown:?}");
        }
        let shown = client(&[&register, &CONTACT, &[how, "--json"]]).json();
        assert_eq!(shown["requests"].as_array().map(Vec::len), Some(1));
        let request = &shown["requests"][0];
        assert_eq!(
            (&request["for"], &request["method"], &request["url"]),
            (
                &"register".into(),
                &"POST".into(),
                &found["registration_endpoint"]
            )
        );
    }
    let registered = client(&[&register, &CONTACT, &["--json"]]).json();
    assert_eq!(registered["registration"], "new", "{registered}");
    // With its secrets it is the request itself.
    let shown = client(&[&register, &CONTACT, &["--curl", "--show-secrets"]]);
    if let Some(answer) = by_curl(&community, &shown.out) {
        assert_eq!(answer["client_id"], registered["client_id"], "{answer}");
    }

    // Nor does showing what `get` does ask for a token or for data, while one that is sent does both.
    let get = [&["get", &patients][..], &PURPOSE].concat();
    for how in ["--curl", "--offline"] {
        let shown = client(&[&get, &[how, "--json"]]).json();
        let steps = shown["requests"].as_array().unwrap();
        let steps: Vec<_> = steps.iter().map(|step| step["for"].clone()).collect();
        assert_eq!(steps, ["token", "read"], "{shown}");
        let read = &shown["requests"][1];
        assert_eq!(
            (&read["method"], &read["url"]),
            (&"GET".into(), &patients.as_str().into())
        );
        assert_eq!(read["headers"]["authorization"], "Bearer ACCESS_TOKEN");
    }
    assert_eq!(client(&[&get]).code, 0);
    let mut counts = [0; 2];
    until(|| {
        counts = ["token-issued", "access-allowed"].map(|event| audited(&community, event));
        counts == [1, 1]
    });
    assert_eq!(counts, [1, 1]);

    // In place of data holder and authority stands one that sees whoever comes.
    community.signal("KILL");
    community.without_authority();
    let ports = [base.trim_end_matches("/fhir"), community.ca_host()]
        .map(|host| host.rsplit(':').next().unwrap().parse().unwrap());
    let listeners = ports.map(listen);
    let client = |args: &[&[&str]]| community.client(&args.concat());
    for args in [
        &["discover", base.as_str()][..],
        &[&register[..], &CONTACT].concat(),
        &[&register[..], &["--cancel"]].concat(),
        &get,
    ] {
        let shown = client(&[args, &["--offline"]]);
        assert_eq!(shown.code, 0, "{args:?} {shown:?}");
        assert!(shown.out.contains("curl "), "{args:?} {shown:?}");
        let came = listeners.each_ref().map(came);
        assert_eq!(came, [false, false], "{args:?}");
    }
    // It would have been seen: who is not offline does come, and then has no answer.
    let [listener, _authority] = listeners;
    let mut asking = crate::community::command(community.dir());
    let host = base
        .trim_start_matches("https://")
        .trim_end_matches("/fhir");
    asking.args(["discover", &base, "--allow-host", host]);
    asking.args(["--community", crate::community::COMMUNITY]);
    asking.args(["--anchor", "ca/root.pem", "--tls-root", "tls-root.pem"]);
    asking.stdout(Stdio::null()).stderr(Stdio::null());
    let mut asking = asking.spawn().unwrap();
    let mut seen = false;
    until(|| {
        seen = seen || came(&listener);
        seen
    });
    // It may have given up already.
    let _ = asking.kill();
    asking.wait().unwrap();
    assert!(seen);
}

/// What the command that was printed fetches, where there is curl.
fn by_curl(community: &Community, shown: &str) -> Option<Value> {
    let there = Command::new("curl").arg("--version").output();
    if !there.is_ok_and(|there| there.status.success()) {
        return None;
    }
    let output = Command::new("sh")
        .args(["-c", shown])
        .current_dir(community.dir())
        // Whatever goes by a proxy elsewhere: this machine does not.
        .env("no_proxy", "*")
        .output()
        .unwrap();
    assert!(output.status.success(), "{shown}\n{output:?}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Without what is signed anew now and then.
fn unsigned(mut metadata: Value) -> Value {
    let members = metadata.as_object_mut().unwrap();
    members.remove("signed_metadata");
    assert!(members.contains_key("token_endpoint"), "{metadata}");
    metadata
}

fn audited(community: &Community, event: &str) -> usize {
    let listed = community.ok(&["audit", "list", "--event", event, "--json"]);
    listed.json()["entries"].as_array().unwrap().len()
}

/// Listens where somebody else did a moment ago.
fn listen(port: u16) -> TcpListener {
    let mut listener = None;
    until(|| {
        listener = TcpListener::bind(("127.0.0.1", port)).ok();
        listener.is_some()
    });
    let listener = listener.unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Whether somebody has come.
fn came(listener: &TcpListener) -> bool {
    match listener.accept() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}
