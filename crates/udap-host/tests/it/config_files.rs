//! The files that `udap.toml` names, each with what may be wrong with it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use udap_host::{
    config::{self, Problem},
    listen::TlsFiles,
};

use crate::{config::SMALLEST, support::write_pair};

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = config::load(Path::new("/nonexistent/udap.toml")).unwrap_err();
    assert_eq!(error.code(), "config-unreadable");
    assert!(
        error
            .to_string()
            .starts_with("cannot read /nonexistent/udap.toml: "),
        "{error}"
    );
}

/// A complete directory whose files fit, and one file after the other that does not.
#[test]
fn files_are_checked_each_with_its_code() {
    let files = crate::support::Files::new();
    let write = |name: &str| {
        let pair = TlsFiles {
            cert: files.path(&format!("{name}.pem")),
            key: files.path(&format!("{name}.key")),
        };
        write_pair(&pair, &rcgen::PKCS_ECDSA_P256_SHA256);
    };
    ["one-ca", "one", "two-ca", "two"]
        .into_iter()
        .for_each(write);
    let text = |two_anchor: &str| {
        let community = |name: &str, anchor: &str| {
            format!(
                "[[community]]\nuri = \"https://{name}.example\"\nanchors = \"{anchor}\"\n\
                 intermediates = \"{name}-ca.pem\"\n\
                 identity = {{ cert = \"{name}.pem\", key_file = \"{name}.key\" }}\n"
            )
        };
        let top = "base_url = \"https://localhost\"\n\
                   tls = { cert = \"tls.pem\", key_file = \"tls.key\" }\n";
        format!(
            "{top}{}{}",
            community("one", "one-ca.pem"),
            community("two", two_anchor)
        )
    };
    let check = |text: String| {
        config::parse(&files.path("udap.toml"), &text)
            .unwrap()
            .check_files()
    };
    let good = || text("two-ca.pem");
    check(good()).unwrap();

    let certifiers = format!("{}certifier_anchors = \"two-ca.pem\"\n", good());
    let error = check(certifiers.clone()).unwrap_err();
    assert_eq!(error.code(), "config-certifiers-unnamed");
    check(format!(
        "{certifiers}certifiers = [\"https://auditor.example\"]\n"
    ))
    .unwrap();
    let apart = good() + "certifier_anchors = \"one-ca.pem\"\n";
    check(apart).unwrap();

    let error = check(text("one-ca.pem")).unwrap_err();
    assert_eq!(error.code(), "config-shared-anchor");
    let Problem::SharedAnchor { first, second, .. } = &error.problem else {
        panic!("{error:?}")
    };
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("https://one.example", "https://two.example")
    );

    let error = check(good().replace("one.pem", "one.key")).unwrap_err();
    assert_eq!(error.code(), "config-certificate-file");
    let error = check(good().replace("two-ca.pem", "none.pem")).unwrap_err();
    assert_eq!(error.code(), "config-unreadable");
    let error = check(good().replace("two.key", "none.key")).unwrap_err();
    assert_eq!(error.code(), "config-unreadable");
    let error = check(good().replace("tls.key", "unrelated.key")).unwrap_err();
    assert_eq!(error.code(), "tls-key-unreadable");

    let key = files.path("two.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = check(good()).unwrap_err();
    assert_eq!(
        error.problem,
        Problem::KeyExposed {
            path: key,
            mode: 0o640
        }
    );
    assert_eq!(error.code(), "config-key-exposed");
}

#[test]
fn a_database_server_is_named_by_a_private_file_and_secrets_shared_by_it_have_a_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let parsed = |settings: &str| {
        let text = SMALLEST.replacen('\n', &format!("\n{settings}\n"), 1);
        udap_host::config::parse(&dir.path().join("udap.toml"), &text).unwrap()
    };
    let url = "postgres://u:not-to-be-shown@db.example/udap\n";
    write("db.url", url, 0o600);
    write("exposed.url", url, 0o640);
    write("nonsense.url", "not-to-be-shown", 0o600);
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    write("secrets.key", key, 0o600);
    write("exposed.key", key, 0o604);
    write("short.key", "AAECAwQF\n", 0o600);

    let config = parsed("database_file = \"db.url\"\nsecrets_key_file = \"secrets.key\"");
    assert_eq!(
        config.database().unwrap().to_string(),
        "postgres://db.example/udap"
    );
    assert!(config.secrets_key().unwrap().is_some());
    let refused = |settings: &str| {
        let error = parsed(settings).check_files().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("not-to-be-shown"));
        error.code()
    };
    for (settings, code) in [
        ("database_file = \"exposed.url\"", "config-key-exposed"),
        ("database_file = \"none.url\"", "config-unreadable"),
        ("database_file = \"nonsense.url\"", "config-invalid-value"),
        ("database_file = \"db.url\"", "secrets-key-missing"),
        ("secrets_key_file = \"exposed.key\"", "config-key-exposed"),
        ("secrets_key_file = \"none.key\"", "config-unreadable"),
        ("secrets_key_file = \"short.key\"", "secrets-key-unusable"),
    ] {
        assert_eq!(refused(settings), code, "{settings}");
    }
}
