//! Actors that do not do what they should; the others are shown by the tests of the program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::{Ipv6Addr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    actors::{Actors, Spec, require_free},
    error::DevError,
    member,
};
use crate::wire;

/// A program that pays no heed to its arguments.
fn program(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("program");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn spec(dir: &Path, port: u16) -> Spec {
    Spec {
        name: "fhir",
        port,
        also: Vec::new(),
        args: Vec::new(),
        ready_url: format!("http://localhost:{port}/"),
        ready_within: Duration::from_secs(3),
        log: dir.join("logs/fhir.log"),
    }
}

async fn start(dir: &Path, program: &Path) -> DevError {
    let tls = wire::tls_config(None).unwrap();
    Actors::start(program, &[spec(dir, 1)], &tls)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn each_way_not_to_start_has_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();

    let error = start(dir, &dir.join("nothing")).await;
    assert_eq!(error.code(), "actor-not-started");

    let error = start(dir, &program(dir, "echo its last words; exit 3")).await;
    assert_eq!(error.code(), "actor-ended");
    let text = error.to_string();
    assert!(
        text.contains("exit status: 3") && text.contains("  | its last words"),
        "{text}"
    );
    assert!(error.hint().contains("logs/fhir.log"), "{}", error.hint());

    // It has to be killed: it pays no heed to SIGTERM either.
    let pid = dir.join("pid");
    let deaf = format!(
        "trap '' TERM; echo $$ > {}; while :; do sleep 0.1; done",
        pid.display()
    );
    let error = start(dir, &program(dir, &deaf)).await;
    assert_eq!(error.code(), "actor-not-ready");
    assert!(
        error.to_string().contains("no connection to localhost:1"),
        "{error}"
    );
    let pid = fs::read_to_string(pid).unwrap();
    assert!(
        !Path::new("/proc").join(pid.trim()).exists(),
        "it is not left behind"
    );
}

#[tokio::test]
async fn a_port_is_taken_on_either_address() {
    let dir = tempfile::tempdir().unwrap();
    // A machine without IPv6 has nothing to show here.
    let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return;
    };
    let port = taken.local_addr().unwrap().port();
    let error = require_free(&[spec(dir.path(), port)]).await.unwrap_err();
    assert_eq!(error.code(), "port-in-use");
    assert_eq!(
        error.to_string(),
        format!("port {port} (for fhir) is in use")
    );
}

#[test]
fn every_error_has_a_code_a_sentence_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.pem");
    fs::write(&file, "junk").unwrap();
    for (error, code) in [
        (member::read_chain(&file).unwrap_err(), "sandbox-file"),
        (
            DevError::LeftBehind {
                process: "fhir",
                pid: 7,
            },
            "actor-left-behind",
        ),
        (
            super::system("threads", &std::io::ErrorKind::OutOfMemory.into()),
            "system-refused",
        ),
    ] {
        assert_eq!(error.code(), code);
        assert!(
            !error.to_string().is_empty() && !error.hint().is_empty(),
            "{error}"
        );
    }
}
