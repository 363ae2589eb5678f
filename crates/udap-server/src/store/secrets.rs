//! Secrets that the nodes of one database share: sealed under the key of `secrets_key_file`, which is
//! not in the database.

use crate::app::StartError;
use udap_host::db::sqlx;
use udap_host::db::{Db, DbError};
use udap_host::seal::{SealError, SecretsKey};
use zeroize::Zeroizing;

/// The secret of that name; the first node that asks for it makes it.
pub(crate) async fn shared(
    db: &Db,
    key: &SecretsKey,
    name: &str,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, StartError>,
) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let place = format!("shared_secret {name}");
    let sealing = |error: SealError| StartError::Sealed {
        name: name.to_owned(),
        error,
    };
    // One write transaction at a time: two nodes that start together get the same.
    let mut write = db.write().await?;
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM shared_secret WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *write)
            .await
            .map_err(DbError::from)?;
    if let Some(sealed) = sealed {
        return key.open(&sealed, &place).map_err(sealing);
    }
    let secret = make()?;
    sqlx::query("INSERT INTO shared_secret (name, sealed) VALUES ($1, $2)")
        .bind(name)
        .bind(key.seal(&secret, &place).map_err(sealing)?)
        .execute(&mut *write)
        .await
        .map_err(DbError::from)?;
    write.commit().await.map_err(DbError::from)?;
    Ok(secret)
}
