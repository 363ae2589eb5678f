//! What ends tokens without anybody's hand.

use crate::support::{BASE, Holder, Member, assertion, world};
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token::{self, VerifiedAccessToken};
use udap_trust::clock;

pub(crate) async fn token(holder: &Holder, app: &Member, client_id: &str) -> VerifiedAccessToken {
    let reply = holder.token(&assertion(app, client_id).sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
    let keys = holder.server.keys();
    let text = reply.text("access_token");
    access_token::verify(&text, &keys, BASE, BASE, clock::now()).unwrap()
}

pub(crate) async fn state(holder: &Holder, token: &VerifiedAccessToken) -> TokenState {
    holder.server.of(token.client_id(), token.jti()).await
}

const REVOKED: TokenState = TokenState::Ended {
    code: "certificate-revoked",
};

/// How often the audit trail says so.
async fn audited(holder: &Holder, event: &str) -> i64 {
    holder.server.audit().flush().await.unwrap();
    let mut db = holder.database().await;
    let query = "SELECT COUNT(*) FROM audit WHERE event = $1 AND code = 'certificate-revoked'";
    sqlx::query_scalar(query)
        .bind(event)
        .fetch_one(&mut db)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_revoked_certificate_ends_its_tokens_and_not_the_registration() {
    let holder = Holder::new().await;
    let a = &world().a;
    let (app, other) = (
        a.app("https://lost.life.example"),
        a.app("https://kept.life.example"),
    );
    let (id, other_id) = (
        holder.registered(&app).await,
        holder.registered(&other).await,
    );
    let lost = token(&holder, &app, &id).await;
    let kept = token(&holder, &other, &other_id).await;
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, TokenState::Active);

    a.revoke(app.leaf());
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, REVOKED);
    assert_eq!(state(&holder, &kept).await, TokenState::Active);
    assert_eq!(audited(&holder, "tokens-ended").await, 1);
    // Once is enough, and a restart changes nothing.
    holder.server.refresh().await;
    assert_eq!(audited(&holder, "tokens-ended").await, 1);
    let holder = holder.killed_and_started_again().await;
    assert_eq!(state(&holder, &lost).await, REVOKED);

    // The registration is the URI's: with another certificate the app goes on where it was.
    let renewed = a.app("https://lost.life.example");
    let again = token(&holder, &renewed, &id).await;
    holder.server.refresh().await;
    assert_eq!(state(&holder, &again).await, TokenState::Active);
    assert_eq!(state(&holder, &lost).await, REVOKED);
    let refused = holder.token(&assertion(&app, &id).sign()).await;
    assert!(
        refused.refusal().ends_with(" certificate-revoked"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_restart_forgets_no_certificate_whose_tokens_are_in_force() {
    let holder = Holder::new().await;
    let app = world().a.app("https://restart.life.example");
    let id = holder.registered(&app).await;
    let lost = token(&holder, &app, &id).await;
    let holder = holder.killed_and_started_again().await;
    assert_eq!(state(&holder, &lost).await, TokenState::Active);
    world().a.revoke(app.leaf());
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, REVOKED);
}

#[tokio::test]
async fn no_token_outlives_the_certificate_it_was_asked_for_with() {
    let holder = Holder::new().await;
    let member = world().a.member(&["https://short.life.example"]);
    let app = member.valid(-60, 100).issue();
    let id = holder.registered(&app).await;
    let reply = holder.token(&assertion(&app, &id).sign()).await;
    let secs = reply.json()["expires_in"].as_i64().unwrap();
    assert!((90..=100).contains(&secs), "{reply}");
    let token = token(&holder, &app, &id).await;
    assert!(token.exp() <= app.leaf().not_after());
}

/// Another anchor for community a.
fn anchor(holder: &Holder, root: &crate::support::Community) {
    let path = holder.directory().join("a.anchor.pem");
    crate::support::write_private(&path, root.root.certificate.to_pem().as_bytes());
}

const NOT_TRUSTED: TokenState = TokenState::Ended {
    code: "chain-not-trusted",
};

/// What could not be looked at when the anchor went is looked at later.
#[tokio::test]
async fn an_anchor_that_goes_while_the_database_fails_takes_tokens_along_later() {
    let holder = Holder::edited(|text| text).await;
    let app = world().a.app("https://failing.life.example");
    let id = holder.registered(&app).await;
    let lost = token(&holder, &app, &id).await;
    holder.server.refresh().await;
    let mut db = holder.database().await;
    let rename = async |db: &mut sqlx::AnyConnection, from: &str, to: &str| {
        let rename = format!("ALTER TABLE {from} RENAME TO {to}");
        let rename = sqlx::query(sqlx::AssertSqlSafe(rename));
        rename.execute(db).await.unwrap();
    };
    rename(&mut db, "signer", "signer_elsewhere").await;
    anchor(&holder, &world().rogue);
    holder.server.reload_communities().await;
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, TokenState::Active);
    rename(&mut db, "signer_elsewhere", "signer").await;
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, NOT_TRUSTED);
}

#[tokio::test]
async fn an_anchor_that_goes_by_a_restart_takes_tokens_along() {
    let holder = Holder::edited(|text| text).await;
    let (app, other) = (
        world().a.app("https://restarted.life.example"),
        world().b.app("https://restarted.life.example"),
    );
    let (id, other_id) = (
        holder.registered(&app).await,
        holder.registered(&other).await,
    );
    let (lost, kept) = (
        token(&holder, &app, &id).await,
        token(&holder, &other, &other_id).await,
    );
    anchor(&holder, &world().rogue);
    let holder = holder.killed_and_started_again().await;
    holder.server.refresh().await;
    assert_eq!(state(&holder, &lost).await, NOT_TRUSTED);
    assert_eq!(state(&holder, &kept).await, TokenState::Active);
}
