//! `POST {base}/oauth/revoke`: what ends, and what does not.

use crate::about_token::{INTROSPECT, REVOKE, about, audited, token};
use crate::support::{BASE, Holder, statement, world};
use futures_util::FutureExt as _;
use serde_json::json;
use std::time::Duration;
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token;
use udap_trust::clock;

const REVOKED: TokenState = TokenState::Ended {
    code: "token-revoked",
};

/// What the gateway is told.
async fn state(holder: &Holder, token: &str) -> TokenState {
    let keys = holder.server.keys();
    let token = access_token::verify(token, &keys, BASE, BASE, clock::now()).unwrap();
    holder.server.of(token.client_id(), token.jti()).await
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_and_stays_so() {
    let holder = Holder::new().await;
    let app = world().a.app("https://revokes.app.example");
    let id = holder.registered(&app).await;
    let first = token(&holder, &app, &id).await;
    let second = token(&holder, &app, &id).await;
    assert_eq!(state(&holder, &first).await, TokenState::Active);
    let reply = about(&holder, REVOKE, (&app, &id), &first).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(state(&holder, &first).await, REVOKED);
    assert_eq!(state(&holder, &second).await, TokenState::Active);
    // Again is as good as once.
    assert_eq!(
        about(&holder, REVOKE, (&app, &id), &first).await.status,
        200
    );

    let holder = holder.killed_and_started_again().await;
    assert_eq!(state(&holder, &first).await, REVOKED);
    assert_eq!(state(&holder, &second).await, TokenState::Active);
    // It is not forgotten before it would have ended.
    holder.server.refresh().await;
    assert_eq!(state(&holder, &first).await, REVOKED);
    // And the client gets new ones.
    let third = token(&holder, &app, &id).await;
    assert_eq!(state(&holder, &third).await, TokenState::Active);
    assert_eq!(audited(&holder, "token-revoked").await.len(), 2);
}

/// Durable, in force and written down, or none of it.
#[tokio::test]
async fn a_client_that_hangs_up_has_revoked_its_token() {
    let holder = Holder::new().await;
    let app = world().a.app("https://hangs-up.revokes.example");
    let id = holder.registered(&app).await;
    let token = token(&holder, &app, &id).await;
    let answer = about(&holder, REVOKE, (&app, &id), &token).now_or_never();
    assert!(answer.is_none());
    for _ in 0..500 {
        if !audited(&holder, "token-revoked").await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(audited(&holder, "token-revoked").await.len(), 1);
    assert_eq!(state(&holder, &token).await, REVOKED);
    let holder = holder.killed_and_started_again().await;
    assert_eq!(state(&holder, &token).await, REVOKED);
}

#[tokio::test]
async fn nobody_ends_a_token_of_another() {
    let holder = Holder::new().await;
    let uri = "https://victim.revokes.example";
    let (app, namesake) = (world().a.app(uri), world().b.app(uri));
    let peer = world().a.app("https://peer.revokes.example");
    let id = holder.registered(&app).await;
    let theirs = token(&holder, &app, &id).await;
    for caller in [&peer, &namesake] {
        let caller_id = holder.registered(caller).await;
        let reply = about(&holder, REVOKE, (caller, &caller_id), &theirs).await;
        // RFC 7009 §2.2: the answer tells nothing.
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
        assert_eq!(state(&holder, &theirs).await, TokenState::Active);
    }
    for nothing in ["x", "a.b.c", &theirs[1..], "\u{0}"] {
        let reply = about(&holder, REVOKE, (&app, &id), nothing).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
    }
    assert_eq!(state(&holder, &theirs).await, TokenState::Active);
    let refused = audited(&holder, "revocation-refused").await;
    let codes = |code: &str| {
        refused
            .iter()
            .filter(|c| c.as_deref() == Some(code))
            .count()
    };
    assert_eq!(
        (refused.len(), codes("token-of-another")),
        (6, 2),
        "{refused:?}"
    );
    assert!(audited(&holder, "token-revoked").await.is_empty());
}

/// Who registers anew under the old name revokes nothing of before, and needs to revoke nothing.
#[tokio::test]
async fn tokens_of_a_cancelled_registration_have_ended_already() {
    let holder = Holder::new().await;
    let app = world().a.app("https://back.revokes.example");
    let id = holder.registered(&app).await;
    let old = token(&holder, &app, &id).await;
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    let back = holder.registered(&app).await;
    let reply = about(&holder, REVOKE, (&app, &back), &old).await;
    assert_eq!(reply.status, 200);
    let cancelled = TokenState::Ended {
        code: "registration-cancelled",
    };
    assert_eq!(state(&holder, &old).await, cancelled);
    let reply = about(&holder, INTROSPECT, (&app, &back), &old).await;
    assert_eq!(reply.json(), json!({"active": false}));
}
