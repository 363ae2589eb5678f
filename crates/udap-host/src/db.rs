//! The database: SQLite embedded, one portable SQL text (`$1` placeholders, BIGINT for booleans
//! and times, BLOB for bytes).

use std::path::Path;

use sqlx::{Any, AnyPool, Transaction};

/// A database with its schema up to date. Cheap to clone, usable from every worker.
#[derive(Clone, Debug)]
pub struct Db {
    readers: AnyPool,
}

/// One step of a role's schema. Never edited once released; the list only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// 1, 2, 3 … without gaps.
    pub version: i64,
    /// What it does, for `schema_migrations` and for messages.
    pub name: &'static str,
    /// One or more statements, all applied in one transaction.
    pub sql: &'static str,
}

impl Db {
    /// Opens or makes the SQLite file (0600, its directory 0700 when made) and applies what is
    /// missing of `migrations`, all in one transaction.
    pub async fn open(_path: &Path, _migrations: &[Migration]) -> Result<Self, DbError> {
        todo!()
    }

    /// For reads: several connections, never blocked by the writer.
    pub fn reader(&self) -> &AnyPool {
        &self.readers
    }

    /// The one write transaction at a time. Waits for its turn; takes the write lock at once, so
    /// what it reads cannot change before it commits. Dropped without commit, it rolls back.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, DbError> {
        todo!()
    }

    /// Waits for the running write, checkpoints and closes.
    pub async fn close(&self) {
        todo!()
    }
}

/// Why the database does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    #[error("the disk that holds {path} is full")]
    DiskFull { path: String },
    /// Anything else; a bug or a broken disk. The text stays in the log.
    #[error("database error: {detail}")]
    Other { detail: String },
}

impl DbError {
    pub fn code(&self) -> &'static str {
        todo!()
    }
    pub fn hint(&self) -> String {
        todo!()
    }
}

/// `?` on a query turns sqlx's error into a sentence with a code.
impl From<sqlx::Error> for DbError {
    fn from(_error: sqlx::Error) -> Self {
        todo!()
    }
}
