//! By which certificates the access tokens were asked for that may still be in force: when one of these
//! certificates is revoked or expires, what was issued by it must end.
//!
//! In the database, so that a restart forgets none; in memory only that it is there, since each token
//! request asks. A row is written once an hour and certificate at most.

use super::Registration;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_pki::{Certificate, UnixTime};

pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "signers of tokens in force",
        sql: "CREATE TABLE signer (
                client_id TEXT NOT NULL,
                leaf_sha256 BLOB NOT NULL,
                chain BLOB NOT NULL,
                until BIGINT NOT NULL,
                PRIMARY KEY (client_id, leaf_sha256)
              );
              ALTER TABLE registration ADD COLUMN ended TEXT NOT NULL DEFAULT '';",
    }
}

/// For how long beyond a token's end a row is written, in seconds, so that the next tokens need not
/// write it again.
const SPARE_SECS: i64 = 3600;
/// How many are read at once.
const PAGE: i64 = 500;

type Key = (Arc<str>, [u8; 32]);

#[derive(Debug)]
pub(crate) struct Signers {
    db: Db,
    /// What was committed.
    known: RwLock<HashMap<Key, Noted>>,
}

/// That a row is there. Who removes it ends the generation of the registration in the same commit: a
/// token of another generation needs a look, for other nodes may have removed the row.
#[derive(Debug, Clone, Copy)]
struct Noted {
    generation: i64,
    /// Until when it counts.
    until: UnixTime,
}

/// Whose tokens may be in force, and the chain by which they were asked for.
#[derive(Debug)]
pub(crate) struct ActiveSigner {
    pub(crate) client_id: String,
    pub(crate) leaf: Certificate,
    pub(crate) intermediates: Vec<Certificate>,
}

impl Signers {
    pub(crate) async fn open(db: Db, now: UnixTime) -> Result<Self, DbError> {
        let rows = sqlx::query(
            "SELECT s.client_id AS client_id, leaf_sha256, until, generation
             FROM signer s JOIN registration r ON r.client_id = s.client_id WHERE until > $1",
        )
        .bind(now.0)
        .fetch_all(db.reader())
        .await?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in rows {
            let hash: Vec<u8> = row.try_get("leaf_sha256")?;
            if let Ok(hash) = <[u8; 32]>::try_from(hash) {
                let noted = Noted {
                    generation: row.try_get("generation")?,
                    until: UnixTime(row.try_get("until")?),
                };
                let client_id: String = row.try_get("client_id")?;
                known.insert((client_id.into(), hash), noted);
            }
        }
        Ok(Self {
            db,
            known: RwLock::new(known),
        })
    }

