//! Which JWTs were seen, as rows of a PostgreSQL that several nodes share: what one accepted, no other
//! does. A row is committed before anybody is answered, those of many requests at once.

use super::{Key, NotDurable, Once, Seen, key};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use udap_host::db::sqlx;
use udap_host::db::{Db, DbError};
use udap_pki::UnixTime;
use udap_proto::claims::SKEW_SECS;

/// How many JWTs one statement takes.
const MOST: usize = 500;
/// How long rows are kept beyond their time, in seconds: the nodes' clocks differ, and a node that is
/// behind must not find a row gone that still counts there.
const KEEP_SECS: i64 = 300;
/// How often lapsed rows are removed, and how many at once: a lock on many would keep others waiting.
const SWEEP: Duration = Duration::from_secs(20);
const SWEPT_AT_ONCE: i64 = 2000;

#[derive(Debug)]
pub(crate) struct Rows {
    queue: mpsc::UnboundedSender<Asked>,
    /// Ends what sweeps, when it goes.
    _alive: Arc<()>,
}

/// A request that waits.
#[derive(Debug)]
struct Asked {
    key: Key,
    until: i64,
    now: i64,
    answer: oneshot::Sender<Seen>,
}

impl Rows {
    /// Starts what writes and what sweeps. The queue is as long as there are requests, of which the
    /// listener has a limit.
    pub(crate) fn open(db: &Db) -> Option<Self> {
        let postgres = db.postgres()?;
        let (queue, asked) = mpsc::unbounded_channel();
        let alive = Arc::new(());
        postgres.spawn(write(db.clone(), asked));
        postgres.spawn(sweep(db.clone(), Arc::downgrade(&alive)));
        Some(Self {
            queue,
            _alive: alive,
        })
    }

    /// Says whether a JWT is new to all nodes, and remembers it. Returns when that is durable.
    pub(crate) async fn record(&self, jwt: Once<'_>, now: UnixTime) -> Result<Seen, NotDurable> {
        let (answer, wait) = oneshot::channel();
        let asked = Asked {
            key: key(jwt.community, jwt.iss, jwt.jti),
            until: jwt.exp.0.saturating_add(SKEW_SECS),
            now: now.0,
            answer,
        };
        self.queue.send(asked).map_err(|_| NotDurable)?;
        wait.await.map_err(|_| NotDurable)
    }
}

/// Takes what has gathered, writes it in one statement, and tells everybody. While the database works,
/// the next ones gather. Who is not told, since it could not be written, is refused.
async fn write(db: Db, mut asked: mpsc::UnboundedReceiver<Asked>) {
    let mut batch = Vec::new();
    while asked.recv_many(&mut batch, MOST).await > 0 {
        match insert(&db, &batch).await {
            Ok(mut new) => {
                for one in batch.drain(..) {
                    // The second of two with one key is not new, whatever the first one was.
                    let seen = match new.remove(&one.key) {
                        true => Seen::New,
                        false => Seen::Before,
                    };
                    let _ = one.answer.send(seen);
                }
            }
            Err(error) => {
                tracing::error!(code = error.code(), %error, "JWTs could not be recorded; their senders are refused");
                batch.clear();
            }
        }
    }
}

/// The keys that were new.
async fn insert(db: &Db, batch: &[Asked]) -> Result<HashSet<Key>, DbError> {
    // Each key once, in their order: two nodes with the same keys wait for each other in one direction
    // only. By the earliest clock among them, a row counts longest.
    let mut keys: BTreeMap<Key, i64> = BTreeMap::new();
    for one in batch {
        keys.entry(one.key).or_insert(one.until);
    }
    let now = batch.iter().map(|one| one.now).min().unwrap_or_default();
    let (keys, until): (Vec<_>, Vec<_>) = keys.into_iter().map(|(k, u)| (k.to_vec(), u)).unzip();
    let postgres = db.postgres().ok_or(DbError::Closed)?;
    let new: Vec<Vec<u8>> = postgres
        .run(|pool| async move {
            sqlx::query_scalar(INSERT)
                .bind(keys)
                .bind(until)
                .bind(now)
                .fetch_all(&pool)
                .await
        })
        .await?;
    Ok(new.into_iter().filter_map(|k| k.try_into().ok()).collect())
}

/// Removes rows that nobody would be refused by any more, until this server is gone.
async fn sweep(db: Db, alive: Weak<()>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if alive.strong_count() == 0 {
            return;
        }
        if let Err(error) = remove_lapsed(&db, udap_trust::clock::now()).await {
            tracing::warn!(code = error.code(), %error, "rows of JWTs that lapsed could not be removed");
        }
    }
}

async fn remove_lapsed(db: &Db, now: UnixTime) -> Result<(), DbError> {
    let postgres = db.postgres().ok_or(DbError::Closed)?;
    loop {
        let removed = postgres
            .run(|pool| async move {
                let remove = sqlx::query(REMOVE).bind(now.0 - KEEP_SECS).bind(KEEP_SECS);
                remove.bind(SWEPT_AT_ONCE).execute(&pool).await
            })
            .await?
            .rows_affected();
        if removed < SWEPT_AT_ONCE.unsigned_abs() {
            return Ok(());
        }
    }
}

