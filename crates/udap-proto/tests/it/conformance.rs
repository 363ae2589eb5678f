//! What the guide demands and no other module shows. Each test names its rows of the conformance matrix,
//! `crates/udap-house/data/conformance.tsv`.

use crate::{map, verdict, with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use udap_proto::Refusal as _;
use udap_proto::jws::JwsAlg;
use udap_proto::metadata::{self, Metadata};
use udap_testkit::{NOW, TestPki};

const BASE: &str = "https://holder.example/fhir";

fn published() -> Metadata {
    Metadata {
        token_endpoint: "https://holder.example/token".to_owned(),
        registration_endpoint: "https://holder.example/register".to_owned(),
        ..Metadata::default()
    }
}

/// 1.0.0@28, 31, 33, 35; udap.org/version-required.
#[test]
fn what_is_required_is_told_where_anything_is_supported() {
    let lists = |metadata: &Metadata| {
        let json = metadata.to_json("a.b.c");
        [
            "udap_authorization_extensions_supported",
            "udap_authorization_extensions_required",
            "udap_certifications_supported",
            "udap_certifications_required",
        ]
        .map(|name| json.get(name).cloned())
    };
    let (empty, one) = (Some(json!([])), Some(json!(["x"])));
    let of = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    let mut metadata = published();
    assert_eq!(lists(&metadata), [empty.clone(), None, empty.clone(), None]);
    metadata.extensions_supported = of(&["x"]);
    metadata.certifications_supported = of(&["x"]);
    assert_eq!(
        lists(&metadata),
        [one.clone(), empty.clone(), one.clone(), empty]
    );
    metadata.extensions_required = of(&["x"]);
    metadata.certifications_required = of(&["x"]);
    assert_eq!(
        lists(&metadata),
        [one.clone(), one.clone(), one.clone(), one]
    );
}

/// 1.0.0@57 to 59; M-10.
#[test]
fn every_endpoint_is_signed_as_it_is_published() {
    let chain = TestPki::new("https://community.example").leaf(BASE).chain;
    for authorize in [None, Some("https://holder.example/authorize".to_owned())] {
        let metadata = Metadata {
            authorization_endpoint: authorize.clone(),
            ..published()
        };
        let exp = NOW.plus_secs(3600);
        let unsigned = metadata.unsigned(JwsAlg::RS256, &chain, BASE, NOW, exp, "m-1");
        let input = std::str::from_utf8(unsigned.signing_input()).unwrap();
        let payload = input.split('.').nth(1).unwrap();
        let signed: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let plain = metadata.to_json("a.b.c");
        assert_eq!(
            signed.get("authorization_endpoint").is_some(),
            authorize.is_some()
        );
        for endpoint in [
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
        ] {
            assert_eq!(signed.get(endpoint), plain.get(endpoint), "{endpoint}");
        }
    }
}

/// udap.org/metadata-validation-3.
#[test]
fn metadata_of_another_subject_is_refused() {
    let pki = TestPki::new("https://community.example");
    let holder = pki.leaf(BASE);
    let verdict = verdict(&pki, &holder.chain);
    let good = json!({
        "iss": BASE, "sub": BASE, "iat": NOW.0, "exp": NOW.0 + 3600, "jti": "m-1",
        "token_endpoint": "https://holder.example/token",
        "registration_endpoint": "https://holder.example/register",
    });
    let read = |claims: &Value| {
        let mut plain = map(json!({"signed_metadata": holder.sign(claims)}));
        for endpoint in ["token_endpoint", "registration_endpoint"] {
            plain.insert(endpoint.to_owned(), good[endpoint].clone());
        }
        let body = Value::Object(plain).to_string();
        let signed = metadata::verify_signature(body.as_bytes(), &[JwsAlg::ES256]).unwrap();
        let read = signed.verify(&verdict, BASE, NOW);
        read.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(read(&good), Ok(()));
    let other = json!("https://other.example");
    assert_eq!(read(&with(&good, "sub", other)), Err("sub-not-iss"));
    for claim in ["iss", "sub", "iat", "exp", "jti"] {
        let without = with(&good, claim, Value::Null);
        assert_eq!(read(&without), Err("claim-missing"), "{claim}");
    }
}
