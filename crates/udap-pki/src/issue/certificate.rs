use core::fmt;
use std::net::IpAddr;

use const_oid::db;
use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{AnyRef, UintRef},
};
use x509_cert::{
    ext::pkix::{KeyUsages, name::GeneralName},
    time::{Time, Validity},
};

use super::{
    Extension, IssueError, SignatureAlgorithm, Subject, ToBeSigned,
    extension::{self, Encoded},
    to_be_signed::Shape,
};
use crate::{Certificate, UnixTime};

/// What a certificate is for; decides key usage, basic constraints and which names it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A self-signed root: signs issuing CAs and its own CRL.
    Root,
    /// Signs members' certificates and their CRL; no CA below it (path length 0).
    IssuingCa,
    /// A data holder: signs metadata with RS256 (HL7 SSRAA §2.2), so RSA; names are FHIR base URLs.
    DataHolder,
    /// An app: signs software statements and authentication tokens.
    App,
    /// An identity provider for tiered OAuth; signs metadata and ID tokens.
    IdentityProvider,
    /// A TLS server; used for the sandbox's own TLS root only, never for members.
    TlsServer,
    /// A delegated OCSP responder, RFC 6960 §4.2.2.2.
    OcspSigner,
}

impl Profile {
    /// Every profile, for tests and listings.
    pub const ALL: [Self; 7] = [
        Self::Root,
        Self::IssuingCa,
        Self::DataHolder,
        Self::App,
        Self::IdentityProvider,
        Self::TlsServer,
        Self::OcspSigner,
    ];

    /// The name used on command lines and in the CA's store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::IssuingCa => "issuing-ca",
            Self::DataHolder => "data-holder",
            Self::App => "app",
            Self::IdentityProvider => "identity-provider",
            Self::TlsServer => "tls-server",
            Self::OcspSigner => "ocsp-signer",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == name)
    }

    /// Whether the certificate signs other certificates.
    #[must_use]
    pub const fn is_ca(self) -> bool {
        matches!(self, Self::Root | Self::IssuingCa)
    }

    /// Whether the certificate belongs to a member of the community, who is known by a URI.
    #[must_use]
    pub const fn is_member(self) -> bool {
        matches!(self, Self::DataHolder | Self::App | Self::IdentityProvider)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything that goes into a certificate. Nothing has a default: a CA decides each.
#[derive(Clone, Debug)]
pub struct CertificateSpec<'a> {
    /// What it is for.
    pub profile: Profile,
    /// 16 to 20 random bytes; a top bit that is set costs one more octet, so at most 19 then.
    pub serial: &'a [u8],
    /// Whose it is.
    pub subject: &'a Subject,
    /// The subject's public key, DER of SubjectPublicKeyInfo.
    pub spki_der: &'a [u8],
    /// Who signs.
    pub issuer: Issuer<'a>,
    /// First second of validity.
    pub not_before: UnixTime,
    /// Last second of validity.
    pub not_after: UnixTime,
    /// Subject alternative names.
    pub names: Names,
    /// Where the issuer publishes what a verifier needs.
    pub urls: Urls,
    /// Further extensions; one whose identifier the profile uses too takes that one's place.
    pub extensions: &'a [Extension],
    /// What the issuer signs with.
    pub algorithm: SignatureAlgorithm,
}

/// Who signs a certificate.
#[derive(Clone, Copy, Debug)]
pub enum Issuer<'a> {
    /// The subject itself.
    SelfSigned,
    /// The holder of this certificate; its subject and key identifier are copied byte for byte.
    Certificate(&'a Certificate),
}

/// Subject alternative names, RFC 5280 §4.2.1.6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// URIs, kept byte for byte: a member is known by exactly this string.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns: Vec<String>,
    /// Addresses.
    pub ips: Vec<IpAddr>,
}

/// URLs of the issuer's publications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urls {
    /// CRL distribution point, RFC 5280 §4.2.1.13.
    pub crl: Vec<String>,
    /// The issuer's certificate, RFC 5280 §4.2.2.1.
    pub ca_issuers: Vec<String>,
    /// OCSP responders, RFC 5280 §4.2.2.1.
    pub ocsp: Vec<String>,
}

