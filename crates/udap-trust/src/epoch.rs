//! The trust epoch: a number that rises whenever something that verdicts rest upon has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shared by whoever keeps verdicts and whoever changes what they rest upon. A verdict of an older
/// epoch is not believed; it is reached again.
#[derive(Debug, Clone, Default)]
pub struct Epoch(Arc<AtomicU64>);

impl Epoch {
    /// The epoch now.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
    /// Begins the next one: anchors, policy, a CRL, an OCSP response or an event changed.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
