//! The audit trail: who did what, and why it was allowed or refused.
//!
//! Apart from logs, complete, and in the database: [`Audit::record`] puts an event into memory,
//! one writer thread commits what came within [`GATHER`] in one transaction. A kill -9 loses at
//! most that; [`Audit::flush`] is for whoever must know, and a role ends with [`Audit::finish`]. When the database does not take entries,
//! they wait, and once the memory is full so do callers: an entry is never dropped. Refusals that anybody can
//! cause are written one by one up to a number in a minute, and counted beyond ([`Event::RefusalsCounted`]).
//!
//! Invariant: no token, no assertion, no patient data. The typed [`Event`] has no field for them.
//!
//! ```no_run
//! # async fn example(db: udap_host::db::Db) {
//! use udap_host::audit::{Audit, Event, Refusal, Who};
//!
//! let audit = Audit::start(db);
//! let who = Who { community: Some("https://community.example".into()), ..Who::default() };
//! let refusal = Refusal { code: "certificate-revoked", detail: "revoked since …".to_owned() };
//! audit.record(who, Event::TokenRefused(refusal)).await;
//! # }
//! ```

mod event;
mod fhir;
mod store;
mod strangers;
mod writer;

use std::sync::Arc;

use tokio::sync::{Notify, watch};

pub use self::{
    event::{Action, Event, Refusal, Who, jti_hash},
    fhir::audit_event,
    store::{
        CodeCount, Filter, MOST_EXAMINED, More, Recent, Record, entries, migration, prune, recent,
        refusals_by_code,
    },
    writer::GATHER,
};
use self::{
    strangers::Strangers,
    writer::{Entry, Shared, State},
};
use crate::db::{Db, DbError};
use crate::metrics::Events;

/// Takes events and writes them in batches. Cheap to clone, usable from every worker.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
    /// When the last clone goes, the writer writes what is left and ends.
    _open: Arc<Open>,
}

impl Audit {
    /// Starts the one writer, on a thread of its own, so that it runs whatever the caller does.
    /// The schema of `db` must contain [`migration`].
    pub fn start(db: Db) -> Self {
        let audit = Self::new(CAPACITY);
        let shared = audit.shared.clone();
        let thread = std::thread::Builder::new()
            .name("udap-audit".to_owned())
            .spawn(move || writer::run(&db, &shared));
        if let Err(error) = thread {
            audit.shared.failed(DbError::Other {
                detail: format!("no audit thread: {error}"),
            });
        }
        audit
    }

    /// Keeps events in memory and never writes: for tests, see [`Audit::recorded`].
    pub fn in_memory() -> Self {
        Self::new(UNBOUNDED)
    }

    fn new(capacity: usize) -> Self {
        let shared = Arc::new(Shared {
            capacity,
            state: std::sync::Mutex::new(State::default()),
            wake: Notify::new(),
            hurry: Notify::new(),
            space: Notify::new(),
            progress: watch::Sender::default(),
            strangers: Strangers::new(),
            events: Events::default(),
        });
        Self {
            _open: Arc::new(Open(shared.clone())),
            shared,
        }
    }

    /// Queues an event. Ready at once unless the queue is full: then it waits for the writer and
    /// so holds back the caller.
    pub async fn record(&self, who: Who, event: Event) {
        let mut entry = Entry::now(who, event);
        if self.shared.capacity != UNBOUNDED && self.shared.counts(&entry) {
            return;
        }
        loop {
            // Asked for before looking, so that space made in between is not missed.
            let space = self.shared.space.notified();
            match self.shared.push(entry) {
                Ok(()) => return,
                Err(full) => entry = full,
            }
            space.await;
        }
    }

    /// Returns when everything recorded before is in the database, or says why it is not. What
    /// was not written is kept and tried again.
    pub async fn flush(&self) -> Result<(), DbError> {
        if self.shared.capacity == UNBOUNDED {
            return Ok(());
        }
        let target = self.shared.lock().recorded;
        let mut progress = self.shared.progress.subscribe();
        let failures = progress.borrow_and_update().failures;
        self.shared.hurry.notify_one();
        loop {
            {
                let progress = progress.borrow_and_update();
                if progress.written >= target {
                    return Ok(());
                }
                if let Some(error) = progress
                    .error
                    .as_ref()
                    .filter(|_| progress.failures > failures || progress.ended)
                {
                    return Err(error.clone());
                }
            }
            if progress.changed().await.is_err() {
                return Err(DbError::Closed);
            }
        }
    }

    /// [`Self::flush`] for the last time: refusals that were counted are written too, though their minute is not
    /// over.
    pub async fn finish(&self) -> Result<(), DbError> {
        self.shared.push_counts();
        self.flush().await
    }

    /// Why entries are not being written at the moment, if so: for `/readyz`, and for a role that
    /// rather answers 503 than act without an audit trail.
    pub fn trouble(&self) -> Option<DbError> {
        self.shared.progress.borrow().error.clone()
    }

    /// The same, counted.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// What an [`in_memory`](Self::in_memory) audit has recorded, in order.
    pub fn recorded(&self) -> Vec<(Who, Event)> {
        let state = self.shared.lock();
        state
            .queue
            .iter()
            .map(|entry| (entry.who.clone(), entry.event.clone()))
            .collect()
    }
}

#[derive(Debug)]
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake.notify_one();
        self.0.hurry.notify_one();
    }
}

/// An audit in memory has no writer that would make room.
const UNBOUNDED: usize = usize::MAX;

/// Entries in memory: some 400 bytes each, so 8 MiB, and two seconds of the highest load that one
/// core serves.
const CAPACITY: usize = 20_000;
