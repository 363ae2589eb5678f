//! Why a certificate is refused: data, code, sentence, hint, section.

use crate::catalogue::explanation;
use crate::{AlgorithmError, KeyError, RevocationReason, SignatureError, UnixTime};
use std::net::IpAddr;

/// Why a certificate is refused. `Display` is one sentence with the data in it.
///
/// `certificate` is the subject of the certificate that the rule is about, or its first alternative name
/// or serial number where the subject is empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named after the standard's")]
pub enum Reason {
    /// No anchor was reached.
    #[error("no trust anchor vouches for {certificate}, whose issuer is {issuer}")]
    ChainNotTrusted { certificate: String, issuer: String },
    /// RFC 5280 §4.1.2.5.
    #[error("{certificate} expired at {not_after}; it is {now}")]
    CertificateExpired {
        certificate: String,
        not_after: UnixTime,
        now: UnixTime,
    },
    /// RFC 5280 §4.1.2.5.
    #[error("{certificate} is valid from {not_before}; it is {now}")]
    CertificateNotYetValid {
        certificate: String,
        not_before: UnixTime,
        now: UnixTime,
    },
    /// RFC 5280 §6.1.3 (a) (1).
    #[error("the signature on {certificate} does not verify with the key of {issuer}: {error}")]
    SignatureInvalid {
        certificate: String,
        issuer: String,
        error: SignatureError,
    },
    /// The certificate is signed with an algorithm that is refused.
    #[error("{certificate} is signed in a way that is refused: {error}")]
    AlgorithmRefused {
        certificate: String,
        error: AlgorithmError,
    },
    /// The certificate's own key is refused.
    #[error("the key of {certificate} is refused: {error}")]
    KeyRefused {
        certificate: String,
        error: KeyError,
    },
    /// RFC 5280 §6.1.4 (k).
    #[error("{certificate} is no CA and cannot issue certificates")]
    NotACa { certificate: String },
    /// RFC 5280 §6.1.4 (l) and (m).
    #[error("{certificate} allows {limit} CA certificates below it, and the path has more")]
    PathLength { certificate: String, limit: u32 },
    /// [`crate::Policy::max_intermediates`], or the bound of this crate.
    #[error("the path has more than {limit} certificates between leaf and anchor")]
    PathTooLong { limit: u8 },
    /// RFC 5280 §4.2.1.3.
    #[error("the key usage of {certificate} does not include {needed}")]
    KeyUsage {
        certificate: String,
        needed: &'static str,
    },
    /// RFC 5280 §4.2.1.12.
    #[error("the extended key usage of {certificate} does not include {needed}")]
    ExtendedKeyUsage { certificate: String, needed: String },
    /// RFC 5280 §4.2.1.10.
    #[error("{certificate} breaks the name constraints of {constrained_by}: {violation}")]
    NameConstraints {
        certificate: String,
        constrained_by: String,
        violation: String,
    },
    /// RFC 5280 §6.1.3 (f), §6.1.5 (g), RFC 9618.
    #[error("the path to {certificate} is valid for no certificate policy that is accepted")]
    Policy {
        certificate: String,
        accepted: Vec<String>,
    },
    /// RFC 5280 §6.1.4 (a).
    #[error("{certificate} maps anyPolicy, which no certificate may")]
    PolicyMapping { certificate: String },
    /// RFC 5280 §4.2.
    #[error("{certificate} has the critical extension {oid}, which is not understood")]
    UnknownCriticalExtension { certificate: String, oid: String },
    /// RFC 5280 §6.3, RFC 6960.
    #[error(
        "{certificate} (serial {serial}) was revoked at {at}, reason {reason}, says the {source_kind} of {by}"
    )]
    CertificateRevoked {
        certificate: String,
        serial: String,
        at: UnixTime,
        reason: RevocationReason,
        source_kind: RevocationSource,
        by: String,
    },
    /// RFC 5280 §6.3, RFC 6960.
    #[error("it cannot be told whether {certificate} is revoked: {gap}")]
    RevocationUnavailable {
        certificate: String,
        gap: RevocationGap,
    },
    /// RFC 5280 §4.2.1.6, byte for byte.
    #[error("the certificate does not name the URI {expected}")]
    SanUriMismatch {
        expected: String,
        found: Vec<String>,
        near: Option<NearMiss>,
    },
    /// RFC 9525.
    #[error("the certificate does not name the host {expected}")]
    SanDnsMismatch {
        expected: String,
        found: Vec<String>,
    },
    /// RFC 5280 §7.5.
    #[error("the certificate does not name the mailbox {expected}")]
    SanEmailMismatch {
        expected: String,
        found: Vec<String>,
    },
    /// RFC 9525.
    #[error("the certificate does not name the address {expected}")]
    SanIpMismatch {
        expected: IpAddr,
        found: Vec<IpAddr>,
    },
    /// The bounds of this crate.
    #[error("the verification was given up: {0}")]
    WorkLimit(WorkLimit),
}

