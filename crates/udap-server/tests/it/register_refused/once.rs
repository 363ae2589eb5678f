//! Statements serve once, and nothing else serves as one.

use super::{METADATA, STATEMENT, UNAPPROVED, good};
use crate::support::{Holder, Jwt, REGISTER, TOKEN, assertion, statement, world};
use serde_json::json;

#[tokio::test]
async fn a_statement_serves_once() {
    let holder = Holder::new().await;
    let app = good();
    let once = statement(&app).sign();
    assert_eq!(holder.register(&once).await.status, 201);
    assert_eq!(
        holder.register(&once).await.refusal(),
        format!("{STATEMENT} jwt-replayed")
    );
    // The same `jti` in another statement of the same app.
    let jti = Jwt::claim(statement(&app), "jti", "the same").sign();
    assert_eq!(holder.register(&jti).await.status, 200);
    let jti = statement(&app)
        .claim("jti", "the same")
        .claim("client_name", "Other")
        .sign();
    assert_eq!(
        holder.register(&jti).await.refusal(),
        format!("{STATEMENT} jwt-replayed")
    );
    // Another app may use it, and so may the app of that name in the other community.
    let other = world().a.app("https://other.refused.example");
    assert_eq!(
        holder
            .register(&statement(&other).claim("jti", "the same").sign())
            .await
            .status,
        201
    );
    let in_b = world().b.app("https://good.refused.example");
    assert_eq!(
        holder
            .register(&statement(&in_b).claim("jti", "the same").sign())
            .await
            .status,
        201
    );
    // A refused statement does not use up its `jti`: the app mends it and sends it again.
    let bad = statement(&app)
        .claim("jti", "mended")
        .claim("scope", "system/*.rs");
    assert_eq!(
        holder.register(&bad.sign()).await.refusal(),
        format!("{METADATA} scope-wildcard-unsupported")
    );
    let mended = statement(&app).claim("jti", "mended");
    assert_eq!(holder.register(&mended.sign()).await.status, 200);
}

#[tokio::test]
async fn other_kinds_of_jwt_are_not_statements() {
    let holder = Holder::new().await;
    let app = good();
    let id = holder.registered(&app).await;
    let reply = holder.register(&assertion(&app, &id).sign()).await;
    assert_eq!(
        reply.refusal(),
        format!("{UNAPPROVED} san-uri-mismatch"),
        "{reply}"
    );
    let token = holder
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    assert_eq!(
        holder.register(&token).await.refusal(),
        format!("{STATEMENT} jwt-typ")
    );
    let signed = holder
        .get("/fhir/.well-known/udap")
        .await
        .text("signed_metadata");
    assert_eq!(
        holder.register(&signed).await.refusal(),
        format!("{STATEMENT} claim-missing")
    );
    // An assertion that names both endpoints and claims the app's name is still no statement.
    let uri = app.leaf().uri_names()[0].clone();
    let both = assertion(&app, &uri).claim("aud", json!([REGISTER, TOKEN, TOKEN]));
    assert_eq!(
        holder.register(&both.sign()).await.refusal(),
        format!("{METADATA} parameter-missing")
    );
}
