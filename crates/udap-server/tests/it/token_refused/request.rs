//! The request.

use super::{CLIENT, REQUEST, registered};
use crate::support::{assertion, encoded, form, request};
use http::Method;

#[tokio::test]
async fn the_request() {
    let (holder, app, id) = registered().await;
    let jwt = assertion(&app, &id).sign();
    let good = encoded(&form(&jwt));
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from));
        good.replacen(from, to, 1)
    };
    let table = [
        ("nothing", String::new(), REQUEST, "parameter-missing"),
        (
            "no grant type",
            replaced("grant_type=client_credentials", "x=1"),
            REQUEST,
            "parameter-missing",
        ),
        (
            "another grant type",
            replaced("grant_type=client_credentials", "grant_type=password"),
            "400 unsupported_grant_type",
            "grant-unsupported",
        ),
        (
            "the code grant",
            replaced(
                "grant_type=client_credentials",
                "grant_type=authorization_code",
            ),
            "400 unsupported_grant_type",
            "grant-unsupported",
        ),
        (
            "no scope",
            replaced("scope=system%2FPatient.rs", "x=1"),
            REQUEST,
            "parameter-missing",
        ),
        (
            "a scope of nothing",
            replaced("scope=system%2FPatient.rs", "scope="),
            REQUEST,
            "parameter-missing",
        ),
        (
            "a scope of 17 KiB",
            replaced(
                "scope=system%2FPatient.rs",
                &format!("scope={}", "x+".repeat(9000)),
            ),
            REQUEST,
            "parameter-invalid",
        ),
        (
            "no udap",
            replaced("&udap=1", ""),
            REQUEST,
            "parameter-missing",
        ),
        (
            "udap 2",
            replaced("&udap=1", "&udap=2"),
            REQUEST,
            "parameter-invalid",
        ),
        (
            "no assertion",
            replaced("client_assertion=", "x="),
            REQUEST,
            "parameter-missing",
        ),
        (
            "no assertion type",
            replaced("client_assertion_type=", "x="),
            REQUEST,
            "parameter-missing",
        ),
        (
            "the grant type as assertion type",
            replaced("client-assertion-type", "grant-type"),
            REQUEST,
            "parameter-invalid",
        ),
        (
            "a client secret",
            format!("{good}&client_secret=s"),
            REQUEST,
            "client-secret-refused",
        ),
        (
            "a parameter twice",
            format!("{good}&scope=system%2FPatient.rs"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "the assertion twice",
            format!("{good}&client_assertion=x"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "an unknown parameter twice",
            format!("{good}&x=1&x=1"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "a parameter twice, once escaped",
            format!("{good}&%75dap=1"),
            REQUEST,
            "parameter-repeated",
        ),
        (
            "what is not UTF-8",
            format!("{good}&x=%ff"),
            REQUEST,
            "form-malformed",
        ),
        (
            "forty parameters",
            good.clone() + &(0..40).map(|i| format!("&p{i}=1")).collect::<String>(),
            REQUEST,
            "form-malformed",
        ),
        (
            "another client_id",
            format!("{good}&client_id=other"),
            CLIENT,
            "client-id-mismatch",
        ),
        (
            "a client_id in capitals",
            format!("{good}&client_id={}", id.to_uppercase()),
            CLIENT,
            "client-id-mismatch",
        ),
        (
            "a client_id of 100 KiB",
            format!("{good}&client_id={}", "x".repeat(100 * 1024)),
            CLIENT,
            "client-id-mismatch",
        ),
        (
            "256 KiB and more",
            format!("{good}&x={}", "x".repeat(256 * 1024)),
            "413 invalid_request",
            "body-too-large",
        ),
    ];
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let target = "/fhir/oauth/token";
    for (what, body, error, code) in table {
        let reply = holder
            .send(request(Method::POST, target, &kind, body))
            .await;
        assert_eq!(reply.refusal(), format!("{error} {code}"), "{what}");
    }
    for (what, headers, code) in [
        ("no media type", vec![], "media-type"),
        (
            "JSON",
            vec![("content-type", "application/json")],
            "media-type",
        ),
        (
            "multipart",
            vec![("content-type", "multipart/form-data; boundary=x")],
            "media-type",
        ),
        (
            "Basic",
            vec![kind[0], ("authorization", "Basic eDp5")],
            "authorization-header-refused",
        ),
        (
            "Bearer",
            vec![kind[0], ("authorization", "Bearer x")],
            "authorization-header-refused",
        ),
        (
            "an empty header",
            vec![kind[0], ("authorization", "")],
            "authorization-header-refused",
        ),
    ] {
        let reply = holder
            .send(request(Method::POST, target, &headers, good.clone()))
            .await;
        assert_eq!(reply.refusal(), format!("{REQUEST} {code}"), "{what}");
    }
    // In the query nothing counts.
    let reply = holder
        .send(request(
            Method::POST,
            &format!("{target}?{good}"),
            &kind,
            "",
        ))
        .await;
    assert_eq!(reply.refusal(), format!("{REQUEST} parameter-missing"));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = holder.send(request(method, target, &[], "")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (405, "POST")
        );
    }
    // All that did not use up the assertion.
    assert_eq!(holder.token(&jwt).await.status, 200);
}
