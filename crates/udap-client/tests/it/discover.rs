use crate::scene::{APP, COMMUNITY, Scene, code};
use serde_json::json;
use std::sync::atomic::Ordering;
use udap_client::{
    Client, ClientConfig, ClientError, Extensions, FetchPolicy, ScopeSet, TlsRoots,
    client_credentials,
};
use udap_proto::Refusal as _;
use udap_testkit::{Answer, DAY, NOW, TestPki, clock};
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::KeySigner;

#[tokio::test]
async fn an_honest_server_is_found_and_verified() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |_| Answer::new(404, ""));
    let found = scene.client().discover(&scene.base(), None).await.unwrap();
    assert_eq!(found.community, COMMUNITY);
    assert_eq!(found.token_endpoint, scene.server.url("/token"));
    assert!(found.verdict().revocation_checked());
    assert_eq!(found.expires(), NOW.plus_secs(DAY));
    // The community is asked for by name, percent-encoded.
    assert_eq!(
        scene.server.asked()[0].target,
        "/fhir/.well-known/udap?community=https%3A%2F%2Fcommunity.example"
    );
    assert!(
        scene.server.asked()[0]
            .headers
            .get("authorization")
            .is_none()
    );
}

#[tokio::test]
async fn a_server_that_answers_anything_but_metadata_is_refused() {
    let scene = Scene::new().await;
    for (status, expected) in [
        (404, "udap-not-offered"),
        (204, "community-not-served"),
        (500, "metadata-status"),
        (401, "metadata-status"),
    ] {
        scene.answers(move |_| Answer::new(status, ""));
        assert_eq!(scene.discover_code().await, expected, "{status}");
    }
    for (body, expected) in [
        ("<html/>", "metadata-malformed"),
        (r#"{"a":1,"a":2}"#, "metadata-malformed"),
        (
            r#"{"token_endpoint":"https://a.example/t"}"#,
            "metadata-not-signed",
        ),
        (r#"{"signed_metadata":"a.b"}"#, "jwt-malformed"),
    ] {
        scene.answers(move |_| Answer::new(200, body));
        assert_eq!(scene.discover_code().await, expected, "{body}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let scene = Scene::new().await;
    let good = scene.good();
    let to = scene.server.url("/elsewhere");
    scene.answers(move |asked| match asked.path() {
        "/elsewhere" => Answer::json(200, &good),
        _ => Answer::new(302, "").header("location", &to),
    });
    let error = scene
        .client()
        .discover(&scene.base(), None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "redirect-refused");
    assert!(error.hint().unwrap().contains("/elsewhere"));
    assert_eq!(scene.server.asked().len(), 1, "nobody asked elsewhere");
}

#[tokio::test]
async fn a_signature_by_another_key_than_the_leafs_is_refused() {
    let scene = Scene::new().await;
    let holder = scene.pki.data_holder(&scene.base());
    let other = KeySigner::from_pkcs8(&generate(KeyType::Rsa2048).unwrap()).unwrap();
    let signed = holder.sign_by(&other, &scene.claims());
    scene.serves(scene.metadata(signed), |_| Answer::new(404, ""));
    assert_eq!(scene.discover_code().await, "jwt-signature-invalid");

    // The same when the key is that of another certificate of x5c.
    let mut first = scene.pki.data_holder(&scene.base());
    let second = scene.pki.data_holder("https://other.example/fhir");
    first.chain.insert(1, second.leaf().clone());
    let signed = first.sign_by(&second.signer, &scene.claims());
    scene.serves(scene.metadata(signed), |_| Answer::new(404, ""));
    assert_eq!(scene.discover_code().await, "jwt-signature-invalid");
}

#[tokio::test]
async fn a_server_whose_certificate_is_not_good_is_refused() {
    let scene = Scene::new().await;
    let base = scene.base();

    let stranger = TestPki::new("https://stranger.example").data_holder(&base);
    let expired = scene
        .pki
        .member(&base)
        .key(KeyType::Rsa2048)
        .expired()
        .issue();
    let early = scene
        .pki
        .member(&base)
        .key(KeyType::Rsa2048)
        .valid(DAY, 2 * DAY)
        .issue();
    let revoked = scene.pki.data_holder(&base);
    scene.pki.revoke(&revoked);
    for (member, expected) in [
        (stranger, "chain-not-trusted"),
        (expired, "certificate-expired"),
        (early, "certificate-not-yet-valid"),
        (revoked, "certificate-revoked"),
    ] {
        let signed = member.sign(&scene.claims());
        scene.serves(scene.metadata(signed), |_| Answer::new(404, ""));
        assert_eq!(scene.discover_code().await, expected);
    }
}

#[tokio::test]
async fn without_a_crl_nobody_is_trusted() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |_| Answer::new(404, ""));
    let mut config = scene.config();
    config
        .fetch
        .allow_hosts
        .retain(|host| *host == scene.server.host());
    let client = Client::new(config).unwrap();
    let refused = code(client.discover(&scene.base(), None).await);
    assert_eq!(refused, "revocation-unavailable");
    assert!(scene.crl.asked().is_empty(), "its address is not public");
}

#[tokio::test]
async fn a_name_that_is_not_the_base_url_is_refused() {
    let scene = Scene::new().await;
    // A member of the community that is another server.
    let other = scene.pki.data_holder("https://other.example/fhir");
    scene.serves(scene.metadata(other.sign(&scene.claims())), |_| {
        Answer::new(404, "")
    });
    assert_eq!(scene.discover_code().await, "san-uri-mismatch");

    // One that says truly who it is, at an address that is not its own.
    let mut claims = scene.claims();
    claims["iss"] = json!("https://other.example/fhir");
    claims["sub"] = claims["iss"].clone();
    scene.serves(scene.metadata(other.sign(&claims)), |_| {
        Answer::new(404, "")
    });
    assert_eq!(scene.discover_code().await, "iss-mismatch");

    // A trailing slash is another URL, and the hint says so.
    scene.serves(scene.good(), |_| Answer::new(404, ""));
    let with_slash = format!("{}/", scene.base());
    let error = scene
        .client()
        .discover(&with_slash, None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "iss-mismatch");
    assert!(
        error.hint().unwrap().contains("trailing slash"),
        "{error:?}"
    );
}

#[tokio::test]
async fn metadata_out_of_its_time_is_refused() {
    let scene = Scene::new().await;
    let holder = scene.pki.data_holder(&scene.base());
    for (iat, exp, expected) in [
        (NOW.0 - 7200, NOW.0 - 3600, "jwt-expired"),
        (NOW.0 + 3600, NOW.0 + 7200, "jwt-from-the-future"),
        (NOW.0, NOW.0 + 400 * DAY, "jwt-lifetime"),
    ] {
        let mut claims = scene.claims();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        scene.serves(scene.metadata(holder.sign(&claims)), |_| {
            Answer::new(404, "")
        });
        assert_eq!(scene.discover_code().await, expected);
    }
}

#[tokio::test]
async fn endpoints_that_were_altered_or_are_not_https_are_refused() {
    let scene = Scene::new().await;
    for endpoint in ["token_endpoint", "registration_endpoint"] {
        let mut altered = scene.good();
        altered[endpoint] = json!("https://evil.example/x");
        scene.serves(altered, |_| Answer::new(404, ""));
        assert_eq!(scene.discover_code().await, "metadata-endpoint-mismatch");

        let holder = scene.pki.data_holder(&scene.base());
        let mut claims = scene.claims();
        claims[endpoint] = json!("http://fhir.example/x");
        let mut plain = scene.metadata(holder.sign(&claims));
        plain[endpoint] = claims[endpoint].clone();
        scene.serves(plain, |_| Answer::new(404, ""));
        assert_eq!(scene.discover_code().await, "endpoint-url-refused");
    }
    // One that only the plain part has.
    let mut added = scene.good();
    added["authorization_endpoint"] = json!("https://evil.example/authorize");
    scene.serves(added, |_| Answer::new(404, ""));
    assert_eq!(scene.discover_code().await, "metadata-endpoint-mismatch");
}

#[tokio::test]
async fn a_base_url_that_is_none_is_refused_before_anything_is_sent() {
    let scene = Scene::new().await;
    let client = scene.client();
    for base in [
        "http://localhost/fhir",
        "ftp://localhost/fhir",
        "fhir.example.org",
        "https://user:pw@localhost/fhir",
        "https://localhost/fhir?x=1",
        "https://localhost/fhir#x",
        "",
    ] {
        assert_eq!(
            code(client.discover(base, None).await),
            "base-url-invalid",
            "{base}"
        );
    }
    // Loopback that the operator did not list.
    let refused = client.discover("https://127.0.0.1:1/fhir", None).await;
    assert_eq!(code(refused), "address-not-public");
}

#[tokio::test]
async fn a_tls_certificate_of_nobody_is_refused() {
    let scene = Scene::new().await;
    let other = Scene::new().await;
    scene.serves(scene.good(), |_| Answer::new(404, ""));
    let mut config = scene.config();
    config.fetch.tls_roots = TlsRoots::These(vec![other.server.tls_root()]);
    let client = Client::new(config).unwrap();
    assert_eq!(
        code(client.discover(&scene.base(), None).await),
        "tls-failed"
    );
}

#[tokio::test]
async fn exactly_one_community_must_vouch_for_a_server() {
    let scene = Scene::new().await;
    scene.serves(scene.good(), |_| Answer::new(404, ""));
    let others = [
        TestPki::new("urn:oid:1.2.3"),
        TestPki::new("https://third.example"),
    ];
    let client = |trusts| {
        Client::new(ClientConfig {
            communities: trusts,
            ..scene.config()
        })
        .unwrap()
    };

    // Of three, only the second vouches for it.
    let three = client(vec![
        others[0].trust(),
        scene.pki.trust(),
        others[1].trust(),
    ]);
    let found = three.discover(&scene.base(), None).await.unwrap();
    assert_eq!(found.community, COMMUNITY);

    let two = client(others.iter().map(TestPki::trust).collect());
    let error = two.discover(&scene.base(), None).await.unwrap_err();
    let ClientError::NoCommunityAccepts { tried } = &error else {
        panic!("{error}")
    };
    assert_eq!(error.code(), "community-none-accepts");
    assert!(tried.iter().all(|tried| tried.code == "chain-not-trusted"));

    // The same anchor under two names: whose rules hold is not guessed.
    let mut twin = scene.pki.trust();
    twin.uri = "https://twin.example".into();
    let ambiguous = client(vec![scene.pki.trust(), twin]);
    let refused = ambiguous.discover(&scene.base(), None).await;
    assert_eq!(code(refused), "server-community-ambiguous");
    let chosen = ambiguous.discover(&scene.base(), Some(COMMUNITY)).await;
    assert_eq!(code(chosen), "accepted");

    let refused = three
        .discover(&scene.base(), Some("https://unknown.example"))
        .await;
    assert_eq!(code(refused), "community-unknown");
    let nobody = Client::new(ClientConfig {
        fetch: FetchPolicy::default(),
        communities: Vec::new(),
        identity: None,
        clock: clock(),
    });
    let refused = nobody.unwrap().discover(&scene.base(), None).await;
    assert_eq!(code(refused), "community-none-configured");
}

/// Nothing is sent, and no token that is still good is given out, after the end of what it rests on.
#[tokio::test]
async fn what_no_longer_holds_is_not_relied_on() {
    let scene = Scene::new().await;
    let end = NOW.plus_secs(120);
    let mut claims = scene.claims();
    claims["exp"] = json!(end.0);
    let holder = scene.pki.data_holder(&scene.base());
    let mut metadata = scene.metadata(holder.sign(&claims));
    metadata["udap_authorization_extensions_required"] = json!([]);
    let smart = json!({
        "introspection_endpoint": scene.server.url("/introspect"),
        "revocation_endpoint": scene.server.url("/revoke"),
    });
    scene.serves(metadata, move |asked| match asked.path() {
        "/token" => Answer::json(
            200,
            &json!({"access_token": "t", "token_type": "bearer", "expires_in": 300}),
        ),
        "/fhir/.well-known/smart-configuration" => Answer::json(200, &smart),
        _ => Answer::new(500, ""),
    });
    let (client, time) = scene.client_with_clock(&scene.pki.leaf(APP));
    let mut server = client.discover(&scene.base(), None).await.unwrap();
    client.locate(&mut server).await.unwrap();
    assert_eq!(server.expires(), end);
    let scope = ScopeSet::parse("system/Patient.rs");
    let none = Extensions::new();
    let app = client_credentials("App", &scope, &["mailto:ops@app.example"]);
    time.store(end.0 - 1, Ordering::Relaxed);
    assert_eq!(
        code(client.token(&server, "c", &scope, &none).await),
        "accepted"
    );

    let asked = scene.server.asked().len();
    time.store(end.0, Ordering::Relaxed);
    // One that is known is the server's own.
    let known = client.token(&server, "c", &scope, &none).await;
    assert_eq!(code(known), "accepted");
    let other = ScopeSet::parse("system/Observation.rs");
    for refused in [
        code(client.token(&server, "c", &other, &none).await),
        code(client.register(&server, &app).await),
        code(client.cancel(&server).await),
        code(client.introspect(&server, "c", "t").await),
        code(client.revoke(&server, "c", "t").await),
    ] {
        assert_eq!(refused, "discovery-expired");
    }
    assert_eq!(scene.server.asked().len(), asked);
}
