use core::fmt;

/// One thing that is wrong with a certificate to be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub code: LintCode,
    /// A sentence with the values at hand.
    pub message: String,
}

impl Finding {
    pub(super) const fn new(code: LintCode, message: String) -> Self {
        Self { code, message }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code.as_str())
    }
}

/// The rules of [`super::lint`]; each is explained in [`super::CATALOGUE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LintCode {
    /// A second parser cannot read the certificate (RFC 5280 §4.1).
    Unreadable,
    /// Not a version 3 certificate (RFC 5280 §4.1.2.1).
    Version,
    /// Two different signature algorithms are named (RFC 5280 §4.1.1.2).
    AlgorithmMismatch,
    /// A signature algorithm this CA does not use (RFC 5280 §4.1.1.2).
    Algorithm,
    /// The serial number is not positive (RFC 5280 §4.1.2.2).
    SerialNotPositive,
    /// The serial number is too long (RFC 5280 §4.1.2.2).
    SerialTooLong,
    /// The serial number is too short (RFC 5280 §4.1.2.2).
    SerialTooShort,
    /// The certificate ends before it begins (RFC 5280 §4.1.2.5).
    ValidityOrder,
    /// The certificate is valid for too long (RFC 5280 §4.1.2.5).
    ValidityTooLong,
    /// The certificate outlives its issuer (RFC 5280 §6.1.3).
    OutlivesIssuer,
    /// The subject is empty (RFC 5280 §4.1.2.6).
    SubjectEmpty,
    /// The issuer field is not the issuer's subject (RFC 5280 §4.1.2.4).
    IssuerName,
    /// A certificate with its issuer's name (RFC 5280 §6.1).
    SelfIssued,
    /// A key this CA does not certify (RFC 5280 §4.1.2.7).
    Key,
    /// A data holder without an RSA key (HL7 SSRAA §2.2).
    KeyKind,
    /// An extension is there twice (RFC 5280 §4.2).
    ExtensionTwice,
    /// An extension is critical that should not be (RFC 5280 §4.2).
    ExtensionCritical,
    /// An extension should be critical and is not (RFC 5280 §4.2.1.3).
    CriticalMissing,
    /// Basic constraints do not fit the profile (RFC 5280 §4.2.1.9).
    BasicConstraints,
    /// An issuing CA without path length 0 (RFC 5280 §4.2.1.9).
    PathLength,
    /// Key usage does not fit the profile (RFC 5280 §4.2.1.3).
    KeyUsage,
    /// Extended key usage does not fit the profile (RFC 5280 §4.2.1.12).
    ExtendedKeyUsage,
    /// An OCSP responder without ocsp-nocheck (RFC 6960 §4.2.2.2.1).
    OcspNocheck,
    /// No subject key identifier (RFC 5280 §4.2.1.2).
    SubjectKeyId,
    /// The authority key identifier does not point to the issuer (RFC 5280 §4.2.1.1).
    AuthorityKeyId,
    /// A member without a URI name (HL7 SSRAA §1.2).
    UriName,
    /// A TLS server without a DNS name (RFC 9525 §3).
    DnsName,
    /// A name of a kind that the profile must not have (RFC 5280 §4.2.1.6).
    NameKind,
    /// A data holder's name is not an https URL (HL7 SSRAA §2.1).
    UriScheme,
    /// A name is there twice (RFC 5280 §4.2.1.6).
    NameTwice,
    /// No CRL distribution point (RFC 5280 §4.2.1.13).
    CrlUrl,
    /// The issuer's certificate cannot be found (RFC 5280 §4.2.2.1).
    CaIssuersUrl,
    /// A root that points to its own CRL (RFC 5280 §6.1).
    RootUrls,
    /// A publication that is not served over plain http (RFC 5280 §8).
    UrlScheme,
}

impl LintCode {
    /// Every rule.
    pub const ALL: &[Self] = &[
        Self::Unreadable,
        Self::Version,
        Self::AlgorithmMismatch,
        Self::Algorithm,
        Self::SerialNotPositive,
        Self::SerialTooLong,
        Self::SerialTooShort,
        Self::ValidityOrder,
        Self::ValidityTooLong,
        Self::OutlivesIssuer,
        Self::SubjectEmpty,
        Self::IssuerName,
        Self::SelfIssued,
        Self::Key,
        Self::KeyKind,
        Self::ExtensionTwice,
        Self::ExtensionCritical,
        Self::CriticalMissing,
        Self::BasicConstraints,
        Self::PathLength,
        Self::KeyUsage,
        Self::ExtendedKeyUsage,
        Self::OcspNocheck,
        Self::SubjectKeyId,
        Self::AuthorityKeyId,
        Self::UriName,
        Self::DnsName,
        Self::NameKind,
        Self::UriScheme,
        Self::NameTwice,
        Self::CrlUrl,
        Self::CaIssuersUrl,
        Self::RootUrls,
        Self::UrlScheme,
    ];

    /// The stable code in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "lint-unreadable",
            Self::Version => "lint-version",
            Self::AlgorithmMismatch => "lint-algorithm-mismatch",
            Self::Algorithm => "lint-algorithm",
            Self::SerialNotPositive => "lint-serial-not-positive",
            Self::SerialTooLong => "lint-serial-too-long",
            Self::SerialTooShort => "lint-serial-too-short",
            Self::ValidityOrder => "lint-validity-order",
            Self::ValidityTooLong => "lint-validity-too-long",
            Self::OutlivesIssuer => "lint-outlives-issuer",
            Self::SubjectEmpty => "lint-subject-empty",
            Self::IssuerName => "lint-issuer-name",
            Self::SelfIssued => "lint-self-issued",
            Self::Key => "lint-key",
            Self::KeyKind => "lint-key-kind",
            Self::ExtensionTwice => "lint-extension-twice",
            Self::ExtensionCritical => "lint-extension-critical",
            Self::CriticalMissing => "lint-critical-missing",
            Self::BasicConstraints => "lint-basic-constraints",
            Self::PathLength => "lint-path-length",
            Self::KeyUsage => "lint-key-usage",
            Self::ExtendedKeyUsage => "lint-extended-key-usage",
            Self::OcspNocheck => "lint-ocsp-nocheck",
            Self::SubjectKeyId => "lint-subject-key-id",
            Self::AuthorityKeyId => "lint-authority-key-id",
            Self::UriName => "lint-uri-name",
            Self::DnsName => "lint-dns-name",
            Self::NameKind => "lint-name-kind",
            Self::UriScheme => "lint-uri-scheme",
            Self::NameTwice => "lint-name-twice",
            Self::CrlUrl => "lint-crl-url",
            Self::CaIssuersUrl => "lint-ca-issuers-url",
            Self::RootUrls => "lint-root-urls",
            Self::UrlScheme => "lint-url-scheme",
        }
    }
}
