//! Clients of SMART Backend Services at the same endpoints: known by their keys, without a certificate.

use crate::about_token::{INTROSPECT, REVOKE};
use crate::support::{
    BASE, Holder, Jwt, Reply, TOKEN, assertion, encoded, form, prepared, request, signer,
    statement, two_nodes_with, world,
};
use http::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use udap_host::db::sqlx;
use udap_host::listen::Shutdown;
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token::{self, VerifiedAccessToken};
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::JwsAlg;
use udap_server::Server;
use udap_testkit::{Answer, TestServer};
use udap_trust::keys::KeyType;
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::{clock, random};

const ID: &str = "reporting";

fn jwks(keys: &[(&str, &KeySigner)]) -> Value {
    let keys = keys.iter().map(|(kid, signer)| {
        Jwk::from_public_key(signer.public_key(), Some((*kid).to_owned()), None).unwrap()
    });
    JwkSet::new(keys.collect()).to_json()
}

/// A client with two keys in a file.
struct Client {
    ec: KeySigner,
    rsa: KeySigner,
    directory: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        let (ec, rsa) = (signer(KeyType::P384), signer(KeyType::Rsa2048));
        let directory = tempfile::tempdir().unwrap();
        let set = jwks(&[("ec", &ec), ("rsa", &rsa)]);
        std::fs::write(directory.path().join("jwks.json"), set.to_string()).unwrap();
        Self { ec, rsa, directory }
    }

    fn settings(&self) -> String {
        let file = self.directory.path().join("jwks.json");
        format!("jwks_file = \"{}\"", file.display())
    }

    async fn holder(&self) -> Holder {
        holder(&self.settings()).await
    }

    fn assertion(&self) -> Jwt {
        by(&self.ec, "ec")
    }

    async fn token(&self, holder: &Holder) -> String {
        let reply = plain(holder, &self.assertion().sign()).await;
        assert_eq!(reply.status, 200, "{reply}");
        reply.text("access_token")
    }
}

fn table(keys: &str) -> String {
    format!("[[smart_client]]\nclient_id = \"{ID}\"\nscope = \"system/Patient.rs\"\n{keys}\n")
}

async fn holder(keys: &str) -> Holder {
    Holder::edited(|text| text + &table(keys)).await
}

/// What another node revoked is not known there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_not_good_at_a_node_that_hears_nothing_of_the_others() {
    let client = Client::new();
    let url = udap_testkit::postgres::Postgres::shared().database();
    let [one, _] = two_nodes_with(&url, &table(&client.settings())).await;
    let background = tokio::spawn(one.server.clone().run_background(Shutdown::new()));
    let token = client.token(&one).await;
    let jti = verified(&one, &token).jti().to_owned();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(one.server.of(ID, &jti).await, TokenState::Active);
    background.abort();
    let begun = Instant::now();
    while one.server.of(ID, &jti).await == TokenState::Active {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let code = "temporarily-unavailable";
    assert_eq!(one.server.of(ID, &jti).await, TokenState::Ended { code });
}

/// A good authentication token of the client.
fn by(signer: &KeySigner, kid: &str) -> Jwt {
    let claims = json!({"iss": ID, "sub": ID, "aud": TOKEN, "jti": random::id()});
    Jwt::by_key(signer, JwsAlg::ES384, kid, claims).times(0, 300)
}

/// A token request as SMART has it: without `udap`.
async fn plain(holder: &Holder, assertion: &str) -> Reply {
    let mut fields = form(assertion);
    fields.retain(|(name, _)| *name != "udap");
    holder.post_form(&fields).await
}

fn verified(holder: &Holder, token: &str) -> VerifiedAccessToken {
    access_token::verify(token, &holder.server.keys(), BASE, BASE, clock::now()).unwrap()
}

