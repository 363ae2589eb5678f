use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// What the listeners of this process have seen; `metrics` exports it.
#[derive(Debug, Default)]
pub struct Stats {
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    reloads: AtomicU64,
    reloads_failed: AtomicU64,
}

/// The counters of this process.
pub fn stats() -> &'static Stats {
    static STATS: Stats = Stats {
        open: AtomicUsize::new(0),
        accepted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        handshakes_failed: AtomicU64::new(0),
        reloads: AtomicU64::new(0),
        reloads_failed: AtomicU64::new(0),
    };
    &STATS
}

impl Stats {
    /// Connections open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed on arrival because too many were open.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed or took too long.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// TLS certificates taken from changed files.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// Changed files that could not be used, so that the certificate before them stays.
    pub fn reloads_failed(&self) -> u64 {
        self.reloads_failed.load(Ordering::Relaxed)
    }

    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reloaded(&self) {
        self.reloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reload_failed(&self) {
        self.reloads_failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The connections of one listener. Each listener has its own, so that whoever fills one port keeps
/// nobody from another.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Arc<AtomicUsize>);

impl Slots {
    /// A place among `max` connections, given back when dropped.
    pub(super) fn take(&self, max: usize) -> Option<Slot> {
        // Counted first: two workers must not both take the last place.
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        stats().open.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(&self.0));
        if taken >= max {
            stats().refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        stats().accepted.fetch_add(1, Ordering::Relaxed);
        Some(slot)
    }
}

#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        stats().open.fetch_sub(1, Ordering::Relaxed);
    }
}