/// Which source said that a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationSource {
    /// A CRL.
    Crl,
    /// An OCSP response.
    Ocsp,
}

impl std::fmt::Display for RevocationSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Crl => "CRL",
            Self::Ocsp => "OCSP responder",
        })
    }
}

/// Which bound was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkLimit {
    /// Signature checks.
    Signatures,
    /// Steps of the path builder.
    Steps,
    /// Paths that reached an anchor and were refused.
    Paths,
    /// Comparisons of names with constraints.
    NameConstraints,
}

impl std::fmt::Display for WorkLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::verify::limits;
        match self {
            Self::Signatures => write!(
                f,
                "it took more than {} signature checks",
                limits::SIGNATURES
            ),
            Self::Steps => write!(f, "path building took more than {} steps", limits::STEPS),
            Self::Paths => write!(
                f,
                "more than {} paths reach an anchor, none of them valid",
                limits::PATHS
            ),
            Self::NameConstraints => {
                write!(
                    f,
                    "it took more than {} comparisons with name constraints",
                    limits::NAME_COMPARISONS
                )
            }
        }
    }
}

/// Why revocation could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationGap {
    /// The certificate names no CRL and no OCSP responder, and none was given.
    #[error("it names no CRL and no OCSP responder, and none was given")]
    NothingNamed,
    /// It names some, and none is at hand.
    #[error("its CRL or OCSP response is not at hand")]
    NotAtHand,
    /// It names some, and they could not be fetched.
    #[error("its CRL or OCSP response could not be had from {url}")]
    Unreachable {
        /// The first of the URLs.
        url: String,
    },
    /// The evidence is too old.
    #[error("its {source_kind} data was good until {next_update}")]
    Stale {
        /// CRL or OCSP.
        source_kind: RevocationSource,
        /// The date that has passed.
        next_update: UnixTime,
    },
    /// The evidence does not say how long it is good.
    #[error("its {source_kind} data does not say until when it is good")]
    NoNextUpdate {
        /// CRL or OCSP.
        source_kind: RevocationSource,
    },
    /// The evidence is from the future.
    #[error("its {source_kind} data begins at {this_update}")]
    NotYetValid {
        /// CRL or OCSP.
        source_kind: RevocationSource,
        /// The date to come.
        this_update: UnixTime,
    },
    /// No key that may sign the evidence has signed it.
    #[error("no key that may sign its {source_kind} data has signed it")]
    SignatureInvalid {
        /// CRL or OCSP.
        source_kind: RevocationSource,
    },
    /// The evidence is signed with an algorithm that is refused.
    #[error("its {source_kind} data is signed in a way that is refused: {error}")]
    AlgorithmRefused {
        /// CRL or OCSP.
        source_kind: RevocationSource,
        /// The refusal.
        error: AlgorithmError,
    },
    /// The key that signed it may not sign CRLs.
    #[error("the CRL is signed by {signer}, whose key usage does not include cRLSign")]
    SignerKeyUsage {
        /// Who signed.
        signer: String,
    },
    /// Whoever signed it is not trusted himself.
    #[error("the {source_kind} data is signed by {signer}, who is not trusted: {code}")]
    SignerNotTrusted {
        /// CRL or OCSP.
        source_kind: RevocationSource,
        /// Who signed.
        signer: String,
        /// The code of his own refusal.
        code: &'static str,
    },
    /// A critical extension of the evidence is not understood.
    #[error("its {source_kind} data has the critical extension {oid}, which is not understood")]
    UnknownCriticalExtension {
        /// CRL or OCSP.
        source_kind: RevocationSource,
        /// The extension.
        oid: String,
    },
    /// The CRLs at hand do not speak for this certificate.
    #[error("the CRLs at hand do not speak for it")]
    OutOfScope,
    /// The CRLs at hand do not speak for every reason.
    #[error("the CRLs at hand speak for some reasons only")]
    SomeReasonsOnly,
    /// A delta CRL without the list it starts from.
    #[error("only a delta CRL is at hand, without the CRL it starts from")]
    DeltaWithoutBase,
    /// The responder does not know the certificate.
    #[error("the OCSP responder does not know it")]
    OcspUnknown,
}

