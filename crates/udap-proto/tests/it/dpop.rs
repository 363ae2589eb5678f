//! DPoP proofs (RFC 9449 §4.3): one test for each rule that refuses.

use crate::keys::Key;
use crate::{map, with};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::dpop::{self, Expected, MAX_AGE_SECS, MAX_BYTES, VerifiedProof};
use udap_proto::jws::JwsAlg;
use udap_testkit::NOW;

const TARGET: &str = "https://holder.example/fhir/Patient/a~b%2Fc";
const HASH: [u8; 32] = [7; 32];

fn good() -> Value {
    json!({
        "jti": "p-1", "htm": "GET", "htu": TARGET, "iat": NOW.0,
        "ath": URL_SAFE_NO_PAD.encode(HASH),
    })
}

/// The public half, without what `to_json` says of its use.
fn public(key: &Key) -> Value {
    key.jwk("k").to_json()
}

fn header(key: &Key) -> Value {
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": public(key)})
}

fn judge(compact: &str, now: UnixTime) -> Result<VerifiedProof, &'static str> {
    let expected = Expected {
        method: "GET",
        targets: &[TARGET],
        token_sha256: Some(&HASH),
    };
    dpop::verify(compact, &expected, now).map_err(|e| e.code())
}

fn offered(key: &Key, header: &Value, claims: &Value) -> Result<VerifiedProof, &'static str> {
    judge(&key.jwt(JwsAlg::ES256, &map(header.clone()), claims), NOW)
}

#[test]
fn a_good_proof_says_whose_it_is() {
    let key = Key::p256();
    let claims = with(&good(), "nonce", json!("n-1"));
    let proof = offered(&key, &header(&key), &claims).unwrap();
    assert_eq!(proof.jti(), "p-1");
    assert_eq!(proof.nonce(), Some("n-1"));
    assert_eq!(proof.until(), NOW.plus_secs(MAX_AGE_SECS + 30));
    assert_eq!(
        *proof.thumbprint(),
        dpop::thumbprint(&key.jwk("another kid"))
    );
    let other = Key::p256();
    assert_ne!(*proof.thumbprint(), dpop::thumbprint(&other.jwk("k")));
}

#[test]
fn each_kind_of_key_can_prove() {
    for (key, alg) in [
        (Key::p256(), JwsAlg::ES256),
        (Key::p384(), JwsAlg::ES384),
        (Key::ed25519(), JwsAlg::EdDSA),
        (Key::rsa(), JwsAlg::RS256),
        (Key::rsa(), JwsAlg::PS256),
    ] {
        let header = with(&header(&key), "alg", json!(alg.as_str()));
        assert!(
            judge(&key.jwt(alg, &map(header), &good()), NOW).is_ok(),
            "{alg}"
        );
    }
}

#[test]
fn each_rule_of_the_header_refuses() {
    let key = Key::p256();
    let head = header(&key);
    for typ in [
        json!(null),
        json!("JWT"),
        json!("at+jwt"),
        json!("dpop+jwt "),
        json!(["dpop+jwt"]),
    ] {
        let refused = offered(&key, &with(&head, "typ", typ.clone()), &good());
        assert_eq!(refused, Err("not-a-dpop-proof"), "{typ}");
    }
    for alg in ["none", "HS256", "ES512"] {
        let refused = offered(&key, &with(&head, "alg", json!(alg)), &good());
        assert_eq!(refused, Err("jwt-alg-refused"), "{alg}");
    }
    let refused = offered(&key, &with(&head, "alg", json!("RS256")), &good());
    assert_eq!(refused, Err("jwt-alg-key-mismatch"));
    let crit = with(&head, "crit", json!(["b64"]));
    assert_eq!(offered(&key, &crit, &good()), Err("jwt-crit"));

    let mut private = public(&key);
    private["d"] = json!("AAAA");
    let secret = json!({"kty": "oct", "k": "AAAA"});
    for jwk in [
        json!(null),
        json!("k"),
        json!([]),
        json!({}),
        private,
        secret,
    ] {
        let refused = offered(&key, &with(&head, "jwk", jwk.clone()), &good());
        assert_eq!(refused, Err("jwk-invalid"), "{jwk}");
    }
    // Signed by another key than the one that it carries.
    let other = Key::p256();
    assert_eq!(
        offered(&other, &head, &good()),
        Err("jwt-signature-invalid")
    );
}

