//! What a certificate should be beside what it must be: a CA's own profile, checked before it
//! signs.
//!
//! [`crate::verify()`] asks whether a certificate can be trusted; this asks whether we should have
//! issued it. A CA signs with a throwaway key, lints, and only then signs with the real one, so
//! that a mistake never becomes a certificate.

mod catalogue;
mod finding;

use const_oid::{ObjectIdentifier, db};
use der::Decode as _;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

pub use catalogue::CATALOGUE;
pub use finding::{Finding, LintCode};

use crate::{Certificate, KeyKind, issue::Profile};

/// Checks a certificate against the profile it was made for. `issuer` is the certificate of the
/// CA that signs, or `None` when it signs itself. An empty answer is a clean certificate.
#[must_use]
pub fn lint(
    certificate: &Certificate,
    profile: Profile,
    issuer: Option<&Certificate>,
) -> Vec<Finding> {
    // A second reading of the same bytes, by another parser than the one that trust rests on.
    let parsed = match x509_cert::Certificate::from_der(certificate.der()) {
        Ok(parsed) => parsed,
        Err(error) => return vec![Finding::new(LintCode::Unreadable, error.to_string())],
    };
    let mut lint = Lint {
        certificate,
        profile,
        issuer,
        parsed: &parsed,
        findings: Vec::new(),
    };
    lint.shape();
    lint.serial();
    lint.validity();
    lint.subject_and_issuer();
    lint.key();
    lint.extensions();
    lint.basic_constraints();
    lint.key_usage();
    lint.extended_key_usage();
    lint.key_identifiers();
    lint.names();
    lint.publications();
    lint.findings
}

struct Lint<'a> {
    certificate: &'a Certificate,
    profile: Profile,
    issuer: Option<&'a Certificate>,
    parsed: &'a x509_cert::Certificate,
    findings: Vec<Finding>,
}

