//! The OpenAPI documents. They are data, written by hand; tests see to it that every route is in them and
//! no other.

use super::Admin;
use super::access::Program;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::value::RawValue;

/// What partners reach.
const PUBLIC: &str = include_str!("../../openapi/public.json");
/// What operators' programs reach.
const ADMIN: &str = include_str!("../../openapi/admin.json");

/// A document by its name.
pub(super) fn named(name: &str) -> Option<&'static str> {
    match name {
        "public" => Some(PUBLIC),
        "admin" => Some(ADMIN),
        _ => None,
    }
}

/// The public document of one server: the example's origin and base path are this one's.
fn public_of(base_url: &str) -> String {
    let parsed = url::Url::parse(base_url);
    let base_path = parsed
        .as_ref()
        .map_or("", |url| url.path().trim_end_matches('/'));
    let origin = base_url.strip_suffix(base_path).unwrap_or(base_url);
    PUBLIC
        .replace("https://fhir.example.org", origin)
        .replace("/r4", base_path)
}

pub(super) async fn admin(_: Program) -> Response {
    answer(ADMIN.to_owned())
}

pub(super) async fn public(State(admin): State<Admin>, _: Program) -> Response {
    answer(public_of(&admin.base_url))
}

fn answer(text: String) -> Response {
    match RawValue::from_string(text) {
        Ok(document) => udap_host::problem::json(StatusCode::OK, "application/json", &document),
        Err(error) => super::error::AdminError::from(udap_host::db::DbError::Other {
            detail: format!("the API's document: {error}"),
        })
        .to_json(),
    }
}
