//! PEM (RFC 7468) and DER files.
use crate::{Certificate, CertificateError, Crl, CrlError};
use zeroize::Zeroizing;

/// Why a file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No block of the kind is in the file.
    #[error("no {0} found")]
    Missing(&'static str),
    /// A certificate in it cannot be read.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// A CRL in it cannot be read.
    #[error("{0}")]
    Crl(#[from] CrlError),
}

/// Every certificate of a PEM bundle, or the one of a DER file.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn certificates(_file: &[u8]) -> Result<Vec<Certificate>, PemError> {
    todo!()
}

/// Every CRL of a PEM bundle, or the one of a DER file.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn crls(_file: &[u8]) -> Result<Vec<Crl>, PemError> {
    todo!()
}

/// The PKCS#8 private key of a PEM file, or of a DER file.
///
/// # Errors
/// When there is none.
pub fn private_key_pkcs8(_file: &[u8]) -> Result<Zeroizing<Vec<u8>>, PemError> {
    todo!()
}

/// One PEM block, lines of 64 characters.
#[must_use]
pub fn encode(_label: &str, _der: &[u8]) -> String {
    todo!()
}
