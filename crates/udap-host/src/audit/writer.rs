use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    Event, Who, store,
    strangers::{First, Strangers},
};
use crate::db::{Db, DbError};
use crate::metrics::Events;

/// What callers and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) capacity: usize,
    pub(super) state: Mutex<State>,
    /// The queue is no longer empty, or the trail was closed.
    pub(super) wake: Notify,
    /// Somebody waits for the writer: do not gather.
    pub(super) hurry: Notify,
    /// The queue has room again.
    pub(super) space: Notify,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) strangers: Strangers,
    pub(super) events: Events,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queue: VecDeque<Entry>,
    /// When the newest entry was.
    pub(super) last: i64,
    pub(super) recorded: u64,
    pub(super) closed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) written: u64,
    pub(super) failures: u64,
    /// Why the last attempt failed; `None` after one that did not.
    pub(super) error: Option<DbError>,
    /// There will be no further attempt.
    pub(super) ended: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// Microseconds since 1970.
    pub(super) at: i64,
    pub(super) who: Who,
    pub(super) event: Event,
}

impl Entry {
    pub(super) fn now(who: Who, event: Event) -> Self {
        Self {
            at: now(),
            who,
            event,
        }
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// When an entry was that comes after another: no two are at the same time, by which readers turn pages. A
/// clock that was set back by more is believed.
const fn after(last: i64, at: i64) -> i64 {
    if at <= last && at >= last - NEAR {
        last + 1
    } else {
        at
    }
}

impl Shared {
    /// One lock, one move; the writer is woken only by the first entry of a batch, since waking
    /// a thread is a system call.
    #[expect(
        clippy::result_large_err,
        reason = "a full queue gives the entry back, unboxed"
    )]
    pub(super) fn push(&self, entry: Entry) -> Result<(), Entry> {
        let state = self.lock();
        if state.queue.len() >= self.capacity {
            drop(state);
            self.hurry.notify_one();
            return Err(entry);
        }
        self.queue(state, entry);
        Ok(())
    }

    fn queue(&self, mut state: MutexGuard<'_, State>, mut entry: Entry) {
        entry.at = after(state.last, entry.at);
        state.last = entry.at;
        let first = state.queue.is_empty();
        state.queue.push_back(entry);
        state.recorded += 1;
        drop(state);
        if first {
            self.wake.notify_one();
        }
    }

    /// Whether it is a refusal of a stranger that is counted and not written.
    pub(super) fn counts(&self, entry: &Entry) -> bool {
        let counted = self.strangers.count(entry);
        if counted.is_some() {
            self.observe(entry);
        }
        // The writer looks how long it may sleep.
        if counted == Some(First(true)) {
            self.wake.notify_one();
        }
        counted.is_some()
    }

    /// Queues what was counted. A few entries, for which there is always room.
    pub(super) fn push_counts(&self) {
        for entry in self.strangers.entries() {
            self.queue(self.lock(), entry);
        }
    }

    fn observe(&self, entry: &Entry) {
        let code = entry.event.refusal().map_or("", |refusal| refusal.code);
        self.events
            .observe(entry.event.name(), code, entry.who.duration);
    }

    /// A panic elsewhere does not stop the audit trail: the queue is whole between any two steps.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, error: DbError) {
        self.progress.send_modify(|progress| {
            progress.failures += 1;
            progress.error = Some(error);
        });
    }
}

/// The writer's thread.
pub(super) fn run(db: &Db, shared: &Shared) {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(write(db, shared)),
        Err(error) => shared.failed(DbError::Other {
            detail: format!("no audit thread: {error}"),
        }),
    }
    shared.progress.send_modify(|progress| {
        progress.ended = true;
        progress.error.get_or_insert(DbError::Closed);
    });
}

async fn write(db: &Db, shared: &Shared) {
    loop {
        let due = shared.strangers.due_in(now());
        let woken = shared.wake.notified();
        match due {
            Some(due) => drop(tokio::time::timeout(due, woken).await),
            None => woken.await,
        }
        let _ = tokio::time::timeout(GATHER, shared.hurry.notified()).await;
        loop {
            let due = shared.strangers.due_in(now());
            if due.is_some_and(|due| due.is_zero() || shared.lock().closed) {
                shared.push_counts();
            }
            let (batch, closed) = {
                let mut state = shared.lock();
                let count = state.queue.len().min(BATCH);
                let batch: Vec<_> = state.queue.drain(..count).collect();
                (batch, state.closed)
            };
            if batch.is_empty() {
                if closed {
                    return;
                }
                break;
            }
            shared.space.notify_waiters();
            for entry in &batch {
                shared.observe(entry);
            }
            let full = batch.len() == BATCH;
            if !persist(db, shared, batch, closed).await {
                return;
            }
            // What came meanwhile is the beginning of the next batch: a commit right away would be
            // one for a handful of entries, again and again.
            if !full && !closed && !shared.lock().queue.is_empty() {
                let _ = tokio::time::timeout(GATHER, shared.hurry.notified()).await;
            }
        }
    }
}

/// Writes a batch, however long it takes; `false` if the trail was closed and it cannot be.
async fn persist(db: &Db, shared: &Shared, batch: Vec<Entry>, mut closed: bool) -> bool {
    let mut told = false;
    loop {
        match store::insert(db, &batch).await {
            Ok(()) => {
                if told {
                    tracing::info!("audit entries are being written again");
                }
                shared.progress.send_modify(|progress| {
                    progress.written += batch.len() as u64;
                    progress.error = None;
                });
                return true;
            }
            Err(error) => {
                if !told {
                    tracing::error!(code = error.code(), %error, "audit entries cannot be written; they are kept");
                    told = true;
                }
                shared.failed(error);
            }
        }
        if closed {
            tracing::error!(
                entries = batch.len(),
                "audit entries are lost: the process ends"
            );
            return false;
        }
        let _ = tokio::time::timeout(RETRY, shared.hurry.notified()).await;
        closed = shared.lock().closed;
    }
}

/// How long the writer gathers entries after the first: one commit then serves hundreds, and so
/// long an entry may be lost to a kill -9.
pub const GATHER: Duration = Duration::from_millis(50);

/// Entries of one transaction, and so also what is held in memory beyond the queue's capacity while
/// the database does not take it: the write lock is held for some 10 ms.
const BATCH: usize = 2_000;

/// Microseconds by which entries of several threads come out of order, or a clock goes back that is only set
/// right: by time servers, or when a virtual machine goes on.
const NEAR: i64 = 2_000_000;

/// Between attempts while the database does not take entries.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_an_order_also_while_a_clock_is_set_right() {
        const LAST: i64 = 1_796_000_000_000_000;
        for (at, expected) in [
            (LAST + 1, LAST + 1),
            (LAST + 3_600_000_000, LAST + 3_600_000_000),
            (LAST, LAST + 1),
            (LAST - 1, LAST + 1),
            (LAST - 30_000, LAST + 1),
            (LAST - 2_000_000, LAST + 1),
            // Somebody set it, and knows why.
            (LAST - 2_000_001, LAST - 2_000_001),
            (LAST - 3_600_000_000, LAST - 3_600_000_000),
        ] {
            assert_eq!(after(LAST, at), expected, "{}", at - LAST);
        }
    }
}
