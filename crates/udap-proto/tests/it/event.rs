//! Security event tokens.

use crate::{map, verdict, with};
use serde_json::{Map, Value, json};
use udap_pki::{UnixTime, Valid};
use udap_proto::Refusal as _;
use udap_proto::event::{self, Verified};
use udap_proto::jws::{JwsAlg, Unsigned};
use udap_testkit::{Member, NOW, TestPki};

const HUB: &str = "https://community.example/events";
const US: &str = "https://holder.example/fhir";
const REVOKED: &str = "https://schemas.example/certificate-revoked";

struct Hub {
    member: Member,
    verdict: Valid,
}

impl Hub {
    fn new() -> Self {
        let pki = TestPki::new("https://community.example");
        let member = pki.leaf(HUB);
        Self {
            verdict: verdict(&pki, &member.chain),
            member,
        }
    }

    fn sign(&self, unsigned: Unsigned) -> String {
        let signature = self
            .member
            .signer
            .sign_now(JwsAlg::ES256.scheme(), unsigned.signing_input());
        unsigned.with_signature(&signature.unwrap())
    }

    fn read(&self, compact: &str) -> Result<Verified, &'static str> {
        event::verify_signature(compact, &[JwsAlg::ES256])
            .map_err(|e| e.code())?
            .verify(&self.verdict, HUB, US, NOW)
            .map_err(|e| e.code())
    }

    /// These claims under the header of a right event, or with another `typ`.
    fn offer(&self, typ: &str, claims: &Value) -> Result<Verified, &'static str> {
        let right = self.sign(event::unsigned(
            JwsAlg::ES256,
            &self.member.chain,
            HUB,
            &[US],
            NOW,
            "e-1",
            &events(),
        ));
        let mut header = udap_proto::jws::Jws::parse(&right)
            .unwrap()
            .header()
            .clone();
        header.insert("typ".into(), typ.into());
        self.read(&self.sign(Unsigned::new(&header, claims.as_object().unwrap())))
    }
}

fn events() -> Map<String, Value> {
    map(json!({REVOKED: {"serial": "01"}}))
}

fn good() -> Value {
    json!({"iss": HUB, "aud": [US, "https://other.example"], "iat": NOW.0, "jti": "e-1", "events": events()})
}

#[test]
fn an_event_goes_around() {
    let hub = Hub::new();
    let unsigned = event::unsigned(
        JwsAlg::ES256,
        &hub.member.chain,
        HUB,
        &[US],
        NOW,
        "e-1",
        &events(),
    );
    let verified = hub.read(&hub.sign(unsigned)).unwrap();
    assert_eq!(
        (verified.issuer(), verified.jti(), verified.iat()),
        (HUB, "e-1", NOW)
    );
    assert_eq!(
        verified.events().get(REVOKED),
        Some(&json!({"serial": "01"}))
    );
    let later = with(
        &with(&good(), "iat", json!(NOW.0 - 900_000)),
        "toe",
        json!(NOW.0 - 900_001),
    );
    assert_eq!(
        hub.offer("secevent+jwt", &later).unwrap().toe(),
        Some(UnixTime(NOW.0 - 900_001))
    );
    assert!(hub.offer("application/SECEVENT+jwt", &good()).is_ok());
}

#[test]
fn each_rule_refuses() {
    let hub = Hub::new();
    for claim in ["iss", "aud", "iat", "jti", "events"] {
        let refused = hub
            .offer("secevent+jwt", &with(&good(), claim, Value::Null))
            .unwrap_err();
        assert_eq!(refused, "claim-missing", "{claim}");
    }
    let many: Map<String, Value> = (0..17)
        .map(|i| (format!("https://e.example/{i}"), json!({})))
        .collect();
    for (claim, value, expected) in [
        ("iss", json!("https://other.example"), "san-uri-mismatch"),
        ("aud", json!("https://other.example"), "aud-mismatch"),
        ("iat", json!(NOW.0 + 31), "jwt-from-the-future"),
        ("exp", json!(NOW.0 - 30), "jwt-expired"),
        ("jti", json!("j".repeat(257)), "claim-malformed"),
        ("events", json!({}), "claim-malformed"),
        ("events", json!([REVOKED]), "claim-malformed"),
        ("events", json!({REVOKED: true}), "claim-malformed"),
        ("events", json!({"revoked": {}}), "claim-malformed"),
        ("events", json!(many), "claim-malformed"),
        ("toe", json!("yesterday"), "claim-malformed"),
    ] {
        let refused = hub
            .offer("secevent+jwt", &with(&good(), claim, value.clone()))
            .unwrap_err();
        assert_eq!(refused, expected, "{claim} {value}");
    }
    for typ in ["JWT", "at+jwt", "secevent", ""] {
        assert_eq!(
            hub.offer(typ, &good()).unwrap_err(),
            "not-a-security-event",
            "{typ}"
        );
    }
}

#[test]
fn only_the_configured_issuer_is_heard() {
    let pki = TestPki::new("https://community.example");
    // A member of the same community with a certificate of its own.
    let member = pki.leaf("https://app.example");
    let hub = Hub {
        verdict: verdict(&pki, &member.chain),
        member,
    };
    let own = with(&good(), "iss", json!("https://app.example"));
    assert_eq!(hub.offer("secevent+jwt", &own).unwrap_err(), "iss-mismatch");
}
