//! The audit trail: who did what, and why it was allowed or refused. Apart from logs; never a
//! token, an assertion or patient data.

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::db::{Db, DbError, Migration};

/// Schema of the audit trail; a role puts it among its own migrations or opens a database for it.
pub const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "audit trail",
        sql: "",
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    RegistrationCreated,
    RegistrationModified,
    RegistrationCancelled,
    RegistrationRefused(Refusal),
    TokenIssued {
        scope: Arc<str>,
        purpose_of_use: Vec<String>,
    },
    TokenRefused(Refusal),
    /// `interaction` is `read Patient` or `search Observation`: a type, never an id or a query.
    AccessAllowed {
        interaction: String,
        status: u16,
    },
    AccessRefused {
        interaction: String,
        refusal: Refusal,
    },
    /// Certificates of this server: expired, about to, unreadable.
    CertificateTrouble(Refusal),
    /// The community's CA issued or revoked; `serial` in hex.
    CertificateIssued {
        serial: String,
        profile: String,
    },
    CertificateRevoked {
        serial: String,
        reason: String,
    },
    Started {
        version: String,
    },
    Stopped,
}

/// Why not: the stable code and the sentence that the peer also saw, or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub detail: String,
}

/// Who, from where, within which request. All optional: a refusal may know little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    pub community: Option<Arc<str>>,
    pub client_id: Option<Arc<str>>,
    /// The SAN URI registered or claimed.
    pub uri: Option<Arc<str>>,
    /// SHA-256 of the `jti`; see [`jti_hash`].
    pub jti: Option<[u8; 32]>,
    pub remote: Option<IpAddr>,
    pub request_id: Option<Arc<str>>,
    pub duration: Option<Duration>,
}

/// SHA-256 of a `jti`: finds an entry again without telling the value.
pub fn jti_hash(_jti: &str) -> [u8; 32] {
    todo!()
}

/// Takes events and writes them in batches. Cheap to clone, usable from every worker.
#[derive(Clone, Debug)]
pub struct Audit {}

impl Audit {
    /// Starts the one writer on the current tokio runtime, which must outlive the workers.
    pub fn start(_db: Db) -> Self {
        todo!()
    }

    /// An audit that keeps events in memory: for tests.
    pub fn in_memory() -> Self {
        todo!()
    }

    /// Queues an event. Ready at once unless the queue is full: then it waits for the writer
    /// (and so holds back the caller), because an entry is never dropped.
    pub async fn record(&self, _who: Who, _event: Event) {
        todo!()
    }

    /// Returns when everything recorded before is in the database, or says why it is not.
    pub async fn flush(&self) -> Result<(), DbError> {
        todo!()
    }
}
