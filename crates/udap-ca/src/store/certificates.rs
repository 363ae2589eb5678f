use sqlx::{Row as _, any::AnyRow};
use udap_pki::{
    UnixTime,
    issue::{Profile, RevocationReason},
};

use super::{Store, Write, damaged};
use crate::CaError;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT serial, issuer, profile, subject, names, not_before, not_after, issued_at, revoked_at, reason \
             FROM certificate ",
            $rest
        )
    };
}

/// A certificate as it is recorded before anybody gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewCertificate<'a> {
    pub(crate) serial: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) profile: Profile,
    pub(crate) subject: &'a str,
    pub(crate) names: &'a [String],
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) issued_at: UnixTime,
    pub(crate) der: &'a [u8],
}

/// A certificate as it is in the database, without its DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRow {
    pub(crate) serial: String,
    pub(crate) issuer: String,
    pub(crate) profile: Profile,
    pub(crate) subject: String,
    pub(crate) names: Vec<String>,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) issued_at: UnixTime,
    pub(crate) revoked: Option<(UnixTime, RevocationReason)>,
}

/// A line of a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RevokedRow {
    pub(crate) serial: String,
    pub(crate) revoked_at: UnixTime,
    pub(crate) reason: RevocationReason,
}

impl Store {
    /// All certificates, oldest first.
    pub(crate) async fn certificates(&self) -> Result<Vec<CertificateRow>, CaError> {
        let rows = sqlx::query(select!("ORDER BY issued_at, serial"))
            .fetch_all(self.db.reader())
            .await?;
        rows.iter().map(certificate_row).collect()
    }

    /// The certificate with that serial number, as last committed.
    pub(crate) async fn certificate(
        &self,
        serial: &str,
    ) -> Result<Option<CertificateRow>, CaError> {
        let row = sqlx::query(select!("WHERE serial = $1"))
            .bind(serial)
            .fetch_optional(self.db.reader())
            .await?;
        row.as_ref().map(certificate_row).transpose()
    }
}

pub(crate) async fn put_certificate(
    write: &mut Write,
    new: NewCertificate<'_>,
) -> Result<(), CaError> {
    let names = serde_json::to_string(new.names).map_err(damaged)?;
    sqlx::query(
        "INSERT INTO certificate (serial, issuer, profile, subject, names, not_before, not_after, issued_at, der) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.serial)
    .bind(new.issuer)
    .bind(new.profile.as_str())
    .bind(new.subject)
    .bind(names)
    .bind(new.not_before.0)
    .bind(new.not_after.0)
    .bind(new.issued_at.0)
    .bind(new.der.to_vec())
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// The certificate with that serial number, which cannot change before the transaction ends.
pub(crate) async fn certificate_for_update(
    write: &mut Write,
    serial: &str,
) -> Result<Option<CertificateRow>, CaError> {
    let row = sqlx::query(select!("WHERE serial = $1"))
        .bind(serial)
        .fetch_optional(&mut **write)
        .await?;
    row.as_ref().map(certificate_row).transpose()
}

pub(crate) async fn mark_revoked(write: &mut Write, revoked: &RevokedRow) -> Result<(), CaError> {
    sqlx::query("UPDATE certificate SET revoked_at = $1, reason = $2 WHERE serial = $3")
        .bind(revoked.revoked_at.0)
        .bind(revoked.reason.as_str())
        .bind(revoked.serial.as_str())
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// Everything `issuer` revoked that ended at `ended_after` or later. RFC 5280 §3.3: an entry may
/// leave the list only after one list beyond the certificate's own end.
pub(crate) async fn revoked(
    write: &mut Write,
    issuer: &str,
    ended_after: UnixTime,
) -> Result<Vec<RevokedRow>, CaError> {
    let rows = sqlx::query(
        "SELECT serial, revoked_at, reason FROM certificate \
         WHERE issuer = $1 AND revoked_at IS NOT NULL AND not_after >= $2",
    )
    .bind(issuer)
    .bind(ended_after.0)
    .fetch_all(&mut **write)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(RevokedRow {
                serial: row.try_get("serial")?,
                revoked_at: UnixTime(row.try_get("revoked_at")?),
                reason: reason(row)?.unwrap_or_default(),
            })
        })
        .collect()
}

fn certificate_row(row: &AnyRow) -> Result<CertificateRow, CaError> {
    let profile: String = row.try_get("profile")?;
    let names: String = row.try_get("names")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    let reason = reason(row)?.unwrap_or_default();
    Ok(CertificateRow {
        serial: row.try_get("serial")?,
        issuer: row.try_get("issuer")?,
        profile: Profile::from_name(&profile)
            .ok_or_else(|| damaged(format!("there is no profile {profile:?}")))?,
        subject: row.try_get("subject")?,
        names: serde_json::from_str(&names).map_err(damaged)?,
        not_before: UnixTime(row.try_get("not_before")?),
        not_after: UnixTime(row.try_get("not_after")?),
        issued_at: UnixTime(row.try_get("issued_at")?),
        revoked: revoked_at.map(|at| (UnixTime(at), reason)),
    })
}

fn reason(row: &AnyRow) -> Result<Option<RevocationReason>, CaError> {
    let Some(name) = row.try_get::<Option<String>, _>("reason")? else {
        return Ok(None);
    };
    let reason = RevocationReason::from_name(&name);
    reason
        .map(Some)
        .ok_or_else(|| damaged(format!("there is no revocation reason {name:?}")))
}
