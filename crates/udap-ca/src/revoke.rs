use udap_pki::{UnixTime, issue::RevocationReason, pem};

use crate::{
    Ca, CaError,
    authority::Role,
    check::{serial_bytes, serial_hex},
    publish,
    store::{self, RevokedRow},
};

/// A revocation that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The serial number in hexadecimal.
    pub serial: String,
    /// The subject of the certificate.
    pub subject: String,
    /// Since when.
    pub at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
    /// The number of the CRL that tells of it.
    pub crl_number: i64,
}

impl Ca {
    /// Revokes the certificate with this serial number, given in hexadecimal, with or without
    /// colons. The revocation and the CRL that tells of it are one transaction, and a serving
    /// process publishes it within a second.
    ///
    /// # Errors
    /// [`CaError::Target`] for what is no serial number, [`CaError::UnknownSerial`],
    /// [`CaError::AlreadyRevoked`], [`CaError::RootRevocation`].
    pub async fn revoke(&self, serial: &str, reason: RevocationReason) -> Result<Revoked, CaError> {
        let serial = parse_serial(serial)?;
        let at = self.now();
        let mut write = self.store.write().await?;
        let row = store::certificate_for_update(&mut write, &serial).await?;
        let row = row.ok_or_else(|| CaError::UnknownSerial {
            serial: serial.clone(),
        })?;
        if let Some((at, _)) = row.revoked {
            return Err(CaError::AlreadyRevoked { serial, at });
        }
        if serial == serial_hex(self.root.certificate.serial()) {
            return Err(CaError::RootRevocation);
        }
        store::mark_revoked(
            &mut write,
            &RevokedRow {
                serial: serial.clone(),
                revoked_at: at,
                reason,
            },
        )
        .await?;
        let issuer = match Role::from_name(&row.issuer)? {
            Role::Root => &self.root,
            Role::Issuing => self.issuing.as_ref().unwrap_or(&self.root),
        };
        let crl_number =
            publish::issue_crl(&mut write, issuer, self.settings.crl_seconds, at).await?;
        store::commit(write).await?;
        self.reload().await?;
        Ok(Revoked {
            serial,
            subject: row.subject,
            at,
            reason,
            crl_number,
        })
    }

    /// Revokes the certificate in a file, PEM (the first of a chain) or DER.
    ///
    /// # Errors
    /// As [`Self::revoke`]; [`CaError::UnknownSerial`] also for what this CA did not sign.
    pub async fn revoke_certificate(
        &self,
        file: &[u8],
        reason: RevocationReason,
    ) -> Result<Revoked, CaError> {
        let certificates = pem::certificates(file).map_err(|error| CaError::Target {
            detail: error.to_string(),
        })?;
        let certificate = certificates.first().ok_or_else(|| CaError::Target {
            detail: "the file is empty".to_owned(),
        })?;
        // By its signature: names and serial numbers of others are public, and anybody can write them into a
        // certificate of their own.
        let ours = [Some(&self.root), self.issuing.as_ref()];
        if !ours.into_iter().flatten().any(|authority| {
            let key = authority.certificate.public_key();
            key.is_ok_and(|key| certificate.verify_signed_by(key).is_ok())
        }) {
            return Err(CaError::UnknownSerial {
                serial: certificate.serial_hex(),
            });
        }
        self.revoke(&serial_hex(certificate.serial()), reason).await
    }
}

/// The store's form of a serial number: lower case, no colons, no leading zeros.
fn parse_serial(text: &str) -> Result<String, CaError> {
    let refuse = |detail: &str| {
        Err(CaError::Target {
            detail: format!("{detail}: {text:?}"),
        })
    };
    let digits: String = text
        .trim()
        .trim_start_matches("0x")
        .chars()
        .filter(|c| *c != ':')
        .collect();
    if digits.is_empty() || digits.len() > 42 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return refuse("it is not a serial number in hexadecimal");
    }
    match serial_bytes(&digits) {
        Some(bytes) => Ok(serial_hex(&bytes)),
        None => refuse("it is not a serial number in hexadecimal"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_people_write_them() {
        for text in ["0A1b", "a1b", "0x0a1b", "0a:1B", " 00:0a:1b "] {
            assert_eq!(parse_serial(text).unwrap(), "0a1b", "{text:?}");
        }
        for text in ["", "xyz", "0x", "--", "é", &"1".repeat(43)] {
            assert_eq!(
                parse_serial(text).unwrap_err().code(),
                "ca-target",
                "{text:?}"
            );
        }
    }
}