#[test]
fn each_rule_of_the_claims_refuses() {
    let key = Key::p256();
    let refused = |name: &str, value: Value| {
        let claims = with(&good(), name, value);
        offered(&key, &header(&key), &claims).map(|_| ())
    };
    for claim in ["jti", "htm", "htu", "iat", "ath"] {
        assert_eq!(refused(claim, Value::Null), Err("claim-missing"), "{claim}");
        assert_eq!(refused(claim, json!([])), Err("claim-malformed"), "{claim}");
    }
    assert_eq!(
        refused("jti", json!("j".repeat(257))),
        Err("claim-malformed")
    );
    assert_eq!(refused("nonce", json!(7)), Err("claim-malformed"));
    for method in ["POST", "get", "GET ", "HEAD"] {
        assert_eq!(
            refused("htm", json!(method)),
            Err("dpop-htm-mismatch"),
            "{method}"
        );
    }
    let hash = URL_SAFE_NO_PAD.encode([8; 32]);
    for ath in [hash.as_str(), "x"] {
        assert_eq!(
            refused("ath", json!(ath)),
            Err("dpop-ath-mismatch"),
            "{ath}"
        );
    }
    for (iat, expected) in [
        (31, Err("jwt-from-the-future")),
        (30, Ok(())),
        (-MAX_AGE_SECS - 29, Ok(())),
        (-MAX_AGE_SECS - 30, Err("dpop-proof-old")),
    ] {
        assert_eq!(refused("iat", json!(NOW.0 + iat)), expected, "{iat}");
    }
    assert_eq!(refused("iat", json!(NOW.0 * 1000)), Err("claim-malformed"));
}

/// RFC 9449 §4.3 step 9: query and fragment do not count, and spellings of one address are one.
#[test]
fn the_address_is_compared_in_its_normal_form() {
    let key = Key::p256();
    let offered = |htu: &str| {
        let claims = with(&good(), "htu", json!(htu));
        offered(&key, &header(&key), &claims).map(|_| ())
    };
    for same in [
        TARGET,
        "HTTPS://HOLDER.example:443/fhir/Patient/a~b%2Fc",
        "https://holder.example/fhir/Patient/a%7Eb%2fc",
        "https://holder.example/fhir/%50atient/a~b%2Fc",
        "https://holder.example/fhir/x/../Patient/./a~b%2Fc",
        "https://holder.example/fhir/Patient/a~b%2Fc?_summary=true",
        "https://holder.example/fhir/Patient/a~b%2Fc#x",
    ] {
        assert_eq!(offered(same), Ok(()), "{same}");
    }
    for other in [
        "http://holder.example/fhir/Patient/a~b%2Fc",
        "https://holder.example:8443/fhir/Patient/a~b%2Fc",
        "https://other.example/fhir/Patient/a~b%2Fc",
        "https://holder.example.evil.example/fhir/Patient/a~b%2Fc",
        "https://holder.example/fhir/Patient/a~b/c",
        "https://holder.example/fhir/Patient/a~b%2Fc/",
        "https://holder.example/fhir/patient/a~b%2Fc",
        "https://holder.example/fhir/Patient",
        "https://holder.example?/fhir/Patient/a~b%2Fc",
        "https://user@holder.example/fhir/Patient/a~b%2Fc",
        "https:\\\\holder.example/fhir/Patient/a~b%2Fc",
        "https://holder.example/fhir/Pat\nient/a~b%2Fc",
        "https://holder.example/fhir/Patient/a~b%2",
        "https://holder.example/fhir/Patient/a~b%+2",
        " https://holder.example/fhir/Patient/a~b%2Fc",
        "/fhir/Patient/a~b%2Fc",
        "holder.example/fhir/Patient/a~b%2Fc",
        "urn:x",
    ] {
        assert_eq!(offered(other), Err("dpop-htu-mismatch"), "{other}");
    }
}

#[test]
fn a_large_proof_is_not_read() {
    let compact = "a".repeat(MAX_BYTES + 1);
    assert_eq!(judge(&compact, NOW), Err("dpop-proof-too-large"));
    assert_eq!(judge("a", NOW), Err("jwt-malformed"));
}
