//! `POST /ocsp` and `GET /ocsp/{base64}`: the status of a certificate (RFC 6960 appendix A, RFC 5019
//! §5).

use std::sync::Arc;

use axum::{
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use udap_pki::issue::{OcspRequest, OcspRequestError, OcspUnsigned, ocsp_unsigned};

use crate::{Ca, publication::Publication, responder::Answer};

pub(crate) async fn post(
    State(ca): State<Arc<Ca>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match body {
        Ok(body) => answer(&ca, &body, &HeaderMap::new()).await,
        Err(rejection) => malformed(rejection.status(), rejection.body_text()),
    }
}

pub(crate) async fn get(
    State(ca): State<Arc<Ca>>,
    request: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let request = match request {
        Ok(Path(request)) => request,
        Err(rejection) => return malformed(rejection.status(), rejection.body_text()),
    };
    match STANDARD.decode(request.as_bytes()) {
        Ok(der) => answer(&ca, &der, &headers).await,
        Err(error) => malformed(StatusCode::BAD_REQUEST, format!("base64: {error}")),
    }
}

async fn answer(ca: &Ca, der: &[u8], headers: &HeaderMap) -> Response {
    let request = match OcspRequest::from_der(der) {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error),
    };
    match ca.responder.answer(ca, &request).await {
        Ok(Answer::PreSigned {
            der,
            tag,
            this_update,
            next_update,
        }) => {
            let now = ca.now();
            let publication = Publication {
                body: der,
                content_type: RESPONSE,
                tag,
                modified: this_update,
                // RFC 5019 §6.2 wants max-age below nextUpdate; a minute bounds what a cache may
                // still say after a revocation.
                max_age: next_update.secs_since(now).min(MAX_AGE),
                now,
            };
            publication.answer(headers)
        }
        Ok(Answer::Live(der)) => uncached(StatusCode::OK, der),
        Ok(Answer::Unsigned(status)) => uncached(
            StatusCode::OK,
            Bytes::copy_from_slice(&ocsp_unsigned(status)),
        ),
        Err(error) => {
            tracing::error!(code = error.code(), error = %error, "OCSP cannot be answered");
            let body = Bytes::copy_from_slice(&ocsp_unsigned(OcspUnsigned::InternalError));
            uncached(StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

/// `malformedRequest` for programs, and the reason for whoever reads the headers.
fn refuse(status: StatusCode, error: &OcspRequestError) -> Response {
    let body = Bytes::copy_from_slice(&ocsp_unsigned(OcspUnsigned::MalformedRequest));
    let mut response = uncached(status, body);
    response
        .headers_mut()
        .insert(CODE, HeaderValue::from_static(error.code()));
    response
}

fn malformed(status: StatusCode, detail: String) -> Response {
    refuse(status, &OcspRequestError::Malformed { detail })
}

fn uncached(status: StatusCode, body: Bytes) -> Response {
    (
        status,
        [(CONTENT_TYPE, RESPONSE), (CACHE_CONTROL, "no-store")],
        body,
    )
        .into_response()
}

const RESPONSE: &str = "application/ocsp-response";

/// Carries the stable code of a refusal, since the body must be DER.
const CODE: HeaderName = HeaderName::from_static("udap-code");

const MAX_AGE: i64 = 60;
