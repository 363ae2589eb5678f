use std::path::{Path, PathBuf};

use sqlx::{error::ErrorKind, postgres::PgDatabaseError, sqlite::SqliteError};

use super::PostgresUrl;

/// Why the database does not serve. `Display` is for the log and the terminal of the operator,
/// never for a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    #[error("the database {} cannot be opened for writing: {detail}", path.display())]
    Unwritable { path: PathBuf, detail: String },
    #[error("there is no database at {}", path.display())]
    Missing { path: PathBuf },
    #[error("{} is not a database", path.display())]
    NotADatabase { path: PathBuf },
    #[error("the database does not answer: {detail}")]
    Unreachable { detail: String },
    #[error("the database does not let this program in: {detail}")]
    Denied { detail: String },
    #[error("the database server does not prove who it is: {detail}")]
    Untrusted { detail: String },
    #[error("the database server has no database {server}")]
    NotCreated { server: String },
    #[error("a text cannot be stored: {detail}")]
    Text { detail: String },
    #[error("the disk that holds the database is full")]
    DiskFull,
    #[error("the database cannot be written: it is read-only")]
    ReadOnly,
    #[error("the database is damaged: {detail}")]
    Damaged { detail: String },
    #[error("the disk that holds the database fails: {detail}")]
    Disk { detail: String },
    #[error("another process holds the database")]
    Busy,
    #[error("too many requests wait for the database")]
    Overloaded,
    #[error("the database is closed")]
    Closed,
    #[error("the database has schema version {found}; this program needs {known}")]
    SchemaBehind { found: i64, known: i64 },
    #[error("the database has schema version {found}; this program knows versions up to {known}")]
    SchemaNewer { found: i64, known: i64 },
    #[error(
        "the database belongs to something else: its schema version {version} is `{found}`, not `{expected}`"
    )]
    SchemaForeign {
        version: i64,
        found: String,
        expected: &'static str,
    },
    #[error("schema version {version} ({name}) cannot be applied: {detail}")]
    Migration {
        version: i64,
        name: &'static str,
        detail: String,
    },
    /// A row with this key is there already. Callers that expect it match on it.
    #[error("a row with the same key exists: {detail}")]
    Conflict { detail: String },
    #[error("database error: {detail}")]
    Other { detail: String },
}

impl DbError {
    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unwritable { .. } => "database-unwritable",
            Self::Missing { .. } | Self::NotCreated { .. } => "database-missing",
            Self::Unreachable { .. } => "database-unreachable",
            Self::Denied { .. } => "database-denied",
            Self::Untrusted { .. } => "database-untrusted",
            Self::Text { .. } => "database-text",
            Self::NotADatabase { .. } => "database-not-recognised",
            Self::DiskFull => "disk-full",
            Self::ReadOnly => "database-read-only",
            Self::Damaged { .. } => "database-damaged",
            Self::Disk { .. } => "disk-failing",
            Self::Busy => "database-busy",
            Self::Overloaded => "database-overloaded",
            Self::Closed => "database-closed",
            Self::SchemaBehind { .. } => "database-behind",
            Self::SchemaNewer { .. } => "database-newer",
            Self::SchemaForeign { .. } => "database-foreign",
            Self::Migration { .. } => "database-migration-failed",
            Self::Conflict { .. } => "database-conflict",
            Self::Other { .. } => "database-error",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        crate::catalogue::hint(self.code()).to_owned()
    }

    pub(super) fn at_connect(url: &PostgresUrl, error: sqlx::Error) -> Self {
        match (state(&error).as_deref(), error) {
            (Some("3D000"), _) => Self::NotCreated {
                server: url.to_string(),
            },
            (_, sqlx::Error::Configuration(detail)) => Self::Denied {
                detail: detail.to_string(),
            },
            (_, error) => error.into(),
        }
    }

    pub(super) fn at_open(path: &Path, error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(NOTADB) => Self::NotADatabase {
                path: path.to_owned(),
            },
            Some(CANTOPEN | PERM | AUTH) => Self::Unwritable {
                path: path.to_owned(),
                detail: error.to_string(),
            },
            _ => match error {
                sqlx::Error::Configuration(detail) => Self::Unwritable {
                    path: path.to_owned(),
                    detail: detail.to_string(),
                },
                error => error.into(),
            },
        }
    }
}

/// `?` on a query turns sqlx's error into a sentence with a code.
impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let detail = error.to_string();
        match primary_code(&error) {
            Some(FULL) => return Self::DiskFull,
            Some(READONLY) => return Self::ReadOnly,
            Some(CORRUPT | NOTADB) => return Self::Damaged { detail },
            Some(IOERR | CANTOPEN) => return Self::Disk { detail },
            Some(BUSY | LOCKED) => return Self::Busy,
            _ => {}
        }
        if let Some(state) = state(&error) {
            match state.as_str() {
                "53100" => return Self::DiskFull,
                "25006" => return Self::ReadOnly,
                "XX001" | "XX002" => return Self::Damaged { detail },
                "58030" => return Self::Disk { detail },
                // Serialization failure, deadlock, no lock in time, a statement that took too long.
                "40001" | "40P01" | "55P03" | "57014" => return Self::Busy,
                "53300" => return Self::Overloaded,
                "42501" => return Self::Denied { detail },
                "22021" | "22P05" => return Self::Text { detail },
                // Shut down by the operator, after a crash, or not up yet; ended for idling.
                "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => {
                    return Self::Unreachable { detail };
                }
                state if state.starts_with("28") => return Self::Denied { detail },
                state if state.starts_with("08") => return Self::Unreachable { detail },
                _ => {}
            }
        }
        match error {
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
                Self::Unreachable { detail }
            }
            sqlx::Error::Tls(_) => Self::Untrusted { detail },
            sqlx::Error::PoolTimedOut => Self::Overloaded,
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Database(error) if error.kind() == ErrorKind::UniqueViolation => {
                Self::Conflict { detail }
            }
            _ => Self::Other { detail },
        }
    }
}

/// PostgreSQL's code of five letters and digits (PostgreSQL, appendix A).
fn state(error: &sqlx::Error) -> Option<String> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code().to_owned())
}

/// The result code of SQLite without its extension (<https://sqlite.org/rescode.html>).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<SqliteError>()?;
    let code: u32 = sqlx::error::DatabaseError::code(error)?.parse().ok()?;
    Some(code & 0xff)
}

const PERM: u32 = 3;
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const AUTH: u32 = 23;
const NOTADB: u32 = 26;
