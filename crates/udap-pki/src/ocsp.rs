//! Online certificate status (RFC 6960, RFC 5019, RFC 9654): requests built, responses read. What a
//! response is worth to a certificate is decided in `revocation`.

use crate::asn1::{
    DerError, ENUMERATED, INTEGER, NULL, OCTET_STRING, OID, Reader, SEQUENCE, check_integer,
    context, context_constructed,
};
use crate::cert::within;
use crate::crl::{Extension, VerifiedBy};
use crate::key::{sha1, sha256};
use crate::names::put;
use crate::{
    AlgorithmError, Certificate, CertificateError, Name, ObjectIdentifier, PublicKey,
    RevocationReason, Scheme, UnixTime,
};
use std::ops::Range;

/// An OCSP response, parsed once.
#[derive(Debug)]
pub struct OcspResponse {
    der: Box<[u8]>,
    tbs: Range<usize>,
    signature: Range<usize>,
    scheme: Result<Scheme, AlgorithmError>,
    responder: Responder,
    produced_at: UnixTime,
    responses: Vec<SingleResponse>,
    nonce: Option<Vec<u8>>,
    certificates: Vec<Certificate>,
    unknown_critical: Option<ObjectIdentifier>,
    verified: VerifiedBy,
}

/// Who signed a response, as the response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Responder {
    /// By subject.
    Name(Name),
    /// By SHA-1 of the key.
    KeyHash(Vec<u8>),
}

/// The status of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleResponse {
    hash: CertIdHash,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    serial: Vec<u8>,
    status: CertStatus,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    unknown_critical: Option<ObjectIdentifier>,
}

/// The hash of a CertID. It identifies, it proves nothing; so SHA-1 is at home here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CertIdHash {
    Sha1,
    Sha256,
    Other,
}

/// What a responder says about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// When.
        at: UnixTime,
        /// Why.
        reason: RevocationReason,
    },
    /// The responder does not know the certificate.
    Unknown,
}

/// Why bytes are not an acceptable OCSP response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// The encoding is not DER, or not that of an OCSP response.
    #[error("it is not a well-formed OCSP response: {0}")]
    Malformed(#[from] DerError),
    /// More octets than any response needs.
    #[error("it has {len} octets, and {max} are accepted")]
    TooLarge {
        /// Octets of the value.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The responder gave no answer (RFC 6960 §4.2.1).
    #[error("the responder gave no answer: {0}")]
    NoAnswer(&'static str),
    /// Not a basic response, the only type there is.
    #[error("its type is not id-pkix-ocsp-basic")]
    Type,
    /// A certificate in it cannot be read.
    #[error("a certificate in it cannot be read: {0}")]
    Certificate(#[from] CertificateError),
    /// The nonce is not the one that was sent (RFC 9654 §2.1).
    #[error("it does not repeat the nonce of the request")]
    Nonce,
}

impl OcspError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "ocsp-no-answer",
            Self::Nonce => "ocsp-nonce",
            Self::Malformed(_) | Self::TooLarge { .. } | Self::Type | Self::Certificate(_) => {
                "ocsp-malformed"
            }
        }
    }
}

/// The DER of an OCSPRequest for one certificate; CertID by SHA-1, as every responder knows it (RFC 5019 §2.1.1).
///
/// A `nonce` (RFC 9654: 1 to 128 octets, 32 recommended) makes the answer fresh and not cacheable; one of
/// another length is left out.
#[must_use]
pub fn request(certificate: &Certificate, issuer: &Certificate, nonce: Option<&[u8]>) -> Vec<u8> {
    let key_hash = sha1(key_bits(issuer));
    let mut cert_id = Vec::with_capacity(80);
    let mut algorithm = Vec::new();
    put(&mut algorithm, OID, SHA1);
    put(&mut algorithm, NULL, &[]);
    put(&mut cert_id, SEQUENCE, &algorithm);
    put(&mut cert_id, OCTET_STRING, &sha1(issuer.subject().der()));
    put(&mut cert_id, OCTET_STRING, &key_hash);
    put(&mut cert_id, INTEGER, certificate.serial());

    let wrap = |tag, inside: &[u8]| {
        let mut out = Vec::with_capacity(inside.len() + 6);
        put(&mut out, tag, inside);
        out
    };
    let mut tbs = wrap(SEQUENCE, &wrap(SEQUENCE, &wrap(SEQUENCE, &cert_id)));
    if let Some(nonce) = nonce.filter(|nonce| NONCE_LEN.contains(&nonce.len())) {
        let mut extension = Vec::new();
        put(&mut extension, OID, NONCE);
        put(&mut extension, OCTET_STRING, &wrap(OCTET_STRING, nonce));
        tbs.extend(wrap(
            context_constructed(2),
            &wrap(SEQUENCE, &wrap(SEQUENCE, &extension)),
        ));
    }
    wrap(SEQUENCE, &wrap(SEQUENCE, &tbs))
}

