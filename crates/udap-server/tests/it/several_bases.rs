//! Several FHIR base URLs in one server: each a data holder of its own, told apart by path alone.

use crate::support::{
    BASE, Holder, REGISTER, Reply, TOKEN, assertion, encoded, form, made, request, statement,
    world, write_identity,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use udap_host::config::{DataHolder, Endpoints};
use udap_pki::Anchor;
use udap_proto::jws::JwsAlg;
use udap_proto::metadata;
use udap_server::Server;
use udap_trust::clock;
use udap_trust::fetch::{FetchPolicy, Fetcher, TlsRoots};
use udap_trust::verify::{CommunityTrust, TrustEngine};

const OTHER: &str = "https://other.example/r4b";
const OTHER_REGISTER: &str = "https://other.example/r4b/oauth/register";
const OTHER_TOKEN: &str = "https://other.example/r4b/oauth/token";

/// With a second base URL. In community a each has a certificate; in b one names both.
async fn holder(endpoints: &str) -> Holder {
    Holder::made(|directory, text| {
        write_identity(directory, "a2", world().a.member(&[OTHER]), 2);
        write_identity(directory, "b", world().b.member(&[BASE, OTHER]), 1);
        let one = "{ cert = \"a.cert.pem\", key_file = \"a.key.pem\" }";
        let two = "[{ cert = \"a2.cert.pem\", key_file = \"a2.key.pem\" }, { cert = \"a.cert.pem\", key_file = \"a.key.pem\" }]";
        let more = format!("[[data_holder]]\nbase_url = \"{OTHER}\"\nendpoints = \"{endpoints}\"\n");
        format!("{}{more}", text.replace(one, two))
    })
    .await
}

fn payload(jwt: &str) -> Value {
    let part = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn register_at(holder: &Holder, path: &str, statement: &str) -> Reply {
    let body = json!({"software_statement": statement, "udap": "1"}).to_string();
    let kind = [("content-type", "application/json")];
    holder.send(request(Method::POST, path, &kind, body)).await
}

async fn form_at(holder: &Holder, path: &str, form: &[(&str, &str)]) -> Reply {
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    holder
        .send(request(Method::POST, path, &kind, encoded(form)))
        .await
}

async fn introspected(holder: &Holder, path: &str, token: &str, assertion: &str) -> Value {
    let form = [
        ("token", token),
        ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
        ("client_assertion", assertion),
        ("udap", "1"),
    ];
    form_at(holder, path, &form).await.json()
}

#[tokio::test]
async fn each_has_metadata_of_its_own_in_each_community() {
    let holder = holder("own").await;
    let world = world();
    for (path, base, token, registration) in [
        ("/fhir", BASE, TOKEN, REGISTER),
        ("/r4b", OTHER, OTHER_TOKEN, OTHER_REGISTER),
    ] {
        for community in [&world.a, &world.b] {
            let target = format!("{path}/.well-known/udap?community={}", community.uri);
            // Whatever host a request names.
            let headers = [
                ("host", "other.example"),
                ("x-forwarded-host", "evil.example"),
            ];
            let reply = holder
                .send(request(Method::GET, &target, &headers, ""))
                .await;
            assert_eq!(reply.text("token_endpoint"), token);
            let signed = metadata::verify_signature(&reply.body, &[JwsAlg::RS256]).unwrap();
            let root = world.a.root.certificate.der().to_vec().into();
            let policy = FetchPolicy {
                allow_hosts: vec![world.web.clone()],
                tls_roots: TlsRoots::These(vec![root]),
            };
            let anchors = vec![Anchor::new(community.root.certificate.clone())];
            let trust = CommunityTrust::new(&community.uri, anchors);
            let engine = TrustEngine::new(Some(Fetcher::new(policy).unwrap()), vec![trust]);
            let signer = signed.signer().clone();
            let now = clock::now();
            let verdict = engine
                .verify(&community.uri, signer.leaf(), signer.intermediates(), now)
                .await
                .unwrap();
            let verified = signed.verify(&verdict, base, now).unwrap();
            assert_eq!(verified.token_endpoint(), token);
            assert_eq!(verified.registration_endpoint(), registration);
        }
    }
    let smart = holder.get("/r4b/.well-known/smart-configuration").await;
    assert_eq!(smart.text("token_endpoint"), OTHER_TOKEN);
    let oauth = holder
        .get("/.well-known/oauth-authorization-server/r4b")
        .await;
    assert_eq!(oauth.text("issuer"), OTHER);
    assert_eq!(holder.get("/r4/.well-known/udap").await.status, 404);
}

#[tokio::test]
async fn with_endpoints_of_its_own_nothing_of_one_serves_at_the_other() {
    let holder = holder("own").await;
    let app = world().a.app("https://two.bases.example");
    let first = holder.registered(&app).await;

    // A statement for one is no statement for the other, nor is its client known there.
    let reply = register_at(&holder, "/r4b/oauth/register", &statement(&app).sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_software_statement aud-mismatch"
    );
    let at_other = assertion(&app, &first).claim("aud", OTHER_TOKEN).sign();
    let reply = form_at(&holder, "/r4b/oauth/token", &form(&at_other)).await;
    assert_eq!(reply.refusal(), "400 invalid_client client-unknown");

    // It registers there as well, and is two clients from then on.
    let there = statement(&app).claim("aud", OTHER_REGISTER).sign();
    let reply = register_at(&holder, "/r4b/oauth/register", &there).await;
    assert_eq!(reply.status, 201, "{reply}");
    let second = reply.text("client_id");
    assert_ne!(first, second);
    let reply = holder.token(&assertion(&app, &second).sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_client client-unknown");
    // What is meant for one token endpoint is not taken at the other.
    let reply = form_at(
        &holder,
        "/r4b/oauth/token",
        &form(&assertion(&app, &second).sign()),
    )
    .await;
    assert_eq!(reply.refusal(), "400 invalid_client aud-mismatch");

    let at_other = assertion(&app, &second).claim("aud", OTHER_TOKEN).sign();
    let reply = form_at(&holder, "/r4b/oauth/token", &form(&at_other)).await;
    let token = reply.text("access_token");
    let claims = payload(&token);
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(OTHER), &json!(OTHER))
    );
    // Nobody at the first one knows that token.
    let about = assertion(&app, &first).sign();
    let found = introspected(&holder, "/fhir/oauth/introspect", &token, &about).await;
    assert_eq!(found, json!({"active": false}));
    let about = assertion(&app, &second).claim("aud", OTHER_TOKEN).sign();
    let found = introspected(&holder, "/r4b/oauth/introspect", &token, &about).await;
    assert_eq!(
        (&found["active"], &found["aud"]),
        (&json!(true), &json!(OTHER))
    );

    // It leaves one of them and stays with the other.
    let leave = statement(&app)
        .claim("aud", OTHER_REGISTER)
        .claim("grant_types", json!([]));
    let reply = register_at(&holder, "/r4b/oauth/register", &leave.sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
    let reply = holder.token(&assertion(&app, &first).sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn with_one_registration_endpoint_registrations_are_shared_and_tokens_are_not() {
    let holder = holder("shared-registration").await;
    for path in ["/fhir/.well-known/udap", "/r4b/.well-known/udap"] {
        let reply = holder.get(path).await;
        assert_eq!(reply.text("registration_endpoint"), REGISTER);
        let claims = payload(&reply.text("signed_metadata"));
        assert_eq!(claims["registration_endpoint"], REGISTER);
    }
    assert_eq!(
        holder
            .get("/r4b/.well-known/udap")
            .await
            .text("token_endpoint"),
        OTHER_TOKEN
    );
    let app = world().a.app("https://shared.bases.example");
    let client = holder.registered(&app).await;
    let reply = register_at(&holder, "/r4b/oauth/register", &statement(&app).sign()).await;
    assert_eq!(reply.status, 404);

    // Registered once, it is known at both; which token endpoint is asked says what the token is for.
    for (path, endpoint, base) in [
        ("/fhir/oauth/token", TOKEN, BASE),
        ("/r4b/oauth/token", OTHER_TOKEN, OTHER),
    ] {
        let assertion = assertion(&app, &client).claim("aud", endpoint).sign();
        let reply = form_at(&holder, path, &form(&assertion)).await;
        let claims = payload(&reply.text("access_token"));
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!(base), &json!(base))
        );
    }
    let reply = form_at(
        &holder,
        "/r4b/oauth/token",
        &form(&assertion(&app, &client).sign()),
    )
    .await;
    assert_eq!(reply.refusal(), "400 invalid_client aud-mismatch");
    // A second registration is a change of the first.
    assert_eq!(holder.register(&statement(&app).sign()).await.status, 200);
}

#[tokio::test]
async fn with_shared_endpoints_a_token_is_for_the_one_that_was_named() {
    let holder = holder("shared").await;
    for path in ["/fhir/.well-known/udap", "/r4b/.well-known/udap"] {
        let reply = holder.get(path).await;
        assert_eq!(reply.text("registration_endpoint"), REGISTER);
        assert_eq!(reply.text("token_endpoint"), TOKEN);
    }
    for path in [
        "/r4b/oauth/token",
        "/r4b/oauth/register",
        "/r4b/oauth/introspect",
        "/r4b/oauth/jwks",
    ] {
        assert_eq!(form_at(&holder, path, &[]).await.status, 404, "{path}");
    }
    let oauth = holder
        .get("/.well-known/oauth-authorization-server/r4b")
        .await;
    assert_eq!(oauth.status, 404);

    let app = world().a.app("https://resource.bases.example");
    let client = holder.registered(&app).await;
    for (resource, expected) in [
        (None, "400 invalid_target resource-missing"),
        (
            Some("https://elsewhere.example/r4"),
            "400 invalid_target resource-unknown",
        ),
        (
            Some("https://other.example/r4b/"),
            "400 invalid_target resource-unknown",
        ),
    ] {
        let assertion = assertion(&app, &client).sign();
        let mut form = form(&assertion);
        form.extend(resource.map(|resource| ("resource", resource)));
        let reply = holder.post_form(&form).await;
        assert_eq!(reply.refusal(), expected);
        assert!(reply.text("error_description").contains(OTHER), "{reply}");
    }
    // One token is for one of them.
    let both = assertion(&app, &client).sign();
    let mut form_of_both = form(&both);
    form_of_both.extend([("resource", BASE), ("resource", OTHER)]);
    let reply = holder.post_form(&form_of_both).await;
    assert_eq!(reply.refusal(), "400 invalid_request parameter-repeated");

    for base in [BASE, OTHER] {
        let sent = assertion(&app, &client).sign();
        let mut form = form(&sent);
        form.push(("resource", base));
        let token = holder.post_form(&form).await.text("access_token");
        let claims = payload(&token);
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!(BASE), &json!(base))
        );
        let about = assertion(&app, &client).sign();
        let found = introspected(&holder, "/fhir/oauth/introspect", &token, &about).await;
        assert_eq!(
            (&found["active"], &found["aud"]),
            (&json!(true), &json!(base))
        );
    }
}

