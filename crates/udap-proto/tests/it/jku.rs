//! A registered URL of keys in place of certificates (HL7 SSRAA §7.6, experimental).

use crate::{map, verdict};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use udap_proto::Refusal as _;
use udap_proto::assertion;
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::{JwsAlg, Unsigned};
use udap_testkit::{Member, NOW, TestPki};

const URI: &str = "https://app.example";
const TOKEN: &str = "https://holder.example/token";
const JKU: &str = "https://app.example/jwks";

fn x5c(member: &Member) -> Value {
    let certificates = member.chain.iter();
    certificates
        .map(|c| Value::from(STANDARD.encode(c.der())))
        .collect()
}

fn jwk(member: &Member, kid: &str) -> Map<String, Value> {
    let key = member.leaf().public_key().unwrap();
    let jwk = Jwk::from_public_key(key, Some(kid.to_owned()), None).unwrap();
    let mut jwk = map(jwk.to_json());
    jwk.insert("x5c".to_owned(), x5c(member));
    jwk
}

fn set(keys: &[Map<String, Value>]) -> JwkSet {
    JwkSet::from_json(&map(json!({"keys": keys}))).unwrap()
}

fn sign(member: &Member, header: Value) -> String {
    let mut header = map(header);
    header.insert("alg".to_owned(), "ES256".into());
    let claims = json!({
        "iss": "c-1", "sub": "c-1", "aud": TOKEN, "iat": NOW.0, "exp": NOW.0 + 300, "jti": "j-1",
    });
    let unsigned = Unsigned::new(&header, claims.as_object().unwrap());
    let signature = member
        .signer
        .sign_now(JwsAlg::ES256.scheme(), unsigned.signing_input());
    unsigned.with_signature(&signature.unwrap())
}

/// All stages, with what stands at the registered URL.
fn verify(
    pki: &TestPki,
    member: &Member,
    compact: &str,
    registered: Option<&str>,
    keys: &JwkSet,
) -> Result<(), &'static str> {
    let parsed = assertion::parse(compact, TOKEN, NOW).map_err(|e| e.code())?;
    parsed.require_jku(registered).map_err(|e| e.code())?;
    let signed = parsed.verify_signature_by_keys(keys, &[JwsAlg::ES256]);
    let signed = signed.map_err(|e| e.code())?;
    let verified = signed.verify(&verdict(pki, &member.chain), URI);
    verified.map(|_| ()).map_err(|e| e.code())
}

#[test]
fn the_named_keys_certificates_take_the_place_of_x5c() {
    let pki = TestPki::new("https://community.example");
    let (app, other) = (pki.leaf(URI), pki.leaf(URI));
    let keys = set(&[jwk(&other, "old"), jwk(&app, "new")]);
    let good = json!({"jku": JKU, "kid": "new"});
    let check = |header: Value, registered, keys: &JwkSet| {
        verify(&pki, &app, &sign(&app, header), registered, keys)
    };
    assert_eq!(check(good.clone(), Some(JKU), &keys), Ok(()));
    for (header, registered, expected) in [
        (good.clone(), None, "jku-mismatch"),
        (
            good.clone(),
            Some("https://app.example/jwks/"),
            "jku-mismatch",
        ),
        (json!({"kid": "new"}), Some(JKU), "jku-mismatch"),
        (json!({"jku": 7, "kid": "new"}), Some(JKU), "jku-mismatch"),
        (json!({"jku": JKU}), Some(JKU), "kid-missing"),
        (json!({"jku": JKU, "kid": ""}), Some(JKU), "kid-missing"),
        (
            json!({"jku": JKU, "kid": "none"}),
            Some(JKU),
            "jwt-key-unknown",
        ),
        // Signed by the key of another entry than the one that it names.
        (
            json!({"jku": JKU, "kid": "old"}),
            Some(JKU),
            "jwt-signature-invalid",
        ),
        // Where there are certificates, they count alone.
        (
            json!({"jku": JKU, "kid": "new", "x5c": x5c(&app)}),
            Some(JKU),
            "jku-mismatch",
        ),
    ] {
        assert_eq!(
            check(header.clone(), registered, &keys),
            Err(expected),
            "{header}"
        );
    }

    let mut bare = jwk(&app, "new");
    bare.remove("x5c");
    assert_eq!(
        check(good.clone(), Some(JKU), &set(&[bare])),
        Err("x5c-missing")
    );
    // The signer's key beside somebody else's certificate, and the other way around (RFC 7517 §4.7).
    let mut borrowed = jwk(&app, "new");
    borrowed.insert("x5c".to_owned(), x5c(&other));
    assert_eq!(
        check(good.clone(), Some(JKU), &set(&[borrowed])),
        Err("jwt-signature-invalid")
    );
    let mut borrowed = jwk(&other, "new");
    borrowed.insert("x5c".to_owned(), x5c(&app));
    assert_eq!(
        check(good, Some(JKU), &set(&[borrowed])),
        Err("x5c-invalid")
    );
    // Without `x5c` and without this mode the token is refused as ever.
    let compact = sign(&app, json!({"jku": JKU, "kid": "new"}));
    let parsed = assertion::parse(&compact, TOKEN, NOW).unwrap();
    let refused = parsed.verify_signature(&[JwsAlg::ES256]).unwrap_err();
    assert_eq!(refused.code(), "x5c-missing");
}
