//! Certifications and endorsements: each claim's rule, and what a registration may ask for.

use crate::keys::Key;
use crate::{map, verdict, with};
use serde_json::{Value, json};
use udap_pki::{PublicKey, UnixTime, Valid};
use udap_proto::Refusal as _;
use udap_proto::certification::{self, Kind, MAX_LIFETIME_SECS, Verified};
use udap_proto::jws::JwsAlg;
use udap_proto::registration::{Change, ClientMetadata};
use udap_testkit::{DAY, Member, NOW, TestPki};

const CERTIFIER: &str = "https://certifier.example";
const APP: &str = "https://app.example";
const ENDPOINT: &str = "https://holder.example/register";

struct Setup {
    certifier: Member,
    verdict: Valid,
}

impl Setup {
    fn new() -> Self {
        let pki = TestPki::new("https://certifiers.example");
        // Names an app as well, so that it can also certify itself.
        let certifier = pki.member(CERTIFIER).uri(APP).issue();
        let verdict = verdict(&pki, &certifier.chain);
        Self { certifier, verdict }
    }

    fn verify(&self, claims: &Value) -> Result<Verified, &'static str> {
        self.verify_at(claims, NOW)
    }

    fn verify_at(&self, claims: &Value, now: UnixTime) -> Result<Verified, &'static str> {
        let compact = self.certifier.sign(claims);
        certification::verify_signature(&compact, &[JwsAlg::ES256])
            .map_err(|e| e.code())?
            .verify(&self.verdict, APP, ENDPOINT, now)
            .map_err(|e| e.code())
    }

    fn matches(
        &self,
        restriction: Value,
        registration: &ClientMetadata,
    ) -> Result<(), &'static str> {
        let mut claims = good();
        claims.as_object_mut().unwrap().extend(map(restriction));
        let verified = self.verify(&claims)?;
        verified
            .matches(registration, &any_key())
            .map_err(|e| e.param)
    }
}

fn any_key() -> PublicKey {
    Key::p256().public()
}

fn good() -> Value {
    json!({
        "iss": CERTIFIER, "sub": APP, "iat": NOW.0, "exp": NOW.0 + 30 * DAY, "jti": "c-1",
        "certification_name": "Good apps", "certification_issuer": "The certifier",
        "certification_uris": ["https://certifier.example/good"],
        "certification_status_endpoint": "https://certifier.example/status",
    })
}

fn self_signed() -> Value {
    let mut claims = with(&good(), "iss", json!(APP));
    for claim in ["certification_issuer", "certification_status_endpoint"] {
        claims = with(&claims, claim, Value::Null);
    }
    claims
}

fn registration(changes: &[(&str, Value)]) -> ClientMetadata {
    let mut params = json!({
        "client_name": "App", "grant_types": ["authorization_code"], "response_types": ["code"],
        "redirect_uris": ["https://app.example/t1/cb"], "logo_uri": "https://app.example/logo.png",
        "scope": "user/Patient.rs launch", "contacts": ["mailto:ops@app.example"],
        "token_endpoint_auth_method": "private_key_jwt", "software_id": "s-1",
    });
    for (name, value) in changes {
        params = with(&params, name, value.clone());
    }
    match Change::read(&map(params)).unwrap() {
        Change::Register(metadata) => metadata,
        Change::Cancel => unreachable!(),
    }
}

#[test]
fn a_certification_and_an_endorsement_are_read() {
    let setup = Setup::new();
    let verified = setup.verify(&good()).unwrap();
    assert_eq!(verified.issuer(), CERTIFIER);
    assert_eq!(verified.issuer_name(), Some("The certifier"));
    assert_eq!(verified.uris(), ["https://certifier.example/good"]);
    assert_eq!(verified.kind(), Kind::Certification);
    assert!(!verified.is_self_signed());
    assert_eq!(
        verified.status_endpoint(),
        Some("https://certifier.example/status")
    );
    assert_eq!(verified.leaf(), setup.certifier.leaf());

    let endorsement = setup
        .verify(&with(&good(), "is_endorsement", json!(true)))
        .unwrap();
    assert_eq!(endorsement.kind(), Kind::Endorsement);
    let own = setup.verify(&self_signed()).unwrap();
    assert!(own.is_self_signed());
    assert_eq!(own.issuer_name(), None);
}

