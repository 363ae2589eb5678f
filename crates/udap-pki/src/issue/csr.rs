use const_oid::{ObjectIdentifier, db};
use der::{
    Decode as _, Encode as _, Sequence, Tag, Tagged as _,
    asn1::{Any, AnyRef, SetOfVec},
};
use x509_cert::{
    attr::Attribute,
    ext::pkix::name::{GeneralName, GeneralNames},
    request::{CertReq, ExtensionReq},
};

use super::{IssueError, SignatureAlgorithm, Subject, ToBeSigned, extension, to_be_signed::Shape};
use crate::{KeyError, PublicKey, Scheme, SignatureError};

/// A certification request (PKCS#10, RFC 2986) whose sender has shown to hold the private key.
///
/// The names are wishes: a CA decides what it certifies.
#[derive(Clone, Debug)]
pub struct CertificationRequest {
    spki_der: Vec<u8>,
    public_key: PublicKey,
    common_name: Option<String>,
    organization: Option<String>,
    uri_names: Vec<String>,
    dns_names: Vec<String>,
}

impl CertificationRequest {
    /// Reads a request, PEM or DER, and verifies its signature with the key in it, which is the
    /// proof of possession (RFC 2986 §3).
    ///
    /// # Errors
    /// [`CsrError`]; never a request whose signature does not verify.
    pub fn parse(bytes: &[u8]) -> Result<Self, CsrError> {
        if bytes.len() > MAX_SIZE {
            return Err(CsrError::TooLarge {
                found: bytes.len(),
                max: MAX_SIZE,
            });
        }
        let der = unwrap_pem(bytes)?;
        let malformed = |error: der::Error| CsrError::Malformed {
            detail: error.to_string(),
        };
        let request = CertReq::from_der(&der).map_err(malformed)?;

        // The signature covers the bytes as they were sent, not a re-encoding of them.
        let parts = RawParts::from_der(&der).map_err(malformed)?;
        let signed = parts.info.to_der().map_err(malformed)?;
        let spki_der = request.info.public_key.to_der().map_err(malformed)?;
        let public_key =
            PublicKey::from_spki_der(&spki_der).map_err(|error| CsrError::Key { error })?;
        let scheme = scheme(request.algorithm.oid).ok_or_else(|| CsrError::Algorithm {
            oid: request.algorithm.oid.to_string(),
        })?;
        let signature = request
            .signature
            .as_bytes()
            .ok_or_else(|| CsrError::Malformed {
                detail: "the signature has unused bits".to_owned(),
            })?;
        public_key
            .verify(scheme, &signed, signature)
            .map_err(|error| CsrError::Possession { error })?;

        let names = requested_names(&request)?;
        Ok(Self {
            spki_der,
            public_key,
            common_name: attribute(&request, db::rfc4519::COMMON_NAME),
            organization: attribute(&request, db::rfc4519::ORGANIZATION_NAME),
            uri_names: names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
                    _ => None,
                })
                .collect(),
            dns_names: names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DnsName(name) => Some(name.to_string()),
                    _ => None,
                })
                .collect(),
        })
    }

    /// DER of the SubjectPublicKeyInfo whose private key signed the request.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The same key, parsed.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The common name asked for.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The organization asked for.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// URI subject alternative names asked for (extensionRequest, RFC 2985 §5.4.2).
    #[must_use]
    pub fn uri_names(&self) -> &[String] {
        &self.uri_names
    }

    /// DNS subject alternative names asked for.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }
}

/// Why a certification request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// Far beyond what any key and a few names need.
    #[error("the certification request has {found} bytes; {max} is the most")]
    TooLarge {
        /// Bytes given.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Not a PKCS#10 request (RFC 2986 §4).
    #[error("not a PKCS#10 certification request: {detail}")]
    Malformed {
        /// The parser's own words.
        detail: String,
    },
    /// A key that this project does not use.
    #[error("the key of the certification request is refused: {error}")]
    Key {
        /// Why.
        error: KeyError,
    },
    /// A signature algorithm that is refused, SHA-1 for instance.
    #[error("the certification request is signed with {oid}, which is not accepted")]
    Algorithm {
        /// The algorithm's identifier.
        oid: String,
    },
    /// The sender does not hold the private key of the key in the request.
    #[error("the certification request is not signed by its own key: {error}")]
    Possession {
        /// What the verification said.
        error: SignatureError,
    },
}

impl CsrError {
    /// The stable code of this refusal, see [`super::CATALOGUE`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "csr-too-large",
            Self::Malformed { .. } => "csr-malformed",
            Self::Key { .. } => "csr-key",
            Self::Algorithm { .. } => "csr-algorithm",
            Self::Possession { .. } => "csr-possession",
        }
    }
}

