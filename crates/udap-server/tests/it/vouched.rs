//! Apps for which an issuer of statements vouches by a key of its own, with no certificate anywhere.

use crate::support::{
    BASE, Holder, REGISTER, TOKEN, assertion, encoded, request, signer, statement, world,
    write_identity, write_private,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_pki::pem;
use udap_proto::access_token;
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::{JwsAlg, Unsigned};
use udap_testkit::{Answer, TestServer};
use udap_trust::clock;
use udap_trust::keys::KeyType;
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _};

const ISSUER: &str = "https://registry.example";
const APP: &str = "https://apps.registry.example/reader";

fn jwks(key: &KeySigner, kid: &str) -> Value {
    let jwk = Jwk::from_public_key(key.public_key(), Some(kid.into()), None).unwrap();
    JwkSet::new(vec![jwk]).to_json()
}

fn sign(key: &KeySigner, alg: JwsAlg, header: &Value, claims: &Value) -> String {
    let unsigned = Unsigned::new(header, claims);
    let signature = key
        .sign_now(alg.scheme(), unsigned.signing_input())
        .unwrap();
    unsigned.with_signature(&signature)
}

/// An issuer whose keys stand at a URL, and an app whose keys stand at another.
struct Registry {
    web: TestServer,
    key: KeySigner,
    app: KeySigner,
    published: Arc<Mutex<Value>>,
}

impl Registry {
    async fn new() -> Self {
        let (key, app) = (signer(KeyType::P256), signer(KeyType::P384));
        let published = Arc::new(Mutex::new(jwks(&key, "r-1")));
        let (of_issuer, of_app) = (Arc::clone(&published), jwks(&app, "a-1"));
        let web = TestServer::https(move |asked| match asked.path() {
            "/issuer" => Answer::json(200, &of_issuer.lock().unwrap()),
            "/app" => Answer::json(200, &of_app),
            _ => Answer::new(404, ""),
        })
        .await;
        Self {
            web,
            key,
            app,
            published,
        }
    }

    async fn holder(&self) -> Holder {
        let (url, host) = (self.web.url("/issuer"), self.web.host());
        let root = pem::encode("CERTIFICATE", &self.web.tls_root());
        Holder::made(|directory, text| {
            write_private(&directory.join("web.pem"), root.as_bytes());
            let issuer = format!(
                "[[statement_issuer]]\nuri = \"{ISSUER}\"\njwks_uri = \"{url}\"\n\
                 subjects = [\"https://apps.registry.example/\"]\n"
            );
            format!("{text}{issuer}")
                .replace("tls_roots = \"a.anchor.pem\"", "tls_roots = \"web.pem\"")
                .replace("allow_hosts = [", &format!("allow_hosts = [\"{host}\", "))
        })
        .await
    }

    /// A good statement with some claims changed; null takes one away.
    fn statement(&self, changes: &Value) -> String {
        self.with_header(&json!({"alg": "ES256", "kid": "r-1"}), changes)
    }

    fn with_header(&self, header: &Value, changes: &Value) -> String {
        let now = clock::now();
        let mut claims = json!({
            "iss": ISSUER, "sub": APP, "aud": REGISTER, "jti": random::id(),
            "iat": now.0, "exp": now.0 + 300,
            "client_name": "Reader", "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": "system/Patient.rs", "contacts": ["mailto:ops@registry.example"],
            "jwks_uri": self.web.url("/app"),
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims
                    .as_object_mut()
                    .unwrap()
                    .insert(name.clone(), value.clone()),
            };
        }
        sign(&self.key, JwsAlg::ES256, header, &claims)
    }

    /// The app's own assertion, as SMART's clients send it.
    async fn token(&self, holder: &Holder, by: &KeySigner, client: &str) -> Result<Value, String> {
        let now = clock::now();
        let claims = json!({
            "iss": client, "sub": client, "aud": TOKEN, "jti": random::id(),
            "iat": now.0, "exp": now.0 + 300,
        });
        let assertion = sign(
            by,
            JwsAlg::ES384,
            &json!({"alg": "ES384", "kid": "a-1", "typ": "JWT"}),
            &claims,
        );
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let reply = holder
            .send(request(
                Method::POST,
                "/fhir/oauth/token",
                &kind,
                encoded(&form),
            ))
            .await;
        if reply.status != 200 {
            return Err(reply.refusal());
        }
        let token = reply.text("access_token");
        let part = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let keys = holder.server.keys();
        access_token::verify(&token, &keys, BASE, BASE, now).unwrap();
        Ok(serde_json::from_slice(&part).unwrap())
    }
}

