//! Opaque access tokens that were issued: what each says, under the SHA-256 of its text, which is
//! nowhere. Those of requests that are there at the same time are written in one commit.

use aws_lc_rs::digest::{SHA256, digest};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use udap_host::config::AccessTokens;
use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_pki::UnixTime;

pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "opaque tokens, and how clients authenticate",
        sql: "CREATE TABLE opaque_token (
                token_sha256 BLOB NOT NULL PRIMARY KEY,
                exp BIGINT NOT NULL,
                record TEXT NOT NULL
              );
              CREATE INDEX opaque_token_end ON opaque_token (exp);
              ALTER TABLE registration ADD COLUMN authentication TEXT NOT NULL DEFAULT '';",
    }
}

/// How many are written in one commit, and forgotten in one: requests wait for no longer than that.
const STEP: usize = 500;
/// How long one is kept beyond its end, in seconds: a clock that is set back must not meet a token that
/// nobody knows.
const KEPT_SECS: i64 = 300;

/// How many are looked up at the same time: strangers who present what nobody issued leave connections to
/// those who read registrations.
const FINDERS: usize = 3;
/// How long a look-up waits for its turn.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often it is looked whether there is any token at all, where this server issues none: what another
/// node issued by another configuration is known here a second later.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct OpaqueTokens {
    db: Db,
    pending: Arc<Mutex<Pending>>,
    /// Whether there may be any: this server issues them, or one was found.
    any: AtomicBool,
    /// When it was looked last whether there is any.
    looked: Mutex<Instant>,
    /// Those who look one up.
    finders: Semaphore,
}

#[derive(Debug, Default)]
struct Pending {
    rows: Vec<Row>,
    /// Whether a task writes them.
    writing: bool,
}

#[derive(Debug)]
struct Row {
    sha256: [u8; 32],
    exp: UnixTime,
    record: String,
    done: oneshot::Sender<()>,
}

/// The token could not be made durable, and must not be given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotDurable;

impl OpaqueTokens {
    /// Also where this server issues none: it may have until now, and another node still may.
    pub(crate) async fn open(db: Db, issued: AccessTokens) -> Result<Self, DbError> {
        let any = issued == AccessTokens::Opaque || any(&db).await?;
        Ok(Self {
            db,
            pending: Arc::default(),
            any: AtomicBool::new(any),
            looked: Mutex::new(Instant::now()),
            finders: Semaphore::new(FINDERS),
        })
    }

    /// Keeps what a token says until it ends. Durable when this returns.
    pub(crate) async fn keep(
        &self,
        token: &str,
        exp: UnixTime,
        record: String,
    ) -> Result<(), NotDurable> {
        let (done, wait) = oneshot::channel();
        let row = Row {
            sha256: sha256(token.as_bytes()),
            exp,
            record,
            done,
        };
        let first = {
            let mut pending = lock(&self.pending);
            pending.rows.push(row);
            !std::mem::replace(&mut pending.writing, true)
        };
        if first {
            // A task of its own: a client that hangs up must not take the others' tokens with it.
            let writer = Writer {
                pending: Arc::clone(&self.pending),
                finished: false,
            };
            tokio::spawn(write(writer, self.db.clone()));
        }
        wait.await.map_err(|_| NotDurable)
    }

    /// What is kept under that SHA-256. Anybody can ask, with any text that looks like a token.
    pub(crate) async fn find(&self, sha256: &[u8; 32]) -> Result<Option<String>, DbError> {
        if !self.may_be_any().await? {
            return Ok(None);
        }
        let turn = tokio::time::timeout(PATIENCE, self.finders.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(DbError::Overloaded);
        };
        let row = sqlx::query("SELECT record FROM opaque_token WHERE token_sha256 = $1")
            .bind(sha256.to_vec())
            .fetch_optional(self.db.reader())
            .await?;
        Ok(row.map(|row| row.try_get("record")).transpose()?)
    }

