//! Error bodies: OAuth error JSON and FHIR OperationOutcome, both with our stable code.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

/// An OAuth error answer (RFC 6749 §5.2, RFC 7591 §3.2.2), never cached (RFC 6749 §5.1).
///
/// `error` and `error_description` are the standard's. Beside them `udap_code` carries our stable
/// code and `udap_hint` the way out: clients must ignore members that they do not know (RFC 6749
/// §5.1), and a person who looks at the answer finds what `udap explain` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    pub status: StatusCode,
    /// `invalid_client`, `invalid_software_statement`, …
    pub error: &'static str,
    /// Made printable for the wire: see RFC 6749 §5.2 for what it may hold.
    pub description: String,
    /// Our stable code, `san-uri-mismatch`.
    pub code: &'static str,
    pub hint: String,
    /// Members of a network's own, under the names of the extension objects that they are about; mostly
    /// none.
    pub extensions: Map<String, Value>,
}

impl OAuthError {
    /// What a peer learns of a fault of ours: nothing but that there was one.
    pub fn server_error() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            description: "the server met a fault of its own".to_owned(),
            code: "server-error",
            hint: "try again later; the operator's log holds the cause".to_owned(),
            extensions: Map::new(),
        }
    }

    /// For a while the server cannot answer: stopping, disk full, overloaded.
    pub fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "temporarily_unavailable",
            description: "the server cannot answer for the moment".to_owned(),
            code: "temporarily-unavailable",
            hint: "try again later".to_owned(),
            extensions: Map::new(),
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Wire<'a> {
            error: &'a str,
            error_description: String,
            udap_code: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            udap_hint: &'a str,
            #[serde(skip_serializing_if = "Map::is_empty")]
            extensions: &'a Map<String, Value>,
        }
        let wire = Wire {
            error: self.error,
            error_description: printable(&self.description),
            udap_code: self.code,
            udap_hint: &self.hint,
            extensions: &self.extensions,
        };
        let mut response = json(self.status, "application/json", &wire);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            // Counts are of the last minute: see `crate::rate`.
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}

/// A FHIR OperationOutcome answer (FHIR R4 RESTful API, 3.1.0.1.5).
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
        let body = serde_json::json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.issue,
                "details": { "coding": [{ "code": self.code }] },
                "diagnostics": self.diagnostics,
            }],
        });
        json(self.status, "application/fhir+json", &body)
    }
}

/// A JSON answer that no cache keeps: tokens, registrations and refusals alike (RFC 6749 §5.1).
pub fn json(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response {
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    };
    written(status, media_type, body)
}

/// The same of a text that is JSON already.
pub fn written(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// RFC 6749 §5.2 allows %x20-21 / %x23-5B / %x5D-7E: quotes become apostrophes, a backslash a
/// slash, anything else a question mark.
fn printable(text: &str) -> String {
    let clean = |c: char| match c {
        '"' | '`' | '“' | '”' | '„' | '‘' | '’' => '\'',
        '\\' => '/',
        '§' => 'S',
        '\n' | '\t' => ' ',
        ' '..='~' => c,
        _ => '?',
    };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    async fn wire(response: Response) -> String {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        format!("{} {:#?}\n{body:#}", parts.status, parts.headers)
    }

    #[tokio::test]
    async fn an_oauth_error_is_standard_and_carries_our_code() {
        let error = OAuthError {
            status: StatusCode::BAD_REQUEST,
            error: "invalid_software_statement",
            description: "no SAN URI equals `https://a.example/\"x\\y\"`\nµ".to_owned(),
            code: "san-uri-mismatch",
            hint: "request a certificate with the URI".to_owned(),
            extensions: Map::new(),
        };
        insta::assert_snapshot!("oauth_error", wire(error.into_response()).await);
        insta::assert_snapshot!(
            "server_error",
            wire(OAuthError::server_error().into_response()).await
        );
        assert_eq!(OAuthError::unavailable().into_response().status(), 503);
    }

    #[tokio::test]
    async fn an_operation_outcome_is_fhir_json() {
        let outcome = OperationOutcome {
            status: StatusCode::FORBIDDEN,
            issue: "forbidden",
            code: "scope-missing",
            diagnostics: "the token has no scope that permits this search".to_owned(),
        };
        insta::assert_snapshot!("operation_outcome", wire(outcome.into_response()).await);
    }
}
