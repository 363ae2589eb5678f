//! Why something was not fetched.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

/// Why something was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum FetchError {
    #[error("the URL `{url}` is refused: {why}")]
    Url { url: String, why: &'static str },
    #[error("the host `{host}` has the address {address}, which is not public")]
    Address { host: String, address: IpAddr },
    #[error("the host `{host}` cannot be resolved: {why}")]
    Resolve { host: String, why: String },
    #[error("no connection to `{host}`: {why}")]
    Connect { host: String, why: String },
    #[error("the TLS handshake with `{host}` failed: {why}")]
    Tls { host: String, why: String },
    #[error("`{url}` did not answer within {after:?}")]
    Timeout { url: String, after: Duration },
    #[error("`{url}` answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("the answer of `{url}` is larger than is read")]
    TooLarge { url: String },
    #[error("the exchange with `{url}` broke off: {why}")]
    Broken { url: String, why: String },
    #[error("there is no TLS root to rely on: {why}")]
    Roots { why: String },
}

impl FetchError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "url-refused",
            Self::Address { .. } => "address-not-public",
            Self::Resolve { .. } => "host-unknown",
            Self::Connect { .. } => "connection-failed",
            Self::Tls { .. } => "tls-failed",
            Self::Timeout { .. } => "fetch-timeout",
            Self::Status { .. } => "fetch-status",
            Self::TooLarge { .. } => "answer-too-large",
            Self::Broken { .. } => "exchange-broken",
            Self::Roots { .. } => "tls-roots-missing",
        }
    }

    pub(super) fn from_client(url: &str, error: &hyper_util::client::legacy::Error) -> Self {
        let mut source: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(e) = source {
            if let Some(ours) = e.downcast_ref::<Self>() {
                return ours.clone();
            }
            source = e.source();
        }
        Self::Broken {
            url: url.to_owned(),
            why: innermost(error),
        }
    }

    pub(super) fn from_body(url: &str, error: &(dyn Error + Send + Sync + 'static)) -> Self {
        if error.is::<http_body_util::LengthLimitError>() {
            return Self::TooLarge {
                url: url.to_owned(),
            };
        }
        Self::Broken {
            url: url.to_owned(),
            why: innermost(error),
        }
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
