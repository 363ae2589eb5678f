//! Certifications from the command line: made by an app and by an auditor, and sent.

use crate::community::{APP, COMMUNITY, Community, Said, udap};
use serde_json::json;
use std::path::Path;

pub(crate) const ANSWERS: &str = r#"
[answers]
policy = "https://app.example/privacy"
funding = "by the clinics that use it"
storage = "on the operator's servers"
data_sold = false
deletion = "by a letter, within a month"
breach_notice = true
"#;

const FINDINGS: &str = r#"{
  "answers": {
    "standard": "Example standard 2", "parts": ["the app"], "examined_on": "2026-11-01",
    "penetration_tested": true
  },
  "restrictions": {"scope": "system/Patient.rs system/Observation.rs"}
}"#;

const LIMIT: &str = r#"
[answers]
standard = "Example standard 2"
parts = ["the app"]
examined_on = "2026-11-01"
penetration_tested = true
[restrictions]
jwks_uri = "https://app.example/jwks"
"#;

const PRIVACY: &str = "https://community.example/certifications/privacy-disclosure";
const AUDITOR: &str = "https://audits.example";
const AUDIT: &str = "https://community.example/certifications/security-audit";

fn own(dir: &Path, more: &[&str]) -> Said {
    let mut args = vec!["certify", "--self", "--cert", "app.pem", "--key", "app.key"];
    args.extend(["--days", "30", "--details", "answers.toml"]);
    args.extend(more);
    udap(dir, &args)
}

fn others(dir: &Path, more: &[&str]) -> Said {
    let mut args = vec!["ca", "certify", "--app", APP, "--name", "Example audits"];
    args.extend(["--cert", "auditor.pem", "--key", "auditor.key"]);
    args.extend(["--days", "30", "--details", "findings.json"]);
    args.extend(more);
    udap(dir, &args)
}

fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said:?}");
    said
}

