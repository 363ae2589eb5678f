//! The database: SQLite embedded for one process, PostgreSQL for several, in one SQL text for both
//! (`$1` placeholders, BIGINT for booleans and times, BLOB for bytes; see [`Migration::sql`]).
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
mod location;
mod migrate;
mod open;
mod postgres;
mod reader;

use std::{path::Path, sync::Arc};

pub use sqlx;
use sqlx::{Any, AnyConnection, AnyPool, PgPool, Transaction};
use tokio::task::JoinHandle;

pub use self::{
    error::DbError,
    location::{Location, PostgresUrl},
    migrate::{Migration, Schema},
    reader::Reader,
};

/// A database with its schema up to date. Cheap to clone, usable from every worker.
#[derive(Clone, Debug)]
pub struct Db {
    readers: Reader,
    writer: AnyPool,
    /// PostgreSQL's own driver, if that is what it is.
    postgres: Option<PgPool>,
}

/// What opening does about a schema that is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migrate {
    /// Brings it up to date.
    #[default]
    Apply,
    /// Refuses.
    Check,
}

impl Db {
    /// Opens or makes the SQLite file (0600, directories made for it 0700) and applies what is
    /// missing of `migrations`, all in one transaction: after a kill the schema is the one before
    /// or the one after.
    pub async fn open(path: &Path, migrations: &[Migration]) -> Result<Self, DbError> {
        let db = Self::connect_file(path).await?;
        migrate::migrate(&db, migrations, Migrate::Apply).await?;
        Ok(db)
    }

    /// The same where the configuration says which database it is. Of several nodes that start at the
    /// same time one applies what is missing, and the others wait for it.
    pub async fn open_at(
        location: &Location,
        migrations: &[Migration],
        migrate: Migrate,
    ) -> Result<Self, DbError> {
        let db = Self::connect(location).await?;
        migrate::migrate(&db, migrations, migrate).await?;
        Ok(db)
    }

    /// Opens a database that is there already, whatever its schema, and leaves it as it is: for tools
    /// that look into the database of a running server.
    pub async fn open_existing(location: &Location) -> Result<Self, DbError> {
        match location {
            Location::File(path) if !path.exists() => Err(DbError::Missing {
                path: path.to_owned(),
            }),
            location => Self::connect(location).await,
        }
    }

    async fn connect(location: &Location) -> Result<Self, DbError> {
        match location {
            Location::File(path) => Self::connect_file(path).await,
            Location::Server(url) => {
                let opened = postgres::open(url).await?;
                Ok(Self {
                    readers: Reader {
                        pool: opened.readers,
                        home: Some(opened.home),
                    },
                    writer: opened.writer,
                    postgres: Some(opened.own),
                })
            }
        }
    }

    async fn connect_file(path: &Path) -> Result<Self, DbError> {
        let (pool, writer) = open::open(path).await?;
        Ok(Self {
            readers: Reader { pool, home: None },
            writer,
            postgres: None,
        })
    }

    /// For reads: several connections, never blocked by the writer, each seeing the last commit.
    /// A write through it is an error.
    pub fn reader(&self) -> &Reader {
        &self.readers
    }

    /// The one write transaction at a time, of all processes that share the database. Waits for its
    /// turn first, so what it reads cannot change before it commits. Dropped without commit, it rolls
    /// back.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, DbError> {
        let Some(home) = &self.readers.home else {
            return Ok(self.writer.begin_with(open::BEGIN_WRITE).await?);
        };
        let begun = home.within(Box::pin(async {
            let mut write = self.writer.begin().await?;
            sqlx::raw_sql(postgres::TAKE_TURN)
                .execute(&mut *write)
                .await?;
            Ok(write)
        }));
        begun
            .await
            .map_err(|error| reader::timed_out(&self.writer, error).into())
    }

    /// A transaction that only adds rows, which nobody decides by: where several processes share the
    /// database it waits for nobody's turn.
    pub async fn append(&self) -> Result<Transaction<'static, Any>, DbError> {
        let Some(home) = &self.readers.home else {
            return self.write().await;
        };
        home.within(Box::pin(self.writer.begin()))
            .await
            .map_err(|error| reader::timed_out(&self.writer, error).into())
    }

    /// Whether other processes may write too, so that what is remembered of it may be out of date.
    pub fn is_shared(&self) -> bool {
        self.postgres.is_some()
    }

    /// For what only PostgreSQL can do, if that is what it is.
    pub fn postgres(&self) -> Option<Postgres<'_>> {
        let (pool, home) = (self.postgres.as_ref()?, self.readers.home.as_ref()?);
        let readers = &self.readers.pool;
        Some(Postgres {
            pool,
            home,
            readers,
        })
    }

    /// How far the schema is.
    pub async fn schema(&self, migrations: &[Migration]) -> Result<Schema, DbError> {
        migrate::schema(self, migrations).await
    }

    /// Waits for connections in use, then closes; the last to close empties SQLite's log file.
    pub async fn close(&self) {
        self.readers.pool.close().await;
        self.writer.close().await;
        if let Some(postgres) = &self.postgres {
            postgres.close().await;
        }
    }
}

/// PostgreSQL's own driver.
#[derive(Clone, Copy, Debug)]
pub struct Postgres<'a> {
    pool: &'a PgPool,
    home: &'a Arc<reader::Home>,
    readers: &'a AnyPool,
}

impl Postgres<'_> {
    /// Does something with a connection.
    pub async fn run<T, F: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        work: impl FnOnce(PgPool) -> F,
    ) -> Result<T, DbError> {
        Ok(self.home.within(Box::pin(work(self.pool.clone()))).await?)
    }

    /// A connection for reads that is nobody else's: whoever has it waits behind no request.
    pub async fn connect(&self) -> Result<AnyConnection, DbError> {
        let options = self.readers.connect_options();
        Ok(self
            .home
            .within(Box::pin(postgres::reader(&options)))
            .await?)
    }

    /// Starts what runs beside requests, on the thread of the database.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let _home = self.home.enter();
        tokio::spawn(task)
    }
}
