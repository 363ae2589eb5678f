//! Apps that an operator restores by the command line, where the community's bundle requires what they lack.

use crate::bundle::{FOLLOW, Hub, REPORT, description, registers, root, round, sign};
use crate::certifications::{AUDIT, PRIVACY};
use crate::support::{DAY, Holder, assertion, world};
use serde_json::json;
use udap_server::LocalAdmin;
use udap_trust::clock;

const LAPSED: &str = "400 invalid_client certification-lapsed";

/// A data holder whose community requires more by its bundle than by its configuration, and an app that was
/// suspended before.
async fn with_suspended(hub: &Hub, settings: &str) -> (Holder, LocalAdmin, String) {
    let holder = hub.holder(settings).await;
    let local = LocalAdmin::open((*holder.config).clone(), "command line".to_owned());
    let local = local.await.unwrap();
    let id = holder
        .registered(&world().a.app("https://restored.app.example"))
        .await;
    local.act("suspend", &id, "by hand").await.unwrap();
    let mut ruled = description(&[root(&world().a)]);
    ruled["certifications"] = json!({"supported": [AUDIT, PRIVACY], "required": [AUDIT]});
    hub.publish(&sign(&hub.signer, 1, DAY, &ruled));
    round(&holder).await;
    assert_eq!(holder.server.trouble(), []);
    holder.server.watch_certifications(clock::now()).await;
    (holder, local, id)
}

/// The command line says what the app is by the rules of its community, of which those of the bundle are.
#[tokio::test]
async fn an_app_rests_for_want_of_what_its_bundle_requires() {
    for settings in [REPORT, FOLLOW] {
        let hub = Hub::new().await;
        let (holder, local, id) = with_suspended(&hub, settings).await;
        let done = local.act("restore", &id, "by hand").await.unwrap();
        assert_eq!(done["state"], "lapsed", "{settings}");
        holder.server.read_notes().await;
        let app = world().a.app("https://restored.app.example");
        let token = holder.token(&assertion(&app, &id).sign()).await;
        assert_eq!(token.refusal(), LAPSED, "{settings}");
        // Nothing else depends on that.
        let done = local.act("suspend", &id, "by hand").await.unwrap();
        assert_eq!(done["state"], "suspended");
        let done = local.act("cancel", &id, "by hand").await.unwrap();
        assert_eq!(done["state"], "cancelled");
    }
}

/// What was written down may not be what is in force when the app comes back: the server looks at it itself.
#[tokio::test]
async fn an_app_that_was_restored_by_older_rules_rests_after_a_round() {
    let hub = Hub::new().await;
    let (holder, local, id) = with_suspended(&hub, REPORT).await;
    drop(local);
    let mut older = (*holder.config).clone();
    older.communities[0].bundle = None;
    let local = LocalAdmin::open(older, "command line".to_owned());
    let done = local.await.unwrap().act("restore", &id, "by hand").await;
    assert_eq!(done.unwrap()["state"], "active");
    holder.server.read_notes().await;
    let app = world().a.app("https://restored.app.example");
    let token = async || holder.token(&assertion(&app, &id).sign()).await;
    assert_eq!(token().await.status, 200);
    holder.server.watch_certifications(clock::now()).await;
    assert_eq!(token().await.refusal(), LAPSED);
    // It comes back as any other does: by registering with what is required.
    assert_eq!(
        registers(&holder, &app).await,
        "400 invalid_client_metadata certification-required"
    );
}
