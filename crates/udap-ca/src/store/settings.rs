use sqlx::Row as _;
use udap_pki::UnixTime;

use super::{Store, Write};
use crate::CaError;

/// What the CA was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `None` for the CA of TLS servers.
    pub(crate) community: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) key_type: String,
    pub(crate) crl_seconds: i64,
    pub(crate) created_at: UnixTime,
}

#[derive(Clone, Debug)]
pub(crate) struct AuthorityRow {
    pub(crate) role: String,
    pub(crate) certificate: Vec<u8>,
}

impl Store {
    /// `None` while `init` is not complete.
    pub(crate) async fn settings(&self) -> Result<Option<Settings>, CaError> {
        let row = sqlx::query(
            "SELECT community, base_url, key_type, crl_seconds, created_at FROM ca WHERE id = 1",
        )
        .fetch_optional(self.db.reader())
        .await?;
        row.map(|row| {
            Ok(Settings {
                community: row.try_get("community")?,
                base_url: row.try_get("base_url")?,
                key_type: row.try_get("key_type")?,
                crl_seconds: row.try_get("crl_seconds")?,
                created_at: UnixTime(row.try_get("created_at")?),
            })
        })
        .transpose()
    }

    pub(crate) async fn authorities(&self) -> Result<Vec<AuthorityRow>, CaError> {
        let rows = sqlx::query("SELECT role, certificate FROM authority ORDER BY role")
            .fetch_all(self.db.reader())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(AuthorityRow {
                    role: row.try_get("role")?,
                    certificate: row.try_get("certificate")?,
                })
            })
            .collect()
    }

    /// Whether what is published changed since somebody looked: compare with an earlier answer.
    pub(crate) async fn epoch(&self) -> Result<i64, CaError> {
        let row = sqlx::query("SELECT value FROM epoch WHERE id = 1")
            .fetch_one(self.db.reader())
            .await?;
        Ok(row.try_get("value")?)
    }
}

pub(crate) async fn put_settings(write: &mut Write, settings: &Settings) -> Result<(), CaError> {
    sqlx::query(
        "INSERT INTO ca (id, community, base_url, key_type, crl_seconds, created_at) VALUES (1, $1, $2, $3, $4, $5)",
    )
    .bind(settings.community.as_deref())
    .bind(settings.base_url.as_deref())
    .bind(settings.key_type.as_str())
    .bind(settings.crl_seconds)
    .bind(settings.created_at.0)
    .execute(&mut **write)
    .await?;
    Ok(())
}

pub(crate) async fn put_authority(
    write: &mut Write,
    role: &str,
    certificate: &[u8],
) -> Result<(), CaError> {
    sqlx::query("INSERT INTO authority (role, certificate) VALUES ($1, $2)")
        .bind(role)
        .bind(certificate.to_vec())
        .execute(&mut **write)
        .await?;
    Ok(())
}

pub(crate) async fn raise_epoch(write: &mut Write) -> Result<(), CaError> {
    sqlx::query("UPDATE epoch SET value = value + 1 WHERE id = 1")
        .execute(&mut **write)
        .await?;
    Ok(())
}