#[test]
fn each_claim_rule_refuses() {
    let setup = Setup::new();
    for claim in [
        "iss",
        "sub",
        "iat",
        "exp",
        "jti",
        "certification_name",
        "certification_issuer",
    ] {
        assert_eq!(
            setup
                .verify(&with(&good(), claim, Value::Null))
                .unwrap_err(),
            "claim-missing",
            "{claim}"
        );
    }
    for (claim, value, expected) in [
        ("iss", json!("https://other.example"), "san-uri-mismatch"),
        (
            "iss",
            json!("https://certifier.example/"),
            "san-uri-mismatch",
        ),
        (
            "sub",
            json!("https://app.example/"),
            "certification-sub-mismatch",
        ),
        (
            "aud",
            json!("https://other.example/register"),
            "aud-mismatch",
        ),
        ("exp", json!(NOW.0 - 31), "exp-before-iat"),
        ("iat", json!(NOW.0 + 31), "jwt-from-the-future"),
        ("exp", json!(NOW.0 + MAX_LIFETIME_SECS + 1), "jwt-lifetime"),
        (
            "exp",
            json!(NOW.0 + 91 * DAY),
            "certification-outlives-signer",
        ),
        ("certification_name", json!(""), "claim-malformed"),
        ("certification_uris", json!([]), "claim-malformed"),
        (
            "certification_uris",
            json!("https://one.example"),
            "claim-malformed",
        ),
        ("certification_uris", json!([7]), "claim-malformed"),
        (
            "certification_status_endpoint",
            json!("http://certifier.example/status"),
            "claim-malformed",
        ),
        ("is_endorsement", json!("true"), "claim-malformed"),
        ("contacts", json!(["ops@app.example"]), "claim-malformed"),
        (
            "redirect_uris",
            json!(["https://*.example/cb"]),
            "claim-malformed",
        ),
        ("ip_allowed", json!(["example.org"]), "claim-malformed"),
        ("jwks", json!("https://app.example/jwks"), "claim-malformed"),
        ("jwks", json!({"keys": "none"}), "jwk-invalid"),
        (
            "jwks_uri",
            json!("https://app.example/jwks"),
            "certification-claim-misplaced",
        ),
        (
            "launch_uri",
            json!("https://app.example/launch"),
            "certification-claim-misplaced",
        ),
        ("scope", json!(["system/Patient.rs"]), "claim-malformed"),
    ] {
        assert_eq!(
            setup
                .verify(&with(&good(), claim, value.clone()))
                .unwrap_err(),
            expected,
            "{claim} {value}"
        );
    }
    let expired = UnixTime(NOW.0 + 30 * DAY + 30);
    assert_eq!(
        setup.verify_at(&good(), expired).unwrap_err(),
        "jwt-expired"
    );
    let with_redirects = with(&good(), "redirect_uris", json!(["https://app.example/cb"]));
    let for_services = with(
        &with_redirects,
        "grant_types",
        json!(["client_credentials"]),
    );
    assert_eq!(
        setup.verify(&for_services).unwrap_err(),
        "certification-claim-misplaced"
    );
}

#[test]
fn what_an_app_says_of_itself_has_no_issuer_and_names_a_programme() {
    let setup = Setup::new();
    for (claim, value, expected) in [
        (
            "certification_issuer",
            json!("Somebody"),
            "certification-claim-misplaced",
        ),
        (
            "certification_status_endpoint",
            json!("https://app.example/s"),
            "certification-claim-misplaced",
        ),
        ("certification_uris", Value::Null, "claim-missing"),
    ] {
        assert_eq!(
            setup
                .verify(&with(&self_signed(), claim, value))
                .unwrap_err(),
            expected,
            "{claim}"
        );
    }
}

#[test]
fn audience_and_lifetime_at_their_limits_are_accepted() {
    let pki = TestPki::new("https://certifiers.example");
    let certifier = pki
        .member(CERTIFIER)
        .valid(-DAY, MAX_LIFETIME_SECS + DAY)
        .issue();
    let setup = Setup {
        verdict: verdict(&pki, &certifier.chain),
        certifier,
    };
    let longest = with(&good(), "exp", json!(NOW.0 + MAX_LIFETIME_SECS));
    assert!(setup.verify(&longest).is_ok());
    for aud in [json!(ENDPOINT), json!(["https://x.example", ENDPOINT])] {
        assert!(setup.verify(&with(&good(), "aud", aud)).is_ok());
    }
}

