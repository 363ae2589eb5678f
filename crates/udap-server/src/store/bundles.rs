//! The last bundle of each community that was put in force, so that neither a restart nor a kill brings an
//! older one back.

use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_pki::UnixTime;

pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "bundles of communities",
        sql: "CREATE TABLE community_bundle (
                community TEXT NOT NULL PRIMARY KEY,
                sequence BIGINT NOT NULL,
                bundle TEXT NOT NULL,
                signer TEXT NOT NULL,
                pinned TEXT NOT NULL,
                accepted BIGINT NOT NULL
              );",
    }
}

pub(crate) const fn ends_migration(version: i64) -> Migration {
    Migration {
        version,
        name: "bundles that ended early",
        sql: "ALTER TABLE community_bundle ADD COLUMN ended BIGINT;",
    }
}

#[derive(Debug)]
pub(crate) struct Bundles {
    db: Db,
}

/// A bundle as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptBundle {
    pub(crate) community: String,
    pub(crate) sequence: i64,
    /// As it came, byte for byte.
    pub(crate) bundle: String,
    /// The SHA-256 of the key that signed it, in hexadecimal.
    pub(crate) signer: String,
    /// What the operator pinned when it was accepted.
    pub(crate) pinned: String,
    /// When its signer was found not to be trusted any more.
    pub(crate) ended: Option<UnixTime>,
}

/// What became of a bundle that was to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    New,
    /// It is the last one.
    Known,
    /// Another one has the same sequence.
    Reused,
    Older {
        last: i64,
    },
}

impl Bundles {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }

    pub(crate) async fn last(&self, community: &str) -> Result<Option<KeptBundle>, DbError> {
        let row = sqlx::query(
            "SELECT community, sequence, bundle, signer, pinned, ended FROM community_bundle
              WHERE community = $1",
        )
        .bind(community)
        .fetch_optional(self.db.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(KeptBundle {
            community: row.try_get("community")?,
            sequence: row.try_get("sequence")?,
            bundle: row.try_get("bundle")?,
            signer: row.try_get("signer")?,
            pinned: row.try_get("pinned")?,
            ended: row.try_get::<Option<i64>, _>("ended")?.map(UnixTime),
        }))
    }

    /// Keeps a bundle if its sequence is higher than the last one's, in one statement, whoever else writes.
    /// Durable when this returns. Under a pinned key by which the last one was not signed, counting begins
    /// anew: whoever had the other key may have used up every sequence.
    pub(crate) async fn keep(&self, new: &KeptBundle, now: UnixTime) -> Result<Kept, DbError> {
        let mut write = self.db.write().await?;
        let written = sqlx::query(
            "INSERT INTO community_bundle (community, sequence, bundle, signer, pinned, accepted)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (community) DO UPDATE SET sequence = excluded.sequence, bundle = excluded.bundle,
                    signer = excluded.signer, pinned = excluded.pinned, accepted = excluded.accepted,
                    ended = NULL
              WHERE community_bundle.sequence < excluded.sequence
                 OR (excluded.pinned = 'key ' || excluded.signer
                     AND community_bundle.signer <> excluded.signer)",
        )
        .bind(&new.community)
        .bind(new.sequence)
        .bind(&new.bundle)
        .bind(&new.signer)
        .bind(&new.pinned)
        .bind(now.0)
        .execute(&mut *write)
        .await?;
        if written.rows_affected() > 0 {
            write.commit().await?;
            return Ok(Kept::New);
        }
        let row = sqlx::query("SELECT sequence, bundle FROM community_bundle WHERE community = $1")
            .bind(&new.community)
            .fetch_one(&mut *write)
            .await?;
        let last: i64 = row.try_get("sequence")?;
        let bundle: String = row.try_get("bundle")?;
        if last > new.sequence {
            return Ok(Kept::Older { last });
        }
        if bundle != new.bundle {
            return Ok(Kept::Reused);
        }
        // The same, under what the operator pins by now. Under another pin it was judged for the first time.
        sqlx::query(
            "UPDATE community_bundle SET signer = $1, pinned = $2, ended = NULL
              WHERE community = $3 AND pinned <> $2",
        )
        .bind(&new.signer)
        .bind(&new.pinned)
        .bind(&new.community)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(Kept::Known)
    }

    /// Writes down that a bundle ended early, or that it holds again.
    pub(crate) async fn end(
        &self,
        community: &str,
        bundle: &str,
        ended: Option<UnixTime>,
    ) -> Result<(), DbError> {
        let mut write = self.db.write().await?;
        sqlx::query("UPDATE community_bundle SET ended = $1 WHERE community = $2 AND bundle = $3")
            .bind(ended.map(|ended| ended.0))
            .bind(community)
            .bind(bundle)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }
}
