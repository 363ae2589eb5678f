//! Authorization assertions (UDAP Authorization Grants §§3–5), and their limits in an authentication
//! token.

use crate::{map, verdict};
use serde_json::{Value, json};
use udap_proto::Refusal as _;
use udap_proto::authorization::{self, Limits, MAX_LIFETIME_SECS, Party, Verified};
use udap_proto::jws::{JwsAlg, Unsigned};
use udap_testkit::{Member, NOW, TestPki};

const ISSUER: &str = "https://tokens.example";
const TOKEN: &str = "https://holder.example/token";
const CLIENT: Party<'static> = Party {
    client_id: "client-7",
    uri: "https://app.example",
};

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "client-7", "aud": TOKEN, "iat": NOW.0, "exp": NOW.0 + 600, "jti": "a-1",
        "scope": "system/Patient.rs", "azp": "https://app.example", "extensions": {"x": {}},
    })
}

fn sign(member: &Member, claims: &Value) -> String {
    let unsigned = Unsigned::with_x5c(JwsAlg::ES256, &member.chain, &map(claims.clone()));
    let signature = member
        .signer
        .sign_now(JwsAlg::ES256.scheme(), unsigned.signing_input());
    unsigned.with_signature(&signature.unwrap())
}

fn verify(pki: &TestPki, member: &Member, claims: &Value) -> Result<Verified, &'static str> {
    let compact = sign(member, claims);
    let signed = authorization::verify_signature(&compact, TOKEN, &[JwsAlg::ES256], NOW);
    let signed = signed.map_err(|e| e.code())?;
    let issuers = [ISSUER.to_owned(), CLIENT.uri.to_owned()];
    signed
        .verify(&verdict(pki, &member.chain), &issuers, CLIENT)
        .map_err(|e| e.code())
}

#[test]
fn it_authorizes_the_client_that_it_names() {
    let pki = TestPki::new("https://community.example");
    let issuer = pki.leaf(ISSUER);
    for (claim, value) in [
        ("sub", json!("client-7")),
        ("sub", json!("https://app.example")),
        ("azp", json!("client-7")),
        ("azp", Value::Null),
        ("exp", json!(NOW.0 + MAX_LIFETIME_SECS)),
        ("aud", json!(["https://x.example", TOKEN])),
    ] {
        let claims = crate::with(&good(), claim, value.clone());
        let verified = verify(&pki, &issuer, &claims);
        let verified = verified.unwrap_or_else(|e| panic!("{claim} {value}: {e}"));
        assert_eq!(verified.claims().iss, ISSUER);
        let ceiling = verified.limits().ceiling.clone().unwrap();
        assert_eq!(ceiling.to_string(), "system/Patient.rs");
        assert!(verified.extensions().unwrap().contains_key("x"));
    }
}

#[test]
fn each_rule_refuses() {
    let pki = TestPki::new("https://community.example");
    let issuer = pki.leaf(ISSUER);
    for (claim, value, expected) in [
        ("iss", Value::Null, "claim-missing"),
        (
            "iss",
            json!("https://unheard-of.example"),
            "assertion-issuer-unknown",
        ),
        // Named as an issuer by the operator, but not by this certificate.
        ("iss", json!("https://app.example"), "san-uri-mismatch"),
        ("sub", Value::Null, "claim-missing"),
        ("sub", json!("client-8"), "assertion-subject"),
        ("sub", json!("https://app.example/"), "assertion-subject"),
        ("azp", json!("client-8"), "assertion-azp"),
        ("azp", json!(7), "claim-malformed"),
        ("aud", Value::Null, "claim-missing"),
        ("aud", json!("https://holder.example"), "aud-mismatch"),
        ("exp", Value::Null, "claim-missing"),
        ("exp", json!(NOW.0 - 30), "exp-before-iat"),
        ("exp", json!(NOW.0 + MAX_LIFETIME_SECS + 1), "jwt-lifetime"),
        ("iat", json!(NOW.0 + 31), "jwt-from-the-future"),
        ("iat", Value::Null, "claim-missing"),
        ("jti", Value::Null, "claim-missing"),
        ("scope", json!(["system/Patient.rs"]), "claim-malformed"),
        (
            "resources",
            json!(["https://holder.example/fhir/Patient/1"]),
            "resources-unsupported",
        ),
        ("resources", json!([]), "resources-unsupported"),
    ] {
        let claims = crate::with(&good(), claim, value.clone());
        let refused = verify(&pki, &issuer, &claims).err();
        assert_eq!(refused, Some(expected), "{claim} {value}");
    }
    let past = crate::with(&good(), "iat", json!(NOW.0 - 700));
    let past = crate::with(&past, "exp", json!(NOW.0 - 30));
    assert_eq!(verify(&pki, &issuer, &past).err(), Some("jwt-expired"));
    // Nobody authorizes itself, whatever lists it is on.
    let app = pki.leaf(CLIENT.uri);
    let own = crate::with(&good(), "iss", json!(CLIENT.uri));
    assert_eq!(
        verify(&pki, &app, &own).err(),
        Some("assertion-issuer-unknown")
    );
    // A verdict about anybody else opens nothing.
    let compact = sign(&issuer, &good());
    let signed = authorization::verify_signature(&compact, TOKEN, &[JwsAlg::ES256], NOW).unwrap();
    let other = verdict(&pki, &app.chain);
    let refused = signed.verify(&other, &[ISSUER.to_owned()], CLIENT);
    assert_eq!(refused.unwrap_err().code(), "verdict-mismatch");
}

#[test]
fn an_authentication_token_is_limited_by_the_same_words() {
    let read = |claims: Value| {
        Limits::read(&map(claims), CLIENT)
            .map(|limits| limits.ceiling.map(|scope| scope.to_string()))
            .map_err(|e| e.code())
    };
    assert_eq!(read(json!({})), Ok(None));
    let scope = || "system/Patient.rs".to_owned();
    assert_eq!(read(json!({"scope": scope()})), Ok(Some(scope())));
    // An empty ceiling is one.
    assert_eq!(read(json!({"scope": ""})), Ok(Some(String::new())));
    assert_eq!(read(json!({"scope": null})), Err("claim-malformed"));
    assert_eq!(read(json!({"azp": "client-8"})), Err("assertion-azp"));
    assert_eq!(
        read(json!({"resources": null})),
        Err("resources-unsupported")
    );
}
