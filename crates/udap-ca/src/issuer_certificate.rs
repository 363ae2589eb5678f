//! `GET /certs/issuing.cer` and `GET /certs/root.cer`: the issuers' certificates, DER (RFC 5280
//! §4.2.2.1, RFC 2585 §3).

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{Ca, authority::Authority, publication::Publication};

pub(crate) async fn issuing(State(ca): State<Arc<Ca>>, headers: HeaderMap) -> Response {
    match &ca.issuing {
        Some(issuing) => answer(&ca, issuing, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(crate) async fn root(State(ca): State<Arc<Ca>>, headers: HeaderMap) -> Response {
    answer(&ca, &ca.root, &headers)
}

fn answer(ca: &Ca, authority: &Authority, headers: &HeaderMap) -> Response {
    let publication = Publication {
        body: Bytes::copy_from_slice(authority.certificate.der()),
        content_type: "application/pkix-cert",
        tag: authority.certificate.serial_hex(),
        modified: ca.settings.created_at,
        max_age: MAX_AGE,
        now: ca.now(),
    };
    publication.answer(headers)
}

/// A CA's certificate changes once in years, by a new one with another name.
const MAX_AGE: i64 = 3600;
