//! Who may, and what everybody else is told.

use axum::body::Body;
use http::{HeaderMap, Request};
use udap_pki::UnixTime;

use crate::kit::{Answer, BASE, FakeFhir, Issuer, Kit, NOW, claims};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower_service::Service as _;
use udap_gateway::{Gateway, GatewayConfig};
use udap_host::token_status::TokenStatus;

fn bare(method: &str, target: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(target)
        .body(Body::empty())
        .unwrap()
}

async fn with_token(kit: &Kit, token: &str) -> Answer {
    let mut request = bare("GET", "/r4/Patient/1");
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    Answer::of(kit.call(request).await).await
}

#[tokio::test]
async fn without_a_token_there_is_a_challenge_and_no_error() {
    let kit = Kit::new().await;
    for (method, target) in [
        ("GET", "/r4/Patient/1"),
        ("HEAD", "/r4/Patient/1"),
        ("GET", "/r4/Patient?name=x"),
        ("POST", "/r4/Patient/_search"),
        ("PUT", "/r4/Patient/1"),
        ("GET", "/r4/Patient/..%2f1"),
        ("GET", "/r4"),
    ] {
        let answer = Answer::of(kit.call(bare(method, target)).await).await;
        if method != "HEAD" {
            assert_eq!(
                answer.refusal(),
                (401, "token-missing".to_owned()),
                "{method} {target}"
            );
        }
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"https://gw.example/r4\""
        );
    }
    assert_eq!(kit.fhir.count(), 0);
}

#[tokio::test]
async fn capabilities_are_open() {
    let kit = Kit::new().await;
    for method in ["GET", "HEAD"] {
        let answer = Answer::of(kit.call(bare(method, "/r4/metadata?mode=full")).await).await;
        assert_eq!(answer.status, 200);
        assert_eq!(kit.fhir.last().uri, "/fhir/metadata?mode=full");
    }
    // A token, even a bad one, makes no difference, and does not reach the FHIR server.
    let mut request = bare("GET", "/r4/metadata");
    request
        .headers_mut()
        .insert("authorization", "Bearer x".parse().unwrap());
    assert_eq!(kit.call(request).await.status(), 200);
    assert!(!kit.fhir.last().headers.contains_key("authorization"));
}

/// Two FHIR servers behind one process: a token for one is nothing at the other, and which of them is
/// asked is a matter of the path alone.
#[tokio::test]
async fn a_token_for_one_base_url_is_refused_at_another() {
    let (kit, other) = (Kit::new().await, FakeFhir::start().await);
    let gateway = |base: &str, upstream: String| {
        Gateway::new(
            GatewayConfig::new(base, upstream),
            Arc::clone(&kit.keys),
            Arc::clone(&kit.status) as Arc<dyn TokenStatus>,
            kit.audit.clone(),
            Arc::new(|| UnixTime(NOW)),
        )
        .unwrap()
    };
    let second = "https://other.example/r4b";
    let gateways = [
        gateway(BASE, kit.fhir.base()),
        gateway(second, other.base()),
    ];
    let router = udap_gateway::router(&gateways);
    let send = |target: &str, token: &str, host: &str| {
        let mut request = bare("GET", target);
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        headers.insert("host", host.parse().unwrap());
        let mut router = router.clone();
        async move { Answer::of(router.call(request).await.unwrap()).await }
    };
    let mut of_second = claims("system/Patient.rs");
    of_second.iss = second.into();
    of_second.aud = second.into();
    let of_second = kit.issuer.sign(&of_second);
    let of_first = kit.issuer.token("system/Patient.rs");

    assert_eq!(
        send("/r4/Patient/1", &of_first, "other.example")
            .await
            .status,
        200
    );
    assert_eq!((kit.fhir.count(), other.count()), (1, 0));
    assert_eq!(
        send("/r4b/Patient/1", &of_second, "gw.example")
            .await
            .status,
        200
    );
    assert_eq!((kit.fhir.count(), other.count()), (1, 1));
    for (target, token) in [("/r4/Patient/1", &of_second), ("/r4b/Patient/1", &of_first)] {
        let answer = send(target, token, "gw.example").await;
        assert_eq!(answer.status, 401, "{target}");
        assert_eq!(answer.code(), "iss-mismatch", "{target}");
    }
    // The issuer may be one where endpoints are shared; the audience never is.
    let mut shared = claims("system/Patient.rs");
    shared.aud = second.into();
    let answer = send("/r4/Patient/1", &kit.issuer.sign(&shared), "gw.example").await;
    assert_eq!(answer.refusal(), (401, "aud-mismatch".to_owned()));
    for target in [
        "/",
        "/r4c/Patient/1",
        "/r4bc/Patient/1",
        "/r4b/../r4c/Patient/1",
    ] {
        assert_ne!(
            send(target, &of_second, "other.example").await.status,
            200,
            "{target}"
        );
    }
    assert_eq!((kit.fhir.count(), other.count()), (1, 1));
}

