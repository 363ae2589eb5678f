//! `POST {base}/oauth/token`: what goes well.

use crate::support::{BASE, Holder, Member, assertion, encoded, form, request, rsa, world};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};
use udap_proto::access_token;
use udap_trust::clock;

#[tokio::test]
async fn an_app_gets_a_token_for_an_hour_at_most() {
    let holder = Holder::new().await;
    let uri = "https://tokens.app.example";
    let apps: [Member; 2] = [
        world().a.app(uri),
        world()
            .a
            .member(&["https://rsa.tokens.example"])
            .key(&rsa(2).0)
            .issue(),
    ];
    for app in &apps {
        let client_id = holder.registered(app).await;
        let reply = holder.token(&assertion(app, &client_id).sign()).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("pragma"), "no-cache");
        let json = reply.json();
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["scope"], "system/Patient.rs");
        let lifetime = json["expires_in"].as_i64().unwrap();
        assert!((60..=3600).contains(&lifetime));
        let members: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            members,
            ["access_token", "token_type", "expires_in", "scope"]
        );

        // As the gateway verifies it.
        let now = clock::now();
        let token = reply.text("access_token");
        let keys = holder.server.keys();
        let verified = access_token::verify(&token, &keys, BASE, BASE, now).unwrap();
        assert_eq!(verified.client_id(), client_id);
        assert_eq!(verified.community(), world().a.uri);
        assert_eq!(verified.uri(), app.leaf().uri_names()[0]);
        assert_eq!(verified.scopes().to_string(), "system/Patient.rs");
        assert!(verified.exp().0 - now.0 <= 3600);
        assert!(verified.claims().extensions.contains_key("hl7-b2b"));
        for (issuer, audience) in [
            ("https://other.example", BASE),
            (BASE, "https://other.example"),
        ] {
            assert!(access_token::verify(&token, &keys, issuer, audience, now).is_err());
        }

        // And as somebody does who has never seen this code: P-256, SHA-256, r||s, by the JWKS.
        let jwk = holder.get("/fhir/oauth/jwks").await.json()["keys"][0].clone();
        let parts: Vec<&str> = token.split('.').collect();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
        assert_eq!(
            header,
            json!({"typ": "at+jwt", "alg": "ES256", "kid": jwk["kid"]})
        );
        let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED,
            point,
        )
        .verify(
            format!("{}.{}", parts[0], parts[1]).as_bytes(),
            &decode(parts[2]),
        )
        .unwrap();
        let claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
        assert_eq!(claims["sub"], client_id.as_str());
        assert_eq!(claims["aud"], BASE);
        assert_eq!(claims["iss"], BASE);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            lifetime
        );
    }
}

#[tokio::test]
async fn what_partners_send_and_may() {
    let holder = Holder::new().await;
    let app = world().a.app("https://may.tokens.example");
    let id = holder.registered(&app).await;
    let root = world().a.root.certificate.clone();
    let with_root = app.with_chain([app.chain.clone(), vec![root]].concat());
    let accepted = [
        ("the root in x5c", assertion(&with_root, &id)),
        (
            "certificates twice",
            assertion(&app, &id).x5c(|x5c| [x5c.clone(), x5c].concat()),
        ),
        (
            "aud as an array",
            assertion(&app, &id).claim("aud", json!([crate::support::TOKEN, "https://x.example"])),
        ),
        ("a clock 25 s ahead", assertion(&app, &id).times(25, 325)),
        ("a clock 25 s behind", assertion(&app, &id).times(-325, -25)),
        ("typ jwt", assertion(&app, &id).header("typ", "jwt")),
        (
            "unknown claims",
            assertion(&app, &id)
                .claim("cnf", json!({}))
                .claim("scope", "system/Patient.rs x"),
        ),
        (
            "unknown extensions",
            assertion(&app, &id).claim(
                "extensions",
                json!({
                    "unheard-of": 1,
                    "hl7-b2b": assertion(&app, &id).claims["extensions"]["hl7-b2b"],
                }),
            ),
        ),
        (
            "header members that count for nothing",
            assertion(&app, &id)
                .header("kid", "x")
                .header("jku", "https://evil.example/jwks")
                .header("x5u", "https://evil.example/"),
        ),
    ];
    for (what, jwt) in accepted {
        let reply = holder.token(&jwt.sign()).await;
        assert_eq!(reply.status, 200, "{what}: {reply}");
    }
    // The parameter repeats the client_id; empty and unknown ones do not count.
    let jwt = assertion(&app, &id).sign();
    let mut fields = form(&jwt);
    fields.extend([
        ("client_id", id.as_str()),
        ("client_secret", ""),
        ("audience", "x"),
    ]);
    assert_eq!(holder.post_form(&fields).await.status, 200);
    // A media type with a parameter, in capitals.
    let jwt = assertion(&app, &id).sign();
    let kind = [(
        "content-type",
        "Application/X-WWW-Form-URLEncoded; charset=UTF-8",
    )];
    let target = "/fhir/oauth/token";
    let reply = holder
        .send(request(Method::POST, target, &kind, encoded(&form(&jwt))))
        .await;
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn scopes_are_cut_down_to_the_registration() {
    let holder = Holder::new().await;
    let app = world().a.app("https://scopes.tokens.example");
    let statement = crate::support::statement(&app).claim("scope", "system/Patient.rs");
    let id = holder.register(&statement.sign()).await.text("client_id");
    for (asked, granted) in [
        ("system/Patient.rs", "system/Patient.rs"),
        ("system/Patient.cruds", "system/Patient.rs"),
        ("system/Patient.s system/Observation.rs", "system/Patient.s"),
        (
            "system/Patient.read user/Patient.rs openid",
            "system/Patient.read",
        ),
        (
            "system/Patient.rs?active=true",
            "system/Patient.rs?active=true",
        ),
    ] {
        let jwt = assertion(&app, &id).sign();
        let mut fields = form(&jwt);
        fields[1].1 = asked;
        let reply = holder.post_form(&fields).await;
        assert_eq!(reply.text("scope"), granted, "{reply}");
        let token = reply.text("access_token");
        let verified =
            access_token::verify(&token, &holder.server.keys(), BASE, BASE, clock::now()).unwrap();
        assert_eq!(verified.scopes().to_string(), granted);
    }
}
