//! Sessions of people.

use super::{PASSWORD, Site, text};
use crate::support::{encoded, request, until_too_often, world};
use axum::body::Body;
use http::{Method, Request, header};
use udap_host::db::sqlx;
use udap_host::listen::Peer;
use udap_server::Role;
use udap_trust::clock;

#[tokio::test]
async fn only_the_right_password_lets_somebody_in_and_names_are_not_told() {
    let site = Site::new().await;
    let wrong = site.log_in("ada", "wrong horse battery staple").await;
    let unknown = site.log_in("nobody", PASSWORD).await;
    assert_eq!(
        (wrong.status, unknown.status),
        (401.try_into().unwrap(), 401.try_into().unwrap())
    );
    let told = |reply| text(reply).replace("nobody", "").replace("ada", "");
    assert_eq!(told(&wrong), told(&unknown));
    assert_eq!(wrong.header(header::SET_COOKIE), "");
    let cookie = site.logged_in("ada").await;
    assert_eq!(site.page("/", &cookie).await.status, 200);
    let refused = site.audited("operator-refused").await;
    assert_eq!(refused.len(), 2);
    assert!(
        refused.iter().all(|entry| entry["code"] == "login-failed"),
        "{refused:?}"
    );
    // A password in the wrong field is not kept.
    let told: Vec<_> = refused
        .iter()
        .map(|entry| entry["detail"].as_str().unwrap())
        .collect();
    assert!(
        told.iter().any(|told| told.starts_with("ada: ")),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|told| told.contains("nobody`")),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|told| told.starts_with("a name that nobody has: ")),
        "{told:?}"
    );
    let logged_in = site.audited("operator-logged-in").await;
    assert_eq!(logged_in[0]["data"]["by"], "ada");
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_login() {
    let site = Site::new().await;
    for path in [
        "/",
        "/apps",
        "/apps/x",
        "/apps/x/suspend",
        "/communities",
        "/certificates",
        "/refusals",
        "/audit",
        "/explain/aud-mismatch",
    ] {
        for cookie in ["", "__Host-udap-admin=", "__Host-udap-admin=x"] {
            let reply = site.page(path, cookie).await;
            assert_eq!(reply.status, 303, "{path}");
            assert_eq!(reply.header(header::LOCATION), "/login");
        }
    }
    // What changes something as well.
    for path in ["/apps/x/suspend", "/logout"] {
        let reply = site
            .post_form(path, "", &[("csrf", "x"), ("reason", "x")])
            .await;
        assert_eq!(reply.header(header::LOCATION), "/login", "{path}");
    }
}