impl Reason {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ChainNotTrusted { .. } => "chain-not-trusted",
            Self::CertificateExpired { .. } => "certificate-expired",
            Self::CertificateNotYetValid { .. } => "certificate-not-yet-valid",
            Self::SignatureInvalid { error, .. } => error.code(),
            Self::AlgorithmRefused { error, .. } => error.code(),
            Self::KeyRefused { error, .. } => error.code(),
            Self::NotACa { .. } => "not-a-ca",
            Self::PathLength { .. } | Self::PathTooLong { .. } => "path-length",
            Self::KeyUsage { .. } => "key-usage",
            Self::ExtendedKeyUsage { .. } => "extended-key-usage",
            Self::NameConstraints { .. } => "name-constraints",
            Self::Policy { .. } => "policy",
            Self::PolicyMapping { .. } => "policy-mapping",
            Self::UnknownCriticalExtension { .. } => "unknown-critical-extension",
            Self::CertificateRevoked { .. } => "certificate-revoked",
            Self::RevocationUnavailable { .. } => "revocation-unavailable",
            Self::SanUriMismatch { .. } => "san-uri-mismatch",
            Self::SanDnsMismatch { .. } => "san-dns-mismatch",
            Self::SanEmailMismatch { .. } => "san-email-mismatch",
            Self::SanIpMismatch { .. } => "san-ip-mismatch",
            Self::WorkLimit(_) => "work-limit",
        }
    }

    /// What to do about it, with the values at hand.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::SanUriMismatch {
                near: Some(NearMiss { found, difference }),
                expected,
                ..
            } => {
                format!(
                    "It names {found}, which differs from {expected} {difference}. Names are compared byte for byte: make the two the same."
                )
            }
            Self::SanUriMismatch { found, .. }
            | Self::SanDnsMismatch { found, .. }
            | Self::SanEmailMismatch { found, .. } => names_hint(found.iter().map(String::as_str)),
            Self::SanIpMismatch { found, .. } => {
                let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                names_hint(found.iter().map(String::as_str))
            }
            Self::RevocationUnavailable { gap, .. } => gap.hint().to_owned(),
            _ => explanation(self.code()).map_or_else(String::new, |known| known.hint.to_owned()),
        }
    }

    /// Where the rule is written.
    #[must_use]
    pub fn section(&self) -> &'static str {
        explanation(self.code()).map_or("", |known| known.section)
    }
}

impl RevocationGap {
    fn hint(&self) -> &'static str {
        match self {
            Self::NothingNamed => {
                "Have the CA put a CRL distribution point or an OCSP URL into its certificates, or give a CRL by hand, or choose a policy that accepts unknown."
            }
            Self::NotAtHand => "Give the CRL or OCSP response by hand, or allow it to be fetched.",
            Self::Unreachable { .. } => {
                "Ask the CA to bring its server back, and see whether a firewall or an allow list stands between."
            }
            Self::Stale { .. } => {
                "The CA is late with its next CRL or OCSP response: ask it to publish, or allow a grace of at most 24 hours."
            }
            Self::NoNextUpdate { .. } => {
                "Ask the CA to say in nextUpdate until when its data is good."
            }
            Self::NotYetValid { .. } => "Compare the clocks of this machine and of the CA.",
            Self::SignatureInvalid { .. } => {
                "The data comes from another CA of the same name, or was damaged. Give the certificate of the CRL issuer if the CA uses a separate key."
            }
            Self::AlgorithmRefused { .. } => {
                "Ask the CA to sign its CRLs and OCSP responses with a current algorithm."
            }
            Self::SignerKeyUsage { .. } => {
                "The CA certificate that signs CRLs needs cRLSign in its key usage."
            }
            Self::SignerNotTrusted { .. } => {
                "The certificate of whoever signed the data must lead to the same anchor and be valid itself."
            }
            Self::UnknownCriticalExtension { .. } => "Ask the CA for data without that extension.",
            Self::OutOfScope | Self::SomeReasonsOnly | Self::DeltaWithoutBase => {
                "Give every CRL that the certificate's distribution points name."
            }
            Self::OcspUnknown => {
                "Ask the CA whether it issued this certificate, and whether its responder knows."
            }
        }
    }
}