impl Lint<'_> {
    fn add(&mut self, code: LintCode, message: impl Into<String>) {
        self.findings.push(Finding::new(code, message.into()));
    }

    /// RFC 5280 §4.1: version 3, one algorithm named in both places, one we sign with.
    fn shape(&mut self) {
        let tbs = self.parsed.tbs_certificate();
        if tbs.version() != x509_cert::Version::V3 {
            self.add(LintCode::Version, "the certificate is not of version 3");
        }
        let outer = self.parsed.signature_algorithm();
        if outer != tbs.signature() {
            self.add(
                LintCode::AlgorithmMismatch,
                "the signature algorithm inside and outside differ",
            );
        }
        if !SIGNATURE_ALGORITHMS.contains(&outer.oid) {
            self.add(
                LintCode::Algorithm,
                format!("{} is not an algorithm this CA signs with", outer.oid),
            );
        }
    }

    /// RFC 5280 §4.1.2.2: positive, at most 20 octets; ours are random, so at least 120 bits long.
    fn serial(&mut self) {
        let serial = self.parsed.tbs_certificate().serial_number().as_bytes();
        if serial.first().is_none_or(|b| b & 0x80 != 0) || serial.iter().all(|b| *b == 0) {
            self.add(
                LintCode::SerialNotPositive,
                "the serial number is not positive",
            );
        } else if serial.len() > 20 {
            self.add(
                LintCode::SerialTooLong,
                format!("the serial number has {} octets", serial.len()),
            );
        } else if serial.len() < 15 {
            self.add(
                LintCode::SerialTooShort,
                format!("the serial number has only {} octets", serial.len()),
            );
        }
    }

    /// RFC 5280 §4.1.2.5, the profile's longest validity, and never beyond the issuer's own end.
    fn validity(&mut self) {
        let (from, until) = (self.certificate.not_before(), self.certificate.not_after());
        if until <= from {
            self.add(
                LintCode::ValidityOrder,
                format!("notAfter {until} is not after notBefore {from}"),
            );
            return;
        }
        let max = longest_validity_days(self.profile);
        let seconds = until.secs_since(from);
        if seconds > max * SECONDS_PER_DAY {
            let days = seconds.div_euclid(SECONDS_PER_DAY);
            self.add(
                LintCode::ValidityTooLong,
                format!(
                    "valid for {days} days; {max} is the most for {}",
                    self.profile
                ),
            );
        }
        if let Some(end) = self
            .issuer
            .map(Certificate::not_after)
            .filter(|end| until > *end)
        {
            self.add(
                LintCode::OutlivesIssuer,
                format!("notAfter {until} is after the issuer's own, {end}"),
            );
        }
    }

    /// RFC 5280 §4.1.2.4 and §4.1.2.6.
    fn subject_and_issuer(&mut self) {
        let tbs = self.parsed.tbs_certificate();
        if tbs.subject().is_empty() {
            self.add(LintCode::SubjectEmpty, "the subject is empty");
        }
        let expected = self
            .issuer
            .map_or_else(|| self.certificate.subject(), Certificate::subject);
        if self.certificate.issuer().der() != expected.der() {
            self.add(
                LintCode::IssuerName,
                format!(
                    "the issuer field says {}, the issuer is {expected}",
                    self.certificate.issuer()
                ),
            );
        }
        if self.issuer.is_some() && self.certificate.issuer() == self.certificate.subject() {
            self.add(
                LintCode::SelfIssued,
                "subject and issuer have the same name, but not the same key",
            );
        }
    }

    /// Keys this community accepts; a data holder signs metadata with RS256 (HL7 SSRAA §2.2).
    fn key(&mut self) {
        let kind = match self.certificate.public_key() {
            Ok(key) => key.kind(),
            Err(error) => {
                let message = format!("the public key is not accepted: {error}");
                return self.add(LintCode::Key, message);
            }
        };
        let is_accepted = match kind {
            KeyKind::Rsa { bits } => (2048..=4096).contains(&bits),
            KeyKind::P256 | KeyKind::P384 => true,
            _ => false,
        };
        if !is_accepted {
            self.add(
                LintCode::Key,
                format!("{kind:?} is not a key this CA certifies"),
            );
        }
        if self.profile == Profile::DataHolder && !matches!(kind, KeyKind::Rsa { .. }) {
            self.add(
                LintCode::KeyKind,
                format!("{kind:?} cannot sign RS256, which metadata needs"),
            );
        }
    }

    /// RFC 5280 §4.2: each once, and nothing critical that verifiers do not know.
    fn extensions(&mut self) {
        let extensions = self
            .parsed
            .tbs_certificate()
            .extensions()
            .map_or(&[][..], Vec::as_slice);
        for (at, extension) in extensions.iter().enumerate() {
            if extensions[..at]
                .iter()
                .any(|before| before.extn_id == extension.extn_id)
            {
                self.add(
                    LintCode::ExtensionTwice,
                    format!("extension {} is there twice", extension.extn_id),
                );
            }
            if extension.critical && !MAY_BE_CRITICAL.contains(&extension.extn_id) {
                self.add(
                    LintCode::ExtensionCritical,
                    format!(
                        "extension {} is critical, which shuts verifiers out",
                        extension.extn_id
                    ),
                );
            }
        }
    }

    /// RFC 5280 §4.2.1.9.
    fn basic_constraints(&mut self) {
        let Some(critical) = self.criticality(db::rfc5280::ID_CE_BASIC_CONSTRAINTS) else {
            if self.profile.is_ca() {
                self.add(
                    LintCode::BasicConstraints,
                    "a CA certificate needs basic constraints",
                );
            }
            return;
        };
        if self.certificate.is_ca() != self.profile.is_ca() {
            self.add(
                LintCode::BasicConstraints,
                format!(
                    "cA is {}, which {} must not be",
                    self.certificate.is_ca(),
                    self.profile
                ),
            );
        }
        if self.profile.is_ca() && !critical {
            self.add(
                LintCode::CriticalMissing,
                "basic constraints of a CA must be critical",
            );
        }
        if self.profile == Profile::IssuingCa && self.certificate.path_len() != Some(0) {
            self.add(
                LintCode::PathLength,
                "an issuing CA must have the path length 0",
            );
        }
    }

    /// RFC 5280 §4.2.1.3: exactly what the profile needs, and critical.
    fn key_usage(&mut self) {
        let expected = if self.profile.is_ca() {
            KeyUsages::KeyCertSign | KeyUsages::CRLSign
        } else {
            KeyUsages::DigitalSignature.into()
        };
        match self.parsed.tbs_certificate().get_extension::<KeyUsage>() {
            Ok(Some((critical, found))) => {
                if found.0 != expected {
                    self.add(
                        LintCode::KeyUsage,
                        format!(
                            "key usage is {:?}, {} needs exactly {expected:?}",
                            found.0, self.profile
                        ),
                    );
                }
                if !critical {
                    self.add(LintCode::CriticalMissing, "key usage must be critical");
                }
            }
            Ok(None) | Err(_) => self.add(
                LintCode::KeyUsage,
                "key usage is missing, unreadable, or there twice",
            ),
        }
    }

    /// RFC 5280 §4.2.1.12 and RFC 6960 §4.2.2.2: a TLS server and an OCSP responder each have their
    /// one purpose; members and CAs have none, as no purpose for JWTs is registered.
    fn extended_key_usage(&mut self) {
        let expected: &[ObjectIdentifier] = match self.profile {
            Profile::TlsServer => &[db::rfc5280::ID_KP_SERVER_AUTH],
            Profile::OcspSigner => &[db::rfc5280::ID_KP_OCSP_SIGNING],
            _ => &[],
        };
        let found = self.certificate.extended_key_usage().unwrap_or_default();
        if found != expected {
            self.add(
                LintCode::ExtendedKeyUsage,
                format!(
                    "extended key usage is {found:?}, {} needs exactly {expected:?}",
                    self.profile
                ),
            );
        }
        if self.profile == Profile::OcspSigner
            && self
                .criticality(db::rfc6960::ID_PKIX_OCSP_NOCHECK)
                .is_none()
        {
            self.add(
                LintCode::OcspNocheck,
                "an OCSP responder's certificate needs ocsp-nocheck, or its own status is asked in a circle",
            );
        }
    }

    /// RFC 5280 §4.2.1.1 and §4.2.1.2.
    fn key_identifiers(&mut self) {
        let own = self.certificate.subject_key_id();
        if own.is_none_or(<[u8]>::is_empty) {
            self.add(
                LintCode::SubjectKeyId,
                "the subject key identifier is missing",
            );
        }
        let expected = self.issuer.map_or(own, Certificate::subject_key_id);
        if self.certificate.authority_key_id() != expected || expected.is_none() {
            self.add(
                LintCode::AuthorityKeyId,
                "the authority key identifier is not the issuer's key identifier",
            );
        }
    }

    /// RFC 5280 §4.2.1.6; UDAP knows a member by a URI, so a member has one.
    fn names(&mut self) {
        let uris = self.certificate.uri_names();
        let dns = self.certificate.dns_names();
        let others = self.certificate.email_names().len() + self.certificate.ip_names().len();
        match self.profile {
            Profile::DataHolder | Profile::App | Profile::IdentityProvider => {
                if uris.is_empty() {
                    self.add(
                        LintCode::UriName,
                        format!("{} needs a URI subject alternative name", self.profile),
                    );
                }
                if !dns.is_empty() || others > 0 {
                    self.add(
                        LintCode::NameKind,
                        "a member's certificate has URI names only",
                    );
                }
            }
            Profile::TlsServer => {
                if dns.is_empty() {
                    self.add(
                        LintCode::DnsName,
                        "a TLS server needs a DNS subject alternative name",
                    );
                }
                if !uris.is_empty() {
                    self.add(
                        LintCode::NameKind,
                        "a TLS server's certificate must not name a member",
                    );
                }
            }
            Profile::Root | Profile::IssuingCa | Profile::OcspSigner => {
                if !uris.is_empty() || !dns.is_empty() || others > 0 {
                    self.add(
                        LintCode::NameKind,
                        format!("{} must not have a member's name", self.profile),
                    );
                }
            }
        }
        for uri in uris {
            // A data holder's name is its base URL: metadata is found below it.
            let web = self.profile != Profile::DataHolder || uri.starts_with("https://");
            if !web {
                let message = format!("{uri} is not an https URL, so it cannot be a FHIR base URL");
                self.findings
                    .push(Finding::new(LintCode::UriScheme, message));
            }
            if uris.iter().filter(|other| *other == uri).count() > 1 {
                self.findings.push(Finding::new(
                    LintCode::NameTwice,
                    format!("{uri} is there twice"),
                ));
            }
        }
    }

    /// RFC 5280 §4.2.1.13 and §4.2.2.1: what a verifier needs to know revocation and issuer.
    fn publications(&mut self) {
        let from_a_ca = self.issuer.is_some();
        let urls_needed =
            from_a_ca && (self.profile.is_member() || self.profile == Profile::IssuingCa);
        if urls_needed && self.certificate.crl_urls().is_empty() {
            self.add(LintCode::CrlUrl, "there is no CRL distribution point");
        }
        if urls_needed && self.certificate.ca_issuer_urls().is_empty() {
            self.add(
                LintCode::CaIssuersUrl,
                "authority information access does not name the issuer's certificate",
            );
        }
        if !from_a_ca && !self.certificate.crl_urls().is_empty() {
            self.add(
                LintCode::RootUrls,
                "a root cannot be revoked by its own CRL",
            );
        }
        // RFC 5280 §8: a CRL or issuer fetched over https needs a certificate checked the same way.
        let urls = self
            .certificate
            .crl_urls()
            .iter()
            .chain(self.certificate.ca_issuer_urls());
        for url in urls.filter(|url| !url.starts_with("http://")) {
            let message = format!(
                "{url} is not plain http; verifying its TLS certificate may need this very CRL"
            );
            self.findings
                .push(Finding::new(LintCode::UrlScheme, message));
        }
    }

    fn criticality(&self, oid: ObjectIdentifier) -> Option<bool> {
        let extensions = self.parsed.tbs_certificate().extensions()?;
        extensions
            .iter()
            .find(|extension| extension.extn_id == oid)
            .map(|extension| extension.critical)
    }
}

