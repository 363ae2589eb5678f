//! `POST {base}/oauth/register`: each refusal, with its exact status, error and code.

use crate::support::{
    BASE, Holder, Jwt, Member, REGISTER, TOKEN, assertion, request, rsa, signer, statement, world,
};
use http::Method;
use serde_json::{Value, json};
use udap_pki::Scheme;
use udap_pki::issue::Profile;
use udap_proto::jws::JwsAlg;
use udap_trust::keys::KeyType;

const METADATA: &str = "400 invalid_client_metadata";
const STATEMENT: &str = "400 invalid_software_statement";
const UNAPPROVED: &str = "400 unapproved_software_statement";

async fn refused(holder: &Holder, table: Vec<(&str, Jwt, &str, &str)>) {
    for (what, jwt, error, code) in table {
        let reply = holder.register(&jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{error} {code}"),
            "{what}: {reply}"
        );
    }
}

fn good() -> Member {
    world().a.app("https://good.refused.example")
}

#[tokio::test]
async fn the_body() {
    let holder = Holder::new().await;
    let good = statement(&good()).sign();
    let with = |name: &str, value: Value| {
        let mut body = json!({"software_statement": good, "udap": "1"});
        body[name] = value;
        body.to_string()
    };
    let table = [
        ("nothing", String::new(), METADATA, "body-malformed"),
        (
            "no JSON",
            "software_statement=x&udap=1".into(),
            METADATA,
            "body-malformed",
        ),
        ("no object", "[]".into(), METADATA, "body-malformed"),
        (
            "something behind it",
            with("x", json!(1)) + "x",
            METADATA,
            "body-malformed",
        ),
        (
            "a member twice",
            r#"{"udap":"1","udap":"1","software_statement":"a.b.c"}"#.into(),
            METADATA,
            "body-malformed",
        ),
        (
            "too deep",
            format!(
                r#"{{"udap":"1","x":{}1{}}}"#,
                "[".repeat(40),
                "]".repeat(40)
            ),
            METADATA,
            "body-malformed",
        ),
        (
            "udap as a number",
            with("udap", json!(1)),
            METADATA,
            "udap-version",
        ),
        ("udap 2", with("udap", json!("2")), METADATA, "udap-version"),
        (
            "udap null",
            with("udap", Value::Null),
            METADATA,
            "udap-version",
        ),
        (
            "no udap",
            json!({"software_statement": good}).to_string(),
            METADATA,
            "udap-version",
        ),
        (
            "no statement",
            json!({"udap": "1"}).to_string(),
            STATEMENT,
            "statement-missing",
        ),
        (
            "a statement that is no text",
            with("software_statement", json!({})),
            STATEMENT,
            "statement-missing",
        ),
        (
            "certifications as text",
            with("certifications", json!("x")),
            METADATA,
            "certifications-malformed",
        ),
        (
            "certifications of numbers",
            with("certifications", json!([1])),
            METADATA,
            "certifications-malformed",
        ),
        (
            "seventeen certifications",
            with("certifications", json!(vec!["x"; 17])),
            METADATA,
            "certifications-malformed",
        ),
        (
            "256 KiB and a byte",
            " ".repeat(256 * 1024 + 1),
            "413 invalid_client_metadata",
            "body-too-large",
        ),
    ];
    for (what, body, error, code) in table {
        let reply = holder.post_registration(body).await;
        assert_eq!(reply.refusal(), format!("{error} {code}"), "{what}");
    }
    // What is not UTF-8.
    let reply = holder.post_registration(vec![b'{', 0xff, b'}']).await;
    assert_eq!(reply.refusal(), format!("{METADATA} body-malformed"));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = holder
            .send(request(method, "/fhir/oauth/register", &[], ""))
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (405, "POST")
        );
    }
}

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
        format!("{STATEMENT} jwt-too-large")
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
            STATEMENT,
            "x5c-invalid",
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