async fn about(holder: &Holder, endpoint: &str, assertion: &str, token: &str) -> Reply {
    let form = [
        ("token", token),
        ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let target = endpoint.strip_prefix("https://holder.example").unwrap();
    let request = request(Method::POST, target, &kind, encoded(&form));
    holder.send(request).await
}

#[tokio::test]
async fn its_token_is_as_good_as_any_and_belongs_to_no_community() {
    let client = Client::new();
    let holder = client.holder().await;
    let rsa = Jwt::by_key(&client.rsa, JwsAlg::RS384, "rsa", client.assertion().claims);
    for jwt in [client.assertion(), rsa.claim("jti", random::id())] {
        let reply = plain(&holder, &jwt.sign()).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.json()["token_type"], "Bearer");
        assert_eq!(reply.text("scope"), "system/Patient.rs");
        let token = reply.text("access_token");
        let verified = verified(&holder, &token);
        assert_eq!(verified.client_id(), ID);
        assert_eq!((verified.community(), verified.uri()), ("", ""));
        let jws = udap_proto::jws::Jws::parse(&token).unwrap();
        assert!(!jws.payload().contains_key("udap"));
        assert_eq!(
            holder.server.of(ID, verified.jti()).await,
            TokenState::Active
        );
    }
    // More than it was given by the operator, or than there is, it does not get.
    for (asked, expected) in [
        (
            "system/Patient.cruds system/Observation.rs",
            Ok("system/Patient.rs"),
        ),
        (
            "system/Observation.rs",
            Err("400 invalid_scope scope-none-granted"),
        ),
        (
            "user/Patient.rs",
            Err("400 invalid_scope scope-none-granted"),
        ),
        (
            "system/*.rs",
            Err("400 invalid_scope scope-wildcard-unsupported"),
        ),
    ] {
        let jwt = client.assertion().sign();
        let mut fields = form(&jwt);
        fields.retain(|(name, _)| *name != "udap");
        fields[1].1 = asked;
        let reply = holder.post_form(&fields).await;
        match expected {
            Ok(scope) => assert_eq!(reply.text("scope"), scope),
            Err(refusal) => assert_eq!(reply.refusal(), refusal, "{asked}"),
        }
    }
    // The audit trail names the client, and no community.
    holder.server.audit().flush().await.unwrap();
    let query = "SELECT COUNT(*) FROM audit WHERE event = 'token-issued' AND client_id = $1
                 AND community IS NULL";
    let count: i64 = sqlx::query_scalar(query)
        .bind(ID)
        .fetch_one(&mut holder.database().await)
        .await
        .unwrap();
    assert_eq!(count, 3);
}

