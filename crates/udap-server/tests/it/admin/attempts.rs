//! What is tried by those who may not is written down, and nothing that cannot be written hides the rest.

use super::{PASSWORD, Site, problem};
use crate::support::request;
use http::Method;
use udap_server::Role;

#[tokio::test]
async fn who_tries_what_they_may_not_is_in_the_audit_trail() {
    let site = Site::new().await;
    let viewer = site.token(Role::Viewer).await;
    let session = site.logged_in("vera").await;
    let csrf = site.csrf(&session).await;

    let refused = site.get("/api/v1/apps", "udap_admin_guessed").await;
    assert_eq!(problem(&refused), "401 admin-token-invalid");
    let refused = site.act("x", "suspend", &viewer, "why not").await;
    assert_eq!(problem(&refused), "403 admin-role");
    let form = [("csrf", csrf.as_str()), ("reason", "why not")];
    assert_eq!(
        site.post_form("/apps/x/suspend", &session, &form)
            .await
            .status,
        403
    );
    let forged = [("csrf", "of another session"), ("reason", "why not")];
    assert_eq!(
        site.post_form("/apps/x/cancel", &session, &forged)
            .await
            .status,
        403
    );
    let elsewhere = [("origin", "https://evil.example"), ("cookie", &session)];
    let elsewhere = request(Method::POST, "/logout", &elsewhere, "");
    assert_eq!(site.send(elsewhere).await.status, 403);
    // Who merely has to log in, or came to the wrong door, tried nothing.
    assert_eq!(site.page("/audit", "").await.status, 303);
    assert_eq!(site.page("/nowhere", &session).await.status, 404);

    let told: Vec<String> = site
        .audited("operator-refused")
        .await
        .iter()
        .rev()
        .map(|entry| {
            assert_eq!(entry["remote"], "127.0.0.1", "{entry}");
            format!("{} {}", entry["code"], entry["detail"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "admin-token-invalid the token is not known, has expired or was revoked",
            "admin-role this needs the role `operator`, and token robot has `viewer`",
            "admin-role this needs the role `operator`, and vera has `viewer`",
            "admin-request-forged the request did not come from a page of this server: the form is of no \
             session or of another one",
            "admin-request-forged the request did not come from a page of this server: its origin is another one",
        ]
    );
}

/// How many were written one by one, and how many counted; with which codes.
async fn trail(site: &Site) -> (usize, u64) {
    site.holder.server.audit().finish().await.unwrap();
    let counted = site.audited("refusals-counted").await;
    // Two, if a minute ended in between.
    assert!((1..=2).contains(&counted.len()), "{counted:?}");
    let counted = counted.iter().map(|entry| {
        assert_eq!(entry["remote"], "127.0.0.1", "{entry}");
        entry["data"]["count"].as_u64().unwrap()
    });
    (
        site.audited("operator-refused").await.len(),
        counted.sum::<u64>(),
    )
}

#[tokio::test]
async fn a_script_that_goes_on_trying_does_not_fill_the_disk() {
    let site = Site::new().await;
    for _ in 0..400 {
        let refused = site.get("/api/v1/apps", "udap_admin_guessed").await;
        assert_eq!(problem(&refused), "401 admin-token-invalid");
    }
    let (written, counted) = trail(&site).await;
    // Some more where a minute ended meanwhile.
    assert!((300..400).contains(&written), "{written}");
    assert_eq!(written as u64 + counted, 400);
}

/// Nor does one that guesses passwords, and it costs no look into the database once it is heard no more.
#[tokio::test]
async fn a_script_that_goes_on_logging_in_does_not_fill_the_disk() {
    let site = Site::new().await;
    let mut too_often = 0;
    for _ in 0..399 {
        let refused = site.log_in("ada", "wrong horse battery").await;
        too_often += usize::from(refused.status == 429);
    }
    assert!((360..390).contains(&too_often), "{too_often}");
    // Without the table nobody could be looked up.
    let mut db = site.holder.database().await;
    let hide = "ALTER TABLE operator_account RENAME TO hidden";
    sqlx::query(hide).execute(&mut db).await.unwrap();
    let refused = site.log_in("ada", "wrong horse battery").await;
    assert_eq!(refused.status, 429, "{refused}");
    let (written, counted) = trail(&site).await;
    assert!((300..400).contains(&written), "{written}");
    assert_eq!(written as u64 + counted, 400);
}

/// A full disk is when people look.
#[tokio::test]
async fn pages_are_shown_while_the_audit_trail_cannot_be_written() {
    let site = Site::new().await;
    let session = site.logged_in("ada").await;
    let token = site.token(Role::Viewer).await;
    site.holder.server.audit().flush().await.unwrap();
    let mut db = site.holder.database().await;
    for sql in [
        "DELETE FROM audit",
        "CREATE UNIQUE INDEX takes_none_twice ON audit (event)",
    ] {
        sqlx::query(sql).execute(&mut db).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(
            site.log_in("ada", &format!("not {PASSWORD}")).await.status,
            401
        );
    }
    assert!(site.holder.server.audit().flush().await.is_err());

    let overview = site.page("/", &session).await;
    assert_eq!(overview.status, 200, "{overview}");
    let text = String::from_utf8_lossy(&overview.body).into_owned();
    assert!(text.contains("The audit trail cannot be written"), "{text}");
    for path in [
        "/apps",
        "/audit",
        "/refusals",
        "/communities",
        "/certificates",
    ] {
        assert_eq!(site.page(path, &session).await.status, 200, "{path}");
    }
    for path in ["summary", "apps", "audit", "refusals"] {
        let path = format!("/api/v1/{path}");
        assert_eq!(site.get(&path, &token).await.status, 200, "{path}");
    }

    sqlx::query("DROP INDEX takes_none_twice")
        .execute(&mut db)
        .await
        .unwrap();
    site.holder.server.audit().flush().await.unwrap();
    assert_eq!(
        site.audited("operator-refused").await.len(),
        2,
        "kept, and written later"
    );
}
