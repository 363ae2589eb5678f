//! Bound tokens, opaque tokens, and members that a certificate alone tells.

use std::sync::{Arc, atomic::Ordering};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Request;
use serde_json::{Value, json};
use udap_host::{
    dpop::{Dpop, Nonces},
    listen::{ClientCertificate, ClientCertificateError, MutualTls},
    token_status::{Kept, Member},
};
use udap_pki::{Certificate, PublicKey};
use udap_proto::{
    access_token::{self, AccessToken},
    confirmation::Confirmation,
    dpop::thumbprint,
    jwk::Jwk,
    jws::Unsigned,
};

use crate::kit::{Answer, BASE, Kit, NOW, claims};

const SCOPE: &str = "system/*.rs";
const TARGET: &str = "/r4/Patient/1";

/// The handshake of a client with a certificate of its own.
fn shown(name: &str) -> (MutualTls, [u8; 32]) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let leaf = Certificate::from_der(&der).unwrap();
    let hash = *leaf.sha256();
    let intermediates = Vec::new();
    let shown = ClientCertificate {
        leaf,
        intermediates,
    };
    (MutualTls::Presented(Arc::new(shown)), hash)
}

/// The key of a client that proves its possession.
struct Prover(EcdsaKeyPair);

impl Prover {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self) -> Jwk {
        let der = self.0.public_key().as_der().unwrap();
        let key = PublicKey::from_spki_der(der.as_ref()).unwrap();
        Jwk::from_public_key(&key, None, None).unwrap()
    }

    fn hash(&self) -> [u8; 32] {
        thumbprint(&self.jwk())
    }

    /// A proof for a read with this token, with claims changed.
    fn proof(&self, token: &str, changes: &Value) -> String {
        let mut claims = json!({
            "jti": unique(),
            "htm": "GET",
            "htu": format!("{BASE}/Patient/1"),
            "iat": NOW,
            "ath": URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())),
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk().to_json()});
        let unsigned = Unsigned::new(&header, &claims);
        let signature = self.0.sign(&SystemRandom::new(), unsigned.signing_input());
        unsigned.with_signature(signature.unwrap().as_ref())
    }
}

fn unique() -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    format!("proof-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn bound(certificate: Option<[u8; 32]>, key: Option<[u8; 32]>) -> AccessToken {
    AccessToken {
        cnf: Confirmation { certificate, key },
        ..claims(SCOPE)
    }
}

/// A kit whose gateway looks at proofs.
async fn proving(nonces: Nonces) -> Kit {
    let dpop = Dpop::new(nonces);
    dpop.advertise();
    Kit::with(|config| config.dpop = Some(Arc::new(dpop))).await
}

async fn ask(
    kit: &Kit,
    authorization: Option<String>,
    tls: Option<&MutualTls>,
    proofs: &[&str],
) -> Answer {
    let mut request = Request::builder().uri(TARGET);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    let mut request = request.body(Body::empty()).unwrap();
    if let Some(tls) = tls {
        request.extensions_mut().insert(tls.clone());
    }
    Answer::of(kit.call(request).await).await
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

fn dpop(token: &str) -> Option<String> {
    Some(format!("DPoP {token}"))
}

fn challenges(answer: &Answer) -> Vec<&str> {
    let all = answer.headers.get_all("www-authenticate").iter();
    all.map(|value| value.to_str().unwrap()).collect()
}

/// UDAP Mutual TLS §4: 403 and `invalid_grant`, whatever is wrong with the certificate.
#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_serves_with_that_one_only() {
    let kit = Kit::new().await;
    let (own, hash) = shown("app");
    let (renewed, _) = shown("app");
    let token = kit.issuer.sign(&bound(Some(hash), None));
    let refused = [
        (None, "token-bound-to-certificate", "invalid_grant"),
        (
            Some(MutualTls::Absent),
            "token-bound-to-certificate",
            "invalid_grant",
        ),
        // Of the same app, by name.
        (Some(renewed), "token-certificate-mismatch", "invalid_grant"),
        (
            Some(MutualTls::Unusable(ClientCertificateError::UntrustedProxy)),
            "client-cert-header-refused",
            "invalid_client",
        ),
    ];
    // Each twice, and the good one between: what is remembered of a token is not that it was shown.
    for _ in 0..2 {
        for (tls, code, error) in &refused {
            let answer = ask(&kit, bearer(&token), tls.as_ref(), &[]).await;
            assert_eq!(answer.refusal(), (403, (*code).to_owned()));
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.contains(&format!("error=\"{error}\"")),
                "{challenge}"
            );
        }
        assert_eq!(ask(&kit, bearer(&token), Some(&own), &[]).await.status, 200);
    }
    assert_eq!(kit.fhir.count(), 2);
    // A token that is not bound serves over any connection.
    let plain = kit.issuer.token(SCOPE);
    assert_eq!(ask(&kit, bearer(&plain), Some(&own), &[]).await.status, 200);
    let audited = kit.audited().join("\n");
    assert!(audited.contains("client-1"), "{audited}");
    assert!(
        audited.contains("refused GET token-certificate-mismatch"),
        "{audited}"
    );
}

