//! Opaque access tokens: random, kept as a hash, and told by introspection.

use crate::about_token::{INTROSPECT, REVOKE, about};
use crate::support::{BASE, Holder, Member, assertion, statement, world};
use serde_json::json;
use udap_host::token_status::{Kept, TokenState, TokenStatus as _};
use udap_proto::access_token;
use udap_trust::clock;

const OPAQUE: &str = "access_token = \"opaque\"";

async fn token(holder: &Holder, app: &Member, id: &str) -> String {
    let reply = holder.token(&assertion(app, id).sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
    assert_eq!(reply.text("token_type"), "Bearer");
    reply.text("access_token")
}

fn sha256(token: &str) -> [u8; 32] {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    hash.as_ref().try_into().unwrap()
}

/// What the gateway finds.
async fn state(holder: &Holder, token: &str) -> Result<TokenState, &'static str> {
    match holder.server.opaque(&sha256(token)).await {
        Kept::Record(record) => {
            let read = access_token::read_record(&record, BASE, BASE, clock::now());
            let read = read.map_err(|_| "unreadable")?;
            Ok(holder.server.of(read.client_id(), read.jti()).await)
        }
        Kept::Unknown => Err("unknown"),
        Kept::Unavailable => Err("unavailable"),
    }
}

#[tokio::test]
async fn introspection_says_all_that_a_jwt_would() {
    let holder = Holder::with(OPAQUE).await;
    let app = world().a.app("https://told.opaque.example");
    let id = holder.registered(&app).await;
    let token = token(&holder, &app, &id).await;
    assert!(access_token::is_opaque(token.as_bytes()), "{token}");
    let told = about(&holder, INTROSPECT, (&app, &id), &token).await.json();
    assert_eq!(told["active"], true, "{told}");
    for member in [
        "iss",
        "sub",
        "aud",
        "client_id",
        "scope",
        "iat",
        "exp",
        "jti",
    ] {
        assert!(told.get(member).is_some(), "{member}: {told}");
    }
    assert_eq!(told["udap"]["community"], world().a.uri);
    assert_eq!(told["udap"]["uri"], "https://told.opaque.example");
    assert!(told["extensions"].get("hl7-b2b").is_some());
    // Another app learns nothing, and of what never was nobody does.
    let other = world().a.app("https://curious.opaque.example");
    let other_id = holder.registered(&other).await;
    let nothing = json!({"active": false});
    let reply = about(&holder, INTROSPECT, (&other, &other_id), &token).await;
    assert_eq!(reply.json(), nothing);
    let never = access_token::opaque(&[7; 32]);
    let reply = about(&holder, INTROSPECT, (&app, &id), &never).await;
    assert_eq!(reply.json(), nothing);
    assert_eq!(state(&holder, &never).await, Err("unknown"));
}

#[tokio::test]
async fn it_ends_as_a_jwt_ends_and_survives_a_kill() {
    let holder = Holder::with(OPAQUE).await;
    let app = world().a.app("https://ends.opaque.example");
    let id = holder.registered(&app).await;
    let revoked = token(&holder, &app, &id).await;
    let holder = holder.killed_and_started_again().await;
    assert_eq!(state(&holder, &revoked).await, Ok(TokenState::Active));
    let reply = about(&holder, REVOKE, (&app, &id), &revoked).await;
    assert_eq!(reply.status, 200, "{reply}");
    let ended = |code| Ok(TokenState::Ended { code });
    assert_eq!(state(&holder, &revoked).await, ended("token-revoked"));
    let replaced = token(&holder, &app, &id).await;
    assert_eq!(holder.register(&statement(&app).sign()).await.status, 200);
    assert_eq!(
        state(&holder, &replaced).await,
        ended("registration-replaced")
    );
    let lost = token(&holder, &app, &id).await;
    world().a.revoke(app.leaf());
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, ended("certificate-revoked"));
}

/// Who reads the database finds nothing to present.
#[tokio::test]
async fn the_token_itself_is_nowhere() {
    let holder = Holder::with(OPAQUE).await;
    let app = world().a.app("https://nowhere.opaque.example");
    let id = holder.registered(&app).await;
    let token = token(&holder, &app, &id).await;
    holder.server.close().await.unwrap();
    let state = holder.kept();
    let found = |what: &[u8]| {
        let within = |bytes: &Vec<u8>| bytes.windows(what.len()).any(|window| window == what);
        state.iter().any(|(_, bytes)| within(bytes))
    };
    assert!(!found(&token.as_bytes()[..20]));
    let hash = sha256(&token);
    // A backup of a database server has it in hex.
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(found(&hash) || found(hex.as_bytes()), "this test can see");
}

#[tokio::test]
async fn many_at_once_are_all_kept() {
    let holder = Holder::with(OPAQUE).await;
    let app = world().a.app("https://many.opaque.example");
    let id = holder.registered(&app).await;
    let asked = (0..40).map(|_| token(&holder, &app, &id));
    let tokens = futures_util::future::join_all(asked).await;
    for token in &tokens {
        assert_eq!(state(&holder, token).await, Ok(TokenState::Active));
    }
    let distinct: std::collections::HashSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), 40);
}
