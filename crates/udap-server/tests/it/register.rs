//! `POST {base}/oauth/register`: what goes well.

use crate::support::{Holder, assertion, request, rsa, statement, world};
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_new_app_gets_201_and_its_own_words_back() {
    let holder = Holder::new().await;
    let app = world().a.app("https://new.app.example");
    let statement = statement(&app)
        .claim("tos_uri", "https://new.app.example/tos")
        .claim("software_id", "4711")
        .claim("unheard_of", "x")
        .sign();
    let reply = holder.register(&statement).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    let mut json = reply.json();
    let client_id = json.as_object_mut().unwrap().remove("client_id").unwrap();
    assert!(client_id.as_str().unwrap().len() >= 22);
    let expected = json!({
        "software_statement": statement,
        "client_name": "Test app",
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "system/Patient.rs system/Observation.rs",
        "contacts": ["mailto:ops@app.example"],
        "tos_uri": "https://new.app.example/tos",
        "software_id": "4711",
    });
    assert_eq!(json, expected);
}

/// Nothing of the JWT's own claims, no null, nothing empty.
fn assert_clean(json: &Value) {
    for (name, value) in json.as_object().unwrap() {
        assert!(!["iss", "sub", "aud", "exp", "iat", "jti", "nbf"].contains(&&**name));
        assert!(!value.is_null() && *value != json!(""), "{name}");
    }
}

#[tokio::test]
async fn registering_again_replaces_everything_and_keeps_the_client_id() {
    let holder = Holder::new().await;
    let app = world().a.app("https://again.app.example");
    let first = statement(&app).claim("tos_uri", "https://again.app.example/tos");
    let first = holder.register(&first.sign()).await;
    let second = statement(&app)
        .claim("client_name", "Renamed")
        .claim("scope", "system/Patient.r");
    let second = holder.register(&second.sign()).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.text("client_id"), second.text("client_id"));
    assert_eq!(second.text("client_name"), "Renamed");
    assert_eq!(second.text("scope"), "system/Patient.r");
    assert!(second.json().get("tos_uri").is_none());
    assert_clean(&first.json());
    assert_clean(&second.json());
    // And the new scope is what counts.
    let client_id = second.text("client_id");
    let token = holder.token(&assertion(&app, &client_id).sign()).await;
    assert_eq!(token.text("scope"), "system/Patient.r", "{token}");
}

#[tokio::test]
async fn an_app_leaves_with_nothing_but_an_empty_list_and_may_come_back_as_another() {
    let holder = Holder::new().await;
    let app = world().a.app("https://leaving.app.example");
    let client_id = holder.registered(&app).await;
    let leave = [
        "client_name",
        "token_endpoint_auth_method",
        "scope",
        "contacts",
    ]
    .into_iter()
    .fold(statement(&app), crate::support::Jwt::without)
    .claim("grant_types", json!([]))
    .sign();
    let reply = holder.register(&leave).await;
    assert_eq!(reply.status, 200, "{reply}");
    let expected = json!({
        "client_id": client_id,
        "software_statement": leave,
        "grant_types": [],
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(
        holder
            .token(&assertion(&app, &client_id).sign())
            .await
            .refusal(),
        "400 invalid_client registration-cancelled"
    );
    let back = holder.registered(&app).await;
    assert_ne!(back, client_id);
    assert_eq!(
        holder
            .token(&assertion(&app, &client_id).sign())
            .await
            .refusal(),
        "400 invalid_client registration-cancelled"
    );
    assert_eq!(
        holder.token(&assertion(&app, &back).sign()).await.status,
        200
    );
}

#[tokio::test]
async fn a_renewed_certificate_and_a_new_key_keep_the_registration() {
    let holder = Holder::new().await;
    let uri = "https://renewing.app.example";
    let old = world().a.app(uri);
    let client_id = holder.registered(&old).await;
    let renewed = world().a.member(&[uri]).key(&old.signer).issue();
    let rekeyed = world().a.app(uri);
    let to_rsa = world().a.member(&[uri]).key(&rsa(2).0).issue();
    // The new certificate serves at once, without a word to the registration endpoint …
    for app in [&renewed, &rekeyed, &to_rsa, &old] {
        let reply = holder.token(&assertion(app, &client_id).sign()).await;
        assert_eq!(reply.status, 200, "{reply}");
    }
    // … and registering with it changes the same registration.
    for app in [&renewed, &rekeyed, &to_rsa] {
        let reply = holder.register(&statement(app).sign()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text("client_id")),
            (200, client_id.clone())
        );
    }
}

#[tokio::test]
async fn communities_have_registrations_of_their_own_for_one_uri() {
    let holder = Holder::new().await;
    let uri = "https://both.app.example";
    let (in_a, in_b) = (world().a.app(uri), world().b.app(uri));
    let (id_a, id_b) = (
        holder.registered(&in_a).await,
        holder.registered(&in_b).await,
    );
    assert_ne!(id_a, id_b);
    // Neither touches the other's.
    let narrowed = statement(&in_b).claim("scope", "system/Patient.r");
    assert_eq!(
        holder.register(&narrowed.sign()).await.text("client_id"),
        id_b
    );
    let leave = statement(&in_b).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.text("client_id"), id_b);
    let reply = holder.token(&assertion(&in_a, &id_a).sign()).await;
    assert_eq!(reply.text("scope"), "system/Patient.rs");
}

