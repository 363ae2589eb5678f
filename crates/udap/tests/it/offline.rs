//! What needs no other process.

use crate::community::{Said, command, udap};
use base64::Engine as _;
use serde_json::Value;

#[test]
fn errors_are_json_where_json_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    for (args, code, error) in [
        (&["explain", "nonsense-code"][..], 1, "code-unknown"),
        (
            &["discover", "http://fhir.example/r4"],
            2,
            "base-url-invalid",
        ),
        (
            &["discover", "https://fhir.example/r4"],
            2,
            "community-none-configured",
        ),
        (&["get", "https://fhir.example/r4"], 2, "base-url-unclear"),
        (
            &["discover", "https://a.example", "--sandbox", "nowhere"],
            2,
            "sandbox-unusable",
        ),
        (&["config", "show"], 2, "config-unreadable"),
        (&["serve"], 2, "config-unreadable"),
        (&["x509", "show", "nothing.pem"], 2, "file-unusable"),
        (&["crl", "show", "nothing.crl"], 2, "file-unusable"),
        (
            &["jws", "verify", "--jwk", "nothing", "--token", "a.b.c"],
            2,
            "file-unusable",
        ),
        (
            &["tls", "inspect", "https://a.example"],
            2,
            "tls-target-invalid",
        ),
        (&["ca", "list", "--dir", "nowhere"], 1, "ca-not-initialised"),
        (&["discover"], 2, "usage"),
        (&["nonsense"], 2, "usage"),
    ] {
        let mut all = args.to_vec();
        all.push("--json");
        let said = udap(dir.path(), &all);
        assert_eq!(
            (said.code, said.error().as_str()),
            (code, error),
            "{args:?} {said:?}"
        );
        assert_eq!(said.err, "", "{args:?}");
        // The same for people: on stderr, and nothing on stdout.
        let said = udap(dir.path(), args);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{args:?}");
        assert!(said.err.starts_with("error"), "{args:?} {}", said.err);
    }
}

/// What was most likely meant stands in the hint.
#[test]
fn a_mistyped_address_is_told_from_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("udap-sandbox");
    std::fs::create_dir(&sandbox).unwrap();
    let pki = udap_testkit::TestPki::new("https://localhost/c");
    let app = pki.leaf("https://localhost/app");
    for (name, text) in [
        ("anchor.pem", pki.anchor().certificate().to_pem()),
        ("app.pem", app.chain_pem()),
        ("app.key", app.key_pem),
    ] {
        std::fs::write(sandbox.join(name), text).unwrap();
    }
    let manifest = serde_json::json!({
        "tls_root_pem": sandbox.join("anchor.pem"),
        "communities": [{"uri": "https://localhost/c", "anchor_pem": sandbox.join("anchor.pem")}],
        "data_holders": [{"base_url": "https://localhost:8440/fhir"}],
        "apps": [{
            "name": "good", "uri": "https://localhost/app", "community": "https://localhost/c",
            "chain_pem": sandbox.join("app.pem"), "key_pem": sandbox.join("app.key"),
        }],
    });
    std::fs::write(sandbox.join("sandbox.json"), manifest.to_string()).unwrap();
    let meant = "did you mean `https://localhost:8440/fhir`?";
    // A file that holds something else.
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(dir.path().join("encrypted.key"), encrypted).unwrap();
    for (cert, key, error, hint) in [
        (
            "app.key",
            "app.key",
            "file-unusable",
            "it holds PRIVATE KEY",
        ),
        (
            "app.pem",
            "app.pem",
            "key-unreadable",
            "it holds CERTIFICATE",
        ),
        (
            "app.pem",
            "../encrypted.key",
            "key-unreadable",
            "decrypt it",
        ),
        ("none.pem", "app.key", "file-unusable", "permissions"),
    ] {
        let (cert, key) = (
            format!("udap-sandbox/{cert}"),
            format!("udap-sandbox/{key}"),
        );
        let mut args = vec!["token", "https://localhost:8440/fhir", "--json"];
        args.extend([
            "--community",
            "https://localhost/c",
            "--cert",
            &cert,
            "--key",
            &key,
        ]);
        let said = udap(dir.path(), &args);
        assert_eq!(
            (said.code, said.error().as_str()),
            (2, error),
            "{cert} {key}"
        );
        let told = said.json()["error"]["hint"].to_string();
        assert!(told.contains(hint), "{cert} {key} {told}");
    }
    let uri = ["--uri", "https://elsewhere.example", "--json"];
    let said = udap(
        dir.path(),
        &[&["token", "https://localhost:8440/fhir"][..], &uri].concat(),
    );
    assert_eq!(
        (said.code, said.error().as_str()),
        (2, "identity-uri-mismatch")
    );
    for (args, code, error, hint) in [
        (
            &["discover", "localhost:8440/fhir"][..],
            2,
            "base-url-invalid",
            meant,
        ),
        (
            &["discover", "http://localhost:8440/fhir"],
            2,
            "base-url-invalid",
            meant,
        ),
        (
            &["discover", "https://localhost:8440/fhir/.well-known/udap"],
            2,
            "base-url-invalid",
            meant,
        ),
        (
            &["get", "localhost:8440/fhir/Patient/1"],
            2,
            "base-url-unclear",
            "did you mean `https://localhost:8440/fhir/Patient/1`?",
        ),
        (
            &["discover", "https://localhost:9399/fhir"],
            1,
            "address-not-public",
            "udap-sandbox is at https://localhost:8440/fhir",
        ),
        (
            &["discover", "https://127.0.0.1:8440/fhir"],
            2,
            "community-none-configured",
            "`--community URI --anchor FILE`",
        ),
        (
            &[
                "discover",
                "https://a.example/r4",
                "--community",
                "not a uri",
            ],
            2,
            "usage",
            "",
        ),
    ] {
        let said = udap(dir.path(), &[args, &["--json"]].concat());
        assert_eq!(
            (said.code, said.error().as_str()),
            (code, error),
            "{args:?}"
        );
        let told = said.json()["error"]["hint"].to_string();
        assert!(told.contains(hint), "{args:?} {told}");
    }
}

