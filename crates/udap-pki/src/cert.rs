//! Certificates: parsed once, the DER kept (RFC 5280 §4).

use crate::asn1::{
    DerError, INTEGER, Reader, SEQUENCE, check_integer, context, context_constructed,
};
use crate::extensions::{DistributionPoint, Extensions, ExtensionsError};
use crate::general_name::GeneralName;
use crate::key::sha256;
use crate::{
    AlgorithmError, KeyError, KeyUsage, Name, ObjectIdentifier, PublicKey, Scheme, SignatureError,
    UnixTime,
};
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// An X.509 certificate, parsed once; the DER is kept. Cloning is cheap, and two are equal when their DER is.
///
/// Reading one says nothing about trust: that is what [`crate::verify`] is for.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    tbs: Range<usize>,
    spki: Range<usize>,
    serial: Range<usize>,
    signature: Range<usize>,
    version: u8,
    scheme: Result<Scheme, AlgorithmError>,
    issuer: Name,
    subject: Name,
    not_before: UnixTime,
    not_after: UnixTime,
    extensions: Extensions,
    names: Names,
    crl_urls: Vec<String>,
    sha256: OnceLock<[u8; 32]>,
    key: OnceLock<Result<PublicKey, KeyError>>,
    /// SHA-256 of the SubjectPublicKeyInfo that made the signature. Whether a key signed these bytes never
    /// changes, so it is worked out once in the life of this value.
    signed_by: OnceLock<[u8; 32]>,
}

/// The alternative names by form.
#[derive(Debug, Default)]
struct Names {
    uri: Vec<String>,
    dns: Vec<String>,
    email: Vec<String>,
    ip: Vec<IpAddr>,
}

/// Why bytes are not an acceptable certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The encoding is not DER, or not that of a certificate.
    #[error("it is not a well-formed certificate: {0}")]
    Malformed(#[from] DerError),
    /// More octets than any certificate needs.
    #[error("it has {len} octets, and {max} are accepted")]
    TooLarge {
        /// Octets of the value.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The algorithm inside the signed part is not the one outside (RFC 5280 §4.1.1.2).
    #[error("it names two different signature algorithms")]
    AlgorithmMismatch,
    /// Another version than 1, 2 or 3, or extensions in a version that has none.
    #[error("its version does not fit its content")]
    Version,
    /// An extension occurs twice (RFC 5280 §4.2).
    #[error("it has the extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
}

impl CertificateError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "certificate-malformed"
    }
}