/// A row that has lapsed is as none; one that counts is left alone, and is not among those returned.
const INSERT: &str = "
INSERT INTO seen_jwt AS seen (jwt, until)
SELECT * FROM UNNEST($1::bytea[], $2::bigint[])
ON CONFLICT (jwt) DO UPDATE SET until = EXCLUDED.until WHERE seen.until <= $3
RETURNING seen.jwt";

/// By this node's clock and by the server's, so that one that is ahead removes nothing too early.
const REMOVE: &str = "
DELETE FROM seen_jwt WHERE jwt IN (
  SELECT jwt FROM seen_jwt
  WHERE until < LEAST($1, EXTRACT(EPOCH FROM now())::bigint - $2)
  ORDER BY until LIMIT $3 FOR UPDATE SKIP LOCKED)";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use udap_host::db::{Location, Migrate};
    use udap_testkit::postgres::Postgres;

    const NOW: UnixTime = UnixTime(1_700_000_000);

    async fn open(url: &str) -> (Db, Rows) {
        let location = Location::Server(url.parse().unwrap());
        let db = Db::open_at(&location, MIGRATIONS, Migrate::Apply)
            .await
            .unwrap();
        let rows = Rows::open(&db).unwrap();
        (db, rows)
    }

    async fn record(rows: &Rows, jti: &str, exp: i64, now: i64) -> Result<Seen, NotDurable> {
        let jwt = Once {
            community: "c",
            iss: "a",
            jti,
            iat: None,
            exp: UnixTime(exp),
        };
        rows.record(jwt, UnixTime(now)).await
    }

    #[tokio::test]
    async fn what_one_node_accepted_no_other_does_until_it_lapses() {
        let url = Postgres::shared().database();
        let (one, two) = (open(&url).await.1, open(&url).await.1);
        let exp = NOW.0 + 300;
        assert_eq!(record(&one, "1", exp, NOW.0).await, Ok(Seen::New));
        assert_eq!(record(&one, "1", exp, NOW.0).await, Ok(Seen::Before));
        assert_eq!(record(&two, "1", exp, NOW.0).await, Ok(Seen::Before));
        assert_eq!(record(&two, "1", exp + 9, NOW.0).await, Ok(Seen::Before));
        assert_eq!(record(&two, "2", exp, NOW.0).await, Ok(Seen::New));
        let last = exp + SKEW_SECS - 1;
        assert_eq!(record(&two, "1", last + 300, last).await, Ok(Seen::Before));
        // The guide demands that it then be accepted.
        assert_eq!(record(&two, "1", last + 301, last + 1).await, Ok(Seen::New));
        assert_eq!(
            record(&one, "1", last + 301, last + 1).await,
            Ok(Seen::Before)
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_at_the_same_time_on_two_nodes_one_is_told_that_it_is_new() {
        let url = Postgres::shared().database();
        let nodes = [Arc::new(open(&url).await.1), Arc::new(open(&url).await.1)];
        let mut asked = tokio::task::JoinSet::new();
        // The same hundred, forwards at one node and backwards at the other, each three times.
        for n in 0..600 {
            let (node, n) = (n % 2, n / 2);
            let jti = if node == 0 { n % 100 } else { 99 - n % 100 };
            let rows = Arc::clone(&nodes[node]);
            asked.spawn(async move {
                let seen = record(&rows, &jti.to_string(), NOW.0 + 300, NOW.0).await;
                (jti, seen.unwrap())
            });
        }
        let mut new: Vec<_> = asked.join_all().await;
        new.retain(|(_, seen)| *seen == Seen::New);
        let mut new: Vec<_> = new.into_iter().map(|(jti, _)| jti).collect();
        new.sort_unstable();
        assert_eq!(new, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_taken_for_new_and_what_lapsed_is_removed() {
        let url = Postgres::shared().database();
        let (db, rows) = open(&url).await;
        let name = Postgres::name(&url);
        let now = udap_trust::clock::now().0;
        for (jti, exp) in [
            ("long ago", now - 1000),
            ("lately", now - 200),
            ("now", now),
        ] {
            assert_eq!(record(&rows, jti, exp, exp - 60).await, Ok(Seen::New));
        }
        let count = || Postgres::shared().sql(name, "SELECT COUNT(*) FROM seen_jwt");
        // A clock that is ahead removes nothing that the server's would not.
        remove_lapsed(&db, UnixTime(now + 100_000)).await.unwrap();
        assert_eq!(count(), "2\n");
        remove_lapsed(&db, UnixTime(now - 100_000)).await.unwrap();
        assert_eq!(count(), "2\n");

        Postgres::shared().sql(name, "ALTER TABLE seen_jwt RENAME TO away");
        assert_eq!(record(&rows, "2", now + 60, now).await, Err(NotDurable));
        Postgres::shared().sql(name, "ALTER TABLE away RENAME TO seen_jwt");
        assert_eq!(record(&rows, "2", now + 60, now).await, Ok(Seen::New));
    }
}
