//! The authentication token.

use super::{CLIENT, REQUEST, refused, registered};
use crate::support::{BASE, REGISTER, TOKEN, assertion, rsa, signer, world};
use serde_json::json;
use udap_pki::Scheme;
use udap_proto::jws::JwsAlg;
use udap_trust::keys::KeyType;

#[tokio::test]
async fn the_assertion() {
    let (holder, app, id) = registered().await;
    let rsa_app = world()
        .a
        .member(&["https://rsa.token-refused.example"])
        .key(&rsa(2).0)
        .issue();
    let rsa_id = holder.registered(&rsa_app).await;
    let good = || assertion(&app, &id);
    let rsa_good = || assertion(&rsa_app, &rsa_id);
    let now = udap_trust::clock::now().0;
    let table = vec![
        (
            "alg none",
            good().header("alg", "none"),
            REQUEST,
            "jwt-alg-refused",
        ),
        (
            "no alg",
            good().without_header("alg"),
            REQUEST,
            "jwt-alg-refused",
        ),
        (
            "PS256",
            rsa_good().alg(JwsAlg::PS256),
            REQUEST,
            "jwt-alg-refused",
        ),
        (
            "RS512",
            rsa_good().alg(JwsAlg::RS512),
            REQUEST,
            "jwt-alg-refused",
        ),
        (
            "RS256 with an EC key",
            good().header("alg", "RS256"),
            REQUEST,
            "jwt-alg-key-mismatch",
        ),
        (
            "crit",
            good().header("crit", json!(["x"])),
            REQUEST,
            "jwt-crit",
        ),
        (
            "a member twice",
            good().claims_text(|text| text.replacen('{', r#"{"iss":"x","#, 1)),
            REQUEST,
            "jwt-malformed",
        ),
        (
            "64 KiB",
            good().claim("x", "x".repeat(64 * 1024)),
            "413 invalid_request",
            "jwt-too-large",
        ),
        (
            "no x5c",
            good().without_header("x5c"),
            REQUEST,
            "x5c-missing",
        ),
        (
            "x5c in base64url",
            good().x5c(|x5c| x5c.into_iter().map(|t| t + "-_").collect()),
            REQUEST,
            "x5c-invalid",
        ),
        (
            "x5c with a line break",
            good().x5c(|x5c| x5c.into_iter().map(|t| t + "\n").collect()),
            REQUEST,
            "x5c-invalid",
        ),
        (
            "x5c in PEM",
            good().x5c(|_| vec![app.leaf().to_pem()]),
            REQUEST,
            "x5c-invalid",
        ),
        (
            "x5c empty",
            good().x5c(|_| Vec::new()),
            REQUEST,
            "x5c-invalid",
        ),
        (
            "eleven certificates",
            good().x5c(|x5c| vec![x5c[0].clone(); 11]),
            "413 invalid_request",
            "x5c-too-long",
        ),
        (
            "a leaf that is no certificate",
            good().x5c(|_| vec!["AAAA".into()]),
            REQUEST,
            "x5c-invalid",
        ),
        (
            "the issuer first",
            good().x5c(|x5c| x5c.into_iter().rev().collect()),
            REQUEST,
            "jwt-signature-invalid",
        ),
        (
            "a DER signature",
            good().scheme(Scheme::EcdsaSha256Der),
            REQUEST,
            "jwt-signature-invalid",
        ),
        (
            "another key",
            good().signed_by(&signer(KeyType::P256)),
            REQUEST,
            "jwt-signature-invalid",
        ),
        (
            "typ at+jwt",
            good().header("typ", "at+jwt"),
            CLIENT,
            "jwt-typ",
        ),
        (
            "typ dpop+jwt",
            good().header("typ", "dpop+jwt"),
            CLIENT,
            "jwt-typ",
        ),
        ("no iss", good().without("iss"), CLIENT, "claim-missing"),
        ("no sub", good().without("sub"), CLIENT, "claim-missing"),
        ("no aud", good().without("aud"), CLIENT, "claim-missing"),
        ("no exp", good().without("exp"), CLIENT, "claim-missing"),
        ("no iat", good().without("iat"), CLIENT, "claim-missing"),
        ("no jti", good().without("jti"), CLIENT, "claim-missing"),
        (
            "exp as text",
            good().claim("exp", (now + 300).to_string()),
            CLIENT,
            "claim-malformed",
        ),
        (
            "exp in milliseconds",
            good().claim("exp", now * 1000),
            CLIENT,
            "claim-malformed",
        ),
        (
            "sub is not iss",
            good().claim("sub", "x"),
            CLIENT,
            "sub-not-iss",
        ),
        (
            "aud is the base URL",
            good().claim("aud", BASE),
            CLIENT,
            "aud-mismatch",
        ),
        (
            "aud is the registration endpoint",
            good().claim("aud", REGISTER),
            CLIENT,
            "aud-mismatch",
        ),
        (
            "aud with a slash",
            good().claim("aud", format!("{TOKEN}/")),
            CLIENT,
            "aud-mismatch",
        ),
        (
            "aud of others",
            good().claim("aud", json!(["https://x.example"])),
            CLIENT,
            "aud-mismatch",
        ),
        ("301 s", good().times(0, 301), CLIENT, "jwt-lifetime"),
        ("expired", good().times(-331, -31), CLIENT, "jwt-expired"),
        (
            "from the future",
            good().times(40, 340),
            CLIENT,
            "jwt-from-the-future",
        ),
        (
            "exp before iat",
            good().times(0, -5),
            CLIENT,
            "exp-before-iat",
        ),
        (
            "an unknown client",
            assertion(&app, "nobody"),
            CLIENT,
            "client-unknown",
        ),
        (
            "a client_id of 2000 bytes, the most an iss may have",
            assertion(&app, &"x".repeat(2000)),
            CLIENT,
            "client-unknown",
        ),
        (
            "a client_id of 10 KiB",
            assertion(&app, &"x".repeat(10_240)),
            CLIENT,
            "claim-malformed",
        ),
        (
            "the app's URI as client",
            assertion(&app, &app.leaf().uri_names()[0]),
            CLIENT,
            "client-unknown",
        ),
        (
            "SQL as client",
            assertion(&app, "' OR 1=1 --"),
            CLIENT,
            "client-unknown",
        ),
    ];
    refused(&holder, table).await;
}
