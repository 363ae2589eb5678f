//! ID tokens: each rule of OpenID Connect Core §3.1.3.7.

use crate::keys::Key;
use crate::{map, with};
use serde_json::{Value, json};
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::id_token::{self, Expected, Verified};
use udap_proto::jwk::JwkSet;
use udap_proto::jws::JwsAlg;
use udap_testkit::NOW;

const ISSUER: &str = "https://idp.example/base";
const US: &str = "client-at-idp";

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "user-7", "aud": US, "iat": NOW.0, "exp": NOW.0 + 300, "nonce": "n-1",
        "acr": "http://udap.org/ial2", "amr": ["http://udap.org/aal2"], "auth_time": NOW.0 - 5,
    })
}

struct Idp {
    key: Key,
    other: Key,
    keys: JwkSet,
}

impl Idp {
    fn new() -> Self {
        let (key, other) = (Key::p256(), Key::p256());
        let keys = JwkSet::new(vec![other.jwk("old"), key.jwk("new")]);
        Self { key, other, keys }
    }

    fn verify(&self, header: Value, claims: &Value) -> Result<Verified, &'static str> {
        self.verify_at(header, claims, NOW)
    }

    fn verify_at(
        &self,
        header: Value,
        claims: &Value,
        now: UnixTime,
    ) -> Result<Verified, &'static str> {
        let compact = self.key.jwt(JwsAlg::ES256, &map(header), claims);
        let expected = Expected {
            issuer: ISSUER,
            algorithms: &[JwsAlg::ES256, JwsAlg::RS256],
            client_id: US,
            nonce: "n-1",
        };
        id_token::verify(&compact, &self.keys, &expected, now).map_err(|e| e.code())
    }

    fn claims(&self, claims: &Value) -> Result<Verified, &'static str> {
        self.verify(json!({"alg": "ES256", "kid": "new"}), claims)
    }
}

#[test]
fn a_good_token_says_who_signed_in() {
    let idp = Idp::new();
    let verified = idp.claims(&good()).unwrap();
    assert_eq!((verified.issuer(), verified.subject()), (ISSUER, "user-7"));
    assert_eq!(verified.acr(), Some("http://udap.org/ial2"));
    assert_eq!(verified.auth_time(), Some(UnixTime(NOW.0 - 5)));
    let with_one = with(&good(), "amr", json!("http://udap.org/code/auth/aal2"));
    assert_eq!(
        idp.claims(&with_one).unwrap().amr(),
        ["http://udap.org/code/auth/aal2"]
    );
    let for_us_alone = with(&with(&good(), "aud", json!([US])), "azp", json!(US));
    assert!(idp.claims(&for_us_alone).is_ok());
}

#[test]
fn each_claim_rule_refuses() {
    let idp = Idp::new();
    for claim in ["iss", "sub", "aud", "iat", "exp", "nonce"] {
        assert_eq!(
            idp.claims(&with(&good(), claim, Value::Null)).unwrap_err(),
            "claim-missing",
            "{claim}"
        );
    }
    for (claim, value, expected) in [
        ("iss", json!("https://idp.example/base/"), "iss-mismatch"),
        ("aud", json!("somebody-else"), "aud-mismatch"),
        ("aud", json!([]), "claim-missing"),
        (
            "aud",
            json!([US, "somebody-else"]),
            "id-token-other-audiences",
        ),
        ("azp", json!("somebody-else"), "id-token-azp-mismatch"),
        ("nonce", json!("n-2"), "id-token-nonce-mismatch"),
        ("nonce", json!(1), "claim-malformed"),
        ("exp", json!(NOW.0), "exp-before-iat"),
        ("exp", json!("soon"), "claim-malformed"),
        ("iat", json!(NOW.0 + 31), "jwt-from-the-future"),
        ("sub", json!("u".repeat(256)), "claim-malformed"),
        ("sub", json!(7), "claim-malformed"),
        ("amr", json!(7), "claim-malformed"),
        ("acr", json!([]), "claim-malformed"),
        ("auth_time", json!("now"), "claim-malformed"),
    ] {
        assert_eq!(
            idp.claims(&with(&good(), claim, value.clone()))
                .unwrap_err(),
            expected,
            "{claim} {value}"
        );
    }
    let header = json!({"alg": "ES256", "kid": "new"});
    assert!(
        idp.verify_at(header.clone(), &good(), UnixTime(NOW.0 + 329))
            .is_ok()
    );
    assert_eq!(
        idp.verify_at(header, &good(), UnixTime(NOW.0 + 330))
            .unwrap_err(),
        "jwt-expired"
    );
}

#[test]
fn kid_chooses_among_the_issuers_keys_and_nowhere_else() {
    let idp = Idp::new();
    let thief = Key::p256();
    // Without kid every key is tried; a kid of another key of the set finds that one.
    assert!(idp.verify(json!({"alg": "ES256"}), &good()).is_ok());
    assert_eq!(
        idp.verify(json!({"alg": "ES256", "kid": "old"}), &good())
            .unwrap_err(),
        "jwt-signature-invalid"
    );
    assert_eq!(
        idp.verify(json!({"alg": "ES256", "kid": "elsewhere"}), &good())
            .unwrap_err(),
        "jwt-key-unknown"
    );
    // Keys that the token brings along count for nothing.
    let stolen = Idp {
        key: thief,
        other: Key::p256(),
        keys: idp.keys.clone(),
    };
    let header = json!({
        "alg": "ES256", "kid": "new", "jwk": stolen.key.jwk("new").to_json(), "jku": "https://thief.example/jwks",
        "x5c": crate::keys::x5c(&[&stolen.key.certificate]),
    });
    assert_eq!(
        stolen.verify(header, &good()).unwrap_err(),
        "jwt-signature-invalid"
    );
    assert_ne!(idp.other.public().spki_der(), idp.key.public().spki_der());
}

#[test]
fn algorithms_are_by_policy() {
    let key = Key::p384();
    let keys = JwkSet::new(vec![key.jwk("k")]);
    let compact = key.jwt(
        JwsAlg::ES384,
        &map(json!({"alg": "ES384", "kid": "k"})),
        &good(),
    );
    let verify = |algorithms: &[JwsAlg]| {
        let expected = Expected {
            issuer: ISSUER,
            algorithms,
            client_id: US,
            nonce: "n-1",
        };
        id_token::verify(&compact, &keys, &expected, NOW)
            .map(|_| ())
            .map_err(|e| e.code())
    };
    assert_eq!(verify(&[JwsAlg::ES384]), Ok(()));
    assert_eq!(
        verify(&[JwsAlg::ES256, JwsAlg::RS256]),
        Err("jwt-alg-refused")
    );
}

#[test]
fn a_token_of_another_declared_kind_is_refused() {
    let idp = Idp::new();
    for typ in ["at+jwt", "logout+jwt", "secevent+jwt"] {
        let header = json!({"alg": "ES256", "kid": "new", "typ": typ});
        assert_eq!(idp.verify(header, &good()).unwrap_err(), "jwt-typ", "{typ}");
    }
}
