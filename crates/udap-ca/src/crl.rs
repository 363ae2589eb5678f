//! `GET /crl/issuing.crl` and `GET /crl/root.crl`: the newest complete CRL, DER (RFC 5280 §4.2.1.13,
//! RFC 2585 §4).

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};

use crate::{Ca, authority::Role, publication::Publication};

pub(crate) async fn issuing(State(ca): State<Arc<Ca>>, headers: HeaderMap) -> Response {
    answer(&ca, Role::Issuing, &headers)
}

pub(crate) async fn root(State(ca): State<Arc<Ca>>, headers: HeaderMap) -> Response {
    answer(&ca, Role::Root, &headers)
}

fn answer(ca: &Ca, issuer: Role, headers: &HeaderMap) -> Response {
    let published = ca.published.load();
    let Some(crl) = published.crl(issuer) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let now = ca.now();
    let publication = Publication {
        body: crl.der.clone(),
        content_type: "application/pkix-crl",
        tag: format!("{issuer}-{}", crl.number),
        modified: crl.this_update,
        // Short, so that a revocation passes every cache in a minute; asking again costs a 304.
        max_age: crl.next_update.secs_since(now).min(MAX_AGE),
        now,
    };
    publication.answer(headers)
}

const MAX_AGE: i64 = 60;
