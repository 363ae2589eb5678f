//! Certificate revocation lists.
use crate::{DerError, Name, UnixTime};

/// A CRL, parsed and indexed once (RFC 5280 §5).
#[derive(Debug)]
pub struct Crl;

/// Why bytes are not an acceptable CRL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Not DER.
    #[error("{0}")]
    Der(#[from] DerError),
}

/// Why a certificate was revoked (RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum RevocationReason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    RemoveFromCrl,
    PrivilegeWithdrawn,
    AaCompromise,
}

impl CrlError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "crl-malformed"
    }
}

#[expect(missing_docs, reason = "surface first")]
impl Crl {
    pub fn from_der(_: &[u8]) -> Result<Self, CrlError> {
        todo!()
    }
    pub fn der(&self) -> &[u8] {
        todo!()
    }
    pub fn issuer(&self) -> &Name {
        todo!()
    }
    pub fn this_update(&self) -> UnixTime {
        todo!()
    }
    pub fn next_update(&self) -> Option<UnixTime> {
        todo!()
    }
    /// The CRL number, big-endian (RFC 5280 §5.2.3).
    pub fn number(&self) -> Option<&[u8]> {
        todo!()
    }
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn contains(&self, _serial: &[u8]) -> bool {
        todo!()
    }
}
