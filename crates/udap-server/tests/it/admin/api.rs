//! The JSON API: a token is needed everywhere, and what it does is in force at once.

use super::{Site, problem};
use crate::support::{Holder, assertion, request, statement, world};
use http::{Method, header};
use serde_json::{Value, json};
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token;
use udap_server::Role;
use udap_trust::clock;

/// Every operation of the OpenAPI document: method, path with something in its place.
fn operations(document: &str) -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(udap_server::openapi(document).unwrap()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if let "get" | "post" | "put" | "delete" = method.as_str() {
                let method = method.to_uppercase().parse().unwrap();
                let path = path.replace("{client_id}", "x").replace("/r4", "/fhir");
                found.push((method, path));
            }
        }
    }
    found
}

#[tokio::test]
async fn nothing_is_answered_without_a_token_that_counts() {
    let site = Site::new().await;
    let session = site.logged_in("ada").await;
    let revoked = site.token(Role::Operator).await;
    let listed = site.local.list_tokens().await.unwrap();
    let id = listed["tokens"][0]["id"].as_str().unwrap();
    site.local.revoke_token(id).await.unwrap();
    assert_eq!(
        site.local.revoke_token(id).await.unwrap_err().code(),
        "operator-token-unknown"
    );
    let all = operations("admin");
    assert!(all.len() >= 12, "{all:?}");
    for (method, path) in all {
        let send = async |headers: &[(&str, &str)]| {
            problem(
                &site
                    .send(request(method.clone(), &path, headers, "{}"))
                    .await,
            )
        };
        let bearer = format!("Bearer {revoked}");
        assert_eq!(send(&[]).await, "401 admin-token-missing", "{path}");
        // A person's session is none, whoever makes the browser send it.
        assert_eq!(
            send(&[("cookie", &session)]).await,
            "401 admin-token-missing"
        );
        assert_eq!(
            send(&[("authorization", "Basic eDp5")]).await,
            "401 admin-token-missing"
        );
        for wrong in ["Bearer x", "Bearer ", &bearer] {
            let got = send(&[("authorization", wrong)]).await;
            assert_eq!(got, "401 admin-token-invalid", "{path} {wrong}");
        }
        let twice = [
            ("authorization", bearer.as_str()),
            ("authorization", "Bearer y"),
        ];
        assert_eq!(send(&twice).await, "401 admin-token-missing", "{path}");
    }
}

#[tokio::test]
async fn a_token_that_has_expired_does_not_count() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer).await;
    assert_eq!(site.get("/api/v1/summary", &token).await.status, 200);
    let mut db = site.holder.database().await;
    sqlx::query("UPDATE operator_token SET expires = $1")
        .bind(clock::now().0)
        .execute(&mut db)
        .await
        .unwrap();
    let late = site.get("/api/v1/summary", &token).await;
    assert_eq!(problem(&late), "401 admin-token-invalid");
    let far = site.local.create_token("robot", Role::Viewer, 367).await;
    assert_eq!(far.unwrap_err().code(), "operator-token-lifetime");
    let name = site.local.create_token("a b", Role::Viewer, 1).await;
    assert_eq!(name.unwrap_err().code(), "operator-name-invalid");
}

#[tokio::test]
async fn a_suspended_app_is_out_at_once_and_in_again_when_restored() {
    let site = Site::new().await;
    let holder = &site.holder;
    let app = world().a.app("https://suspended.admin.example");
    let id = holder.registered(&app).await;
    let reply = holder.token(&assertion(&app, &id).sign()).await;
    let issued = reply.text("access_token");
    let keys = holder.server.keys();
    let base = crate::support::BASE;
    let issued = access_token::verify(&issued, &keys, base, base, clock::now()).unwrap();
    let state = async || holder.server.of(issued.client_id(), issued.jti()).await;
    assert_eq!(state().await, TokenState::Active);
    let token = site.token(Role::Operator).await;

    let suspended = site
        .act(&id, "suspend", &token, "asked by the vendor")
        .await;
    assert_eq!(suspended.status, 200, "{suspended}");
    assert_eq!(suspended.text("state"), "suspended");
    let ended = TokenState::Ended {
        code: "registration-suspended",
    };
    assert_eq!(state().await, ended);
    let refused = holder.token(&assertion(&app, &id).sign()).await;
    assert!(
        refused.refusal().ends_with(" registration-suspended"),
        "{refused}"
    );
    // It does not end its suspension by registering again, and is not suspended twice.
    let again = holder.register(&statement(&app).sign()).await;
    assert_eq!(again.status, 200, "{again}");
    assert_eq!(state().await, ended);
    let again = site.act(&id, "suspend", &token, "again").await;
    assert_eq!(problem(&again), "409 app-state");

    let restored = site.act(&id, "restore", &token, "it was a mistake").await;
    assert_eq!(restored.text("state"), "active", "{restored}");
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    // What was issued before stays dead.
    assert_eq!(state().await, ended);
    let again = site.act(&id, "restore", &token, "again").await;
    assert_eq!(problem(&again), "409 app-state");

    for (event, reason) in [
        ("registration-suspended", "asked by the vendor"),
        ("registration-restored", "it was a mistake"),
    ] {
        let entries = site.audited(event).await;
        let [entry] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!(
            entry["data"],
            json!({ "by": "token robot", "reason": reason })
        );
        assert_eq!(entry["client_id"], id.as_str());
        assert_eq!(entry["remote"], "127.0.0.1");
    }
}

