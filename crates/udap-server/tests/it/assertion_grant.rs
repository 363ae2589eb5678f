//! The grant by an authorization assertion (UDAP Authorization Grants §§3–6), and what its words mean in
//! an authentication token.

use crate::support::{BASE, Holder, Jwt, Member, Reply, TOKEN, assertion, statement, world};
use serde_json::{Value, json};
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token;
use udap_proto::token::{ASSERTION_TYPE, JWT_BEARER};
use udap_trust::{clock, random};

const ISSUER: &str = "https://tokens.assertion.example";

/// A data holder where the issuer may assert in community a.
async fn holder() -> Holder {
    let uri = &world().a.uri;
    Holder::edited(|text| {
        let line = format!("uri = \"{uri}\"\n");
        let issuers = format!("{line}assertion_issuers = [\"{ISSUER}\"]\n");
        text.replace(&line, &issuers)
    })
    .await
}

async fn registered(holder: &Holder, app: &Member, grants: Value) -> String {
    let reply = holder
        .register(&statement(app).claim("grant_types", grants).sign())
        .await;
    assert_eq!(reply.status, 201, "{reply}");
    reply.text("client_id")
}

/// What the issuer says: that a client may have access.
fn authorization(issuer: &Member, client_id: &str) -> Jwt {
    let claims = json!({
        "iss": ISSUER,
        "sub": client_id,
        "aud": TOKEN,
        "jti": random::id(),
        "extensions": {"hl7-b2b": {
            "version": "1",
            "organization_id": "https://clinic.example/Organization/1",
            "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#PATRQT"],
        }},
    });
    Jwt::new(issuer, claims).times(0, 600)
}

/// Authenticates nobody's authorization but its own identity.
fn identity(app: &Member, client_id: &str) -> String {
    assertion(app, client_id).without("extensions").sign()
}

async fn ask(holder: &Holder, authorization: &str, identity: &str, scope: &str) -> Reply {
    let mut form = vec![
        ("grant_type", JWT_BEARER),
        ("assertion", authorization),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", identity),
        ("udap", "1"),
    ];
    if !scope.is_empty() {
        form.push(("scope", scope));
    }
    holder.post_form(&form).await
}