    /// Whether there may be any. Looked at once a second at most while there is none.
    async fn may_be_any(&self) -> Result<bool, DbError> {
        if self.any.load(Ordering::Relaxed) {
            return Ok(true);
        }
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.elapsed() < LOOK {
                return Ok(false);
            }
            *looked = Instant::now();
        }
        let any = any(&self.db).await?;
        self.any.fetch_or(any, Ordering::Relaxed);
        Ok(any)
    }

    /// Forgets those that nobody would accept any more, a step at a time.
    pub(crate) async fn forget_expired(&self, now: UnixTime) -> Result<(), DbError> {
        let ended = now.plus_secs(-KEPT_SECS).0;
        loop {
            // Looked at first: most rounds have nothing to do, and must not wait for the one writer.
            let any = sqlx::query("SELECT exp FROM opaque_token WHERE exp <= $1 LIMIT 1")
                .bind(ended)
                .fetch_optional(self.db.reader())
                .await?;
            if any.is_none() {
                return Ok(());
            }
            let mut write = self.db.write().await?;
            let forgotten = sqlx::query(
                "DELETE FROM opaque_token WHERE token_sha256 IN
                   (SELECT token_sha256 FROM opaque_token WHERE exp <= $1 ORDER BY exp LIMIT $2)",
            )
            .bind(ended)
            .bind(i64::try_from(STEP).unwrap_or(i64::MAX))
            .execute(&mut *write)
            .await?
            .rows_affected();
            write.commit().await?;
            tracing::debug!(forgotten, "opaque access tokens that expired are forgotten");
        }
    }
}

async fn any(db: &Db) -> Result<bool, DbError> {
    let any = sqlx::query("SELECT exp FROM opaque_token LIMIT 1");
    Ok(any.fetch_optional(db.reader()).await?.is_some())
}

pub(crate) fn sha256(token: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token).as_ref());
    hash
}

/// Writes what is pending until nothing is. While one commit runs, the next one's rows gather.
async fn write(mut writer: Writer, db: Db) {
    // Requests that are ready on this worker by now join.
    tokio::task::yield_now().await;
    while let Some(rows) = writer.next() {
        match insert(&db, &rows).await {
            Ok(()) => {
                for row in rows {
                    // Who hung up does not wait.
                    let _ = row.done.send(());
                }
            }
            // Those who wait learn it from the senders that are dropped.
            Err(error) => tracing::error!(%error, "opaque access tokens could not be written"),
        }
    }
}

async fn insert(db: &Db, rows: &[Row]) -> Result<(), DbError> {
    let mut write = db.append().await?;
    for row in rows {
        sqlx::query("INSERT INTO opaque_token (token_sha256, exp, record) VALUES ($1, $2, $3)")
            .bind(row.sha256.to_vec())
            .bind(row.exp.0)
            .bind(&row.record)
            .execute(&mut *write)
            .await?;
    }
    write.commit().await?;
    Ok(())
}

/// The task that writes. If it ends early, since its worker does, nobody waits for it in vain.
struct Writer {
    pending: Arc<Mutex<Pending>>,
    finished: bool,
}

impl Writer {
    /// Rows for one commit; none when this task has nothing left to do.
    fn next(&mut self) -> Option<Vec<Row>> {
        let mut pending = lock(&self.pending);
        if pending.rows.is_empty() {
            pending.writing = false;
            self.finished = true;
            return None;
        }
        let rows = pending.rows.len().min(STEP);
        let rest = pending.rows.split_off(rows);
        Some(std::mem::replace(&mut pending.rows, rest))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            let mut pending = lock(&self.pending);
            pending.rows.clear();
            pending.writing = false;
        }
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    /// The table, and the one beside it that gets a column.
    fn schema() -> [Migration; 2] {
        let first = Migration {
            version: 1,
            name: "registrations",
            sql: "CREATE TABLE registration (client_id TEXT);",
        };
        [first, migration(2)]
    }

    async fn open(directory: &tempfile::TempDir) -> OpaqueTokens {
        let path = directory.path().join("udap.db");
        let db = Db::open(&path, &schema()).await.unwrap();
        OpaqueTokens::open(db, AccessTokens::Opaque).await.unwrap()
    }

    async fn count(tokens: &OpaqueTokens) -> i64 {
        let count = sqlx::query("SELECT COUNT(*) AS count FROM opaque_token");
        let row = count.fetch_one(tokens.db.reader()).await.unwrap();
        row.try_get("count").unwrap()
    }

