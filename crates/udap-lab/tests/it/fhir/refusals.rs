//! Each refusal: its status, and an OperationOutcome that says why.

use axum::body::Body;
use http::{Method, StatusCode};

use super::{Answer, ask, get, get_with, request};

fn assert_refused(answer: &Answer, status: StatusCode, code: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.header("content-type"), Some("application/fhir+json"));
    let outcome = answer.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{text}");
    assert_eq!(outcome["issue"][0]["severity"], "error", "{text}");
    assert_eq!(outcome["issue"][0]["code"], code, "{text}");
    assert!(
        !outcome["issue"][0]["diagnostics"]
            .as_str()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_not_there() {
    assert_refused(
        &get("/Patient/nobody").await,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    assert_refused(
        &get("/Patient/Amelia-Shaw").await,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    assert_refused(
        &get("/Observation/amelia-shaw").await,
        StatusCode::NOT_FOUND,
        "not-found",
    );
    assert_refused(
        &get("/Unicorn/1").await,
        StatusCode::NOT_FOUND,
        "not-supported",
    );
    assert_refused(
        &get("/Unicorn").await,
        StatusCode::NOT_FOUND,
        "not-supported",
    );
    assert_refused(
        &get("/patient/amelia-shaw").await,
        StatusCode::NOT_FOUND,
        "not-supported",
    );
    for address in [
        "",
        "/",
        "/Patient/",
        "/Patient/amelia-shaw/_history/1",
        "/Patient/amelia-shaw/Observation",
    ] {
        assert_refused(&get(address).await, StatusCode::NOT_FOUND, "not-found");
    }
}

#[tokio::test]
async fn outside_of_the_base_there_is_nothing() {
    let outside = http::Request::builder()
        .uri("/Patient/amelia-shaw")
        .body(Body::empty())
        .unwrap();
    assert_refused(&ask(outside).await, StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn nothing_is_written() {
    for (method, address) in [
        (Method::POST, "/Patient"),
        (Method::PUT, "/Patient/amelia-shaw"),
        (Method::PATCH, "/Patient/amelia-shaw"),
        (Method::DELETE, "/Patient/amelia-shaw"),
        (Method::DELETE, "/Patient"),
        (Method::POST, "/metadata"),
        (Method::OPTIONS, "/Patient"),
    ] {
        let answer = ask(request(method, address).body(Body::from("{}")).unwrap()).await;
        assert_refused(&answer, StatusCode::METHOD_NOT_ALLOWED, "not-supported");
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{address}");
    }
    let answer = get("/Patient/_search").await;
    assert_refused(&answer, StatusCode::METHOD_NOT_ALLOWED, "not-supported");
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_value_or_modifier_that_makes_no_sense() {
    for parameters in [
        "birthdate=yesterday",
        "birthdate=gt",
        "birthdate=1987,x",
        "_count=many",
        "_count=-1",
        "_offset=x",
        "_summary=maybe",
        "_total=roughly",
        "gender:missing=perhaps",
    ] {
        let answer = get(&format!("/Patient?{parameters}")).await;
        assert_refused(&answer, StatusCode::BAD_REQUEST, "value");
    }
    for parameters in [
        "family:text=Shaw",
        "gender:above=male",
        "birthdate:exact=1987",
        "_id:in=x",
        "name:=x",
    ] {
        let answer = get(&format!("/Patient?{parameters}")).await;
        assert_refused(&answer, StatusCode::BAD_REQUEST, "not-supported");
    }
    assert_refused(
        &get("/Observation?subject:Group=x").await,
        StatusCode::BAD_REQUEST,
        "not-supported",
    );
}

#[tokio::test]
async fn strict_handling_refuses_what_lenient_handling_ignores() {
    for parameters in [
        "shoe-size=44",
        "_sort=family",
        "family=",
        "_summary=text",
        "general-practitioner.name=x",
        "_include=*",
    ] {
        let address = format!("/Patient?{parameters}");
        assert_eq!(
            get_with(&address, "prefer", "handling=lenient")
                .await
                .status,
            StatusCode::OK,
            "{parameters}"
        );
        for prefer in [
            "handling=strict",
            "return=minimal, Handling=Strict",
            "respond-async; handling=strict",
        ] {
            let answer = get_with(&address, "prefer", prefer).await;
            assert_refused(&answer, StatusCode::BAD_REQUEST, "not-supported");
        }
    }
    let address = "/Patient?family=Shaw&_count=2&_offset=2&_summary=false&_total=accurate&_format=json&_pretty=true";
    assert_eq!(
        get_with(address, "prefer", "handling=strict").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn another_format() {
    for address in ["/Patient/amelia-shaw", "/Patient?family=Shaw", "/metadata"] {
        let answer = get_with(address, "accept", "application/fhir+xml").await;
        assert_refused(&answer, StatusCode::NOT_ACCEPTABLE, "not-supported");
    }
    let answer = get_with("/Patient?_format=xml", "accept", "application/json").await;
    assert_refused(&answer, StatusCode::NOT_ACCEPTABLE, "not-supported");
}

#[tokio::test]
async fn a_posted_search_that_is_no_form() {
    for media_type in ["application/json", "text/plain", ""] {
        let post = request(Method::POST, "/Patient/_search").header("content-type", media_type);
        let answer = ask(post.body(Body::from("family=Shaw")).unwrap()).await;
        assert_refused(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported");
    }
    let post = request(Method::POST, "/Patient/_search")
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = ask(post.body(Body::from("x".repeat(20_000))).unwrap()).await;
    assert_refused(&answer, StatusCode::PAYLOAD_TOO_LARGE, "too-long");
}