#[test]
fn both_kinds_are_made_sent_and_given_back() {
    let more = format!(
        "certifications_supported = [\"{PRIVACY}\", \"{AUDIT}\"]\n\
         certifications_self_signed = [\"{PRIVACY}\"]\n\
         certifications_required = [\"{AUDIT}\"]\n\
         certifier_anchors = \"ca/root.pem\"\n\
         certifiers = [\"{AUDITOR}\"]\n"
    );
    let community = Community::start_with(&more);
    community.issue("app", AUDITOR, "auditor");
    let dir = community.dir();
    std::fs::write(dir.join("answers.toml"), ANSWERS).unwrap();
    std::fs::write(dir.join("findings.json"), FINDINGS).unwrap();

    let made = ok(own(
        dir,
        &[
            "--definition",
            "privacy-disclosure",
            "--out",
            "privacy.jwt",
            "--json",
        ],
    ));
    assert_eq!(made.json()["iss"], APP);
    let audit = ok(others(dir, &["--definition", "security-audit"]));
    std::fs::write(dir.join("audit.jwt"), &audit.out).unwrap();

    let url = community.base_url.as_str();
    let contact = ["--contact", "mailto:ops@app.example", "--json"];
    let register = |files: &[&str]| {
        let mut args = vec!["register", url];
        args.extend(contact);
        for file in files {
            args.extend(["--certification", file]);
        }
        community.client(&args)
    };
    let refused = register(&["privacy.jwt"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.out.contains("certification-required"),
        "{refused:?}"
    );
    // What is registered stays within what was certified.
    let refused = register(&["privacy.jwt", "audit.jwt"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.out.contains("certification-mismatch"),
        "{refused:?}"
    );
    let said = ok(community.client(&[
        "register",
        url,
        "--contact",
        "mailto:ops@app.example",
        "--json",
        "--register-scope",
        "system/Patient.rs",
        "--certification",
        "privacy.jwt",
        "--certification",
        "audit.jwt",
    ]));
    let sent = [
        std::fs::read_to_string(dir.join("privacy.jwt")).unwrap(),
        audit.out.clone(),
    ];
    let sent: Vec<&str> = sent.iter().map(|text| text.trim()).collect();
    assert_eq!(said.json()["answer"]["certifications"], json!(sent));
    // One that the server leaves out is named; one about somebody else is not sent.
    assert_eq!(said.json()["certifications"]["left_out"], json!([]));
    let elsewhere = ["--programme", "https://other.example/audit"];
    let elsewhere = [&elsewhere[..], &["--definition", "security-audit"]].concat();
    ok(others(
        dir,
        &[&elsewhere[..], &["--out", "other.jwt"]].concat(),
    ));
    let said = ok(community.client(&[
        "register",
        url,
        "--contact",
        "mailto:ops@app.example",
        "--register-scope",
        "system/Patient.rs",
        "--certification",
        "other.jwt",
        "--certification",
        "audit.jwt",
    ]));
    assert!(
        said.out.contains("certifications  1 of 2 accepted"),
        "{said:?}"
    );
    assert!(said.out.contains("  left out        "), "{said:?}");
    let foreign = community.client_as(
        "auditor",
        &[
            "register",
            url,
            "--json",
            "--contact",
            "mailto:a@b.example",
            "--certification",
            "audit.jwt",
        ],
    );
    assert_eq!(
        (foreign.code, foreign.error().as_str()),
        (2, "certification-sub-mismatch")
    );
    let broken = register(&["findings.json"]);
    assert_eq!(
        (broken.code, broken.error()),
        (2, "file-unusable".to_owned())
    );
}

#[test]
fn what_does_not_fit_is_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ca = |args: &[&str]| {
        let mut all = vec!["ca"];
        all.extend(args);
        ok(udap(dir, &all))
    };
    ca(&[
        "init",
        "--community",
        COMMUNITY,
        "--base-url",
        "http://localhost:1",
    ]);
    for (uri, out) in [(APP, "app"), (AUDITOR, "auditor")] {
        let (name, uri) = (["--name", out], ["--uri", uri]);
        let mut args = vec!["issue", "--profile", "app", "--out", out];
        args.extend(name);
        args.extend(uri);
        ca(&args);
    }
    ca(&[
        "issue",
        "--profile",
        "app",
        "--name",
        "two",
        "--uri",
        "https://a.example",
        "--uri",
        "https://b.example",
        "--out",
        "two",
    ]);
    for (name, text) in [
        ("answers.toml", ANSWERS),
        ("findings.json", FINDINGS),
        ("empty.toml", ""),
        ("stray.toml", "[answer]\nx = 1"),
        ("flat.toml", "answers = 1"),
        ("torn.toml", "[answers"),
        ("torn.json", "{"),
        ("limit.toml", LIMIT),
        ("short.toml", "uri = \"https://community.example/x\""),
    ] {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let privacy = ["--definition", "privacy-disclosure", "--json"];
    let audit = ["--definition", "security-audit", "--json"];
    let with = |base: [&'static str; 3], more: &[&'static str]| {
        let mut all = base.to_vec();
        all.extend(more);
        all
    };
    let own = |args: &[&str]| {
        let mut all = vec!["certify", "--self"];
        all.extend(args);
        udap(dir, &all)
    };
    let by_app = ["--cert", "app.pem", "--key", "app.key"];
    let cases: [(&str, i32, &[&str], &[&str]); 9] = [
        ("definition-signer", 1, &by_app, &audit),
        (
            "definition-answers",
            1,
            &by_app,
            &with(privacy, &["--details", "empty.toml"]),
        ),
        (
            "file-unusable",
            2,
            &by_app,
            &with(privacy, &["--details", "stray.toml"]),
        ),
        (
            "file-unusable",
            2,
            &by_app,
            &with(privacy, &["--details", "flat.toml"]),
        ),
        (
            "file-unusable",
            2,
            &by_app,
            &with(privacy, &["--details", "torn.toml"]),
        ),
        (
            "file-unusable",
            2,
            &by_app,
            &with(privacy, &["--details", "torn.json"]),
        ),
        (
            "definition-malformed",
            2,
            &by_app,
            &["--definition", "short.toml", "--json"],
        ),
        (
            "file-unusable",
            2,
            &["--cert", "app.pem", "--key", "auditor.key"],
            &privacy,
        ),
        (
            "option-missing",
            2,
            &["--cert", "two.pem", "--key", "two.key"],
            &privacy,
        ),
    ];
    for (code, exit, signer, more) in cases {
        let mut args = signer.to_vec();
        args.extend(more);
        let said = own(&args);
        assert_eq!(
            (said.code, said.error().as_str()),
            (exit, code),
            "{args:?} {said:?}"
        );
    }
    for (code, more) in [
        ("definition-signer", with(privacy, &[])),
        ("jwt-lifetime", with(audit, &["--days", "731"])),
        (
            "san-uri-mismatch",
            with(audit, &["--uri", "https://audit.example"]),
        ),
        (
            "restriction-unknown",
            with(audit, &["--details", "limit.toml"]),
        ),
        (
            "claim-malformed",
            with(
                audit,
                &["--status-endpoint", "http://audits.example/status"],
            ),
        ),
    ] {
        let details: &[&str] = if more.contains(&"--details") {
            &[]
        } else {
            &["--details", "findings.json"]
        };
        let mut args = vec!["ca", "certify", "--app", APP, "--name", "Example audits"];
        args.extend(["--cert", "auditor.pem", "--key", "auditor.key"]);
        args.extend(details);
        args.extend(&more);
        let said = udap(dir, &args);
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, code),
            "{args:?} {said:?}"
        );
    }
    // What is kept can be taken back.
    let kept = ok(others(
        dir,
        &[
            "--definition",
            "security-audit",
            "--dir",
            "udap-ca",
            "--json",
        ],
    ));
    let jti = kept.json()["jti"].as_str().unwrap().to_owned();
    let withdrawn = ok(udap(dir, &["ca", "withdraw", &jti, "--json"]));
    assert_eq!(withdrawn.json()["app"], APP);
    let unknown = udap(dir, &["ca", "withdraw", "nothing", "--json"]);
    assert_eq!(unknown.error(), "ca-unknown-certification");
    // Without saying who signs there is nothing to do.
    assert_eq!(udap(dir, &["certify", "--json"]).error(), "usage");
}
