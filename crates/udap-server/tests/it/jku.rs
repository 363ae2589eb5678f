//! Experimental: a registered URL of keys in place of certificates (HL7 SSRAA §7.6).

use crate::support::{Holder, Jwt, Member, assertion, statement, world};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use udap_proto::jwk::Jwk;
use udap_testkit::{Answer, TestServer};

fn x5c(app: &Member) -> Value {
    let certificates = app.chain.iter();
    certificates
        .map(|c| Value::from(STANDARD.encode(c.der())))
        .collect()
}

fn jwk(app: &Member, kid: &str) -> Value {
    let key = app.leaf().public_key().unwrap();
    let mut jwk = Jwk::from_public_key(key, Some(kid.to_owned()), None)
        .unwrap()
        .to_json();
    jwk["x5c"] = x5c(app);
    jwk
}

fn keys(keys: &[Value]) -> Answer {
    Answer::json(200, &json!({"keys": keys}))
}

/// The app's server of keys, and a data holder that asks it.
async fn scene(app: &Member, on: bool) -> (TestServer, Arc<Mutex<Answer>>, Holder) {
    let says = Arc::new(Mutex::new(keys(&[jwk(app, "k")])));
    let answer = Arc::clone(&says);
    let server = TestServer::https(move |_| answer.lock().unwrap().clone()).await;
    let holder = Holder::asking(&server, |text| format!("experimental_jku = {on}\n{text}")).await;
    (server, says, holder)
}

async fn registered(holder: &Holder, app: &Member, jku: &str) -> String {
    let reply = holder
        .register(&statement(app).claim("jku", jku).sign())
        .await;
    assert_eq!(reply.status, 201, "{reply}");
    reply.text("client_id")
}

fn by_url(app: &Member, id: &str, jku: &str) -> Jwt {
    assertion(app, id)
        .without_header("x5c")
        .header("jku", jku)
        .header("kid", "k")
}

#[tokio::test]
async fn a_registered_url_stands_in_for_certificates() {
    // Before the community's CRL is fetched and remembered.
    let revoked = world().a.app("https://jku.app.example");
    world().a.revoke(revoked.leaf());
    let app = world().a.app("https://jku.app.example");
    let (server, says, holder) = scene(&app, true).await;
    let url = server.url("/jwks");
    let statement = statement(&app).claim("jku", url.as_str());
    let reply = holder.register(&statement.sign()).await;
    assert_eq!(reply.text("jku"), url);
    let id = reply.text("client_id");
    let jwt = by_url(&app, &id, &url);
    assert_eq!(holder.token(&jwt.sign()).await.status, 200);
    // What was sent once was sent once.
    let reply = holder.token(&jwt.sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_client jwt-replayed");
    // Certificates serve as ever.
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);

    // Whoever else signs, or names another URL, or none that is registered.
    let peer = world().a.app("https://peer.jku.example");
    let peer_id = holder.registered(&peer).await;
    for (what, jwt, refusal) in [
        (
            "another's key",
            by_url(&app, &id, &url).signed_by(&peer.signer),
            "400 invalid_request jwt-signature-invalid",
        ),
        (
            "another URL",
            by_url(&app, &id, &server.url("/other")),
            "400 invalid_client jku-mismatch",
        ),
        (
            "a URL of nobody's",
            by_url(&peer, &peer_id, &url),
            "400 invalid_client jku-mismatch",
        ),
        (
            "no kid",
            by_url(&app, &id, &url).without_header("kid"),
            "400 invalid_client kid-missing",
        ),
        (
            "a key that is not there",
            by_url(&app, &id, &url).header("kid", "x"),
            "400 invalid_request jwt-key-unknown",
        ),
        (
            "neither certificates nor a URL",
            assertion(&app, &id).without_header("x5c"),
            "400 invalid_request x5c-missing",
        ),
    ] {
        let reply = holder.token(&jwt.sign()).await;
        assert_eq!(reply.refusal(), refusal, "{what}");
    }
    let paths: Vec<_> = server.asked().iter().map(|a| a.target.clone()).collect();
    assert_eq!(paths, ["/jwks"]);

    // A key whose certificate is another's, is untrusted, or has been revoked.
    let rogue = world().rogue.app("https://jku.app.example");
    let mut bare = jwk(&app, "k");
    bare.as_object_mut().unwrap().remove("x5c");
    for (what, signer, at_url, refusal) in [
        (
            "no certificates",
            &app,
            keys(&[bare]),
            "400 invalid_request x5c-missing",
        ),
        (
            "a peer's certificate",
            &peer,
            keys(&[jwk(&peer, "k")]),
            "400 invalid_client san-uri-mismatch",
        ),
        (
            "a rogue's",
            &rogue,
            keys(&[jwk(&rogue, "k")]),
            "400 invalid_client chain-not-trusted",
        ),
        (
            "one that is revoked",
            &revoked,
            keys(&[jwk(&revoked, "k")]),
            "400 invalid_client certificate-revoked",
        ),
        (
            "nothing",
            &app,
            Answer::new(404, "no"),
            "400 invalid_client key-set-unavailable",
        ),
    ] {
        *says.lock().unwrap() = at_url;
        // Registered anew at a URL that was not asked yet.
        let url = server.url(&format!("/{}", what.replace(' ', "-")));
        let statement = crate::support::statement(&app).claim("jku", url.as_str());
        assert_eq!(holder.register(&statement.sign()).await.status, 200);
        let reply = holder.token(&by_url(signer, &id, &url).sign()).await;
        assert_eq!(reply.refusal(), refusal, "{what}");
    }
}

#[tokio::test]
async fn it_is_off_unless_switched_on_and_never_for_registrations() {
    let app = world().a.app("https://off.jku.example");
    let (server, _, holder) = scene(&app, false).await;
    let url = server.url("/jwks");
    let id = registered(&holder, &app, &url).await;
    // Passed over, as any parameter that is not known.
    let reply = holder
        .register(&statement(&app).claim("jku", url.as_str()).sign())
        .await;
    assert!(reply.json().get("jku").is_none(), "{reply}");
    let reply = holder.token(&by_url(&app, &id, &url).sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_request x5c-missing");

    let app = world().a.app("https://never.jku.example");
    let (other, _, holder) = scene(&app, true).await;
    let url = other.url("/jwks");
    let statement = || statement(&app).claim("jku", url.as_str());
    let by_url = statement()
        .without_header("x5c")
        .header("jku", url.as_str())
        .header("kid", "k");
    let reply = holder.register(&by_url.sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_software_statement x5c-missing"
    );
    for wrong in [
        json!("http://app.example/jwks"),
        json!("x"),
        json!(7),
        json!("https://u:p@app.example/"),
    ] {
        let reply = holder
            .register(&statement().claim("jku", wrong).sign())
            .await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_client_metadata parameter-invalid"
        );
    }
    assert_eq!((server.asked().len(), other.asked().len()), (0, 0));
}