    /// Notes that a token which ends at `exp` is about to be issued. Durable when this returns.
    pub(crate) async fn record(
        &self,
        registration: &Registration,
        leaf: &Certificate,
        intermediates: &[Certificate],
        now: UnixTime,
        exp: UnixTime,
    ) -> Result<(), DbError> {
        let client_id = &registration.client_id;
        let generation = registration.generation();
        let key = (Arc::clone(client_id), *leaf.sha256());
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let noted = known.get(&key);
            if noted.is_some_and(|noted| noted.generation == generation && noted.until >= exp) {
                return Ok(());
            }
        }
        let until = exp.plus_secs(SPARE_SECS);
        let certificates = std::iter::once(leaf).chain(intermediates);
        let chain: Vec<u8> = certificates.flat_map(|c| c.der().iter().copied()).collect();
        let mut write = self.db.write().await?;
        sqlx::query(
            "INSERT INTO signer (client_id, leaf_sha256, chain, until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (client_id, leaf_sha256) DO UPDATE SET chain = $3, until = $4",
        )
        .bind(&**client_id)
        .bind(key.1.to_vec())
        .bind(chain)
        .bind(until.0)
        .execute(&mut *write)
        .await?;
        // For operators: when it was last used, to the hour, which costs nothing here.
        sqlx::query("UPDATE registration SET last_token = $1 WHERE client_id = $2")
            .bind(now.0)
            .bind(&**client_id)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, Noted { generation, until });
        Ok(())
    }

    /// A page of those that count, after a key; the empty text is before all.
    pub(crate) async fn active(
        &self,
        now: UnixTime,
        after: &Key,
    ) -> Result<(Vec<ActiveSigner>, Option<Key>), DbError> {
        let rows = sqlx::query(
            "SELECT client_id, leaf_sha256, chain FROM signer
             WHERE until > $1 AND (client_id > $2 OR (client_id = $2 AND leaf_sha256 > $3))
             ORDER BY client_id, leaf_sha256 LIMIT $4",
        )
        .bind(now.0)
        .bind(&*after.0)
        .bind(after.1.to_vec())
        .bind(PAGE)
        .fetch_all(self.db.reader())
        .await?;
        let mut last = None;
        let mut active = Vec::with_capacity(rows.len());
        for row in rows {
            let client_id: String = row.try_get("client_id")?;
            let hash: Vec<u8> = row.try_get("leaf_sha256")?;
            let chain: Vec<u8> = row.try_get("chain")?;
            last = <[u8; 32]>::try_from(hash)
                .ok()
                .map(|h| (client_id.as_str().into(), h));
            let mut certificates = certificates(&chain).into_iter();
            if let Some(leaf) = certificates.next() {
                active.push(ActiveSigner {
                    client_id,
                    leaf,
                    intermediates: certificates.collect(),
                });
            }
        }
        Ok((active, last))
    }

    /// Forgets one whose row was [removed](remove).
    pub(crate) fn forget(&self, signer: &ActiveSigner) {
        let key = (signer.client_id.as_str().into(), *signer.leaf.sha256());
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.remove(&key);
    }

    /// Forgets what is known of some clients: other nodes may have removed rows.
    pub(super) fn forget_those_of(&self, clients: &HashSet<String>) {
        if clients.is_empty() {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(client_id, _), _| !clients.contains(&**client_id));
    }

    pub(super) fn forget_all(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }

    /// Forgets those whose tokens have all expired.
    pub(crate) async fn forget_expired(&self, now: UnixTime) -> Result<(), DbError> {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if !known.values().any(|noted| noted.until <= now) {
                return Ok(());
            }
        }
        let mut write = self.db.write().await?;
        sqlx::query("DELETE FROM signer WHERE until <= $1")
            .bind(now.0)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, noted| noted.until > now);
        Ok(())
    }
}

/// Removes one, in the transaction that ends its tokens, and says whether it was there.
pub(super) async fn remove(
    write: &mut sqlx::AnyConnection,
    signer: &ActiveSigner,
) -> Result<bool, DbError> {
    let removed = sqlx::query("DELETE FROM signer WHERE client_id = $1 AND leaf_sha256 = $2")
        .bind(&signer.client_id)
        .bind(signer.leaf.sha256().to_vec())
        .execute(write)
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// Certificates one after the other, as they were written.
fn certificates(mut chain: &[u8]) -> Vec<Certificate> {
    let mut all = Vec::new();
    while let Some(length) = length(chain) {
        let Some((der, rest)) = chain.split_at_checked(length) else {
            break;
        };
        all.extend(Certificate::from_der(der).ok());
        chain = rest;
    }
    all
}

/// How many bytes the DER value takes that stands first. A certificate has a length of two bytes or
/// three; what is shorter than 128 bytes is none.
fn length(der: &[u8]) -> Option<usize> {
    match der {
        [0x30, 0x81, a, ..] => Some(3 + usize::from(*a)),
        [0x30, 0x82, a, b, ..] => Some(4 + usize::from(u16::from_be_bytes([*a, *b]))),
        [0x30, 0x83, a, b, c, ..] => {
            let length = u32::from_be_bytes([0, *a, *b, *c]);
            Some(5 + usize::try_from(length).ok()?)
        }
        _ => None,
    }
}