#[tokio::test]
async fn what_is_not_here_is_not_found_without_a_token() {
    let kit = Kit::new().await;
    for (target, code) in [
        ("/", "outside-base"),
        ("/fhir/Patient/1", "outside-base"),
        ("/r4x/Patient/1", "outside-base"),
        ("/r4/.well-known/smart-configuration", "well-known-unknown"),
    ] {
        let answer = Answer::of(kit.call(bare("GET", target)).await).await;
        assert_eq!(answer.refusal(), (404, code.to_owned()), "{target}");
    }
    assert_eq!(kit.fhir.count(), 0);
}

#[tokio::test]
async fn tokens_that_do_not_count_are_refused_with_the_reason() {
    let kit = Kit::new().await;
    let good = claims("system/*.rs");
    let mut wrong_issuer = good.clone();
    wrong_issuer.iss = "https://other.example/r4".into();
    let mut wrong_audience = good.clone();
    wrong_audience.aud = "https://other.example/r4".into();
    let mut expired = good.clone();
    expired.exp = UnixTime(NOW);
    let stranger = Issuer::new("key-1");
    let signed = kit.issuer.sign(&good);
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let changed = format!("{head}.{flipped}{}", &signature[1..]);
    for (what, token, code) in [
        ("no token at all", "x".to_owned(), "jwt-malformed"),
        (
            "another key of the same name",
            stranger.sign(&good),
            "jwt-signature-invalid",
        ),
        ("a changed signature", changed, "jwt-signature-invalid"),
        (
            "another issuer",
            kit.issuer.sign(&wrong_issuer),
            "iss-mismatch",
        ),
        (
            "another audience",
            kit.issuer.sign(&wrong_audience),
            "aud-mismatch",
        ),
        ("an expired one", kit.issuer.sign(&expired), "jwt-expired"),
    ] {
        let answer = with_token(&kit, &token).await;
        assert_eq!(answer.status, 401, "{what}");
        let challenge = answer.header("www-authenticate").to_owned();
        assert!(
            challenge.starts_with("Bearer realm=\"https://gw.example/r4\", error=\"invalid_token\", error_description=\""),
            "{what}: {challenge}"
        );
        assert_eq!(answer.code(), code, "{what}");
    }
    assert_eq!(kit.fhir.count(), 0);
    assert_eq!(
        kit.status.asked.load(Ordering::Relaxed),
        0,
        "only a verified token's status is asked for"
    );
    assert_eq!(with_token(&kit, &kit.issuer.sign(&good)).await.status, 200);
}

#[tokio::test]
async fn another_kind_of_token_is_refused() {
    let kit = Kit::new().await;
    // The claims of an access token in a JWT of another type, signed by our own key.
    let token = kit.issuer.token("system/*.rs");
    let plain = kit.issuer.sign_with_type("JWT", &claims("system/*.rs"));
    assert_eq!(
        with_token(&kit, &plain).await.refusal(),
        (401, "not-an-access-token".to_owned())
    );
    assert_eq!(with_token(&kit, &token).await.status, 200);
}

#[tokio::test]
async fn a_token_travels_in_one_authorization_header() {
    let kit = Kit::new().await;
    let token = kit.issuer.token("system/*.rs");
    let mut twice = kit.request("GET", "/r4/Patient/1", "system/*.rs");
    twice
        .headers_mut()
        .append("authorization", format!("Bearer {token}").parse().unwrap());
    let answer = Answer::of(kit.call(twice).await).await;
    assert_eq!(
        answer.refusal(),
        (400, "authorization-ambiguous".to_owned())
    );
    assert!(
        answer
            .header("www-authenticate")
            .contains("error=\"invalid_request\"")
    );
    for request in [
        bare("GET", &format!("/r4/Patient/1?access_token={token}")),
        kit.request("GET", "/r4/Patient/1?access_token=x", "system/*.rs"),
    ] {
        let answer = Answer::of(kit.call(request).await).await;
        assert_eq!(answer.refusal(), (400, "token-in-query".to_owned()));
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_request\"")
        );
    }
    assert_eq!(kit.fhir.count(), 0);
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_time() {
    let kit = Kit::new().await;
    let token = kit.issuer.token("system/*.rs");
    assert_eq!(with_token(&kit, &token).await.status, 200);
    kit.now.store(NOW + 299, Ordering::Relaxed);
    assert_eq!(with_token(&kit, &token).await.status, 200);
    kit.now.store(NOW + 300, Ordering::Relaxed);
    assert_eq!(with_token(&kit, &token).await.status, 401);
    assert_eq!(kit.fhir.count(), 2);
}

