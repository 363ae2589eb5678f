//! How a published file is answered: conditional requests and caching (RFC 9110 §13, RFC 9111).

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    },
};
use udap_pki::UnixTime;

/// A file as it is published.
pub(crate) struct Publication {
    pub(crate) body: Bytes,
    pub(crate) content_type: &'static str,
    /// Changes whenever the body does.
    pub(crate) tag: String,
    pub(crate) modified: UnixTime,
    /// Seconds that a cache may answer with it unasked.
    pub(crate) max_age: i64,
    pub(crate) now: UnixTime,
}

impl Publication {
    /// 304 when the asker has this very file, 200 otherwise.
    pub(crate) fn answer(self, request: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", self.tag);
        let modified = http_date(self.modified);
        let unchanged = match (
            text(request, IF_NONE_MATCH.as_str()),
            text(request, IF_MODIFIED_SINCE.as_str()),
        ) {
            // RFC 9110 §13.1.3: If-Modified-Since counts only without If-None-Match.
            (Some(tags), _) => tags
                .split(',')
                .map(|one| one.trim().trim_start_matches("W/"))
                .any(|one| one == "*" || one == tag),
            (None, Some(since)) => since == modified,
            (None, None) => false,
        };
        let mut headers = HeaderMap::new();
        let mut put = |name, value: String| {
            // All values are made of ASCII here; one that is not would only be left out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        put(ETAG, tag);
        put(LAST_MODIFIED, modified);
        if self.max_age > 0 {
            put(
                CACHE_CONTROL,
                format!(
                    "public, max-age={}, must-revalidate, no-transform",
                    self.max_age
                ),
            );
            put(EXPIRES, http_date(self.now.plus_secs(self.max_age)));
        } else {
            put(CACHE_CONTROL, "no-cache".to_owned());
        }
        if unchanged {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        (StatusCode::OK, headers, self.body).into_response()
    }
}

/// `Tue, 24 Nov 2026 16:00:00 GMT`, RFC 9110 §5.6.7.
pub(crate) fn http_date(at: UnixTime) -> String {
    let date = at.to_civil();
    // 1 January 1970 was a Thursday.
    let weekday =
        WEEKDAYS[usize::try_from((at.0.div_euclid(86_400) + 4).rem_euclid(7)).unwrap_or(0)];
    let month = MONTHS[usize::from(date.month.clamp(1, 12)) - 1];
    format!(
        "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
        date.day, date.year, date.hour, date.minute, date.second
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(UnixTime(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            http_date(UnixTime(784_111_777)),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            http_date(UnixTime(1_795_536_000)),
            "Tue, 24 Nov 2026 16:00:00 GMT"
        );
    }
}
