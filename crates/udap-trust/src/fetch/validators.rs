//! Conditional requests: what has not changed is not sent again.

use http::{HeaderMap, HeaderValue, header};

/// By what a server knows that an answer has not changed (RFC 9110 §13.1).
#[derive(Debug, Clone, Default)]
pub struct Validators {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Validators {
    /// Of an answer.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            etag: headers.get(header::ETAG).cloned(),
            modified: headers.get(header::LAST_MODIFIED).cloned(),
        }
    }

    /// The headers of the next request.
    #[must_use]
    pub fn conditions(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::IF_NONE_MATCH, self.etag),
            (header::IF_MODIFIED_SINCE, self.modified),
        ] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        headers
    }
}