impl From<ExtensionsError> for CertificateError {
    fn from(error: ExtensionsError) -> Self {
        match error {
            ExtensionsError::Der(error) => Self::Malformed(error),
            ExtensionsError::Duplicate(oid) => Self::DuplicateExtension(oid),
        }
    }
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// When the bytes are not one, or break a rule that no path could mend.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_LEN {
            return Err(CertificateError::TooLarge {
                len: der.len(),
                max: MAX_LEN,
            });
        }
        let mut outer = Reader::new(der, "Certificate");
        let mut certificate = outer.sequence("Certificate")?;
        outer.finish()?;
        let tbs = certificate.expect(SEQUENCE)?;
        let algorithm = certificate.expect(SEQUENCE)?;
        let signature = certificate.signature()?;
        certificate.finish()?;

        let mut fields = Reader::new(tbs.value, "TBSCertificate");
        let version = match fields.optional(context_constructed(0))? {
            None => 1,
            Some(tlv) => {
                let mut inside = Reader::new(tlv.value, "the version");
                let number = inside.unsigned()?;
                inside.finish()?;
                match number {
                    // DER leaves version 1 out; some old roots do not.
                    0 => 1,
                    1 => 2,
                    2 => 3,
                    _ => return Err(CertificateError::Version),
                }
            }
        };
        let serial = check_integer(fields.expect(INTEGER)?.value, "the serial number")?;
        if fields.expect(SEQUENCE)?.raw != algorithm.raw {
            return Err(CertificateError::AlgorithmMismatch);
        }
        let issuer = fields.expect(SEQUENCE)?.raw;
        let mut validity = fields.sequence("Validity")?;
        let not_before = validity.time()?;
        let not_after = validity.time()?;
        validity.finish()?;
        let subject = fields.expect(SEQUENCE)?.raw;
        let spki = fields.expect(SEQUENCE)?.raw;
        // Unique identifiers (RFC 5280 §4.1.2.8) are passed over.
        let unique = [fields.optional(context(1))?, fields.optional(context(2))?];
        if unique.iter().any(Option::is_some) && version == 1 {
            return Err(CertificateError::Version);
        }
        let extensions = match fields.optional(context_constructed(3))? {
            None => Extensions::default(),
            Some(_) if version != 3 => return Err(CertificateError::Version),
            Some(tlv) => {
                let mut inside = Reader::new(tlv.value, "Extensions");
                let list = inside.sequence("Extensions")?;
                inside.finish()?;
                Extensions::read(list)?
            }
        };
        fields.finish()?;

        let issuer = Name::from_der(issuer)?;
        // One allocation and one canonical form for a self-issued certificate.
        let subject = if issuer.der() == subject {
            issuer.clone()
        } else {
            Name::from_der(subject)?
        };
        let mut names = Names::default();
        for name in &extensions.alternative_names {
            match name {
                GeneralName::Uri(uri) => names.uri.push(uri.clone()),
                GeneralName::Dns(dns) => names.dns.push(dns.clone()),
                GeneralName::Email(email) => names.email.push(email.clone()),
                GeneralName::Ip(ip) => names.ip.push(*ip),
                _ => {}
            }
        }
        let crl_urls = extensions
            .distribution_points
            .iter()
            .flat_map(DistributionPoint::urls)
            .map(str::to_owned)
            .collect();
        let inner = Inner {
            tbs: within(der, tbs.raw),
            spki: within(der, spki),
            serial: within(der, serial),
            signature: within(der, signature),
            version,
            scheme: Scheme::from_algorithm_identifier(algorithm.raw),
            issuer,
            subject,
            not_before,
            not_after,
            extensions,
            names,
            crl_urls,
            sha256: OnceLock::new(),
            key: OnceLock::new(),
            signed_by: OnceLock::new(),
            der: der.into(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The DER it was read from.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as one PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        crate::pem::encode("CERTIFICATE", self.der())
    }

    /// SHA-256 of the DER.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        self.0.sha256.get_or_init(|| sha256(&self.0.der))
    }

    /// 1, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.0.version
    }

    /// Whom it is for.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// The serial number: content octets of the INTEGER, big-endian two's complement.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        self.slice(&self.0.serial)
    }

    /// The serial number in lower-case hex.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        hex(self.serial())
    }

    /// Valid from.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.0.not_before
    }

    /// Valid to, this second included.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after
    }

    /// The key, parsed at the first call.
    ///
    /// # Errors
    /// When the key is of a kind or size that is refused.
    pub fn public_key(&self) -> Result<&PublicKey, &KeyError> {
        self.0
            .key
            .get_or_init(|| PublicKey::from_spki_der(self.spki_der()))
            .as_ref()
    }

    /// The SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.slice(&self.0.spki)
    }

    /// The signed part.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.0.tbs)
    }

    /// The signature's octets.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.0.signature)
    }

    /// The algorithm it is signed with.
    ///
    /// # Errors
    /// When the algorithm is refused.
    pub fn signature_scheme(&self) -> Result<Scheme, &AlgorithmError> {
        self.0.scheme.as_ref().copied()
    }

    /// URIs among the subject alternative names, in order.
    #[must_use]
    pub fn uri_names(&self) -> &[String] {
        &self.0.names.uri
    }

    /// Host names among the subject alternative names.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.0.names.dns
    }

    /// Mailboxes among the subject alternative names.
    #[must_use]
    pub fn email_names(&self) -> &[String] {
        &self.0.names.email
    }

    /// Addresses among the subject alternative names.
    #[must_use]
    pub fn ip_names(&self) -> &[IpAddr] {
        &self.0.names.ip
    }

    /// Every subject alternative name, in order.
    #[must_use]
    pub fn alternative_names(&self) -> &[GeneralName] {
        &self.0.extensions.alternative_names
    }

    /// Whether its basic constraints say that it is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.0
            .extensions
            .basic_constraints
            .is_some_and(|basic| basic.ca)
    }

    /// How many CA certificates may follow below it.
    #[must_use]
    pub fn path_len(&self) -> Option<u32> {
        self.0
            .extensions
            .basic_constraints
            .and_then(|basic| basic.path_len)
    }

    /// The key usage, when there is one.
    #[must_use]
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.0.extensions.key_usage
    }

    /// The extended key usages, when there are any.
    #[must_use]
    pub fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        self.0.extensions.extended_key_usage.as_deref()
    }

    /// The certificate policies, when there are any.
    #[must_use]
    pub fn policies(&self) -> Option<&[ObjectIdentifier]> {
        self.0.extensions.policies.as_deref()
    }

    /// http and https URLs of its CRLs.
    #[must_use]
    pub fn crl_urls(&self) -> &[String] {
        &self.0.crl_urls
    }

    /// http and https URLs of its issuer's certificate.
    #[must_use]
    pub fn ca_issuer_urls(&self) -> &[String] {
        &self.0.extensions.ca_issuer_urls
    }

    /// http and https URLs of its OCSP responders.
    #[must_use]
    pub fn ocsp_urls(&self) -> &[String] {
        &self.0.extensions.ocsp_urls
    }

    /// The subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.subject_key_id.as_deref()
    }

    /// The authority key identifier (only its keyIdentifier).
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_id.as_deref()
    }

    /// The type of every extension, in order, and whether it is critical.
    #[must_use]
    pub fn extension_ids(&self) -> &[(ObjectIdentifier, bool)] {
        &self.0.extensions.seen
    }

    /// Whether subject and issuer are the same (RFC 5280 §6.1: self-issued).
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.0.subject == self.0.issuer
    }

    /// Whether this key made the signature on this certificate. The answer says nothing else.
    ///
    /// # Errors
    /// When it did not, or the algorithms do not fit.
    pub fn verify_signed_by(&self, issuer: &PublicKey) -> Result<(), SignatureError> {
        if self
            .0
            .signed_by
            .get()
            .is_some_and(|known| known == issuer.sha256())
        {
            return Ok(());
        }
        let scheme = self
            .signature_scheme()
            .map_err(|_| SignatureError::Invalid)?;
        issuer.verify(scheme, self.tbs_der(), self.signature())?;
        let _ = self.0.signed_by.set(*issuer.sha256());
        Ok(())
    }

    pub(crate) fn known_signed_by(&self, issuer: &PublicKey) -> bool {
        self.0
            .signed_by
            .get()
            .is_some_and(|known| known == issuer.sha256())
    }

    pub(crate) fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// What people call it: its subject, or its first name, or its serial number.
    pub(crate) fn label(&self) -> String {
        if !self.subject().is_empty() {
            return self.subject().to_string();
        }
        match self.alternative_names().first() {
            Some(name) => name.to_string(),
            None => format!("certificate {}", self.serial_hex()),
        }
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl std::hash::Hash for Certificate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.sha256().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Certificate({}, serial {})",
            self.label(),
            self.serial_hex()
        )
    }
}

/// Where `part`, a subslice, lies in `whole`.
pub(crate) fn within(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start.saturating_add(part.len())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// An ML-DSA-87 certificate with many names has some 12 KiB.
const MAX_LEN: usize = 64 * 1024;