#[tokio::test]
async fn an_assertion_of_a_named_issuer_is_a_grant_and_its_scope_a_ceiling() {
    let holder = holder().await;
    let issuer = world().a.app(ISSUER);
    let app = world().a.app("https://app.assertion.example");
    let id = registered(&holder, &app, json!([JWT_BEARER])).await;
    for (claims, asked, granted) in [
        (json!({}), "system/Patient.rs", "system/Patient.rs"),
        // Nothing asked for: all that it may have.
        (json!({}), "", "system/Observation.rs system/Patient.rs"),
        (json!({"scope": "system/Patient.r"}), "", "system/Patient.r"),
        (
            json!({"scope": "system/Patient.r"}),
            "system/Patient.rs system/Observation.rs",
            "system/Patient.r",
        ),
        (
            json!({"azp": "https://app.assertion.example", "sub": "https://app.assertion.example"}),
            "system/Patient.rs",
            "system/Patient.rs",
        ),
    ] {
        let mut jwt = authorization(&issuer, &id);
        for (name, value) in claims.as_object().unwrap() {
            jwt = jwt.claim(name, value.clone());
        }
        let reply = ask(&holder, &jwt.sign(), &identity(&app, &id), asked).await;
        assert_eq!(reply.status, 200, "{claims}: {reply}");
        let mut scopes: Vec<String> = reply.text("scope").split(' ').map(str::to_owned).collect();
        scopes.sort();
        assert_eq!(scopes.join(" "), granted, "{claims}");
        let token = reply.text("access_token");
        let keys = holder.server.keys();
        let verified = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
        // The client's, for the purpose that its issuer gave.
        assert_eq!(verified.client_id(), id);
        let purpose = &verified.claims().extensions["hl7-b2b"]["purpose_of_use"];
        assert_eq!(*purpose, json!(["urn:oid:2.16.840.1.113883.5.8#PATRQT"]));
    }
    // Metadata offers the grant in this community and in no other.
    for (community, offered) in [(&world().a, true), (&world().b, false)] {
        let target = format!("/fhir/.well-known/udap?community={}", community.uri);
        let grants = holder.get(&target).await.json()["grant_types_supported"].clone();
        let has = grants.as_array().unwrap().contains(&json!(JWT_BEARER));
        assert_eq!(has, offered, "{grants}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    // Before the community's CRL is fetched and remembered.
    let revoked = world().a.app(ISSUER);
    world().a.revoke(revoked.leaf());
    let holder = holder().await;
    let a = &world().a;
    let issuer = a.app(ISSUER);
    let app = a.app("https://refused.assertion.example");
    let peer = a.app("https://peer.assertion.example");
    let id = registered(&holder, &app, json!([JWT_BEARER, "client_credentials"])).await;
    let peer_id = registered(&holder, &peer, json!([JWT_BEARER])).await;
    let good = || authorization(&issuer, &id);
    let used = good();
    let reply = ask(&holder, &used.sign(), &identity(&app, &id), "").await;
    assert_eq!(reply.status, 200, "{reply}");
    let namesake = world().b.app(ISSUER);
    let rogue = world().rogue.app(ISSUER);
    for (what, jwt, error, code) in [
        ("twice", used, "invalid_grant", "jwt-replayed"),
        (
            "another's key",
            good().signed_by(&peer.signer),
            "invalid_grant",
            "jwt-signature-invalid",
        ),
        (
            "no certificates",
            good().without_header("x5c"),
            "invalid_grant",
            "x5c-missing",
        ),
        (
            "the issuer of that name in another community",
            authorization(&namesake, &id),
            "invalid_grant",
            "chain-not-trusted",
        ),
        (
            "one of nobody's",
            authorization(&rogue, &id),
            "invalid_grant",
            "chain-not-trusted",
        ),
        (
            "one that is revoked",
            authorization(&revoked, &id),
            "invalid_grant",
            "certificate-revoked",
        ),
        (
            "a member that is no issuer",
            authorization(&peer, &id).claim("iss", "https://peer.assertion.example"),
            "invalid_grant",
            "assertion-issuer-unknown",
        ),
        (
            "a member in the issuer's name",
            authorization(&peer, &id),
            "invalid_grant",
            "san-uri-mismatch",
        ),
        (
            "about a peer",
            authorization(&issuer, &peer_id),
            "invalid_grant",
            "assertion-subject",
        ),
        (
            "for a peer",
            good().claim("azp", peer_id.as_str()),
            "invalid_grant",
            "assertion-azp",
        ),
        (
            "for the base URL",
            good().claim("aud", BASE),
            "invalid_grant",
            "aud-mismatch",
        ),
        (
            "over",
            good().times(-900, -300),
            "invalid_grant",
            "jwt-expired",
        ),
        (
            "more than an hour",
            good().times(0, 3601),
            "invalid_grant",
            "jwt-lifetime",
        ),
        (
            "no extensions",
            good().without("extensions"),
            "invalid_grant",
            "extension-missing",
        ),
        (
            "resources",
            good().claim(
                "resources",
                json!(["https://holder.example/fhir/Patient/1"]),
            ),
            "invalid_request",
            "resources-unsupported",
        ),
        (
            "a scope beyond what is registered",
            good().claim("scope", "system/Condition.rs"),
            "invalid_scope",
            "scope-none-granted",
        ),
    ] {
        let reply = ask(&holder, &jwt.sign(), &identity(&app, &id), "").await;
        assert_eq!(reply.refusal(), format!("400 {error} {code}"), "{what}");
    }
    // Its own authentication token is nobody's word but its own.
    let own = assertion(&app, &id);
    let reply = ask(&holder, &own.sign(), &identity(&app, &id), "").await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_grant assertion-issuer-unknown"
    );
    // What authorizes does not authenticate.
    let reply = ask(&holder, &good().sign(), &good().sign(), "").await;
    assert_eq!(reply.refusal(), "400 invalid_client sub-not-iss");
    // A bad authentication keeps its own codes, and spends no authorization.
    let jwt = good();
    let bad = assertion(&app, &id).signed_by(&peer.signer).sign();
    let reply = ask(&holder, &jwt.sign(), &bad, "").await;
    assert_eq!(reply.refusal(), "400 invalid_request jwt-signature-invalid");
    assert_eq!(
        ask(&holder, &jwt.sign(), &identity(&app, &id), "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn only_for_what_an_app_is_registered_for_and_off_unless_issuers_are_named() {
    let holder = holder().await;
    let issuer = world().a.app(ISSUER);
    let plain = world().a.app("https://plain.assertion.example");
    let plain_id = holder.registered(&plain).await;
    let jwt = authorization(&issuer, &plain_id).sign();
    let reply = ask(&holder, &jwt, &identity(&plain, &plain_id), "").await;
    assert_eq!(
        reply.refusal(),
        "400 unauthorized_client grant-not-registered"
    );
    // And the other way around.
    let app = world().a.app("https://only.assertion.example");
    let id = registered(&holder, &app, json!([JWT_BEARER])).await;
    let reply = holder.token(&assertion(&app, &id).sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 unauthorized_client grant-not-registered"
    );
    // It changes its mind.
    let both = statement(&app).claim("grant_types", json!(["client_credentials", JWT_BEARER]));
    assert_eq!(holder.register(&both.sign()).await.status, 200);
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);

    // In the other community nobody is named, and at another data holder nobody at all.
    let there = world().b.app("https://there.assertion.example");
    let off = Holder::new().await;
    for (holder, app) in [(&holder, &there), (&off, &app)] {
        for grants in [
            json!([JWT_BEARER]),
            json!(["client_credentials", JWT_BEARER]),
        ] {
            let statement = statement(app).claim("grant_types", grants);
            let reply = holder.register(&statement.sign()).await;
            assert_eq!(
                reply.refusal(),
                "400 invalid_client_metadata grant-unsupported"
            );
        }
    }
    // Was registered while it was on: who may assert is asked each time.
    let closed = holder
        .restarted_with(|config| config.communities[0].assertion_issuers.clear())
        .await;
    let jwt = authorization(&issuer, &id).sign();
    let reply = ask(&closed, &jwt, &identity(&app, &id), "").await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_grant assertion-issuer-unknown"
    );
}

#[tokio::test]
async fn no_assertion_is_written_down() {
    let holder = holder().await;
    let issuer = world().a.app(ISSUER);
    let app = world().a.app("https://secret.assertion.example");
    let id = registered(&holder, &app, json!([JWT_BEARER])).await;
    let (good, own) = (authorization(&issuer, &id).sign(), identity(&app, &id));
    let token = ask(&holder, &good, &own, "").await.text("access_token");
    let again = identity(&app, &id);
    assert_eq!(ask(&holder, &good, &again, "").await.status, 400);
    let late = authorization(&issuer, &id).claim("azp", "other").sign();
    assert_eq!(
        ask(&holder, &late, &identity(&app, &id), "").await.status,
        400
    );
    holder.server.close().await.unwrap();
    for secret in [good, own, again, late, token] {
        assert!(!holder.holds(&secret));
    }
    for code in ["jwt-replayed", "assertion-azp", "token-issued"] {
        assert!(holder.holds(code), "{code}");
    }
}

/// What was issued on somebody's word ends when that one's certificate is revoked.
#[tokio::test]
async fn tokens_end_with_the_certificate_of_the_issuer() {
    let holder = holder().await;
    let issuer = world().a.app(ISSUER);
    let app = world().a.app("https://ends.assertion.example");
    let id = registered(&holder, &app, json!([JWT_BEARER, "client_credentials"])).await;
    let jwt = authorization(&issuer, &id);
    let reply = ask(&holder, &jwt.sign(), &identity(&app, &id), "").await;
    let token = reply.text("access_token");
    let keys = holder.server.keys();
    let verified = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
    let state = async || holder.server.of(&id, verified.jti()).await;
    holder.server.refresh().await;
    assert_eq!(state().await, TokenState::Active);
    world().a.revoke(issuer.leaf());
    holder.server.refresh().await;
    let code = "certificate-revoked";
    assert_eq!(state().await, TokenState::Ended { code });
    // The app itself is as good as before.
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    let jwt = authorization(&issuer, &id);
    let reply = ask(&holder, &jwt.sign(), &identity(&app, &id), "").await;
    assert_eq!(reply.refusal(), "400 invalid_grant certificate-revoked");
}

/// Shape 2: the authentication token is the authorization as well, and its words bind.
#[tokio::test]
async fn an_authentication_token_is_held_to_its_own_limits() {
    let holder = Holder::new().await;
    let app = world().a.app("https://limits.assertion.example");
    let id = holder.registered(&app).await;
    let good = || assertion(&app, &id);
    for (jwt, expected) in [
        (
            good().claim("scope", "system/Patient.r"),
            Ok("system/Patient.r"),
        ),
        (good().claim("azp", id.as_str()), Ok("system/Patient.rs")),
        (
            good().claim("azp", "https://limits.assertion.example"),
            Ok("system/Patient.rs"),
        ),
        (
            good().claim("scope", "system/Observation.rs"),
            Err("400 invalid_scope scope-none-granted"),
        ),
        (
            good().claim("scope", ""),
            Err("400 invalid_scope scope-none-granted"),
        ),
        (
            good().claim("scope", json!([])),
            Err("400 invalid_grant claim-malformed"),
        ),
        (
            good().claim("azp", "other"),
            Err("400 invalid_grant assertion-azp"),
        ),
        (
            good().claim("resources", json!([])),
            Err("400 invalid_request resources-unsupported"),
        ),
    ] {
        let reply = holder.token(&jwt.sign()).await;
        match expected {
            Ok(scope) => assert_eq!(reply.text("scope"), scope),
            Err(refusal) => assert_eq!(reply.refusal(), refusal),
        }
    }
}
