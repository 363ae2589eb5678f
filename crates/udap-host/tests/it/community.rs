//! `[[community]]` on a profile or on a community's own description, and what is set over it.

use std::{fs, path::Path};

use udap_host::config::{self, Certificates, Config, ConfigError, Revocation};
use udap_proto::community::{Guide, Status};

use crate::support::Files;

const TOP: &str = "base_url = \"https://fhir.example.org/r4\"\ntls = \"off\"\n";

const DESCRIPTION: &str = r#"
profile = "ssraa-1.1"
uri = "https://one.example"
title = "One"
draft = true
revocation = "where-named"
scopes = ["system/Patient.rs"]
anchors = ["ca/root.pem", "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----"]
[certifications]
supported = ["https://one.example/audit"]
"#;

fn with(files: &Files, settings: &str) -> Result<Config, ConfigError> {
    let text = format!(
        "{TOP}[[community]]\nidentity = {{ cert = \"server.pem\", key_file = \"server.key\" }}\n{settings}\n"
    );
    config::parse(&files.path("udap.toml"), &text)
}

/// `key value origin` of every row of the community, without the directory.
fn rows(files: &Files, config: &Config) -> String {
    let directory = files.path("");
    let directory = directory.to_string_lossy();
    let mut text = String::new();
    for row in config.rows() {
        if let Some(key) = row.key.strip_prefix("community[0].") {
            text += &format!("{key:28} {:40} {}\n", row.text(), row.origin);
        }
    }
    text.replace(&*directory, "")
}

#[test]
fn a_profile_or_the_guide_itself_is_the_ground() {
    let files = Files::new();
    let guide = |settings: &str| {
        let settings = format!("uri = \"urn:oid:1.2\"\nanchors = \"a.pem\"\n{settings}");
        let config = with(&files, &settings).unwrap();
        let rules = &config.communities[0].rules;
        (rules.guide, rules.extensions.supported().len())
    };
    assert_eq!(guide(""), (Guide::V2_0, 2));
    assert_eq!(guide("guide = \"2.0\""), (Guide::V2_0, 2));
    assert_eq!(guide("guide = \"1.1\""), (Guide::V1_1, 1));
    assert_eq!(guide("guide = \"1.0\""), (Guide::V1_0, 1));
    assert_eq!(guide("profile = \"ssraa-1.1\""), (Guide::V1_1, 1));

    let config = with(&files, "profile = \"tefca-ff-2.0\"\nanchors = \"a.pem\"").unwrap();
    let tefca = &config.communities[0];
    assert_eq!(tefca.uri, "urn:oid:2.16.840.1.113883.3.7204.1.5");
    assert_eq!(tefca.certifications.required.len(), 1);
    assert!(tefca.rules.registration.purpose_in_uri.is_some());
    insta::assert_snapshot!("community_tefca", rows(&files, &config));
}

#[test]
fn a_description_is_laid_under_what_is_set_here() {
    let files = Files::new();
    fs::create_dir(files.path("network")).unwrap();
    fs::write(files.path("network/one.toml"), DESCRIPTION).unwrap();
    let config = with(&files, "definition = \"network/one.toml\"").unwrap();
    let one = &config.communities[0];
    assert_eq!(one.uri, "https://one.example");
    assert_eq!(one.revocation, Revocation::WhereNamed);
    assert_eq!(one.rules.guide, Guide::V1_1);
    assert_eq!(one.rules.status, Status::Draft);
    assert_eq!(one.certifications.supported, ["https://one.example/audit"]);
    // Its paths begin where it is.
    assert_eq!(
        one.anchors[0],
        Certificates::File(files.path("network/ca/root.pem"))
    );
    assert!(matches!(&one.anchors[1], Certificates::Text(_)));
    assert_eq!(
        one.anchors[1].read().unwrap_err().code(),
        "config-certificate-file"
    );
    insta::assert_snapshot!("community_description", rows(&files, &config));

    let settings = "definition = \"network/one.toml\"\nprofile = \"ssraa-2.0\"\n\
                    guide = \"1.0\"\nrevocation = \"require\"\ngrace = \"10m\"\nanchors = \"own.pem\"\n\
                    scopes = [\"system/*.rs\"]\nalgorithms = [\"RS256\"]\n\
                    certifications_required = [\"https://one.example/audit\"]\n\
                    credential_providers = [\"https://csp.example\"]\n\
                    [[community.consent]]\npurposes = [\"urn:oid:1.2#A\"]\npolicies = [\"urn:oid:1.3\"]";
    let config = with(&files, settings).unwrap();
    let one = &config.communities[0];
    assert_eq!(one.rules.guide, Guide::V1_0);
    assert_eq!((one.revocation, one.grace_secs), (Revocation::Require, 600));
    assert_eq!(one.anchors, [Certificates::File(files.path("own.pem"))]);
    assert_eq!(
        one.rules.scopes.as_ref().unwrap().to_string(),
        "system/*.rs"
    );
    assert_eq!(one.rules.algorithms.len(), 1);
    assert_eq!(one.certifications.required, ["https://one.example/audit"]);
    assert_eq!(one.rules.credential_providers, ["https://csp.example"]);
    assert_eq!(one.rules.consent[0].policies, ["urn:oid:1.3"]);
    insta::assert_snapshot!("community_over_description", rows(&files, &config));
}