/// Where nothing can be told of a token it is no reason to throw it away, and none to let it in.
#[tokio::test]
async fn a_token_of_which_nothing_can_be_told_is_503() {
    let kit = Kit::new().await;
    let token = kit.issuer.token("system/*.rs");
    assert_eq!(with_token(&kit, &token).await.status, 200);
    kit.status.end(udap_host::token_status::UNKNOWN);
    let answer = with_token(&kit, &token).await;
    assert_eq!(
        answer.refusal(),
        (503, "temporarily-unavailable".to_owned())
    );
    assert_eq!(answer.header("www-authenticate"), "");
    assert_eq!(kit.fhir.count(), 1);
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_registration_or_by_its_client() {
    for code in ["registration-cancelled", "token-revoked"] {
        let kit = Kit::new().await;
        let token = kit.issuer.token("system/*.rs");
        assert_eq!(with_token(&kit, &token).await.status, 200);
        kit.status.end(code);
        let answer = with_token(&kit, &token).await;
        assert_eq!(answer.refusal(), (401, code.to_owned()));
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\"")
        );
        assert_eq!(kit.fhir.count(), 1);
    }
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_key() {
    let kit = Kit::new().await;
    let token = kit.issuer.token("system/*.rs");
    assert_eq!(with_token(&kit, &token).await.status, 200);
    let next = Issuer::new("key-2");
    kit.keys.replace(next.jwks());
    assert_eq!(with_token(&kit, &token).await.status, 401);
    assert_eq!(
        with_token(&kit, &next.token("system/*.rs")).await.status,
        200
    );
}

#[tokio::test]
async fn scopes_decide_and_the_needed_one_is_named() {
    let kit = Kit::new().await;
    for (target, scope, expected) in [
        ("/r4/Patient/1", "system/Patient.rs", None),
        ("/r4/Patient?name=x", "system/*.read", None),
        (
            "/r4/Patient/1",
            "system/Patient.s",
            Some(("insufficient-scope", "system/Patient.r")),
        ),
        (
            "/r4/Patient?name=x",
            "system/Patient.r",
            Some(("insufficient-scope", "system/Patient.s")),
        ),
        (
            "/r4/Observation/1",
            "system/Patient.rs",
            Some(("insufficient-scope", "system/Observation.r")),
        ),
        (
            "/r4/Patient/1",
            "patient/Patient.rs",
            Some(("scope-context-undecided", "system/Patient.r")),
        ),
        (
            "/r4/Patient/1",
            "system/Patient.rs?active=true",
            Some(("scope-query-undecided", "system/Patient.r")),
        ),
        (
            "/r4/Patient/1",
            "",
            Some(("insufficient-scope", "system/Patient.r")),
        ),
    ] {
        let before = kit.fhir.count();
        let answer = kit.get(target, scope).await;
        let Some((code, needed)) = expected else {
            assert_eq!(answer.status, 200, "{target} {scope}");
            continue;
        };
        assert_eq!(answer.refusal(), (403, code.to_owned()), "{target} {scope}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with(
                "Bearer realm=\"https://gw.example/r4\", error=\"insufficient_scope\""
            ),
            "{challenge}"
        );
        assert!(
            challenge.ends_with(&format!(", scope=\"{needed}\"")),
            "{challenge}"
        );
        assert_eq!(kit.fhir.count(), before);
    }
}

