//! What goes out: resources, bundles, and refusals as OperationOutcome (<https://hl7.org/fhir/R4/operationoutcome.html>).

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this server has no {0}")]
    UnknownType(String),
    #[error("there is no {kind} with the id {id}")]
    NotFound { kind: &'static str, id: String },
    #[error("there is nothing at this address")]
    NoSuchAddress,
    #[error("this server is read-only: it reads, and it searches by type")]
    Method,
    #[error(
        "the search parameter {0} is not known or has no usable value here, and handling=strict was asked for"
    )]
    Parameter(String),
    #[error("the modifier :{modifier} does not go with the search parameter {parameter}")]
    Modifier {
        parameter: &'static str,
        modifier: String,
    },
    #[error("{value:?} is not a value for the search parameter {parameter}")]
    Value {
        parameter: &'static str,
        value: String,
    },
    #[error("this server answers in JSON only")]
    NotAcceptable,
    #[error("a search is posted as application/x-www-form-urlencoded")]
    MediaType,
    #[error("the body is too large")]
    TooLarge,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownType(_) | Self::NotFound { .. } | Self::NoSuchAddress => {
                StatusCode::NOT_FOUND
            }
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Parameter(_) | Self::Modifier { .. } | Self::Value { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// From <https://hl7.org/fhir/R4/valueset-issue-type.html>.
    fn issue(&self) -> &'static str {
        match self {
            Self::UnknownType(_) | Self::Method | Self::Parameter(_) | Self::Modifier { .. } => {
                "not-supported"
            }
            Self::NotAcceptable | Self::MediaType => "not-supported",
            Self::NotFound { .. } | Self::NoSuchAddress => "not-found",
            Self::Value { .. } => "value",
            Self::TooLarge => "too-long",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": self.issue(), "diagnostics": self.to_string()}],
        });
        fhir_json(self.status(), Bytes::from(outcome.to_string()))
    }
}

pub(super) fn fhir_json(status: StatusCode, body: Bytes) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON))],
        body,
    )
        .into_response()
}

/// Whether the client can read JSON: no `Accept`, or one that names it or anything
/// (<https://hl7.org/fhir/R4/http.html#mime-type>; `_format` goes before it).
pub(super) fn acceptable(headers: &HeaderMap, format: Option<&str>) -> Result<(), Refusal> {
    let fits = |asked: &str| {
        asked.contains("json") || asked.contains("*/*") || asked.contains("application/*")
    };
    let asked = format.or_else(|| {
        headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
    });
    if asked.is_none_or(fits) {
        Ok(())
    } else {
        Err(Refusal::NotAcceptable)
    }
}

pub(super) const FHIR_JSON: &str = "application/fhir+json";