#[tokio::test]
async fn a_certificate_that_was_good_a_request_ago_is_asked_about_again() {
    let kit = Kit::new().await;
    let (own, hash) = shown("app");
    let token = kit.issuer.sign(&bound(Some(hash), None));
    assert_eq!(ask(&kit, bearer(&token), Some(&own), &[]).await.status, 200);
    kit.status.end("certificate-revoked");
    let answer = ask(&kit, bearer(&token), Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "certificate-revoked".to_owned()));
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_serves_with_a_proof() {
    let kit = proving(Nonces::Off).await;
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(None, Some(key.hash())));
    let good = key.proof(&token, &json!({}));
    let answer = ask(&kit, dpop(&token), None, &[&good]).await;
    assert_eq!(answer.status, 200);
    // Neither goes on to the FHIR server.
    let seen = kit.fhir.last().headers;
    assert!(!seen.contains_key("dpop") && !seen.contains_key("authorization"));

    let with = |name: &str, value: Value| vec![key.proof(&token, &json!({ name: value }))];
    let other = Prover::new();
    let plain = kit.issuer.token(SCOPE);
    let (one, two) = (key.proof(&token, &json!({})), key.proof(&token, &json!({})));
    let elsewhere = json!("https://gw.example/r4/Patient/2");
    for (what, authorization, proofs, code, error) in [
        (
            "sent again",
            dpop(&token),
            vec![good],
            "dpop-proof-replayed",
            "invalid_dpop_proof",
        ),
        (
            "without",
            dpop(&token),
            vec![],
            "dpop-proof-missing",
            "invalid_dpop_proof",
        ),
        (
            "two",
            dpop(&token),
            vec![one, two],
            "dpop-proof-ambiguous",
            "invalid_dpop_proof",
        ),
        (
            "POST",
            dpop(&token),
            with("htm", json!("POST")),
            "dpop-htm-mismatch",
            "invalid_dpop_proof",
        ),
        (
            "HEAD",
            dpop(&token),
            with("htm", json!("HEAD")),
            "dpop-htm-mismatch",
            "invalid_dpop_proof",
        ),
        (
            "elsewhere",
            dpop(&token),
            with("htu", elsewhere),
            "dpop-htu-mismatch",
            "invalid_dpop_proof",
        ),
        (
            "old",
            dpop(&token),
            with("iat", json!(NOW - 91)),
            "dpop-proof-old",
            "invalid_dpop_proof",
        ),
        (
            "without ath",
            dpop(&token),
            with("ath", Value::Null),
            "claim-missing",
            "invalid_dpop_proof",
        ),
        (
            "of another token",
            dpop(&token),
            vec![key.proof(&plain, &json!({}))],
            "dpop-ath-mismatch",
            "invalid_dpop_proof",
        ),
        (
            "of another key",
            dpop(&token),
            vec![other.proof(&token, &json!({}))],
            "token-key-mismatch",
            "invalid_token",
        ),
        (
            "borne",
            bearer(&token),
            vec![key.proof(&token, &json!({}))],
            "token-bound-to-key",
            "invalid_token",
        ),
        (
            "not bound",
            dpop(&plain),
            vec![key.proof(&plain, &json!({}))],
            "token-not-bound-to-key",
            "invalid_token",
        ),
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let answer = ask(&kit, authorization, None, &proofs).await;
        assert_eq!(answer.refusal(), (401, code.to_owned()), "{what}");
        let challenges = challenges(&answer);
        let told = challenges.iter().find(|c| c.contains("error="));
        let told = told.expect(what);
        assert!(
            told.contains(&format!("error=\"{error}\"")),
            "{what}: {told}"
        );
        assert!(
            challenges
                .iter()
                .any(|c| c.starts_with("DPoP ") && c.contains("algs=\"ES256 "))
        );
    }
    assert_eq!(kit.fhir.count(), 1);
}

