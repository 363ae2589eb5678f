//! A name for a request: in the log, in the audit trail, in the answer.

use std::{
    fmt::Write as _,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The next name, unique over restarts and nodes. It tells nothing but the order of requests, and
/// costs no randomness.
pub fn next() -> Arc<str> {
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
    use super::*;

    #[test]
    fn names_differ_and_share_their_start() {
        let (one, two) = (next(), next());
        assert_ne!(one, two);
        assert_eq!(one.split('-').next(), two.split('-').next());
    }
}
