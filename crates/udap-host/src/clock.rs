//! The time of this process.

use std::time::SystemTime;

use udap_pki::UnixTime;

/// Now, in whole seconds. A clock before 1970 counts as 1970: every certificate is then refused.
pub fn now() -> UnixTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