/// RFC 9449 §4.3: query and fragment do not count; the Host header never does.
#[tokio::test]
async fn the_address_is_the_configured_one() {
    let kit = proving(Nonces::Off).await;
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(None, Some(key.hash())));
    let get = async |target: &str, host: &str, htu: &str| {
        let proof = key.proof(&token, &json!({"htu": htu}));
        let request = Request::builder()
            .uri(target)
            .header("host", host)
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof);
        let answer = kit.call(request.body(Body::empty()).unwrap()).await;
        Answer::of(answer).await
    };
    let plain = "https://gw.example/r4/Patient";
    for htu in [
        plain,
        "HTTPS://GW.example:443/r4/Patient",
        "https://gw.example/r4/Patient?name=x#y",
    ] {
        assert_eq!(
            get("/r4/Patient?name=a", "gw.example", htu).await.status,
            200,
            "{htu}"
        );
    }
    let inside = "https://10.0.0.5/r4/Patient";
    for (host, htu) in [
        ("10.0.0.5", inside),
        ("gw.example", inside),
        ("gw.example", "https://gw.example/r4"),
    ] {
        let answer = get("/r4/Patient?name=a", host, htu).await;
        assert_eq!(
            answer.refusal(),
            (401, "dpop-htu-mismatch".to_owned()),
            "{host} {htu}"
        );
    }
    // A request for the same thing under another spelling of its path needs a proof for that path.
    assert_eq!(get("/r4/Patient", "10.0.0.5", plain).await.status, 200);
}

/// A proof for its own sender is not spent by somebody who has another key's token.
#[tokio::test]
async fn a_proof_is_taken_only_from_whom_it_is() {
    let kit = proving(Nonces::Off).await;
    let (key, other) = (Prover::new(), Prover::new());
    let stolen = kit.issuer.sign(&bound(None, Some(other.hash())));
    let proof = key.proof(&stolen, &json!({}));
    for _ in 0..2 {
        let answer = ask(&kit, dpop(&stolen), None, &[&proof]).await;
        assert_eq!(answer.refusal(), (401, "token-key-mismatch".to_owned()));
    }
}

/// Whoever has a token that was ended, and its key, spends no memory: what it sends is not remembered.
#[tokio::test]
async fn a_proof_is_taken_only_with_a_token_that_counts() {
    let kit = proving(Nonces::Off).await;
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(None, Some(key.hash())));
    let proofs: Vec<_> = (0..100).map(|_| key.proof(&token, &json!({}))).collect();
    for code in ["registration-suspended", "temporarily-unavailable"] {
        kit.status.end(code);
        for proof in &proofs {
            let answer = ask(&kit, dpop(&token), None, &[proof]).await;
            assert_eq!(answer.code(), code);
        }
    }
    kit.status.begin();
    for proof in &proofs {
        assert_eq!(ask(&kit, dpop(&token), None, &[proof]).await.status, 200);
    }
    // From then on each is known.
    for proof in &proofs {
        let answer = ask(&kit, dpop(&token), None, &[proof]).await;
        assert_eq!(answer.refusal(), (401, "dpop-proof-replayed".to_owned()));
    }
    assert_eq!(kit.fhir.count(), 100);
}

