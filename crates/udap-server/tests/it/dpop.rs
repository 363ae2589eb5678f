//! Tokens that are bound to a key (RFC 9449), at the token endpoint.

use crate::support::bound::{CERTIFIED, ProofKey, bound, by_certificate, certified, post, shows};
use crate::support::{BASE, Holder, Member, Reply, assertion, form, statement, world};
use serde_json::{Value, json};
use udap_proto::access_token;
use udap_proto::dpop::MAX_BYTES;
use udap_trust::clock;

const TARGET: &str = "/fhir/oauth/token";

async fn ask(holder: &Holder, (app, id): (&Member, &str), proofs: &[&str]) -> Reply {
    let jwt = assertion(app, id).sign();
    post(holder, TARGET, &form(&jwt), None, proofs).await
}

async fn registered(holder: &Holder, name: &str) -> (Member, String) {
    let app = world().a.app(&format!("https://{name}.dpop.example"));
    let id = holder.registered(&app).await;
    (app, id)
}

fn jkt(holder: &Holder, reply: &Reply) -> Option<Value> {
    assert_eq!(reply.status, 200, "{reply}");
    let keys = holder.server.keys();
    let token = reply.text("access_token");
    let token = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
    json!(token.cnf()).get("jkt").cloned()
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_of_its_proof() {
    let holder = bound("", "dpop = \"supported\"").await;
    let (app, id) = registered(&holder, "bound").await;
    let key = ProofKey::new();
    let reply = ask(&holder, (&app, &id), &[&key.proof(&json!({}))]).await;
    assert_eq!(jkt(&holder, &reply), Some(json!(key.thumbprint())));
    assert_eq!(reply.text("token_type"), "DPoP");
    assert_eq!(reply.header("dpop-nonce"), "");
    // Supported: who sends none gets a token that is borne.
    let reply = ask(&holder, (&app, &id), &[]).await;
    assert_eq!(jkt(&holder, &reply), None);
    assert_eq!(reply.text("token_type"), "Bearer");
    let document = holder.get("/fhir/.well-known/smart-configuration").await;
    let algs = &document.json()["dpop_signing_alg_values_supported"];
    assert_eq!(
        *algs,
        json!(["ES256", "ES384", "EdDSA", "RS256", "RS384", "PS256"])
    );
}

#[tokio::test]
async fn a_proof_that_is_wrong_is_refused_and_never_overlooked() {
    let holder = bound("", "dpop = \"supported\"").await;
    let (app, id) = registered(&holder, "wrong").await;
    let key = ProofKey::new();
    let good = || key.proof(&json!({}));
    let once = good();
    assert_eq!(ask(&holder, (&app, &id), &[&once]).await.status, 200);
    let with = |name: &str, value: Value| key.proof(&json!({name: value}));
    let now = clock::now().0;
    let long = "x".repeat(MAX_BYTES + 1);
    let own = assertion(&app, &id).sign();
    let (one, two) = (good(), good());
    for (proofs, expected) in [
        (vec![once], "dpop-proof-replayed"),
        (vec![one, two], "dpop-proof-ambiguous"),
        (vec![String::new()], "jwt-malformed"),
        (vec![long], "dpop-proof-too-large"),
        (vec![own], "not-a-dpop-proof"),
        (vec![with("htm", json!("GET"))], "dpop-htm-mismatch"),
        (vec![with("htu", json!(BASE))], "dpop-htu-mismatch"),
        (
            vec![with("htu", json!("https://other.example/fhir/oauth/token"))],
            "dpop-htu-mismatch",
        ),
        (
            vec![with("htu", json!(format!("{CERTIFIED}/oauth/token")))],
            "dpop-htu-mismatch",
        ),
        (vec![with("iat", json!(now - 200))], "dpop-proof-old"),
        (vec![with("iat", json!(now + 200))], "jwt-from-the-future"),
        (vec![with("jti", Value::Null)], "claim-missing"),
    ] {
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let reply = ask(&holder, (&app, &id), &proofs).await;
        assert_eq!(
            reply.refusal(),
            format!("400 invalid_dpop_proof {expected}")
        );
    }
    // Behind another Host the address is the configured one.
    let jwt = assertion(&app, &id).sign();
    let proof = key.proof(&json!({"htu": "https://evil.example/fhir/oauth/token"}));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "evil.example"),
        ("dpop", &proof),
    ];
    let body = crate::support::encoded(&form(&jwt));
    let request = crate::support::request(http::Method::POST, TARGET, &headers, body);
    let refused = holder.send(request).await.refusal();
    assert_eq!(refused, "400 invalid_dpop_proof dpop-htu-mismatch");
}