#[tokio::test]
async fn a_cancelled_registration_is_over() {
    let site = Site::new().await;
    let app = world().a.app("https://cancelled.admin.example");
    let id = site.holder.registered(&app).await;
    let token = site.token(Role::Operator).await;
    site.act(&id, "suspend", &token, "first").await;
    let cancelled = site.act(&id, "cancel", &token, "then").await;
    assert_eq!(cancelled.text("state"), "cancelled", "{cancelled}");
    for word in ["suspend", "restore", "cancel"] {
        let refused = site.act(&id, word, &token, "more").await;
        assert_eq!(problem(&refused), "409 app-state", "{word}");
    }
    // The app begins anew, under another name.
    let again = site.holder.register(&statement(&app).sign()).await;
    assert_eq!(again.status, 201, "{again}");
    assert_ne!(again.text("client_id"), id);
}

#[tokio::test]
async fn a_restored_app_rests_while_it_lacks_what_its_community_requires() {
    let site = Site::new().await;
    let app = world().a.app("https://lacking.admin.example");
    let id = site.holder.registered(&app).await;
    let token = site.token(Role::Operator).await;
    site.act(&id, "suspend", &token, "why").await;
    let holder = site.holder.clone();
    drop(site);
    // From now on something is required that it never had.
    let holder = Holder::restarted_with(holder, |config| {
        for community in &mut config.communities {
            community.certifications.supported = vec!["https://audit.example".to_owned()];
            community.certifications.required = vec!["https://audit.example".to_owned()];
        }
    })
    .await;
    let find = |_: &str| None;
    let admin = udap_server::Admin::new(&holder.server, &holder.config, find);
    let local = udap_server::LocalAdmin::open((*holder.config).clone(), "x".to_owned());
    let site = Site {
        local: local.await.unwrap(),
        holder,
        admin,
    };
    let restored = site.act(&id, "restore", &token, "why not").await;
    assert_eq!(restored.text("state"), "lapsed", "{restored}");
}

#[tokio::test]
async fn a_viewer_changes_nothing_and_a_reason_is_needed() {
    let site = Site::new().await;
    let app = world().a.app("https://viewed.admin.example");
    let id = site.holder.registered(&app).await;
    let viewer = site.token(Role::Viewer).await;
    for word in ["suspend", "restore", "cancel"] {
        let refused = site.act(&id, word, &viewer, "why").await;
        assert_eq!(problem(&refused), "403 admin-role");
    }
    assert_eq!(site.get("/api/v1/apps", &viewer).await.status, 200);
    let token = site.token(Role::Operator).await;
    for reason in ["", "   ", &"x".repeat(501), "a\0b"] {
        let refused = site.act(&id, "suspend", &token, reason).await;
        assert_eq!(problem(&refused), "400 reason-missing");
    }
    for body in [
        json!({}),
        json!([]),
        json!({"reason": "x", "more": 1}),
        Value::Null,
    ] {
        let path = format!("/api/v1/apps/{id}/suspend");
        let refused = site.api(Method::POST, &path, &token, &body).await;
        assert_eq!(problem(&refused), "400 admin-body", "{body}");
    }
    let path = format!("/api/v1/apps/{id}/suspend");
    let huge = json!({ "reason": "x".repeat(70_000) });
    let refused = site.api(Method::POST, &path, &token, &huge).await;
    assert_eq!(problem(&refused), "400 admin-body");
    let unknown = site.act("nobody", "suspend", &token, "why").await;
    assert_eq!(problem(&unknown), "404 app-unknown");
    let state = site.get(&format!("/api/v1/apps/{id}"), &token).await;
    assert_eq!(state.text("state"), "active");
}