#[tokio::test]
async fn what_partners_send_and_may() {
    let holder = Holder::new().await;
    let world = world();
    let app = |name: &str| world.a.app(&format!("https://{name}.may.example"));
    let two = world
        .a
        .member(&["https://first.may.example", "https://second.may.example"]);
    let second = "https://second.may.example";
    let fragment = app("app").leaf().uri_names()[0].clone() + "#T-TREAT";
    let root = world.a.root.certificate.clone();
    let with_root = {
        let app = app("root");
        let chain = [app.chain.clone(), vec![root]].concat();
        app.with_chain(chain)
    };
    let shuffled = {
        let app = app("shuffled");
        let chain = vec![
            app.leaf().clone(),
            world.rogue.issuing.certificate.clone(),
            world.a.root.certificate.clone(),
            app.chain[1].clone(),
        ];
        app.with_chain(chain)
    };
    let leaf_only = {
        let url = world.a.url("issuing.cer");
        let uri = "https://aia.may.example";
        let app = world.a.member(&[uri]).ca_issuers(url).issue();
        let chain = vec![app.leaf().clone()];
        app.with_chain(chain)
    };
    let accepted = [
        (
            "an RSA key",
            statement(
                &world
                    .a
                    .member(&["https://rsa.may.example"])
                    .key(&rsa(2).0)
                    .issue(),
            ),
        ),
        (
            "the second URI of two as iss",
            statement(&two.issue())
                .claim("iss", second)
                .claim("sub", second),
        ),
        ("a URI with a fragment", statement(&world.a.app(&fragment))),
        (
            "a URI that is no URL",
            statement(&world.a.app("urn:oid:2.999.1#T-IAS")),
        ),
        ("the root in x5c", statement(&with_root)),
        ("intermediates in any order", statement(&shuffled)),
        ("the leaf alone, its issuer by AIA", statement(&leaf_only)),
        (
            "certificates twice",
            statement(&app("twice")).x5c(|x5c| [x5c.clone(), x5c].concat()),
        ),
        (
            "junk beside the leaf",
            statement(&app("junk")).x5c(|mut x5c| {
                x5c.insert(1, "AAAA".into());
                x5c
            }),
        ),
        (
            "aud as an array",
            statement(&app("array")).claim(
                "aud",
                json!(["https://other.example", crate::support::REGISTER]),
            ),
        ),
        ("exp with a fraction", {
            let jwt = statement(&app("float"));
            let exp = jwt.claims["exp"].as_i64().unwrap();
            jwt.claim("exp", json!(exp as f64 + 0.5))
                .claim("iat", exp - 300)
        }),
        ("typ JWT", statement(&app("typ")).header("typ", "JWT")),
        (
            "a clock 25 s ahead",
            statement(&app("ahead")).times(25, 325),
        ),
        (
            "a clock 25 s behind",
            statement(&app("behind")).times(-325, -25),
        ),
        (
            "scopes that are not all here",
            statement(&app("scopes")).claim(
                "scope",
                "system/Patient.read openid user/*.rs2 system/Condition.rs",
            ),
        ),
        (
            "header members that count for nothing",
            statement(&app("members"))
                .header("kid", "x")
                .header("jku", "https://evil.example/jwks")
                .header("x5u", "https://evil.example/x5u")
                .header("x5t", "x"),
        ),
        (
            "a logo without a code flow",
            statement(&app("logo")).claim("logo_uri", "https://logo.may.example/logo.png"),
        ),
    ];
    for (what, jwt) in accepted {
        let reply = holder.register(&jwt.sign()).await;
        assert_eq!(reply.status, 201, "{what}: {reply}");
        assert_clean(&reply.json());
    }
}

#[tokio::test]
async fn what_stands_beside_the_statement_changes_nothing() {
    let holder = Holder::new().await;
    let app = world().a.app("https://beside.app.example");
    let body = json!({
        "software_statement": statement(&app).sign(),
        "udap": "1",
        "client_name": "Another name",
        "scope": "system/*.cruds",
        "client_id": "mine",
        "certifications": ["not.a.certification"],
    });
    // The body says what it is; its label need not.
    for kind in [
        "application/json; charset=utf-8",
        "text/plain",
        "application/jose+json",
    ] {
        let mut body = body.clone();
        body["software_statement"] = statement(&app).sign().into();
        let headers = [("content-type", kind)];
        let request = request(
            Method::POST,
            "/fhir/oauth/register",
            &headers,
            body.to_string(),
        );
        let reply = holder.send(request).await;
        assert!(reply.status.is_success(), "{reply}");
        assert_eq!(reply.text("client_name"), "Test app");
        assert_eq!(reply.text("scope"), crate::support::SCOPES);
        assert_ne!(reply.text("client_id"), "mine");
        // None of those that came along counts, and the answer says so.
        assert_eq!(reply.json()["certifications"], json!([]));
    }
}
