//! A name for a request: in the answer, in the audit trail, in the log, and at the FHIR server behind. Whoever
//! was refused tells it, and whoever is on call finds why.

use std::{
    fmt::Write as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Where it stands in a request and in its answer (FHIR R4 §3.1.0.1.9).
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The client's name for its request, if it has one that is short and plain, or else the next of ours.
pub fn of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    given
        .filter(|name| is_plain(name))
        .map_or_else(next, Arc::from)
}

/// Puts it among the headers of a request or an answer, in place of what stands there.
pub fn put(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HEADER, value);
    }
}

/// An answer with the name of its request.
pub fn named(mut answer: Response, id: Option<&str>) -> Response {
    if let Some(id) = id {
        put(answer.headers_mut(), id);
    }
    answer
}

/// A stranger's word that goes into logs, tables and headers of others.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=MAX_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

/// A UUID has 36.
const MAX_BYTES: usize = 64;

/// The next name, unique over restarts and nodes. It tells nothing but the order of requests, and
/// costs no randomness.
fn next() -> Arc<str> {
    static START: LazyLock<String> =
        LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string()[..12].to_owned());
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut name = String::with_capacity(START.len() + 9);
    let _ = write!(
        name,
        "{}-{:x}",
        *START,
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    name.into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names_differ_and_share_their_start() {
        let (one, two) = (next(), next());
        assert_ne!(one, two);
        assert_eq!(one.split('-').next(), two.split('-').next());
    }

    #[test]
    fn a_client_names_its_request_shortly_and_plainly_or_not_at_all() {
        let given = |name: &str| {
            let value = HeaderValue::from_bytes(name.as_bytes()).unwrap();
            let id = of(&HeaderMap::from_iter([(HEADER, value)]));
            *id == *name
        };
        assert!(given("5c9f2a6e-6f0e-4a63-9d6b-0a7e4f1c2d3e"));
        assert!(given("a_b.c:1"));
        assert!(given(&"a".repeat(64)));
        assert!(!given(&"a".repeat(65)));
        for other in ["", "a b", "a\"b", "a\tb", "a%b", "<a>", "ä"] {
            assert!(!given(other), "{other}");
        }
        assert!(!of(&HeaderMap::new()).is_empty());
    }
}
