//! Every refusal of the gateway, and its one mapping to the wire.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use udap_host::{problem::OperationOutcome, token_status::UNKNOWN};
use udap_proto::jws::JwsAlg;

use crate::{
    forward::UpstreamError, interaction::RequestError, path::PathError, query::QueryError,
    scopes::ScopeError, token::TokenError,
};

/// Why a request was not answered by the FHIR server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// Why a search form could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("a search is posted as application/x-www-form-urlencoded, without content encoding")]
    NotAForm,
    #[error("the search form is larger than {most} bytes")]
    TooLarge { most: usize },
    #[error("the search form ended before it was complete")]
    Incomplete,
    #[error("the search form did not arrive in time")]
    Slow,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Request(e) => e.code(),
            Self::Token(e) => e.code(),
            Self::Scope(e) => e.code(),
            Self::Form(FormError::NotAForm) => "form-expected",
            Self::Form(FormError::TooLarge { .. }) => "form-too-large",
            Self::Form(FormError::Incomplete) => "form-incomplete",
            Self::Form(FormError::Slow) => "form-slow",
            Self::Upstream(e) => e.code(),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Request(e) => match e {
                RequestError::OutsideBase
                | RequestError::WellKnown
                | RequestError::UnknownType { .. } => StatusCode::NOT_FOUND,
                RequestError::Path(PathError::TooLong { .. })
                | RequestError::Query(QueryError::TooLong { .. }) => StatusCode::URI_TOO_LONG,
                RequestError::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
                RequestError::Format { .. } => StatusCode::NOT_ACCEPTABLE,
                RequestError::Undecided(_) => StatusCode::FORBIDDEN,
                RequestError::Path(_)
                | RequestError::Query(_)
                | RequestError::MalformedId
                | RequestError::MethodOverride
                | RequestError::TokenInQuery => StatusCode::BAD_REQUEST,
            },
            Self::Token(TokenError::Several) => StatusCode::BAD_REQUEST,
            Self::Token(TokenError::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(TokenError::Member { code, .. }) if *code == "temporarily-unavailable" => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Token(TokenError::Member { .. }) => StatusCode::FORBIDDEN,
            Self::Token(TokenError::Binding(e)) => e.status(),
            Self::Token(TokenError::Ended { code }) if *code == UNKNOWN => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Scope(_) => StatusCode::FORBIDDEN,
            Self::Form(FormError::NotAForm) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Form(FormError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(FormError::Incomplete) => StatusCode::BAD_REQUEST,
            Self::Form(FormError::Slow) => StatusCode::REQUEST_TIMEOUT,
            Self::Upstream(e) => e.status(),
        }
    }

    /// The kind of issue (FHIR R4 value set issue-type).
    fn issue(&self) -> &'static str {
        match self {
            Self::Request(RequestError::Undecided(_)) | Self::Scope(_) => "forbidden",
            Self::Request(RequestError::OutsideBase | RequestError::WellKnown) => "not-found",
            Self::Request(
                RequestError::UnknownType { .. }
                | RequestError::Method { .. }
                | RequestError::Format { .. },
            ) => "not-supported",
            Self::Request(
                RequestError::Path(PathError::TooLong { .. })
                | RequestError::Query(QueryError::TooLong { .. }),
            )
            | Self::Form(FormError::TooLarge { .. }) => "too-long",
            Self::Request(_) | Self::Form(FormError::NotAForm | FormError::Incomplete) => "invalid",
            Self::Token(TokenError::Missing) => "login",
            Self::Token(_) if self.status() == StatusCode::SERVICE_UNAVAILABLE => "transient",
            Self::Token(_) => "security",
            Self::Form(FormError::Slow) => "timeout",
            Self::Upstream(e) => e.issue(),
        }
    }

    /// `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1): with 401, and wherever the token or its scopes
    /// are the reason. Where proofs are looked at, `algorithms` says what they may be signed with.
    fn challenges(&self, realm: &str, algorithms: Option<&[JwsAlg]>) -> Vec<String> {
        let (error, scope) = match self {
            Self::Token(TokenError::Ended { code }) if *code == UNKNOWN => return Vec::new(),
            Self::Token(e) => (e.oauth_error(), None),
            Self::Request(RequestError::TokenInQuery) => (Some("invalid_request"), None),
            Self::Scope(e) => (Some("insufficient_scope"), Some(e.needed())),
            _ => return Vec::new(),
        };
        let mut details = String::new();
        if let Some(error) = error {
            details.push_str(&format!(
                ", error=\"{error}\", error_description=\"{}\"",
                quotable(&self.to_string())
            ));
        }
        if let Some(scope) = scope {
            details.push_str(&format!(", scope=\"{scope}\""));
        }
        let bearer = format!("Bearer realm=\"{realm}\"");
        let Some(algorithms) = algorithms else {
            return vec![bearer + &details];
        };
        let algorithms: Vec<_> = algorithms.iter().map(|alg| alg.as_str()).collect();
        let dpop = format!("DPoP realm=\"{realm}\", algs=\"{}\"", algorithms.join(" "));
        match self {
            Self::Token(TokenError::Binding(e)) if e.is_about_proofs() => vec![dpop + &details],
            _ => vec![bearer + &details, dpop],
        }
    }

    /// The answer. `realm` is the base URL.
    pub(crate) fn into_response(self, realm: &str, algorithms: Option<&[JwsAlg]>) -> Response {
        let challenges = self.challenges(realm, algorithms);
        let status = self.status();
        let mut response = OperationOutcome {
            status,
            issue: self.issue(),
            code: self.code(),
            diagnostics: self.to_string(),
        }
        .into_response();
        for challenge in challenges {
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                let headers = response.headers_mut();
                headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
        }
        response
    }
}

/// The characters that RFC 6750 §3 allows in `error_description`.
fn quotable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\\' => '\'',
            '…' => '.',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}
