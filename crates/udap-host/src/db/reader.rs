//! Reading, and where the sockets of a server's connections live.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    Stream,
    future::BoxFuture,
    stream::{BoxStream, StreamExt as _},
};
use sqlx::{
    Any, AnyPool, Either, Execute, Executor, SqlStr,
    any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo},
};

use super::DbError;

/// For reads: sqlx's `Executor`, taken by `fetch_one`, `fetch_all` and the like.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) pool: AnyPool,
    pub(super) home: Option<Arc<Home>>,
}

impl<'c> Executor<'c> for &'c Reader {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let rows = self.pool.fetch_many(query);
        match &self.home {
            None => rows,
            Some(home) => home
                .within(rows)
                .map(|row| row.map_err(|error| timed_out(&self.pool, error)))
                .boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let row = self.pool.fetch_optional(query);
        match &self.home {
            None => row,
            Some(home) => {
                let row = home.within(row);
                Box::pin(async move { row.await.map_err(|error| timed_out(&self.pool, error)) })
            }
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let statement = self.pool.prepare_with(sql, parameters);
        match &self.home {
            None => statement,
            Some(home) => Box::pin(home.within(statement)),
        }
    }
}

/// A pool tries to connect until its patience ends, and then says only that it waited. Where it had room,
/// or a connection to spare, it did not wait for its turn: the server is away.
pub(super) fn timed_out(pool: &AnyPool, error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut
            if pool.num_idle() > 0 || pool.size() < pool.options().get_max_connections() =>
        {
            sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::NotConnected,
                "no connection could be made",
            ))
        }
        error => error,
    }
}

/// A runtime with a thread of its own, on which the sockets of all connections live. A worker opens a
/// connection for itself and leaves it to others: it must outlast the worker, and whoever waits for it
/// must not depend on what that worker is busy with.
#[derive(Debug)]
pub(super) struct Home(Option<tokio::runtime::Runtime>);

impl Home {
    pub(super) fn new() -> Result<Self, DbError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("udap-database")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| DbError::Other {
                detail: format!("no thread for the database: {error}"),
            })
    }

    pub(super) fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.0.as_ref().map(tokio::runtime::Runtime::enter)
    }

    pub(super) fn within<T>(self: &Arc<Self>, inner: T) -> Within<T> {
        Within {
            home: Arc::clone(self),
            inner,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Not waited for: the last one to let go may be a worker.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A future or stream that is polled by the caller and lives on the runtime of the database: sockets and
/// timers that it makes are that runtime's.
#[derive(Debug)]
pub(super) struct Within<T> {
    home: Arc<Home>,
    inner: T,
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let _home = this.home.enter();
        Pin::new(&mut this.inner).poll(context)
    }
}

impl<S: Stream + Unpin> Stream for Within<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.get_mut();
        let _home = this.home.enter();
        Pin::new(&mut this.inner).poll_next(context)
    }
}
