//! What happens without anybody's hand: each test only waits, where others call the rounds by name.

use crate::bundle::{FOLLOW, Hub, registers, root};
use crate::certifications::{audit, register, requiring};
use crate::life_cycle::{state, token};
use crate::support::{Holder, world};
use std::time::{Duration, Instant};
use udap_host::listen::Shutdown;
use udap_host::token_status::TokenState;
use udap_proto::access_token::VerifiedAccessToken;
use udap_trust::clock;

/// The work beside requests, with rounds that nobody has to wait for; it ends with the test's runtime.
fn begin(holder: &Holder) {
    let round = Duration::from_millis(50);
    let work = holder.server.clone();
    drop(tokio::spawn(
        work.run_background_every(round, Shutdown::new()),
    ));
}

/// Until it is so, and no longer than nobody would wait for.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is(holder: &Holder, token: &VerifiedAccessToken, code: &'static str) -> bool {
    state(holder, token).await == TokenState::Ended { code }
}

#[tokio::test]
async fn a_revocation_ends_tokens() {
    let holder = Holder::new().await;
    let app = world().a.app("https://revoked.background.example");
    let id = holder.registered(&app).await;
    let token = token(&holder, &app, &id).await;
    begin(&holder);
    world().a.revoke(app.leaf());
    until("a revoked certificate's token counts", async || {
        is(&holder, &token, "certificate-revoked").await
    })
    .await;
}

#[tokio::test]
async fn a_required_certification_that_expires_ends_tokens() {
    let holder = requiring().await;
    let app = world().a.app("https://expiring.background.example");
    let short = audit(&app).times(-60, 3).sign();
    let reply = register(&holder, &app, &[short]).await;
    let token = token(&holder, &app, &reply.text("client_id")).await;
    assert_eq!(state(&holder, &token).await, TokenState::Active);
    begin(&holder);
    until(
        "a token counts whose app lacks what is required",
        async || is(&holder, &token, "certification-lapsed").await,
    )
    .await;
}

#[tokio::test]
async fn what_a_community_publishes_takes_effect() {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    let newcomer = rogue.app("https://newcomer.background.example");
    assert_ne!(registers(&holder, &newcomer).await, "ok");
    hub.publish(&hub.bundle(1, &[root(a), root(rogue)]));
    begin(&holder);
    until(
        "an anchor that was published counts for nothing",
        async || registers(&holder, &newcomer).await == "ok",
    )
    .await;
}

#[tokio::test]
async fn metadata_is_signed_again_when_half_its_time_has_passed() {
    let holder = Holder::new().await;
    let signed = async || {
        let reply = holder.get("/fhir/.well-known/udap").await;
        reply.text("signed_metadata")
    };
    let first = signed().await;
    let now = clock::now();
    let hour = 3600;
    holder
        .server
        .sign_metadata_again(now.plus_secs(11 * hour))
        .await;
    assert_eq!(signed().await, first);
    let half = now.plus_secs(12 * hour);
    holder.server.sign_metadata_again(half).await;
    let second = signed().await;
    assert_ne!(second, first);
    let claims = |jwt: &str| udap_proto::jws::Jws::parse(jwt).unwrap().payload().clone();
    let (first, second) = (claims(&first), claims(&second));
    assert_eq!(second["iat"], half.0);
    assert!(second["exp"].as_i64() > first["exp"].as_i64());
    assert_ne!(second["jti"], first["jti"]);
    assert_eq!(second["token_endpoint"], first["token_endpoint"]);
}
