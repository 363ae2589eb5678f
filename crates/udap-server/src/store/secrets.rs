//! Secrets that are kept in the database, which nodes share: sealed under the key of `secrets_key_file`, which is
//! not in the database.

use crate::app::StartError;
use udap_host::db::sqlx;
use udap_host::db::{Db, DbError, Migration};
use udap_host::seal::{SealError, SecretsKey};
use zeroize::Zeroizing;

/// For one process too; nodes have the table since they are several.
pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "sealed secrets",
        sql: "CREATE TABLE IF NOT EXISTS shared_secret
              (name TEXT NOT NULL PRIMARY KEY, sealed BLOB NOT NULL);",
    }
}

/// Whether there is a secret of that name.
pub(crate) async fn is_kept(db: &Db, name: &str) -> Result<bool, DbError> {
    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM shared_secret WHERE name = $1")
        .bind(name)
        .fetch_one(db.reader())
        .await?;
    Ok(found > 0)
}

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
