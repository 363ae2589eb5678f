//! What stands in a partner's way, found from outside and from the configuration.

use crate::community::{COMMUNITY, Community, Said, until};
use serde_json::Value;

/// The findings that are not well, as `thing code`.
fn ailing(said: &Said) -> Vec<String> {
    let report = said.json();
    let findings = report["findings"].as_array().unwrap().iter();
    let ailing = findings.filter(|finding| ["warning", "problem"].contains(&text(finding, "mark")));
    ailing
        .map(|finding| {
            // A problem says what to do about it.
            assert!(!text(finding, "hint").is_empty(), "{finding}");
            format!("{} {}", text(finding, "thing"), text(finding, "code"))
        })
        .collect()
}

/// Those about the certificate that the configuration names. The running server takes what it names within
/// a second, so that others may or may not say the same.
fn of_identity(said: &Said) -> Vec<String> {
    let mut ailing = ailing(said);
    ailing.retain(|finding| finding.starts_with("identity "));
    ailing
}

fn text<'a>(finding: &'a Value, member: &str) -> &'a str {
    finding[member].as_str().unwrap_or_default()
}

fn holder(community: &Community, more: &[&str]) -> Said {
    let mut args = vec!["doctor", "--json", "--tls-root", "tls-root.pem"];
    args.extend(more);
    crate::community::udap(community.dir(), &args)
}

/// Changes the configuration, looks, and changes it back. The running server keeps the first one.
fn with(community: &Community, from: &str, to: &str) -> Said {
    let path = community.path("udap.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let changed = good.replacen(from, to, 1);
    assert_ne!(good, changed);
    std::fs::write(&path, changed).unwrap();
    let said = holder(community, &[]);
    std::fs::write(&path, good).unwrap();
    said
}

#[test]
fn each_thing_that_would_stop_a_partner_is_named() {
    let community = Community::start();
    let base = community.base_url.clone();

    // All well, from inside and from outside.
    let said = holder(&community, &[]);
    assert_eq!((said.code, ailing(&said)), (0, vec![]), "{said:?}");
    let said = community.client(&["doctor", &base, "--json"]);
    assert_eq!((said.code, ailing(&said)), (0, vec![]), "{said:?}");
    assert_eq!(said.json()["well"], true);
    let said = community.client(&["doctor", &base]);
    assert!(
        said.out.ends_with("\n0 problems, 0 warnings\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("✓ metadata"), "{}", said.out);
    assert!(said.out.contains("✓ identity"), "{}", said.out);

    // From outside.
    let said = community.client(&["doctor", &format!("{base}/"), "--json"]);
    let slash = ["address base-url-slash", "metadata iss-mismatch"];
    assert_eq!(
        (said.code, ailing(&said)),
        (1, slash.map(str::to_owned).to_vec())
    );
    let said = community.client(&["doctor", "http://localhost:1/fhir", "--json"]);
    assert_eq!((said.code, ailing(&said).len()), (1, 1), "{said:?}");
    let said = community.client(&["doctor", &base, "--json", "--revocation", "off"]);
    let unknown = ["revocation", "identity"].map(|thing| format!("{thing} revocation-not-checked"));
    assert_eq!(ailing(&said), unknown);
    let said = crate::community::udap(community.dir(), &["doctor", &base, "--json"]);
    assert_eq!(ailing(&said), ["host address-not-public"]);

    // The app's own certificate: of another community, over soon, revoked.
    let init = ["ca", "init", "--dir", "other", "--community"];
    community.ok(&[
        &init[..],
        &["https://other.example", "--base-url", "http://localhost:1"],
    ]
    .concat());
    for (ca, days, name) in [
        ("other", "90", "outsider"),
        ("ca", "5", "ending"),
        ("ca", "90", "bad"),
    ] {
        let issue = [
            "ca",
            "issue",
            "--profile",
            "app",
            "--uri",
            "https://app.example",
            "--dir",
            ca,
        ];
        community.ok(&[&issue[..], &["--days", days, "--name", name, "--out", name]].concat());
    }
    community.ok(&["ca", "revoke", "--dir", "ca", "bad.pem"]);
    until(|| {
        let said = community.client_as("bad", &["doctor", &base, "--json"]);
        ailing(&said) == ["identity certificate-revoked"]
    });
    for (app, code, found) in [
        ("outsider", 1, "identity identity-other-community"),
        ("ending", 0, "identity certificate-expires-soon"),
        ("bad", 1, "identity certificate-revoked"),
    ] {
        let said = community.client_as(app, &["doctor", &base, "--json"]);
        assert_eq!(
            (said.code, ailing(&said)),
            (code, vec![found.to_owned()]),
            "{said:?}"
        );
    }

    // One that the app is not named by is a finding like any other.
    let other = [
        "doctor",
        &base,
        "--json",
        "--uri",
        "https://other.app.example",
    ];
    let said = community.client_as("bad", &other);
    let found = vec!["identity identity-uri-mismatch".to_owned()];
    assert_eq!((said.code, ailing(&said)), (1, found), "{said:?}");

    // From the configuration.
    let said = crate::community::udap(community.dir(), &["doctor", "--json"]);
    assert_eq!(
        (said.code, ailing(&said)),
        (1, vec!["host chain-not-trusted".to_owned()])
    );
    let said = with(
        &community,
        "upstream = \"http://localhost",
        "upstream = \"http://127.0.0.2",
    );
    assert_eq!(ailing(&said), ["upstream upstream-unreachable"]);
    let said = with(&community, "server.pem", "app.pem");
    let wrong = [
        "identity community-key-mismatch",
        "identity san-uri-mismatch",
    ];
    assert_eq!(ailing(&said), wrong);
    let said = with(&community, "/fhir\"\n", "/r4\"\n");
    assert_eq!(
        ailing(&said),
        ["identity san-uri-mismatch", "metadata udap-not-offered"],
        "{said:?}"
    );
    let said = crate::community::udap(
        community.dir(),
        &["doctor", "--config", "no.toml", "--json"],
    );
    assert_eq!(said.code, 2, "{said:?}");

    // A certificate that ends soon, and one that is revoked.
    let said = community.ok(&[
        "ca",
        "issue",
        "--dir",
        "ca",
        "--profile",
        "data-holder",
        "--name",
        "short",
        "--uri",
        &base,
        "--days",
        "5",
        "--out",
        "short",
    ]);
    drop(said);
    let path = community.path("udap.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("server.", "short.")).unwrap();
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, of_identity(&said)),
        (0, vec!["identity certificate-expires-soon".to_owned()])
    );
    assert!(said.out.contains(COMMUNITY));
    community.ok(&["ca", "revoke", "--dir", "ca", "short.pem"]);
    until(|| of_identity(&holder(&community, &[])) == ["identity certificate-revoked"]);
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, of_identity(&said)),
        (1, vec!["identity certificate-revoked".to_owned()]),
        "{said:?}"
    );

    // Rules that may change are said to be such.
    std::fs::write(&path, good).unwrap();
    let draft = "[[community]]\nprofile = \"cms-aligned-0.6\"\n";
    let said = with(&community, "[[community]]\n", draft);
    assert!(ailing(&said).contains(&"community community-draft".to_owned()));
}