#[test]
fn a_registration_may_ask_for_less_and_never_for_more() {
    let setup = Setup::new();
    let app = registration(&[]);
    let covered = json!({
        "client_name": "App", "software_id": "s-1", "logo_uri": "https://app.example/logo.png",
        "token_endpoint_auth_method": "private_key_jwt", "tos_uri": "https://app.example/tos",
        "contacts": ["mailto:ops@app.example", "https://app.example/help"],
        "redirect_uris": ["https://app.example/*/cb", "https://other.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "scope": "user/*.cruds launch openid", "launch_uri": "https://app.example/launch",
    });
    assert_eq!(setup.matches(covered, &app), Ok(()));
    assert_eq!(setup.matches(json!({}), &app), Ok(()));
    for (restriction, param) in [
        (json!({"client_name": "Other"}), "client_name"),
        (json!({"software_id": "s-2"}), "software_id"),
        (
            json!({"logo_uri": "https://app.example/other.png"}),
            "logo_uri",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "token_endpoint_auth_method",
        ),
        (json!({"contacts": ["mailto:else@app.example"]}), "contacts"),
        (
            json!({"redirect_uris": ["https://app.example/*"]}),
            "redirect_uris",
        ),
        (
            json!({"redirect_uris": ["https://app.example/%2A/cb"]}),
            "redirect_uris",
        ),
        (
            json!({"grant_types": ["client_credentials"]}),
            "grant_types",
        ),
        (json!({"response_types": ["token"]}), "response_types"),
        (json!({"scope": "user/Observation.rs launch"}), "scope"),
        (json!({"scope": "user/Patient.r launch"}), "scope"),
    ] {
        assert_eq!(
            setup.matches(restriction.clone(), &app),
            Err(param),
            "{restriction}"
        );
    }
    // A service has no redirect URI to compare.
    let service = registration(&[
        ("grant_types", json!(["client_credentials"])),
        ("redirect_uris", Value::Null),
        ("response_types", Value::Null),
        ("scope", json!("system/Patient.rs")),
    ]);
    let for_services = json!({"grant_types": ["client_credentials"], "scope": "system/*.rs"});
    assert_eq!(setup.matches(for_services, &service), Ok(()));
    assert_eq!(
        setup.matches(json!({"grant_types": ["authorization_code"]}), &service),
        Err("grant_types")
    );
}

#[test]
fn keys_and_addresses_bind_registration_and_requests() {
    let setup = Setup::new();
    let (own, other) = (Key::p256(), Key::p256());
    let mut claims = with(&good(), "jwks", json!({"keys": [own.jwk("a").to_json()]}));
    claims = with(
        &claims,
        "ip_allowed",
        json!(["192.0.2.0/24", "2001:db8::7"]),
    );
    let verified = setup.verify(&claims).unwrap();
    let app = registration(&[]);
    let (inside, outside) = ("192.0.2.9".parse().unwrap(), "192.0.3.9".parse().unwrap());
    assert_eq!(verified.matches(&app, &own.public()), Ok(()));
    assert_eq!(verified.matches_request(&own.public(), inside), Ok(()));
    let refused = verified.matches(&app, &other.public()).unwrap_err();
    assert_eq!(
        (refused.code(), refused.param),
        ("certification-mismatch", "jwks")
    );
    assert_eq!(
        verified
            .matches_request(&other.public(), inside)
            .unwrap_err()
            .param,
        "jwks"
    );
    assert_eq!(
        verified
            .matches_request(&own.public(), outside)
            .unwrap_err()
            .param,
        "ip_allowed"
    );
    // Keys of kinds that are not known here fit nobody, rather than everybody.
    let odd = with(&good(), "jwks", json!({"keys": [{"kty": "new"}]}));
    assert!(
        setup
            .verify(&odd)
            .unwrap()
            .matches(&app, &own.public())
            .is_err()
    );
}
