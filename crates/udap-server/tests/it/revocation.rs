//! Revocation, as soon as it is published, and whatever else is going on.

use crate::support::{Holder, assertion, statement, world};
use std::time::Duration;
use udap_host::db::sqlx;
use udap_pki::Anchor;
use udap_proto::Refusal as _;
use udap_testkit::postgres;
use udap_trust::clock;
use udap_trust::fetch::{FetchPolicy, Fetcher, TlsRoots};
use udap_trust::verify::{CommunityTrust, TrustEngine};

const TOKEN_REFUSED: &str = "400 invalid_client certificate-revoked";
const REGISTRATION_REFUSED: &str = "400 unapproved_software_statement certificate-revoked";

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
    let reply = holder.token(&assertion(&app, &id).sign()).await;
    assert_eq!(reply.refusal(), TOKEN_REFUSED);
    let reply = holder.register(&statement(&app).sign()).await;
    assert_eq!(reply.refusal(), REGISTRATION_REFUSED);
    // A new certificate brings the app back to its registration.
    let renewed = world().a.app("https://revoked.app.example");
    assert_eq!(
        holder.token(&assertion(&renewed, &id).sign()).await.status,
        200
    );
    let reply = holder.token(&assertion(&other, &other_id).sign()).await;
    assert_eq!(reply.status, 200);
}

/// The registration is verified and waits for the database; then the revocation arrives.
#[tokio::test]
async fn one_that_lands_between_verification_and_write_wins() {
    let holder = Holder::new().await;
    let app = world().a.app("https://between.app.example");
    let id = holder.registered(&app).await;
    let mut db = holder.database().await;
    for change in [
        statement(&app).claim("client_name", "Too late"),
        statement(&app).claim("grant_types", serde_json::json!([])),
    ] {
        let app = world().a.app("https://between.app.example");
        // The app's newest certificate signs.
        let jwt = crate::support::Jwt::new(&app, change.claims).sign();
        let verified = replay_log(&holder);
        let turn = match postgres::wanted() {
            true => "BEGIN; SELECT pg_advisory_xact_lock(7305794401)",
            false => "BEGIN IMMEDIATE",
        };
        sqlx::raw_sql(turn).execute(&mut db).await.unwrap();
        let registering = tokio::spawn({
            let holder = holder.clone();
            async move { holder.register(&jwt).await }
        });
        // Its `jti` is written down: all that is left is the registration itself.
        while replay_log(&holder) == verified {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world().a.revoke(app.leaf());
        holder.server.refresh().await;
        sqlx::query("ROLLBACK").execute(&mut db).await.unwrap();
        let reply = registering.await.unwrap();
        assert_eq!(reply.refusal(), REGISTRATION_REFUSED);
    }
    // Nothing was changed and nothing cancelled.
    let app = world().a.app("https://between.app.example");
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    let query = "SELECT parameters FROM registration WHERE client_id = $1";
    let parameters: String = sqlx::query_scalar(query)
        .bind(&id)
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert!(parameters.contains("Test app"), "{parameters}");
}

/// How many bytes of the replay log are written; zeros are room for more.
fn replay_log(holder: &Holder) -> usize {
    if postgres::wanted() {
        return holder
            .sql("SELECT COUNT(*) FROM seen_jwt")
            .trim()
            .parse()
            .unwrap();
    }
    let files = holder.state();
    let log = files
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|e| e == "log"));
    log.map(|(_, bytes)| bytes.iter().filter(|byte| **byte != 0).count())
        .sum()
}

/// A server whose apps are all known asks the core nothing for hours; it looks at CRLs all the same.
#[tokio::test]
async fn one_is_seen_although_every_verdict_is_remembered() {
    let a = &world().a;
    let app = a.app("https://remembered.app.example");
    let fetcher = Fetcher::new(FetchPolicy {
        allow_hosts: vec![world().web.clone()],
        tls_roots: TlsRoots::These(vec![a.root.certificate.der().to_vec().into()]),
    })
    .unwrap();
    let trust = CommunityTrust::new(&a.uri, vec![Anchor::new(a.root.certificate.clone())]);
    let engine = TrustEngine::new(Some(fetcher), vec![trust]);
    let begun = clock::now();
    let judge = async |now| {
        engine
            .verify(&a.uri, app.leaf(), &app.chain[1..], now)
            .await
    };
    judge(begun).await.unwrap();
    for half_hours in 1..=6 {
        judge(begun.plus_secs(half_hours * 1800)).await.unwrap();
    }
    a.revoke(app.leaf());
    let now = begun.plus_secs(6 * 1800 + 30);
    engine.refresh(now).await;
    assert_eq!(judge(now).await.unwrap_err().code(), "certificate-revoked");
}
