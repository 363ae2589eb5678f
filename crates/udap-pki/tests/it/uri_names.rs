//! URI names: vectors of our own, since no public suite has any. Each line: the URI that is expected, the URIs of
//! the certificate, and the verdict; for a near miss also the words of its hint.

use crate::forge::{Chain, code, san, uri};
use udap_pki::{Evidence, NameCheck, Outcome, Policy, Reason, Revocation};

const OK: &str = "";
const FAR: &str = "far";
const SLASH: &str = "in a trailing slash";
const CASE: &str = "in case";
const PORT: &str = "in a default port";
const FRAGMENT: &str = "in a fragment";
const SCHEME: &str = "in http and https";
const MORE: &str = "in more than one of: slash, case, port, fragment";

const VECTORS: &[(&str, &[&str], &str)] = &[
    (
        "https://fhir.example.com",
        &["https://fhir.example.com"],
        OK,
    ),
    (
        "https://fhir.example.com/",
        &["https://fhir.example.com/"],
        OK,
    ),
    (
        "https://fhir.example.com/r4#T-IAS",
        &["https://fhir.example.com/r4#T-IAS"],
        OK,
    ),
    (
        "https://b.example.com",
        &[
            "https://a.example.com",
            "https://b.example.com",
            "https://c.example.com",
        ],
        OK,
    ),
    (
        "https://fhir.example.com:8443/r4",
        &["https://fhir.example.com:8443/r4"],
        OK,
    ),
    (
        "urn:oid:2.16.840.1.113883",
        &["urn:oid:2.16.840.1.113883"],
        OK,
    ),
    (
        "https://fhir.example.com/%7Ea",
        &["https://fhir.example.com/%7Ea"],
        OK,
    ),
    (
        "https://[2001:db8::1]/fhir",
        &["https://[2001:db8::1]/fhir"],
        OK,
    ),
    // Near misses.
    (
        "https://fhir.example.com",
        &["https://fhir.example.com/"],
        SLASH,
    ),
    (
        "https://fhir.example.com/r4/",
        &["https://fhir.example.com/r4"],
        SLASH,
    ),
    (
        "https://fhir.example.com/R4",
        &["https://fhir.example.com/r4"],
        CASE,
    ),
    (
        "https://fhir.example.com/r4",
        &["https://Fhir.Example.com/r4"],
        CASE,
    ),
    (
        "https://fhir.example.com/r4",
        &["HTTPS://fhir.example.com/r4"],
        CASE,
    ),
    (
        "https://fhir.example.com:443/r4",
        &["https://fhir.example.com/r4"],
        PORT,
    ),
    (
        "https://fhir.example.com/r4",
        &["https://fhir.example.com:443/r4"],
        PORT,
    ),
    (
        "http://fhir.example.com:80",
        &["http://fhir.example.com"],
        PORT,
    ),
    (
        "https://fhir.example.com/r4",
        &["https://fhir.example.com/r4#T-IAS"],
        FRAGMENT,
    ),
    (
        "https://fhir.example.com/r4#a",
        &["https://fhir.example.com/r4#b"],
        FRAGMENT,
    ),
    (
        "https://fhir.example.com/r4#",
        &["https://fhir.example.com/r4"],
        FRAGMENT,
    ),
    (
        "https://fhir.example.com/r4",
        &["http://fhir.example.com/r4"],
        SCHEME,
    ),
    (
        "https://fhir.example.com/r4",
        &["https://FHIR.example.com:443/R4/#x"],
        MORE,
    ),
    (
        "https://fhir.example.com/r4",
        &["https://other.example.com", "https://fhir.example.com/r4/"],
        SLASH,
    ),
    // Far ones: what a URI library would call the same, or a careless comparison, is another name.
    (
        "https://fhir.example.com/~a",
        &["https://fhir.example.com/%7Ea"],
        FAR,
    ),
    (
        "https://fhir.example.com/a/../r4",
        &["https://fhir.example.com/r4"],
        FAR,
    ),
    (
        "https://fhir.example.com/r4",
        &["https://fhir.example.com/r4b"],
        FAR,
    ),
    (
        "https://fhir.example.com/r4b",
        &["https://fhir.example.com/r4"],
        FAR,
    ),
    (
        "https://fhir.example.com",
        &["https://fhir.example.com.evil.example"],
        FAR,
    ),
    (
        "https://fhir.example.com",
        &["https://a.fhir.example.com"],
        FAR,
    ),
    ("https://fhir.example.com", &["https://*.example.com"], FAR),
    (
        "https://fhir.example.com:8443",
        &["https://fhir.example.com"],
        FAR,
    ),
    (
        "https://fhir.example.com",
        &["https://fhir.example.com@evil.example"],
        FAR,
    ),
    (
        "https://fhir.example.com?a=1",
        &["https://fhir.example.com?a=2"],
        FAR,
    ),
    ("", &["https://fhir.example.com"], FAR),
];

#[test]
fn uri_names_are_compared_byte_for_byte() {
    for (expected, names, verdict) in VECTORS {
        let names: Vec<Vec<u8>> = names.iter().map(|name| uri(name)).collect();
        let chain = Chain::with(|at, spec| match at {
            0 => spec.without_extensions().with(san(&names)),
            _ => spec,
        });
        let policy = Policy {
            name: Some(NameCheck::Uri((*expected).to_owned())),
            revocation: Revocation::Off,
            ..Policy::default()
        };
        let outcome = chain.judge(&policy, &Evidence::default());
        if *verdict == OK {
            assert_eq!(code(&outcome), "accepted", "{expected}");
            continue;
        }
        assert_eq!(code(&outcome), "san-uri-mismatch", "{expected}");
        let Outcome::Invalid(invalid) = outcome else {
            panic!("{expected} was not refused")
        };
        let Reason::SanUriMismatch { near, .. } = &invalid.reason else {
            panic!("{:?}", invalid.reason)
        };
        assert_eq!(
            near.as_ref().map_or(FAR, |near| near.difference),
            *verdict,
            "{expected}"
        );
        if *verdict != FAR {
            assert!(
                invalid.reason.hint().contains(verdict),
                "{}",
                invalid.reason.hint()
            );
        }
    }
}

#[test]
fn a_certificate_without_uri_names_says_so() {
    let chain = Chain::with(|at, spec| match at {
        0 => spec
            .without_extensions()
            .with(san(&[crate::forge::dns("fhir.example.com")])),
        _ => spec,
    });
    let policy = Policy {
        name: Some(NameCheck::Uri("https://fhir.example.com".to_owned())),
        revocation: Revocation::Off,
        ..Policy::default()
    };
    let Outcome::Invalid(invalid) = chain.judge(&policy, &Evidence::default()) else {
        panic!()
    };
    assert_eq!(invalid.reason.code(), "san-uri-mismatch");
    assert_eq!(invalid.reason.hint(), "It has no name of this kind.");
}
