//! Communities as data: what can be written, what cannot, and what the shipped profiles say.

use serde_json::{Value, json};
use udap_pki::{Revocation, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::community::{
    Community, CommunityError, Definition, Demand, Guide, IdentityChain, MAX_BYTES, PROFILES, Pem,
    Standing, Status, UnknownCommunity, UserScopes,
};

fn read(text: &str) -> Result<Community, CommunityError> {
    Community::read(Definition::from_toml(text)?)
}

fn profile(name: &str) -> Community {
    read(&format!(
        "profile = \"{name}\"\nuri = \"https://c.example\""
    ))
    .unwrap()
}

fn time(text: &str) -> UnixTime {
    UnixTime::parse_rfc3339(text).unwrap()
}

#[test]
fn the_shipped_profiles_are_what_they_say() {
    let names: Vec<_> = PROFILES.iter().map(|p| p.name).collect();
    assert_eq!(
        names,
        ["ssraa-1.1", "ssraa-2.0", "tefca-ff-2.0", "cms-aligned-0.6"]
    );
    for name in names {
        let community = profile(name);
        assert_eq!(community.revocation, Revocation::Require, "{name}");
        assert_eq!(community.extensions.required(), ["hl7-b2b"], "{name}");
        assert!(community.title.is_some() && community.source.is_some());
        let draft = community.status == Status::Draft;
        assert_eq!(draft, name == "cms-aligned-0.6");
        assert!(!draft || community.title.unwrap().contains("draft"));
    }
    assert_eq!(profile("ssraa-1.1").guide, Guide::V1_1);
    assert_eq!(profile("ssraa-1.1").extensions.supported(), ["hl7-b2b"]);
    assert_eq!(profile("ssraa-2.0").guide, Guide::V2_0);
    assert_eq!(
        profile("ssraa-2.0").extensions.supported(),
        ["hl7-b2b", "hl7-b2b-user"]
    );

    let tefca = read("profile = \"tefca-ff-2.0\"").unwrap();
    assert_eq!(tefca.uri.as_str(), "urn:oid:2.16.840.1.113883.3.7204.1.5");
    assert_eq!(tefca.guide, Guide::V1_1);
    let basic = "https://rce.sequoiaproject.org/udap/profiles/basic-app-certification";
    assert_eq!(tefca.certifications.supported, [basic]);
    assert_eq!(tefca.certifications.required, [basic]);
    assert_eq!(tefca.registration.user_scopes, UserScopes::Refuse);
    assert_eq!(tefca.registration.identity, IdentityChain::LeafAndIssuer);
    // Whose ID tokens count is for the operator to say; until then no person's own request is taken.
    assert_eq!(tefca.extensions.supported(), ["hl7-b2b"]);
    let with = "profile = \"tefca-ff-2.0\"\ncredential_providers = [\"https://csp.example\"]";
    assert_eq!(
        read(with).unwrap().extensions.supported(),
        ["hl7-b2b", "tefca_ias"]
    );
}

#[test]
fn codes_count_between_their_dates() {
    let tefca = profile("tefca-ff-2.0");
    let list = tefca.registration.purpose_in_uri.unwrap();
    let (before, after) = (time("2026-08-02T23:59:59Z"), time("2026-08-03T00:00:00Z"));
    let change = after;
    assert_eq!(list.standing("T-HCO-QM", before), Standing::InForce);
    assert_eq!(list.standing("T-HCO-QM", after), Standing::Over(change));
    for new in ["T-HCO-QAI", "T-HCO-POP", "T-HCO-PTSAFETY", "T-HCO-PERF"] {
        assert_eq!(
            list.standing(new, before),
            Standing::NotYet(change),
            "{new}"
        );
        assert_eq!(list.standing(new, after), Standing::InForce, "{new}");
    }
    assert_eq!(list.standing("T-NOTHING", after), Standing::Unknown);
    assert_eq!(list.standing("t-treat", after), Standing::Unknown);
    assert_eq!(list.in_force(before).count(), 14);
    assert_eq!(list.in_force(after).count(), 17);
    assert_eq!(
        list.written("T-IAS"),
        "urn:oid:2.16.840.1.113883.3.7204.1.5.2.1#T-IAS"
    );
}

#[test]
fn a_community_writes_only_what_is_its_own() {
    let community = read(
        r#"
profile = "ssraa-1.1"
uri = "urn:oid:1.2.3"
guide = "1.0"
algorithms = ["RS256", "ES384"]
revocation = "where-named"
grace_secs = 600
scopes = ["system/Patient.rs"]
anchors = ["root.pem", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"]

[certifications]
supported = ["https://c.example/audit"]

[codes.ours]
system = "https://c.example/purposes"
codes = ["A", { code = "B", from = "2030-01-01" }]

[extensions.hl7-b2b.members.purpose_of_use]
codes = ["ours"]
other_systems = false
"#,
    )
    .unwrap();
    assert_eq!(community.guide, Guide::V1_0);
    assert_eq!(community.algorithms.len(), 2);
    assert_eq!(community.revocation, Revocation::WhereNamed);
    assert_eq!(community.grace_secs, 600);
    assert_eq!(community.scopes.unwrap().to_string(), "system/Patient.rs");
    assert_eq!(community.anchors[0], Pem::Path("root.pem".into()));
    assert!(matches!(&community.anchors[1], Pem::Text(text) if text.contains("MII")));
    let object = |purpose: &str| {
        json!({"hl7-b2b": {
            "version": "1",
            "organization_id": "https://o.example/1",
            "purpose_of_use": [purpose],
        }})
    };
    let check = |purpose: &str, at: &str| {
        let sent = object(purpose);
        let checked = community
            .extensions
            .check(sent.as_object().unwrap(), time(at));
        checked.map(|_| ()).map_err(|e| e.code())
    };
    let now = "2026-11-29T00:00:00Z";
    assert_eq!(check("https://c.example/purposes#A", now), Ok(()));
    assert_eq!(
        check("https://c.example/purposes#B", now),
        Err("extension-code-not-in-force")
    );
    assert_eq!(
        check("https://c.example/purposes#B", "2030-01-01T00:00:00Z"),
        Ok(())
    );
    // What the profile has is replaced, not added to.
    assert_eq!(
        check("urn:oid:2.16.840.1.113883.5.8#TREAT", now),
        Err("extension-code-unknown")
    );
}

#[test]
fn what_is_wrong_in_a_description_is_named() {
    let base = "uri = \"https://c.example\"\nprofile = \"ssraa-2.0\"\n";
    let table = [
        ("uri = [", "community-syntax", ""),
        (
            "uri = \"https://c.example\"",
            "community-missing-key",
            "guide",
        ),
        ("guide = \"2.0\"", "community-missing-key", "uri"),
        ("profile = \"ssraa-2\"", "community-unknown-name", "profile"),
        ("profile = 1", "community-unknown-name", "profile"),
        ("+scope = []", "community-unknown-key", "scope"),
        ("+uri = \"c\"", "community-wrong-value", "uri"),
        (
            "+uri = \"https://c.example/ \"",
            "community-wrong-value",
            "uri",
        ),
        ("+uri = 1", "community-wrong-value", "uri"),
        ("+guide = \"2\"", "community-wrong-value", "guide"),
        (
            "+algorithms = [\"HS256\"]",
            "community-wrong-value",
            "algorithms",
        ),
        (
            "+algorithms = [\"none\"]",
            "community-wrong-value",
            "algorithms",
        ),
        (
            "+algorithms = [\"ES256\"]",
            "community-wrong-value",
            "algorithms",
        ),
        ("+algorithms = []", "community-wrong-value", "algorithms"),
        (
            "+revocation = \"maybe\"",
            "community-wrong-value",
            "revocation",
        ),
        ("+grace_secs = -1", "community-wrong-value", "grace_secs"),
        ("+grace_secs = 86401", "community-wrong-value", "grace_secs"),
        ("+draft = \"yes\"", "community-wrong-value", "draft"),
        ("+scopes = []", "community-wrong-value", "scopes"),
        ("+scopes = [\"a b\"]", "community-wrong-value", "scopes"),
        ("+anchors = [1]", "community-wrong-value", "anchors"),
        ("+anchors = \"\"", "community-wrong-value", "anchors"),
        (
            "+certifications = { required = [\"https://x.example\"] }",
            "community-wrong-value",
            "certifications.required",
        ),
        (
            "+certifications = { supported = [\"https://x.example/a \"] }",
            "community-wrong-value",
            "certifications.supported",
        ),
        (
            "+certifications = { support = [] }",
            "community-unknown-key",
            "certifications.support",
        ),
        (
            "+registration = { user_scopes = \"keep\" }",
            "community-wrong-value",
            "registration.user_scopes",
        ),
        (
            "+registration = { purpose_in_uri = \"tefca\" }",
            "community-unknown-name",
            "registration.purpose_in_uri",
        ),
        (
            "+codes = { x = { system = \"https://c.example\", codes = [] } }",
            "community-wrong-value",
            "codes.x.codes",
        ),
        (
            "+codes = { x = { system = \"https://c.example#\", codes = [\"a\"] } }",
            "community-wrong-value",
            "codes.x.system",
        ),
        (
            "+codes = { x = { system = \"https://c.example\", codes = [\"a\", \"a\"] } }",
            "community-wrong-value",
            "codes.x.codes[1]",
        ),
        (
            "+codes = { x = { system = \"https://c.example\", codes = [{ code = \"a\", from = \"2026-02-30\" }] } }",
            "community-wrong-value",
            "codes.x.codes[0].from",
        ),
        (
            "+codes = { x = { system = \"https://c.example\", codes = [{ code = \"a\", from = \"2026-03-01\", until = \"2026-03-01\" }] } }",
            "community-wrong-value",
            "codes.x.codes[0].until",
        ),
        (
            "+credential_providers = [\"http://csp.example\"]",
            "community-wrong-value",
            "credential_providers",
        ),
        (
            "+credential_providers = [\"https://user@csp.example\"]",
            "community-wrong-value",
            "credential_providers",
        ),
        (
            "+consent = [{ purposes = [\"https://c.example\"], policies = [\"urn:oid:1.2\"] }]",
            "community-wrong-value",
            "consent[0].purposes",
        ),
        (
            "+consent = [{ purposes = [\"https://c.example#A\"] }]",
            "community-missing-key",
            "consent[0].policies",
        ),
        // Version 1.1 and 2.0 cannot be without it.
        (
            "+extensions = { hl7-b2b = { use = \"off\" } }",
            "community-wrong-value",
            "extensions.hl7-b2b",
        ),
        (
            "+extensions = { hl7-b2b = { use = \"refused\" } }",
            "community-wrong-value",
            "extensions.hl7-b2b",
        ),
        (
            "+extensions = { x = { } }",
            "community-missing-key",
            "extensions.x.members",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"number\" } } } }",
            "community-wrong-value",
            "extensions.x.members.a.type",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"text\", systems = [] } } } }",
            "community-wrong-value",
            "extensions.x.members.a.systems",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"text\", max = 2 } } } }",
            "community-wrong-value",
            "extensions.x.members.a.max",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"text\", requires = [\"b\"] } } } }",
            "community-wrong-value",
            "extensions.x.members.a.requires",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"code\", codes = [\"hl7-purpose-of-us\"] } } } }",
            "community-unknown-name",
            "extensions.x.members.a.codes",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"id-token\", algorithms = [\"HS256\"], audience = \"client\" } } } }",
            "community-wrong-value",
            "extensions.x.members.a.algorithms",
        ),
        (
            "+extensions = { x = { members = { a = { type = \"id-token\", algorithms = [\"RS256\"] } } } }",
            "community-missing-key",
            "extensions.x.members.a.audience",
        ),
        (
            "+extensions = { tefca_ias = { use = \"required\" } }",
            "community-missing-key",
            "credential_providers",
        ),
    ];
    for (text, code, key) in table {
        let whole = match text.strip_prefix('+') {
            Some(line) if line.starts_with("uri") => format!("{line}\nprofile = \"ssraa-2.0\"\n"),
            Some(line) => format!("{base}{line}\n"),
            None => text.to_owned(),
        };
        let error = read(&whole).unwrap_err();
        assert_eq!(
            (error.code(), error.key().unwrap_or_default()),
            (code, key),
            "{text}: {error}"
        );
    }
    let meant = read(&format!("{base}algoritms = []")).unwrap_err();
    assert_eq!(meant.hint().unwrap(), "did you mean `algorithms`?");
    let meant = read("profile = \"ssraa-2-0\"").unwrap_err();
    assert_eq!(meant.hint().unwrap(), "did you mean `ssraa-2.0`?");
    let large = format!("{base}title = \"{}\"", "x".repeat(MAX_BYTES));
    assert_eq!(read(&large).unwrap_err().code(), "community-too-large");
    let long = format!("{base}title = \"{}\"", "x".repeat(3000));
    assert_eq!(read(&long).unwrap_err().code(), "community-wrong-value");
    let many: Vec<_> = (0..2000)
        .map(|i| format!("https://c.example/{i}"))
        .collect();
    let many = format!("{base}credential_providers = {many:?}");
    assert_eq!(read(&many).unwrap_err().code(), "community-wrong-value");
}

#[test]
fn a_description_is_the_same_in_json() {
    let toml = Definition::from_toml("profile = \"ssraa-2.0\"\nuri = \"urn:oid:1.2\"").unwrap();
    let text = serde_json::to_vec(&toml).unwrap();
    assert_eq!(Definition::from_json(&text).unwrap(), toml);
    let whole = toml.clone().on_its_profile().unwrap();
    let again = Definition::from_toml(&whole.to_toml().unwrap()).unwrap();
    assert_eq!(again, whole);
    assert_eq!(Community::read(again), Community::read(toml));
    let twice = br#"{"uri": "urn:oid:1.2", "uri": "urn:oid:1.3"}"#;
    assert_eq!(
        Definition::from_json(twice).unwrap_err().code(),
        "community-syntax"
    );
    let serde: Definition = serde_json::from_value(json!({"uri": "urn:oid:1.2"})).unwrap();
    assert_eq!(serde.as_map()["uri"], Value::from("urn:oid:1.2"));
}

#[test]
fn the_versions_of_the_guide_differ_where_they_do() {
    let (old, middle, new) = (Guide::V1_0, Guide::V1_1, Guide::V2_0);
    use Demand::{Optional, Required};
    let demands = |of: fn(Guide) -> Demand| [old, middle, new].map(of);
    assert_eq!(demands(Guide::token_scope), [Optional, Optional, Required]);
    assert_eq!(
        demands(Guide::metadata_in_rs256),
        [Optional, Required, Required]
    );
    assert_eq!(demands(Guide::hl7_b2b), [Optional, Required, Required]);
    use UnknownCommunity::{NoContent, NotFound};
    assert_eq!(
        [old, middle, new].map(Guide::unknown_community),
        [NotFound, NotFound, NoContent]
    );
    // The ballot of 3.0.0 has the text of 2.0.
    let ballot = "profile = \"ssraa-2.0\"\nuri = \"urn:oid:1.2\"\nguide = \"3.0.0-ballot\"";
    assert_eq!(read(ballot).unwrap().guide, Guide::V2_0);
    // Before 1.1 a community could be without the object.
    let without = "uri = \"urn:oid:1.2\"\nguide = \"1.0\"";
    assert!(read(without).unwrap().extensions.supported().is_empty());
    let without = "uri = \"urn:oid:1.2\"\nguide = \"1.1\"";
    assert_eq!(read(without).unwrap_err().code(), "community-wrong-value");
}

#[test]
fn a_uri_names_one_purpose_that_is_in_force() {
    let tefca = profile("tefca-ff-2.0");
    let list = tefca.registration.purpose_in_uri.unwrap();
    let purpose = |uri: &str, at: &str| {
        let purpose = udap_proto::community::purpose_of(uri, &list, time(at));
        purpose.map_err(|e| e.code())
    };
    let (before, now) = ("2026-08-02T00:00:00Z", "2026-11-29T00:00:00Z");
    for (uri, expected) in [
        ("urn:oid:1.2.3#T-TREAT", Ok("T-TREAT")),
        ("https://node.example/T-TREAT/app", Ok("T-TREAT")),
        ("https://node.example/T-TREAT#T-TREAT", Ok("T-TREAT")),
        ("https://node.example/T-HCO-CC", Ok("T-HCO-CC")),
        ("urn:oid:1.2.3", Err("uri-purpose-missing")),
        ("urn:oid:1.2.3#T-TREAT#", Err("uri-purpose-missing")),
        ("urn:oid:1.2.3#x/T-TREAT", Err("uri-purpose-missing")),
        ("https://node.example/T%2DTREAT", Err("uri-purpose-missing")),
        (
            "https://node.example/T-TREAT#T-IAS",
            Err("uri-purpose-ambiguous"),
        ),
        ("urn:oid:1.2.3#T-HCO-QM", Err("uri-purpose-not-in-force")),
    ] {
        assert_eq!(purpose(uri, now), expected.map(str::to_owned), "{uri}");
    }
    assert_eq!(
        purpose("urn:oid:1.2.3#T-HCO-QM", before),
        Ok("T-HCO-QM".into())
    );
    assert_eq!(
        purpose("urn:oid:1.2.3#T-HCO-QAI", before),
        Err("uri-purpose-not-in-force")
    );
    assert_eq!(
        purpose("urn:oid:1.2.3#T-HCO-QAI", now),
        Ok("T-HCO-QAI".into())
    );
}