#[tokio::test]
async fn undecided_requests_are_refused_whatever_the_token_says() {
    let kit = Kit::new().await;
    for (method, target, status, code) in [
        ("GET", "/r4/Patient?_include=*", 403, "include-undecided"),
        (
            "GET",
            "/r4/Patient?_revinclude=Observation:subject",
            403,
            "revinclude-undecided",
        ),
        (
            "GET",
            "/r4/Patient?_has:Observation:patient:code=1",
            403,
            "has-undecided",
        ),
        (
            "GET",
            "/r4/Observation?subject.name=x",
            403,
            "chain-undecided",
        ),
        (
            "GET",
            "/r4/Observation?subject:Patient.name=x",
            403,
            "chain-undecided",
        ),
        ("GET", "/r4/Patient?_filter=x", 403, "filter-undecided"),
        ("GET", "/r4/Patient?_query=x", 403, "named-query-undecided"),
        ("GET", "/r4?_type=Patient", 403, "type-list-undecided"),
        ("GET", "/r4?_getpages=x", 403, "page-link-undecided"),
        ("GET", "/r4", 403, "system-search-undecided"),
        (
            "GET",
            "/r4/Patient/1/$everything",
            403,
            "operation-undecided",
        ),
        ("POST", "/r4", 403, "batch-undecided"),
        ("GET", "/r4/Patient/1/_history", 403, "history-undecided"),
        ("GET", "/r4/Patient/1/_history/1", 403, "history-undecided"),
        (
            "GET",
            "/r4/Patient/1/Observation",
            403,
            "compartment-undecided",
        ),
        ("POST", "/r4/Patient", 403, "write-undecided"),
        ("PUT", "/r4/Patient/1", 403, "write-undecided"),
        ("PATCH", "/r4/Patient/1", 403, "write-undecided"),
        ("DELETE", "/r4/Patient/1", 403, "write-undecided"),
        ("GET", "/r4/Patient?_unknown=x", 403, "parameter-undecided"),
        ("GET", "/r4/Login", 404, "resource-type-unknown"),
        ("GET", "/r4/Patient/a%20b", 400, "resource-id-malformed"),
        ("GET", "/r4/Patient/%2e%2e", 400, "path-dot-segment"),
        ("GET", "/r4/Patient%2f1", 400, "path-encoded-slash"),
        ("GET", "/r4//Patient/1", 400, "path-empty-segment"),
        ("GET", "/r4/Patient;x/1", 400, "path-parameter"),
        ("GET", "/r4/Patient?name=%ff", 400, "query-not-utf8"),
        (
            "GET",
            "/r4/Patient/1?_method=DELETE",
            400,
            "method-override",
        ),
        (
            "GET",
            "/r4/Patient/1?_format=html",
            406,
            "format-not-supported",
        ),
        ("OPTIONS", "/r4/Patient/1", 405, "method-not-supported"),
        (
            "GET",
            &format!("/r4/{}", "a".repeat(2048)),
            414,
            "path-too-long",
        ),
        (
            "GET",
            &format!("/r4/Patient?name={}", "a".repeat(16 * 1024)),
            414,
            "query-too-long",
        ),
    ] {
        let answer = Answer::of(
            kit.call(kit.request(method, target, "system/*.cruds"))
                .await,
        )
        .await;
        assert_eq!(
            answer.refusal(),
            (status, code.to_owned()),
            "{method} {target}"
        );
        assert!(
            !answer.headers.contains_key("www-authenticate"),
            "another token would not help"
        );
    }
    assert_eq!(kit.fhir.count(), 0);
}

#[tokio::test]
async fn accesses_and_refusals_are_audited() {
    let kit = Kit::new().await;
    let mut named = kit.request("GET", "/r4/Patient/1?_summary=true", "system/Patient.r");
    named
        .headers_mut()
        .insert("x-request-id", "r-1".parse().unwrap());
    let id = |headers: &HeaderMap| headers["x-request-id"].to_str().unwrap().to_owned();
    let read = kit.call(named).await;
    assert_eq!(id(read.headers()), "r-1");
    assert_eq!(id(&kit.fhir.last().headers), "r-1");
    let search = "/r4/Observation?code=secret";
    let scope = id(&kit.get(search, "system/Patient.r").await.headers);
    let include = "/r4/Patient?_include=secret";
    let include = id(&kit.get(include, "system/Patient.r").await.headers);
    let delete = kit.call(bare("DELETE", "/r4/Patient/1")).await;
    let delete = id(delete.headers());
    kit.call(bare("GET", "/r4/metadata")).await;
    kit.call(bare("GET", "/elsewhere")).await;
    let entries = kit.audited();
    assert_eq!(
        entries,
        [
            "client-1 https://app.example r-1 192.0.2.7 allowed read Patient 200".to_owned(),
            format!(
                "client-1 https://app.example {scope} 192.0.2.7 refused search Observation insufficient-scope"
            ),
            format!(
                "client-1 https://app.example {include} 192.0.2.7 refused GET include-undecided"
            ),
            format!("- - {delete} 192.0.2.7 refused DELETE token-missing"),
        ]
    );
}
