use udap_pki::{
    UnixTime,
    issue::{Profile, RevocationReason},
};

use crate::{Ca, CaError};

/// A certificate that this CA issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The serial number in hexadecimal.
    pub serial: String,
    /// What it is for.
    pub profile: Profile,
    /// Whose it is.
    pub subject: String,
    /// Its subject alternative names.
    pub names: Vec<String>,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity.
    pub not_after: UnixTime,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// Since when and why it is revoked.
    pub revoked: Option<(UnixTime, RevocationReason)>,
}

impl Ca {
    /// Everything this CA issued, its own certificates and its OCSP responders' included, oldest
    /// first.
    ///
    /// # Errors
    /// When the database does not serve.
    pub async fn list(&self) -> Result<Vec<Listed>, CaError> {
        let rows = self.store.certificates().await?;
        Ok(rows
            .into_iter()
            .map(|row| Listed {
                serial: row.serial,
                profile: row.profile,
                subject: row.subject,
                names: row.names,
                not_before: row.not_before,
                not_after: row.not_after,
                issued_at: row.issued_at,
                revoked: row.revoked,
            })
            .collect())
    }
}
