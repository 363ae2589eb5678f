//! Every kind of JWT, made right and signed right by one trusted member with one key, offered where
//! each other kind is expected. The member is everything at once under one URI (data holder, app,
//! certifier, identity provider, client of itself), so that nothing but the kind tells them apart.

use crate::keys::Key;
use crate::{map, verdict};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use udap_pki::{Certificate, Valid};
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::JwsAlg;
use udap_proto::{
    Refusal, access_token, assertion, authorization, bundle, certification, dpop, event, id_token,
    metadata, smart, statement, vouched,
};
use udap_testkit::{KeyType, Member, NOW, TestPki};

const URI: &str = "https://all.example/fhir";
const REGISTER: &str = "https://all.example/register";
const TOKEN: &str = "https://all.example/token";
/// One that every kind may be signed with.
const ALG: JwsAlg = JwsAlg::ES384;
const ALGS: &[JwsAlg] = &[ALG];
/// Who is authorized by an authorization assertion, which nobody makes for itself.
const CLIENT: &str = "client-7";
const KINDS: [&str; 12] = [
    "metadata",
    "statement",
    "authentication",
    "smart-authentication",
    "authorization",
    "certification",
    "id-token",
    "access-token",
    "event",
    "bundle",
    "vouched",
    "dpop-proof",
];

struct All {
    member: Member,
    verdict: Valid,
    keys: JwkSet,
}

impl All {
    fn new() -> Self {
        let pki = TestPki::new("https://community.example");
        let member = pki.member(URI).key(KeyType::P384).issue();
        let key = member.leaf().public_key().unwrap();
        let jwk = Jwk::from_public_key(key, Some("k".into()), None).unwrap();
        Self {
            verdict: verdict(&pki, &member.chain),
            keys: JwkSet::new(vec![jwk]),
            member,
        }
    }

    fn make(&self, kind: &str) -> String {
        let common = json!({
            "iss": URI, "sub": URI, "iat": NOW.0, "exp": NOW.0 + 300, "jti": "j-1",
        });
        let parameters = json!({
            "client_name": "App", "grant_types": ["client_credentials"], "scope": "system/Patient.rs",
            "token_endpoint_auth_method": "private_key_jwt", "contacts": ["mailto:ops@all.example"],
        });
        let (typ, claims) = match kind {
            "metadata" => (
                None,
                json!({"token_endpoint": TOKEN, "registration_endpoint": REGISTER}),
            ),
            "statement" => (None, merge(&json!({"aud": REGISTER}), &parameters)),
            // A server is free to choose the app's URI as its client_id.
            "authentication" => (None, json!({"aud": TOKEN})),
            "smart-authentication" => {
                return self.without_certificates(&merge(&common, &json!({"aud": TOKEN})));
            }
            "authorization" => (None, json!({"aud": TOKEN, "sub": CLIENT, "azp": CLIENT})),
            // Signed by the app itself, as short-lived as a statement and for the same endpoint.
            "certification" => (
                None,
                merge(
                    &json!({
                        "aud": REGISTER, "certification_name": "Self-assessment",
                        "certification_uris": ["https://all.example/programme"],
                    }),
                    &parameters,
                ),
            ),
            "id-token" => (
                None,
                json!({"sub": "user-7", "aud": URI, "nonce": "n-1", "acr": "http://udap.org/ial2"}),
            ),
            "access-token" => (
                Some("at+jwt"),
                json!({"aud": URI, "client_id": URI, "scope": "system/Patient.rs", "nonce": "n-1"}),
            ),
            // By an issuer about an app, with the issuer's keys in place of certificates.
            "vouched" => (
                None,
                merge(
                    &json!({
                        "sub": "https://all.example/apps/1", "aud": REGISTER,
                        "jwks_uri": "https://all.example/keys",
                    }),
                    &parameters,
                ),
            ),
            "bundle" => (
                Some("udap-bundle+jwt"),
                json!({"aud": URI, "sequence": 1, "community": {"uri": URI}}),
            ),
            // Names the same endpoint as its address as an authentication token as its audience.
            "dpop-proof" => (
                Some("dpop+jwt"),
                json!({"aud": TOKEN, "htm": "POST", "htu": TOKEN, "nonce": "n-1"}),
            ),
            _ => (
                Some("secevent+jwt"),
                json!({"aud": URI, "nonce": "n-1", "events": {"https://all.example/ended": {}}}),
            ),
        };
        self.sign(typ, &merge(&common, &claims))
    }