impl OcspResponse {
    /// Reads a DER OCSPResponse.
    ///
    /// # Errors
    /// When it is not one, or says that the responder could not answer.
    pub fn from_der(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > MAX_LEN {
            return Err(OcspError::TooLarge {
                len: der.len(),
                max: MAX_LEN,
            });
        }
        let mut outer = Reader::new(der, "OCSPResponse");
        let mut response = outer.sequence("OCSPResponse")?;
        outer.finish()?;
        match response.expect(ENUMERATED)?.value {
            [0] => {}
            [1] => return Err(OcspError::NoAnswer("malformedRequest")),
            [2] => return Err(OcspError::NoAnswer("internalError")),
            [3] => return Err(OcspError::NoAnswer("tryLater")),
            [5] => return Err(OcspError::NoAnswer("sigRequired")),
            [6] => return Err(OcspError::NoAnswer("unauthorized")),
            _ => return Err(DerError::Value("responseStatus").into()),
        }
        let mut bytes = response.inside(context_constructed(0), "responseBytes")?;
        response.finish()?;
        let mut typed = bytes.sequence("ResponseBytes")?;
        bytes.finish()?;
        if typed.expect(OID)?.value != BASIC {
            return Err(OcspError::Type);
        }
        let basic = typed.expect(OCTET_STRING)?.value;
        typed.finish()?;

        let mut outer = Reader::new(basic, "BasicOCSPResponse");
        let mut basic = outer.sequence("BasicOCSPResponse")?;
        outer.finish()?;
        let tbs = basic.expect(SEQUENCE)?;
        let algorithm = basic.expect(SEQUENCE)?;
        let signature = basic.signature()?;
        let mut certificates = Vec::new();
        if let Some(tlv) = basic.optional(context_constructed(0))? {
            let mut inside = Reader::new(tlv.value, "certs");
            let mut list = inside.sequence("certs")?;
            inside.finish()?;
            while !list.is_empty() {
                if certificates.len() == MAX_CERTIFICATES {
                    return Err(DerError::TooMany("certs").into());
                }
                certificates.push(Certificate::from_der(list.expect(SEQUENCE)?.raw)?);
            }
        }
        basic.finish()?;

        let mut data = Reader::new(tbs.value, "ResponseData");
        if let Some(version) = data.optional(context_constructed(0))?
            && version.value != [INTEGER, 1, 0]
        {
            return Err(DerError::Value("the version").into());
        }
        let responder = read_responder(&mut data)?;
        let produced_at = data.generalized_time()?;
        let mut list = data.sequence("responses")?;
        let mut responses = Vec::new();
        while !list.is_empty() {
            if responses.len() == MAX_RESPONSES {
                return Err(DerError::TooMany("responses").into());
            }
            responses.push(SingleResponse::read(&mut list)?);
        }
        let mut nonce = None;
        let mut unknown_critical = None;
        for_each_extension(&mut data, 1, |extension| {
            if extension.id == NONCE {
                let mut inside = Reader::new(extension.value, "the nonce");
                nonce = Some(inside.expect(OCTET_STRING)?.value.to_vec());
                inside.finish()?;
            } else if extension.critical {
                unknown_critical = Some(crate::asn1::oid(extension.id, "an extension's type")?);
            }
            Ok(())
        })?;
        data.finish()?;

        Ok(Self {
            tbs: within(der, tbs.raw),
            signature: within(der, signature),
            scheme: Scheme::from_algorithm_identifier(algorithm.raw),
            responder,
            produced_at,
            responses,
            nonce,
            certificates,
            unknown_critical,
            verified: VerifiedBy::default(),
            der: der.into(),
        })
    }

    /// The DER it was read from.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Who says he signed it.
    #[must_use]
    pub fn responder(&self) -> &Responder {
        &self.responder
    }

    /// When it was signed.
    #[must_use]
    pub fn produced_at(&self) -> UnixTime {
        self.produced_at
    }

    /// The certificates it speaks about.
    #[must_use]
    pub fn responses(&self) -> &[SingleResponse] {
        &self.responses
    }