#[test]
fn every_code_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let all = udap(dir.path(), &["explain", "--all", "--json"]).json();
    let all = all.as_array().unwrap();
    assert!(all.len() > 150, "{}", all.len());
    for entry in all {
        for member in ["code", "title", "meaning", "hint"] {
            assert!(
                entry[member].as_str().is_some_and(|text| !text.is_empty()),
                "{entry}"
            );
        }
    }
    let one = udap(dir.path(), &["explain", "replay", "--json"]);
    assert!(one.code == 0 || one.error() == "code-unknown");
}

#[test]
fn a_configuration_is_shown_with_where_each_value_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let text = "base_url = \"https://fhir.example/r4\"\nupstreem = \"http://a\"\n";
    std::fs::write(dir.path().join("udap.toml"), text).unwrap();
    let said = udap(dir.path(), &["config", "show"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("udap.toml:2:1"), "{}", said.err);
    assert!(
        said.err.contains("did you mean `upstream`?"),
        "{}",
        said.err
    );

    let text = "base_url = \"https://fhir.example/r4\"\ntls = \"off\"\n\
        [[community]]\nuri = \"https://community.example\"\nanchors = \"a.pem\"\n\
        identity = { cert = \"s.pem\", key = \"-----BEGIN PRIVATE KEY-----\" }\n";
    std::fs::write(dir.path().join("udap.toml"), text).unwrap();
    let said = udap(dir.path(), &["config", "show", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.contains("PRIVATE KEY"), "secrets stay hidden");
    let rows = said.json()["settings"].as_array().unwrap().clone();
    let base = rows.iter().find(|row| row["key"] == "base_url").unwrap();
    assert_eq!(base["origin"]["file"]["line"], 1);
    let listen = rows.iter().find(|row| row["key"] == "listen").unwrap();
    assert_eq!(listen["origin"], Value::from("default"));
    let said = udap(dir.path(), &["config", "check"]);
    assert_eq!(said.code, 2);
}

#[test]
fn nothing_is_overwritten_and_a_key_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| udap(dir.path(), args);
    let init = [
        "ca",
        "init",
        "--community",
        "https://c.example",
        "--base-url",
        "http://ca.example",
    ];
    assert_eq!(run(&init).code, 0);
    assert_eq!(run(&init).code, 0, "the same again is no mistake");
    let issue = [
        "ca",
        "issue",
        "--profile",
        "app",
        "--name",
        "A",
        "--uri",
        "https://a.example",
        "--out",
        "app.v2",
        "--json",
    ];
    let said = run(&issue);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["cert"], "app.v2.pem");
    let mode = std::fs::metadata(dir.path().join("app.v2.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = run(&["ca", "list", "--json"]).json();
    assert_eq!(run(&issue).error(), "file-unusable");
    assert_eq!(
        run(&["ca", "list", "--json"]).json(),
        before,
        "nothing was issued"
    );
}

#[test]
fn the_whole_of_a_full_disk_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = crate::community::command(dir.path())
        .args(["explain", "--all"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.starts_with("error[output-unwritable]"), "{err}");
}

/// Standard streams and one more file are not enough for timers and sockets.
#[test]
fn a_system_that_gives_nothing_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("sh")
        .current_dir(dir.path())
        .args([
            "-c",
            "ulimit -n 4; exec \"$0\" discover https://fhir.example/r4 --json",
        ])
        .arg(env!("CARGO_BIN_EXE_udap"))
        .output()
        .unwrap();
    let said = crate::community::Said::from(output);
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "runtime-unavailable"),
        "{said:?}"
    );
}

/// Whoever sends a token does not choose what the terminal of its reader shows.
#[test]
fn a_token_does_not_play_with_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let base64 = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let payload = r#"{"iss":"\u001b[2Kx\u009b8my\u202ez\n"}"#;
    let token = |header: &str| format!("{}.{}.c2ln", base64(header), base64(payload));
    let known = token(r#"{"alg":"ES256"}"#);
    let unknown = token(r#"{"alg":"\u001b[2K\r\u001b[1;32mES256\u202e"}"#);
    for (token, code) in [(&known, 0), (&unknown, 2)] {
        let args = ["jws", "show", token];
        // With the colours of a terminal.
        let output = command(dir.path())
            .args(args)
            .env("CLICOLOR_FORCE", "1")
            .env_remove("NO_COLOR")
            .output();
        let said = Said::from(output.unwrap());
        assert_eq!(said.code, code, "{said:?}");
        let json = udap(dir.path(), &[&args[..], &["--json"]].concat());
        for text in [said.out, said.err, json.out] {
            for wrong in ["[2K", "\r", "\u{1b}[1;32m", "\u{9b}", "\u{202e}"] {
                let shown = text.replace("\\u001b[2K", "").replace("\u{fffd}[2K", "");
                assert!(!shown.contains(wrong), "{wrong:?} in {text:?}");
            }
        }
    }
    let said = udap(dir.path(), &["jws", "show", &known, "--json"]);
    assert_eq!(
        said.json()["payload"]["iss"],
        "\u{1b}[2Kx\u{9b}8my\u{202e}z\n"
    );
}