#[tokio::test]
async fn apps_are_listed_page_by_page_and_filtered() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer).await;
    let mut ids = Vec::new();
    for name in ["one", "two_x", "three"] {
        let app = world().a.app(&format!("https://{name}.list.admin.example"));
        ids.push(site.holder.registered(&app).await);
    }
    let first = site.get("/api/v1/apps?limit=2", &token).await.json();
    let next = first["next"].as_str().unwrap();
    let second = site
        .get(&format!("/api/v1/apps?limit=2&after={next}"), &token)
        .await;
    let second = second.json();
    assert_eq!(second["next"], Value::Null);
    let mut listed: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["apps"].as_array().unwrap())
        .map(|app| app["client_id"].as_str().unwrap())
        .collect();
    listed.sort_unstable();
    ids.sort_unstable();
    assert_eq!(listed, ids);
    let count = async |query: &str| {
        let found = site.get(&format!("/api/v1/apps?{query}"), &token).await;
        found.json()["apps"].as_array().unwrap().len()
    };
    assert_eq!(count("q=TWO_X.LIST").await, 1);
    // What is searched for is no pattern.
    assert_eq!(count("q=t%25x.list").await, 0);
    assert_eq!(count("q=two_").await, 1);
    assert_eq!(count("q=one_list").await, 0);
    assert_eq!(count("state=active").await, 3);
    assert_eq!(count("state=suspended").await, 0);
    assert_eq!(count("community=urn:other").await, 0);
    for wrong in [
        "state=gone",
        "limit=0",
        "limit=501",
        "limit=x",
        "after=x",
        "colour=blue",
        "q=a%00b",
        "q=a&q=b",
    ] {
        let refused = site.get(&format!("/api/v1/apps?{wrong}"), &token).await;
        assert_eq!(problem(&refused), "400 admin-parameter", "{wrong}");
    }
}

#[tokio::test]
async fn one_app_tells_who_vouches_for_it_what_it_claims_and_when_it_was_used() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer).await;
    let app = world().a.app("https://detail.admin.example");
    let id = site.holder.registered(&app).await;
    let path = format!("/api/v1/apps/{id}");
    let before = site.get(&path, &token).await.json();
    assert_eq!(before["last_token"], Value::Null);
    assert_eq!(before["community"], world().a.uri.as_str());
    assert_eq!(before["uri"], "https://detail.admin.example");
    assert_eq!(before["claimed_name"], before["claimed"]["client_name"]);
    assert_eq!(
        before["certificate"]["uris"],
        json!(["https://detail.admin.example"])
    );
    assert_eq!(before["certificate"]["serial"], app.leaf().serial_hex());
    assert!(before["certificate"]["days_left"].is_i64());
    site.holder.token(&assertion(&app, &id).sign()).await;
    let after = site.get(&path, &token).await;
    assert!(after.json()["last_token"].is_string(), "{after}");
    assert_eq!(
        problem(&site.get("/api/v1/apps/nobody", &token).await),
        "404 app-unknown"
    );
}

#[tokio::test]
async fn refusals_tell_the_reason_and_both_values() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer).await;
    let app = world().a.app("https://refused.admin.example");
    let wrong = statement(&app).claim("aud", "https://elsewhere.example/register");
    let refused = site.holder.register(&wrong.sign()).await;
    assert!(refused.refusal().ends_with(" aud-mismatch"), "{refused}");
    let found = site.get("/api/v1/refusals?code=aud-mismatch", &token).await;
    let found = found.json();
    let row = &found["refusals"][0];
    assert_eq!(row["event"], "registration-refused");
    assert!(
        row["found"]
            .as_str()
            .unwrap()
            .contains("https://elsewhere.example/register")
    );
    assert!(
        row["expected"]
            .as_str()
            .unwrap()
            .contains(crate::support::REGISTER)
    );
    assert!(!row["hint"].as_str().unwrap().is_empty());
    let summary = site.get("/api/v1/summary", &token).await.json();
    assert_eq!(summary["refusals"][0]["code"], "aud-mismatch");
    assert_eq!(summary["refusals"][0]["count"], 1);
    for wrong in ["since=yesterday", "before=x", "what=ever"] {
        let refused = site.get(&format!("/api/v1/refusals?{wrong}"), &token).await;
        assert_eq!(problem(&refused), "400 admin-parameter", "{wrong}");
    }
}

