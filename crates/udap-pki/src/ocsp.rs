//! Online certificate status (RFC 6960, RFC 5019, RFC 9654).
use crate::{Certificate, DerError};

/// An OCSP response, parsed once.
#[derive(Debug)]
pub struct OcspResponse;

/// Why bytes are not an acceptable OCSP response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// Not DER.
    #[error("{0}")]
    Der(#[from] DerError),
}

impl OcspResponse {
    /// Reads an OCSPResponse.
    ///
    /// # Errors
    /// When it is not one, or says that the responder could not answer.
    pub fn from_der(_: &[u8]) -> Result<Self, OcspError> {
        todo!()
    }
}

/// The DER of an OCSPRequest for one certificate; CertID by SHA-1, as responders know it (RFC 5019 §2.1.1).
#[must_use]
pub fn request(
    _certificate: &Certificate,
    _issuer: &Certificate,
    _nonce: Option<&[u8]>,
) -> Vec<u8> {
    todo!()
}
