use const_oid::{ObjectIdentifier, db};
use der::{
    Choice, Decode as _, Encode as _, Enumerated, Sequence,
    asn1::{AnyRef, GeneralizedTime, Null, OctetStringRef},
};
use x509_cert::ext::pkix::CrlReason;

use super::{
    IssueError, RevocationReason, SignatureAlgorithm, ToBeSigned,
    certificate::{date_time, key_bits},
    extension::{self, Encoded, Extension},
    ocsp_request::CertId,
    to_be_signed::{Shape, Signed},
};
use crate::{Certificate, UnixTime};

/// A signed OCSP answer, RFC 6960 §4.2.
#[derive(Clone, Debug)]
pub struct OcspSpec<'a> {
    /// The certificate of the responder: the issuing CA's delegate, or the CA itself.
    pub responder: &'a Certificate,
    /// Certificates to send along, so that the asker can verify a delegate.
    pub certificates: &'a [Certificate],
    /// One answer per certificate asked for, in the order asked.
    pub answers: &'a [OcspAnswer],
    /// When the answer is made.
    pub produced_at: UnixTime,
    /// The asker's nonce, echoed (RFC 9654); a pre-signed answer has none.
    pub nonce: Option<&'a [u8]>,
    /// What the responder signs with.
    pub algorithm: SignatureAlgorithm,
}

/// What is said about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspAnswer {
    /// Which certificate, in the asker's own words.
    pub cert_id: CertId,
    /// Its status.
    pub status: OcspStatus,
    /// Since when the status is known to be right.
    pub this_update: UnixTime,
    /// Until when it may be relied on.
    pub next_update: UnixTime,
}

/// The status of a certificate, RFC 6960 §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspStatus {
    /// Issued and not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// Since when.
        at: UnixTime,
        /// Why.
        reason: RevocationReason,
    },
    /// Not issued by this CA.
    Unknown,
}

/// Answers that say nothing about a certificate and carry no signature, RFC 6960 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspUnsigned {
    /// The request is not a request.
    MalformedRequest,
    /// The responder cannot answer at all at the moment.
    InternalError,
    /// Too many questions; ask again later.
    TryLater,
    /// The responder does not speak for that issuer (RFC 5019 §2.2.3).
    Unauthorized,
}

/// Builds an OCSP answer to be signed.
///
/// # Errors
/// [`IssueError::EmptyAnswer`] without answers, [`IssueError::NextUpdate`] when one would be stale
/// at once.
pub fn ocsp_answer(spec: &OcspSpec<'_>) -> Result<ToBeSigned, IssueError> {
    let encoding = IssueError::encoding("OCSP answer");
    if spec.answers.is_empty() {
        return Err(IssueError::EmptyAnswer);
    }
    let key_hash = responder_key_hash(spec.responder.spki_der())?;
    let nonce = match spec.nonce {
        Some(nonce) => vec![nonce_extension(nonce)?],
        None => Vec::new(),
    };
    let data = ResponseData {
        responder: ResponderId::ByKey(OctetStringRef::new(&key_hash).map_err(&encoding)?),
        produced_at: generalized_time(spec.produced_at)?,
        answers: spec
            .answers
            .iter()
            .map(single)
            .collect::<Result<Vec<_>, _>>()?,
        extensions: if nonce.is_empty() {
            None
        } else {
            Some(extension::encode_all(&nonce)?)
        },
    };
    let bytes = data.to_der().map_err(encoding)?;
    let certificates = spec
        .certificates
        .iter()
        .map(|certificate| certificate.der().to_vec())
        .collect();
    Ok(ToBeSigned::new(
        bytes,
        spec.algorithm,
        Shape::OcspResponse { certificates },
    ))
}

/// The bytes of an unsigned answer: the status and nothing else.
#[must_use]
pub const fn ocsp_unsigned(status: OcspUnsigned) -> [u8; 5] {
    let code = match status {
        OcspUnsigned::MalformedRequest => 1,
        OcspUnsigned::InternalError => 2,
        OcspUnsigned::TryLater => 3,
        OcspUnsigned::Unauthorized => 6,
    };
    [0x30, 0x03, 0x0a, 0x01, code]
}