#[tokio::test]
async fn where_there_is_one_it_need_not_be_named_and_no_other_can_be() {
    let holder = Holder::new().await;
    let app = world().a.app("https://one.base.example");
    let client = holder.registered(&app).await;
    let sent = assertion(&app, &client).sign();
    let mut named = form(&sent);
    named.push(("resource", BASE));
    let reply = holder.post_form(&named).await;
    assert_eq!(payload(&reply.text("access_token"))["aud"], BASE);
    let sent = assertion(&app, &client).sign();
    let mut other = form(&sent);
    other.push(("resource", OTHER));
    assert_eq!(
        holder.post_form(&other).await.refusal(),
        "400 invalid_target resource-unknown"
    );
}

#[tokio::test]
async fn a_base_url_that_no_certificate_names_stops_the_start() {
    let (_directory, config) =
        made(|_, text| format!("{text}[[data_holder]]\nbase_url = \"{OTHER}\"\n"));
    let error = Server::open(&config).await.unwrap_err();
    assert_eq!(error.code(), "san-uri-mismatch");
    assert!(error.to_string().contains(OTHER), "{error}");
}

#[tokio::test]
async fn who_registered_before_there_were_several_is_registered_with_the_first() {
    let holder = Holder::made(|directory, text| {
        write_identity(directory, "a", world().a.member(&[BASE, OTHER]), 0);
        write_identity(directory, "b", world().b.member(&[BASE, OTHER]), 1);
        text
    })
    .await;
    let app = world().a.app("https://earlier.bases.example");
    let client = holder.registered(&app).await;
    let holder = holder
        .restarted_with(|config| {
            config.more_data_holders.push(DataHolder {
                base_url: OTHER.to_owned(),
                upstream: None,
                endpoints: Endpoints::Own,
            });
        })
        .await;
    assert_eq!(
        holder.token(&assertion(&app, &client).sign()).await.status,
        200
    );
    let at_other = assertion(&app, &client).claim("aud", OTHER_TOKEN).sign();
    let reply = form_at(&holder, "/r4b/oauth/token", &form(&at_other)).await;
    assert_eq!(reply.refusal(), "400 invalid_client client-unknown");
}
