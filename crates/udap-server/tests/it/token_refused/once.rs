//! Authentication tokens serve once, and nothing else serves as one.

use super::{CLIENT, registered};
use crate::support::{REGISTER, TOKEN, assertion, statement, world};
use serde_json::json;

#[tokio::test]
async fn an_assertion_serves_once() {
    let (holder, app, id) = registered().await;
    let once = assertion(&app, &id).claim("jti", "once").sign();
    assert_eq!(holder.token(&once).await.status, 200);
    assert_eq!(
        holder.token(&once).await.refusal(),
        format!("{CLIENT} jwt-replayed")
    );
    // With a renewed certificate, for other scopes, in other words: the `jti` is the same.
    let renewed = world().a.app("https://app.token-refused.example");
    let again = assertion(&renewed, &id).claim("jti", "once").sign();
    assert_eq!(
        holder.token(&again).await.refusal(),
        format!("{CLIENT} jwt-replayed")
    );
    // The same signature in another form is the same assertion.
    let (n, r) = (once.len(), once.as_bytes()[once.len() - 1]);
    let mut other = once.clone().into_bytes();
    other[n - 1] = if r == b'A' { b'B' } else { b'A' };
    let reply = holder.token(&String::from_utf8(other).unwrap()).await;
    assert_eq!(reply.status, 400, "{reply}");
    // A statement and an assertion of one `jti` are two things.
    let statement = statement(&app).claim("jti", "once").sign();
    assert_eq!(holder.register(&statement).await.status, 200);
    // Another client may use it.
    let other = world().a.app("https://jti.token-refused.example");
    let other_id = holder.registered(&other).await;
    let theirs = assertion(&other, &other_id).claim("jti", "once").sign();
    assert_eq!(holder.token(&theirs).await.status, 200);
}

#[tokio::test]
async fn other_kinds_of_jwt_are_not_assertions() {
    let (holder, app, id) = registered().await;
    let statement = statement(&app);
    let reply = holder.token(&statement.sign()).await;
    assert_eq!(reply.refusal(), format!("{CLIENT} aud-mismatch"));
    let both = statement.clone().claim("aud", json!([REGISTER, TOKEN]));
    assert_eq!(
        holder.token(&both.sign()).await.refusal(),
        format!("{CLIENT} client-unknown")
    );
    let token = holder
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    assert_eq!(
        holder.token(&token).await.refusal(),
        format!("{CLIENT} jwt-typ")
    );
    let signed = holder
        .get("/fhir/.well-known/udap")
        .await
        .text("signed_metadata");
    assert_eq!(
        holder.token(&signed).await.refusal(),
        format!("{CLIENT} claim-missing")
    );
}