#[test]
fn what_is_wrong_with_a_community_is_said_where_it_is() {
    let files = Files::new();
    let file = |name: &str, text: &str| fs::write(files.path(name), text).unwrap();
    file("good.toml", DESCRIPTION);
    file("slip.toml", &DESCRIPTION.replace("scopes =", "scope ="));
    file("syntax.toml", "uri = [");
    file("large.toml", &"#".repeat(600_000));
    file("profile.toml", "profile = \"ssraa-3.0\"");
    file("guide.toml", "guide = \"3\"\nuri = \"urn:oid:1.2\"");
    file("empty.toml", "");
    let own = "uri = \"urn:oid:1.2\"\nanchors = \"a.pem\"\n";
    let cases = [
        (
            "config-invalid-value",
            format!("{own}profile = \"ssraa-2\""),
        ),
        ("config-wrong-type", format!("{own}profile = 2")),
        ("config-unknown-key", format!("{own}profil = \"ssraa-2.0\"")),
        ("community-wrong-value", format!("{own}guide = \"4\"")),
        (
            "community-wrong-value",
            format!("{own}algorithms = [\"none\"]"),
        ),
        (
            "community-wrong-value",
            format!("{own}scopes = \"system/*.rs\""),
        ),
        (
            "community-wrong-value",
            format!("{own}credential_providers = [\"http://csp.example\"]"),
        ),
        (
            "community-unknown-key",
            format!("{own}[[community.consent]]\npurpose = [\"urn:oid:1.2#A\"]"),
        ),
        (
            "config-missing-key",
            "profile = \"ssraa-2.0\"\nanchors = \"a.pem\"".to_owned(),
        ),
        (
            "config-missing-key",
            "profile = \"tefca-ff-2.0\"".to_owned(),
        ),
        ("config-unreadable", "definition = \"none.toml\"".to_owned()),
        (
            "community-syntax",
            "definition = \"syntax.toml\"".to_owned(),
        ),
        (
            "community-too-large",
            "definition = \"large.toml\"".to_owned(),
        ),
        (
            "community-unknown-key",
            "definition = \"slip.toml\"".to_owned(),
        ),
        (
            "community-unknown-name",
            "definition = \"profile.toml\"".to_owned(),
        ),
        (
            "community-wrong-value",
            "definition = \"guide.toml\"".to_owned(),
        ),
        (
            "community-missing-key",
            format!("{own}definition = \"empty.toml\""),
        ),
        (
            "config-invalid-value",
            "definition = \"good.toml\"\ncertifications_required = [\"https://other.example\"]"
                .to_owned(),
        ),
    ];
    let mut report = String::new();
    for (code, settings) in cases {
        let error = with(&files, &settings).expect_err(&settings);
        assert_eq!(error.code(), code, "{settings}: {error}");
        report += &format!("error[{code}]: {error}\n    hint: {}\n", error.hint());
    }
    let directory = files.path("");
    let report = report.replace(&*directory.to_string_lossy(), "");
    assert!(!Path::new(&report).is_absolute());
    insta::assert_snapshot!("community_refusals", report);
}