#[tokio::test]
async fn it_is_told_about_its_token_and_ends_it() {
    let client = Client::new();
    let holder = client.holder().await;
    let token = client.token(&holder).await;
    let aud = |endpoint: &str| client.assertion().claim("aud", endpoint).sign();
    let reply = about(&holder, INTROSPECT, &aud(INTROSPECT), &token).await;
    let verified = verified(&holder, &token);
    let expected = json!({
        "active": true, "token_type": "Bearer", "iss": BASE, "sub": ID, "aud": BASE, "client_id": ID,
        "scope": "system/Patient.rs", "iat": verified.claims().iat.0, "exp": verified.exp().0,
        "jti": verified.jti(),
    });
    assert_eq!(reply.json(), expected);

    // A UDAP app has nothing to do with it, nor it with a UDAP app's.
    let app = world().a.app("https://beside.smart.example");
    let id = holder.registered(&app).await;
    let theirs = crate::about_token::token(&holder, &app, &id).await;
    let peer = crate::about_token::about(&holder, REVOKE, (&app, &id), &token).await;
    assert_eq!(peer.status, 200);
    assert_eq!(
        holder.server.of(ID, verified.jti()).await,
        TokenState::Active
    );
    let reply = about(&holder, INTROSPECT, &aud(INTROSPECT), &theirs).await;
    assert_eq!(reply.json(), json!({"active": false}));

    let reply = about(&holder, REVOKE, &aud(REVOKE), &token).await;
    assert_eq!(reply.status, 200, "{reply}");
    let code = "token-revoked";
    assert_eq!(
        holder.server.of(ID, verified.jti()).await,
        TokenState::Ended { code }
    );
    let reply = about(&holder, INTROSPECT, &aud(TOKEN), &token).await;
    assert_eq!(reply.json(), json!({"active": false}));
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let client = Client::new();
    let holder = client.holder().await;
    let good = || client.assertion();
    let used = good();
    assert_eq!(plain(&holder, &used.sign()).await.status, 200);
    let stranger = signer(KeyType::P384);
    for (what, jwt, code) in [
        ("twice", used, "jwt-replayed"),
        (
            "nobody",
            good().claim("iss", "nobody").claim("sub", "nobody"),
            "client-unknown",
        ),
        (
            "another's signature",
            by(&stranger, "ec"),
            "jwt-signature-invalid",
        ),
        (
            "a key that is not its own",
            by(&stranger, "other"),
            "jwt-key-unknown",
        ),
        ("no kid", good().without_header("kid"), "kid-missing"),
        (
            "a URL of keys",
            good().header("jku", "https://evil.example/jwks"),
            "jku-mismatch",
        ),
        (
            "RS256",
            Jwt::by_key(&client.rsa, JwsAlg::RS256, "rsa", good().claims),
            "jwt-alg-refused",
        ),
        (
            "another endpoint",
            good().claim("aud", BASE),
            "aud-mismatch",
        ),
        ("six minutes", good().times(0, 360), "jwt-lifetime"),
        ("over", good().times(-400, -100), "jwt-expired"),
        ("sub", good().claim("sub", "other"), "sub-not-iss"),
        ("no jti", good().without("jti"), "claim-missing"),
        (
            "an access token's type",
            good().header("typ", "at+jwt"),
            "jwt-typ",
        ),
    ] {
        let reply = plain(&holder, &jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("400 invalid_client {code}"),
            "{what}"
        );
    }
    let jwt = good().sign();
    let mut fields = form(&jwt);
    fields.retain(|(name, _)| *name != "udap");
    let with = |more: &[(&'static str, &'static str)]| {
        let mut all = fields.clone();
        all.extend_from_slice(more);
        all
    };
    for (fields, refusal) in [
        (
            with(&[("client_id", "other")]),
            "400 invalid_client client-id-mismatch",
        ),
        (
            with(&[("client_secret", "x")]),
            "400 invalid_request client-secret-refused",
        ),
        (
            fields
                .iter()
                .copied()
                .filter(|(name, _)| *name != "scope")
                .collect(),
            "400 invalid_request parameter-missing",
        ),
    ] {
        assert_eq!(holder.post_form(&fields).await.refusal(), refusal);
    }
    // The grant by others' assertions is for those who have a community.
    let mut fields = with(&[("assertion", "a.b.c")]);
    fields[0].1 = udap_proto::token::JWT_BEARER;
    let reply = holder.post_form(&fields).await;
    assert_eq!(
        reply.refusal(),
        "400 unauthorized_client grant-not-registered"
    );
}

#[tokio::test]
async fn neither_its_assertions_nor_its_tokens_are_written_down() {
    let client = Client::new();
    let holder = client.holder().await;
    let good = client.assertion().sign();
    let token = plain(&holder, &good).await.text("access_token");
    assert_eq!(plain(&holder, &good).await.status, 400);
    let early = by(&signer(KeyType::P384), "ec").sign();
    assert_eq!(plain(&holder, &early).await.status, 400);
    let asked = client.assertion().sign();
    assert_eq!(about(&holder, INTROSPECT, &asked, &token).await.status, 200);
    holder.server.close().await.unwrap();
    for (what, secret) in [
        ("good", good),
        ("token", token),
        ("early", early),
        ("asked", asked),
    ] {
        assert!(!holder.holds(&secret), "{what}");
    }
    // What happened is there, in the audit trail's own words.
    for code in [
        "jwt-replayed",
        "jwt-signature-invalid",
        "token-issued",
        "token-introspected",
    ] {
        assert!(holder.holds(code), "{code}");
    }
}

