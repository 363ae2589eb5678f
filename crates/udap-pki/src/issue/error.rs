use crate::UnixTime;

/// Why nothing was built: the input cannot be expressed in a certificate, a CRL or an answer.
///
/// What can be expressed but should not be is a matter of [`crate::lint`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// RFC 5280 §4.1.2.2: positive, at most 20 octets; ours carry 16 random bytes or more.
    #[error("a serial number has {found} significant bytes; {min} to {max} are required")]
    Serial {
        /// Bytes left after leading zeros.
        found: usize,
        /// The least that is accepted.
        min: usize,
        /// The most that RFC 5280 allows.
        max: usize,
    },
    /// RFC 5280 §4.1.2.5.
    #[error("notAfter ({not_after}) is not after notBefore ({not_before})")]
    Validity {
        /// Start of the validity.
        not_before: UnixTime,
        /// End of the validity.
        not_after: UnixTime,
    },
    /// The time is before 1970 or after the year 9999.
    #[error("the time {0} cannot be written in a certificate")]
    Time(UnixTime),
    /// RFC 5280 §4.1.2.4 and its upper bounds (appendix A.1).
    #[error("the subject's {attribute} {problem}")]
    Subject {
        /// The attribute, as the RFC names it.
        attribute: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// RFC 5280 §4.2.1.6.
    #[error("{value:?} is not a {kind} a certificate can carry: {problem}")]
    Name {
        /// `URI`, `DNS name` or `URL`.
        kind: &'static str,
        /// The name as given.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The issuer's certificate has no subject key identifier, so nothing can point to its key.
    #[error("the issuer's certificate has no subject key identifier")]
    IssuerKeyId,
    /// A CRL or an OCSP answer that would be stale from the start.
    #[error("nextUpdate ({next_update}) is not after thisUpdate ({this_update})")]
    NextUpdate {
        /// When the statement is made.
        this_update: UnixTime,
        /// Until when it may be used.
        next_update: UnixTime,
    },
    /// An OCSP answer about no certificate at all.
    #[error("an OCSP answer needs at least one certificate to answer for")]
    EmptyAnswer,
    /// The signature is not one that the algorithm can make.
    #[error("the signature has {found} bytes, which is not {expected}")]
    Signature {
        /// Bytes given.
        found: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// Anything that the encoder refuses, such as an object beyond its size limit.
    #[error("the {what} cannot be encoded: {detail}")]
    Encoding {
        /// What was being encoded.
        what: &'static str,
        /// The encoder's own words.
        detail: String,
    },
}

impl IssueError {
    /// The stable code of this refusal, see [`super::CATALOGUE`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Serial { .. } => "issue-serial",
            Self::Validity { .. } => "issue-validity",
            Self::Time(_) => "issue-time",
            Self::Subject { .. } => "issue-subject",
            Self::Name { .. } => "issue-name",
            Self::IssuerKeyId => "issue-issuer-key-id",
            Self::NextUpdate { .. } => "issue-next-update",
            Self::EmptyAnswer => "issue-empty-answer",
            Self::Signature { .. } => "issue-signature",
            Self::Encoding { .. } => "issue-encoding",
        }
    }

    pub(super) fn encoding(what: &'static str) -> impl Fn(der::Error) -> Self {
        move |error| Self::Encoding {
            what,
            detail: error.to_string(),
        }
    }
}
