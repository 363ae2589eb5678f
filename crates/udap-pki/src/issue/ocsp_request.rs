use const_oid::{ObjectIdentifier, db};
use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{AnyRef, OctetStringRef, UintRef},
};

use super::{IssueError, certificate::key_bits};
use crate::Certificate;

/// What somebody asks an OCSP responder, RFC 6960 §4.1. A signature of the asker is ignored: the
/// answers are public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    cert_ids: Vec<CertId>,
    nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`OcspRequestError`]; the responder answers `malformedRequest` to each.
    pub fn from_der(bytes: &[u8]) -> Result<Self, OcspRequestError> {
        if bytes.len() > MAX_SIZE {
            return Err(OcspRequestError::TooLarge {
                found: bytes.len(),
                max: MAX_SIZE,
            });
        }
        let request = Wire::from_der(bytes).map_err(malformed)?.tbs;
        if request.version != 0 {
            return Err(OcspRequestError::Version {
                found: request.version,
            });
        }
        if request.requests.is_empty() || request.requests.len() > MAX_CERTIFICATES {
            return Err(OcspRequestError::Count {
                found: request.requests.len(),
                max: MAX_CERTIFICATES,
            });
        }
        let cert_ids = request
            .requests
            .iter()
            .map(|one| CertId::from_any(one.cert_id))
            .collect::<Result<_, _>>()?;
        let mut nonce = None;
        for extension in request.extensions.unwrap_or_default() {
            if extension.oid == db::rfc6960::ID_PKIX_OCSP_NONCE {
                nonce = Some(parse_nonce(extension.value.as_bytes())?);
            } else if extension.critical {
                return Err(OcspRequestError::CriticalExtension {
                    oid: extension.oid.to_string(),
                });
            }
        }
        Ok(Self { cert_ids, nonce })
    }

    /// The certificates asked for, at least one.
    #[must_use]
    pub fn cert_ids(&self) -> &[CertId] {
        &self.cert_ids
    }

    /// The nonce to echo.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }
}

/// How a certificate is named in OCSP, RFC 6960 §4.1.1: hashes of its issuer's name and key, and
/// its serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    der: Vec<u8>,
    hash: CertIdHash,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    serial: Vec<u8>,
}

/// The hash inside a [`CertId`]: a look-up key, so SHA-1 is still what nearly everybody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertIdHash {
    /// RFC 5019 §2.1.1 requires it.
    Sha1,
    /// The successor.
    Sha256,
    /// Rarely used.
    Sha384,
    /// Rarely used.
    Sha512,
}

impl CertId {
    /// The name of the certificate with that serial number under `issuer`.
    ///
    /// # Errors
    /// [`IssueError::Encoding`] when the issuer's certificate does not parse.
    pub fn new(issuer: &Certificate, serial: &[u8], hash: CertIdHash) -> Result<Self, IssueError> {
        let encoding = IssueError::encoding("OCSP CertID");
        let issuer_name_hash = hash.of(issuer.subject().der());
        let issuer_key_hash = hash.of(&key_bits(issuer.spki_der())?);
        let serial_der = UintRef::new(serial)
            .and_then(|serial| serial.to_der())
            .map_err(&encoding)?;
        let wire = CertIdWire {
            hash: AnyRef::from_der(hash.identifier()).map_err(&encoding)?,
            issuer_name_hash: OctetStringRef::new(&issuer_name_hash).map_err(&encoding)?,
            issuer_key_hash: OctetStringRef::new(&issuer_key_hash).map_err(&encoding)?,
            serial: AnyRef::from_der(&serial_der).map_err(&encoding)?,
        };
        let der = wire.to_der().map_err(encoding)?;
        let serial = without_leading_zeros(serial).to_vec();
        Ok(Self {
            der,
            hash,
            issuer_name_hash,
            issuer_key_hash,
            serial,
        })
    }

    fn from_any(any: AnyRef<'_>) -> Result<Self, OcspRequestError> {
        let der = any.to_der().map_err(malformed)?;
        let wire = CertIdWire::from_der(&der).map_err(malformed)?;
        let algorithm = wire
            .hash
            .decode_as::<AlgorithmWire<'_>>()
            .map_err(malformed)?;
        let hash = CertIdHash::from_oid(algorithm.oid).ok_or_else(|| OcspRequestError::Hash {
            oid: algorithm.oid.to_string(),
        })?;
        let issuer_name_hash = wire.issuer_name_hash.as_bytes().to_vec();
        let issuer_key_hash = wire.issuer_key_hash.as_bytes().to_vec();
        // RFC 5280 §4.1.2.2: no certificate has a negative serial number.
        let serial = UintRef::try_from(wire.serial).map_err(malformed)?;
        let serial = without_leading_zeros(serial.as_bytes()).to_vec();
        Ok(Self {
            der,
            hash,
            issuer_name_hash,
            issuer_key_hash,
            serial,
        })
    }

    /// The DER, as it is echoed in the answer.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The hash used.
    #[must_use]
    pub const fn hash(&self) -> CertIdHash {
        self.hash
    }

