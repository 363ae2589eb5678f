//! `POST {base}/oauth/token`: each refusal, with its exact status, error and code.

use crate::support::{
    BASE, Holder, Jwt, Member, REGISTER, TOKEN, assertion, encoded, form, request, rsa, signer,
    statement, world,
};
use http::Method;
use serde_json::{Value, json};
use udap_pki::Scheme;
use udap_proto::jws::JwsAlg;
use udap_trust::keys::KeyType;

const CLIENT: &str = "400 invalid_client";
const REQUEST: &str = "400 invalid_request";
const GRANT: &str = "400 invalid_grant";
const SCOPE: &str = "400 invalid_scope";

async fn refused(holder: &Holder, table: Vec<(&str, Jwt, &str, &str)>) {
    for (what, jwt, error, code) in table {
        let reply = holder.token(&jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{error} {code}"),
            "{what}: {reply}"
        );
    }
}

async fn registered() -> (Holder, Member, String) {
    let holder = Holder::new().await;
    let app = world().a.app("https://app.token-refused.example");
    let id = holder.registered(&app).await;
    (holder, app, id)
}

#[tokio::test]
async fn the_request() {
    let (holder, app, id) = registered().await;
    let jwt = assertion(&app, &id).sign();
    let good = encoded(&form(&jwt));
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    let table = [
        ("nothing", String::new(), REQUEST, "parameter-missing"),
        (
            "no grant type",
            replaced("grant_type=client_credentials", "x=1"),
            REQUEST,
            "parameter-missing",
        ),
        (
            "another grant type",
            replaced("grant_type=client_credentials", "grant_type=password"),
            "400 unsupported_grant_type",
            "grant-unsupported",
        ),
        (
            "the code grant",
            replaced(
                "grant_type=client_credentials",
                "grant_type=authorization_code",
            ),
            "400 unsupported_grant_type",
            "grant-unsupported",
        ),
        (
            "no scope",
            replaced("scope=system%2FPatient.rs", "x=1"),
            REQUEST,
            "parameter-missing",
        ),
        (
            "a scope of nothing",
            replaced("scope=system%2FPatient.rs", "scope="),
            REQUEST,
            "parameter-missing",
        ),
        (
            "a scope of 17 KiB",
            replaced(
                "scope=system%2FPatient.rs",
                &format!("scope={}", "x+".repeat(9000)),
            ),
            REQUEST,
            "parameter-invalid",
        ),
        (
            "no udap",
            replaced("&udap=1", ""),
            REQUEST,
            "parameter-missing",
        ),
        (
            "udap 2",
            replaced("&udap=1", "&udap=2"),
            REQUEST,
            "parameter-invalid",
        ),
        (
            "no assertion",
            replaced("client_assertion=", "x="),
            REQUEST,
            "parameter-missing",
        ),
        (
            "no assertion type",
            replaced("client_assertion_type=", "x="),
            REQUEST,
            "parameter-missing",
        ),
        (
            "the grant type as assertion type",
            replaced("client-assertion-type", "grant-type"),
            REQUEST,
            "parameter-invalid",
        ),
        (
            "a client secret",
            format!("{good}&client_secret=s"),
            REQUEST,
            "client-secret-refused",
        ),
        (
            "a parameter twice",
            format!("{good}&scope=system%2FPatient.rs"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "the assertion twice",
            format!("{good}&client_assertion=x"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "an unknown parameter twice",
            format!("{good}&x=1&x=1"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "a parameter twice, once escaped",
            format!("{good}&%75dap=1"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "what is not UTF-8",
            format!("{good}&x=%ff"),
            REQUEST,
            "form-malformed",
        ),
        (
            "forty parameters",
            good.clone() + &(0..40).map(|i| format!("&p{i}=1")).collect::<String>(),
            REQUEST,
            "form-malformed",
        ),
        (
            "another client_id",
            format!("{good}&client_id=other"),
            CLIENT,
            "client-id-mismatch",
        ),
        (
            "a client_id in capitals",
            format!("{good}&client_id={}", id.to_uppercase()),
            CLIENT,
            "client-id-mismatch",
        ),
        (
            "a client_id of 100 KiB",
            format!("{good}&client_id={}", "x".repeat(100 * 1024)),
            CLIENT,
            "client-id-mismatch",
        ),
        (
            "256 KiB and more",
            format!("{good}&x={}", "x".repeat(256 * 1024)),
            "413 invalid_request",
            "body-too-large",
        ),
    ];
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let target = "/fhir/oauth/token";
    for (what, body, error, code) in table {
        let reply = holder
            .send(request(Method::POST, target, &kind, body))
            .await;
        assert_eq!(reply.refusal(), format!("{error} {code}"), "{what}");
    }
    for (what, headers, code) in [
        ("no media type", vec![], "media-type"),
        (
            "JSON",
            vec![("content-type", "application/json")],
            "media-type",
        ),
        (
            "multipart",
            vec![("content-type", "multipart/form-data; boundary=x")],
            "media-type",
        ),
        (
            "Basic",
            vec![kind[0], ("authorization", "Basic eDp5")],
            "authorization-header-refused",
        ),
        (
            "Bearer",
            vec![kind[0], ("authorization", "Bearer x")],
            "authorization-header-refused",
        ),
        (
            "an empty header",
            vec![kind[0], ("authorization", "")],
            "authorization-header-refused",
        ),
    ] {
        let reply = holder
            .send(request(Method::POST, target, &headers, good.clone()))
            .await;
        assert_eq!(reply.refusal(), format!("{REQUEST} {code}"), "{what}");
    }
    // In the query nothing counts.
    let reply = holder
        .send(request(
            Method::POST,
            &format!("{target}?{good}"),
            &kind,
            "",
        ))
        .await;
    assert_eq!(reply.refusal(), format!("{REQUEST} parameter-missing"));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = holder.send(request(method, target, &[], "")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (405, "POST")
        );
    }
    // All that did not use up the assertion.
    assert_eq!(holder.token(&jwt).await.status, 200);
}

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
            REQUEST,
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
            REQUEST,
            "x5c-invalid",
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
            "a client_id of 10 KiB",
            assertion(&app, &"x".repeat(10_240)),
            CLIENT,
            "client-unknown",
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

#[tokio::test]
async fn the_certificate() {
    let (holder, _, id) = registered().await;
    let world = world();
    let a = &world.a;
    let uri = "https://app.token-refused.example";
    let member = || a.member(&[uri]);
    let outsider = world.rogue.app(uri);
    let other = a.app("https://other.token-refused.example");
    let issuing_ca = Member {
        chain: vec![a.issuing.certificate.clone()],
        signer: a.issuing.signer.clone(),
    };
    let table = vec![
        ("an outsider", outsider, "chain-not-trusted"),
        (
            "the same URI in the other community",
            world.b.app(uri),
            "chain-not-trusted",
        ),
        ("another app of the community", other, "san-uri-mismatch"),
        (
            "the URI with a fragment",
            a.app(&format!("{uri}#T-TREAT")),
            "san-uri-mismatch",
        ),
        ("no URI at all", a.member(&[]).issue(), "san-uri-mismatch"),
        ("the issuing CA", issuing_ca, "key-usage"),
        (
            "expired",
            member().valid(-60 * 86_400, -60).issue(),
            "certificate-expired",
        ),
        (
            "not yet valid",
            member().valid(3600, 86_400).issue(),
            "certificate-not-yet-valid",
        ),
        (
            "a CRL that lapsed",
            a.silent(uri, &[a.url("lapsed.crl")]),
            "revocation-unavailable",
        ),
        (
            "a CRL that is not there",
            a.silent(uri, &[a.url("missing.crl")]),
            "revocation-unavailable",
        ),
        ("no CRL named", a.silent(uri, &[]), "revocation-unavailable"),
    ];
    for (what, app, code) in table {
        let reply = holder.token(&assertion(&app, &id).sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{CLIENT} {code}"),
            "{what}: {reply}"
        );
    }
    let revoked = member().issue();
    a.revoke(revoked.leaf());
    holder.server.refresh().await;
    let reply = holder.token(&assertion(&revoked, &id).sign()).await;
    assert_eq!(reply.refusal(), format!("{CLIENT} certificate-revoked"));
}

#[tokio::test]
async fn the_authorization() {
    let (holder, app, id) = registered().await;
    let extensions = |value: Value| assertion(&app, &id).claim("extensions", value);
    let b2b = |name: &str, value: Value| {
        let mut jwt = assertion(&app, &id);
        jwt.claims["extensions"]["hl7-b2b"][name] = value;
        jwt
    };
    let lacks = |name: &str| {
        let mut jwt = assertion(&app, &id);
        let object = jwt.claims["extensions"]["hl7-b2b"].as_object_mut();
        object.unwrap().remove(name);
        jwt
    };
    let table = vec![
        (
            "no extensions",
            assertion(&app, &id).without("extensions"),
            GRANT,
            "extension-missing",
        ),
        (
            "extensions null",
            extensions(Value::Null),
            GRANT,
            "extension-missing",
        ),
        (
            "extensions of others",
            extensions(json!({"x": 1})),
            GRANT,
            "extension-missing",
        ),
        (
            "extensions as a list",
            extensions(json!([])),
            GRANT,
            "extensions-malformed",
        ),
        (
            "hl7-b2b as text",
            extensions(json!({"hl7-b2b": "x"})),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "hl7-b2b null",
            extensions(json!({"hl7-b2b": null})),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "no version",
            lacks("version"),
            GRANT,
            "extension-member-missing",
        ),
        (
            "no organization",
            lacks("organization_id"),
            GRANT,
            "extension-member-missing",
        ),
        (
            "no purpose",
            lacks("purpose_of_use"),
            GRANT,
            "extension-member-missing",
        ),
        (
            "version as a number",
            b2b("version", json!(1)),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "a relative organization",
            b2b("organization_id", json!("Organization/1")),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "no purpose in so many words",
            b2b("purpose_of_use", json!([])),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "consent without a policy",
            b2b("consent_reference", json!(["https://consent.example/1"])),
            GRANT,
            "extension-member-malformed",
        ),
    ];
    refused(&holder, table).await;
    for (scope, code) in [
        ("system/*.rs", "scope-wildcard-unsupported"),
        (
            "system/Patient.rs system/*.read",
            "scope-wildcard-unsupported",
        ),
        ("system/Condition.rs", "scope-none-granted"),
        ("system/Patient.cud", "scope-none-granted"),
        ("user/Patient.rs", "scope-none-granted"),
        ("openid", "scope-none-granted"),
        ("+", "scope-none-granted"),
    ] {
        let jwt = assertion(&app, &id).sign();
        let mut fields = form(&jwt);
        fields[1].1 = scope;
        let reply = holder.post_form(&fields).await;
        assert_eq!(reply.refusal(), format!("{SCOPE} {code}"), "{scope}");
    }
}

#[tokio::test]
async fn an_assertion_serves_once() {
    let (holder, app, id) = registered().await;
    let once = assertion(&app, &id).claim("jti", "once").sign();
    assert_eq!(holder.token(&once).await.status, 200);
    assert_eq!(
        holder.token(&once).await.refusal(),
        format!("{CLIENT} jwt-replayed")
    );
    // With a renewed certificate, for other scopes, in other words: the `jti` is the same.
    let renewed = world().a.app("https://app.token-refused.example");
    let again = assertion(&renewed, &id).claim("jti", "once").sign();
    assert_eq!(
        holder.token(&again).await.refusal(),
        format!("{CLIENT} jwt-replayed")
    );
    // The same signature in another form is the same assertion.
    let (n, r) = (once.len(), once.as_bytes()[once.len() - 1]);
    let mut other = once.clone().into_bytes();
    other[n - 1] = if r == b'A' { b'B' } else { b'A' };
    let reply = holder.token(&String::from_utf8(other).unwrap()).await;
    assert_eq!(reply.status, 400, "{reply}");
    // A statement and an assertion of one `jti` are two things.
    let statement = statement(&app).claim("jti", "once").sign();
    assert_eq!(holder.register(&statement).await.status, 200);
    // Another client may use it.
    let other = world().a.app("https://jti.token-refused.example");
    let other_id = holder.registered(&other).await;
    let theirs = assertion(&other, &other_id).claim("jti", "once").sign();
    assert_eq!(holder.token(&theirs).await.status, 200);
}

#[tokio::test]
async fn other_kinds_of_jwt_are_not_assertions() {
    let (holder, app, id) = registered().await;
    let statement = statement(&app);
    let reply = holder.token(&statement.sign()).await;
    assert_eq!(reply.refusal(), format!("{CLIENT} aud-mismatch"));
    let both = statement.clone().claim("aud", json!([REGISTER, TOKEN]));
    assert_eq!(
        holder.token(&both.sign()).await.refusal(),
        format!("{CLIENT} client-unknown")
    );
    let token = holder
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    assert_eq!(
        holder.token(&token).await.refusal(),
        format!("{CLIENT} jwt-typ")
    );
    let signed = holder
        .get("/fhir/.well-known/udap")
        .await
        .text("signed_metadata");
    assert_eq!(
        holder.token(&signed).await.refusal(),
        format!("{CLIENT} claim-missing")
    );
}