/// Builds a version 3 certificate to be signed (RFC 5280 §4.1).
///
/// # Errors
/// [`IssueError`] when an input cannot be expressed; see its variants.
pub fn certificate(spec: &CertificateSpec<'_>) -> Result<ToBeSigned, IssueError> {
    let encoding = IssueError::encoding("certificate");
    let subject = spec.subject.to_der()?;
    let key_id = key_id(spec.spki_der)?;
    let (issuer, authority_key_id) = match spec.issuer {
        Issuer::SelfSigned => (subject.clone(), key_id.to_vec()),
        Issuer::Certificate(issuer) => {
            let id = issuer.subject_key_id().ok_or(IssueError::IssuerKeyId)?;
            (issuer.subject().der().to_vec(), id.to_vec())
        }
    };
    if spec.not_after <= spec.not_before {
        return Err(IssueError::Validity {
            not_before: spec.not_before,
            not_after: spec.not_after,
        });
    }

    let mut extensions = profile_extensions(spec, &key_id, &authority_key_id)?;
    for extra in spec.extensions {
        match extensions.iter_mut().find(|own| own.oid == extra.oid) {
            Some(own) => *own = extra.clone(),
            None => extensions.push(extra.clone()),
        }
    }

    let tbs = TbsCertificate {
        version: 2,
        serial: serial(spec.serial, MIN_SERIAL)?,
        signature: AnyRef::from_der(spec.algorithm.identifier()).map_err(&encoding)?,
        issuer: AnyRef::from_der(&issuer).map_err(&encoding)?,
        validity: Validity::new(time(spec.not_before)?, time(spec.not_after)?),
        subject: AnyRef::from_der(&subject).map_err(&encoding)?,
        spki: AnyRef::from_der(spec.spki_der).map_err(&encoding)?,
        extensions: extension::encode_all(&extensions)?,
    };
    let bytes = tbs.to_der().map_err(encoding)?;
    Ok(ToBeSigned::new(bytes, spec.algorithm, Shape::Signed))
}

/// Builds a self-signed certificate that stands in for `original` in a rehearsal: the same names,
/// dates, key identifier and limits, with another key. What that key signs verifies under it as the
/// real thing would under `original`, and nowhere else.
///
/// # Errors
/// [`IssueError::Encoding`] when the original does not parse a second time.
pub fn stand_in(
    original: &Certificate,
    spki_der: &[u8],
    algorithm: SignatureAlgorithm,
) -> Result<ToBeSigned, IssueError> {
    let encoding = IssueError::encoding("certificate");
    let parsed =
        <x509_cert::Certificate as der::Decode>::from_der(original.der()).map_err(&encoding)?;
    let extensions: Vec<_> = parsed
        .tbs_certificate()
        .extensions()
        .into_iter()
        .flatten()
        .map(Extension::from)
        .collect();
    let tbs = TbsCertificate {
        version: 2,
        serial: serial(original.serial(), 0)?,
        signature: AnyRef::from_der(algorithm.identifier()).map_err(&encoding)?,
        issuer: AnyRef::from_der(original.subject().der()).map_err(&encoding)?,
        validity: Validity::new(time(original.not_before())?, time(original.not_after())?),
        subject: AnyRef::from_der(original.subject().der()).map_err(&encoding)?,
        spki: AnyRef::from_der(spki_der).map_err(&encoding)?,
        extensions: extension::encode_all(&extensions)?,
    };
    let bytes = tbs.to_der().map_err(encoding)?;
    Ok(ToBeSigned::new(bytes, algorithm, Shape::Signed))
}

/// The key identifier of a public key: the first 160 bits of the SHA-256 of the key bits, RFC 7093
/// §2 method 1.
///
/// # Errors
/// [`IssueError::Encoding`] when the bytes are not a SubjectPublicKeyInfo.
pub fn key_id(spki_der: &[u8]) -> Result<[u8; 20], IssueError> {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key_bits(spki_der)?);
    let mut id = [0; 20];
    id.copy_from_slice(&hash.as_ref()[..20]);
    Ok(id)
}