/// The longest validity of each profile. Members renew often, so that a key that leaks unnoticed
/// is of use for a short time; roots are replaced by hand.
const fn longest_validity_days(profile: Profile) -> i64 {
    match profile {
        Profile::Root => 25 * 366,
        Profile::IssuingCa => 10 * 366,
        Profile::DataHolder | Profile::App | Profile::IdentityProvider => 398,
        Profile::TlsServer => 200,
        Profile::OcspSigner => 31,
    }
}

const SIGNATURE_ALGORITHMS: [ObjectIdentifier; 3] = [
    db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
    db::rfc5912::ECDSA_WITH_SHA_256,
    db::rfc5912::ECDSA_WITH_SHA_384,
];

/// Extensions that RFC 5280 lets be critical and that verifiers process.
const MAY_BE_CRITICAL: [ObjectIdentifier; 7] = [
    db::rfc5280::ID_CE_BASIC_CONSTRAINTS,
    db::rfc5280::ID_CE_KEY_USAGE,
    db::rfc5280::ID_CE_EXT_KEY_USAGE,
    db::rfc5280::ID_CE_NAME_CONSTRAINTS,
    db::rfc5280::ID_CE_CERTIFICATE_POLICIES,
    db::rfc5280::ID_CE_POLICY_CONSTRAINTS,
    db::rfc5280::ID_CE_INHIBIT_ANY_POLICY,
];

const SECONDS_PER_DAY: i64 = 86_400;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
