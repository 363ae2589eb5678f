//! Why a certificate is refused.
use crate::{AlgorithmError, KeyError, RevocationReason, UnixTime};
use std::net::IpAddr;

/// Why a certificate is refused. `Display` is one sentence with the data in it.
///
/// `certificate` is the subject of the certificate that the rule is about (its serial number where
/// the subject is empty).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named after the standard's")]
pub enum Reason {
    #[error("no trusted issuer is known for {certificate}: it names {issuer}")]
    ChainNotTrusted { certificate: String, issuer: String },
    #[error("{certificate} expired at {not_after}, and it is {now}")]
    CertificateExpired {
        certificate: String,
        not_after: UnixTime,
        now: UnixTime,
    },
    #[error("{certificate} is not valid before {not_before}, and it is {now}")]
    CertificateNotYetValid {
        certificate: String,
        not_before: UnixTime,
        now: UnixTime,
    },
    #[error("the signature on {certificate} was not made by the key of {issuer}")]
    SignatureInvalid { certificate: String, issuer: String },
    #[error("{certificate} is signed with an algorithm that is refused: {error}")]
    AlgorithmRefused {
        certificate: String,
        error: AlgorithmError,
    },
    #[error("the key of {certificate} is refused: {error}")]
    KeyRefused {
        certificate: String,
        error: KeyError,
    },
    #[error("{certificate} issued a certificate and is not a CA")]
    NotACa { certificate: String },
    #[error("{certificate} allows {limit} CA certificates below it, and there are more")]
    PathLength { certificate: String, limit: u32 },
    #[error("the key usage of {certificate} lacks {needed}")]
    KeyUsage {
        certificate: String,
        needed: &'static str,
    },
    #[error("the extended key usage of {certificate} lacks {needed}")]
    ExtendedKeyUsage { certificate: String, needed: String },
    #[error("{name} of {certificate} is outside the name constraints of {constrained_by}")]
    NameConstraints {
        certificate: String,
        name: String,
        constrained_by: String,
    },
    #[error("no certificate policy is valid for the path at {certificate}")]
    Policy {
        certificate: String,
        wanted: Vec<String>,
    },
    #[error("{certificate} has a critical extension that is not understood: {oid}")]
    UnknownCriticalExtension { certificate: String, oid: String },
    #[error("{certificate} was revoked at {at} ({reason:?})")]
    CertificateRevoked {
        certificate: String,
        at: UnixTime,
        reason: RevocationReason,
    },
    #[error("whether {certificate} is revoked cannot be told: {gap}")]
    RevocationUnavailable {
        certificate: String,
        gap: RevocationGap,
    },
    #[error("the certificate does not name the URI {expected}")]
    SanUriMismatch {
        expected: String,
        found: Vec<String>,
        near: Option<NearMiss>,
    },
    #[error("the certificate does not name the host {expected}")]
    SanDnsMismatch {
        expected: String,
        found: Vec<String>,
    },
    #[error("the certificate does not name the mailbox {expected}")]
    SanEmailMismatch {
        expected: String,
        found: Vec<String>,
    },
    #[error("the certificate does not name the address {expected}")]
    SanIpMismatch {
        expected: IpAddr,
        found: Vec<IpAddr>,
    },
    #[error("the verification needed more work than is allowed: {limit}")]
    WorkLimit { limit: &'static str },
}

/// Why revocation could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationGap {
    /// The certificate names no CRL and no OCSP responder, and none was given.
    #[error("it names no CRL and no OCSP responder")]
    NothingNamed,
}

impl Reason {
    /// The stable code in words.
    #[must_use]
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        todo!()
    }
    /// Where the rule is written.
    #[must_use]
    pub fn section(&self) -> &'static str {
        todo!()
    }
}

/// A name that is nearly the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The name in the certificate.
    pub found: String,
    /// In what it differs, in words.
    pub difference: &'static str,
}

/// The name nearest to `expected`, when none is equal byte for byte and one differs only in a
/// trailing slash, case, a default port or a fragment.
#[must_use]
pub fn uri_name_mismatch(_expected: &str, _names: &[String]) -> Option<NearMiss> {
    todo!()
}
