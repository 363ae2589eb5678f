//! Every rule of [`super`] that refuses, and the property that what is sent is what was decided.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn base() -> Vec<String> {
    vec!["fhir".to_owned(), "r4".to_owned()]
}

fn of(method: &str, target: &str) -> Result<Interaction, RequestError> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Interaction::of(
        &Method::from_bytes(method.as_bytes()).unwrap(),
        &base(),
        path,
        query,
    )
}

fn code(method: &str, target: &str) -> &'static str {
    of(method, target).map_or_else(|e| e.code(), |_| "decided")
}

#[test]
fn decided_interactions_are_written_in_one_form() {
    for (method, target, name, written) in [
        ("GET", "/fhir/r4/metadata", "capabilities", "/up/metadata"),
        (
            "GET",
            "/fhir/r4/metadata?mode=full&_format=json",
            "capabilities",
            "/up/metadata?mode=full&_format=json",
        ),
        ("GET", "/fhir/r4/Patient/1", "read Patient", "/up/Patient/1"),
        (
            "HEAD",
            "/fhir/r4/Patient/1",
            "read Patient",
            "/up/Patient/1",
        ),
        (
            "GET",
            "/f%68ir/r4/%50atient/a%2Db.c/",
            "read Patient",
            "/up/Patient/a-b.c",
        ),
        (
            "GET",
            "/fhir/r4/Patient/Observation",
            "read Patient",
            "/up/Patient/Observation",
        ),
        (
            "GET",
            "/fhir/r4/Patient/1?_format=application/fhir+json&_summary=true",
            "read Patient",
            "/up/Patient/1?_format=application/fhir%20json&_summary=true",
        ),
        ("GET", "/fhir/r4/Binary/1", "read Binary", "/up/Binary/1"),
        ("GET", "/fhir/r4/Patient", "search Patient", "/up/Patient"),
        ("GET", "/fhir/r4/Patient/?", "search Patient", "/up/Patient"),
        (
            "GET",
            "/fhir/r4/Patient?name=a&name=b&_count=2&_page=3",
            "search Patient",
            "/up/Patient?name=a&name=b&_count=2&_page=3",
        ),
        (
            "GET",
            "/fhir/r4/Observation?subject:Patient=1&code=http://loinc.org|1-2&date=ge2020&value-quantity:missing=false",
            "search Observation",
            "/up/Observation?subject:Patient=1&code=http://loinc.org%7C1-2&date=ge2020&value-quantity:missing=false",
        ),
        (
            "GET",
            "/fhir/r4/Patient?name=a;_include=b",
            "search Patient",
            "/up/Patient?name=a%3B_include%3Db",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_sort=-birthdate,family",
            "search Patient",
            "/up/Patient?_sort=-birthdate,family",
        ),
    ] {
        let interaction = of(method, target).unwrap();
        assert_eq!(interaction.name(), name, "{target}");
        assert_eq!(
            interaction.write("/up", |_| None),
            (written.to_owned(), None),
            "{target}"
        );
    }
}

#[test]
fn a_search_form_is_decided_like_a_query_and_sent_as_a_form() {
    let search = of("POST", "/fhir/r4/Patient/_search?_count=2").unwrap();
    let whole = search
        .clone()
        .with_form(b"name=a+b&birthdate=2000")
        .unwrap();
    assert_eq!(
        whole.write("", |_| None),
        (
            "/Patient/_search".to_owned(),
            Some("_count=2&name=a%20b&birthdate=2000".to_owned())
        )
    );
    for (form, code) in [
        ("_include=Patient:organization", "include-undecided"),
        ("general-practitioner.name=x", "chain-undecided"),
        ("_method=DELETE", "method-override"),
        ("access_token=x", "token-in-query"),
        ("name=%", "query-bad-encoding"),
        (&"name=a&".repeat(200), "query-too-many-parameters"),
        (
            &"a".repeat(crate::query::MAX_FORM_BYTES + 1),
            "query-too-long",
        ),
    ] {
        assert_eq!(
            search
                .clone()
                .with_form(form.as_bytes())
                .unwrap_err()
                .code(),
            code
        );
    }
}

#[test]
fn a_value_can_be_exchanged_on_the_way() {
    let search = of("GET", "/fhir/r4/Observation?subject=x&code=y").unwrap();
    let (target, _) = search.write("", |v| (v == "x").then(|| "http://up/Patient/1".to_owned()));
    assert_eq!(target, "/Observation?subject=http://up/Patient/1&code=y");
}