    /// What has certificates is not of this kind: that is what tells it from UDAP's.
    fn without_certificates(&self, claims: &Value) -> String {
        self.sign_with(&map(json!({"alg": ALG.as_str(), "kid": "k"})), claims)
    }

    fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        let x5c: Vec<_> = self
            .member
            .chain
            .iter()
            .map(|c: &Certificate| STANDARD.encode(c.der()))
            .collect();
        let mut header = map(json!({"alg": ALG.as_str(), "kid": "k", "x5c": x5c}));
        if claims.get("jwks_uri").is_some() {
            header.remove("x5c");
        }
        if let Some(typ) = typ {
            header.insert("typ".into(), typ.into());
        }
        if typ == Some("dpop+jwt") {
            let key = self.keys.keys()[0].to_json();
            header.insert("jwk".into(), key);
        }
        self.sign_with(&header, claims)
    }

    fn sign_with(&self, header: &Map<String, Value>, claims: &Value) -> String {
        let unsigned = udap_proto::jws::Unsigned::new(header, claims.as_object().unwrap());
        let scheme = ALG.scheme();
        let signature = self
            .member
            .signer
            .sign_now(scheme, unsigned.signing_input())
            .unwrap();
        unsigned.with_signature(&signature)
    }

    /// Every stage of the verifier of a kind.
    fn offer(&self, expected: &str, compact: &str) -> Result<(), &'static str> {
        let verdict = &self.verdict;
        match expected {
            "metadata" => {
                let body = json!({
                    "token_endpoint": TOKEN, "registration_endpoint": REGISTER, "signed_metadata": compact,
                });
                let signed = metadata::verify_signature(body.to_string().as_bytes(), ALGS);
                done(signed.map_err(code)?.verify(verdict, URI, NOW))
            }
            "statement" => {
                let signed = statement::verify_signature(compact, ALGS).map_err(code)?;
                done(signed.verify(verdict, REGISTER, NOW))
            }
            "authentication" => {
                let parsed = assertion::parse(compact, TOKEN, NOW).map_err(code)?;
                let signed = parsed.verify_signature(ALGS).map_err(code)?;
                done(signed.verify(verdict, URI))
            }
            "smart-authentication" => {
                let parsed = smart::parse(compact, &[TOKEN], NOW).map_err(code)?;
                done(parsed.verify(&self.keys))
            }
            "authorization" => {
                let signed = authorization::verify_signature(compact, TOKEN, ALGS, NOW);
                let client = authorization::Party {
                    client_id: CLIENT,
                    uri: "https://client.example",
                };
                done(
                    signed
                        .map_err(code)?
                        .verify(verdict, &[URI.to_owned()], client),
                )
            }
            "certification" => {
                let signed = certification::verify_signature(compact, ALGS).map_err(code)?;
                done(signed.verify(verdict, URI, REGISTER, NOW))
            }
            "id-token" => {
                let expected = id_token::Expected {
                    issuer: URI,
                    algorithms: ALGS,
                    client_id: URI,
                    nonce: "n-1",
                };
                done(id_token::verify(compact, &self.keys, &expected, NOW))
            }
            "vouched" => {
                let issuer = vouched::Issuer {
                    uri: URI.to_owned(),
                    subjects: vec!["https://all.example/apps/".to_owned()],
                    algorithms: ALGS.to_vec(),
                };
                let parsed = vouched::parse(compact, &issuer).map_err(code)?;
                done(parsed.verify(&self.keys, &issuer, REGISTER, NOW))
            }
            "bundle" => {
                let signed = bundle::verify_signature(compact, ALGS).map_err(code)?;
                done(signed.verify(bundle::Pinned::Certificate(verdict), URI, NOW))
            }
            "access-token" => done(access_token::verify(compact, &self.keys, URI, URI, NOW)),
            "dpop-proof" => {
                let expected = dpop::Expected {
                    method: "POST",
                    targets: &[TOKEN],
                    token_sha256: None,
                };
                done(dpop::verify(compact, &expected, NOW))
            }
            _ => {
                let signed = event::verify_signature(compact, ALGS).map_err(code)?;
                done(signed.verify(verdict, URI, URI, NOW))
            }
        }
    }
}

