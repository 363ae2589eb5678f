//! A community's bundle from the command line, and a data holder that takes changed files while it runs.

use crate::community::{APP, COMMUNITY, Community, Said, udap};
use std::path::Path;
use std::time::{Duration, Instant};

fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said:?}");
    said
}

fn issue(dir: &Path, uri: &str, out: &str) {
    let args = [
        "ca",
        "issue",
        "--dir",
        "ca",
        "--profile",
        "app",
        "--name",
        out,
    ];
    ok(udap(
        dir,
        &[&args[..], &["--uri", uri, "--out", out]].concat(),
    ));
}

fn sign(dir: &Path, by: &str, more: &[&str]) -> Said {
    let (cert, key) = (format!("{by}.pem"), format!("{by}.key"));
    let args = [
        "ca", "bundle", "--json", "--dir", "ca", "--cert", &cert, "--key", &key,
    ];
    udap(dir, &[&args[..], more].concat())
}

fn verify(dir: &Path, more: &[&str]) -> Said {
    udap(
        dir,
        &[&["community", "verify", "--json"][..], more].concat(),
    )
}

#[test]
fn a_bundle_is_signed_shown_and_judged() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let base = ["--base-url", "http://ca.community.example"];
    let init = ["ca", "init", "--dir", "ca", "--community", COMMUNITY];
    ok(udap(dir, &[&init[..], &base].concat()));
    issue(dir, COMMUNITY, "community");
    issue(dir, APP, "app");
    std::fs::write(
        dir.join("community.toml"),
        "profile = \"ssraa-2.0\"\nanchors = \"ca/root.pem\"\n",
    )
    .unwrap();

    // A member does not speak for the community.
    assert_eq!(sign(dir, "app", &[]).error(), "ca-setting");
    let first = ok(sign(dir, "community", &["--out", "first.jwt"]));
    assert_eq!(first.json()["sequence"], 1);
    let more = [
        "--definition",
        "community.toml",
        "--certifier-anchor",
        "ca/issuing.pem",
    ];
    let second = [&more[..], &["--out", "second.jwt"]].concat();
    let second = ok(sign(dir, "community", &second));
    assert_eq!(second.json()["sequence"], 2);
    let key = second.json()["signer_key_sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    // Nothing is overwritten, and no sequence spent.
    let again = sign(dir, "community", &["--out", "second.jwt"]);
    assert_eq!((again.code, again.error().as_str()), (2, "file-unusable"));
    assert_eq!(ok(sign(dir, "community", &[])).json()["sequence"], 3);

    let shown = ok(verify(dir, &["second.jwt", "--signer-key-sha256", &key])).json();
    assert_eq!(shown["community"], COMMUNITY);
    assert_eq!(
        (&shown["sequence"], &shown["accepted"]),
        (&2.into(), &true.into())
    );
    assert_eq!(shown["rules"]["profile"], "ssraa-2.0");
    assert_eq!(shown["anchors"].as_array().unwrap().len(), 1);
    assert_eq!(shown["certifier_anchors"].as_array().unwrap().len(), 1);
    let by_anchor = [
        "second.jwt",
        "--signer-anchor",
        "ca/root.pem",
        "--revocation",
        "off",
    ];
    assert_eq!(ok(verify(dir, &by_anchor)).json()["accepted"], true);

    let other = "00".repeat(32);
    let refused = |more: &[&str]| {
        let said = verify(dir, more);
        assert_eq!(said.code, 1, "{said:?}");
        said.json()["refused"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(
        refused(&["second.jwt", "--signer-key-sha256", &other]).as_deref(),
        Some("bundle-key-mismatch")
    );
    // Nothing says who may sign: shown, and not accepted.
    assert_eq!(refused(&["second.jwt"]), None);
    // Whoever asks for another community is told so.
    let another = verify(dir, &["second.jwt", "--community", "https://other.example"]);
    assert_eq!(
        (another.code, another.error().as_str()),
        (1, "iss-mismatch")
    );
    let plain = udap(
        dir,
        &[
            "community",
            "verify",
            "second.jwt",
            "--signer-key-sha256",
            &key,
        ],
    );
    assert!(
        plain.out.contains("yes") && plain.out.contains(&key),
        "{plain:?}"
    );
}

#[test]
fn a_server_that_runs_takes_a_renewed_identity() {
    let community = Community::start();
    let dir = community.dir();
    let serial = || {
        let said = community.client(&["discover", &community.base_url, "--json"]);
        said.json()["certificate"]["serial"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let before = serial();
    // Whoever asks by a signal is heard, and the server lives.
    community.signal("HUP");
    assert_eq!(serial(), before);
    community.issue("data-holder", &community.base_url, "renewed");
    for end in ["key", "pem"] {
        std::fs::rename(
            dir.join(format!("renewed.{end}")),
            dir.join(format!("server.{end}")),
        )
        .unwrap();
    }
    let end = Instant::now() + Duration::from_secs(20);
    while serial() == before {
        assert!(Instant::now() < end, "the renewed certificate is not taken");
        std::thread::sleep(Duration::from_millis(100));
    }
}