/// What lapsed is not remembered for ever, and so does not serve, however long it took to be judged.
#[tokio::test]
async fn a_proof_that_lapsed_while_its_token_was_looked_at_is_not_taken() {
    let kit = proving(Nonces::Off).await;
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(None, Some(key.hash())));
    let proof = key.proof(&token, &json!({}));
    kit.status.slow.store(90, Ordering::Relaxed);
    let answer = ask(&kit, dpop(&token), None, &[&proof]).await;
    assert_eq!(answer.refusal(), (401, "dpop-proof-old".to_owned()));
    assert_eq!(kit.fhir.count(), 0);
}

#[tokio::test]
async fn where_proofs_are_off_a_token_that_needs_one_does_not_serve() {
    let kit = Kit::new().await;
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(None, Some(key.hash())));
    let proof = key.proof(&token, &json!({}));
    for authorization in [dpop(&token), bearer(&token)] {
        let answer = ask(&kit, authorization, None, &[&proof]).await;
        assert_eq!(answer.refusal(), (401, "token-bound-to-key".to_owned()));
    }
    let plain = kit.issuer.token(SCOPE);
    let answer = ask(&kit, dpop(&plain), None, &[]).await;
    assert_eq!(answer.refusal(), (401, "token-not-bound-to-key".to_owned()));
    assert_eq!(kit.fhir.count(), 0);
}

#[tokio::test]
async fn a_nonce_is_given_out_with_each_answer_and_demanded() {
    let kit = proving(Nonces::Demanded).await;
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(None, Some(key.hash())));
    let answer = ask(&kit, dpop(&token), None, &[&key.proof(&token, &json!({}))]).await;
    assert_eq!(answer.refusal(), (401, "dpop-nonce-missing".to_owned()));
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"use_dpop_nonce\"")
    );
    let nonce = answer.header("dpop-nonce").to_owned();
    let proof = key.proof(&token, &json!({"nonce": nonce}));
    let answer = ask(&kit, dpop(&token), None, &[&proof]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("dpop-nonce")),
        (200, &*nonce)
    );
    // A nonce of before lapses, and so does the proof with it.
    kit.now.fetch_add(30 * 60, Ordering::Relaxed);
    let late = kit.now.load(Ordering::Relaxed);
    let token = AccessToken {
        exp: udap_pki::UnixTime(late + 60),
        ..bound(None, Some(key.hash()))
    };
    let token = kit.issuer.sign(&token);
    let proof = key.proof(&token, &json!({"nonce": nonce, "iat": late}));
    let answer = ask(&kit, dpop(&token), None, &[&proof]).await;
    assert_eq!(answer.refusal(), (401, "dpop-nonce-unknown".to_owned()));
}

#[tokio::test]
async fn a_token_can_need_both() {
    let kit = proving(Nonces::Off).await;
    let (own, hash) = shown("app");
    let (other, _) = shown("other");
    let key = Prover::new();
    let token = kit.issuer.sign(&bound(Some(hash), Some(key.hash())));
    let proof = || key.proof(&token, &json!({}));
    let answer = ask(&kit, dpop(&token), Some(&other), &[&proof()]).await;
    assert_eq!(
        answer.refusal(),
        (403, "token-certificate-mismatch".to_owned())
    );
    let answer = ask(&kit, bearer(&token), Some(&own), &[&proof()]).await;
    assert_eq!(answer.refusal(), (401, "token-bound-to-key".to_owned()));
    let answer = ask(&kit, dpop(&token), Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "dpop-proof-missing".to_owned()));
    let answer = ask(&kit, dpop(&token), Some(&own), &[&proof()]).await;
    assert_eq!(answer.status, 200);
}