/// What an applicant puts into a certification request.
#[derive(Clone, Debug)]
pub struct CsrSpec<'a> {
    /// The subject asked for.
    pub subject: &'a Subject,
    /// The applicant's public key, DER of SubjectPublicKeyInfo.
    pub spki_der: &'a [u8],
    /// URI subject alternative names asked for.
    pub uris: &'a [String],
    /// What the applicant signs with.
    pub algorithm: SignatureAlgorithm,
}

/// Builds a certification request to be signed (RFC 2986 §4.1).
///
/// # Errors
/// [`IssueError`] when a name cannot be expressed.
pub fn certification_request(spec: &CsrSpec<'_>) -> Result<ToBeSigned, IssueError> {
    let encoding = IssueError::encoding("certification request");
    let names = spec
        .uris
        .iter()
        .map(|uri| extension::uri("URI", uri))
        .collect::<Result<Vec<_>, _>>()?;
    let mut attributes = SetOfVec::new();
    if !names.is_empty() {
        let names = extension::subject_alt_name(&names)?;
        let request = Attribute {
            oid: db::rfc5912::ID_EXTENSION_REQ,
            values: SetOfVec::try_from([
                Any::encode_from(&extension::encode_all(&[names])?).map_err(&encoding)?
            ])
            .map_err(&encoding)?,
        };
        attributes.insert(request).map_err(&encoding)?;
    }
    let subject = spec.subject.to_der()?;
    let info = Info {
        version: 0,
        subject: AnyRef::from_der(&subject).map_err(&encoding)?,
        spki: AnyRef::from_der(spec.spki_der).map_err(&encoding)?,
        attributes,
    };
    let bytes = info.to_der().map_err(encoding)?;
    Ok(ToBeSigned::new(bytes, spec.algorithm, Shape::Signed))
}

fn unwrap_pem(bytes: &[u8]) -> Result<Vec<u8>, CsrError> {
    if bytes.first() == Some(&0x30) {
        return Ok(bytes.to_vec());
    }
    let malformed = |detail: String| CsrError::Malformed { detail };
    let (label, der) =
        der::pem::decode_vec(bytes).map_err(|error| malformed(format!("PEM: {error}")))?;
    match label {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Ok(der),
        other => {
            let other: String = other.chars().take(MAX_LABEL).collect();
            Err(malformed(format!(
                "the PEM label is {other:?}, not \"CERTIFICATE REQUEST\""
            )))
        }
    }
}

fn attribute(request: &CertReq, oid: ObjectIdentifier) -> Option<String> {
    let found = request
        .info
        .subject
        .iter()
        .find(|attribute| attribute.oid == oid)?;
    match found.value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            core::str::from_utf8(found.value.value())
                .ok()
                .map(str::to_owned)
        }
        _ => None,
    }
}

fn requested_names(request: &CertReq) -> Result<GeneralNames, CsrError> {
    let malformed = |error: der::Error| CsrError::Malformed {
        detail: error.to_string(),
    };
    let mut names = GeneralNames::new();
    let wanted = request
        .info
        .attributes
        .iter()
        .filter(|attribute| attribute.oid == db::rfc5912::ID_EXTENSION_REQ);
    for value in wanted.flat_map(|attribute| attribute.values.iter()) {
        let extensions: ExtensionReq = value
            .to_der()
            .and_then(|der| ExtensionReq::from_der(&der))
            .map_err(malformed)?;
        for extension in extensions
            .0
            .iter()
            .filter(|e| e.extn_id == db::rfc5280::ID_CE_SUBJECT_ALT_NAME)
        {
            names.extend(
                GeneralNames::from_der(extension.extn_value.as_bytes()).map_err(malformed)?,
            );
        }
    }
    Ok(names)
}

fn scheme(oid: ObjectIdentifier) -> Option<Scheme> {
    Some(match oid {
        db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION => Scheme::RsaPkcs1Sha256,
        db::rfc5912::SHA_384_WITH_RSA_ENCRYPTION => Scheme::RsaPkcs1Sha384,
        db::rfc5912::SHA_512_WITH_RSA_ENCRYPTION => Scheme::RsaPkcs1Sha512,
        db::rfc5912::ECDSA_WITH_SHA_256 => Scheme::EcdsaSha256Der,
        db::rfc5912::ECDSA_WITH_SHA_384 => Scheme::EcdsaSha384Der,
        db::rfc5912::ECDSA_WITH_SHA_512 => Scheme::EcdsaSha512Der,
        db::rfc8410::ID_ED_25519 => Scheme::Ed25519,
        _ => return None,
    })
}

#[derive(Sequence)]
struct RawParts<'a> {
    info: AnyRef<'a>,
    _algorithm: AnyRef<'a>,
    _signature: AnyRef<'a>,
}

#[derive(Sequence)]
struct Info<'a> {
    version: u8,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    attributes: SetOfVec<Attribute>,
}

/// An 8192-bit RSA key with a hundred names fits into a quarter of this.
const MAX_SIZE: usize = 64 * 1024;

/// How much of a PEM label is repeated in a refusal: the longest in use has half of this.
const MAX_LABEL: usize = 64;
