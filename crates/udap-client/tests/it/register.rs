use crate::scene::{APP, COMMUNITY, Scene, code, identity};
use crate::token::{extensions, numbered, scope};
use serde_json::{Value, json};
use std::sync::Arc;
use udap_client::{
    Client, ClientError, ClientMetadata, Membership, Outcome, PlanBody, ScopeSet,
    client_credentials,
};
use udap_proto::Refusal as _;
use udap_proto::registration::{Body, Change};
use udap_proto::{jws::JwsAlg, statement};
use udap_testkit::{Answer, Asked, NOW, TestPki};
use udap_trust::keys::KeyType;

fn app() -> ClientMetadata {
    let scope = ScopeSet::parse("system/Patient.rs");
    client_credentials("Example app", &scope, &["mailto:ops@app.example"])
}

fn echo(asked: &Asked, status: u16, changes: Value) -> Answer {
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let mut answer = json!({
        "client_id": "c-1", "software_statement": body["software_statement"],
        "grant_types": ["client_credentials"], "scope": "system/Patient.r",
    });
    for (name, value) in changes.as_object().unwrap() {
        answer[name] = value.clone();
    }
    Answer::json(status, &answer)
}

#[tokio::test]
async fn a_statement_is_what_the_server_side_accepts() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |asked| echo(asked, 201, json!({})));
    let member = scene.pki.leaf(APP);
    let client = scene.client_of(&member);
    let server = client.discover(&scene.base(), None).await.unwrap();
    let registered = client.register(&server, &app()).await.unwrap();
    assert_eq!(registered.client_id, "c-1");
    assert_eq!(registered.outcome, Outcome::New);
    assert_eq!(registered.scope.unwrap().to_string(), "system/Patient.r");

    let sent = scene.server.asked().pop().unwrap();
    assert_eq!((sent.method.as_str(), sent.path()), ("POST", "/register"));
    assert_eq!(sent.headers["content-type"], "application/json");
    let body = Body::read(&sent.body).unwrap();
    let signed = statement::verify_signature(&body.software_statement, &JwsAlg::SSRAA).unwrap();
    let trust = udap_trust::verify::TrustEngine::new(
        Some(udap_trust::fetch::Fetcher::new(scene.policy()).unwrap()),
        vec![scene.pki.trust()],
    );
    let signer = signed.signer().clone();
    assert_eq!(signer.leaf(), member.leaf());
    let verdict = trust
        .verify(COMMUNITY, signer.leaf(), signer.intermediates(), NOW)
        .await
        .unwrap();
    let verified = signed
        .verify(&verdict, &scene.server.url("/register"), NOW)
        .unwrap();
    assert_eq!(verified.uri(), APP);
    assert_eq!(verified.change(), &Change::Register(app()));
}

#[tokio::test]
async fn certifications_go_beside_the_statement() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let accepted = json!({"certifications": [body["certifications"][1]]});
        echo(asked, 201, accepted)
    });
    let client = scene.client_of(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let sent = ["a.b.c".to_owned(), "d.e.f".to_owned()];
    let registered = client.register_certified(&server, &app(), &sent).await;
    let answer = registered.unwrap().answer;
    assert_eq!(answer["certifications"], json!(["d.e.f"]));
    let asked = scene.server.asked().pop().unwrap();
    assert_eq!(Body::read(&asked.body).unwrap().certifications, sent);
}

#[tokio::test]
async fn each_statement_has_its_own_jti() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |asked| echo(asked, 201, json!({})));
    let client = scene.client_of(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let mut statements = Vec::new();
    for _ in 0..2 {
        let plan = client.plan_register(&server, &app()).await.unwrap();
        let PlanBody::Json(body) = plan.body else {
            panic!()
        };
        let compact = body["software_statement"].as_str().unwrap().to_owned();
        let jws = udap_proto::jws::Jws::parse(&compact).unwrap();
        statements.push(jws.payload()["jti"].clone());
    }
    assert_ne!(statements[0], statements[1]);
}