    #[tokio::test]
    async fn those_of_one_moment_are_kept_together_and_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = open(&directory).await;
        let names: Vec<_> = (0..2 * STEP + 7).map(|i| format!("t{i}")).collect();
        let kept = names
            .iter()
            .map(|name| tokens.keep(name, NOW, format!("record of {name}")));
        assert!(join_all(kept).await.into_iter().all(|kept| kept == Ok(())));
        assert!(!lock(&tokens.pending).writing);
        drop(tokens);
        let tokens = open(&directory).await;
        for name in &names {
            let found = tokens.find(&sha256(name.as_bytes())).await.unwrap();
            assert_eq!(found, Some(format!("record of {name}")));
        }
        assert_eq!(tokens.find(&sha256(b"t")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_has_ended_is_forgotten_step_by_step() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = open(&directory).await;
        let names: Vec<_> = (0..STEP + 3).map(|i| format!("t{i}")).collect();
        let kept = names
            .iter()
            .map(|name| tokens.keep(name, NOW, String::new()));
        join_all(kept).await;
        tokens
            .keep("late", NOW.plus_secs(1), String::new())
            .await
            .unwrap();
        let end = NOW.plus_secs(KEPT_SECS);
        tokens.forget_expired(end.plus_secs(-1)).await.unwrap();
        assert_eq!(count(&tokens).await, i64::try_from(STEP).unwrap() + 4);
        tokens.forget_expired(end).await.unwrap();
        assert_eq!(count(&tokens).await, 1);
    }

    /// Two nodes with one database: what one of them gives out, the other knows.
    #[tokio::test]
    async fn a_token_of_one_node_is_known_to_the_other() {
        use udap_host::db::{Location, Migrate};
        let url = udap_testkit::postgres::Postgres::shared().database();
        let node = async || {
            let location = Location::Server(url.parse().unwrap());
            let schema = schema();
            let db = Db::open_at(&location, &schema, Migrate::Apply).await;
            OpaqueTokens::open(db.unwrap(), AccessTokens::Opaque)
                .await
                .unwrap()
        };
        let (one, two) = (node().await, node().await);
        let names: Vec<_> = (0..20).map(|i| format!("t{i}")).collect();
        let kept = names.iter().enumerate().map(|(i, name)| {
            let by = if i % 2 == 0 { &one } else { &two };
            by.keep(name, NOW, format!("record of {name}"))
        });
        assert!(join_all(kept).await.into_iter().all(|kept| kept == Ok(())));
        for name in &names {
            for node in [&one, &two] {
                let found = node.find(&sha256(name.as_bytes())).await.unwrap();
                assert_eq!(found, Some(format!("record of {name}")));
            }
        }
        let end = NOW.plus_secs(KEPT_SECS);
        two.forget_expired(end).await.unwrap();
        assert_eq!(one.find(&sha256(b"t0")).await.unwrap(), None);
        one.forget_expired(end).await.unwrap();
    }

    /// A server that issues none answers strangers from memory, and takes what others issued, or it did.
    #[tokio::test]
    async fn where_none_was_issued_none_is_looked_up_and_what_was_issued_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let issuing = open(&directory).await;
        let silent = OpaqueTokens::open(issuing.db.clone(), AccessTokens::Jwt).await;
        let silent = silent.unwrap();
        // As if it had just looked, for a machine that is slow.
        let just_now = Instant::now() + Duration::from_secs(3600);
        *silent.looked.lock().unwrap() = just_now;
        assert_eq!(issuing.keep("t", NOW, "record".into()).await, Ok(()));
        assert_eq!(silent.find(&sha256(b"t")).await, Ok(None));
        *silent.looked.lock().unwrap() = Instant::now();
        tokio::time::sleep(LOOK).await;
        let record = Some("record".to_owned());
        assert_eq!(silent.find(&sha256(b"t")).await, Ok(record.clone()));
        // From then on at once, and from the start where they are there already.
        assert_eq!(issuing.keep("u", NOW, "record".into()).await, Ok(()));
        assert_eq!(silent.find(&sha256(b"u")).await, Ok(record.clone()));
        let later = OpaqueTokens::open(issuing.db.clone(), AccessTokens::Jwt).await;
        assert_eq!(later.unwrap().find(&sha256(b"t")).await, Ok(record));
    }

    /// A worker that ends with a write on its way must not leave the next one waiting.
    #[tokio::test]
    async fn a_task_that_is_lost_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = open(&directory).await;
        let other = std::thread::scope(|scope| {
            let lost = || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        biased;
                        kept = tokens.keep("lost", NOW, String::new()) => Some(kept),
                        () = std::future::ready(()) => None,
                    }
                })
            };
            scope.spawn(lost).join().unwrap()
        });
        assert_eq!(other, None);
        assert_eq!(tokens.keep("next", NOW, String::new()).await, Ok(()));
        assert_eq!(count(&tokens).await, 1);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_given_out() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = open(&directory).await;
        assert_eq!(tokens.keep("twice", NOW, String::new()).await, Ok(()));
        // The same again breaks the commit; the one beside it is told as well.
        let both = join_all([
            tokens.keep("twice", NOW, String::new()),
            tokens.keep("other", NOW, String::new()),
        ]);
        assert_eq!(both.await, [Err(NotDurable), Err(NotDurable)]);
        assert_eq!(count(&tokens).await, 1);
    }
}
