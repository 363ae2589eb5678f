//! Reading one resource, and what the server says about itself.

use axum::body::Body;
use http::{Method, StatusCode};
use udap_lab::fhir;

use super::{BASE, ask, get, get_with, request};

#[tokio::test]
async fn every_resource_is_read_as_it_is() {
    for resource in fhir::resources() {
        let address = format!(
            "/{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        let answer = get(&address).await;
        assert_eq!(
            (answer.status, &answer.json()),
            (StatusCode::OK, resource),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_read_says_its_version_and_its_age() {
    let answer = get("/Patient/amelia-shaw").await;
    assert_eq!(answer.header("content-type"), Some("application/fhir+json"));
    assert_eq!(answer.header("etag"), Some("W/\"1\""));
    assert_eq!(
        answer.header("last-modified"),
        Some("Mon, 02 Nov 2026 09:30:00 GMT")
    );
    assert_eq!(answer.json()["meta"]["lastUpdated"], "2026-11-02T09:30:00Z");
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    for tags in ["W/\"1\"", "\"1\"", "\"0\", W/\"1\"", "*"] {
        let answer = get_with("/Patient/amelia-shaw", "if-none-match", tags).await;
        assert_eq!(
            (answer.status, answer.body.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{tags}"
        );
        assert_eq!(answer.header("etag"), Some("W/\"1\""));
    }
    assert_eq!(
        get_with("/Patient/amelia-shaw", "if-none-match", "W/\"2\"")
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let answer = ask(request(Method::HEAD, "/Patient/amelia-shaw")
        .body(Body::empty())
        .unwrap())
    .await;
    let length = get("/Patient/amelia-shaw").await.body.len().to_string();
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer.header("content-length"), Some(&*length));
    let answer = ask(request(Method::HEAD, "/Patient/nobody")
        .body(Body::empty())
        .unwrap())
    .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_capability_statement_names_what_works() {
    let answer = get("/metadata").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::OK, Some("application/fhir+json"))
    );
    let statement = answer.json();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["implementation"]["url"], BASE);
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    for resource in resources {
        // What it promises is understood, by a server that is told to be strict.
        for parameter in resource["searchParam"].as_array().unwrap() {
            let (kind, name) = (
                resource["type"].as_str().unwrap(),
                parameter["name"].as_str().unwrap(),
            );
            let value = if parameter["type"] == "date" {
                "2026"
            } else {
                "x"
            };
            let answer = get_with(
                &format!("/{kind}?{name}={value}"),
                "prefer",
                "handling=strict",
            )
            .await;
            assert_eq!(answer.status, StatusCode::OK, "{kind}?{name}");
        }
    }
    assert_eq!(resources.len(), 5);
}

#[tokio::test]
async fn json_is_what_there_is() {
    for accept in [
        "application/fhir+json",
        "application/json;q=0.9",
        "*/*",
        "text/html, */*;q=0.1",
    ] {
        assert_eq!(
            get_with("/Patient/amelia-shaw", "accept", accept)
                .await
                .status,
            StatusCode::OK,
            "{accept}"
        );
    }
    let answer = get_with(
        "/Patient/amelia-shaw?_format=json",
        "accept",
        "application/fhir+xml",
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK);
}
