//! What other nodes changed. Each remembers registrations and revoked tokens, and asks several times a
//! second what of that is out of date. PostgreSQL itself notes what changes, by triggers: no statement
//! can forget to, nor can a hand at the console.
//!
//! With SQLite nobody else writes, and none of this runs.

use super::{Registrations, Revocations, Signers};
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use udap_host::db::sqlx::{self, AnyConnection, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_pki::UnixTime;

/// The tables of several nodes. A change is noted under the lock that each write transaction takes
/// (`Db::write`), so that numbers become visible in their order and none is skipped by who reads on.
pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "several nodes",
        sql: "/*postgres
              CREATE TABLE seen_jwt (jwt BLOB NOT NULL PRIMARY KEY, until BIGINT NOT NULL);
              CREATE INDEX seen_jwt_until ON seen_jwt (until);
              CREATE TABLE shared_secret (name TEXT NOT NULL PRIMARY KEY, sealed BLOB NOT NULL);
              CREATE TABLE change (
                seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                kind TEXT NOT NULL,
                subject TEXT NOT NULL,
                until BIGINT NOT NULL,
                noted BIGINT NOT NULL DEFAULT EXTRACT(EPOCH FROM now())::bigint
              );
              INSERT INTO change (kind, subject, until) VALUES ('begun', '', 0);
              CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN
                PERFORM pg_advisory_xact_lock(7305794401);
                IF TG_TABLE_NAME = 'revoked_token' THEN
                  INSERT INTO change (kind, subject, until)
                  VALUES ('token', encode(NEW.jti_sha256, 'hex'), NEW.exp);
                ELSE
                  INSERT INTO change (kind, subject, until) VALUES ('registration', OLD.client_id, 0);
                END IF;
                RETURN NULL;
              END $$;
              CREATE TRIGGER note_registration AFTER UPDATE OR DELETE ON registration
                FOR EACH ROW EXECUTE FUNCTION note_change();
              CREATE TRIGGER note_revoked_token AFTER INSERT ON revoked_token
                FOR EACH ROW EXECUTE FUNCTION note_change();
              */",
    }
}

/// How long changes are kept, in seconds. A node that was away for longer forgets all it remembers.
const KEPT_SECS: i64 = 3600;
/// How many are read at once.
const PAGE: i64 = 1000;
/// For how long changes may be unknown.
pub(crate) const BEHIND: Duration = Duration::from_secs(2);

/// When it was last known what other nodes changed. Asked by those who rely on it, and by the clock: what
/// follows may hang or be gone, and then nobody else would say so.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    /// When following began; empty where nobody else writes.
    begun: OnceLock<Instant>,
    /// Milliseconds from then to the beginning of the last look that succeeded.
    learned: AtomicU64,
}

impl Fresh {
    /// Whether what is remembered is not to be relied on.
    pub(crate) fn is_behind(&self) -> bool {
        self.begun.get().is_some_and(|begun| {
            let learned = Duration::from_millis(self.learned.load(Ordering::Acquire));
            begun.elapsed().saturating_sub(learned) >= BEHIND
        })
    }

    fn begin(&self) {
        self.begun.get_or_init(Instant::now);
    }