#[tokio::test]
async fn an_app_registers_by_its_issuers_word_and_gets_tokens_by_its_own_keys() {
    let registry = Registry::new().await;
    let holder = registry.holder().await;
    let once = registry.statement(&json!({}));
    let reply = holder.register(&once).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.text("software_statement"), once);
    let client = reply.text("client_id");
    assert_eq!(
        holder.register(&once).await.refusal(),
        "400 invalid_software_statement jwt-replayed"
    );
    let token = registry
        .token(&holder, &registry.app, &client)
        .await
        .unwrap();
    assert_eq!(token["udap"]["uri"], APP);
    assert_eq!(token["udap"]["community"], ISSUER);
    let jti = token["jti"].as_str().unwrap().to_owned();
    assert_eq!(holder.server.of(&client, &jti).await, TokenState::Active);
    // Nobody else's key is the app's, the issuer's own included.
    for other in [signer(KeyType::P384), signer(KeyType::P384)] {
        let refused = registry.token(&holder, &other, &client).await.unwrap_err();
        assert_eq!(refused, "400 invalid_client jwt-signature-invalid");
    }
    // A member of a community that has the same URI is another app, and no client of this name.
    let member = world().a.app(APP);
    let own = holder.registered(&member).await;
    assert_ne!(own, client);
    let as_member = holder.token(&assertion(&member, &client).sign()).await;
    assert_eq!(as_member.refusal(), "400 invalid_client community-unknown");
    let by_key = registry
        .token(&holder, &registry.app, &own)
        .await
        .unwrap_err();
    assert_eq!(by_key, "400 invalid_request client-known-by-certificate");

    // Changed, and cancelled, by the issuer.
    let reply = holder
        .register(&registry.statement(&json!({"scope": "system/Observation.rs"})))
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.text("client_id")),
        (200, client.clone())
    );
    assert_eq!(
        holder.server.of(&client, &jti).await,
        TokenState::Ended {
            code: "registration-replaced"
        }
    );
    let reply = holder
        .register(&registry.statement(&json!({"grant_types": []})))
        .await;
    assert_eq!(reply.status, 200, "{reply}");
    let gone = registry
        .token(&holder, &registry.app, &client)
        .await
        .unwrap_err();
    assert_eq!(gone, "400 invalid_client registration-cancelled");
    // The member is still there.
    assert_eq!(
        holder.token(&assertion(&member, &own).sign()).await.status,
        200
    );
}

#[tokio::test]
async fn an_issuer_speaks_of_its_own_apps_and_of_nobody_elses() {
    let registry = Registry::new().await;
    let holder = registry.holder().await;
    for sub in [
        "https://app.example",
        "https://apps.registry.example",
        "https://apps.registry.example/",
        "https://apps.registry.example.evil.example/x",
        "https://apps.registry.example/../x",
        "https://apps.registry.example/a/../../x",
        "HTTPS://apps.registry.example/x",
        "http://apps.registry.example/x",
        "https://apps.registry.example:444/x",
        "https://u@apps.registry.example/x",
        ISSUER,
        &world().a.uri,
    ] {
        let reply = holder
            .register(&registry.statement(&json!({"sub": sub})))
            .await;
        assert_eq!(
            reply.refusal(),
            "400 unapproved_software_statement issuer-outside-subjects",
            "{sub}"
        );
    }
}

#[tokio::test]
async fn each_rule_refuses() {
    let registry = Registry::new().await;
    let holder = registry.holder().await;
    let now = clock::now().0;
    let long = format!("https://apps.registry.example/{}", "a".repeat(1971));
    for (changes, expected) in [
        (
            json!({"sub": long}),
            "400 invalid_software_statement claim-malformed",
        ),
        (
            json!({"aud": TOKEN}),
            "400 invalid_software_statement aud-mismatch",
        ),
        (
            json!({"aud": null}),
            "400 invalid_software_statement claim-missing",
        ),
        (
            json!({"iat": now, "exp": now + 301}),
            "400 invalid_software_statement jwt-lifetime",
        ),
        (
            json!({"iat": now - 600, "exp": now - 300}),
            "400 invalid_software_statement jwt-expired",
        ),
        (
            json!({"jti": null}),
            "400 invalid_software_statement claim-missing",
        ),
        (
            json!({"jwks_uri": null}),
            "400 invalid_client_metadata parameter-missing",
        ),
        (
            json!({"jwks_uri": "http://apps.registry.example/keys"}),
            "400 invalid_client_metadata parameter-invalid",
        ),
        (
            json!({"jwks_uri": "https://u:p@apps.registry.example/keys"}),
            "400 invalid_client_metadata parameter-invalid",
        ),
        (
            json!({"client_name": null}),
            "400 invalid_client_metadata parameter-missing",
        ),
        (
            json!({"certification_name": "x"}),
            "400 invalid_software_statement not-a-software-statement",
        ),
        // Somebody who is not configured is nobody: then a certificate is wanted.
        (
            json!({"iss": "https://elsewhere.example"}),
            "400 invalid_software_statement x5c-missing",
        ),
    ] {
        let reply = holder.register(&registry.statement(&changes)).await;
        assert_eq!(reply.refusal(), expected, "{changes}");
    }
    for (header, expected) in [
        (
            json!({"alg": "ES256"}),
            "400 invalid_software_statement kid-missing",
        ),
        (
            json!({"alg": "ES256", "kid": "r-2"}),
            "400 invalid_software_statement jwt-key-unknown",
        ),
        (
            json!({"alg": "ES256", "kid": "r-1", "typ": "at+jwt"}),
            "400 invalid_software_statement jwt-typ",
        ),
        (
            json!({"alg": "ES384", "kid": "r-1"}),
            "400 invalid_software_statement jwt-key-unknown",
        ),
        (
            json!({"alg": "ES512", "kid": "r-1"}),
            "400 invalid_software_statement jwt-alg-refused",
        ),
    ] {
        let reply = holder
            .register(&registry.with_header(&header, &json!({})))
            .await;
        assert_eq!(reply.refusal(), expected, "{header}");
    }
    // Another key under the right name.
    let mut thief = Registry::new().await;
    thief.web = registry.web;
    let reply = holder.register(&thief.statement(&json!({}))).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_software_statement jwt-signature-invalid"
    );
    drop(registry.published);
}