fn names_hint<'a>(found: impl Iterator<Item = &'a str>) -> String {
    let list = found.collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        "It has no name of this kind.".to_owned()
    } else {
        format!("It names {list}.")
    }
}

/// A name that is nearly the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The name in the certificate.
    pub found: String,
    /// In what it differs: "in a trailing slash", "in case", …
    pub difference: &'static str,
}

/// The name nearest to `expected`, when none is equal byte for byte and one differs only in a trailing slash,
/// case, a default port, a fragment or surrounding spaces.
///
/// Names are compared byte for byte (RFC 3986 §6.2.1): this finds words for a hint, never a match.
#[must_use]
pub fn uri_name_mismatch(expected: &str, names: &[String]) -> Option<NearMiss> {
    if names.iter().any(|name| name == expected) {
        return None;
    }
    let near = |normal: &dyn Fn(&str) -> String, difference| {
        let wanted = normal(expected);
        let found = names.iter().find(|name| normal(name) == wanted)?;
        Some(NearMiss {
            found: found.clone(),
            difference,
        })
    };
    near(&|uri| slash(uri), "in a trailing slash")
        .or_else(|| near(&|uri| case(uri), "in case"))
        .or_else(|| near(&|uri| default_port(uri), "in a default port"))
        .or_else(|| near(&|uri| fragment(uri), "in a fragment"))
        .or_else(|| near(&|uri| uri.trim().to_owned(), "in surrounding spaces"))
        .or_else(|| near(&|uri| scheme(uri), "in http and https"))
        .or_else(|| {
            near(
                &|uri| slash(&fragment(&default_port(&case(uri.trim())))),
                "in more than one of: slash, case, port, fragment",
            )
        })
}

fn slash(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

fn case(uri: &str) -> String {
    uri.to_ascii_lowercase()
}

/// The URI without `:443` of https and `:80` of http.
fn default_port(uri: &str) -> String {
    let port = if uri.starts_with("https://") {
        ":443"
    } else {
        ":80"
    };
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    format!(
        "{scheme}://{}{path}",
        authority.strip_suffix(port).unwrap_or(authority)
    )
}

fn fragment(uri: &str) -> String {
    uri.split_once('#')
        .map_or(uri, |(before, _)| before)
        .to_owned()
}

fn scheme(uri: &str) -> String {
    uri.strip_prefix("http://")
        .map_or_else(|| uri.to_owned(), |rest| format!("https://{rest}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_named() {
        let uri = "https://fhir.example.com/r4";
        for (found, difference) in [
            ("https://fhir.example.com/r4/", "in a trailing slash"),
            ("https://FHIR.example.com/r4", "in case"),
            ("https://fhir.example.com/R4", "in case"),
            ("https://fhir.example.com:443/r4", "in a default port"),
            ("https://fhir.example.com/r4#T-IAS", "in a fragment"),
            (" https://fhir.example.com/r4", "in surrounding spaces"),
            ("http://fhir.example.com/r4", "in http and https"),
            (
                "https://FHIR.example.com:443/r4/",
                "in more than one of: slash, case, port, fragment",
            ),
        ] {
            let names = ["https://other.example.com".to_owned(), found.to_owned()];
            let near = uri_name_mismatch(uri, &names).unwrap();
            assert_eq!(
                near,
                NearMiss {
                    found: found.to_owned(),
                    difference
                }
            );
        }
    }

    #[test]
    fn equal_and_far_names_are_no_near_miss() {
        let uri = "https://fhir.example.com/r4#a";
        for found in [
            "https://fhir.example.com/r4#a",
            "https://fhir.example.org/r4#a",
            "https://fhir.example.com/r5",
            "",
        ] {
            assert_eq!(uri_name_mismatch(uri, &[found.to_owned()]), None);
        }
        assert_eq!(uri_name_mismatch(uri, &[]), None);
    }
}