#[tokio::test]
async fn a_session_ends_by_logging_out_by_time_and_with_its_password() {
    let site = Site::new().await;
    let (one, two) = (site.logged_in("ada").await, site.logged_in("ada").await);
    let csrf = site.csrf(&one).await;
    let out = site.post_form("/logout", &one, &[("csrf", &csrf)]).await;
    assert_eq!(out.header(header::LOCATION), "/login");
    assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert_eq!(site.page("/", &one).await.status, 303);
    assert_eq!(site.page("/", &two).await.status, 200);

    // Another password ends them all, and the old one counts no more.
    let other = "another horse entirely";
    site.local.set_password("ada", other).await.unwrap();
    assert_eq!(site.page("/", &two).await.status, 303);
    assert_eq!(site.log_in("ada", PASSWORD).await.status, 401);
    assert_eq!(site.log_in("ada", other).await.status, 303);

    // A removed operator is out at once.
    let vera = site.logged_in("vera").await;
    site.local.remove_operator("vera").await.unwrap();
    assert_eq!(site.page("/", &vera).await.status, 303);
    assert_eq!(site.log_in("vera", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn idle_and_old_sessions_are_over() {
    let site = Site::new().await;
    let cookie = site.logged_in("ada").await;
    let mut db = site.holder.database().await;
    let now = clock::now().0;
    let mut set = async |created: i64, seen: i64| {
        let sql = "UPDATE operator_session SET created = $1, seen = $2";
        sqlx::query(sql)
            .bind(created)
            .bind(seen)
            .execute(&mut db)
            .await
            .unwrap();
        site.page("/", &cookie).await.status.as_u16()
    };
    assert_eq!(set(now - 12 * 3600 + 60, now - 1700).await, 200);
    // Its use was written down.
    let seen: i64 = {
        let mut db = site.holder.database().await;
        sqlx::query_scalar("SELECT seen FROM operator_session")
            .fetch_one(&mut db)
            .await
            .unwrap()
    };
    assert!(seen >= now, "{seen}");
    assert_eq!(set(now, now - 1800).await, 303);
    assert_eq!(set(now - 12 * 3600, now).await, 303);
    assert_eq!(set(now, now).await, 200);
}

#[tokio::test]
async fn attempts_are_limited_by_address_and_by_name() {
    let site = Site::new().await;
    let attempt = async |name: &str, address: &str| {
        let mut request = request(
            Method::POST,
            "/login",
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("sec-fetch-site", "same-origin"),
            ],
            encoded(&[("name", name), ("password", "wrong horse battery")]),
        );
        let peer = format!("{address}:1").parse().unwrap();
        request.extensions_mut().insert(Peer(peer));
        site.send(request).await
    };
    let refused = until_too_often(401, (10, 15), async |at| {
        attempt(&format!("x{at}"), "192.0.2.1").await
    })
    .await;
    assert!(refused.header(header::RETRY_AFTER).parse::<u32>().unwrap() <= 60);
    // From elsewhere it works, until one name was tried too often.
    until_too_often(401, (30, 40), async |at| {
        attempt("vera", &format!("198.51.100.{at}")).await
    })
    .await;
    let refused = site.audited("operator-refused").await;
    assert_eq!(refused[0]["code"], "login-too-often");
    assert_eq!(site.log_in("ada", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn another_site_cannot_use_a_session() {
    let site = Site::new().await;
    let id = site
        .holder
        .registered(&world().a.app("https://csrf.admin.example"))
        .await;
    let cookie = site.logged_in("ada").await;
    let csrf = site.csrf(&cookie).await;
    let path = format!("/apps/{id}/suspend");
    let send = async |headers: &[(&str, &str)], csrf: &str| {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [&[kind, ("cookie", cookie.as_str())], headers].concat();
        let body = encoded(&[("csrf", csrf), ("reason", "why")]);
        let reply = site
            .send(request(Method::POST, &path, &headers, body))
            .await;
        (
            reply.status.as_u16(),
            text(&reply).contains("admin-request-forged"),
        )
    };
    let own = ("origin", "https://127.0.0.1:9443");
    for headers in [
        vec![],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![own, ("sec-fetch-site", "cross-site")],
        vec![own, ("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(send(&headers, &csrf).await, (403, true), "{headers:?}");
    }
    // From here, with the form of no session or of another one.
    let other = site.csrf(&site.logged_in("ada").await).await;
    for wrong in ["", "x", &other] {
        assert_eq!(send(&[own], wrong).await, (403, true));
    }
    // Logging somebody in as somebody else is no use of a session, and refused as well.
    let form = encoded(&[("name", "ada"), ("password", PASSWORD)]);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://evil.example"),
    ];
    let login = site
        .send(request(Method::POST, "/login", &headers, form))
        .await;
    assert_eq!(login.status, 403);
    assert_eq!(site.audited("registration-suspended").await.len(), 0);
    assert_eq!(send(&[own], &csrf).await, (303, false));
    assert_eq!(site.audited("registration-suspended").await.len(), 1);
}

/// With HTTP/2 there is no `Host` header, and the host stands in the URI.
#[tokio::test]
async fn the_host_of_http_2_is_a_host() {
    let site = Site::new().await;
    let form = encoded(&[("name", "ada"), ("password", PASSWORD)]);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("https://admin.example/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://admin.example")
        .body(Body::from(form))
        .unwrap();
    request
        .extensions_mut()
        .insert(Peer("127.0.0.1:1".parse().unwrap()));
    let mut router = site.admin.router();
    let reply = tower_service::Service::call(&mut router, request)
        .await
        .unwrap();
    assert_eq!(reply.status(), 303);
}

#[tokio::test]
async fn secrets_are_kept_as_hashes() {
    let site = Site::new().await;
    let token = site.token(Role::Operator).await;
    let cookie = site.logged_in("ada").await;
    let (_, session) = cookie.split_once('=').unwrap();
    site.page("/", &cookie).await;
    site.holder.server.audit().flush().await.unwrap();
    for (path, bytes) in site.holder.state() {
        for secret in [PASSWORD, token.as_str(), session] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", path.display());
        }
    }
}