#[test]
fn each_refusing_rule_has_its_code() {
    for (method, target, expected) in [
        // Addresses
        ("GET", "/", "outside-base"),
        ("GET", "/fhir/r5/Patient/1", "outside-base"),
        ("GET", "/fhir", "outside-base"),
        ("GET", "/fhir/r4x/Patient/1", "outside-base"),
        ("GET", "/FHIR/r4/Patient/1", "outside-base"),
        ("GET", "/fhir/r4/../../admin", "path-dot-segment"),
        (
            "GET",
            "/fhir/r4/Patient/1/..%2f..%2fadmin",
            "path-encoded-slash",
        ),
        ("GET", "/fhir/r4/Patient?name=%", "query-bad-encoding"),
        ("GET", "/fhir/r4/Patients/1", "resource-type-unknown"),
        ("GET", "/fhir/r4/patient", "resource-type-unknown"),
        ("GET", "/fhir/r4/ClientApplication", "resource-type-unknown"),
        ("GET", "/fhir/r4/Resource?_id=1", "resource-type-unknown"),
        ("POST", "/fhir/r4/Login/_search", "resource-type-unknown"),
        ("GET", "/fhir/r4/Patient/a%20b", "resource-id-malformed"),
        ("GET", "/fhir/r4/Patient/a|b", "resource-id-malformed"),
        ("GET", "/fhir/r4/Patient/%C3%A4", "resource-id-malformed"),
        (
            "GET",
            &format!("/fhir/r4/Patient/{}", "a".repeat(65)),
            "resource-id-malformed",
        ),
        (
            "GET",
            "/fhir/r4/.well-known/smart-configuration",
            "well-known-unknown",
        ),
        ("GET", "/fhir/r4/.well-known", "well-known-unknown"),
        ("PUT", "/fhir/r4/%2Ewell-known/udap", "well-known-unknown"),
        ("GET", "/fhir/r4/metadata/x", "resource-type-unknown"),
        // Methods
        ("OPTIONS", "/fhir/r4/metadata", "method-not-supported"),
        ("TRACE", "/fhir/r4/Patient/1", "method-not-supported"),
        ("get", "/fhir/r4/Patient/1", "method-not-supported"),
        (
            "GET",
            "/fhir/r4/Patient/1?_method=DELETE",
            "method-override",
        ),
        ("POST", "/fhir/r4/Patient?_METHOD=GET", "method-override"),
        ("GET", "/fhir/r4/Patient/1?access_token=x", "token-in-query"),
        // Writes
        ("POST", "/fhir/r4/Patient", "write-undecided"),
        ("PUT", "/fhir/r4/Patient/1", "write-undecided"),
        ("PATCH", "/fhir/r4/Patient/1", "write-undecided"),
        ("DELETE", "/fhir/r4/Patient/1", "write-undecided"),
        ("PUT", "/fhir/r4/Patient?identifier=x", "write-undecided"),
        ("DELETE", "/fhir/r4/Patient?identifier=x", "write-undecided"),
        ("POST", "/fhir/r4", "batch-undecided"),
        ("POST", "/fhir/r4/", "batch-undecided"),
        // Interactions over more than one type or version
        ("GET", "/fhir/r4/_history", "history-undecided"),
        ("GET", "/fhir/r4/Patient/_history", "history-undecided"),
        ("GET", "/fhir/r4/Patient/1/_history", "history-undecided"),
        ("GET", "/fhir/r4/Patient/1/_history/2", "history-undecided"),
        ("GET", "/fhir/r4/$export", "operation-undecided"),
        ("GET", "/fhir/r4/Patient/$export", "operation-undecided"),
        (
            "POST",
            "/fhir/r4/Patient/1/$everything",
            "operation-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient/1/%24everything",
            "operation-undecided",
        ),
        ("POST", "/fhir/r4/$graphql", "operation-undecided"),
        (
            "GET",
            "/fhir/r4/Patient/1/Observation",
            "compartment-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient/1/Observation?code=x",
            "compartment-undecided",
        ),
        ("GET", "/fhir/r4/Patient/1/*", "compartment-undecided"),
        (
            "POST",
            "/fhir/r4/Patient/1/Observation/_search",
            "compartment-undecided",
        ),
        ("GET", "/fhir/r4", "system-search-undecided"),
        ("GET", "/fhir/r4/?_id=1", "system-search-undecided"),
        ("POST", "/fhir/r4/_search", "system-search-undecided"),
        (
            "GET",
            "/fhir/r4?_type=Patient,Observation",
            "type-list-undecided",
        ),
        (
            "GET",
            "/fhir/r4?_getpages=0123&_getpagesoffset=20",
            "page-link-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_getpages=0123",
            "page-link-undecided",
        ),
        ("GET", "/fhir/r4/Patient/*", "path-undecided"),
        ("GET", "/fhir/r4/Patient/_search?name=x", "path-undecided"),
        ("POST", "/fhir/r4/Patient/1", "path-undecided"),
        (
            "GET",
            "/fhir/r4/Patient/1/Observation/2/Encounter",
            "path-undecided",
        ),
        // Parameters
        (
            "GET",
            "/fhir/r4/Patient?_include=Patient:organization",
            "include-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_include:iterate=*",
            "include-undecided",
        ),
        ("GET", "/fhir/r4/Patient?_incl%75de=*", "include-undecided"),
        ("GET", "/fhir/r4/Patient?_include", "include-undecided"),
        (
            "GET",
            "/fhir/r4/Patient?_revinclude=Observation:subject",
            "revinclude-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_revinclude:recurse=x",
            "revinclude-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_has:Observation:patient:code=1",
            "has-undecided",
        ),
        ("GET", "/fhir/r4/Patient?_has", "has-undecided"),
        (
            "GET",
            "/fhir/r4/Observation?subject.name=x",
            "chain-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Observation?subject:Patient.name=x",
            "chain-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Observation?subject%2Ename=x",
            "chain-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Observation?_sort=subject.name",
            "chain-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Observation?_sort=-subject:Patient",
            "chain-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_filter=name%20eq%20x",
            "filter-undecided",
        ),
        ("GET", "/fhir/r4/Patient?_query=x", "named-query-undecided"),
        (
            "GET",
            "/fhir/r4/Patient?_type=Observation",
            "type-list-undecided",
        ),
        ("GET", "/fhir/r4/Patient?_list=1", "membership-undecided"),
        (
            "GET",
            "/fhir/r4/Patient?_in=Group/1",
            "membership-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Medication?_contained=true",
            "contained-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Medication?_containedType=container",
            "contained-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Observation?code:in=http://x",
            "modifier-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Encounter?location:below=Location/1",
            "modifier-undecided",
        ),
        (
            "GET",
            "/fhir/r4/Patient?general-practitioner:mdm=x",
            "modifier-undecided",
        ),
        ("GET", "/fhir/r4/Patient?name:", "modifier-undecided"),
        ("GET", "/fhir/r4/Patient?_Include=x", "parameter-undecided"),
        (
            "GET",
            "/fhir/r4/Patient?%20_include=x",
            "parameter-undecided",
        ),
        ("GET", "/fhir/r4/Patient?_fields=x", "parameter-undecided"),
        ("GET", "/fhir/r4/Patient?=x", "parameter-undecided"),
        ("GET", "/fhir/r4/Patient?name[]=x", "parameter-undecided"),
        ("GET", "/fhir/r4/Patient/1?name=x", "parameter-undecided"),
        (
            "GET",
            "/fhir/r4/Patient/1?_include=x",
            "parameter-undecided",
        ),
        ("GET", "/fhir/r4/metadata?_include=x", "parameter-undecided"),
        ("GET", "/fhir/r4/Patient/1?mode=full", "parameter-undecided"),
        (
            "GET",
            "/fhir/r4/Patient/1?_format=html",
            "format-not-supported",
        ),
        (
            "GET",
            "/fhir/r4/Patient?_format=text/turtle",
            "format-not-supported",
        ),
    ] {
        assert_eq!(code(method, target), expected, "{method} {target}");
    }
}

