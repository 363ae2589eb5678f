//! What the gateway is told about a token.

use crate::support::{BASE, Holder, Member, assertion, statement, world};
use serde_json::json;
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token;
use udap_trust::clock;

async fn token(holder: &Holder, app: &Member, client_id: &str) -> String {
    let reply = holder.token(&assertion(app, client_id).sign()).await;
    let token = reply.text("access_token");
    let keys = holder.server.keys();
    let verified = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
    verified.jti().to_owned()
}

const fn ended(code: &'static str) -> TokenState {
    TokenState::Ended { code }
}

#[tokio::test]
async fn a_token_ends_with_what_it_was_issued_for() {
    let holder = Holder::new().await;
    let app = world().a.app("https://status.app.example");
    let other = world().a.app("https://other.status.example");
    let id = holder.registered(&app).await;
    let other_id = holder.registered(&other).await;
    let of = |id: &str, jti: &str| {
        let (server, id, jti) = (holder.server.clone(), id.to_owned(), jti.to_owned());
        async move { server.of(&id, &jti).await }
    };

    let first = token(&holder, &app, &id).await;
    assert_eq!(of(&id, &first).await, TokenState::Active);
    // Replaced: the app may now do other things than before.
    assert_eq!(holder.register(&statement(&app).sign()).await.status, 200);
    assert_eq!(of(&id, &first).await, ended("registration-replaced"));
    let second = token(&holder, &app, &id).await;
    assert_eq!(of(&id, &second).await, TokenState::Active);
    // Cancelled, and back under another name.
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    assert_eq!(of(&id, &second).await, ended("registration-cancelled"));
    let back = holder.registered(&app).await;
    assert_eq!(of(&id, &second).await, ended("registration-cancelled"));
    let third = token(&holder, &app, &back).await;
    assert_eq!(of(&back, &third).await, TokenState::Active);
    // Nobody else's token was touched.
    let theirs = token(&holder, &other, &other_id).await;
    assert_eq!(of(&other_id, &theirs).await, TokenState::Active);

    assert_eq!(of("nobody", &third).await, ended("client-unknown"));
    for jti in ["", ".", "1", "0.x", "-1.x", "2.x", "9223372036854775808.x"] {
        assert_eq!(
            of(&back, jti).await,
            ended("registration-replaced"),
            "{jti}"
        );
    }
}

#[tokio::test]
async fn a_cancellation_survives_a_kill() {
    let holder = Holder::new().await;
    let app = world().a.app("https://killed.status.example");
    let id = holder.registered(&app).await;
    let jti = token(&holder, &app, &id).await;
    let holder = holder.killed_and_started_again().await;
    assert_eq!(holder.server.of(&id, &jti).await, TokenState::Active);
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    let holder = holder.killed_and_started_again().await;
    assert_eq!(
        holder.server.of(&id, &jti).await,
        ended("registration-cancelled")
    );
}
