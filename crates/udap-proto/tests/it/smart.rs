//! Authentication tokens of clients that are known by their keys (SMART App Launch 2.2).

use crate::keys::Key;
use crate::{map, with};
use serde_json::{Value, json};
use udap_proto::Refusal as _;
use udap_proto::jwk::JwkSet;
use udap_proto::jws::JwsAlg;
use udap_proto::smart::{self, Verified};
use udap_testkit::NOW;

const TOKEN: &str = "https://holder.example/token";
const JWKS: &str = "https://client.example/jwks";

fn good() -> Value {
    json!({"iss": "c-1", "sub": "c-1", "aud": TOKEN, "exp": NOW.0 + 300, "jti": "j-1"})
}

fn jwt(key: &Key, alg: JwsAlg, header: Value, claims: &Value) -> String {
    key.jwt(alg, &map(with(&header, "alg", json!(alg.as_str()))), claims)
}

struct Client {
    p384: Key,
    rsa: Key,
    p256: Key,
    keys: JwkSet,
}

impl Client {
    fn new() -> Self {
        let (p384, rsa, p256) = (Key::p384(), Key::rsa(), Key::p256());
        let keys = JwkSet::new(vec![p384.jwk("ec"), rsa.jwk("rsa"), p256.jwk("p256")]);
        Self {
            p384,
            rsa,
            p256,
            keys,
        }
    }

    fn es384(&self, header: Value, claims: &Value) -> Result<Verified, &'static str> {
        self.verify(&jwt(&self.p384, JwsAlg::ES384, header, claims))
    }

    fn verify(&self, compact: &str) -> Result<Verified, &'static str> {
        let parsed = smart::parse(compact, &[TOKEN], NOW).map_err(|e| e.code())?;
        parsed.require_jku(Some(JWKS)).map_err(|e| e.code())?;
        parsed.verify(&self.keys).map_err(|e| e.code())
    }
}

#[test]
fn both_algorithms_are_taken_and_no_others() {
    let client = Client::new();
    let ec = client
        .es384(json!({"kid": "ec", "typ": "JWT"}), &good())
        .unwrap();
    assert_eq!(
        (ec.client_id(), ec.jti(), ec.exp().0),
        ("c-1", "j-1", NOW.0 + 300)
    );
    for (alg, key, kid, expected) in [
        (JwsAlg::RS384, &client.rsa, "rsa", None),
        (JwsAlg::RS256, &client.rsa, "rsa", Some("jwt-alg-refused")),
        (JwsAlg::RS512, &client.rsa, "rsa", Some("jwt-alg-refused")),
        (JwsAlg::PS256, &client.rsa, "rsa", Some("jwt-alg-refused")),
        (JwsAlg::ES256, &client.p256, "p256", Some("jwt-alg-refused")),
        // The key of that name is of another kind, or another one.
        (JwsAlg::RS384, &client.rsa, "ec", Some("jwt-key-unknown")),
        (
            JwsAlg::ES384,
            &Key::p384(),
            "ec",
            Some("jwt-signature-invalid"),
        ),
        (JwsAlg::ES384, &client.p384, "none", Some("jwt-key-unknown")),
    ] {
        let compact = jwt(key, alg, json!({"kid": kid}), &good());
        assert_eq!(client.verify(&compact).err(), expected, "{alg} {kid}");
    }
}