proptest! {
    /// Whatever arrives, there is no panic; and what is sent reads as exactly what was decided.
    #[test]
    fn what_is_sent_is_what_was_decided(
        method in prop_oneof![Just("GET"), Just("HEAD"), Just("POST"), Just("PUT")],
        target in target(),
        form in ".{0,60}",
    ) {
        let Ok(interaction) = of(method, &target) else { return Ok(()) };
        let Ok(interaction) = interaction.with_form(form.as_bytes()) else { return Ok(()) };
        let (written, written_form) = interaction.write("/fhir/r4", |_| None);
        // Nothing in it that a server, a log or a proxy could read in another way.
        prop_assert!(written.bytes().all(|b| b.is_ascii_alphanumeric() || b"/?&=-._~:,%".contains(&b)), "{}", written);
        prop_assert!(http::Uri::try_from(&written).is_ok());
        let path = written.split('?').next().unwrap();
        // An id may begin with a full stop; a segment of nothing else is a way up.
        let up = path.split('/').any(|segment| matches!(segment, "." | ".."));
        prop_assert!(!path.contains('%') && !path.contains("//") && !up, "{}", path);
        let read_again = of(method, &written).unwrap();
        let read_again = match written_form {
            Some(form) => read_again.with_form(form.as_bytes()).unwrap(),
            None => read_again,
        };
        prop_assert_eq!(read_again, interaction);
    }

    #[test]
    fn bytes_of_any_kind_do_not_panic(path in ".{0,80}", query in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = of("GET", &format!("/fhir/r4/{path}"));
        let _ = Parameters::parse(&query);
    }
}

/// Targets near the interesting ones: real words with noise between.
fn target() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => proptest::sample::select(vec![
            "/fhir/r4", "/", "Patient", "Observation", "metadata", "_search", "_history", "1", "a-b.c", "?", "&", "=",
            "name", "subject", "_include", ":", ".", "..", "%2e", "%2F", "%25", "%3F", "%26", "%3D", ";", "\\", "+",
            "_format", "json", "_count", "_page", "$everything", "*", "http://x|y", "%C3%A4", "#",
        ]).prop_map(str::to_owned),
        1 => ".{0,3}",
    ];
    proptest::collection::vec(word, 0..10).prop_map(|words| format!("/fhir/r4/{}", words.concat()))
}