#[tokio::test]
async fn communities_and_certificates_are_as_the_server_trusts_them_now() {
    let site = Site::new().await;
    let token = site.token(Role::Viewer).await;
    // Somebody comes, so that a CRL is in use.
    site.holder
        .registered(&world().a.app("https://crl.admin.example"))
        .await;
    let found = site.get("/api/v1/communities", &token).await.json();
    let communities = found["communities"].as_array().unwrap();
    assert_eq!(communities.len(), 2);
    assert_eq!(communities[0]["uri"], world().a.uri.as_str());
    assert_eq!(
        communities[0]["identities"][0]["uris"],
        json!([crate::support::BASE])
    );
    let anchor = world().a.root.certificate.sha256();
    let anchor: String = anchor.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(communities[0]["anchors"][0]["sha256"], anchor);
    let data = communities[0]["revocation_data"].as_array().unwrap();
    assert!(
        !data.is_empty() && data.iter().all(|one| one["fresh"] == true),
        "{data:?}"
    );
    assert_eq!(communities[1]["revocation_data"], json!([]));

    let found = site.get("/api/v1/certificates", &token).await.json();
    let certificates = found["certificates"].as_array().unwrap();
    let ends: Vec<&str> = certificates
        .iter()
        .map(|one| one["not_after"].as_str().unwrap())
        .collect();
    assert!(ends.is_sorted(), "{ends:?}");
    for used_for in ["identity", "anchor"] {
        let count = certificates
            .iter()
            .filter(|one| one["used_for"] == used_for)
            .count();
        assert_eq!(count, 2, "{used_for}");
    }
}

#[tokio::test]
async fn the_public_port_knows_nothing_of_it() {
    let site = Site::new().await;
    let token = site.token(Role::Operator).await;
    let bearer = format!("Bearer {token}");
    for (method, path) in operations("admin").into_iter().chain([
        (Method::GET, "/login".to_owned()),
        (Method::GET, "/apps".to_owned()),
        (Method::GET, "/style.css".to_owned()),
    ]) {
        for base in ["", "/fhir"] {
            let path = format!("{base}{path}");
            let headers = [("authorization", bearer.as_str())];
            let reply = site
                .holder
                .send(request(method.clone(), &path, &headers, "{}"))
                .await;
            assert_eq!(reply.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn every_route_is_in_the_document_and_no_other() {
    let site = Site::new().await;
    let token = site.token(Role::Operator).await;
    // As many as the router has, each of which the router knows: so they are the same.
    let router = include_str!("../../../src/admin/router.rs");
    assert_eq!(
        router.matches("\"/api/v1/").count(),
        operations("admin").len()
    );
    for (method, path) in operations("admin") {
        let reply = site.api(method, &path, &token, &Value::Null).await;
        let known = reply.status != 404 || reply.text("code") == "app-unknown";
        assert!(known && reply.status != 405, "{path}: {reply}");
    }
    let router = include_str!("../../../src/router.rs");
    let public: Vec<_> = operations("public")
        .into_iter()
        .filter(|(_, path)| path.contains("/oauth/") || path.contains("/.well-known/"))
        .collect();
    assert_eq!(
        router.matches(".route(").count(),
        public.len(),
        "{public:?}"
    );
    for (method, path) in public {
        let reply = site.holder.send(request(method, &path, &[], "")).await;
        assert!(
            reply.status != 404 && reply.status != 405,
            "{path}: {reply}"
        );
    }
    let served = site.get("/api/v1/openapi.json", &token).await;
    let document: Value = serde_json::from_str(udap_server::openapi("admin").unwrap()).unwrap();
    assert_eq!(served.json(), document);
    // With this server's own addresses.
    let served = site.get("/api/v1/openapi-public.json", &token).await.json();
    assert_eq!(served["servers"][0]["url"], "https://holder.example");
    assert!(served["paths"]["/fhir/oauth/token"].is_object(), "{served}");
    assert!(!served.to_string().contains("/r4"));
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_a_reason() {
    let site = Site::new().await;
    let reply = site.get("/api/v1/nothing", "x").await;
    assert_eq!(problem(&reply), "404 admin-not-found");
    let reply = site
        .api(Method::DELETE, "/api/v1/apps", "x", &Value::Null)
        .await;
    assert_eq!(problem(&reply), "405 admin-method");
    assert_eq!(reply.header(header::CACHE_CONTROL), "no-store");
    // What is not percent-encoded ends the path: here `/api/v1/apps/a` is what was asked for.
    let reply = site
        .api(Method::POST, "/api/v1/apps/a?b/suspend", "x", &Value::Null)
        .await;
    assert_eq!(problem(&reply), "405 admin-method");
}
