//! OAuth clients that nobody here wrote, against a running sandbox: they find the server, register with a
//! certificate, get a token, read, leave; and as clients of SMART Backend Services, which have a key only.

use std::{path::PathBuf, process::Command};

use crate::program::Home;

#[test]
#[ignore = "needs the clients, which `./check clients` installs"]
fn oauth4webapi_and_authlib_obtain_tokens() {
    let home = Home::new();
    let mut running = home.start(&[]);
    running.until_up();
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let of = |name: &str| project.join("tests/clients").join(name);
    let sandbox = home.path().join("udap-sandbox");
    let mut node = Command::new("node");
    node.arg(of("oauth4webapi.mjs"))
        .env("NODE_EXTRA_CA_CERTS", sandbox.join("tls-root.pem"));
    let mut python = Command::new("python3");
    python
        .arg(of("authlib_client.py"))
        .env("PYTHONPATH", project.join("target/clients"));
    for mut client in [node, python] {
        let output = client.arg(sandbox.join("sandbox.json")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{client:?}: {said}{error}");
        // One line for each kind of key.
        for alg in ["RS256", "ES256"] {
            let line =
                format!("{alg}: registered, token for system/Patient.rs, patients read, left");
            assert!(said.lines().any(|said| said == line), "{said}");
        }
        let line = "ES384: known by its key, token for system/Patient.rs, patients read, ended";
        assert!(said.lines().any(|said| said == line), "{said}");
    }
    running.signal("INT");
    assert_eq!(running.end().0, Some(0));
}
