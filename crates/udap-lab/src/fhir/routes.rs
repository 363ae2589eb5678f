//! Every address of the store.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use super::answer::{FHIR_JSON, Refusal, acceptable, fhir_json};
use super::capability;
use super::data::{ETAG, LAST_MODIFIED};
use super::parameter::Kind;
use super::query::{Handling, Query, format};
use super::searchset::searchset;
use super::store::store;

/// The server, at the path of `base` and with links that begin with it. Cheap to make again: the resources are built
/// and indexed once per process.
pub fn router(base: &Url) -> Router {
    // Not in the first request's time.
    store();
    let base = Base(base.as_str().trim_end_matches('/').into());
    let path = base.path();
    let metadata = Bytes::from(capability::statement(&base.0).to_string());
    Router::new()
        .route(
            &format!("{path}/metadata"),
            get(move |headers, query| answer_metadata(metadata.clone(), headers, query)),
        )
        .route(&format!("{path}/{{kind}}"), get(search))
        .route(&format!("{path}/{{kind}}/_search"), post(search_by_post))
        .route(&format!("{path}/{{kind}}/{{id}}"), get(read))
        .fallback(async || Refusal::NoSuchAddress)
        .method_not_allowed_fallback(async || Refusal::Method)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .with_state(base)
}

async fn answer_metadata(
    statement: Bytes,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    check_format(&headers, query.as_deref())?;
    Ok(fhir_json(StatusCode::OK, statement))
}

/// <https://hl7.org/fhir/R4/http.html#read>
async fn read(
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check_format(&headers, query.as_deref())?;
    let kind = known(&kind)?;
    let entry = store().read(kind, &id).ok_or(Refusal::NotFound {
        kind: kind.name(),
        id,
    })?;
    let status = if unchanged(&headers) {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let body = if status == StatusCode::OK {
        Body::from(Bytes::from_static(&entry.body))
    } else {
        Body::empty()
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON)),
        (header::ETAG, HeaderValue::from_static(ETAG)),
        (
            header::LAST_MODIFIED,
            HeaderValue::from_static(LAST_MODIFIED),
        ),
    ];
    Ok((status, headers, body).into_response())
}

/// <https://hl7.org/fhir/R4/http.html#search>
async fn search(
    State(base): State<Base>,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    found(&base, &kind, query.as_deref(), b"", &headers)
}

async fn search_by_post(
    State(base): State<Base>,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(Refusal::MediaType);
    }
    let form = form.map_err(|_| Refusal::TooLarge)?;
    found(&base, &kind, query.as_deref(), &form, &headers)
}

fn found(
    base: &Base,
    kind: &str,
    query: Option<&str>,
    form: &[u8],
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    check_format(headers, query)?;
    let kind = known(kind)?;
    let parts = [query.unwrap_or_default().as_bytes(), form];
    let query = Query::parse(kind, parts, Handling::asked(headers), &base.0)?;
    let matches = store().search(kind, &query.filters);
    Ok(fhir_json(
        StatusCode::OK,
        Bytes::from(searchset(&base.0, kind, &query, &matches)),
    ))
}

fn known(kind: &str) -> Result<Kind, Refusal> {
    Kind::from_name(kind).ok_or_else(|| Refusal::UnknownType(kind.to_owned()))
}

fn check_format(headers: &HeaderMap, query: Option<&str>) -> Result<(), Refusal> {
    acceptable(headers, query.and_then(format).as_deref())
}

/// `If-None-Match` compares weakly (RFC 9110 §13.1.2), and everything here has the same version.
fn unchanged(headers: &HeaderMap) -> bool {
    let tag = ETAG.trim_start_matches("W/");
    headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|v| matches!(v.trim(), "*") || v.trim().trim_start_matches("W/") == tag)
        })
}

/// The address that every link begins with, without a slash at its end.
#[derive(Debug, Clone)]
struct Base(Arc<str>);

impl Base {
    fn path(&self) -> &str {
        let after_scheme = self.0.find("://").map_or(0, |at| at + 3);
        self.0[after_scheme..]
            .find('/')
            .map_or("", |at| &self.0[after_scheme + at..])
    }
}

/// A posted search is a line of text.
const LARGEST_FORM: usize = 16 * 1024;
