//! Access tokens that their clients ended before their time, by the SHA-256 of their `jti`: in the
//! database, so that a restart brings none back, and in memory, for the gateway asks at each request.
//! What has expired is forgotten; until then each takes some 50 bytes.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use udap_host::audit::jti_hash;
use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_pki::UnixTime;

pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "revoked tokens",
        sql: "CREATE TABLE revoked_token (
                jti_sha256 BLOB NOT NULL PRIMARY KEY,
                exp BIGINT NOT NULL
              );",
    }
}

/// How long a token is remembered beyond its end, in seconds: a clock that is set back must not
/// bring it back.
const KEPT_SECS: i64 = 300;

#[derive(Debug)]
pub(crate) struct Revocations {
    db: Db,
    /// `exp` by SHA-256 of `jti`: what was committed, and nothing else.
    revoked: RwLock<HashMap<[u8; 32], UnixTime>>,
}

impl Revocations {
    pub(crate) async fn open(db: Db, now: UnixTime) -> Result<Self, DbError> {
        let revocations = Self {
            db,
            revoked: RwLock::default(),
        };
        revocations.read_again(revocations.db.reader()).await?;
        revocations.forget_expired(now).await?;
        Ok(revocations)
    }

    /// Takes in all that the database has.
    pub(super) async fn read_again<'c>(
        &self,
        by: impl sqlx::Executor<'c, Database = sqlx::Any>,
    ) -> Result<(), DbError> {
        let rows = sqlx::query("SELECT jti_sha256, exp FROM revoked_token")
            .fetch_all(by)
            .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let hash: Vec<u8> = row.try_get("jti_sha256")?;
            if let Ok(hash) = <[u8; 32]>::try_from(hash) {
                all.push((hash, UnixTime(row.try_get("exp")?)));
            }
        }
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.extend(all);
        Ok(())
    }

    /// Takes in one that another node revoked, by its hash in hex.
    pub(super) fn learn(&self, hash: &str, exp: UnixTime) {
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = hash.get(2 * at..2 * at + 2);
            let Some(value) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                tracing::error!(hash, "a change names no token");
                return;
            };
            *byte = value;
        }
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.insert(bytes, exp);
    }

    /// Ends a token that would have ended at `exp`. Durable and in force when this returns.
    pub(crate) async fn revoke(&self, jti: &str, exp: UnixTime) -> Result<(), DbError> {
        if self.contains(jti) {
            return Ok(());
        }
        let hash = jti_hash(jti);
        let mut write = self.db.write().await?;
        sqlx::query(
            "INSERT INTO revoked_token (jti_sha256, exp) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(hash.to_vec())
        .bind(exp.0)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.insert(hash, exp);
        Ok(())
    }

    /// Whether that token was revoked. Most servers know of none, and then nothing is hashed.
    pub(crate) fn contains(&self, jti: &str) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        !revoked.is_empty() && revoked.contains_key(&jti_hash(jti))
    }

    /// Forgets tokens that nobody would accept any more.
    pub(crate) async fn forget_expired(&self, now: UnixTime) -> Result<(), DbError> {
        let since = now.plus_secs(-KEPT_SECS);
        {
            let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
            if !revoked.values().any(|exp| *exp <= since) {
                return Ok(());
            }
        }
        let mut write = self.db.write().await?;
        sqlx::query("DELETE FROM revoked_token WHERE exp <= $1")
            .bind(since.0)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.retain(|_, exp| *exp > since);
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    async fn open(directory: &tempfile::TempDir, now: UnixTime) -> Revocations {
        let db = Db::open(&directory.path().join("udap.db"), &[migration(1)])
            .await
            .unwrap();
        Revocations::open(db, now).await.unwrap()
    }

    async fn rows(revocations: &Revocations) -> usize {
        let rows = sqlx::query("SELECT exp FROM revoked_token")
            .fetch_all(revocations.db.reader())
            .await;
        rows.unwrap().len()
    }

    #[tokio::test]
    async fn what_was_revoked_survives_a_restart_until_it_expires_and_is_then_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let revocations = open(&directory, NOW).await;
        assert!(!revocations.contains("soon"));
        revocations.revoke("soon", NOW.plus_secs(60)).await.unwrap();
        revocations
            .revoke("late", NOW.plus_secs(900))
            .await
            .unwrap();
        revocations
            .revoke("late", NOW.plus_secs(900))
            .await
            .unwrap();
        drop(revocations);

        let revocations = open(&directory, NOW).await;
        for (jti, expected) in [
            ("soon", true),
            ("late", true),
            ("other", false),
            ("", false),
        ] {
            assert_eq!(revocations.contains(jti), expected, "{jti}");
        }
        // Nothing is forgotten while a clock could still be set back to it.
        let end = NOW.plus_secs(60 + KEPT_SECS);
        revocations.forget_expired(end.plus_secs(-1)).await.unwrap();
        assert_eq!(rows(&revocations).await, 2);
        assert!(revocations.contains("soon"));
        revocations.forget_expired(end).await.unwrap();
        assert_eq!(rows(&revocations).await, 1);
        assert!(!revocations.contains("soon"));
        assert!(revocations.contains("late"));
        drop(revocations);

        // So is what expired while no server ran.
        let revocations = open(&directory, NOW.plus_secs(10_000)).await;
        assert!(!revocations.contains("late"));
        assert_eq!(rows(&revocations).await, 0);
    }
}
