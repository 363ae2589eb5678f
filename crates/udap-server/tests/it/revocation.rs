//! Revocation, as soon as it is published.

use crate::support::{Holder, assertion, statement, world};

#[tokio::test]
async fn a_revoked_app_is_refused_at_the_next_look() {
    let holder = Holder::new().await;
    let app = world().a.app("https://revoked.app.example");
    let other = world().a.app("https://not.revoked.example");
    let id = holder.registered(&app).await;
    let other_id = holder.registered(&other).await;
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    world().a.revoke(app.leaf());
    // Known when the CRL is looked at again, long before it lapses.
    holder.server.refresh().await;
    assert_eq!(
        holder.token(&assertion(&app, &id).sign()).await.refusal(),
        "400 invalid_client certificate-revoked"
    );
    assert_eq!(
        holder.register(&statement(&app).sign()).await.refusal(),
        "400 unapproved_software_statement certificate-revoked"
    );
    assert_eq!(
        holder
            .token(&assertion(&other, &other_id).sign())
            .await
            .status,
        200
    );
}
