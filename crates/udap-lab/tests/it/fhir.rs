//! The sandbox's FHIR store, asked over its routes.

mod paging;
mod read;
mod refusals;
mod resources;
mod search;

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower_service::Service;
use udap_lab::fhir;
use url::Url;

const BASE: &str = "http://localhost:8443/fhir";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn ask(request: Request<Body>) -> Answer {
    let mut router = fhir::router(&Url::parse(BASE).unwrap());
    let response = router.call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

/// `address` is absolute, or what comes after the base.
fn request(method: Method, address: &str) -> http::request::Builder {
    let path = address.strip_prefix(BASE).unwrap_or(address);
    Request::builder()
        .method(method)
        .uri(format!("/fhir{path}"))
}

async fn get(address: &str) -> Answer {
    ask(request(Method::GET, address).body(Body::empty()).unwrap()).await
}

async fn get_with(address: &str, header: &str, value: &str) -> Answer {
    ask(request(Method::GET, address)
        .header(header, value)
        .body(Body::empty())
        .unwrap())
    .await
}

/// The Bundle of a search that is answered.
async fn search(address: &str) -> Value {
    let answer = get(address).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{address}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    let bundle = answer.json();
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&"Bundle".into(), &"searchset".into())
    );
    bundle
}

fn ids(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    entries
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap())
        .collect()
}

fn link<'a>(bundle: &'a Value, relation: &str) -> Option<&'a str> {
    bundle["link"]
        .as_array()
        .unwrap()
        .iter()
        .find(|link| link["relation"] == relation)?["url"]
        .as_str()
}