    /// The certificates that came with it.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The nonce, if it has one.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The algorithm it is signed with.
    ///
    /// # Errors
    /// When the algorithm is refused.
    pub fn signature_scheme(&self) -> Result<Scheme, &AlgorithmError> {
        self.scheme.as_ref().copied()
    }

    /// The earliest nextUpdate of its single responses.
    #[must_use]
    pub fn next_update(&self) -> Option<UnixTime> {
        self.responses
            .iter()
            .filter_map(|single| single.next_update)
            .min()
    }

    /// Whether it answers the request that carried this nonce (RFC 9654 §2.1). Who sends a nonce asks this
    /// before the response becomes evidence.
    ///
    /// # Errors
    /// When the nonce is missing or another.
    pub fn check_nonce(&self, sent: &[u8]) -> Result<(), OcspError> {
        if self.nonce() == Some(sent) {
            Ok(())
        } else {
            Err(OcspError::Nonce)
        }
    }

    /// What it says about a certificate, if the issuer signed it, or a delegate that the issuer certified, that
    /// came with it and whose time it is. Whether that is believed is for [`crate::verify`] to say.
    #[must_use]
    pub fn genuine(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        now: UnixTime,
    ) -> Option<&SingleResponse> {
        let signed = |signer: &Certificate| {
            let key = signer.public_key();
            self.names(signer) && key.is_ok_and(|key| self.is_signed_by(key))
        };
        let delegated = |delegate: &&Certificate| {
            let usages = delegate.extended_key_usage();
            delegate.issuer() == issuer.subject()
                && usages.is_some_and(|usages| usages.contains(&crate::purpose::OCSP_SIGNING))
                && (delegate.not_before()..=delegate.not_after()).contains(&now)
                && issuer
                    .public_key()
                    .is_ok_and(|key| delegate.verify_signed_by(key).is_ok())
        };
        let mut responses = self.responses.iter();
        let single = responses.find(|single| single.is_about(certificate, issuer))?;
        let mut delegates = self.certificates.iter().filter(delegated);
        (signed(issuer) || delegates.any(signed)).then_some(single)
    }

    /// Whether this key signed it; worked out once per key.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.known_signed_by(key).unwrap_or_else(|| {
            let good = self.scheme.as_ref().is_ok_and(|scheme| {
                let slice = |range: &Range<usize>| self.der.get(range.clone()).unwrap_or_default();
                key.verify(*scheme, slice(&self.tbs), slice(&self.signature))
                    .is_ok()
            });
            self.verified.remember(key, good);
            good
        })
    }

    pub(crate) fn known_signed_by(&self, key: &PublicKey) -> Option<bool> {
        self.verified.get(key)
    }

    /// Whether the responder named in it is this certificate (§4.2.2.3).
    pub(crate) fn names(&self, certificate: &Certificate) -> bool {
        match &self.responder {
            Responder::Name(name) => name == certificate.subject(),
            Responder::KeyHash(hash) => hash.as_slice() == sha1(key_bits(certificate)),
        }
    }

    pub(crate) fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        self.unknown_critical
    }
}

impl SingleResponse {
    fn read(list: &mut Reader<'_>) -> Result<Self, OcspError> {
        let mut fields = list.sequence("SingleResponse")?;
        let mut id = fields.sequence("CertID")?;
        let mut algorithm = id.sequence("hashAlgorithm")?;
        let hash = match algorithm.expect(OID)?.value {
            SHA1 => CertIdHash::Sha1,
            SHA256 => CertIdHash::Sha256,
            _ => CertIdHash::Other,
        };
        let issuer_name_hash = id.expect(OCTET_STRING)?.value.to_vec();
        let issuer_key_hash = id.expect(OCTET_STRING)?.value.to_vec();
        let serial = check_integer(id.expect(INTEGER)?.value, "the serial number")?.to_vec();
        id.finish()?;

        let tlv = fields.any()?;
        let status = if tlv.tag == context(0) && tlv.value.is_empty() {
            CertStatus::Good
        } else if tlv.tag == context(2) && tlv.value.is_empty() {
            CertStatus::Unknown
        } else if tlv.tag == context_constructed(1) {
            let mut revoked = Reader::new(tlv.value, "RevokedInfo");
            let at = revoked.generalized_time()?;
            let mut reason = RevocationReason::Unspecified;
            if let Some(tlv) = revoked.optional(context_constructed(0))? {
                let mut inside = Reader::new(tlv.value, "the reason code");
                let bad = DerError::Value("the reason code");
                let [number] = inside.expect(ENUMERATED)?.value else {
                    return Err(bad.into());
                };
                reason = RevocationReason::from_number(*number).ok_or(bad)?;
                inside.finish()?;
            }
            revoked.finish()?;
            CertStatus::Revoked { at, reason }
        } else {
            return Err(DerError::Value("certStatus").into());
        };
        let this_update = fields.generalized_time()?;
        let next_update = match fields.optional(context_constructed(0))? {
            None => None,
            Some(tlv) => {
                let mut inside = Reader::new(tlv.value, "nextUpdate");
                let time = inside.generalized_time()?;
                inside.finish()?;
                Some(time)
            }
        };
        let mut unknown_critical = None;
        for_each_extension(&mut fields, 1, |extension| {
            if extension.critical {
                unknown_critical = Some(crate::asn1::oid(extension.id, "an extension's type")?);
            }
            Ok(())
        })?;
        fields.finish()?;
        Ok(Self {
            hash,
            issuer_name_hash,
            issuer_key_hash,
            serial,
            status,
            this_update,
            next_update,
            unknown_critical,
        })
    }

