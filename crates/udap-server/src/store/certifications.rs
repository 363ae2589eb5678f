//! What somebody says about a registered app: a row for each programme of each certification that was
//! accepted with its registration.

use super::registrations::{Registrations, State};
use crate::certifications::STATUS_SECS;
use serde_json::{Map, Value};
use std::sync::Arc;
use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{DbError, Migration};
use udap_pki::UnixTime;
use udap_proto::certification::{Kind, RequestLimits, Verified};
use udap_proto::jws::Jws;

/// `ends` is until when it counts: its `exp`, or earlier where its certifier has to confirm it time
/// and again; 0 when it was taken back, and [`super::standing::REFUSED`].
pub(super) const MIGRATION: Migration = Migration {
    version: 3,
    name: "certifications",
    sql: "CREATE TABLE certification (
            client_id TEXT NOT NULL,
            position BIGINT NOT NULL,
            programme TEXT NOT NULL,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            issuer TEXT NOT NULL,
            issuer_name TEXT NOT NULL,
            jti TEXT NOT NULL,
            expires BIGINT NOT NULL,
            ends BIGINT NOT NULL,
            status_endpoint TEXT NOT NULL,
            limits TEXT NOT NULL,
            compact TEXT NOT NULL,
            PRIMARY KEY (client_id, position, programme)
          );
          CREATE INDEX certification_ends ON certification (programme, ends);",
};

/// A certification that counts for an app, and for which programmes.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) programmes: Vec<String>,
    pub(crate) certification: Verified,
}

/// One whose certifier can be asked whether it still holds.
#[derive(Debug, Clone)]
pub(crate) struct Askable {
    pub(crate) client_id: String,
    pub(crate) position: i64,
    pub(crate) endpoint: String,
    pub(crate) jti: String,
    pub(crate) expires: UnixTime,
    pub(crate) community: String,
    pub(crate) uri: String,
    /// Whether its app rests for want of a certification.
    pub(crate) rests: bool,
}

/// An app that lacks a required certification by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lapsed {
    pub(crate) client_id: String,
    pub(crate) uri: String,
    pub(crate) programme: String,
}

/// Which registrations are looked at for lapsed certifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// All: what is required may be new since they were made.
    All,
    /// Those of which some certification has ended.
    Ended,
}

/// Writes what was accepted; earlier ones are to be removed before.
pub(super) async fn insert(
    write: &mut sqlx::AnyConnection,
    client_id: &str,
    accepted: &[Accepted],
    now: UnixTime,
) -> Result<(), DbError> {
    for (position, accepted) in (0_i64..).zip(accepted) {
        let one = &accepted.certification;
        let limits = &one.restrictions().limits;
        let limits = match limits.is_empty() {
            true => String::new(),
            false => limits.to_json().to_string(),
        };
        let expires = one.claims().exp;
        let ends = match one.status_endpoint() {
            None => expires,
            Some(_) => expires.min(now.plus_secs(STATUS_SECS)),
        };
        for programme in &accepted.programmes {
            sqlx::query(
                "INSERT INTO certification (client_id, position, programme, kind, name, issuer, issuer_name,
                        jti, expires, ends, status_endpoint, limits, compact)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            )
            .bind(client_id)
            .bind(position)
            .bind(programme)
            .bind(match one.kind() {
                Kind::Certification => "certification",
                Kind::Endorsement => "endorsement",
            })
            .bind(one.name())
            .bind(one.issuer())
            .bind(one.issuer_name().unwrap_or_default())
            .bind(&one.claims().jti)
            .bind(expires.0)
            .bind(ends.0)
            .bind(one.status_endpoint().unwrap_or_default())
            .bind(&limits)
            .bind(one.compact())
            .execute(&mut *write)
            .await?;
        }
    }
    Ok(())
}

/// Removes those of an earlier registration.
pub(super) async fn remove(
    write: &mut sqlx::AnyConnection,
    client_id: &str,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM certification WHERE client_id = $1")
        .bind(client_id)
        .execute(write)
        .await?;
    Ok(())
}

