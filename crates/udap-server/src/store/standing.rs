//! Whether certifications that are kept still count, as far as those who signed them are concerned.

use super::registrations::{Registrations, State};
use udap_host::db::DbError;
use udap_host::db::sqlx::{self, Row as _};
use udap_pki::UnixTime;

/// What `ends` is while its signer may not certify here: in the past, so that it counts for nothing; and
/// not 0, so that it is looked at again when an operator trusts that signer again.
pub(crate) const REFUSED: i64 = 1;
/// How many are read at once.
const PAGE: i64 = 200;

/// In the order in which they are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CertificationKey {
    pub(crate) client_id: String,
    pub(crate) position: i64,
    pub(crate) programme: String,
}

/// A certification for one programme, as it was accepted.
#[derive(Debug, Clone)]
pub(crate) struct KeptCertification {
    pub(crate) key: CertificationKey,
    pub(crate) compact: String,
    pub(crate) community: String,
    pub(crate) uri: String,
    /// Whether its app rests for want of a certification.
    pub(crate) rests: bool,
    jti: String,
    refused: bool,
}

/// What its signer's standing makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Counts,
    /// Not while the community is as it is.
    Refused,
    /// Never again.
    Ended,
}

impl Registrations {
    /// A page of those that count or may count again, behind a key.
    pub(crate) async fn kept_certifications(
        &self,
        now: UnixTime,
        after: &CertificationKey,
    ) -> Result<Vec<KeptCertification>, DbError> {
        let rows = sqlx::query(
            "SELECT c.client_id, c.position, c.programme, c.jti, c.compact, c.ends,
                    r.community, r.uri, r.state
             FROM certification c JOIN registration r ON r.client_id = c.client_id
             WHERE c.expires > $1 AND c.ends > 0 AND r.state <> 'cancelled'
               AND (c.client_id > $2 OR (c.client_id = $3
                 AND (c.position > $4 OR (c.position = $5 AND c.programme > $6))))
             ORDER BY c.client_id, c.position, c.programme LIMIT $7",
        )
        .bind(now.0)
        .bind(&after.client_id)
        .bind(&after.client_id)
        .bind(after.position)
        .bind(after.position)
        .bind(&after.programme)
        .bind(PAGE)
        .fetch_all(self.db().reader())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(KeptCertification {
                    key: CertificationKey {
                        client_id: row.try_get("client_id")?,
                        position: row.try_get("position")?,
                        programme: row.try_get("programme")?,
                    },
                    compact: row.try_get("compact")?,
                    community: row.try_get("community")?,
                    uri: row.try_get("uri")?,
                    rests: row.try_get::<String, _>("state")? == State::Lapsed.as_str(),
                    jti: row.try_get("jti")?,
                    refused: row.try_get::<i64, _>("ends")? == REFUSED,
                })
            })
            .collect()
    }

    /// Writes down what its signer's standing makes of a certification; whether that is new.
    pub(crate) async fn set_standing(
        &self,
        kept: &KeptCertification,
        standing: Standing,
        now: UnixTime,
    ) -> Result<bool, DbError> {
        let update = match (standing, kept.refused) {
            (Standing::Counts, false) | (Standing::Refused, true) => return Ok(false),
            // Where its certifier has to confirm it, it counts when that was asked.
            (Standing::Counts, true) => {
                "ends = CASE WHEN status_endpoint = '' THEN expires ELSE $1 END
                 WHERE ends = 1"
            }
            (Standing::Refused, false) => "ends = $1 WHERE ends > 1",
            (Standing::Ended, _) => "ends = $1 WHERE ends > 0",
        };
        let ends = match standing {
            Standing::Counts => now.0,
            Standing::Refused => REFUSED,
            Standing::Ended => 0,
        };
        // By its jti as well: the app may have registered with another one meanwhile.
        let update = format!(
            "UPDATE certification SET {update}
               AND client_id = $2 AND position = $3 AND programme = $4 AND jti = $5"
        );
        let mut write = self.db().write().await?;
        let done = sqlx::query(sqlx::AssertSqlSafe(update))
            .bind(ends)
            .bind(&kept.key.client_id)
            .bind(kept.key.position)
            .bind(&kept.key.programme)
            .bind(&kept.jti)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
