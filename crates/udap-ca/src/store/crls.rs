use sqlx::{Row as _, any::AnyRow};
use udap_pki::UnixTime;

use super::{Store, Write};
use crate::CaError;

/// The newest CRL of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CrlRow {
    pub(crate) issuer: String,
    pub(crate) number: i64,
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: UnixTime,
    pub(crate) der: Vec<u8>,
}

impl Store {
    pub(crate) async fn crls(&self) -> Result<Vec<CrlRow>, CaError> {
        let rows = sqlx::query(
            "SELECT issuer, number, this_update, next_update, der FROM crl ORDER BY issuer",
        )
        .fetch_all(self.db.reader())
        .await?;
        rows.iter().map(crl_row).collect()
    }
}

/// The newest CRL, which cannot change before the transaction ends.
pub(crate) async fn crl_for_update(
    write: &mut Write,
    issuer: &str,
) -> Result<Option<CrlRow>, CaError> {
    let row = sqlx::query(
        "SELECT issuer, number, this_update, next_update, der FROM crl WHERE issuer = $1",
    )
    .bind(issuer)
    .fetch_optional(&mut **write)
    .await?;
    row.as_ref().map(crl_row).transpose()
}

pub(crate) async fn put_crl(write: &mut Write, crl: &CrlRow) -> Result<(), CaError> {
    sqlx::query(
        "INSERT INTO crl (issuer, number, this_update, next_update, der) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, this_update = excluded.this_update, \
         next_update = excluded.next_update, der = excluded.der",
    )
    .bind(crl.issuer.as_str())
    .bind(crl.number)
    .bind(crl.this_update.0)
    .bind(crl.next_update.0)
    .bind(crl.der.clone())
    .execute(&mut **write)
    .await?;
    Ok(())
}

fn crl_row(row: &AnyRow) -> Result<CrlRow, CaError> {
    Ok(CrlRow {
        issuer: row.try_get("issuer")?,
        number: row.try_get("number")?,
        this_update: UnixTime(row.try_get("this_update")?),
        next_update: UnixTime(row.try_get("next_update")?),
        der: row.try_get("der")?,
    })
}