#[tokio::test]
async fn a_community_can_demand_it_and_so_can_an_app() {
    let holder = bound("", "dpop = \"required\"").await;
    let (app, id) = registered(&holder, "demanded").await;
    let refused = "400 invalid_dpop_proof dpop-proof-missing";
    assert_eq!(ask(&holder, (&app, &id), &[]).await.refusal(), refused);
    let key = ProofKey::new();
    let reply = ask(&holder, (&app, &id), &[&key.proof(&json!({}))]).await;
    assert!(jkt(&holder, &reply).is_some());
    // Of the other community nobody demands any, and none is looked at.
    let other = world().b.app("https://other.dpop.example");
    let other_id = holder.registered(&other).await;
    let reply = ask(&holder, (&other, &other_id), &["junk"]).await;
    assert_eq!(jkt(&holder, &reply), None);

    let holder = bound("", "dpop = \"supported\"").await;
    let app = world().a.app("https://wants.dpop.example");
    let jwt = statement(&app).claim("dpop_bound_access_tokens", true);
    let reply = holder.register(&jwt.sign()).await;
    assert_eq!(reply.json()["dpop_bound_access_tokens"], true, "{reply}");
    let id = reply.text("client_id");
    assert_eq!(ask(&holder, (&app, &id), &[]).await.refusal(), refused);
    // The operator who switches proofs off does not get around what the app registered.
    let holder = holder
        .restarted_with(|config| config.communities[0].binding.dpop = Default::default())
        .await;
    assert_eq!(ask(&holder, (&app, &id), &[]).await.refusal(), refused);
    let proof = key.proof(&json!({}));
    let reply = ask(&holder, (&app, &id), &[&proof]).await;
    assert_eq!(jkt(&holder, &reply), Some(json!(key.thumbprint())));
}

#[tokio::test]
async fn a_nonce_is_demanded_given_out_and_taken() {
    let holder = bound("dpop_nonce = true", "dpop = \"supported\"").await;
    let (app, id) = registered(&holder, "nonce").await;
    let key = ProofKey::new();
    let reply = ask(&holder, (&app, &id), &[&key.proof(&json!({}))]).await;
    assert_eq!(reply.refusal(), "400 use_dpop_nonce dpop-nonce-missing");
    let nonce = reply.header("dpop-nonce").to_owned();
    let other = bound("dpop_nonce = true", "dpop = \"supported\"").await;
    for wrong in [
        "x",
        &nonce[1..],
        ask(&other, (&app, &id), &[]).await.header("dpop-nonce"),
    ] {
        let proof = key.proof(&json!({"nonce": wrong}));
        let reply = ask(&holder, (&app, &id), &[&proof]).await;
        assert_eq!(reply.refusal(), "400 use_dpop_nonce dpop-nonce-unknown");
    }
    let proof = key.proof(&json!({"nonce": nonce}));
    let reply = ask(&holder, (&app, &id), &[&proof]).await;
    assert!(jkt(&holder, &reply).is_some());
    assert!(!reply.header("dpop-nonce").is_empty());
}

#[tokio::test]
async fn a_token_can_be_bound_to_certificate_and_key() {
    let holder = bound("", "tls_client_auth = true\ndpop = \"required\"").await;
    let app = world().a.app("https://both.dpop.example");
    let id = certified(&holder, &app).await;
    let key = ProofKey::new();
    let alias = format!("{CERTIFIED}/oauth/token");
    let proof = key.proof(&json!({"htu": alias}));
    let reply = post(
        &holder,
        TARGET,
        &by_certificate(&id),
        shows(&app),
        &[&proof],
    )
    .await;
    assert_eq!(reply.text("token_type"), "DPoP");
    assert_eq!(jkt(&holder, &reply), Some(json!(key.thumbprint())));
    let keys = holder.server.keys();
    let token = reply.text("access_token");
    let token = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
    assert_eq!(token.cnf().certificate, Some(*app.leaf().sha256()));
}