    /// The serial number of the certificate.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// What the responder says.
    #[must_use]
    pub fn status(&self) -> CertStatus {
        self.status
    }

    /// As of when.
    #[must_use]
    pub fn this_update(&self) -> UnixTime {
        self.this_update
    }

    /// Until when at the latest.
    #[must_use]
    pub fn next_update(&self) -> Option<UnixTime> {
        self.next_update
    }

    /// Whether it speaks about this certificate of this issuer (§4.1.1: serial number, issuer's name and key).
    #[must_use]
    pub fn is_about(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        if self.serial != certificate.serial() {
            return false;
        }
        let matches =
            |name: &[u8], key: &[u8]| self.issuer_name_hash == name && self.issuer_key_hash == key;
        match self.hash {
            CertIdHash::Sha1 => matches(&sha1(issuer.subject().der()), &sha1(key_bits(issuer))),
            CertIdHash::Sha256 => {
                matches(&sha256(issuer.subject().der()), &sha256(key_bits(issuer)))
            }
            CertIdHash::Other => false,
        }
    }

    pub(crate) fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        self.unknown_critical
    }
}

fn read_responder(data: &mut Reader<'_>) -> Result<Responder, DerError> {
    let tlv = data.any()?;
    let mut inside = Reader::new(tlv.value, "responderID");
    if tlv.tag == context_constructed(1) {
        let name = Name::from_der(inside.expect(SEQUENCE)?.raw)?;
        inside.finish()?;
        Ok(Responder::Name(name))
    } else if tlv.tag == context_constructed(2) {
        let hash = inside.expect(OCTET_STRING)?.value.to_vec();
        inside.finish()?;
        Ok(Responder::KeyHash(hash))
    } else {
        Err(DerError::Tag {
            what: "responderID",
            found: tlv.tag,
        })
    }
}

fn for_each_extension(
    fields: &mut Reader<'_>,
    tag: u8,
    mut each: impl FnMut(Extension<'_>) -> Result<(), DerError>,
) -> Result<(), DerError> {
    let Some(tlv) = fields.optional(context_constructed(tag))? else {
        return Ok(());
    };
    let mut inside = Reader::new(tlv.value, "extensions");
    let mut list = inside.sequence("extensions")?;
    inside.finish()?;
    while !list.is_empty() {
        each(Extension::read(&mut list)?)?;
    }
    Ok(())
}

/// The octets of the issuer's subjectPublicKey, also when the key itself is refused.
fn key_bits(certificate: &Certificate) -> &[u8] {
    let bits = |spki| -> Result<&[u8], DerError> {
        let mut fields =
            Reader::new(spki, "SubjectPublicKeyInfo").sequence("SubjectPublicKeyInfo")?;
        fields.expect(SEQUENCE)?;
        fields.bit_octets()
    };
    bits(certificate.spki_der()).unwrap_or_default()
}

const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 26];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
/// id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
/// id-pkix-ocsp-nonce, 1.3.6.1.5.5.7.48.1.2.
const NONCE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
/// RFC 9654 §2.1.
const NONCE_LEN: std::ops::RangeInclusive<usize> = 1..=128;
/// A response with some certificates has a few KiB; a bulk response a few more.
const MAX_LEN: usize = 256 * 1024;
/// Single responses in one response.
const MAX_RESPONSES: usize = 256;
/// Certificates that come with one response.
const MAX_CERTIFICATES: usize = 8;
