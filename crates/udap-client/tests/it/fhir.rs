use crate::scene::{APP, Scene, code};
use serde_json::json;
use udap_client::{AccessToken, Client, ClientError, Extensions, ScopeSet};
use udap_proto::Refusal as _;
use udap_testkit::{Answer, Asked};

async fn with_token(scene: &Scene, answer: fn(&Asked) -> Answer) -> (Client, AccessToken) {
    let mut metadata = scene.good();
    metadata["udap_authorization_extensions_required"] = json!([]);
    scene.serves(metadata, move |asked| match asked.path() {
        "/token" => Answer::json(
            200,
            &json!({"access_token": "secret-token", "token_type": "Bearer", "expires_in": 300}),
        ),
        _ => answer(asked),
    });
    let client = scene.client_of(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let scope = ScopeSet::parse("system/Patient.rs");
    let token = client
        .token(&server, "c-1", &scope, &Extensions::new())
        .await
        .unwrap();
    (client, token)
}

#[tokio::test]
async fn a_resource_is_read_with_the_token() {
    let scene = Scene::new().await;
    let (client, token) = with_token(&scene, |_| {
        Answer::json(200, &json!({"resourceType": "Patient", "id": "1"}))
    })
    .await;
    let url = format!("{}/Patient/1", scene.base());
    let answer = client.get(&token, &url).await.unwrap();
    assert_eq!(&answer.body[..], br#"{"resourceType":"Patient","id":"1"}"#);
    let sent = scene.server.asked().pop().unwrap();
    assert_eq!(sent.headers["authorization"], "Bearer secret-token");
    assert_eq!(sent.headers["accept"], "application/fhir+json");
}

#[tokio::test]
async fn a_token_never_goes_to_another_origin() {
    let scene = Scene::new().await;
    let (client, token) = with_token(&scene, |_| Answer::new(200, "{}")).await;
    let before = scene.server.asked().len();
    for url in [
        "https://evil.example/fhir/Patient/1".to_owned(),
        scene.server.url("/token"),
        scene.server.url("/fhir/../token"),
        scene.base().replace("https", "http"),
    ] {
        assert_eq!(
            code(client.get(&token, &url).await),
            "url-outside-base",
            "{url}"
        );
    }
    assert_eq!(scene.server.asked().len(), before, "nothing was sent");
}

#[tokio::test]
async fn a_redirect_does_not_take_the_token_along() {
    let scene = Scene::new().await;
    let (client, token) = with_token(&scene, |_| {
        Answer::new(302, "").header("location", "https://evil.example/Patient/1")
    })
    .await;
    let url = format!("{}/Patient/1", scene.base());
    assert_eq!(code(client.get(&token, &url).await), "redirect-refused");
}

#[tokio::test]
async fn an_operation_outcome_is_told() {
    let scene = Scene::new().await;
    let (client, token) = with_token(&scene, |_| {
        Answer::json(
            403,
            &json!({"resourceType": "OperationOutcome", "issue": [{
                "severity": "error", "code": "forbidden", "diagnostics": "no scope permits it",
                "details": {"coding": [{"code": "scope-missing"}]},
            }]}),
        )
    })
    .await;
    let url = format!("{}/Condition/1", scene.base());
    let error = client.get(&token, &url).await.unwrap_err();
    assert_eq!(error.code(), "fhir-refused");
    let ClientError::Refused(refused) = error else {
        panic!("{error}")
    };
    assert_eq!(refused.udap_code.as_deref(), Some("scope-missing"));
    assert_eq!(refused.description.as_deref(), Some("no scope permits it"));
}

#[tokio::test]
async fn a_header_that_would_be_two_is_not_sent() {
    let scene = Scene::new().await;
    let (client, token) = with_token(&scene, |_| Answer::new(200, "{}")).await;
    let before = scene.server.asked().len();
    let mut plan = client.plan_get(token.base_url(), &scene.base()).unwrap();
    plan.headers
        .push(("authorization", "Bearer a\r\nx-evil: b".to_owned()));
    assert_eq!(code(client.send(&plan).await), "header-invalid");
    assert_eq!(scene.server.asked().len(), before);
}