/// How a responder names itself: the SHA-1 of its key bits, as RFC 6960 §4.2.1 fixes it. It is a
/// label, not a proof: the asker verifies the signature.
///
/// # Errors
/// [`IssueError::Encoding`] when the bytes are not a SubjectPublicKeyInfo.
pub fn responder_key_hash(spki_der: &[u8]) -> Result<[u8; 20], IssueError> {
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        &key_bits(spki_der)?,
    );
    let mut id = [0; 20];
    id.copy_from_slice(hash.as_ref());
    Ok(id)
}

/// Puts a signed answer and its certificates into an `OCSPResponse` with status successful.
pub(super) fn wrap(signed: &Signed<'_>, certificates: &[Vec<u8>]) -> Result<Vec<u8>, IssueError> {
    let encoding = IssueError::encoding("OCSP answer");
    let certificates = certificates
        .iter()
        .map(|der| AnyRef::from_der(der).map_err(&encoding))
        .collect::<Result<Vec<_>, _>>()?;
    let basic = BasicOcspResponse {
        data: signed.to_be_signed,
        algorithm: signed.algorithm,
        signature: signed.signature,
        certificates: if certificates.is_empty() {
            None
        } else {
            Some(certificates)
        },
    };
    let basic = basic.to_der().map_err(&encoding)?;
    let response = OcspResponse {
        status: ResponseStatus::Successful,
        bytes: ResponseBytes {
            kind: db::rfc6960::ID_PKIX_OCSP_BASIC,
            response: OctetStringRef::new(&basic).map_err(&encoding)?,
        },
    };
    response.to_der().map_err(encoding)
}

fn single(answer: &OcspAnswer) -> Result<SingleResponse<'_>, IssueError> {
    if answer.next_update <= answer.this_update {
        return Err(IssueError::NextUpdate {
            this_update: answer.this_update,
            next_update: answer.next_update,
        });
    }
    Ok(SingleResponse {
        cert_id: AnyRef::from_der(answer.cert_id.der())
            .map_err(IssueError::encoding("OCSP CertID"))?,
        status: match answer.status {
            OcspStatus::Good => CertStatus::Good(Null),
            OcspStatus::Unknown => CertStatus::Unknown(Null),
            OcspStatus::Revoked { at, reason } => CertStatus::Revoked(RevokedInfo {
                at: generalized_time(at)?,
                reason: reason.asn1(),
            }),
        },
        this_update: generalized_time(answer.this_update)?,
        next_update: generalized_time(answer.next_update)?,
    })
}

/// RFC 9654 §2.1: the value is an OCTET STRING inside the extension's own OCTET STRING.
fn nonce_extension(nonce: &[u8]) -> Result<Extension, IssueError> {
    let value = OctetStringRef::new(nonce).map_err(IssueError::encoding("OCSP nonce"))?;
    extension::extension(db::rfc6960::ID_PKIX_OCSP_NONCE, false, "OCSP nonce", &value)
}

fn generalized_time(at: UnixTime) -> Result<GeneralizedTime, IssueError> {
    Ok(GeneralizedTime::from_date_time(date_time(at)?))
}

#[derive(Sequence)]
struct OcspResponse<'a> {
    status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    bytes: ResponseBytes<'a>,
}

#[derive(Clone, Copy, Enumerated)]
#[repr(u8)]
enum ResponseStatus {
    Successful = 0,
}

#[derive(Sequence)]
struct ResponseBytes<'a> {
    kind: ObjectIdentifier,
    response: &'a OctetStringRef,
}

#[derive(Sequence)]
struct BasicOcspResponse<'a> {
    data: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: der::asn1::BitStringRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<Vec<AnyRef<'a>>>,
}

/// `version` is v1, which DER leaves out.
#[derive(Sequence)]
struct ResponseData<'a> {
    responder: ResponderId<'a>,
    produced_at: GeneralizedTime,
    answers: Vec<SingleResponse<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Encoded<'a>>>,
}

#[derive(Choice)]
enum ResponderId<'a> {
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    ByKey(&'a OctetStringRef),
}

#[derive(Sequence)]
struct SingleResponse<'a> {
    cert_id: AnyRef<'a>,
    status: CertStatus,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    next_update: GeneralizedTime,
}

#[derive(Choice)]
enum CertStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

#[derive(Sequence)]
struct RevokedInfo {
    at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    reason: Option<CrlReason>,
}
