//! Access tokens (RFC 9068 §4): what the gateway lets through.

use crate::keys::{Key, b64};
use crate::{map, with};
use serde_json::{Value, json};
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::access_token::{self, AccessToken, VerifiedAccessToken};
use udap_proto::confirmation::Confirmation;
use udap_proto::jwk::JwkSet;
use udap_proto::jws::JwsAlg;
use udap_proto::scope::{Context, Permission, ScopeSet};
use udap_testkit::NOW;

const ISSUER: &str = "https://holder.example";
const BASE: &str = "https://holder.example/fhir";

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "c-1", "aud": BASE, "client_id": "c-1", "scope": "system/Patient.rs",
        "iat": NOW.0, "exp": NOW.0 + 3600, "jti": "t-1",
        "udap": {"community": "https://community.example", "uri": "https://app.example"},
    })
}

fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "ES256", "kid": "k"})
}

struct Server {
    key: Key,
    keys: JwkSet,
}

impl Server {
    fn new() -> Self {
        let key = Key::p256();
        Self {
            keys: JwkSet::new(vec![key.jwk("k")]),
            key,
        }
    }
    fn verify(&self, header: Value, claims: &Value) -> Result<VerifiedAccessToken, &'static str> {
        self.read(&self.key.jwt(JwsAlg::ES256, &map(header), claims), NOW)
    }
    fn read(&self, token: &str, now: UnixTime) -> Result<VerifiedAccessToken, &'static str> {
        access_token::verify(token, &self.keys, ISSUER, BASE, now).map_err(|e| e.code())
    }
}

#[test]
fn what_is_issued_is_accepted() {
    let server = Server::new();
    let token = AccessToken {
        iss: ISSUER.into(),
        aud: BASE.into(),
        client_id: "c-1".into(),
        scope: ScopeSet::parse("system/Patient.rs"),
        iat: NOW,
        exp: NOW.plus_secs(3600),
        jti: "t-1".into(),
        community: "https://community.example".into(),
        uri: "https://app.example".into(),
        extensions: map(json!({"hl7-b2b": {"version": "1"}})).into(),
        cnf: Confirmation {
            certificate: Some([1; 32]),
            key: Some([2; 32]),
        },
    };
    let unsigned = token.unsigned(JwsAlg::ES256, "k");
    let signature = server.key.sign(JwsAlg::ES256, unsigned.signing_input());
    let verified = server
        .read(&unsigned.with_signature(&signature), NOW)
        .unwrap();
    assert_eq!(*verified.claims(), token);
    // Opaque, its record says the same, and is judged by the same rules.
    let record = token.record();
    let read = |issuer, base, now| {
        access_token::read_record(&record, issuer, base, now).map_err(|e| e.code())
    };
    assert_eq!(*read(ISSUER, BASE, NOW).unwrap().claims(), token);
    let late = NOW.plus_secs(3600);
    for (issuer, base, now, code) in [
        (BASE, BASE, NOW, "iss-mismatch"),
        (ISSUER, ISSUER, NOW, "aud-mismatch"),
        (ISSUER, BASE, late, "jwt-expired"),
        (ISSUER, BASE, NOW.plus_secs(-31), "jwt-from-the-future"),
    ] {
        assert_eq!(read(issuer, base, now).unwrap_err(), code);
    }
    let junk = access_token::read_record("{", ISSUER, BASE, NOW);
    assert_eq!(junk.unwrap_err().code(), "token-record-unreadable");
    assert!(
        verified
            .scopes()
            .permits(Context::System, "Patient", Permission::Read)
    );
    assert!(verified.in_force(NOW.plus_secs(3599)) && !verified.in_force(NOW.plus_secs(3600)));
}

#[test]
fn the_declared_type_decides() {
    let server = Server::new();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert!(
            server
                .verify(with(&header(), "typ", json!(typ)), &good())
                .is_ok(),
            "{typ}"
        );
    }
    for typ in [
        json!("JWT"),
        json!("at"),
        json!("at+jwt "),
        json!("x/at+jwt"),
        json!(["at+jwt"]),
        Value::Null,
    ] {
        let refused = server
            .verify(with(&header(), "typ", typ.clone()), &good())
            .unwrap_err();
        assert_eq!(refused, "not-an-access-token", "{typ}");
    }
}

