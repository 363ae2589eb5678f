use sqlx::Row as _;
use udap_pki::UnixTime;

use super::{Store, Write};
use crate::{CaError, PublishedBundle};

const LAST: &str = "SELECT sequence, compact, signed_at, expires FROM bundle WHERE id = 1";

impl Store {
    /// The bundle that is published.
    pub(crate) async fn bundle(&self) -> Result<Option<PublishedBundle>, CaError> {
        let row = sqlx::query(LAST).fetch_optional(self.db.reader()).await?;
        row.as_ref().map(read).transpose()
    }
}

/// The last one, within the transaction that replaces it.
pub(crate) async fn bundle_for_update(
    write: &mut Write,
) -> Result<Option<PublishedBundle>, CaError> {
    let row = sqlx::query(LAST).fetch_optional(&mut **write).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &sqlx::any::AnyRow) -> Result<PublishedBundle, CaError> {
    Ok(PublishedBundle {
        sequence: row.try_get("sequence")?,
        compact: row.try_get("compact")?,
        signed_at: UnixTime(row.try_get("signed_at")?),
        expires: UnixTime(row.try_get("expires")?),
    })
}

pub(crate) async fn put_bundle(write: &mut Write, bundle: &PublishedBundle) -> Result<(), CaError> {
    sqlx::query(
        "INSERT INTO bundle (id, sequence, compact, signed_at, expires) VALUES (1, $1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, compact = excluded.compact,
                signed_at = excluded.signed_at, expires = excluded.expires",
    )
    .bind(bundle.sequence)
    .bind(bundle.compact.as_str())
    .bind(bundle.signed_at.0)
    .bind(bundle.expires.0)
    .execute(&mut **write)
    .await?;
    Ok(())
}