/// The content of the BIT STRING subjectPublicKey, over which key identifiers and the key hash of
/// OCSP are made.
pub(super) fn key_bits(spki_der: &[u8]) -> Result<Vec<u8>, IssueError> {
    let encoding = IssueError::encoding("public key");
    let spki = spki::SubjectPublicKeyInfoRef::try_from(spki_der).map_err(|error| {
        IssueError::Encoding {
            what: "public key",
            detail: error.to_string(),
        }
    })?;
    let bits = spki.subject_public_key.as_bytes();
    bits.map(<[u8]>::to_vec)
        .ok_or_else(|| encoding(der::ErrorKind::Failed.into()))
}

/// A serial number as an INTEGER: positive, minimal, at most 20 octets (RFC 5280 §4.1.2.2).
pub(super) fn serial(bytes: &[u8], min: usize) -> Result<UintRef<'_>, IssueError> {
    let significant = bytes
        .iter()
        .position(|b| *b != 0)
        .map_or(&[][..], |at| &bytes[at..]);
    let octets =
        significant.len() + usize::from(significant.first().is_some_and(|b| b & 0x80 != 0));
    // A random serial may begin with a zero byte once in 256, so one byte less is still random.
    if significant.is_empty() || significant.len() + 1 < min || octets > MAX_SERIAL {
        return Err(IssueError::Serial {
            found: significant.len(),
            min,
            max: MAX_SERIAL,
        });
    }
    UintRef::new(significant).map_err(IssueError::encoding("serial number"))
}

/// UTCTime through 2049 and GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
pub(super) fn time(at: UnixTime) -> Result<Time, IssueError> {
    Ok(Time::from(date_time(at)?))
}

pub(super) fn date_time(at: UnixTime) -> Result<der::DateTime, IssueError> {
    let secs = u64::try_from(at.0).map_err(|_| IssueError::Time(at))?;
    der::DateTime::from_unix_duration(core::time::Duration::from_secs(secs))
        .map_err(|_| IssueError::Time(at))
}

/// What RFC 5280 §4.2 and the profile require, in the order a reader expects.
fn profile_extensions(
    spec: &CertificateSpec<'_>,
    key_id: &[u8],
    authority_key_id: &[u8],
) -> Result<Vec<Extension>, IssueError> {
    let mut extensions = vec![
        match spec.profile {
            Profile::Root => extension::basic_constraints(true, None)?,
            Profile::IssuingCa => extension::basic_constraints(true, Some(0))?,
            _ => extension::basic_constraints(false, None)?,
        },
        match spec.profile {
            Profile::Root | Profile::IssuingCa => {
                extension::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)?
            }
            _ => extension::key_usage(KeyUsages::DigitalSignature)?,
        },
    ];
    match spec.profile {
        Profile::TlsServer => {
            extensions.push(extension::extended_key_usage(vec![
                db::rfc5280::ID_KP_SERVER_AUTH,
            ])?);
        }
        Profile::OcspSigner => {
            extensions.push(extension::extended_key_usage(vec![
                db::rfc5280::ID_KP_OCSP_SIGNING,
            ])?);
            extensions.push(extension::ocsp_nocheck());
        }
        _ => {}
    }
    extensions.push(extension::subject_key_id(key_id)?);
    extensions.push(extension::authority_key_id(authority_key_id)?);
    let names = general_names(&spec.names)?;
    if !names.is_empty() {
        extensions.push(extension::subject_alt_name(&names)?);
    }
    if !spec.urls.crl.is_empty() {
        extensions.push(extension::crl_distribution_points(&spec.urls.crl)?);
    }
    if !spec.urls.ca_issuers.is_empty() || !spec.urls.ocsp.is_empty() {
        extensions.push(extension::authority_info_access(
            &spec.urls.ca_issuers,
            &spec.urls.ocsp,
        )?);
    }
    Ok(extensions)
}

fn general_names(names: &Names) -> Result<Vec<GeneralName>, IssueError> {
    let uris = names.uris.iter().map(|uri| extension::uri("URI", uri));
    let dns = names.dns.iter().map(|name| extension::dns(name));
    let ips = names.ips.iter().map(|ip| Ok(GeneralName::from(*ip)));
    uris.chain(dns).chain(ips).collect()
}

#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Encoded<'a>>,
}

/// 128 random bits make a serial impossible to predict or to meet twice.
const MIN_SERIAL: usize = 16;

/// RFC 5280 §4.1.2.2: at most 20 octets.
const MAX_SERIAL: usize = 20;
