//! What people see.

use super::{Site, problem, text};
use crate::support::{BASE, DAY, Holder, rsa, statement, world};
use http::{StatusCode, header};
use udap_pki::issue::Profile;
use udap_server::Role;

/// With what would run, and what turns the text after it around.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{2066}";

#[tokio::test]
async fn every_page_is_kept_to_itself_and_runs_nothing() {
    let site = Site::new().await;
    let id = site
        .holder
        .registered(&world().a.app("https://pages.admin.example"))
        .await;
    let cookie = site.logged_in("ada").await;
    for path in [
        "/",
        "/apps",
        "/apps?state=active",
        "/communities",
        "/certificates",
        "/refusals",
        "/audit",
        "/explain/aud-mismatch",
        "/login",
        "/style.css",
        "/nothing",
        "/explain/nothing",
        "/apps/nobody",
        &format!("/apps/{id}"),
        &format!("/apps/{id}/suspend"),
        &format!("/apps/{id}/cancel"),
    ] {
        let reply = site.page(path, &cookie).await;
        let wanted = match path.contains("nothing") || path.contains("nobody") {
            true => StatusCode::NOT_FOUND,
            false => StatusCode::OK,
        };
        assert_eq!(reply.status, wanted, "{path}");
        assert_eq!(
            reply.header(header::CONTENT_SECURITY_POLICY),
            "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
        assert_eq!(reply.header(header::CACHE_CONTROL), "no-store", "{path}");
        assert_eq!(reply.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let page = text(&reply);
        if path != "/style.css" {
            assert!(
                page.starts_with("<!doctype html>\n<html lang=\"en\">"),
                "{path}"
            );
            for banned in [
                "<script",
                "<style",
                " style=",
                " onclick",
                "javascript:",
                "<img",
                "http-equiv",
            ] {
                assert!(!page.contains(banned), "{path} has {banned}");
            }
            assert_eq!(page.matches("<h1").count(), 1, "{path}");
            assert_eq!(page.matches("<main").count(), 1, "{path}");
        }
    }
}

/// An address that is no text, or says one thing twice, is refused like any other: by a page that is kept to
/// itself, or as a problem, and with a code.
#[tokio::test]
async fn what_cannot_be_read_of_an_address_is_refused_with_a_code() {
    let site = Site::new().await;
    let id = site
        .holder
        .registered(&world().a.app("https://unread.admin.example"))
        .await;
    let cookie = site.logged_in("ada").await;
    let csrf = site.csrf(&cookie).await;
    let form = [("csrf", csrf.as_str()), ("reason", "why")];
    let page = async |path: &str| site.page(path, &cookie).await;
    let twice = format!("/apps/{id}?done=suspended&done=restored");
    for (reply, expected, code) in [
        (page("/apps/%FF").await, 404, "admin-not-found"),
        (page("/apps/%FF/suspend").await, 404, "admin-not-found"),
        (page("/apps/x/%FF").await, 404, "admin-not-found"),
        (page("/explain/%FF").await, 404, "admin-not-found"),
        (
            site.post_form("/apps/%FF/suspend", &cookie, &form).await,
            404,
            "admin-not-found",
        ),
        (page(&twice).await, 400, "admin-parameter"),
        (page("/apps?state=a&state=b").await, 400, "admin-parameter"),
    ] {
        assert_eq!(reply.status, expected, "{reply}");
        assert!(text(&reply).contains(code), "{reply}");
        assert_eq!(
            reply.header(header::CONTENT_TYPE),
            "text/html; charset=utf-8"
        );
        assert_eq!(reply.header(header::CACHE_CONTROL), "no-store");
        let policy = reply.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert_eq!(reply.header(header::X_FRAME_OPTIONS), "DENY");
    }
    let token = site.token(Role::Operator).await;
    for reply in [
        site.get("/api/v1/apps/%FF", &token).await,
        site.act("%FF", "suspend", &token, "why").await,
        site.act("%FF", "restore", &token, "why").await,
        site.act("%FF", "cancel", &token, "why").await,
    ] {
        assert_eq!(problem(&reply), "404 admin-not-found");
        assert_eq!(reply.header(header::CACHE_CONTROL), "no-store");
    }
    // Who is not let in is told nothing of it.
    assert_eq!(site.page("/apps/%FF", "").await.status, 303);
    let refused = site.get("/api/v1/apps/%FF", "x").await;
    assert_eq!(problem(&refused), "401 admin-token-invalid");
}

#[tokio::test]
async fn what_an_app_says_of_itself_is_text_and_never_called_verified() {
    let site = Site::new().await;
    let app = world().a.app("https://hostile.admin.example");
    let named = statement(&app).claim("client_name", HOSTILE);
    let reply = site.holder.register(&named.sign()).await;
    assert_eq!(reply.status, 201, "{reply}");
    let id = reply.text("client_id");
    let cookie = site.logged_in("ada").await;
    for path in [
        "/apps".to_owned(),
        format!("/apps/{id}"),
        format!("/apps/{id}/suspend"),
    ] {
        let page = text(&site.page(&path, &cookie).await);
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{path}"
        );
        assert!(!page.contains(['\u{202e}', '\u{2066}']), "{path}");
    }
    let page = text(&site.page(&format!("/apps/{id}"), &cookie).await);
    let (verified, claimed) = page.split_once("What the app says of itself").unwrap();
    assert!(
        !verified.contains("alert(1)"),
        "a claim stands among what is verified"
    );
    assert!(claimed.contains("Nobody has verified this") && claimed.contains("alert(1)"));
    assert!(claimed.contains("\u{fffd}\u{fffd}"), "{claimed}");
    let list = text(&site.page("/apps", &cookie).await);
    assert!(
        list.contains("calls itself “<bdi>&#60;script&#62;"),
        "{list}"
    );
    // A search for it is shown in the form, as text too.
    let query = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    for path in [
        format!("/apps?q={query}"),
        format!("/audit?event={query}"),
        format!("/refusals?code={query}"),
    ] {
        let page = text(&site.page(&path, &cookie).await);
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_operator_suspends_and_restores_by_forms() {
    let site = Site::new().await;
    let id = site
        .holder
        .registered(&world().a.app("https://forms.admin.example"))
        .await;
    let cookie = site.logged_in("ada").await;
    let csrf = site.csrf(&cookie).await;
    let path = format!("/apps/{id}/suspend");
    let asked = text(&site.page(&path, &cookie).await);
    assert!(asked.contains("<label for=\"reason\">"), "{asked}");
    let again = site
        .post_form(&path, &cookie, &[("csrf", &csrf), ("reason", " ")])
        .await;
    assert_eq!(again.status, 400);
    assert!(text(&again).contains("a reason is needed"));
    let done = site
        .post_form(&path, &cookie, &[("csrf", &csrf), ("reason", "it leaks")])
        .await;
    assert_eq!(done.status, 303);
    let to = done.header(header::LOCATION).to_owned();
    let page = text(&site.page(&to, &cookie).await);
    assert!(
        page.contains("Done: the registration is suspended"),
        "{page}"
    );
    assert!(page.contains("/restore\"") && !page.contains("/suspend\""));
    // What stands in the address is not repeated.
    let other = text(&site.page(&format!("/apps/{id}?done=hacked"), &cookie).await);
    assert!(!other.contains("hacked"));
    let entry = &site.audited("registration-suspended").await[0];
    assert_eq!(entry["data"]["by"], "ada");
    assert_eq!(entry["data"]["reason"], "it leaks");
    let restored = site
        .post_form(
            &format!("/apps/{id}/restore"),
            &cookie,
            &[("csrf", &csrf), ("reason", "fixed")],
        )
        .await;
    assert_eq!(restored.status, 303);

    // A viewer has no button, and no way around it.
    let cookie = site.logged_in("vera").await;
    let csrf = site.csrf(&cookie).await;
    let page = text(&site.page(&format!("/apps/{id}"), &cookie).await);
    assert!(!page.contains("/suspend\""), "{page}");
    assert_eq!(site.page(&path, &cookie).await.status, 403);
    let refused = site
        .post_form(&path, &cookie, &[("csrf", &csrf), ("reason", "x")])
        .await;
    assert_eq!(refused.status, 403);
    assert!(text(&refused).contains("admin-role"));
    assert_eq!(site.audited("registration-suspended").await.len(), 1);
}

#[tokio::test]
async fn what_needs_attention_comes_first() {
    // Its certificate in one of the communities ends within days.
    let directory = tempfile::tempdir().unwrap();
    let soon = directory.path().join("soon.pem");
    let member = world().a.member(&[BASE]).profile(Profile::DataHolder);
    let identity = member.key(&rsa(0).0).valid(-DAY, 5 * DAY).issue();
    let chain: String = identity.chain.iter().map(|c| c.to_pem()).collect();
    std::fs::write(&soon, chain).unwrap();
    let named = format!("\"{}\"", soon.display());
    let site = Site::of(Holder::edited(|text| text.replace("\"a.cert.pem\"", &named)).await).await;
    let cookie = site.logged_in("ada").await;
    let page = text(&site.page("/", &cookie).await);
    let attention = page.find("Needs attention").unwrap();
    assert!(attention < page.find(">Apps</h2>").unwrap());
    assert!(page.contains("Nobody was refused."));
    let told = format!("The identity certificate in {} expires in ", world().a.uri);
    assert!(page.contains(&told), "{page}");
    let wrong =
        statement(&world().a.app("https://dash.admin.example")).claim("aud", "https://x.example");
    site.holder.register(&wrong.sign()).await;
    let page = text(&site.page("/", &cookie).await);
    assert!(page.contains("/explain/aud-mismatch"));
    assert!(page.contains("What had to come"));
}