/// Whatever a client of one kind has, it does not come in as one of the other.
#[tokio::test]
async fn neither_kind_comes_in_as_the_other() {
    let client = Client::new();
    let holder = client.holder().await;
    let key = signer(KeyType::P384);
    let app = world()
        .a
        .member(&["https://kind.smart.example"])
        .key(&key)
        .issue();
    let id = holder.registered(&app).await;

    // The client of SMART's, in UDAP's way: said, or shown by certificates.
    let said = holder.token(&client.assertion().sign()).await;
    assert_eq!(said.refusal(), "400 invalid_client client-known-by-keys");
    // A member of the community that takes the client's name.
    let member = assertion(&app, ID);
    let reply = holder.token(&member.sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_client client-known-by-keys");
    let reply = plain(&holder, &member.sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_request parameter-missing");

    // The UDAP app, in SMART's way: by the key of its certificate, and by the other client's.
    for key in [&app.signer, &client.ec] {
        let jwt = || {
            by(key, "ec")
                .claim("iss", id.as_str())
                .claim("sub", id.as_str())
        };
        let reply = plain(&holder, &jwt().sign()).await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_request client-known-by-certificate"
        );
        let reply = about(&holder, INTROSPECT, &jwt().sign(), "t").await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_request client-known-by-certificate"
        );
    }

    // A software statement by a key alone registers nobody.
    let claims = statement(&app).claims;
    let by_key = Jwt::by_key(&client.ec, JwsAlg::ES384, "ec", claims);
    let reply = holder.register(&by_key.sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_software_statement x5c-missing"
    );

    // Both, each in its own way, at the same endpoint.
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    assert_eq!(plain(&holder, &client.assertion().sign()).await.status, 200);
}