    /// What was changed up to `asked` is known, and taken in.
    fn learned(&self, asked: Instant) {
        if let Some(begun) = self.begun.get() {
            let since = asked.saturating_duration_since(*begun).as_millis();
            let since = u64::try_from(since).unwrap_or(u64::MAX);
            self.learned.fetch_max(since, Ordering::AcqRel);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Changes {
    db: Db,
    /// The last one that was taken in.
    last: AtomicI64,
    /// Its own connection, for which it waits behind nobody, least of all behind strangers' requests. Gone
    /// after an error, or a wait that was given up.
    connection: Mutex<Option<AnyConnection>>,
    fresh: Arc<Fresh>,
}

/// What changes are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remembered<'a> {
    pub(crate) registrations: &'a Registrations,
    pub(crate) revocations: &'a Revocations,
    pub(crate) signers: &'a Signers,
}

impl Changes {
    /// To be opened before anything is remembered: what changes from now on is not missed.
    pub(crate) async fn open(db: Db) -> Result<Self, DbError> {
        let last = match db.is_shared() {
            true => newest(db.reader()).await?,
            false => 0,
        };
        Ok(Self {
            db,
            last: AtomicI64::new(last),
            connection: Mutex::default(),
            fresh: Arc::default(),
        })
    }

    /// Whether there are other nodes at all.
    pub(crate) fn has_others(&self) -> bool {
        self.db.is_shared()
    }

    /// Whether what is remembered is not to be relied on.
    pub(crate) fn is_behind(&self) -> bool {
        self.fresh.is_behind()
    }

    /// For those who remember: to be asked whether they may.
    pub(crate) fn fresh(&self) -> Arc<Fresh> {
        Arc::clone(&self.fresh)
    }

    /// From now on changes are followed, and what is remembered counts only while they are.
    pub(crate) fn begin(&self) {
        self.fresh.begin();
    }

    /// Takes in what changed since the last time.
    pub(crate) async fn follow(&self, remembered: Remembered<'_>) -> Result<(), DbError> {
        let Some(postgres) = self.db.postgres() else {
            return Ok(());
        };
        let asked = Instant::now();
        let mut own = self.connection.lock().await;
        let mut connection = match own.take() {
            Some(connection) => connection,
            None => postgres.connect().await?,
        };
        self.take_in(&mut connection, remembered).await?;
        self.fresh.learned(asked);
        *own = Some(connection);
        Ok(())
    }

    async fn take_in(
        &self,
        connection: &mut AnyConnection,
        remembered: Remembered<'_>,
    ) -> Result<(), DbError> {
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            // The last one again: where it is gone, there may be others that nobody will tell.
            let rows = sqlx::query(
                "SELECT seq, kind, subject, until FROM change WHERE seq >= $1 ORDER BY seq LIMIT $2",
            )
            .bind(last)
            .bind(PAGE)
            .fetch_all(&mut *connection)
            .await?;
            let first: Option<i64> = rows.first().map(|row| row.try_get("seq")).transpose()?;
            if first != Some(last) {
                tracing::warn!(
                    "changes of other nodes were missed; what is remembered is forgotten"
                );
                let newest = newest(&mut *connection).await?;
                remembered.revocations.read_again(&mut *connection).await?;
                remembered.signers.forget_all();
                remembered.registrations.forget_all();
                last = newest;
                break;
            }
            let mut clients = HashSet::new();
            for row in rows.iter().skip(1) {
                last = row.try_get("seq")?;
                let subject: String = row.try_get("subject")?;
                match row.try_get::<String, _>("kind")?.as_str() {
                    "token" => {
                        let until = UnixTime(row.try_get("until")?);
                        remembered.revocations.learn(&subject, until);
                    }
                    _ => {
                        clients.insert(subject);
                    }
                }
            }
            // Signers first: a token of the new generation is not issued without a note of its
            // certificate (`store/signers.rs`), which another node may just have removed.
            remembered.signers.forget_those_of(&clients);
            for client_id in &clients {
                remembered.registrations.forget(client_id);
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
        }
        self.last.store(last, Ordering::Relaxed);
        Ok(())
    }

    /// Removes changes that every node took in long ago. One always stays, for who reads on.
    pub(crate) async fn forget_old(&self, now: UnixTime) -> Result<(), DbError> {
        if !self.db.is_shared() {
            return Ok(());
        }
        let mut append = self.db.append().await?;
        sqlx::query("DELETE FROM change WHERE noted < $1 AND seq < (SELECT MAX(seq) FROM change)")
            .bind(now.0 - KEPT_SECS)
            .execute(&mut *append)
            .await?;
        Ok(append.commit().await?)
    }
}

async fn newest<'c>(by: impl sqlx::Executor<'c, Database = sqlx::Any>) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM change")
            .fetch_one(by)
            .await?,
    )
}
