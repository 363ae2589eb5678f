use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AnyConnection, AnyPool, Connection, Executor, Row,
    any::{AnyConnectOptions, AnyPoolOptions},
};

use super::DbError;

/// Makes the file if there is none and opens both pools.
pub(super) async fn open(path: &Path) -> Result<(AnyPool, AnyPool), DbError> {
    let path = prepare(path)?;
    let url = url::Url::from_file_path(&path)
        .map_err(|()| unwritable(&path, "the path is not absolute"))?;
    let options: AnyConnectOptions = format!("sqlite://{}?mode=rw", url.path())
        .parse()
        .map_err(|error: sqlx::Error| unwritable(&path, &error.to_string()))?;

    sqlx::any::install_default_drivers();
    let at_open = |error| DbError::at_open(&path, error);
    // A pool would try again for `ACQUIRE` and then only say that it waited: the first connection
    // is made by hand and tells what is wrong. It also turns WAL on, which the others then find.
    let mut first = AnyConnection::connect_with(&options)
        .await
        .map_err(at_open)?;
    set_up(&mut first, WRITER).await.map_err(at_open)?;
    let writer = pool(1, WRITER)
        .connect_with(options.clone())
        .await
        .map_err(at_open)?;
    let readers = pool(READERS, READER)
        .connect_with(options)
        .await
        .map_err(at_open)?;
    Ok((readers, writer))
}

fn pool(connections: u32, pragmas: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        // A file does not go stale: no pings, no ageing, and so no background task that would be
        // tied to one runtime.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| Box::pin(set_up(connection, pragmas)))
}

async fn set_up(connection: &mut AnyConnection, pragmas: &'static str) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(COMMON)).await?;
    let mode: String = connection.fetch_one(WAL).await?.try_get(0)?;
    if mode != "wal" {
        let text = format!("journal mode is {mode}: the file system does not support WAL");
        return Err(sqlx::Error::Configuration(text.into()));
    }
    connection.execute(sqlx::raw_sql(pragmas)).await?;
    Ok(())
}

/// Directory and file with their modes, before SQLite would make them with the umask's.
/// Its `-wal` and `-shm` files take the mode of the file.
fn prepare(path: &Path) -> Result<PathBuf, DbError> {
    let path = std::path::absolute(path).map_err(|error| unwritable(path, &error.to_string()))?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DbError::DiskFull,
        _ => unwritable(&path, &error.to_string()),
    };
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "other users could read the database; its mode is now 0600");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(path)
}

fn unwritable(path: &Path, detail: &str) -> DbError {
    DbError::Unwritable {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}

/// Takes the write lock at the start, not at the first write: a transaction that reads and then
/// writes would otherwise fail when another process wrote in between.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// Readers and the writer do not block each other; a commit is one append and one fsync.
const WAL: &str = "PRAGMA journal_mode = WAL";

/// Set by name although some are defaults: a different build of SQLite may differ.
/// FULL: what was answered survives a power cut. 5 s: another process of the same role, such as
/// `udap ca issue` beside `udap ca serve`, holds the lock for milliseconds.
const COMMON: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; \
                      PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF";
const WRITER: &str = "PRAGMA query_only = OFF";
const READER: &str = "PRAGMA query_only = ON";

/// Reads are short and mostly answered from SQLite's cache: a few threads suffice for all workers.
const READERS: u32 = 4;

/// Long enough for a burst of registrations to queue, short enough to answer before clients give up.
const ACQUIRE: Duration = Duration::from_secs(10);
