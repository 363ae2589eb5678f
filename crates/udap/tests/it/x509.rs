//! `udap x509`, `udap crl`: offline, with files.

use crate::community::{Said, command, udap};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use udap_testkit::{DAY, NOW, TestPki};

const APP: &str = "https://app.example";

fn files(dir: &Path) -> TestPki {
    let pki = TestPki::publishing_at("https://community.example", "http://ca.example");
    let app = pki.leaf(APP);
    let revoked = pki.leaf("https://revoked.example");
    pki.revoke(&revoked);
    let expired = pki.member(APP).expired().issue();
    for (name, bytes) in [
        ("root.pem", pki.anchor().certificate().to_pem().into_bytes()),
        ("root.der", pki.anchor().certificate().der().to_vec()),
        ("issuing.pem", pki.issuing_ca().to_pem().into_bytes()),
        ("app.pem", app.leaf().to_pem().into_bytes()),
        ("app.der", app.leaf().der().to_vec()),
        ("chain.pem", app.chain_pem().into_bytes()),
        ("revoked.pem", revoked.leaf().to_pem().into_bytes()),
        ("expired.pem", expired.leaf().to_pem().into_bytes()),
        ("root.crl", pki.publish("/root.crl").unwrap()),
        ("issuing.crl", pki.publish("/issuing.crl").unwrap()),
        (
            "junk.pem",
            b"-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n".to_vec(),
        ),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    pki
}

fn verify(dir: &Path, more: &[&str]) -> Said {
    let now = NOW.to_string();
    let mut args = vec!["x509", "verify", "--json"];
    if !more.contains(&"--time") {
        args.extend(["--time", &now]);
    }
    args.extend(more);
    udap(dir, &args)
}

#[test]
fn a_verdict_and_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path());
    let crls = ["--crl", "root.crl", "--crl", "issuing.crl"];
    let with = |args: &[&str]| {
        let mut all = vec!["--anchor", "root.pem", "--untrusted", "issuing.pem"];
        all.extend(crls);
        all.extend(args);
        let said = verify(dir.path(), &all);
        let code = said.json()["code"]
            .as_str()
            .unwrap_or("accepted")
            .to_owned();
        (said.code, code)
    };
    let accepted = (0, "accepted".to_owned());
    let refused = |code: &str| (1, code.to_owned());
    assert_eq!(with(&["--cert", "app.pem"]), accepted);
    assert_eq!(with(&["--cert", "app.der"]), accepted);
    assert_eq!(
        with(&["--cert", "app.pem", "--name", "uri:https://app.example"]),
        accepted
    );
    assert_eq!(
        with(&["--cert", "app.pem", "--name", "uri:https://app.example/"]),
        refused("san-uri-mismatch")
    );
    assert_eq!(
        with(&["--cert", "app.pem", "--name", "dns:app.example"]),
        refused("san-dns-mismatch")
    );
    assert_eq!(
        with(&["--cert", "revoked.pem"]),
        refused("certificate-revoked")
    );
    assert_eq!(
        with(&["--cert", "revoked.pem", "--revocation", "prefer"]),
        refused("certificate-revoked")
    );
    assert_eq!(
        with(&["--cert", "revoked.pem", "--revocation", "off"]),
        accepted
    );
    assert_eq!(
        with(&["--cert", "expired.pem"]),
        refused("certificate-expired")
    );
    assert_eq!(
        with(&["--cert", "app.pem", "--purpose", "ocsp"]),
        refused("extended-key-usage")
    );
    assert_eq!(
        with(&["--cert", "app.pem", "--require-explicit-policy"]),
        refused("policy")
    );
    assert_eq!(with(&["--cert", "app.pem", "--max-path", "0"]).0, 1);
    let later = NOW.plus_secs(2 * DAY).to_string();
    assert_eq!(
        with(&["--cert", "app.pem", "--time", &later]),
        refused("revocation-unavailable")
    );
}