/// Whoever takes `cnf` out of a JWT has another JWT, which nobody signed; and what is not understood
/// in it is not left out.
#[tokio::test]
async fn a_binding_cannot_be_dropped() {
    let kit = Kit::new().await;
    let (_, hash) = shown("app");
    let token = kit.issuer.sign(&bound(Some(hash), None));
    let parts: Vec<&str> = token.split('.').collect();
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let mut payload: Value = serde_json::from_slice(&payload).unwrap();
    payload.as_object_mut().unwrap().remove("cnf").unwrap();
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let dropped = format!("{}.{payload}.{}", parts[0], parts[2]);
    let answer = ask(&kit, bearer(&dropped), None, &[]).await;
    assert_eq!(answer.refusal(), (401, "jwt-signature-invalid".to_owned()));
}

#[tokio::test]
async fn an_opaque_token_is_looked_up_once_and_judged_like_any_other() {
    let kit = proving(Nonces::Off).await;
    let token = access_token::opaque(&[9; 32]);
    let answer = ask(&kit, bearer(&token), None, &[]).await;
    assert_eq!(answer.refusal(), (401, "token-unknown".to_owned()));
    kit.status
        .keeps(&token, Kept::Record(claims(SCOPE).record()));
    for _ in 0..3 {
        assert_eq!(ask(&kit, bearer(&token), None, &[]).await.status, 200);
    }
    // Once in vain, once for good.
    assert_eq!(kit.status.looked_up.load(Ordering::Relaxed), 2);
    kit.status.end("registration-cancelled");
    let answer = ask(&kit, bearer(&token), None, &[]).await;
    assert_eq!(answer.refusal(), (401, "registration-cancelled".to_owned()));

    let kit = proving(Nonces::Off).await;
    let key = Prover::new();
    let (own, hash) = shown("app");
    let record = bound(Some(hash), Some(key.hash())).record();
    kit.status.keeps(&token, Kept::Record(record));
    let answer = ask(&kit, bearer(&token), None, &[]).await;
    assert_eq!(
        answer.refusal(),
        (403, "token-bound-to-certificate".to_owned())
    );
    let answer = ask(&kit, bearer(&token), Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "token-bound-to-key".to_owned()));
    let proof = key.proof(&token, &json!({}));
    assert_eq!(
        ask(&kit, dpop(&token), Some(&own), &[&proof]).await.status,
        200
    );
    kit.now.fetch_add(300, Ordering::Relaxed);
    let answer = ask(&kit, bearer(&token), Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "jwt-expired".to_owned()));
    kit.status.keeps(&token, Kept::Unavailable);
    let answer = ask(&kit, bearer(&token), Some(&own), &[]).await;
    assert_eq!(
        answer.refusal(),
        (503, "temporarily-unavailable".to_owned())
    );
    let elsewhere = AccessToken {
        aud: "https://other.example/r4".into(),
        ..claims(SCOPE)
    };
    kit.status.keeps(&token, Kept::Record(elsewhere.record()));
    let answer = ask(&kit, bearer(&token), Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "aud-mismatch".to_owned()));
    kit.status.keeps(&token, Kept::Record("{".to_owned()));
    let answer = ask(&kit, bearer(&token), Some(&own), &[]).await;
    assert_eq!(
        answer.refusal(),
        (401, "token-record-unreadable".to_owned())
    );
}

