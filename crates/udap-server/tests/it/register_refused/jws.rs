//! The statement's shape and header.

use super::{STATEMENT, good, refused};
use crate::support::{Holder, rsa, signer, statement, world};
use serde_json::{Value, json};
use udap_pki::Scheme;
use udap_proto::jws::JwsAlg;
use udap_trust::keys::KeyType;

#[tokio::test]
async fn the_shape_of_the_statement() {
    let holder = Holder::new().await;
    let app = good();
    let good = statement(&app).sign();
    let parts: Vec<_> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let padded = format!(
        "{payload}{}",
        "=".repeat(payload.len().wrapping_neg() % 4 + 1)
    );
    let table = [
        ("empty", String::new()),
        ("no dots", "x".into()),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{header}.{padded}.{signature}")),
        ("a line break", format!("{header}.{payload}.{signature}\n")),
        ("a blank before", format!(" {good}")),
        ("standard base64", format!("{header}.{payload}.++//")),
        (
            "a header that is no JSON",
            format!("eA.{payload}.{signature}"),
        ),
        (
            "a header that is no object",
            format!("W10.{payload}.{signature}"),
        ),
        (
            "a payload that is no object",
            format!("{header}.W10.{signature}"),
        ),
        (
            "the general JSON form",
            json!({"payload": payload, "signatures": []}).to_string(),
        ),
        (
            "a member twice in the header",
            statement(&app)
                .header_text(|text| text.replacen('{', r#"{"alg":"ES256","#, 1))
                .sign(),
        ),
        (
            "a member twice in the payload",
            statement(&app)
                .claims_text(|text| text.replacen('{', r#"{"iss":"https://other.example","#, 1))
                .sign(),
        ),
        (
            "a member twice, once escaped",
            statement(&app)
                .claims_text(|text| {
                    text.replacen('{', r#"{"\u0069ss":"https://other.example","#, 1)
                })
                .sign(),
        ),
    ];
    for (what, jwt) in table {
        let reply = holder.register(&jwt).await;
        assert_eq!(
            reply.refusal(),
            format!("{STATEMENT} jwt-malformed"),
            "{what}"
        );
    }
    let large = statement(&app).claim("x", "x".repeat(64 * 1024));
    assert_eq!(
        holder.register(&large.sign()).await.refusal(),
        "413 invalid_software_statement jwt-too-large"
    );
}

#[tokio::test]
async fn the_header_of_the_statement() {
    let holder = Holder::new().await;
    let app = good();
    let rsa_app = world()
        .a
        .member(&["https://rsa.refused.example"])
        .key(&rsa(2).0)
        .issue();
    let p384 = signer(KeyType::P384);
    let p384_app = world()
        .a
        .member(&["https://p384.refused.example"])
        .key(&p384)
        .issue();
    let pem = app.leaf().to_pem();
    let lines = |text: String| {
        let bytes: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect();
        bytes.join("\n")
    };
    let url_safe = |text: String| {
        text.replace('+', "-")
            .replace('/', "_")
            .trim_end_matches('=')
            .to_owned()
            + "-_"
    };
    let good = || statement(&app);
    let table = vec![
        (
            "no alg",
            good().without_header("alg"),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "alg none",
            good().header("alg", "none"),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "alg HS256",
            good().header("alg", "HS256"),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "alg es256",
            good().header("alg", "es256"),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "alg as an array",
            good().header("alg", json!(["ES256"])),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "PS256, which the communities do not list",
            statement(&rsa_app).alg(JwsAlg::PS256),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "RS512, which the communities do not list",
            statement(&rsa_app).alg(JwsAlg::RS512),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "EdDSA",
            good().header("alg", "EdDSA"),
            STATEMENT,
            "jwt-alg-refused",
        ),
        (
            "RS256 with an EC key",
            good().header("alg", "RS256"),
            STATEMENT,
            "jwt-alg-key-mismatch",
        ),
        (
            "ES384 with a P-256 key",
            good().header("alg", "ES384"),
            STATEMENT,
            "jwt-alg-key-mismatch",
        ),
        (
            "ES256 with a P-384 key",
            statement(&p384_app).header("alg", "ES256"),
            STATEMENT,
            "jwt-alg-key-mismatch",
        ),
        (
            "ES256 with an RSA key",
            statement(&rsa_app).header("alg", "ES256"),
            STATEMENT,
            "jwt-alg-key-mismatch",
        ),
        (
            "crit",
            good().header("crit", json!(["exp"])),
            STATEMENT,
            "jwt-crit",
        ),
        (
            "crit, empty",
            good().header("crit", json!([])),
            STATEMENT,
            "jwt-crit",
        ),
        (
            "typ at+jwt",
            good().header("typ", "at+jwt"),
            STATEMENT,
            "jwt-typ",
        ),
        (
            "typ secevent+jwt",
            good().header("typ", "secevent+jwt"),
            STATEMENT,
            "jwt-typ",
        ),
        (
            "typ that is no text",
            good().header("typ", 1),
            STATEMENT,
            "jwt-typ",
        ),
        (
            "no x5c",
            good().without_header("x5c"),
            STATEMENT,
            "x5c-missing",
        ),
        (
            "no x5c but jwk and jku",
            good()
                .without_header("x5c")
                .header("jwk", json!({"kty": "EC"}))
                .header("jku", "https://evil.example/"),
            STATEMENT,
            "x5c-missing",
        ),
        (
            "x5c as text",
            good().header("x5c", "x"),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "x5c null",
            good().header("x5c", Value::Null),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "x5c empty",
            good().x5c(|_| Vec::new()),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "x5c of numbers",
            good().header("x5c", json!([1])),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "x5c in base64url",
            good().x5c(|x5c| x5c.into_iter().map(url_safe).collect()),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "x5c with line breaks",
            good().x5c(|x5c| x5c.into_iter().map(lines).collect()),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "x5c in PEM",
            good().x5c(|_| vec![pem]),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "eleven certificates",
            good().x5c(|x5c| vec![x5c[0].clone(); 11]),
            "413 invalid_software_statement",
            "x5c-too-long",
        ),
        (
            "a leaf that is no certificate",
            good().x5c(|mut x5c| {
                x5c[0] = "AAAA".into();
                x5c
            }),
            STATEMENT,
            "x5c-invalid",
        ),
        (
            "the issuer first",
            good().x5c(|x5c| x5c.into_iter().rev().collect()),
            STATEMENT,
            "jwt-signature-invalid",
        ),
        (
            "a DER signature",
            good().scheme(Scheme::EcdsaSha256Der),
            STATEMENT,
            "jwt-signature-invalid",
        ),
        (
            "another key",
            good().signed_by(&signer(KeyType::P256)),
            STATEMENT,
            "jwt-signature-invalid",
        ),
        (
            "RS256 signed as PS256",
            statement(&rsa_app).scheme(Scheme::RsaPssSha256),
            STATEMENT,
            "jwt-signature-invalid",
        ),
        (
            "RS256 signed as RS384",
            statement(&rsa_app).scheme(Scheme::RsaPkcs1Sha384),
            STATEMENT,
            "jwt-signature-invalid",
        ),
    ];
    refused(&holder, table).await;

    // Signatures that are nearly right.
    let good = statement(&app).sign();
    let (input, signature) = good.rsplit_once('.').unwrap();
    for signature in [
        String::new(),
        "A".repeat(86),
        signature[..84].to_owned(),
        format!("{signature}AA"),
    ] {
        let reply = holder.register(&format!("{input}.{signature}")).await;
        let refusal = reply.refusal();
        assert!(
            [
                format!("{STATEMENT} jwt-signature-invalid"),
                format!("{STATEMENT} jwt-malformed")
            ]
            .contains(&refusal),
            "{refusal}"
        );
    }
    // The same statement with other parameters under the old signature.
    let other = statement(&app).claim("scope", "system/*.cruds").sign();
    let parts: Vec<_> = other.split('.').collect();
    let forged = format!("{}.{}.{signature}", parts[0], parts[1]);
    assert_eq!(
        holder.register(&forged).await.refusal(),
        format!("{STATEMENT} jwt-signature-invalid")
    );
}
