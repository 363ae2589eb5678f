//! Introspection and revocation, from the client's side.

use crate::scene::{APP, Scene, code};
use serde_json::{Value, json};
use udap_client::{About, Client, Discovered};
use udap_proto::assertion;
use udap_proto::introspection::AboutToken;
use udap_proto::jws::JwsAlg;
use udap_testkit::{Answer, NOW};

const SMART: &str = "/fhir/.well-known/smart-configuration";

/// A server whose SMART document is this, and whose answer to everything else is that.
async fn scene(smart: impl Fn(&Scene) -> Value, other: Answer) -> (Scene, Client) {
    let scene = Scene::new().await;
    let smart = smart(&scene);
    scene.serves(scene.good(), move |asked| match asked.path() {
        SMART => Answer::json(200, &smart),
        _ => other.clone(),
    });
    let client = scene.client_of(&scene.pki.leaf(APP));
    (scene, client)
}

fn endpoints(scene: &Scene) -> Value {
    json!({
        "introspection_endpoint": scene.server.url("/introspect"),
        "revocation_endpoint": scene.server.url("/revoke"),
    })
}

async fn located(scene: &Scene, client: &Client) -> Discovered {
    let mut server = client.discover(&scene.base(), None).await.unwrap();
    client.locate(&mut server).await.unwrap();
    server
}

#[tokio::test]
async fn what_is_sent_is_what_the_server_side_accepts() {
    let answer = Answer::json(200, &json!({"active": true, "scope": "system/Patient.rs"}));
    let (scene, client) = scene(endpoints, answer).await;
    let server = located(&scene, &client).await;
    let said = client.introspect(&server, "c-1", "t-1").await.unwrap();
    assert_eq!(said["scope"], "system/Patient.rs");
    client.revoke(&server, "c-1", "t-1").await.unwrap();
    for (sent, path) in scene
        .server
        .asked()
        .iter()
        .rev()
        .zip(["/revoke", "/introspect"])
    {
        assert_eq!(sent.path(), path);
        let form = AboutToken::read(&sent.body).unwrap();
        assert_eq!(form.token, "t-1");
        // Good at that endpoint, and at no other.
        let parse = |path: &str| {
            assertion::parse(
                form.client_assertion.as_deref().unwrap(),
                &scene.server.url(path),
                NOW,
            )
        };
        assert!(parse("/token").is_err());
        let signed = parse(path).unwrap().verify_signature(&JwsAlg::SSRAA);
        assert_eq!(signed.unwrap().signer().leaf().uri_names(), [APP]);
    }
    // Neither the token nor the assertion is shown.
    let plan = client
        .plan_about(&server, About::Revocation, "c-1", "t-1")
        .await
        .unwrap();
    let shown = plan.to_curl(udap_client::Secrets::Redacted, None);
    assert!(
        shown.contains("token=ACCESS_TOKEN") && !shown.contains("t-1"),
        "{shown}"
    );
    assert!(!format!("{plan:?}").contains("t-1"));
}

#[tokio::test]
async fn an_endpoint_that_nobody_signed_is_believed_only_beside_the_token_endpoint() {
    for (smart, expected) in [
        (
            json!({"revocation_endpoint": "https://evil.example/revoke"}),
            "endpoint-elsewhere",
        ),
        (
            json!({"introspection_endpoint": "https://localhost/introspect"}),
            "endpoint-elsewhere",
        ),
        (
            json!({"revocation_endpoint": "http://localhost/revoke"}),
            "endpoint-url-refused",
        ),
        (
            json!({"revocation_endpoint": "nonsense"}),
            "endpoint-url-refused",
        ),
    ] {
        let (scene, client) = scene(|_| smart.clone(), Answer::new(200, "")).await;
        let mut server = client.discover(&scene.base(), None).await.unwrap();
        assert_eq!(code(client.locate(&mut server).await), expected, "{smart}");
        // And nothing was learned.
        let plan = client
            .plan_about(&server, About::Revocation, "c", "t")
            .await;
        assert_eq!(code(plan), "endpoint-not-offered");
    }
}

#[tokio::test]
async fn what_is_not_offered_or_refused_says_so() {
    let (none, client) = scene(|_| json!({}), Answer::new(200, "")).await;
    let server = located(&none, &client).await;
    assert_eq!(
        code(client.introspect(&server, "c", "t").await),
        "endpoint-not-offered"
    );
    assert_eq!(
        code(client.revoke(&server, "c", "t").await),
        "endpoint-not-offered"
    );

    let refusal = Answer::json(401, &json!({"error": "invalid_client"}));
    let (refusing, client) = scene(endpoints, refusal).await;
    let server = located(&refusing, &client).await;
    assert_eq!(
        code(client.introspect(&server, "c", "t").await),
        "introspection-refused"
    );
    assert_eq!(
        code(client.revoke(&server, "c", "t").await),
        "revocation-refused"
    );

    for body in ["no", "[]", "{}", r#"{"active": "true"}"#] {
        let (odd, client) = scene(endpoints, Answer::new(200, body)).await;
        let server = located(&odd, &client).await;
        assert_eq!(
            code(client.introspect(&server, "c", "t").await),
            "answer-malformed",
            "{body}"
        );
    }
}
