//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};
use udap_pki::UnixTime;

/// The time now. A clock before 1970 reads as 1970, at which no certificate is valid.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
pub fn now() -> UnixTime {
    let secs = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    UnixTime(i64::try_from(secs).unwrap_or(i64::MAX))
}
