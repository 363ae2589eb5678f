//! The command line's way: on the database, beside a running server.

use super::Site;
use crate::support::{assertion, world};
use serde_json::json;
use udap_server::{LocalAdmin, Role};

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