#[tokio::test]
async fn the_claims() {
    let holder = Holder::new().await;
    let app = good();
    let good = || statement(&app);
    let iss = app.leaf().uri_names()[0].clone();
    let exp = |value: Value| good().claim("exp", value);
    let now = udap_trust::clock::now().0;
    let mut table = vec![
        (
            "sub is not iss",
            good().claim("sub", "https://other.example"),
            STATEMENT,
            "sub-not-iss",
        ),
        (
            "aud is the base URL",
            good().claim("aud", BASE),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud is the token endpoint",
            good().claim("aud", TOKEN),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud with a slash",
            good().claim("aud", format!("{REGISTER}/")),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud in capitals",
            good().claim("aud", REGISTER.to_uppercase()),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud with the default port",
            good().claim("aud", REGISTER.replace(".example/", ".example:443/")),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud of others",
            good().claim("aud", json!(["https://a.example", "https://b.example"])),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud empty",
            good().claim("aud", json!([])),
            STATEMENT,
            "claim-missing",
        ),
        (
            "aud as an object",
            good().claim("aud", json!({})),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "aud of numbers",
            good().claim("aud", json!([1])),
            STATEMENT,
            "claim-malformed",
        ),
        ("no aud", good().without("aud"), STATEMENT, "claim-missing"),
        (
            "exp as text",
            exp(json!((now + 300).to_string())),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp in milliseconds",
            exp(json!(now * 1000)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp below zero",
            exp(json!(-1)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp beyond i64",
            exp(json!(u64::MAX)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp beyond the years",
            exp(json!(1e300)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp as a date",
            exp(json!("2030-01-01T00:00:00Z")),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "nbf as text",
            good().claim("nbf", "x"),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "a jti of 257 bytes",
            good().claim("jti", "x".repeat(257)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "a jti that is a number",
            good().claim("jti", 1),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "a jti of nothing",
            good().claim("jti", ""),
            STATEMENT,
            "claim-malformed",
        ),
        ("301 s", good().times(0, 301), STATEMENT, "jwt-lifetime"),
        ("an hour", good().times(0, 3600), STATEMENT, "jwt-lifetime"),
        (
            "a long life that is nearly over",
            good().times(-3600, 10),
            STATEMENT,
            "jwt-lifetime",
        ),
        (
            "expired",
            good().times(-400, -100),
            STATEMENT,
            "jwt-expired",
        ),
        (
            "expired for longer than clocks differ",
            good().times(-330, -30),
            STATEMENT,
            "jwt-expired",
        ),
        (
            "from the future",
            good().times(40, 340),
            STATEMENT,
            "jwt-from-the-future",
        ),
        (
            "not yet",
            good().claim("nbf", now + 60),
            STATEMENT,
            "jwt-from-the-future",
        ),
        (
            "exp before iat",
            good().times(10, 5),
            STATEMENT,
            "exp-before-iat",
        ),
        (
            "exp is iat",
            good().times(0, 0),
            STATEMENT,
            "exp-before-iat",
        ),
    ];
    for claim in ["iss", "sub", "exp", "iat", "jti"] {
        table.push((claim, good().without(claim), STATEMENT, "claim-missing"));
        table.push((
            claim,
            good().claim(claim, Value::Null),
            STATEMENT,
            "claim-missing",
        ));
        table.push((
            claim,
            good().claim(claim, json!([])),
            STATEMENT,
            "claim-malformed",
        ));
    }
    // Near misses of the name in the certificate.
    for near in [
        format!("{iss}/"),
        iss.to_uppercase(),
        iss.replace(".example", ".example:443"),
        format!("{iss}#T-TREAT"),
        format!("{iss} "),
        format!("{iss}?"),
        iss.replace("https", "http"),
        "https://somebody.else.example".to_owned(),
    ] {
        let jwt = good().claim("iss", near.clone()).claim("sub", near);
        table.push(("a near miss", jwt, UNAPPROVED, "san-uri-mismatch"));
    }
    refused(&holder, table).await;

    let fragment = world().a.app("https://fragment.refused.example#T-TREAT");
    let bare = "https://fragment.refused.example";
    let none = world().a.member(&[]).issue();
    refused(
        &holder,
        vec![
            (
                "without its fragment",
                statement(&fragment).claim("iss", bare).claim("sub", bare),
                UNAPPROVED,
                "san-uri-mismatch",
            ),
            (
                "with another fragment",
                statement(&fragment)
                    .claim("iss", format!("{bare}#T-IAS"))
                    .claim("sub", format!("{bare}#T-IAS")),
                UNAPPROVED,
                "san-uri-mismatch",
            ),
            (
                "a certificate without a URI",
                statement(&none).claim("iss", bare).claim("sub", bare),
                UNAPPROVED,
                "san-uri-mismatch",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_near_miss_is_named() {
    let holder = Holder::new().await;
    let app = good();
    let iss = format!("{}/", app.leaf().uri_names()[0]);
    let reply = holder
        .register(
            &statement(&app)
                .claim("iss", iss.clone())
                .claim("sub", iss.clone())
                .sign(),
        )
        .await;
    assert!(
        reply.text("udap_hint").contains("trailing slash"),
        "{reply}"
    );
    // Both values are there to be compared.
    assert!(reply.text("error_description").contains(&iss), "{reply}");
    assert!(
        reply
            .text("error_description")
            .contains(&app.leaf().uri_names()[0]),
        "{reply}"
    );
}

#[tokio::test]
async fn the_certificate() {
    let holder = Holder::new().await;
    let world = world();
    let a = &world.a;
    let uri = "https://certificate.refused.example";
    let outsider = world.rogue.app(uri);
    let member = || a.member(&[uri]);
    let leaf_only = {
        let app = a.app(uri);
        app.with_chain(vec![app.leaf().clone()])
    };
    let self_signed_root = {
        let root = &world.rogue.root;
        let chain = vec![root.certificate.clone()];
        Member {
            chain,
            signer: root.signer.clone(),
        }
    };
    let issuing_ca = Member {
        chain: vec![a.issuing.certificate.clone()],
        signer: a.issuing.signer.clone(),
    };
    let root_ca = Member {
        chain: vec![a.root.certificate.clone()],
        signer: a.root.signer.clone(),
    };
    // Of the rogue CA, with the issuing CA of the community beside it.
    let adopted = outsider.with_chain(vec![
        outsider.leaf().clone(),
        a.issuing.certificate.clone(),
        a.root.certificate.clone(),
    ]);
    let with_own_root = outsider.with_chain(
        [
            outsider.chain.clone(),
            vec![world.rogue.root.certificate.clone()],
        ]
        .concat(),
    );
    let ca_says = |member: &Member| statement(member).claim("iss", uri).claim("sub", uri);
    let table = vec![
        ("an outsider", statement(&outsider), "chain-not-trusted"),
        (
            "an outsider who brings a root",
            statement(&with_own_root),
            "chain-not-trusted",
        ),
        (
            "an outsider who brings the community's CA",
            statement(&adopted),
            "chain-not-trusted",
        ),
        (
            "a leaf whose issuer cannot be had",
            statement(&leaf_only),
            "chain-not-trusted",
        ),
        (
            "a root that nobody knows",
            ca_says(&self_signed_root),
            "chain-not-trusted",
        ),
        ("the issuing CA itself", ca_says(&issuing_ca), "key-usage"),
        ("the anchor itself", ca_says(&root_ca), "key-usage"),
        (
            "expired",
            statement(&member().valid(-60 * 86_400, -60).issue()),
            "certificate-expired",
        ),
        (
            "not yet valid",
            statement(&member().valid(3600, 86_400).issue()),
            "certificate-not-yet-valid",
        ),
        (
            "an issuer that is an app",
            {
                // An app's key signs a certificate of its own.
                let app = a.app("https://app.refused.example");
                statement(&issued_by(&app, uri))
            },
            "not-a-ca",
        ),
        (
            "a CRL that lapsed",
            statement(&a.silent(uri, &[a.url("lapsed.crl")])),
            "revocation-unavailable",
        ),
        (
            "a CRL that is not there",
            statement(&a.silent(uri, &[a.url("missing.crl")])),
            "revocation-unavailable",
        ),
        (
            "a CRL that is none",
            statement(&a.silent(uri, &[a.url("junk.crl")])),
            "revocation-unavailable",
        ),
        (
            "another CA's CRL",
            statement(&a.silent(uri, &[world.b.url("issuing.crl")])),
            "revocation-unavailable",
        ),
        (
            "a CRL at an address nobody allowed",
            statement(&a.silent(uri, &["http://127.0.0.1:1/x.crl".to_owned()])),
            "revocation-unavailable",
        ),
        (
            "no CRL named",
            statement(&a.silent(uri, &[])),
            "revocation-unavailable",
        ),
    ];
    for (what, jwt, code) in table {
        let reply = holder.register(&jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{UNAPPROVED} {code}"),
            "{what}: {reply}"
        );
    }
    let revoked = a.app(uri);
    a.revoke(revoked.leaf());
    let reply = Holder::new()
        .await
        .register(&statement(&revoked).sign())
        .await;
    assert_eq!(reply.refusal(), format!("{UNAPPROVED} certificate-revoked"));
    // OCSP signers are no members: they have no URI.
    let ocsp = a.member(&[]).profile(Profile::OcspSigner).issue();
    let reply = holder.register(&ca_says(&ocsp).sign()).await;
    assert_eq!(reply.status, 400, "{reply}");
}

/// A certificate with this name that an app's key has signed.
fn issued_by(app: &Member, uri: &str) -> Member {
    use udap_pki::issue::{CertificateSpec, Issuer, Names, SignatureAlgorithm, Subject, Urls};
    use udap_trust::signer::Signer as _;
    let now = udap_trust::clock::now();
    let key = signer(KeyType::P256);
    let certificate = crate::support::sign(
        &CertificateSpec {
            profile: Profile::App,
            serial: &udap_trust::random::bytes::<16>(),
            subject: &Subject::named("Below an app"),
            spki_der: key.public_key().spki_der(),
            issuer: Issuer::Certificate(app.leaf()),
            not_before: now.plus_secs(-60),
            not_after: now.plus_secs(86_400),
            names: Names {
                uris: vec![uri.to_owned()],
                ..Names::default()
            },
            urls: Urls {
                crl: vec![world().a.url("issuing.crl")],
                ..Urls::default()
            },
            extensions: &[],
            algorithm: SignatureAlgorithm::EcdsaP256Sha256,
        },
        &app.signer,
    );
    Member {
        chain: [vec![certificate], app.chain.clone()].concat(),
        signer: key,
    }
}

#[tokio::test]
async fn the_parameters() {
    let holder = Holder::new().await;
    let app = good();
    let good = || statement(&app);
    let with_code = || {
        good()
            .claim("grant_types", json!(["authorization_code"]))
            .claim("redirect_uris", json!(["https://good.refused.example/cb"]))
            .claim("response_types", json!(["code"]))
            .claim("logo_uri", "https://good.refused.example/logo.png")
    };
    let mut table = vec![
        (
            "both grants",
            good().claim(
                "grant_types",
                json!(["client_credentials", "authorization_code"]),
            ),
            "parameter-invalid",
        ),
        (
            "a grant twice",
            good().claim(
                "grant_types",
                json!(["client_credentials", "client_credentials"]),
            ),
            "parameter-invalid",
        ),
        (
            "another grant",
            good().claim("grant_types", json!(["password"])),
            "parameter-invalid",
        ),
        (
            "refresh alone",
            good().claim("grant_types", json!(["refresh_token"])),
            "parameter-invalid",
        ),
        (
            "refresh with client credentials",
            good().claim(
                "grant_types",
                json!(["client_credentials", "refresh_token"]),
            ),
            "parameter-invalid",
        ),
        (
            "grants as text",
            good().claim("grant_types", "client_credentials"),
            "parameter-invalid",
        ),
        (
            "grants of numbers",
            good().claim("grant_types", json!([1])),
            "parameter-invalid",
        ),
        (
            "grants null",
            good().claim("grant_types", Value::Null),
            "parameter-invalid",
        ),
        (
            "a client secret",
            good().claim("token_endpoint_auth_method", "client_secret_basic"),
            "parameter-invalid",
        ),
        (
            "redirect URIs without the code flow",
            good().claim("redirect_uris", json!(["https://good.refused.example/cb"])),
            "parameter-invalid",
        ),
        (
            "no redirect URI, in so many words",
            good().claim("redirect_uris", json!([])),
            "parameter-invalid",
        ),
        (
            "response types without the code flow",
            good().claim("response_types", json!(["code"])),
            "parameter-invalid",
        ),
        (
            "contacts that are no URIs",
            good().claim("contacts", json!(["ops@app.example"])),
            "parameter-invalid",
        ),
        (
            "contacts without mail",
            good().claim("contacts", json!(["https://app.example"])),
            "parameter-invalid",
        ),
        (
            "no contact",
            good().claim("contacts", json!([])),
            "parameter-invalid",
        ),
        (
            "65 contacts",
            good().claim("contacts", json!(vec!["mailto:ops@app.example"; 65])),
            "parameter-invalid",
        ),
        (
            "a name that is no text",
            good().claim("client_name", 1),
            "parameter-invalid",
        ),
        (
            "a name of nothing",
            good().claim("client_name", ""),
            "parameter-invalid",
        ),
        (
            "a scope that is no text",
            good().claim("scope", json!(["system/Patient.rs"])),
            "parameter-invalid",
        ),
        (
            "a scope of 17 KiB",
            good().claim("scope", "x".repeat(17 * 1024)),
            "parameter-invalid",
        ),
        (
            "a logo that is no image",
            good().claim("logo_uri", "https://good.refused.example/logo.svg"),
            "parameter-invalid",
        ),
        (
            "a logo without https",
            good().claim("logo_uri", "http://good.refused.example/logo.png"),
            "parameter-invalid",
        ),
        (
            "terms that are no text",
            good().claim("tos_uri", json!({})),
            "parameter-invalid",
        ),
        (
            "wildcards",
            good().claim("scope", "system/*.rs"),
            "scope-wildcard-unsupported",
        ),
        (
            "a wildcard among others",
            good().claim("scope", "system/Patient.rs system/*.read"),
            "scope-wildcard-unsupported",
        ),
        (
            "scopes of others only",
            good().claim("scope", "system/Condition.rs"),
            "scope-none-granted",
        ),
        (
            "scopes of users only",
            good().claim("scope", "user/Patient.rs openid udap"),
            "scope-none-granted",
        ),
        (
            "a scope of blanks",
            good().claim("scope", "  "),
            "scope-none-granted",
        ),
        (
            "the code flow, which is not here yet",
            with_code(),
            "grant-unsupported",
        ),
        (
            "the code flow without response types",
            with_code().without("response_types"),
            "parameter-missing",
        ),
        (
            "the code flow without a logo",
            with_code().without("logo_uri"),
            "parameter-missing",
        ),
        (
            "the code flow without redirect URIs",
            with_code().without("redirect_uris"),
            "parameter-missing",
        ),
        (
            "the implicit flow",
            with_code().claim("response_types", json!(["token"])),
            "parameter-invalid",
        ),
    ];
    for param in [
        "client_name",
        "grant_types",
        "token_endpoint_auth_method",
        "contacts",
        "scope",
    ] {
        table.push((param, good().without(param), "parameter-missing"));
    }
    let table = table
        .into_iter()
        .map(|(what, jwt, code)| (what, jwt, METADATA, code));
    refused(&holder, table.collect()).await;

    for uri in [
        "http://good.refused.example/cb",
        "good.refused.example",
        "https://u@good.refused.example/cb",
        "https://good.refused.example/cb#x",
        "https://*.refused.example/cb",
        "javascript:alert(1)",
    ] {
        let jwt = with_code().claim(
            "redirect_uris",
            json!(["https://good.refused.example/cb", uri]),
        );
        refused(
            &holder,
            vec![(uri, jwt, "400 invalid_redirect_uri", "redirect-uri-invalid")],
        )
        .await;
    }
    // Not one of them left anything behind.
    let leave = good().claim("grant_types", json!([]));
    refused(
        &holder,
        vec![("nothing to cancel", leave, METADATA, "registration-unknown")],
    )
    .await;
}

#[tokio::test]
async fn a_statement_serves_once() {
    let holder = Holder::new().await;
    let app = good();
    let once = statement(&app).sign();
    assert_eq!(holder.register(&once).await.status, 201);
    assert_eq!(
        holder.register(&once).await.refusal(),
        format!("{STATEMENT} jwt-replayed")
    );
    // The same `jti` in another statement of the same app.
    let jti = Jwt::claim(statement(&app), "jti", "the same").sign();
    assert_eq!(holder.register(&jti).await.status, 200);
    let jti = statement(&app)
        .claim("jti", "the same")
        .claim("client_name", "Other")
        .sign();
    assert_eq!(
        holder.register(&jti).await.refusal(),
        format!("{STATEMENT} jwt-replayed")
    );
    // Another app may use it, and so may the app of that name in the other community.
    let other = world().a.app("https://other.refused.example");
    assert_eq!(
        holder
            .register(&statement(&other).claim("jti", "the same").sign())
            .await
            .status,
        201
    );
    let in_b = world().b.app("https://good.refused.example");
    assert_eq!(
        holder
            .register(&statement(&in_b).claim("jti", "the same").sign())
            .await
            .status,
        201
    );
    // A refused statement does not use up its `jti`: the app mends it and sends it again.
    let bad = statement(&app)
        .claim("jti", "mended")
        .claim("scope", "system/*.rs");
    assert_eq!(
        holder.register(&bad.sign()).await.refusal(),
        format!("{METADATA} scope-wildcard-unsupported")
    );
    let mended = statement(&app).claim("jti", "mended");
    assert_eq!(holder.register(&mended.sign()).await.status, 200);
}

#[tokio::test]
async fn other_kinds_of_jwt_are_not_statements() {
    let holder = Holder::new().await;
    let app = good();
    let id = holder.registered(&app).await;
    let reply = holder.register(&assertion(&app, &id).sign()).await;
    assert_eq!(
        reply.refusal(),
        format!("{UNAPPROVED} san-uri-mismatch"),
        "{reply}"
    );
    let token = holder
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    assert_eq!(
        holder.register(&token).await.refusal(),
        format!("{STATEMENT} jwt-typ")
    );
    let signed = holder
        .get("/fhir/.well-known/udap")
        .await
        .text("signed_metadata");
    assert_eq!(
        holder.register(&signed).await.refusal(),
        format!("{STATEMENT} claim-missing")
    );
    // An assertion that names both endpoints and claims the app's name is still no statement.
    let uri = app.leaf().uri_names()[0].clone();
    let both = assertion(&app, &uri).claim("aud", json!([REGISTER, TOKEN]));
    assert_eq!(
        holder.register(&both.sign()).await.refusal(),
        format!("{METADATA} parameter-missing")
    );
}