/// UDAP Mutual TLS §4, without OAuth: the certificate, or 403.
#[tokio::test]
async fn a_member_without_a_token_is_served_by_its_certificate_or_gets_403() {
    let kit = Kit::new().await;
    let (own, hash) = shown("app");
    // Where that is not offered, a token is what is missing.
    let answer = ask(&kit, None, Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "token-missing".to_owned()));
    let record = bound(Some(hash), None).record();
    kit.status.member_is(Member::Record(record));
    assert_eq!(ask(&kit, None, Some(&own), &[]).await.status, 200);
    // The scopes decide as ever.
    let narrow = AccessToken {
        cnf: Confirmation::default(),
        ..claims("system/Observation.rs")
    };
    kit.status.member_is(Member::Record(narrow.record()));
    let answer = ask(&kit, None, Some(&own), &[]).await;
    assert_eq!(answer.status, 403);
    let refused = |code, why: &str| Member::Refused {
        code,
        why: why.to_owned(),
    };
    kit.status
        .member_is(refused("certificate-revoked", "it was revoked"));
    let answer = ask(&kit, None, Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (403, "certificate-revoked".to_owned()));
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"invalid_client\"")
    );
    kit.status
        .member_is(refused("temporarily-unavailable", "for the moment"));
    assert_eq!(ask(&kit, None, Some(&own), &[]).await.status, 503);
    // Whoever shows nothing is asked for a token; a header by anybody is refused.
    for tls in [None, Some(&MutualTls::Absent)] {
        let answer = ask(&kit, None, tls, &[]).await;
        assert_eq!(answer.refusal(), (401, "token-missing".to_owned()));
    }
    let junk = MutualTls::Unusable(ClientCertificateError::UntrustedProxy);
    let answer = ask(&kit, None, Some(&junk), &[]).await;
    assert_eq!(
        answer.refusal(),
        (403, "client-cert-header-refused".to_owned())
    );
    // A bad token is not overlooked for a good certificate.
    let answer = ask(&kit, bearer("x.y.z"), Some(&own), &[]).await;
    assert_eq!(answer.status, 401);
    let answer = ask(&kit, Some("Basic eDp5".to_owned()), Some(&own), &[]).await;
    assert_eq!(answer.refusal(), (401, "token-missing".to_owned()));
}

/// A header smuggled in where nobody is asked for a certificate is no certificate, and stays here.
#[tokio::test]
async fn a_certificate_header_is_not_read_and_not_passed_on() {
    let kit = Kit::new().await;
    kit.status.member_is(Member::Record(claims(SCOPE).record()));
    let request = |authorization: Option<String>| {
        let mut request = Request::builder()
            .uri(TARGET)
            .header("client-cert", ":AAAA:")
            .header("client-cert-chain", ":AAAA:")
            .header("x-client-cert", "x");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.body(Body::empty()).unwrap()
    };
    let answer = Answer::of(kit.call(request(None)).await).await;
    assert_eq!(answer.refusal(), (401, "token-missing".to_owned()));
    let (_, hash) = shown("app");
    let token = kit.issuer.sign(&bound(Some(hash), None));
    let answer = Answer::of(kit.call(request(bearer(&token))).await).await;
    assert_eq!(
        answer.refusal(),
        (403, "token-bound-to-certificate".to_owned())
    );
    let plain = kit.issuer.token(SCOPE);
    assert_eq!(kit.call(request(bearer(&plain))).await.status(), 200);
    let seen = kit.fhir.last().headers;
    assert!(
        !seen
            .keys()
            .any(|name| name.as_str().contains("client-cert"))
    );
}

/// The same FHIR server at two addresses: tokens are for the one that everybody knows.
#[tokio::test]
async fn the_audience_of_tokens_can_be_another_address() {
    let kit = Kit::with(|config| {
        config.audience = "https://main.example/r4".to_owned();
    })
    .await;
    let elsewhere = kit.issuer.token(SCOPE);
    let answer = ask(&kit, bearer(&elsewhere), None, &[]).await;
    assert_eq!(answer.refusal(), (401, "aud-mismatch".to_owned()));
    let token = AccessToken {
        aud: "https://main.example/r4".into(),
        ..claims(SCOPE)
    };
    let token = kit.issuer.sign(&token);
    assert_eq!(ask(&kit, bearer(&token), None, &[]).await.status, 200);
}
