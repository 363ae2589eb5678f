//! `udap community`: the profiles, and descriptions that stand on them.

use crate::community::udap;
use serde_json::Value;

#[test]
fn profiles_are_listed_and_shown_and_can_be_stood_on() {
    let dir = tempfile::tempdir().unwrap();
    let list = udap(dir.path(), &["community", "list"]);
    assert_eq!(list.code, 0, "{list:?}");
    for line in ["ssraa-1.1", "ssraa-2.0", "tefca-ff-2.0"] {
        assert!(list.out.contains(line), "{}", list.out);
    }
    let draft = list
        .out
        .lines()
        .find(|line| line.contains("cms-aligned-0.6"));
    assert!(draft.unwrap().contains("draft"));
    let json: Value =
        serde_json::from_str(&udap(dir.path(), &["community", "list", "--json"]).out).unwrap();
    assert_eq!(json["profiles"].as_array().unwrap().len(), 4);

    let show = udap(dir.path(), &["community", "show", "tefca-ff-2.0"]);
    assert!(show.out.contains("urn:oid:2.16.840.1.113883.3.7204.1.5"));
    assert!(show.out.contains("T-HCO-QAI") && !show.out.contains("T-HCO-QM"));
    let json: Value =
        serde_json::from_str(&udap(dir.path(), &["community", "show", "ssraa-1.1", "--json"]).out)
            .unwrap();
    assert_eq!(json["guide"], "1.1");

    // What is shown as TOML is a description again.
    let toml = udap(dir.path(), &["community", "show", "ssraa-2.0", "--toml"]);
    let own = format!("uri = \"https://c.example\"\n{}", toml.out);
    std::fs::write(dir.path().join("own.toml"), own).unwrap();
    let again = udap(dir.path(), &["community", "show", "own.toml"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.out.contains("https://c.example"));

    std::fs::write(
        dir.path().join("slip.toml"),
        "profile = \"ssraa-2.0\"\nscope = []\n",
    )
    .unwrap();
    for (name, code) in [
        ("slip.toml", "community-unknown-key"),
        ("nothing.toml", "file-unusable"),
        ("ssraa-9", "file-unusable"),
    ] {
        let said = udap(dir.path(), &["community", "show", name, "--json"]);
        assert_eq!((said.code, said.error().as_str()), (2, code), "{said:?}");
    }
}

/// A draft is named as one wherever its community is shown.
#[test]
fn a_draft_is_named_as_a_draft() {
    let dir = tempfile::tempdir().unwrap();
    let text = "base_url = \"https://fhir.example/r4\"\ntls = \"off\"\n[[community]]\n\
                profile = \"cms-aligned-0.6\"\nuri = \"https://c.example\"\nanchors = \"a.pem\"\n\
                identity = { cert = \"s.pem\", key_file = \"s.key\" }\n";
    std::fs::write(dir.path().join("udap.toml"), text).unwrap();
    let said = udap(dir.path(), &["config", "show"]);
    let status = said.out.lines().find(|line| line.contains("status"));
    let status = status.unwrap();
    assert!(
        status.contains("draft") && status.contains("profile cms-aligned-0.6"),
        "{status}"
    );
}
