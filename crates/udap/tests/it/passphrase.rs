//! An authority whose keys are under a passphrase.

use crate::community::{COMMUNITY, udap};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const INIT: &[&str] = &[
    "ca",
    "init",
    "--json",
    "--dir",
    "ca",
    "--community",
    COMMUNITY,
    "--base-url",
    "http://ca.community.example",
];
const ISSUE: &[&str] = &[
    "ca",
    "issue",
    "--json",
    "--dir",
    "ca",
    "--profile",
    "app",
    "--uri",
    "https://app.example",
    "--name",
    "App",
    "--out",
    "app",
];

fn write(dir: &Path, name: &str, text: &str, mode: u32) {
    std::fs::write(dir.join(name), text).unwrap();
    std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn keys_under_a_passphrase_open_by_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "right", "a sentence that nobody guesses\n", 0o600);
    write(
        dir,
        "wrong",
        "another sentence that nobody guesses\n",
        0o600,
    );
    write(dir, "short", "too short\n", 0o600);
    write(dir, "exposed", "a sentence that nobody guesses\n", 0o640);
    let with = |args: &[&'static str], file: &'static str| {
        udap(dir, &[args, &["--passphrase-file", file]].concat())
    };
    for (file, code) in [
        ("short", "passphrase-too-short"),
        ("exposed", "config-key-exposed"),
        ("none", "config-unreadable"),
    ] {
        let said = with(INIT, file);
        assert_eq!((said.code, said.error().as_str()), (2, code), "{said:?}");
    }
    assert_eq!(with(INIT, "right").code, 0);
    // Made again, it is the one that is there.
    assert_eq!(with(INIT, "right").code, 0);
    for name in ["root.key", "issuing.key"] {
        let path = dir.join("ca").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("-----BEGIN UDAP SEALED PRIVATE KEY-----"),
            "{text}"
        );
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    for said in [udap(dir, ISSUE), udap(dir, INIT)] {
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, "ca-passphrase-missing"),
            "{said:?}"
        );
    }
    for args in [ISSUE, INIT] {
        let said = with(args, "wrong");
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, "ca-passphrase-wrong"),
            "{said:?}"
        );
    }
    let issued = with(ISSUE, "right");
    assert_eq!(issued.code, 0, "{issued:?}");
    let of_community = |arg: &&'static str| match *arg {
        "https://app.example" => COMMUNITY,
        arg => arg,
    };
    let mut community: Vec<_> = ISSUE.iter().map(of_community).collect();
    *community.last_mut().unwrap() = "community";
    assert_eq!(with(&community, "right").code, 0);
    let bundle = [
        "ca",
        "bundle",
        "--dir",
        "ca",
        "--cert",
        "community.pem",
        "--key",
        "community.key",
        "--json",
    ];
    assert_eq!(udap(dir, &bundle).error(), "ca-passphrase-missing");
    assert_eq!(with(&bundle, "right").code, 0);
    let revoke = ["ca", "revoke", "--json", "--dir", "ca", "app.pem"];
    assert_eq!(udap(dir, &revoke).error(), "ca-passphrase-missing");
    assert_eq!(with(&revoke, "right").code, 0);

    // One in the clear is not taken for one that is sealed.
    let clear: Vec<_> = INIT
        .iter()
        .map(|arg| if *arg == "ca" { "clear" } else { arg })
        .collect();
    let clear = [&["ca"], &clear[1..]].concat();
    assert_eq!(udap(dir, &clear).code, 0);
    let said = with(&clear, "right");
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "ca-key-not-sealed"),
        "{said:?}"
    );
}