/// Where there is no such client, nothing has changed: what lacks `udap` lacks `udap`.
#[tokio::test]
async fn where_none_is_configured_there_is_no_other_way() {
    let holder = Holder::new().await;
    let client = Client::new();
    let reply = plain(&holder, &client.assertion().sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_request parameter-missing");
    let smart = holder
        .get("/fhir/.well-known/smart-configuration")
        .await
        .json();
    assert_eq!(
        smart["capabilities"],
        json!(["permission-v1", "permission-v2"])
    );
}

#[tokio::test]
async fn discovery_tells_that_there_are_some() {
    let holder = Client::new().holder().await;
    let smart = holder
        .get("/fhir/.well-known/smart-configuration")
        .await
        .json();
    assert_eq!(
        smart["capabilities"],
        json!([
            "client-confidential-asymmetric",
            "permission-v1",
            "permission-v2"
        ])
    );
    let algs = &smart["token_endpoint_auth_signing_alg_values_supported"];
    for alg in ["RS384", "ES384"] {
        let listed = algs
            .as_array()
            .unwrap()
            .iter()
            .filter(|a| *a == alg)
            .count();
        assert_eq!(listed, 1, "{algs}");
    }
}

#[tokio::test]
async fn keys_at_a_url_are_fetched_and_followed() {
    let (old, new) = (signer(KeyType::P384), signer(KeyType::P384));
    let says = Arc::new(Mutex::new(Answer::json(200, &jwks(&[("old", &old)]))));
    let answer = Arc::clone(&says);
    let server = TestServer::https(move |_| answer.lock().unwrap().clone()).await;
    let url = server.url("/jwks");
    let holder = Holder::asking(&server, |text| {
        text + &table(&format!("jwks_uri = \"{url}\""))
    })
    .await;
    let named = by(&old, "old").header("jku", url.as_str());
    assert_eq!(plain(&holder, &named.sign()).await.status, 200);
    assert_eq!(plain(&holder, &by(&old, "old").sign()).await.status, 200);
    // Any other URL is not even looked at.
    let other = by(&old, "old").header("jku", server.url("/other"));
    let reply = plain(&holder, &other.sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_client jku-mismatch");
    assert_eq!(server.asked().len(), 1);
    // A key that is not known yet is not asked for at once, so that nobody can make a flood of it.
    let reply = plain(&holder, &by(&new, "new").sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_client jwt-key-unknown");
    assert_eq!(server.asked().len(), 1);

    // Another server, whose keys cannot be had.
    for (answer, code) in [
        (Answer::new(500, "no"), "key-set-unavailable"),
        (Answer::new(200, "no"), "key-set-malformed"),
    ] {
        *says.lock().unwrap() = answer;
        let holder = Holder::asking(&server, |text| {
            text + &table(&format!("jwks_uri = \"{url}\""))
        })
        .await;
        let reply = plain(&holder, &by(&old, "old").sign()).await;
        assert_eq!(reply.refusal(), format!("400 invalid_client {code}"));
        // It is back, and is asked again after a while, not at once.
        *says.lock().unwrap() = Answer::json(200, &jwks(&[("old", &old)]));
        let reply = plain(&holder, &by(&old, "old").sign()).await;
        assert_eq!(reply.refusal(), format!("400 invalid_client {code}"));
    }
}

#[tokio::test]
async fn it_ends_with_its_configuration() {
    let client = Client::new();
    let holder = client.holder().await;
    let token = client.token(&holder).await;
    let jti = verified(&holder, &token).jti().to_owned();
    // Nothing has changed.
    let holder = holder.restarted_with(|_| ()).await;
    assert_eq!(holder.server.of(ID, &jti).await, TokenState::Active);
    // Its scope has, or its keys: whatever was issued before is over.
    let holder = holder
        .restarted_with(|config| config.smart_clients[0].scope = "system/Observation.rs".to_owned())
        .await;
    let code = "registration-replaced";
    assert_eq!(holder.server.of(ID, &jti).await, TokenState::Ended { code });
    let holder = holder
        .restarted_with(|config| config.smart_clients[0].scope = "system/Patient.rs".to_owned())
        .await;
    assert_eq!(holder.server.of(ID, &jti).await, TokenState::Active);
    let file = client.directory.path().join("jwks.json");
    std::fs::write(&file, jwks(&[("ec", &client.ec)]).to_string()).unwrap();
    let holder = holder.restarted_with(|_| ()).await;
    assert_eq!(holder.server.of(ID, &jti).await, TokenState::Ended { code });
    // It is gone.
    let holder = holder
        .restarted_with(|config| config.smart_clients.clear())
        .await;
    let code = "client-unknown";
    assert_eq!(holder.server.of(ID, &jti).await, TokenState::Ended { code });
    let reply = plain(&holder, &client.assertion().sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_request parameter-missing");
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_stops_the_start() {
    let client = Client::new();
    let file = client.directory.path().join("jwks.json");
    let mut private = jwks(&[("ec", &client.ec)]);
    private["keys"][0]["d"] = json!("AAAA");
    for (text, code) in [
        ("no JSON".to_owned(), "key-set-malformed"),
        (json!({"keys": []}).to_string(), "key-set-malformed"),
        (private.to_string(), "key-set-malformed"),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(start(&client).await, code);
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(start(&client).await, "config-unreadable");
}

async fn start(client: &Client) -> &'static str {
    let (_directory, mut config) = prepared("");
    config.smart_clients = vec![udap_host::config::SmartClient {
        client_id: ID.to_owned(),
        keys: udap_host::config::ClientKeys::File(client.directory.path().join("jwks.json")),
        scope: "system/Patient.rs".to_owned(),
    }];
    Server::open(&config).await.unwrap_err().code()
}
