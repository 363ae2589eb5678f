//! A partner tells the name of a request that was refused, and the operator finds why.

use super::{Site, text};
use crate::support::{assertion, encoded, form, request, statement, world};
use http::Method;
use udap_server::Role;

#[tokio::test]
async fn a_request_is_found_by_the_name_that_its_answer_tells() {
    let site = Site::new().await;
    let holder = &site.holder;
    let app = world().a.app("https://app.requests.example");
    let registered = holder.register(&statement(&app).sign()).await;
    let client_id = registered.text("client_id");
    let granted = holder.token(&assertion(&app, &client_id).sign()).await;
    assert_eq!(
        (registered.status, granted.status),
        (201.try_into().unwrap(), 200.try_into().unwrap())
    );
    let told = |reply: &crate::support::Reply| reply.header("x-request-id").to_owned();
    let mut requests = vec![
        ("registration-created", told(&registered)),
        ("token-issued", told(&granted)),
    ];
    // Refused, each under the name that the client gave and under one of ours.
    let body = encoded(&form("no JWT"));
    for (path, event) in [
        ("register", "registration-refused"),
        ("token", "token-refused"),
        ("introspect", "introspection-refused"),
        ("revoke", "revocation-refused"),
    ] {
        let target = format!("/fhir/oauth/{path}");
        let name = format!("partner-{path}");
        for given in [Some(name.as_str()), None] {
            let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
            headers.extend(given.map(|name| ("x-request-id", name)));
            let reply = holder
                .send(request(Method::POST, &target, &headers, body.clone()))
                .await;
            assert!(reply.status.is_client_error(), "{reply}");
            let told = told(&reply);
            assert!(given.is_none_or(|given| given == told), "{told}");
            requests.push((event, told));
        }
    }

    holder.server.audit().flush().await.unwrap();
    for (event, id) in &requests {
        let found = site.local.get("audit", &[("request_id", id.clone())]).await;
        let found = found.unwrap();
        let entries = found["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 1, "{found}");
        assert_eq!(
            (&entries[0]["event"], &entries[0]["request_id"]),
            (&(*event).into(), &id.clone().into())
        );
    }
    let token = site.token(Role::Viewer).await;
    let refusals = site
        .get("/api/v1/refusals?request_id=partner-token", &token)
        .await
        .json();
    assert_eq!(refusals["refusals"].as_array().unwrap().len(), 1);
    assert_eq!(refusals["refusals"][0]["request_id"], "partner-token");
    let cookie = site.logged_in("vera").await;
    let page = text(&site.page("/audit?request_id=partner-revoke", &cookie).await);
    assert_eq!(page.matches("request partner-").count(), 1, "{page}");
    let page = text(&site.page("/refusals", &cookie).await);
    assert!(
        page.contains("/audit?request_id=partner%2Dtoken")
            || page.contains("/audit?request_id=partner-token"),
        "{page}"
    );
}