    /// The serial number, big-endian without leading zeros.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Whether name and key hashes are those of `issuer`.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool {
        Self::new(issuer, &self.serial, self.hash).is_ok_and(|expected| {
            expected.issuer_name_hash == self.issuer_name_hash
                && expected.issuer_key_hash == self.issuer_key_hash
        })
    }
}

impl CertIdHash {
    /// Every hash.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    fn of(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &aws_lc_rs::digest::SHA256,
            Self::Sha384 => &aws_lc_rs::digest::SHA384,
            Self::Sha512 => &aws_lc_rs::digest::SHA512,
        };
        aws_lc_rs::digest::digest(algorithm, data).as_ref().to_vec()
    }

    fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Some(match oid {
            db::rfc5912::ID_SHA_1 => Self::Sha1,
            db::rfc5912::ID_SHA_256 => Self::Sha256,
            db::rfc5912::ID_SHA_384 => Self::Sha384,
            db::rfc5912::ID_SHA_512 => Self::Sha512,
            _ => return None,
        })
    }

    /// AlgorithmIdentifier with NULL parameters, the form that askers use.
    const fn identifier(self) -> &'static [u8] {
        match self {
            Self::Sha1 => &[
                0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00,
            ],
            Self::Sha256 => &[
                0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
                0x00,
            ],
            Self::Sha384 => &[
                0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
                0x00,
            ],
            Self::Sha512 => &[
                0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
                0x00,
            ],
        }
    }
}

/// Why an OCSP request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspRequestError {
    /// Larger than any sensible request.
    #[error("the OCSP request has {found} bytes; {max} is the most")]
    TooLarge {
        /// Bytes given.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Not an OCSP request (RFC 6960 §4.1.1).
    #[error("not an OCSP request: {detail}")]
    Malformed {
        /// The parser's own words.
        detail: String,
    },
    /// Only v1 exists.
    #[error("OCSP request of version {found}; only v1 (0) exists")]
    Version {
        /// The version as encoded.
        found: u8,
    },
    /// No certificate, or more than one answer should hold.
    #[error("the OCSP request asks for {found} certificates; 1 to {max} are answered")]
    Count {
        /// How many were asked for.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A hash that nobody here computes.
    #[error("the OCSP request names its issuer with the hash {oid}, which is not known here")]
    Hash {
        /// The hash's identifier.
        oid: String,
    },
    /// RFC 9654 §2.1: 1 to 128 octets.
    #[error("the OCSP nonce has {found} bytes; 1 to {max} are allowed")]
    Nonce {
        /// Bytes given.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// RFC 6960 §4.4: what is critical and not understood cannot be ignored.
    #[error("the OCSP request has a critical extension {oid}, which is not known here")]
    CriticalExtension {
        /// The extension's identifier.
        oid: String,
    },
}

impl OcspRequestError {
    /// The stable code of this refusal, see [`super::CATALOGUE`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "ocsp-request-too-large",
            Self::Malformed { .. } => "ocsp-request-malformed",
            Self::Version { .. } => "ocsp-request-version",
            Self::Count { .. } => "ocsp-request-count",
            Self::Hash { .. } => "ocsp-request-hash",
            Self::Nonce { .. } => "ocsp-request-nonce",
            Self::CriticalExtension { .. } => "ocsp-request-critical-extension",
        }
    }
}

fn parse_nonce(value: &[u8]) -> Result<Vec<u8>, OcspRequestError> {
    let nonce = <&OctetStringRef>::from_der(value)
        .map_err(malformed)?
        .as_bytes();
    if nonce.is_empty() || nonce.len() > MAX_NONCE {
        return Err(OcspRequestError::Nonce {
            found: nonce.len(),
            max: MAX_NONCE,
        });
    }
    Ok(nonce.to_vec())
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    bytes
        .iter()
        .position(|b| *b != 0)
        .map_or(&[], |at| &bytes[at..])
}

fn malformed(error: der::Error) -> OcspRequestError {
    OcspRequestError::Malformed {
        detail: error.to_string(),
    }
}

#[derive(Sequence)]
struct Wire<'a> {
    tbs: TbsRequest<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    _signature: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct TbsRequest<'a> {
    #[asn1(
        context_specific = "0",
        tag_mode = "EXPLICIT",
        default = "Default::default"
    )]
    version: u8,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    _requestor: Option<AnyRef<'a>>,
    requests: Vec<One<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<ExtensionWire<'a>>>,
}

#[derive(Sequence)]
struct One<'a> {
    cert_id: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    _extensions: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct CertIdWire<'a> {
    hash: AnyRef<'a>,
    issuer_name_hash: &'a OctetStringRef,
    issuer_key_hash: &'a OctetStringRef,
    serial: AnyRef<'a>,
}

#[derive(Sequence)]
struct AlgorithmWire<'a> {
    oid: ObjectIdentifier,
    #[asn1(optional = "true")]
    _parameters: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct ExtensionWire<'a> {
    oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

/// A request for sixteen certificates with SHA-512 hashes has some 3 KiB.
const MAX_SIZE: usize = 16 * 1024;

/// A chain has three or four certificates; nobody needs to ask for more at once.
const MAX_CERTIFICATES: usize = 16;

/// RFC 9654 §2.1.
const MAX_NONCE: usize = 128;