/// Whether an app has everything in force that its community requires.
pub(super) async fn complete(
    write: &mut sqlx::AnyConnection,
    client_id: &str,
    required: &[String],
    now: UnixTime,
) -> Result<bool, DbError> {
    for programme in required {
        let has = sqlx::query(
            "SELECT 1 FROM certification WHERE client_id = $1 AND programme = $2
                    AND kind = 'certification' AND ends > $3",
        )
        .bind(client_id)
        .bind(programme)
        .bind(now.0)
        .fetch_optional(&mut *write)
        .await?;
        if has.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Registrations {
    /// The claims of an app's certifications of a programme that count now. They were verified when they
    /// were accepted, and an endorsement shows nothing.
    pub(crate) async fn certified(
        &self,
        client_id: &str,
        programme: &str,
        now: UnixTime,
    ) -> Result<Vec<Map<String, Value>>, DbError> {
        let rows = sqlx::query(
            "SELECT compact FROM certification
             WHERE client_id = $1 AND programme = $2 AND kind = 'certification' AND ends > $3",
        )
        .bind(client_id)
        .bind(programme)
        .bind(now.0)
        .fetch_all(self.db().reader())
        .await?;
        let mut certified = Vec::with_capacity(rows.len());
        for row in rows {
            let compact: String = row.try_get("compact")?;
            certified.extend(Jws::parse(&compact).map(|jws| jws.payload().clone()));
        }
        Ok(certified)
    }

    /// With which keys and from where an app may ask for tokens, by its certifications. What cannot be
    /// read any more is an error, since it must not be taken for no limit.
    pub(super) async fn limits(&self, client_id: &str) -> Result<Arc<[RequestLimits]>, DbError> {
        let rows = sqlx::query(
            "SELECT DISTINCT limits FROM certification WHERE client_id = $1 AND limits <> ''",
        )
        .bind(client_id)
        .fetch_all(self.db().reader())
        .await?;
        let mut limits = Vec::with_capacity(rows.len());
        for row in rows {
            let text: String = row.try_get("limits")?;
            let read = serde_json::from_str(&text)
                .ok()
                .and_then(|claims| RequestLimits::read(&claims).ok());
            limits.push(read.ok_or_else(|| {
                sqlx::Error::Decode(format!("limits of the certifications of `{client_id}`").into())
            })?);
        }
        Ok(limits.into())
    }

    /// Those that may still hold and name a status endpoint, of registrations that are not at an end,
    /// in the order of their client, after `after`, at most `most`.
    pub(crate) async fn askable(
        &self,
        now: UnixTime,
        after: (&str, i64),
        most: i64,
    ) -> Result<Vec<Askable>, DbError> {
        let rows = sqlx::query(
            "SELECT DISTINCT c.client_id, c.position, c.status_endpoint, c.jti, c.expires,
                    r.community, r.uri, r.state
             FROM certification c JOIN registration r ON r.client_id = c.client_id
             WHERE c.status_endpoint <> '' AND c.expires > $1 AND c.ends > 1
               AND r.state IN ('active', 'lapsed')
               AND (c.client_id > $2 OR (c.client_id = $3 AND c.position > $4))
             ORDER BY c.client_id, c.position LIMIT $5",
        )
        .bind(now.0)
        .bind(after.0)
        .bind(after.0)
        .bind(after.1)
        .bind(most)
        .fetch_all(self.db().reader())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Askable {
                    client_id: row.try_get("client_id")?,
                    position: row.try_get("position")?,
                    endpoint: row.try_get("status_endpoint")?,
                    jti: row.try_get("jti")?,
                    expires: UnixTime(row.try_get("expires")?),
                    community: row.try_get("community")?,
                    uri: row.try_get("uri")?,
                    rests: row.try_get::<String, _>("state")? == State::Lapsed.as_str(),
                })
            })
            .collect()
    }

    /// Writes down until when a certification counts, by what its certifier said.
    pub(crate) async fn set_ends(&self, one: &Askable, ends: UnixTime) -> Result<(), DbError> {
        let mut write = self.db().write().await?;
        // By its jti as well: the app may have registered with another one meanwhile. Nor does the word of
        // one that is not trusted any more bring anything back.
        sqlx::query(
            "UPDATE certification SET ends = $1
             WHERE client_id = $2 AND position = $3 AND jti = $4 AND ends > 1",
        )
        .bind(ends.0)
        .bind(&one.client_id)
        .bind(one.position)
        .bind(&one.jti)
        .execute(&mut *write)
        .await?;
        Ok(write.commit().await?)
    }

    /// Waits until what was being written is written: one writes at a time.
    pub(crate) async fn settled(&self) -> Result<(), DbError> {
        Ok(self.db().write().await?.commit().await?)
    }

    /// The apps of a community that rest for want of a certification: `client_id` and URI.
    pub(crate) async fn resting(&self, community: &str) -> Result<Vec<(String, String)>, DbError> {
        let rows = sqlx::query(
            "SELECT client_id, uri FROM registration WHERE community = $1 AND state = 'lapsed'",
        )
        .bind(community)
        .fetch_all(self.db().reader())
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("client_id")?, row.try_get("uri")?)))
            .collect()
    }

    /// Lets an app work again that rested, if it has everything again that its community requires.
    pub(crate) async fn revive(
        &self,
        client_id: &str,
        required: &[String],
        now: UnixTime,
    ) -> Result<bool, DbError> {
        let mut write = self.db().write().await?;
        if !complete(&mut write, client_id, required, now).await? {
            return Ok(false);
        }
        let done = sqlx::query(
            "UPDATE registration SET state = 'active', changed = $1
             WHERE client_id = $2 AND state = 'lapsed'",
        )
        .bind(now.0)
        .bind(client_id)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        self.forget(client_id);
        Ok(done.rows_affected() == 1)
    }

    /// Lets every active registration of a community rest that has no certification of a programme in
    /// force; an endorsement is none.
    pub(crate) async fn lapse(
        &self,
        community: &str,
        programme: &str,
        now: UnixTime,
        among: Among,
    ) -> Result<Vec<Lapsed>, DbError> {
        let some = match among {
            Among::All => "",
            Among::Ended => {
                "AND client_id IN (SELECT e.client_id FROM certification e
                  WHERE e.programme = $4 AND e.ends <= $5)"
            }
        };
        let found = format!(
            "SELECT client_id, uri FROM registration
             WHERE community = $1 AND state = 'active'
               AND NOT EXISTS (SELECT 1 FROM certification c
                 WHERE c.client_id = registration.client_id AND c.programme = $2
                   AND c.kind = 'certification' AND c.ends > $3) {some}"
        );
        let mut found = sqlx::query(sqlx::AssertSqlSafe(found))
            .bind(community)
            .bind(programme)
            .bind(now.0);
        if among == Among::Ended {
            found = found.bind(programme).bind(now.0);
        }
        let found = found.fetch_all(self.db().reader()).await?;
        let mut lapsed = Vec::new();
        for row in found {
            let client_id: String = row.try_get("client_id")?;
            let mut write = self.db().write().await?;
            // Looked at once more within the transaction: the app may just have brought a new one.
            let done = sqlx::query(
                "UPDATE registration SET state = 'lapsed', changed = $1
                 WHERE client_id = $2 AND state = 'active'
                   AND NOT EXISTS (SELECT 1 FROM certification c
                     WHERE c.client_id = registration.client_id AND c.programme = $3
                       AND c.kind = 'certification' AND c.ends > $4)",
            )
            .bind(now.0)
            .bind(&client_id)
            .bind(programme)
            .bind(now.0)
            .execute(&mut *write)
            .await?;
            write.commit().await?;
            self.forget(&client_id);
            if done.rows_affected() == 1 {
                lapsed.push(Lapsed {
                    uri: row.try_get("uri")?,
                    programme: programme.to_owned(),
                    client_id,
                });
            }
        }
        Ok(lapsed)
    }
}
