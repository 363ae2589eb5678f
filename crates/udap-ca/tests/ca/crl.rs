use axum::body::Body;
use http::{Request, StatusCode};
use udap_pki::Crl;
use udap_pki::issue::RevocationReason;

use crate::fixture::{DAY, Fixture, openssl};

#[tokio::test]
async fn both_lists_are_der_signed_and_current() {
    let fixture = Fixture::new().await;
    for (path, issuer) in [
        ("/crl/issuing.crl", fixture.ca.issuing_certificate()),
        ("/crl/root.crl", fixture.ca.root_certificate()),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/pkix-crl");
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=60, must-revalidate, no-transform"
        );
        let crl = Crl::from_der(&answer.body).unwrap();
        assert_eq!(crl.issuer(), issuer.subject());
        assert!(crl.this_update() < fixture.clock.now());
        assert_eq!(crl.next_update(), Some(fixture.clock.now().plus_secs(DAY)));
        let (file, issuer) = (
            fixture.file("list.crl", &answer.body),
            fixture.pem("issuer.pem", issuer),
        );
        if let Some((good, text)) = openssl(&[
            "crl", "-inform", "DER", "-in", &file, "-CAfile", &issuer, "-noout",
        ]) {
            assert!(good && text.contains("verify OK"), "{text}");
        }
    }
}

#[tokio::test]
async fn who_has_the_list_gets_304() {
    let fixture = Fixture::new().await;
    let first = fixture.get("/crl/issuing.crl").await;
    let ask = |name: &str, value: &str| {
        fixture.send(
            Request::get("/crl/issuing.crl")
                .header(name, value)
                .body(Body::empty())
                .unwrap(),
        )
    };
    let tag = first.header("etag");
    for tags in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = ask("if-none-match", &tags).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{tags}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), tag);
    }
    assert_eq!(
        ask("if-none-match", "\"other\"").await.status,
        StatusCode::OK
    );
    assert_eq!(
        ask("if-modified-since", first.header("last-modified"))
            .await
            .status,
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(
        ask("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")
            .await
            .status,
        StatusCode::OK
    );

    fixture.clock.advance(13 * 3600);
    fixture.ca.refresh().await.unwrap();
    assert_eq!(ask("if-none-match", tag).await.status, StatusCode::OK);
}

#[tokio::test]
async fn lists_are_made_anew_before_they_lapse() {
    let fixture = Fixture::new().await;
    let number = async |path| {
        fixture.ca.refresh().await.unwrap();
        Crl::from_der(&fixture.get(path).await.body)
            .unwrap()
            .number()
            .unwrap()
            .to_vec()
    };
    for path in ["/crl/issuing.crl", "/crl/root.crl"] {
        assert_eq!(number(path).await, [1]);
    }
    fixture.clock.advance(11 * 3600);
    assert_eq!(number("/crl/issuing.crl").await, [1]);
    fixture.clock.advance(2 * 3600);
    for path in ["/crl/issuing.crl", "/crl/root.crl"] {
        assert_eq!(number(path).await, [2]);
    }
    let crl = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
    assert_eq!(crl.next_update(), Some(fixture.clock.now().plus_secs(DAY)));

    // Long asleep: the list is made as soon as it wakes.
    fixture.clock.advance(10 * DAY);
    let asleep = fixture.get("/readyz").await;
    assert_eq!(asleep.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        &asleep.body[..],
        br#"{"ready":false,"checks":{"crl":"ca-crl-lapsed"}}"#
    );
    assert_eq!(fixture.get("/healthz").await.status, StatusCode::OK);
    let answer = fixture.get("/crl/issuing.crl").await;
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(number("/crl/issuing.crl").await, [3]);
    assert_eq!(fixture.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_clock_set_back_makes_one_new_list_and_no_more() {
    let fixture = Fixture::new().await;
    fixture.clock.advance(-10 * 60);
    for _ in 0..3 {
        fixture.ca.refresh().await.unwrap();
    }
    let crl = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
    assert_eq!(crl.number(), Some(&[2][..]));
    assert!(crl.this_update() <= fixture.clock.now());
}

/// Else the list of the next twelve hours would leave out certificates that are revoked and still valid.
#[tokio::test]
async fn a_clock_that_was_a_year_ahead_takes_nobody_off_the_list() {
    let fixture = Fixture::new().await;
    let app = fixture.app().await;
    let serial = app.certificate.serial_hex();
    let reason = RevocationReason::KeyCompromise;
    fixture.ca.revoke(&serial, reason).await.unwrap();
    let listed = async || {
        fixture.ca.refresh().await.unwrap();
        let crl = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
        let (serial, issuer) = (app.certificate.serial(), app.certificate.issuer());
        crl.find(serial, issuer).is_some()
    };
    assert!(listed().await);
    fixture.clock.advance(365 * DAY);
    assert!(listed().await);
    fixture.clock.advance(-365 * DAY);
    assert!(listed().await);
    // It leaves with the list after the first one beyond its end.
    fixture.clock.advance(91 * DAY);
    assert!(listed().await);
    fixture.clock.advance(DAY);
    assert!(!listed().await);
}

#[tokio::test]
async fn two_processes_make_one_list() {
    let fixture = Fixture::new().await;
    let other = fixture.other_process().await;
    fixture.clock.advance(13 * 3600);
    fixture.ca.refresh().await.unwrap();
    other.refresh().await.unwrap();
    fixture.ca.refresh().await.unwrap();
    let crl = Crl::from_der(&fixture.get("/crl/issuing.crl").await.body).unwrap();
    assert_eq!(crl.number(), Some(&[2][..]));
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let fixture = Fixture::new().await;
    assert_eq!(
        fixture.get("/crl/other.crl").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(fixture.get("/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        fixture.post("/crl/root.crl", "").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