fn done<T, E: Refusal>(result: Result<T, E>) -> Result<(), &'static str> {
    result.map(|_| ()).map_err(code)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn code<E: Refusal>(error: E) -> &'static str {
    error.code()
}

fn merge(one: &Value, other: &Value) -> Value {
    let mut merged: Map<String, Value> = one.as_object().unwrap().clone();
    merged.extend(other.as_object().unwrap().clone());
    Value::Object(merged)
}

#[test]
fn no_kind_is_accepted_where_another_is_expected() {
    let all = All::new();
    let mut table = String::from("offered → expected: answer\n");
    for offered in KINDS {
        let compact = all.make(offered);
        writeln!(table, "\n{offered}").unwrap();
        for expected in KINDS {
            let answer = all.offer(expected, &compact);
            assert_eq!(
                answer.is_ok(),
                offered == expected,
                "{offered} as {expected}: {answer:?}"
            );
            writeln!(
                table,
                "  → {expected}: {}",
                answer.err().unwrap_or("accepted")
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

/// A declared type of another kind is refused even with the right claims.
#[test]
fn a_declared_type_is_believed() {
    let all = All::new();
    for kind in [
        "metadata",
        "statement",
        "authentication",
        "authorization",
        "certification",
        "id-token",
    ] {
        let compact = all.make(kind);
        let payload = udap_proto::jws::Jws::parse(&compact)
            .unwrap()
            .payload()
            .clone();
        for typ in [
            "at+jwt",
            "secevent+jwt",
            "udap-bundle+jwt",
            "dpop+jwt",
            "logout+jwt",
            "jose",
        ] {
            let typed = all.sign(Some(typ), &Value::Object(payload.clone()));
            assert_eq!(all.offer(kind, &typed), Err("jwt-typ"), "{kind} as {typ}");
        }
        let plain = all.sign(Some("JWT"), &Value::Object(payload));
        assert_eq!(all.offer(kind, &plain), Ok(()), "{kind}");
    }
}

/// A verdict about anybody else's certificate opens nothing.
#[test]
fn a_verdict_about_another_certificate_is_refused() {
    let mut all = All::new();
    let pki = TestPki::new("https://community.example");
    all.verdict = verdict(&pki, &pki.leaf(URI).chain);
    for kind in [
        "metadata",
        "statement",
        "authentication",
        "authorization",
        "certification",
        "event",
        "bundle",
    ] {
        let compact = all.make(kind);
        assert_eq!(all.offer(kind, &compact), Err("verdict-mismatch"), "{kind}");
    }
}

/// Signed with the right certificate in `x5c` and another key.
#[test]
fn a_stranger_with_the_members_certificate_is_refused() {
    let all = All::new();
    let thief = Key::p384();
    for kind in KINDS {
        let compact = all.make(kind);
        let (input, _) = compact.rsplit_once('.').unwrap();
        let signature = thief.sign(ALG, input.as_bytes());
        let forged = format!("{input}.{}", crate::keys::b64(signature));
        assert_eq!(
            all.offer(kind, &forged),
            Err("jwt-signature-invalid"),
            "{kind}"
        );
    }
}