#[tokio::test]
async fn a_change_is_told_from_a_new_registration_and_a_cancellation_needs_its_confirmation() {
    let scene = Scene::new().await;
    let client = scene.client_of(&scene.pki.leaf(APP));
    scene.serves(scene.good(), |asked| echo(asked, 200, json!({})));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let changed = client.register(&server, &app()).await.unwrap();
    assert_eq!(changed.outcome, Outcome::Changed);

    // Still the grant it had: nothing was cancelled.
    assert_eq!(code(client.cancel(&server).await), "cancel-unconfirmed");

    scene.serves(scene.good(), |asked| {
        echo(asked, 200, json!({"grant_types": []}))
    });
    let cancelled = client.cancel(&server).await.unwrap();
    assert_eq!(cancelled.outcome, Outcome::Cancelled);
    let sent = scene.server.asked().pop().unwrap();
    let body = Body::read(&sent.body).unwrap();
    let jws = udap_proto::jws::Jws::parse(&body.software_statement).unwrap();
    assert_eq!(jws.payload()["grant_types"], json!([]));
}

#[tokio::test]
async fn a_new_registration_ends_the_tokens_of_the_one_before() {
    let scene = Scene::new().await;
    let token = numbered(300);
    scene.serves(scene.good(), move |asked| match asked.path() {
        "/token" => Answer::json(200, &token()),
        _ => echo(asked, 200, json!({})),
    });
    let client = scene.client_of(&scene.pki.leaf(APP));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let ask = async || {
        let token = client.token(&server, "c-1", &scope(), &extensions()).await;
        token.unwrap().secret().to_owned()
    };
    assert_eq!([ask().await, ask().await], ["t0", "t0"]);
    client.register(&server, &app()).await.unwrap();
    assert_eq!([ask().await, ask().await], ["t1", "t1"]);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_own_words() {
    let scene = Scene::new().await;
    let client = scene.client_of(&scene.pki.leaf(APP));
    scene.serves(scene.good(), |_| {
        Answer::json(
            400,
            &json!({
                "error": "unapproved_software_statement",
                "error_description": "the certificate was revoked\u{1b}[31m",
                "udap_code": "certificate-revoked",
                "udap_hint": "ask for a new one",
            }),
        )
        .header("x-request-id", "0fd3a1b27c55-1f")
    });
    let server = client.discover(&scene.base(), None).await.unwrap();
    let error = client.register(&server, &app()).await.unwrap_err();
    assert_eq!(error.code(), "registration-refused");
    assert_eq!(error.hint().as_deref(), Some("ask for a new one"));
    let ClientError::Refused(refused) = error else {
        panic!("{error}")
    };
    assert_eq!(
        refused.error.as_deref(),
        Some("unapproved_software_statement")
    );
    assert_eq!(refused.udap_code.as_deref(), Some("certificate-revoked"));
    assert_eq!(refused.status, 400);
    assert_eq!(refused.request_id.as_deref(), Some("0fd3a1b27c55-1f"));
    assert!(
        !refused.to_string().contains('\u{1b}'),
        "no control characters"
    );

    for (answer, expected) in [
        (
            Answer::new(500, "<html>oops</html>"),
            "registration-refused",
        ),
        (Answer::new(201, "not json"), "answer-malformed"),
        (
            Answer::json(201, &json!({"client_id": ""})),
            "answer-malformed",
        ),
        (
            Answer::json(201, &json!({"client_id": 7})),
            "answer-malformed",
        ),
        (
            Answer::new(307, "").header("location", "https://evil.example/register"),
            "redirect-refused",
        ),
    ] {
        scene.serves(scene.good(), move |_| answer.clone());
        assert_eq!(code(client.register(&server, &app()).await), expected);
    }
}

#[tokio::test]
async fn what_would_be_refused_is_not_sent() {
    let scene = Scene::new().await;
    let member = scene.pki.leaf(APP);
    let client = scene.client_of(&member);
    scene.serves(scene.good(), |_| Answer::new(500, ""));
    let server = client.discover(&scene.base(), None).await.unwrap();

    let mut nobody = app();
    nobody.contacts.clear();
    assert_eq!(
        code(client.register(&server, &nobody).await),
        "parameter-invalid"
    );
    let mut unnamed = app();
    unnamed.client_name.clear();
    assert_eq!(
        code(client.register(&server, &unnamed).await),
        "parameter-invalid"
    );
    assert_eq!(
        code(scene.client().register(&server, &app()).await),
        "identity-missing"
    );

    let mut elsewhere = identity(&member);
    elsewhere.community = "https://other.example".into();
    let elsewhere = Client::new(scene.config().with_identity(elsewhere)).unwrap();
    let refused = elsewhere.register(&server, &app()).await;
    assert_eq!(code(refused), "identity-other-community");

    for (member, value) in [
        ("udap_profiles_supported", json!(["udap_authn"])),
        ("grant_types_supported", json!(["authorization_code"])),
        (
            "registration_endpoint_jwt_signing_alg_values_supported",
            json!(["RS256"]),
        ),
    ] {
        let mut poor = scene.good();
        poor[member] = value;
        scene.serves(poor, |_| Answer::new(500, ""));
        let server = client.discover(&scene.base(), None).await.unwrap();
        assert_eq!(
            code(client.register(&server, &app()).await),
            "not-offered",
            "{member}"
        );
    }
    assert!(
        scene
            .server
            .asked()
            .iter()
            .all(|asked| asked.path() != "/register")
    );
}

#[tokio::test]
async fn an_identity_that_nobody_would_believe_is_refused_at_once() {
    let scene = Scene::new().await;
    let member = scene.pki.leaf(APP);
    let refused = |identity| code(Client::new(scene.config().with_identity(identity)));

    let mut other_name = identity(&member);
    other_name.uri = "https://app.example/".into();
    assert_eq!(refused(other_name), "identity-uri-mismatch");
    let mut other_key = identity(&member);
    other_key.signer = Arc::new(scene.pki.leaf(APP).signer);
    assert_eq!(refused(other_key), "identity-key-mismatch");
    let mut bare = identity(&member);
    bare.chain.clear();
    assert_eq!(refused(bare), "identity-certificate-missing");
}

/// A server of both communities would register it in the other one.
#[tokio::test]
async fn a_certificate_of_another_community_is_told_before_anything_is_sent() {
    let scene = Scene::new().await;
    let told = |member| {
        let client = scene.client_of(&member);
        async move { client.require_membership().await.map_err(|e| e.code()) }
    };
    assert_eq!(told(scene.pki.leaf(APP)).await, Ok(Membership::Vouched));
    let other = TestPki::new("https://other.example").leaf(APP);
    assert_eq!(told(other).await, Err("identity-other-community"));
    let nobody = scene.client().require_membership().await;
    assert_eq!(nobody.unwrap(), Membership::Untold);
    // Of whom nobody knows who issued it, nothing is said.
    let mut bare = scene.pki.leaf(APP);
    bare.chain.truncate(1);
    assert_eq!(told(bare).await, Ok(Membership::IssuerMissing));
    // What servers say of a certificate of the community is for them to say.
    let old = scene.pki.member(APP).expired().issue();
    assert_eq!(told(old).await, Ok(Membership::Untold));
    let revoked = scene.pki.leaf(APP);
    scene.pki.revoke(&revoked);
    assert_eq!(told(revoked).await, Ok(Membership::Vouched));
    assert!(scene.server.asked().is_empty() && scene.crl.asked().is_empty());
}

#[tokio::test]
async fn the_algorithm_follows_the_key() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |asked| echo(asked, 201, json!({})));
    for (key, alg) in [(KeyType::Rsa2048, "RS256"), (KeyType::P256, "ES256")] {
        let client = scene.client_of(&scene.pki.member(APP).key(key).issue());
        let server = client.discover(&scene.base(), None).await.unwrap();
        client.register(&server, &app()).await.unwrap();
        let sent = scene.server.asked().pop().unwrap();
        let body = Body::read(&sent.body).unwrap();
        let jws = udap_proto::jws::Jws::parse(&body.software_statement).unwrap();
        assert_eq!(jws.alg().as_str(), alg);
    }
}