/// What says that it is by an issuer and has certificates is a member's, and judged as one.
#[tokio::test]
async fn a_member_does_not_speak_as_an_issuer() {
    let registry = Registry::new().await;
    let holder = registry.holder().await;
    let member = world().a.app("https://member.vouched.example");
    let reply = holder
        .register(
            &statement(&member)
                .claim("iss", ISSUER)
                .claim("sub", APP)
                .sign(),
        )
        .await;
    assert_eq!(
        reply.refusal(),
        "400 unapproved_software_statement san-uri-mismatch"
    );
    // Nor has a server without issuers a way in for statements without certificates.
    let plain = Holder::new().await;
    let reply = plain.register(&registry.statement(&json!({}))).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_software_statement x5c-missing"
    );
}

#[tokio::test]
async fn an_issuer_that_is_no_longer_configured_takes_its_apps_along() {
    let registry = Registry::new().await;
    let holder = registry.holder().await;
    let client = holder
        .register(&registry.statement(&json!({})))
        .await
        .text("client_id");
    let token = registry
        .token(&holder, &registry.app, &client)
        .await
        .unwrap();
    let jti = token["jti"].as_str().unwrap().to_owned();
    // Without its keys nobody registers; who is registered goes on.
    *registry.published.lock().unwrap() = json!({"keys": []});
    let holder = holder.killed_and_started_again().await;
    let reply = holder.register(&registry.statement(&json!({}))).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_software_statement jwt-key-unknown"
    );
    assert!(
        registry
            .token(&holder, &registry.app, &client)
            .await
            .is_ok()
    );
    let holder = holder
        .restarted_with(|config| config.statement_issuers.clear())
        .await;
    assert_eq!(
        holder.server.of(&client, &jti).await,
        TokenState::Ended {
            code: "community-unknown"
        }
    );
    let refused = registry
        .token(&holder, &registry.app, &client)
        .await
        .unwrap_err();
    assert_eq!(refused, "400 invalid_request parameter-missing");
}

/// Its apps are known by (issuer, app): a community of that name would be taken for it.
#[tokio::test]
async fn no_community_takes_the_name_of_an_issuer_that_is_in_force() {
    let registry = Registry::new().await;
    let holder = registry.holder().await;
    let rogue = &world().rogue;
    let pem = rogue.root.certificate.to_pem();
    write_private(&holder.directory().join("r.anchor.pem"), pem.as_bytes());
    write_identity(holder.directory(), "r", rogue.member(&[BASE]), 2);
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let before = text.split("[[statement_issuer]]").next().unwrap();
    let community = format!(
        "[[community]]\nuri = \"{ISSUER}\"\nanchors = \"r.anchor.pem\"\n\
         identity = {{ cert = \"r.cert.pem\", key_file = \"r.key.pem\" }}\n"
    );
    std::fs::write(&path, format!("{before}{community}")).unwrap();
    holder.server.reload_communities().await;
    let trouble = holder.server.trouble();
    let codes: Vec<_> = trouble.iter().map(|trouble| trouble.code).collect();
    assert_eq!(codes, ["config-community-twice"]);
    let member = rogue.app("https://apps.registry.example/taken");
    let refused = "400 unapproved_software_statement chain-not-trusted";
    let reply = holder.register(&statement(&member).sign()).await;
    assert_eq!(reply.refusal(), refused);
    let reply = holder.register(&registry.statement(&json!({}))).await;
    assert_eq!(reply.status, 201, "{reply}");
    // After a restart it is that community and nobody else.
    let holder = holder.killed_and_started_as_configured().await;
    assert_eq!(holder.server.trouble(), []);
    holder.registered(&member).await;
}
