//! PostgreSQL: its connections, and the runtime that drives them.

use std::{sync::Arc, time::Duration};

use sqlx::{
    AnyConnection, AnyPool, Connection as _, PgPool,
    any::{AnyConnectOptions, AnyPoolOptions},
    pool::PoolConnectionMetadata,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{DbError, PostgresUrl, reader::Home};

/// What [`super::Db`] is made of.
pub(super) struct Opened {
    pub(super) home: Arc<Home>,
    pub(super) readers: AnyPool,
    pub(super) writer: AnyPool,
    pub(super) own: PgPool,
}

/// Connects once, so that what is wrong is told now, and makes the pools, which connect when asked.
pub(super) async fn open(url: &PostgresUrl) -> Result<Opened, DbError> {
    sqlx::any::install_default_drivers();
    let home = Arc::new(Home::new()?);
    let options: AnyConnectOptions = url.expose().parse().map_err(|_| malformed())?;
    let own: PgConnectOptions = url.expose().parse().map_err(|_| malformed())?;

    let first = async {
        let mut first = AnyConnection::connect_with(&options).await?;
        sqlx::raw_sql(COMMON).execute(&mut first).await?;
        first.close().await
    };
    let first = home.within(Box::pin(tokio::time::timeout(ACQUIRE, first)));
    match first.await {
        Ok(connected) => connected.map_err(|error| DbError::at_connect(url, error))?,
        Err(_) => {
            let detail = format!("no answer within {} s", ACQUIRE.as_secs());
            return Err(DbError::Unreachable { detail });
        }
    }

    let _home = home.enter();
    Ok(Opened {
        readers: pool(READERS, READER).connect_lazy_with(options.clone()),
        writer: pool(WRITERS, "").connect_lazy_with(options),
        own: PgPoolOptions::new()
            .max_connections(OWN)
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .before_acquire(|connection, about| Box::pin(still_there(connection, about)))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(COMMON).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(own),
        home: home.clone(),
    })
}

/// One for reads, outside of the pools.
pub(super) async fn reader(options: &AnyConnectOptions) -> Result<AnyConnection, sqlx::Error> {
    let mut connection = AnyConnection::connect_with(options).await?;
    sqlx::raw_sql(COMMON).execute(&mut connection).await?;
    sqlx::raw_sql(READER).execute(&mut connection).await?;
    Ok(connection)
}

fn pool(connections: u32, more: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .before_acquire(|connection, about| Box::pin(still_there(connection, about)))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(COMMON).execute(&mut *connection).await?;
                if !more.is_empty() {
                    sqlx::raw_sql(more).execute(connection).await?;
                }
                Ok(())
            })
        })
}

/// A connection that rested is asked whether it still is one, so that a server which was restarted
/// costs nobody an error. One that was just used is not: each question is a round trip.
async fn still_there<C: sqlx::Connection>(
    connection: &mut C,
    about: PoolConnectionMetadata,
) -> Result<bool, sqlx::Error> {
    Ok(about.idle_for < RESTED || connection.ping().await.is_ok())
}

fn malformed() -> DbError {
    DbError::Other {
        detail: "the URL of the database is not understood".to_owned(),
    }
}

/// Takes the turn to write, across all nodes, until the transaction ends: what it reads cannot change
/// before it commits, as with SQLite. Taken apart from BEGIN, since a BEGIN that fails half way leaves
/// a transaction that the pool does not know of. Any number, but the same in each version.
pub(super) const TAKE_TURN: &str = "SELECT pg_advisory_xact_lock(7305794401)";

/// What was answered survives a crash, also where the server's default is another; waiting for the turn
/// ends before clients give up; a node that hangs does not keep the turn from the others. A standby is
/// refused: it takes no writes, and may be behind in what it tells. A server becomes one by a restart,
/// which ends its connections.
const COMMON: &str = "
DO $$ BEGIN
  IF pg_is_in_recovery() THEN
    RAISE EXCEPTION 'this server is a standby' USING ERRCODE = 'read_only_sql_transaction';
  END IF;
END $$;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '10s';
SET client_min_messages = 'warning'";
const READER: &str = "SET default_transaction_read_only = on";

const READERS: u32 = 4;
/// One writes, the next one waits at the lock, and takes it without a round trip in between.
const WRITERS: u32 = 2;
/// For what only PostgreSQL can do: the record of seen JWTs.
const OWN: u32 = 2;

/// Longer than a burst of registrations takes, and shorter than clients wait.
const ACQUIRE: Duration = Duration::from_secs(4);
const RESTED: Duration = Duration::from_secs(1);
