//! The command line's way: on the database, beside a running server.

use super::Site;
use crate::support::{assertion, world};
use serde_json::json;
use udap_host::db::sqlx;
use udap_server::{LocalAdmin, Role};
use udap_trust::clock;

#[tokio::test]
async fn a_running_server_learns_what_was_done_beside_it() {
    let site = Site::new().await;
    let app = world().a.app("https://beside.admin.example");
    let id = site.holder.registered(&app).await;
    // Remembered by the server from here on.
    assert_eq!(
        site.holder.token(&assertion(&app, &id).sign()).await.status,
        200
    );
    let done = site.local.act("suspend", &id, "by hand").await.unwrap();
    assert_eq!(done["state"], "suspended");
    site.holder.server.read_notes().await;
    let refused = site.holder.token(&assertion(&app, &id).sign()).await;
    assert!(
        refused.refusal().ends_with(" registration-suspended"),
        "{refused}"
    );
    // Each is read once, and none is missed that was written while no server ran.
    site.local.act("restore", &id, "by hand").await.unwrap();
    site.holder.server.read_notes().await;
    site.holder.server.read_notes().await;
    assert_eq!(
        site.holder.token(&assertion(&app, &id).sign()).await.status,
        200
    );
    let entries = site.audited("registration-suspended").await;
    assert_eq!(
        entries[0]["data"],
        json!({ "by": "command line", "reason": "by hand" })
    );
}

#[tokio::test]
async fn its_refusals_are_those_of_the_api() {
    let site = Site::new().await;
    let id = site
        .holder
        .registered(&world().a.app("https://same.admin.example"))
        .await;
    let code = async |word: &str, id: &str, why: &str| {
        site.local.act(word, id, why).await.unwrap_err().code()
    };
    assert_eq!(code("suspend", "nobody", "why").await, "app-unknown");
    assert_eq!(code("suspend", &id, " ").await, "reason-missing");
    assert_eq!(code("restore", &id, "why").await, "app-state");
    assert_eq!(code("delete", &id, "why").await, "admin-not-found");
    let wrong = site
        .local
        .get("apps", &[("state", "gone".to_owned())])
        .await;
    assert_eq!(wrong.unwrap_err().code(), "admin-parameter");
    for (name, password, expected) in [
        ("ada", "long enough to be one", "operator-exists"),
        ("a b", "long enough to be one", "operator-name-invalid"),
        ("", "long enough to be one", "operator-name-invalid"),
        ("grace", "short", "password-too-short"),
    ] {
        let refused = site.local.add_operator(name, password, Role::Viewer).await;
        assert_eq!(refused.unwrap_err().code(), expected);
    }
    let missing = site.local.remove_operator("grace").await.unwrap_err();
    assert_eq!(missing.code(), "operator-unknown");
    let missing = site
        .local
        .set_password("grace", "long enough to be one")
        .await;
    assert_eq!(missing.unwrap_err().code(), "operator-unknown");
}

/// Whatever ends it on the way: who deleted from the audit trail is in it before the first entry is gone.
#[tokio::test]
async fn what_is_pruned_is_said_before_it_is_gone() {
    let site = Site::new().await;
    let mut db = site.holder.database().await;
    // One of the old entries cannot be deleted.
    for sql in [
        "UPDATE audit SET at = at - 864000000000",
        "CREATE UNIQUE INDEX one_at_a_time ON audit (at)",
        "CREATE TABLE keeper (at BIGINT REFERENCES audit (at))",
        "INSERT INTO keeper SELECT MIN(at) FROM audit",
    ] {
        sqlx::query(sql).execute(&mut db).await.unwrap();
    }
    let until = clock::now().plus_secs(-86_400);
    let failed = site.local.prune_audit(until).await.unwrap_err();
    assert_eq!(failed.code(), "database-error");
    let said = async || {
        let entries = site.audited("audit-pruned").await;
        let said = entries.into_iter().map(|mut entry| {
            assert_eq!(entry["data"]["by"], "command line", "{entry}");
            entry["data"]["reason"].take()
        });
        said.collect::<Vec<_>>()
    };
    let begins = format!("begins with entries from before {until}");
    assert_eq!(said().await, [begins.as_str()]);

    let sql = "DROP TABLE keeper";
    sqlx::query(sql).execute(&mut db).await.unwrap();
    let pruned = site.local.prune_audit(until).await.unwrap();
    assert!(pruned >= 2, "the operators of this test: {pruned}");
    let done = format!("{pruned} entries from before {until}");
    // The newest first.
    assert_eq!(said().await, [&*done, &*begins, &*begins]);
    assert!(site.audited("operator-added").await.is_empty());
}

#[tokio::test]
async fn it_needs_no_server() {
    let (_directory, config) = crate::support::prepared("");
    let local = LocalAdmin::open(config, "x".to_owned()).await.unwrap();
    local
        .add_operator("ada", "long enough to be one", Role::Operator)
        .await
        .unwrap();
    let listed = local.list_operators().await.unwrap();
    assert_eq!(listed["operators"][0]["name"], "ada");
    let communities = local.get("communities", &[]).await.unwrap();
    assert_eq!(
        communities["communities"][0]["revocation_data"],
        serde_json::Value::Null
    );
    let certificates = local.get("certificates", &[]).await.unwrap();
    assert_eq!(certificates["certificates"].as_array().unwrap().len(), 4);
    assert_eq!(local.get("apps", &[]).await.unwrap()["apps"], json!([]));
    assert_eq!(
        local.get("refusals", &[]).await.unwrap()["refusals"],
        json!([])
    );
}
