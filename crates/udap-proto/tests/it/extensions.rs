//! Extension objects, each by the rules of each community.

use serde_json::{Map, Value, json};
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::community::{Community, Definition};
use udap_proto::extensions::{Asserted, check_everywhere, tefca_ias};

const NOW: &str = "2026-11-29T00:00:00Z";
const XP: &str = "urn:oid:2.16.840.1.113883.3.7204.1.5.2.1";
const TREAT: &str = "urn:oid:2.16.840.1.113883.5.8#TREAT";

fn community(text: &str) -> Community {
    Community::read(Definition::from_toml(text).unwrap()).unwrap()
}

fn ssraa(version: &str) -> Community {
    community(&format!(
        "profile = \"ssraa-{version}\"\nuri = \"https://c.example\""
    ))
}

fn tefca() -> Community {
    community("profile = \"tefca-ff-2.0\"\ncredential_providers = [\"https://csp.example\"]")
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn check(community: &Community, sent: &Value) -> Result<Asserted, &'static str> {
    let now = UnixTime::parse_rfc3339(NOW).unwrap();
    let sent = object(sent.clone());
    community.extensions.check(&sent, now).map_err(|e| e.code())
}

fn b2b() -> Value {
    json!({
        "version": "1",
        "subject_name": "Dr. Ada Example",
        "subject_id": "urn:oid:2.16.840.1.113883.4.6#1234567893",
        "subject_role": "http://nucc.org/provider-taxonomy#207QA0505X",
        "organization_id": "https://clinic.example/Organization/1",
        "organization_name": "Example Clinic",
        "purpose_of_use": [TREAT],
        "consent_policy": ["https://consent.example/policy"],
        "consent_reference": ["https://consent.example/Consent/1"],
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut b2b = b2b();
    let map = b2b.as_object_mut().unwrap();
    match value {
        Value::Null => map.remove(member),
        value => map.insert(member.into(), value),
    };
    json!({ "hl7-b2b": b2b })
}

#[test]
fn hl7_b2b_by_the_guide() {
    for version in ["1.1", "2.0"] {
        let community = ssraa(version);
        let good = check(&community, &json!({"hl7-b2b": b2b()})).unwrap();
        assert_eq!(*good.purposes, [TREAT]);
        assert_eq!(good.carried["hl7-b2b"], b2b());
        for (what, sent, code) in [
            ("nothing", json!({}), "extension-missing"),
            (
                "null",
                json!({"hl7-b2b": null}),
                "extension-member-malformed",
            ),
            (
                "a list",
                json!({"hl7-b2b": []}),
                "extension-member-malformed",
            ),
            (
                "no version",
                with("version", Value::Null),
                "extension-member-missing",
            ),
            (
                "version 2",
                with("version", json!("2")),
                "extension-member-malformed",
            ),
            (
                "version as a number",
                with("version", json!(1)),
                "extension-member-malformed",
            ),
            (
                "no organization",
                with("organization_id", Value::Null),
                "extension-member-missing",
            ),
            (
                "a relative organization",
                with("organization_id", json!("Organization/1")),
                "extension-member-malformed",
            ),
            (
                "an organization with a blank",
                with("organization_id", json!("https://o.example/ 1")),
                "extension-member-malformed",
            ),
            (
                "no purpose",
                with("purpose_of_use", Value::Null),
                "extension-member-missing",
            ),
            (
                "purposes of none",
                with("purpose_of_use", json!([])),
                "extension-member-malformed",
            ),
            (
                "a purpose as text",
                with("purpose_of_use", json!(TREAT)),
                "extension-member-malformed",
            ),
            (
                "a purpose as a number",
                with("purpose_of_use", json!([1])),
                "extension-member-malformed",
            ),
            (
                "a purpose without a system",
                with("purpose_of_use", json!(["TREAT"])),
                "extension-member-malformed",
            ),
            (
                "a purpose by a bar",
                with(
                    "purpose_of_use",
                    json!(["urn:oid:2.16.840.1.113883.5.8|TREAT"]),
                ),
                "extension-member-malformed",
            ),
            (
                "a purpose of a system that is no URI",
                with("purpose_of_use", json!(["purposes#TREAT"])),
                "extension-member-malformed",
            ),
            (
                "a purpose of a system with a blank",
                with("purpose_of_use", json!(["urn:oid:2.16 .840#TREAT"])),
                "extension-member-malformed",
            ),
            (
                "a purpose that HL7 does not have",
                with(
                    "purpose_of_use",
                    json!(["urn:oid:2.16.840.1.113883.5.8#SELL"]),
                ),
                "extension-code-unknown",
            ),
            (
                "a purpose in small letters",
                with(
                    "purpose_of_use",
                    json!(["urn:oid:2.16.840.1.113883.5.8#treat"]),
                ),
                "extension-code-unknown",
            ),
            (
                "one good and one bad purpose",
                with(
                    "purpose_of_use",
                    json!([TREAT, "urn:oid:2.16.840.1.113883.5.8#SELL"]),
                ),
                "extension-code-unknown",
            ),
            (
                "sixty-five purposes",
                with("purpose_of_use", json!(vec![TREAT; 65])),
                "extension-member-malformed",
            ),
            (
                "an identifier without a system",
                with("subject_id", json!("1234567893")),
                "extension-member-malformed",
            ),
            (
                "an identifier of nobody named",
                with("subject_name", Value::Null),
                "extension-member-malformed",
            ),
            (
                "an empty name",
                with("subject_name", json!("")),
                "extension-member-malformed",
            ),
            (
                "a name of blanks",
                with("subject_name", json!("  ")),
                "extension-member-malformed",
            ),
            (
                "a role without a system",
                with("subject_role", json!("doctor")),
                "extension-member-malformed",
            ),
            (
                "policies that are no URIs",
                with("consent_policy", json!(["yes"])),
                "extension-member-malformed",
            ),
            (
                "a reference without a policy",
                with("consent_policy", Value::Null),
                "extension-member-malformed",
            ),
            (
                "a relative reference",
                with("consent_reference", json!(["Consent/1"])),
                "extension-member-malformed",
            ),
            (
                "a reference by another scheme",
                with("consent_reference", json!(["ftp://c.example/1"])),
                "extension-member-malformed",
            ),
        ] {
            assert_eq!(check(&community, &sent), Err(code), "{version}: {what}");
        }
        // Software has neither identifier nor role, and a community may have purposes of its own.
        let mut software = b2b();
        for member in ["subject_id", "subject_role", "subject_name"] {
            software.as_object_mut().unwrap().remove(member);
        }
        software["purpose_of_use"] = json!(["https://c.example/purposes#OURS"]);
        assert!(check(&community, &json!({"hl7-b2b": software})).is_ok());
    }
}

#[test]
fn before_2_0_a_person_has_a_national_provider_identifier() {
    let sent = with("subject_id", json!("https://clinic.example/staff#77"));
    assert_eq!(
        check(&ssraa("1.1"), &sent),
        Err("extension-member-malformed")
    );
    assert!(check(&ssraa("2.0"), &sent).is_ok());
}

#[test]
fn what_nobody_described_does_not_travel() {
    let mut sent = json!({"hl7-b2b": b2b(), "unheard-of": {"secret": 1}, "tefca_smart": {"id_token": "a.b.c"}});
    sent["hl7-b2b"]["id_token"] = json!("a.b.c");
    let asserted = check(&ssraa("2.0"), &sent).unwrap();
    assert_eq!(json!(*asserted.carried), json!({"hl7-b2b": b2b()}));
    assert!(asserted.id_tokens.is_empty());
}

#[test]
fn hl7_b2b_user_narrows_and_never_widens() {
    let user = json!({
        "version": "1",
        "purpose_of_use": [TREAT],
        "user_person": {"resourceType": "Person", "name": [{"family": "Example"}]},
    });
    let community = ssraa("2.0");
    let both = |user: Value| json!({"hl7-b2b": b2b(), "hl7-b2b-user": user});
    let asserted = check(&community, &both(user.clone())).unwrap();
    assert_eq!(
        asserted.carried["hl7-b2b-user"],
        json!({"version": "1", "purpose_of_use": [TREAT]})
    );
    for (member, value, code) in [
        ("version", json!("2"), "extension-member-malformed"),
        (
            "purpose_of_use",
            json!(["urn:oid:2.16.840.1.113883.5.8#HMARKT"]),
            "extension-member-malformed",
        ),
        ("purpose_of_use", Value::Null, "extension-member-missing"),
        ("user_person", Value::Null, "extension-member-missing"),
        (
            "user_person",
            json!({"resourceType": "Patient"}),
            "extension-member-malformed",
        ),
        (
            "user_person",
            json!("Person/1"),
            "extension-member-malformed",
        ),
        (
            "consent_reference",
            json!(["https://c.example/1"]),
            "extension-member-malformed",
        ),
    ] {
        let mut user = object(user.clone());
        match value.clone() {
            Value::Null => user.remove(member),
            value => user.insert(member.into(), value),
        };
        assert_eq!(
            check(&community, &both(user.into())),
            Err(code),
            "{member} {value}"
        );
    }
    // Version 1.1 does not know it, and passes over it.
    assert!(check(&ssraa("1.1"), &both(json!(1))).is_ok());
    // Alone it serves where `hl7-b2b` is not required, and its purposes are the request's.
    let alone = community_alone();
    let sent = json!({ "hl7-b2b-user": user });
    assert_eq!(*check(&alone, &sent).unwrap().purposes, [TREAT]);
    assert_eq!(check(&community, &sent), Err("extension-missing"));
}

fn community_alone() -> Community {
    community(
        "profile = \"ssraa-2.0\"\nuri = \"https://c.example\"\n\
         [extensions.hl7-b2b]\nuse = \"supported\"",
    )
}

fn tefca_b2b(purpose: &str) -> Value {
    json!({
        "version": "1",
        "organization_id": "Organization/1.2.3",
        "organization_name": "Example Clinic 1234567893",
        "purpose_of_use": [format!("{XP}#{purpose}")],
    })
}

fn ias() -> Value {
    json!({
        "version": "1",
        "user_information": {
            "resourceType": "RelatedPerson",
            "relationship": [{"coding": [{"code": "ONESELF"}]}],
        },
        "patient_information": {"resourceType": "Patient", "birthDate": "1980-01-02"},
        "id_token": "a.b.c",
        "consent_reference": ["https://consent.example/1"],
    })
}

#[test]
fn hl7_b2b_by_tefca() {
    let community = tefca();
    let with = |member: &str, value: Value| {
        let mut object = object(tefca_b2b("T-TREAT"));
        match value {
            Value::Null => object.remove(member),
            value => object.insert(member.into(), value),
        };
        json!({ "hl7-b2b": object })
    };
    assert!(check(&community, &json!({"hl7-b2b": tefca_b2b("T-TREAT")})).is_ok());
    // A person may have an identifier without a name here.
    let npi = json!("urn:oid:2.16.840.1.113883.4.6#1234567893");
    assert!(check(&community, &with("subject_id", npi)).is_ok());
    let two = json!([format!("{XP}#T-TREAT"), format!("{XP}#T-TRTMNT")]);
    for (member, value, code) in [
        (
            "organization_id",
            json!("https://clinic.example/Organization/1"),
            "extension-member-malformed",
        ),
        (
            "organization_id",
            json!("Practitioner/1"),
            "extension-member-malformed",
        ),
        (
            "organization_id",
            json!("Organization/"),
            "extension-member-malformed",
        ),
        (
            "organization_id",
            json!("Organization/1/2"),
            "extension-member-malformed",
        ),
        (
            "organization_id",
            json!("Organization/../1"),
            "extension-member-malformed",
        ),
        ("organization_name", Value::Null, "extension-member-missing"),
        ("purpose_of_use", two, "extension-member-malformed"),
        ("purpose_of_use", json!([TREAT]), "extension-code-unknown"),
        (
            "purpose_of_use",
            json!([format!("{XP}#T-NONE")]),
            "extension-code-unknown",
        ),
        (
            "purpose_of_use",
            json!([format!("{XP}#T-HCO-QM")]),
            "extension-code-not-in-force",
        ),
    ] {
        assert_eq!(
            check(&community, &with(member, value.clone())),
            Err(code),
            "{member} {value}"
        );
    }
}

#[test]
fn tefca_ias_needs_the_person_the_patient_and_the_proof() {
    let community = tefca();
    let both = |ias: Value| json!({"hl7-b2b": tefca_b2b("T-IAS"), "tefca_ias": ias});
    let asserted = check(&community, &both(ias())).unwrap();
    // Who it is about does not travel, nor does the proof.
    assert_eq!(
        asserted.carried["tefca_ias"],
        json!({"version": "1", "consent_reference": ["https://consent.example/1"]})
    );
    assert_eq!(asserted.id_tokens.len(), 1);
    assert_eq!(asserted.id_tokens[0].compact, "a.b.c");
    assert!(!format!("{asserted:?}").contains("a.b.c"));

    let somebody =
        json!({"resourceType": "RelatedPerson", "relationship": [{"coding": [{"code": "PRN"}]}]});
    for (member, value, code) in [
        ("version", Value::Null, "extension-member-missing"),
        ("user_information", Value::Null, "extension-member-missing"),
        (
            "user_information",
            json!({"resourceType": "Person"}),
            "extension-member-malformed",
        ),
        (
            "patient_information",
            Value::Null,
            "extension-member-missing",
        ),
        (
            "patient_information",
            json!({"resourceType": "Person"}),
            "extension-member-malformed",
        ),
        ("id_token", Value::Null, "extension-member-missing"),
        ("id_token", json!("nothing"), "extension-member-malformed"),
        ("id_token", json!(["a.b.c"]), "extension-member-malformed"),
        (
            "user_information",
            somebody.clone(),
            "extension-member-missing",
        ),
    ] {
        let mut object = object(ias());
        match value.clone() {
            Value::Null => object.remove(member),
            value => object.insert(member.into(), value),
        };
        assert_eq!(
            check(&community, &both(object.into())),
            Err(code),
            "{member} {value}"
        );
    }
    // Who asks for somebody else names a policy.
    let mut child = ias();
    child["user_information"] = somebody;
    child["consent_policy"] = json!(["urn:oid:2.16.840.1.113883.3.7204.1.1.1.1.2.1"]);
    assert!(check(&community, &both(child)).is_ok());
    assert!(tefca_ias::is_oneself(ias().get("user_information")));
    assert!(!tefca_ias::is_oneself(None));
    // What is missing on one side, or on both, does not make two people one.
    let (born, other) = (json!("1980-01-02"), json!("1980-01-03"));
    let nothing = Value::Null;
    for (patient, proof, one) in [
        (Some(&born), Some(&born), true),
        (Some(&born), Some(&other), false),
        (Some(&born), None, false),
        (None, Some(&born), false),
        (None, None, false),
        (Some(&nothing), Some(&nothing), false),
    ] {
        let mut object = ias();
        object["patient_information"] = json!({"resourceType": "Patient"});
        if let Some(patient) = patient {
            object["patient_information"]["birthDate"] = patient.clone();
        }
        let proof = proof.map(|born| ("birthdate".to_owned(), born.clone()));
        let proof = proof.into_iter().collect();
        let asked = (patient, &proof);
        assert_eq!(tefca_ias::is_one_person(&object, &proof), one, "{asked:?}");
        // Somebody else's records are opened by a policy and not by a birthday.
        object["user_information"] = json!({"resourceType": "RelatedPerson"});
        assert!(tefca_ias::is_one_person(&object, &proof), "{asked:?}");
    }

    // The purpose and the object belong together.
    let alone = json!({"hl7-b2b": tefca_b2b("T-IAS")});
    assert_eq!(check(&community, &alone), Err("extension-missing"));
    // Where nobody said whose ID tokens count, nothing is taken for a proof, and nothing passed over.
    let closed = Community::read(Definition::from_toml("profile = \"tefca-ff-2.0\"").unwrap());
    let closed = closed.unwrap();
    assert_eq!(check(&closed, &both(ias())), Err("extension-unsupported"));
    assert_eq!(check(&closed, &alone), Err("extension-missing"));
}

#[test]
fn cms_smart_by_its_draft() {
    let text = "profile = \"cms-aligned-0.6\"\nuri = \"https://c.example\"\n\
                credential_providers = [\"https://csp.example\"]";
    let community = community(text);
    let purpose = "urn:oid:2.16.840.1.113883.5.8#PATRQT";
    let mut b2b = b2b();
    b2b["purpose_of_use"] = json!([purpose]);
    let good = json!({
        "version": "2",
        "purpose_of_use": "PATRQT",
        "consent_reference": {"resourceType": "Bundle", "entry": []},
        "id_token": "a.b.c",
    });
    let both = |cms: Value| json!({"hl7-b2b": b2b, "cms_smart": cms});
    let asserted = check(&community, &both(good.clone())).unwrap();
    assert_eq!(
        asserted.carried["cms_smart"],
        json!({"version": "2", "purpose_of_use": "PATRQT"})
    );
    assert_eq!(*asserted.purposes, [purpose]);
    for (member, value) in [
        ("version", json!("1")),
        ("purpose_of_use", json!(["PATRQT"])),
        ("consent_reference", json!(["https://c.example/1"])),
        ("consent_reference", json!({"resourceType": "Consent"})),
    ] {
        let mut cms = good.clone();
        cms[member] = value.clone();
        assert_eq!(
            check(&community, &both(cms)),
            Err("extension-member-malformed"),
            "{member} {value}"
        );
    }
    let alone = json!({"hl7-b2b": b2b});
    assert_eq!(check(&community, &alone), Err("extension-missing"));
    let mut marketing = b2b.clone();
    marketing["purpose_of_use"] = json!(["urn:oid:2.16.840.1.113883.5.8#HMARKT"]);
    assert_eq!(
        check(&community, &json!({"hl7-b2b": marketing})),
        Err("extension-code-unknown")
    );
}

#[test]
fn an_object_of_a_communitys_own_needs_no_code() {
    let text = r#"
profile = "ssraa-2.0"
uri = "https://c.example"
[extensions.research]
use = "required"
[extensions.research.members.study]
type = "uri"
required = true
[extensions.research.members.approved]
type = "boolean"
requires = ["board"]
[extensions.research.members.board]
type = "text"
values = ["local", "central"]
[extensions.research.members.sites]
type = "reference"
resource = "Location"
list = true
max = 2
"#;
    let community = community(text);
    let sent = |research: Value| json!({"hl7-b2b": b2b(), "research": research});
    let whole =
        json!({"study": "urn:uuid:1", "approved": true, "board": "local", "sites": ["Location/1"]});
    assert_eq!(
        check(&community, &sent(whole.clone())).unwrap().carried["research"],
        whole
    );
    assert_eq!(
        check(&community, &json!({"hl7-b2b": b2b()})),
        Err("extension-missing")
    );
    for (research, code) in [
        (json!({}), "extension-member-missing"),
        (json!({"study": "x"}), "extension-member-malformed"),
        (
            json!({"study": "urn:uuid:1", "approved": true}),
            "extension-member-malformed",
        ),
        (
            json!({"study": "urn:uuid:1", "board": "mine"}),
            "extension-member-malformed",
        ),
        (
            json!({"study": "urn:uuid:1", "approved": "yes", "board": "local"}),
            "extension-member-malformed",
        ),
        (
            json!({"study": "urn:uuid:1", "sites": ["Location/1", "Location/2", "Location/3"]}),
            "extension-member-malformed",
        ),
        (
            json!({"study": "urn:uuid:1", "sites": ["Organization/1"]}),
            "extension-member-malformed",
        ),
    ] {
        assert_eq!(
            check(&community, &sent(research.clone())),
            Err(code),
            "{research}"
        );
    }
}

#[test]
fn an_app_that_knows_no_community_checks_what_holds_in_all() {
    let sent = |value: Value| check_everywhere(&object(value)).map_err(|e| e.code());
    assert_eq!(sent(json!({})), Ok(()));
    assert_eq!(sent(json!({"hl7-b2b": b2b()})), Ok(()));
    assert_eq!(sent(json!({"hl7-b2b": tefca_b2b("T-TREAT")})), Ok(()));
    assert_eq!(
        sent(json!({"hl7-b2b": tefca_b2b("T-IAS"), "tefca_ias": ias()})),
        Ok(())
    );
    assert_eq!(
        sent(json!({"hl7-b2b": {}})),
        Err("extension-member-missing")
    );
    assert_eq!(
        sent(with("purpose_of_use", json!(["TREAT"]))),
        Err("extension-member-malformed")
    );
}