#[test]
fn each_rule_of_the_header_refuses() {
    let client = Client::new();
    for (header, expected) in [
        (json!({"kid": "ec"}), None),
        (json!({"kid": "ec", "jku": JWKS}), None),
        (json!({}), Some("kid-missing")),
        (json!({"kid": ""}), Some("kid-missing")),
        (json!({"kid": 7}), Some("kid-missing")),
        (
            json!({"kid": "ec", "jku": "https://evil.example/jwks"}),
            Some("jku-mismatch"),
        ),
        (
            json!({"kid": "ec", "jku": format!("{JWKS}/")}),
            Some("jku-mismatch"),
        ),
        (json!({"kid": "ec", "jku": null}), Some("jku-mismatch")),
        (json!({"kid": "ec", "x5c": []}), Some("x5c-unexpected")),
        (json!({"kid": "ec", "x5c": null}), Some("x5c-unexpected")),
        (json!({"kid": "ec", "crit": ["b64"]}), Some("jwt-crit")),
        (json!({"kid": "ec", "typ": "at+jwt"}), Some("jwt-typ")),
        // A key in the token is nobody's.
        (
            json!({"kid": "none", "jwk": Key::p384().jwk("none").to_json()}),
            Some("jwt-key-unknown"),
        ),
    ] {
        let found = client.es384(header.clone(), &good()).err();
        assert_eq!(found, expected, "{header}");
    }
    // Keys from a file: there is no URL that could be right.
    let compact = jwt(
        &client.p384,
        JwsAlg::ES384,
        json!({"kid": "ec", "jku": JWKS}),
        &good(),
    );
    let parsed = smart::parse(&compact, &[TOKEN], NOW).unwrap();
    assert_eq!(parsed.require_jku(None).unwrap_err().code(), "jku-mismatch");
}

#[test]
fn each_rule_of_the_claims_refuses() {
    let client = Client::new();
    for (claim, value, expected) in [
        ("aud", json!([TOKEN, "https://x.example"]), None),
        ("iat", json!(NOW.0), None),
        ("exp", json!(NOW.0 + 330), None),
        ("exp", json!(NOW.0 - 29), None),
        ("iss", json!("c-2"), Some("sub-not-iss")),
        ("iss", Value::Null, Some("claim-missing")),
        ("sub", Value::Null, Some("claim-missing")),
        ("sub", json!(7), Some("claim-malformed")),
        ("aud", Value::Null, Some("claim-missing")),
        (
            "aud",
            json!("https://other.example/token"),
            Some("aud-mismatch"),
        ),
        ("aud", json!(format!("{TOKEN}/")), Some("aud-mismatch")),
        ("exp", Value::Null, Some("claim-missing")),
        ("exp", json!("soon"), Some("claim-malformed")),
        ("exp", json!(NOW.0 + 331), Some("jwt-lifetime")),
        ("exp", json!(NOW.0 - 30), Some("jwt-expired")),
        ("iat", json!(NOW.0 + 31), Some("jwt-from-the-future")),
        ("nbf", json!(NOW.0 + 31), Some("jwt-from-the-future")),
        ("jti", Value::Null, Some("claim-missing")),
        ("jti", json!("x".repeat(257)), Some("claim-malformed")),
    ] {
        let claims = with(&good(), claim, value.clone());
        let found = client.es384(json!({"kid": "ec"}), &claims).err();
        assert_eq!(found, expected, "{claim} {value}");
    }
}

#[test]
fn what_names_certificates_is_told_apart() {
    let client = Client::new();
    let compact = |header: Value| jwt(&client.p384, JwsAlg::ES384, header, &good());
    assert!(smart::names_certificates(&compact(
        json!({"x5c": ["AAAA"]})
    )));
    assert!(smart::names_certificates(&compact(json!({"x5c": null}))));
    assert!(!smart::names_certificates(&compact(json!({"kid": "ec"}))));
    assert!(!smart::names_certificates("x"));
}

/// A key that is for encryption, or not for verifying, verifies nothing.
#[test]
fn keys_for_other_uses_are_left_out_of_a_set() {
    let key = Key::p384();
    for (member, value, kept) in [
        ("use", json!("sig"), 1),
        ("use", json!("enc"), 0),
        ("key_ops", json!(["verify"]), 1),
        ("key_ops", json!(["wrapKey"]), 0),
        ("x5c", json!("AAAA"), 0),
    ] {
        let mut jwk = map(key.jwk("k").to_json());
        jwk.remove("use");
        jwk.insert(member.to_owned(), value.clone());
        let set = JwkSet::from_json(&map(json!({"keys": [jwk]}))).unwrap();
        assert_eq!(set.keys().len(), kept, "{member} {value}");
    }
}
