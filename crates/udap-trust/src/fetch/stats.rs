//! How often something was fetched, and how often in vain: for metrics, by kind alone, since URLs are by
//! strangers.

use super::Kind;
use std::sync::atomic::{AtomicU64, Ordering};

/// What this process fetched of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchCounts {
    /// `api`, `crl`, `ocsp`, `issuer`, `status`, `keys` or `document`.
    pub kind: &'static str,
    /// Answered as hoped for.
    pub good: u64,
    /// Refused, not to be had, or answered with something else.
    pub failed: u64,
}

/// The counters of this process, for every kind.
#[must_use]
pub fn counts() -> [FetchCounts; 7] {
    KINDS.map(|kind| {
        let [good, failed] = &COUNTS[index(kind)];
        FetchCounts {
            kind: name(kind),
            good: good.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
        }
    })
}

pub(super) fn count(kind: Kind, good: bool) {
    COUNTS[index(kind)][usize::from(!good)].fetch_add(1, Ordering::Relaxed);
}

static COUNTS: [[AtomicU64; 2]; 7] = [const { [AtomicU64::new(0), AtomicU64::new(0)] }; 7];

const KINDS: [Kind; 7] = [
    Kind::Api,
    Kind::Crl,
    Kind::Ocsp,
    Kind::Issuer,
    Kind::Status,
    Kind::Keys,
    Kind::Document,
];

const fn index(kind: Kind) -> usize {
    match kind {
        Kind::Api | Kind::Administration => 0,
        Kind::Crl => 1,
        Kind::Ocsp => 2,
        Kind::Issuer => 3,
        Kind::Status => 4,
        Kind::Keys => 5,
        Kind::Document => 6,
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Api | Kind::Administration => "api",
        Kind::Crl => "crl",
        Kind::Ocsp => "ocsp",
        Kind::Issuer => "issuer",
        Kind::Status => "status",
        Kind::Keys => "keys",
        Kind::Document => "document",
    }
}