#[test]
fn each_claim_rule_refuses() {
    let server = Server::new();
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        let refused = server
            .verify(header(), &with(&good(), claim, Value::Null))
            .unwrap_err();
        assert_eq!(refused, "claim-missing", "{claim}");
    }
    for (claim, value, expected) in [
        ("iss", json!("https://holder.example/"), "iss-mismatch"),
        ("aud", json!("https://holder.example/fhir/"), "aud-mismatch"),
        ("aud", json!("https://other.example/fhir"), "aud-mismatch"),
        ("exp", json!(NOW.0), "jwt-expired"),
        ("exp", json!("later"), "claim-malformed"),
        ("iat", json!(NOW.0 + 31), "jwt-from-the-future"),
        ("nbf", json!(NOW.0 + 31), "jwt-from-the-future"),
        ("exp", json!(NOW.0 + 3601), "jwt-lifetime"),
        ("scope", json!(["system/Patient.rs"]), "claim-malformed"),
        ("client_id", json!(7), "claim-malformed"),
    ] {
        let refused = server
            .verify(header(), &with(&good(), claim, value.clone()))
            .unwrap_err();
        assert_eq!(refused, expected, "{claim} {value}");
    }
    // Its own issuer's clock made `exp`: no leeway.
    let token = server.key.jwt(JwsAlg::ES256, &map(header()), &good());
    assert!(server.read(&token, NOW.plus_secs(3599)).is_ok());
    assert_eq!(
        server.read(&token, NOW.plus_secs(3600)).unwrap_err(),
        "jwt-expired"
    );
}

#[test]
fn only_our_keys_open() {
    let server = Server::new();
    let foreign = Key::p256();
    let brought = json!({
        "typ": "at+jwt", "alg": "ES256", "kid": "k", "jwk": foreign.jwk("k").to_json(),
        "jku": "https://thief.example/jwks", "x5c": crate::keys::x5c(&[&foreign.certificate]),
    });
    let token = foreign.jwt(JwsAlg::ES256, &map(brought), &good());
    assert_eq!(
        server.read(&token, NOW).unwrap_err(),
        "jwt-signature-invalid"
    );
    let unknown = with(&header(), "kid", json!("elsewhere"));
    assert_eq!(
        server.verify(unknown, &good()).unwrap_err(),
        "jwt-key-unknown"
    );
    // An algorithm that no key is for.
    let rsa = Key::rsa();
    let token = rsa.jwt(
        JwsAlg::RS256,
        &map(with(&header(), "alg", json!("RS256"))),
        &good(),
    );
    assert_eq!(server.read(&token, NOW).unwrap_err(), "jwt-key-unknown");
    // A key that states its algorithm serves no other.
    let jwk =
        udap_proto::jwk::Jwk::from_public_key(&rsa.public(), None, Some(JwsAlg::RS384)).unwrap();
    let strict = Server {
        key: foreign,
        keys: JwkSet::new(vec![jwk]),
    };
    assert_eq!(strict.read(&token, NOW).unwrap_err(), "jwt-key-unknown");
}

#[test]
fn unsigned_and_hmac_tokens_are_refused() {
    let server = Server::new();
    for alg in ["none", "HS256"] {
        let header = with(&header(), "alg", json!(alg)).to_string();
        for signature in ["", &b64([7; 32])] {
            let token = format!("{}.{}.{signature}", b64(&header), b64(good().to_string()));
            assert_eq!(
                server.read(&token, NOW).unwrap_err(),
                "jwt-alg-refused",
                "{alg}"
            );
        }
    }
    for token in ["", "opaque", "a.b.c"] {
        assert_eq!(
            server.read(token, NOW).unwrap_err(),
            "jwt-malformed",
            "{token}"
        );
    }
}

#[test]
fn an_opaque_token_is_told_by_its_form() {
    let token = access_token::opaque(&[255; 32]);
    assert!(access_token::is_opaque(token.as_bytes()));
    for other in [
        "",
        "a.b.c",
        &token[1..],
        &format!("{token}x"),
        &token.replace('_', "/"),
    ] {
        assert!(!access_token::is_opaque(other.as_bytes()), "{other}");
    }
}

/// A binding that is not understood must not make a token that serves everybody.
#[test]
fn a_token_whose_binding_is_unknown_is_refused() {
    let server = Server::new();
    for cnf in [
        json!({}),
        json!({"jwk": {}}),
        json!("x"),
        json!({"jkt": "x"}),
    ] {
        let claims = with(&good(), "cnf", cnf);
        let refused = server.verify(header(), &claims).unwrap_err();
        assert_eq!(refused, "claim-malformed");
    }
}
