//! The operators' pages in a real browser, against a running sandbox.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use crate::program::Home;

#[test]
#[ignore = "needs a browser, which `./check browser` installs"]
fn operators_pages_in_a_browser() {
    let home = Home::new();
    let mut running = home.start(&[]);
    running.until_up();
    let sandbox = home.path().join("udap-sandbox");
    let password = home.path().join("password");
    fs::write(&password, "correct horse battery staple\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let config = sandbox.join("data-holder/udap.toml");
    let words = ["admin", "operator", "add", "ada", "--password-file"];
    let paths = [
        password.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
    ];
    let added = home.run(&[&words[..], &paths[..]].concat());
    assert_eq!(added.code, Some(0), "{}", added.err);

    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser/admin.mjs");
    let mut node = Command::new("node");
    node.arg(script)
        .arg(sandbox.join("sandbox.json"))
        .arg(home.path().join("udap"))
        .arg(&password)
        .env("NODE_EXTRA_CA_CERTS", sandbox.join("tls-root.pem"));
    let output = node.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    for step in [
        "logged in by the keyboard, without JavaScript",
        "suspended: its token is refused at the gateway, and it gets no other",
        "restored: it gets tokens again, and the old one stays dead",
        "a form of another site is refused although the browser sent the cookie",
        "axe-core found nothing on 36 pages",
        "no request left this machine",
    ] {
        assert!(said.contains(&format!("✓ {step}\n")), "{step}: {said}");
    }
    running.signal("INT");
    assert_eq!(running.end().0, Some(0));
}
