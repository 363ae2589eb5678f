//! Error bodies: OAuth error JSON and FHIR OperationOutcome, both with our stable code.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// An OAuth error answer (RFC 6749 §5.2, RFC 7591 §3.2.2): `error`, `error_description`, and as
/// members of our own `udap_code` and `udap_hint`; never cached (RFC 6749 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    pub status: StatusCode,
    /// `invalid_client`, `invalid_software_statement`, …
    pub error: &'static str,
    pub description: String,
    /// Our stable code, `san-uri-mismatch`.
    pub code: &'static str,
    pub hint: String,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        todo!()
    }
}

/// A FHIR OperationOutcome answer (FHIR R4 §2.41, HTTP §3.1.0.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOutcome {
    pub status: StatusCode,
    /// An issue type of FHIR: `login`, `forbidden`, `not-found`, `not-supported`, `transient`, …
    pub issue: &'static str,
    /// Our stable code.
    pub code: &'static str,
    pub diagnostics: String,
}

impl IntoResponse for OperationOutcome {
    fn into_response(self) -> Response {
        todo!()
    }
}
