//! Certificates, parsed once.
use crate::{DerError, KeyError, Name, ObjectIdentifier, PublicKey, UnixTime};
use std::net::IpAddr;

/// An X.509 certificate, parsed once; the DER is kept. Cloning is cheap; two are equal when their DER is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate;

/// Why bytes are not an acceptable certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not DER.
    #[error("{0}")]
    Der(#[from] DerError),
}

/// The bits of the key usage extension (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// digitalSignature.
    #[must_use]
    pub const fn digital_signature(self) -> bool {
        self.0 & 0x8000 != 0
    }
    /// keyCertSign.
    #[must_use]
    pub const fn key_cert_sign(self) -> bool {
        self.0 & 0x0400 != 0
    }
    /// cRLSign.
    #[must_use]
    pub const fn crl_sign(self) -> bool {
        self.0 & 0x0200 != 0
    }
}

#[expect(clippy::todo, reason = "surface first")]
#[expect(missing_docs, reason = "surface first")]
impl Certificate {
    pub fn from_der(_: &[u8]) -> Result<Self, CertificateError> {
        todo!()
    }
    pub fn der(&self) -> &[u8] {
        todo!()
    }
    pub fn to_pem(&self) -> String {
        todo!()
    }
    pub fn sha256(&self) -> &[u8; 32] {
        todo!()
    }
    pub fn subject(&self) -> &Name {
        todo!()
    }
    pub fn issuer(&self) -> &Name {
        todo!()
    }
    pub fn serial(&self) -> &[u8] {
        todo!()
    }
    pub fn serial_hex(&self) -> String {
        todo!()
    }
    pub fn not_before(&self) -> UnixTime {
        todo!()
    }
    pub fn not_after(&self) -> UnixTime {
        todo!()
    }
    pub fn public_key(&self) -> Result<&PublicKey, &KeyError> {
        todo!()
    }
    pub fn spki_der(&self) -> &[u8] {
        todo!()
    }
    pub fn uri_names(&self) -> &[String] {
        todo!()
    }
    pub fn dns_names(&self) -> &[String] {
        todo!()
    }
    pub fn email_names(&self) -> &[String] {
        todo!()
    }
    pub fn ip_names(&self) -> &[IpAddr] {
        todo!()
    }
    pub fn is_ca(&self) -> bool {
        todo!()
    }
    pub fn path_len(&self) -> Option<u32> {
        todo!()
    }
    pub fn key_usage(&self) -> Option<KeyUsage> {
        todo!()
    }
    pub fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        todo!()
    }
    pub fn crl_urls(&self) -> &[String] {
        todo!()
    }
    pub fn ca_issuer_urls(&self) -> &[String] {
        todo!()
    }
    pub fn ocsp_urls(&self) -> &[String] {
        todo!()
    }
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        todo!()
    }
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        todo!()
    }
}
