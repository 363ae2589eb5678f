//! The database: SQLite embedded, in the one SQL text that PostgreSQL also takes (`$1`
//! placeholders, BIGINT for booleans and times, BLOB for bytes).
//!
//! ```no_run
//! # async fn example() -> Result<(), udap_host::db::DbError> {
//! use udap_host::db::{Db, Migration, sqlx};
//!
//! const SCHEMA: &[Migration] = &[Migration {
//!     version: 1,
//!     name: "registrations",
//!     sql: "CREATE TABLE registration (uri TEXT NOT NULL PRIMARY KEY, active BIGINT NOT NULL)",
//! }];
//! let db = Db::open("state/udap.db".as_ref(), SCHEMA).await?;
//! let mut write = db.write().await?;
//! sqlx::query("INSERT INTO registration (uri, active) VALUES ($1, $2)")
//!     .bind("https://app.example")
//!     .bind(1_i64)
//!     .execute(&mut *write)
//!     .await?;
//! write.commit().await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod migrate;
mod open;

use std::{path::Path, sync::Arc};

pub use sqlx;
use sqlx::{Any, AnyPool, Transaction};

pub use self::{error::DbError, migrate::Migration};

/// A database with its schema up to date. Cheap to clone, usable from every worker.
#[derive(Clone, Debug)]
pub struct Db {
    path: Arc<Path>,
    readers: AnyPool,
    writer: AnyPool,
}

impl Db {
    /// Opens or makes the SQLite file (0600, directories made for it 0700) and applies what is
    /// missing of `migrations`, all in one transaction: after a kill the schema is the one before
    /// or the one after.
    pub async fn open(path: &Path, migrations: &[Migration]) -> Result<Self, DbError> {
        let db = Self::connect(path).await?;
        migrate::migrate(&db, migrations).await?;
        Ok(db)
    }

    /// Opens a file that is there already, whatever its schema, and leaves it as it is: for tools that
    /// look into the database of a running server.
    pub async fn open_existing(path: &Path) -> Result<Self, DbError> {
        if !path.exists() {
            return Err(DbError::Missing {
                path: path.to_owned(),
            });
        }
        Self::connect(path).await
    }

    async fn connect(path: &Path) -> Result<Self, DbError> {
        let (path, readers, writer) = open::open(path).await?;
        Ok(Self {
            path: path.into(),
            readers,
            writer,
        })
    }

    /// For reads: several connections, never blocked by the writer, each seeing the last commit.
    /// A write through it is an error.
    pub fn reader(&self) -> &AnyPool {
        &self.readers
    }

    /// The one write transaction at a time. Waits for its turn and takes the write lock at once,
    /// so what it reads cannot change before it commits. Dropped without commit, it rolls back.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, DbError> {
        Ok(self.writer.begin_with(open::BEGIN_WRITE).await?)
    }

    /// The file, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for connections in use, then closes; the last to close empties the log file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
