use sqlx::Row as _;
use udap_pki::UnixTime;

use super::{Store, Write};
use crate::{CaError, KeptCertification};

impl Store {
    /// Whether that very certification is kept and was not taken back.
    pub(crate) async fn has_certification(
        &self,
        jti: &str,
        expires: UnixTime,
    ) -> Result<bool, CaError> {
        let row = sqlx::query(
            "SELECT 1 FROM certification WHERE jti = $1 AND expires = $2 AND withdrawn_at IS NULL",
        )
        .bind(jti)
        .bind(expires.0)
        .fetch_optional(self.db.reader())
        .await?;
        Ok(row.is_some())
    }
}

pub(crate) async fn put_certification(
    write: &mut Write,
    kept: &KeptCertification,
    now: UnixTime,
) -> Result<(), CaError> {
    sqlx::query(
        "INSERT INTO certification (jti, expires, app, name, kept_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(kept.jti.as_str())
    .bind(kept.expires.0)
    .bind(kept.app.as_str())
    .bind(kept.name.as_str())
    .bind(now.0)
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// Marks it as taken back, unless it is; what it was, and since when. `None` for one that is not kept.
pub(crate) async fn withdraw_certification(
    write: &mut Write,
    jti: &str,
    now: UnixTime,
) -> Result<Option<(KeptCertification, UnixTime)>, CaError> {
    let row =
        sqlx::query("SELECT expires, app, name, withdrawn_at FROM certification WHERE jti = $1")
            .bind(jti)
            .fetch_optional(&mut **write)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let kept = KeptCertification {
        jti: jti.to_owned(),
        expires: UnixTime(row.try_get("expires")?),
        app: row.try_get("app")?,
        name: row.try_get("name")?,
    };
    if let Some(at) = row.try_get::<Option<i64>, _>("withdrawn_at")? {
        return Ok(Some((kept, UnixTime(at))));
    }
    sqlx::query("UPDATE certification SET withdrawn_at = $1 WHERE jti = $2")
        .bind(now.0)
        .bind(jti)
        .execute(&mut **write)
        .await?;
    Ok(Some((kept, now)))
}