#[test]
fn what_is_undetermined_is_refused_and_what_is_unreadable_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path());
    let said = verify(dir.path(), &["--anchor", "root.der", "--cert", "chain.pem"]);
    assert_eq!(
        (said.code, said.json()["code"].as_str()),
        (1, Some("revocation-unavailable"))
    );
    let said = verify(
        dir.path(),
        &[
            "--anchor",
            "root.der",
            "--cert",
            "chain.pem",
            "--revocation",
            "prefer",
        ],
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["revocation_checked"], false);

    // Surplus is ignored and named.
    let said = verify(
        dir.path(),
        &[
            "--anchor",
            "root.der",
            "--cert",
            "chain.pem",
            "--untrusted",
            "junk.pem",
            "--revocation",
            "off",
        ],
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["ignored"].as_array().unwrap().len(), 1);
    // What the verdict rests upon is not.
    for args in [
        ["--anchor", "junk.pem", "--cert", "app.pem"],
        ["--anchor", "root.pem", "--cert", "junk.pem"],
        ["--anchor", "root.pem", "--cert", "root.crl"],
        ["--anchor", "root.pem", "--cert", "missing.pem"],
    ] {
        let said = verify(dir.path(), &args);
        assert_eq!(said.code, 2, "{args:?} {said:?}");
    }
    let said = verify(
        dir.path(),
        &[
            "--anchor", "root.pem", "--cert", "app.pem", "--crl", "app.pem",
        ],
    );
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn an_explanation_is_a_tree() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path());
    let now = NOW.to_string();
    let said = udap(
        dir.path(),
        &[
            "x509",
            "verify",
            "--anchor",
            "root.pem",
            "--cert",
            "chain.pem",
            "--revocation",
            "off",
            "--time",
            &now,
            "--name",
            "uri:https://app.example/",
            "--explain",
        ],
    );
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains('✓') && said.out.contains('✗'),
        "{}",
        said.out
    );
    assert!(
        said.err.starts_with("error[san-uri-mismatch]"),
        "{}",
        said.err
    );
    assert!(
        said.err
            .contains("  expected  https://app.example/\n     found  https://app.example\n")
    );
}

#[test]
fn what_could_not_be_fetched_is_said_with_the_reason_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let pki = TestPki::publishing_at("https://community.example", "http://localhost:1");
    let write = |name: &str, pem: String| std::fs::write(dir.path().join(name), pem).unwrap();
    write("root.pem", pki.anchor().certificate().to_pem());
    write("chain.pem", pki.leaf(APP).chain_pem());
    let fetch = ["--anchor", "root.pem", "--cert", "chain.pem", "--fetch"];
    let said = verify(dir.path(), &fetch).json();
    assert_eq!(said["code"], "revocation-unavailable");
    let (reason, hint) = (said["reason"].to_string(), said["hint"].to_string());
    assert!(
        reason.contains("could not be had from http://localhost:1/"),
        "{reason}"
    );
    assert!(reason.contains("which is not public"), "{reason}");
    assert!(hint.contains("--allow-host localhost:1"), "{hint}");

    // Once that is allowed, it is not us who refuse.
    let allowed = [&fetch[..], &["--allow-host", "localhost:1"]].concat();
    let said = verify(dir.path(), &allowed).json();
    let reason = said["reason"].to_string();
    assert!(
        reason.contains("no connection to `localhost:1`"),
        "{reason}"
    );
}

#[test]
fn a_batch_answers_each_line_and_exits_with_0() {
    let dir = tempfile::tempdir().unwrap();
    let pki = files(dir.path());
    let app = pki.leaf(APP);
    let request = |id: Value, name: &str| {
        json!({
            "id": id, "anchors": pki.anchor().certificate().to_pem(), "cert": app.chain_pem(),
            "time": NOW.to_string(), "revocation": "off", "name": name,
        })
        .to_string()
    };
    let lines = [
        request(json!(1), "uri:https://app.example"),
        "junk".to_owned(),
        String::new(),
        request(json!({"a": 2}), "uri:https://other.example"),
    ];
    let mut child = command(dir.path())
        .args(["x509", "verify", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.join("\n").as_bytes())
        .unwrap();
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said.code, 0);
    let answers: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(
        answers[0],
        json!({"id": 1, "accepted": true, "code": null, "reason": null})
    );
    assert_eq!(
        (&answers[1]["accepted"], &answers[1]["code"]),
        (&json!(false), &json!("input-unreadable"))
    );
    assert_eq!(
        (&answers[2]["id"], &answers[2]["code"]),
        (&json!({"a": 2}), &json!("san-uri-mismatch"))
    );
}

#[test]
fn certificates_and_crls_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path());
    let shown = udap(dir.path(), &["x509", "show", "chain.pem", "--json"]).json();
    let certificates = shown["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 2);
    assert_eq!(certificates[0]["uri"], json!([APP]));
    assert_eq!(certificates[0]["key_usage"], json!(["digitalSignature"]));
    assert_eq!(certificates[1]["is_ca"], true);
    let said = udap(dir.path(), &["x509", "show", "app.der"]);
    assert!(said.out.contains(APP), "{}", said.out);
    let shown = udap(dir.path(), &["crl", "show", "issuing.crl", "--json"]).json();
    assert_eq!(shown["crls"][0]["revoked"], 1);
    assert_eq!(shown["crls"][0]["entries"][0]["reason"], "keyCompromise");
    assert_eq!(udap(dir.path(), &["x509", "show", "root.crl"]).code, 2);
    assert_eq!(udap(dir.path(), &["ocsp", "show", "app.der"]).code, 2);
    // Loopback is not fetched from unless it is listed.
    let said = udap(
        dir.path(),
        &["x509", "show", "http://127.0.0.1:1/a.cer", "--json"],
    );
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "address-not-public")
    );
}
