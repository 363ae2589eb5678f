use http::StatusCode;
use udap_ca::KeptCertification;

use crate::fixture::{DAY, Fixture};

#[tokio::test]
async fn the_status_is_true_only_for_what_is_kept_and_holds() {
    let fixture = Fixture::new().await;
    let expires = fixture.clock.now().plus_secs(30 * DAY);
    let kept = KeptCertification {
        jti: "a b&c".to_owned(),
        expires,
        app: "https://app.example".to_owned(),
        name: "Audit".to_owned(),
    };
    let ask = async |query: String| {
        let answer = fixture.get(&format!("/certifications/status{query}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        match &answer.body[..] {
            b"{\"valid\":true}" => true,
            b"{\"valid\":false}" => false,
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    };
    let right = format!("?jti=a+b%26c&exp={}", expires.0);
    assert!(!ask(right.clone()).await);
    fixture.ca.keep_certification(&kept).await.unwrap();
    assert!(ask(right.clone()).await);
    for wrong in [
        String::new(),
        "?jti=a+b%26c".to_owned(),
        format!("?exp={}", expires.0),
        format!("?jti=a+b%26c&exp={}", expires.0 + 1),
        format!("?jti=a+b&exp={}", expires.0),
        "?jti=a+b%26c&exp=soon".to_owned(),
        "?jti=%ff&exp=99999999999999999999".to_owned(),
    ] {
        assert!(!ask(wrong.clone()).await, "{wrong}");
    }
    let (withdrawn, at) = fixture.ca.withdraw_certification("a b&c").await.unwrap();
    assert_eq!((withdrawn, at), (kept.clone(), fixture.clock.now()));
    assert!(!ask(right).await);
    // The first time stands, and there is no way back.
    fixture.clock.advance(60);
    let again = fixture.ca.withdraw_certification("a b&c").await.unwrap();
    assert_eq!(again, (kept.clone(), at));
    let twice = fixture.ca.keep_certification(&kept).await;
    assert!(twice.is_err());

    let other = KeptCertification {
        jti: "another".to_owned(),
        ..kept
    };
    fixture.ca.keep_certification(&other).await.unwrap();
    let query = format!("?jti=another&exp={}", expires.0);
    assert!(ask(query.clone()).await);
    fixture.clock.advance(30 * DAY);
    assert!(!ask(query).await);
    let unknown = fixture.ca.withdraw_certification("nobody's").await;
    assert_eq!(unknown.unwrap_err().code(), "ca-unknown-certification");
}
