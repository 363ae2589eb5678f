//! What is refused, and with which code: JWS, each kind of JWT, and every kind offered where another
//! is expected.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access_token;
mod authorization;
mod bundle;
mod certification;
mod client_cert;
mod community;
mod conformance;
mod corpus;
mod dpop;
mod draft;
mod event;
mod extensions;
mod id_token;
mod jku;
mod jws;
mod keys;
mod kinds;
mod smart;
mod vectors;

use serde_json::{Map, Value};
use udap_pki::{Certificate, Evidence, Outcome, Policy, Request, Revocation, Valid};
use udap_testkit::{NOW, TestPki};

/// A verdict about a member of a community that does not publish CRLs.
fn verdict(pki: &TestPki, chain: &[Certificate]) -> Valid {
    let outcome = udap_pki::verify(&Request {
        leaf: chain.first().unwrap(),
        intermediates: chain,
        anchors: &[pki.anchor()],
        evidence: &Evidence::default(),
        now: NOW,
        policy: &Policy {
            revocation: Revocation::Off,
            ..Policy::default()
        },
    });
    match outcome {
        Outcome::Valid(valid) => valid,
        other => panic!("{other:?}"),
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

/// The same claims with one of them replaced, or left out when `value` is null.
fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    let map = claims.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
    claims
}
