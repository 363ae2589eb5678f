use crate::scene::{APP, Scene, code};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use udap_client::{Extensions, Hl7B2b, ScopeSet};
use udap_proto::jws::JwsAlg;
use udap_proto::token::TokenRequest;
use udap_proto::{Refusal as _, assertion};
use udap_testkit::{Answer, NOW};

pub(crate) fn scope() -> ScopeSet {
    ScopeSet::parse("system/Patient.rs")
}

pub(crate) fn extensions() -> Extensions {
    let object = Hl7B2b {
        organization_id: "https://clinic.example".into(),
        purpose_of_use: vec!["urn:oid:2.16.840.1.113883.5.8#TREAT".into()],
        ..Hl7B2b::default()
    };
    Extensions::from_iter([("hl7-b2b".to_owned(), object.to_json())])
}

/// Numbered tokens of this lifetime.
pub(crate) fn numbered(lifetime: i64) -> impl Fn() -> Value + Send + Sync {
    let count = AtomicUsize::new(0);
    move || {
        let n = count.fetch_add(1, Ordering::Relaxed);
        json!({"access_token": format!("t{n}"), "token_type": "bearer", "expires_in": lifetime, "scope": "system/Patient.r"})
    }
}

#[tokio::test]
async fn an_assertion_is_what_the_server_side_accepts() {
    let scene = Scene::new().await;
    let token = numbered(300);
    scene.serves(scene.good(), move |_| Answer::json(200, &token()));
    let member = scene.pki.leaf(APP);
    let client = scene.client_of(&member);
    let server = client.discover(&scene.base(), None).await.unwrap();
    let token = client
        .token(&server, "c-1", &scope(), &extensions())
        .await
        .unwrap();
    assert_eq!(token.secret(), "t0");
    assert_eq!(token.expires(), NOW.plus_secs(300));
    assert_eq!(token.scope().to_string(), "system/Patient.r");
    assert!(
        !format!("{token:?}").contains("t0"),
        "a token is not printed by accident"
    );

    let sent = scene.server.asked().pop().unwrap();
    assert_eq!(
        sent.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert!(sent.headers.get("authorization").is_none());
    let form = TokenRequest::read(&sent.body).unwrap();
    assert_eq!(form.scope, scope());
    let parsed = assertion::parse(
        form.client_assertion.as_deref().unwrap(),
        &scene.server.url("/token"),
        NOW,
    )
    .unwrap();
    assert_eq!(parsed.client_id(), "c-1");
    let signed = parsed.verify_signature(&JwsAlg::SSRAA).unwrap();
    assert_eq!(signed.signer().leaf(), member.leaf());
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_it_ends() {
    let scene = Scene::new().await;
    let token = numbered(300);
    scene.serves(scene.good(), move |_| Answer::json(200, &token()));
    let (client, time) = scene.client_with_clock(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let ask = |scope: &'static str| {
        let (client, server) = (&client, &server);
        async move {
            let scope = ScopeSet::parse(scope);
            let token = client.token(server, "c-1", &scope, &extensions()).await;
            token.unwrap().secret().to_owned()
        }
    };

    assert_eq!(ask("system/Patient.rs").await, "t0");
    assert_eq!(ask("system/Patient.rs").await, "t0");
    assert_eq!(
        ask("system/Observation.rs").await,
        "t1",
        "other scopes are another token"
    );
    time.store(NOW.0 + 269, Ordering::Relaxed);
    assert_eq!(ask("system/Patient.rs").await, "t0");
    time.store(NOW.0 + 270, Ordering::Relaxed);
    assert_eq!(
        ask("system/Patient.rs").await,
        "t2",
        "its last 30 seconds are not used"
    );
    client.forget_tokens(&server);
    assert_eq!(ask("system/Patient.rs").await, "t3");
}

#[tokio::test]
async fn requests_for_one_token_at_the_same_time_are_one() {
    let scene = Scene::new().await;
    let token = numbered(300);
    scene.serves(scene.good(), move |_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        Answer::json(200, &token())
    });
    let client = scene.client_of(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (client, server) = (client.clone(), server.clone());
        tasks.push(tokio::spawn(async move {
            let token = client.token(&server, "c-1", &scope(), &extensions()).await;
            token.unwrap().secret().to_owned()
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), "t0");
    }
    let asked = scene.server.asked();
    assert_eq!(
        asked
            .iter()
            .filter(|asked| asked.path() == "/token")
            .count(),
        1
    );
}

#[tokio::test]
async fn each_answer_that_is_no_token_is_refused_and_not_remembered() {
    let scene = Scene::new().await;
    let client = scene.client_of(&scene.pki.leaf(APP));
    scene.serves(scene.good(), |_| Answer::new(500, ""));
    let server = client.discover(&scene.base(), None).await.unwrap();
    for (answer, expected) in [
        (
            Answer::json(
                400,
                &json!({"error": "invalid_client", "error_description": "unknown"}),
            ),
            "token-refused",
        ),
        (Answer::new(503, ""), "token-refused"),
        (
            Answer::new(302, "").header("location", "https://evil.example"),
            "redirect-refused",
        ),
        (Answer::new(200, "<html/>"), "answer-malformed"),
        (
            Answer::json(200, &json!({"access_token": "t"})),
            "answer-malformed",
        ),
        (
            Answer::json(200, &json!({"access_token": "t", "token_type": "mac"})),
            "answer-malformed",
        ),
        (
            Answer::json(
                200,
                &json!({"access_token": "a\r\nb", "token_type": "Bearer"}),
            ),
            "answer-malformed",
        ),
        (
            Answer::json(200, &json!({"access_token": "", "token_type": "Bearer"})),
            "answer-malformed",
        ),
    ] {
        scene.serves(scene.good(), move |_| answer.clone());
        let refused = client.token(&server, "c-1", &scope(), &extensions()).await;
        assert_eq!(code(refused), expected);
    }
}

#[tokio::test]
async fn what_would_be_refused_is_not_sent() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |_| Answer::new(500, ""));
    let client = scene.client_of(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let missing = client
        .token(&server, "c-1", &scope(), &Extensions::new())
        .await;
    assert_eq!(missing.unwrap_err().code(), "extension-missing");
    let mut wrong = extensions();
    wrong["hl7-b2b"]["purpose_of_use"] = json!("TREAT");
    let refused = client.token(&server, "c-1", &scope(), &wrong).await;
    assert_eq!(code(refused), "extension-member-malformed");
    let refused = scene
        .client()
        .token(&server, "c-1", &scope(), &extensions())
        .await;
    assert_eq!(code(refused), "identity-missing");

    let mut poor = scene.good();
    poor["token_endpoint_auth_signing_alg_values_supported"] = json!(["RS256"]);
    scene.serves(poor, |_| Answer::new(500, ""));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let refused = client.token(&server, "c-1", &scope(), &extensions()).await;
    assert_eq!(code(refused), "not-offered");
    assert!(
        scene
            .server
            .asked()
            .iter()
            .all(|asked| asked.path() != "/token")
    );
}
