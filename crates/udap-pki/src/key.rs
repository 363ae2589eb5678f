//! Public keys and the algorithms that are accepted, named one by one.
//!
//! Primitives come from aws-lc-rs. What is not in [`Scheme`] is refused, and the weak algorithms that
//! people still meet (SHA-1, MD5, DSA, foreign RSASSA-PSS parameters) are refused with codes of their own.

mod beginning;

pub use beginning::Beginning;

use crate::asn1::{self, DerError, INTEGER, NULL, OID, Reader, context_constructed};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as lc, ParsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A public key, parsed once. Cloning is cheap; two are equal when their SubjectPublicKeyInfo is.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    spki: Box<[u8]>,
    /// Where the subjectPublicKey's octets begin in `spki`; they end with it.
    bits_at: usize,
    kind: KeyKind,
    /// id-RSASSA-PSS: the key is for PSS only, and perhaps for one hash only (RFC 4055 §1.2).
    pss: PssOnly,
    /// By position of the scheme among those that fit the kind.
    parsed: [OnceLock<Option<ParsedPublicKey>>; 6],
    sha256: OnceLock<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PssOnly {
    No,
    AnyHash,
    One(Scheme),
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 3279, RFC 4055, RFC 5480, RFC 8410, RFC 9881).
    ///
    /// # Errors
    /// When the key is malformed, of an algorithm or curve that is refused, or of a size that is refused.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der, "SubjectPublicKeyInfo");
        let mut spki = outer.sequence("SubjectPublicKeyInfo")?;
        outer.finish()?;
        let mut algorithm = spki.sequence("the key's algorithm")?;
        let oid = algorithm.expect(OID)?.value;
        let bits = spki.bit_octets()?;
        spki.finish()?;

        let mut pss = PssOnly::No;
        let kind = match oid {
            oids::RSA_ENCRYPTION => {
                algorithm.expect(NULL)?;
                KeyKind::Rsa {
                    bits: rsa_bits(bits)?,
                }
            }
            oids::RSASSA_PSS => {
                pss = if algorithm.is_empty() {
                    PssOnly::AnyHash
                } else {
                    let parameters = algorithm.any()?;
                    PssOnly::One(pss_scheme(parameters.raw).map_err(|_| KeyError::PssParameters)?)
                };
                KeyKind::Rsa {
                    bits: rsa_bits(bits)?,
                }
            }
            oids::EC_PUBLIC_KEY => {
                let curve = algorithm.any()?;
                let (kind, len) = match (curve.tag, curve.value) {
                    (OID, oids::P256) => (KeyKind::P256, 32),
                    (OID, oids::P384) => (KeyKind::P384, 48),
                    (OID, oids::P521) => (KeyKind::P521, 66),
                    (OID, other) => return Err(KeyError::CurveRefused(dotted(other))),
                    _ => return Err(KeyError::CurveRefused("explicit parameters".to_owned())),
                };
                let well_formed = match bits.first() {
                    Some(4) => bits.len() == 2 * len + 1,
                    Some(2 | 3) => bits.len() == len + 1,
                    _ => false,
                };
                if !well_formed {
                    return Err(KeyError::Malformed(DerError::Value(
                        "the elliptic curve point",
                    )));
                }
                kind
            }
            oids::ED25519 => sized(KeyKind::Ed25519, bits, 32)?,
            oids::ML_DSA_44 => sized(KeyKind::MlDsa44, bits, 1312)?,
            oids::ML_DSA_65 => sized(KeyKind::MlDsa65, bits, 1952)?,
            oids::ML_DSA_87 => sized(KeyKind::MlDsa87, bits, 2592)?,
            oids::DSA => return Err(KeyError::Dsa),
            other => return Err(KeyError::Unsupported(dotted(other))),
        };
        algorithm.finish()?;

        let key = Self(Arc::new(Inner {
            spki: der.into(),
            bits_at: der.len().saturating_sub(bits.len()),
            kind,
            pss,
            parsed: Default::default(),
            sha256: OnceLock::new(),
        }));
        Ok(key)
    }

    /// The SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.0.kind
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the name under which things remember this key.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        self.0.sha256.get_or_init(|| sha256(&self.0.spki))
    }

    /// SHA-1 of the key's bits: the usual key identifier (RFC 5280 §4.2.1.2 method 1) and OCSP's
    /// issuerKeyHash. An identifier, never a proof.
    #[must_use]
    pub fn key_id_sha1(&self) -> [u8; 20] {
        sha1(self.bits())
    }

    /// The octets of subjectPublicKey, without the algorithm.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        self.0.spki.get(self.0.bits_at..).unwrap_or_default()
    }

    /// Verifies a signature.
    ///
    /// # Errors
    /// When the scheme does not fit the key, or the signature is not one of this key over this message.
    pub fn verify(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.parsed(scheme)?
            .verify_sig(message, signature)
            .map_err(|_| SignatureError::Invalid)
    }

    /// The key as that scheme needs it.
    fn parsed(&self, scheme: Scheme) -> Result<&ParsedPublicKey, SignatureError> {
        let misfit = || SignatureError::SchemeDoesNotFit {
            scheme,
            kind: self.kind(),
        };
        let (slot, algorithm) = primitive(scheme, self.kind()).ok_or_else(misfit)?;
        match self.0.pss {
            PssOnly::One(only) if only != scheme => return Err(misfit()),
            PssOnly::AnyHash if !scheme.is_pss() => return Err(misfit()),
            _ => {}
        }
        self.0
            .parsed
            .get(slot)
            .ok_or_else(misfit)?
            .get_or_init(|| ParsedPublicKey::new(algorithm, self.bits()).ok())
            .as_ref()
            .ok_or(SignatureError::KeyMalformed)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.spki == other.0.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("kind", &self.0.kind)
            .finish_non_exhaustive()
    }
}

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA, 2048 to 8192 bits.
    Rsa {
        /// Bits of the modulus.
        bits: u32,
    },
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::MlDsa44 => f.write_str("ML-DSA-44"),
            Self::MlDsa65 => f.write_str("ML-DSA-65"),
            Self::MlDsa87 => f.write_str("ML-DSA-87"),
        }
    }
}

/// A signature scheme. There is no other that this crate verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS with SHA-256, MGF1-SHA-256, salt of 32 octets.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, MGF1-SHA-384, salt of 48 octets.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512, MGF1-SHA-512, salt of 64 octets.
    RsaPssSha512,
    /// ECDSA with SHA-256, DER signature, curve of the key.
    EcdsaSha256Der,
    /// ECDSA with SHA-384, DER signature, curve of the key.
    EcdsaSha384Der,
    /// ECDSA with SHA-512, DER signature, curve of the key.
    EcdsaSha512Der,
    /// JOSE ES256: P-256, r and s of 32 octets each.
    EcdsaP256Sha256Fixed,
    /// JOSE ES384: P-384, r and s of 48 octets each.
    EcdsaP384Sha384Fixed,
    /// JOSE ES512: P-521, r and s of 66 octets each.
    EcdsaP521Sha512Fixed,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44, empty context.
    MlDsa44,
    /// ML-DSA-65, empty context.
    MlDsa65,
    /// ML-DSA-87, empty context.
    MlDsa87,
}

impl Scheme {
    /// The scheme that a DER AlgorithmIdentifier names (RFC 4055, RFC 5758, RFC 8410, RFC 9881).
    ///
    /// # Errors
    /// When the algorithm or its parameters are refused.
    pub fn from_algorithm_identifier(der: &[u8]) -> Result<Self, AlgorithmError> {
        let mut outer = Reader::new(der, "AlgorithmIdentifier");
        let mut algorithm = outer.sequence("AlgorithmIdentifier")?;
        outer.finish()?;
        let oid = algorithm.expect(OID)?.value;
        let scheme = match oid {
            oids::RSASSA_PSS => {
                let parameters = algorithm
                    .any()
                    .map_err(|_| AlgorithmError::PssParameters("none are given"))?;
                algorithm.finish()?;
                return pss_scheme(parameters.raw).map_err(AlgorithmError::PssParameters);
            }
            oids::SHA256_RSA => Self::RsaPkcs1Sha256,
            oids::SHA384_RSA => Self::RsaPkcs1Sha384,
            oids::SHA512_RSA => Self::RsaPkcs1Sha512,
            oids::ECDSA_SHA256 => Self::EcdsaSha256Der,
            oids::ECDSA_SHA384 => Self::EcdsaSha384Der,
            oids::ECDSA_SHA512 => Self::EcdsaSha512Der,
            oids::ED25519 => Self::Ed25519,
            oids::ML_DSA_44 => Self::MlDsa44,
            oids::ML_DSA_65 => Self::MlDsa65,
            oids::ML_DSA_87 => Self::MlDsa87,
            oids::SHA1_RSA | oids::SHA1_RSA_OIW | oids::ECDSA_SHA1 => {
                return Err(AlgorithmError::Sha1);
            }
            oids::MD5_RSA | oids::MD4_RSA | oids::MD2_RSA => return Err(AlgorithmError::Md5),
            oids::DSA_SHA1
            | oids::DSA_SHA224
            | oids::DSA_SHA256
            | oids::DSA_SHA384
            | oids::DSA_SHA512 => {
                return Err(AlgorithmError::Dsa);
            }
            other => return Err(AlgorithmError::Unsupported(dotted(other))),
        };
        // RFC 4055 §5: NULL is to be written for RSA, and its absence is to be read. Others have none.
        if scheme.is_rsa() {
            algorithm.optional(NULL)?;
        }
        algorithm.finish()?;
        Ok(scheme)
    }

    const fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512
        )
    }

    const fn is_pss(self) -> bool {
        matches!(
            self,
            Self::RsaPssSha256 | Self::RsaPssSha384 | Self::RsaPssSha512
        )
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RsaPkcs1Sha256 => "RSA PKCS#1 with SHA-256",
            Self::RsaPkcs1Sha384 => "RSA PKCS#1 with SHA-384",
            Self::RsaPkcs1Sha512 => "RSA PKCS#1 with SHA-512",
            Self::RsaPssSha256 => "RSA PSS with SHA-256",
            Self::RsaPssSha384 => "RSA PSS with SHA-384",
            Self::RsaPssSha512 => "RSA PSS with SHA-512",
            Self::EcdsaSha256Der => "ECDSA with SHA-256",
            Self::EcdsaSha384Der => "ECDSA with SHA-384",
            Self::EcdsaSha512Der => "ECDSA with SHA-512",
            Self::EcdsaP256Sha256Fixed => "ES256",
            Self::EcdsaP384Sha384Fixed => "ES384",
            Self::EcdsaP521Sha512Fixed => "ES512",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        })
    }
}

/// Why a key is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The SubjectPublicKeyInfo cannot be read.
    #[error("it cannot be read: {0}")]
    Malformed(#[from] DerError),
    /// DSA.
    #[error("DSA keys are not accepted")]
    Dsa,
    /// An RSA modulus that is too short or too long.
    #[error("it is RSA of {bits} bits, and 2048 to 8192 are accepted")]
    RsaSize {
        /// Bits of the modulus.
        bits: u32,
    },
    /// An elliptic curve other than P-256, P-384 and P-521, or one spelled out.
    #[error("the curve {0} is not accepted")]
    CurveRefused(String),
    /// An id-RSASSA-PSS key with parameters other than those accepted in signatures.
    #[error("it is restricted to RSASSA-PSS parameters that are not accepted")]
    PssParameters,
    /// Another algorithm.
    #[error("the key algorithm {0} is not accepted")]
    Unsupported(String),
}

impl KeyError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "key-malformed",
            Self::Dsa => "dsa-refused",
            Self::RsaSize { .. } => "rsa-key-size",
            Self::CurveRefused(_) => "curve-refused",
            Self::PssParameters => "pss-parameters-refused",
            Self::Unsupported(_) => "key-algorithm-refused",
        }
    }
}

/// Why a signature algorithm is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// The AlgorithmIdentifier cannot be read, or has parameters where none belong.
    #[error("its identifier cannot be read: {0}")]
    Malformed(#[from] DerError),
    /// A signature over a SHA-1 hash.
    #[error("SHA-1 is not accepted in signatures")]
    Sha1,
    /// A signature over an MD5 (or older) hash.
    #[error("MD5 is not accepted in signatures")]
    Md5,
    /// DSA.
    #[error("DSA signatures are not accepted")]
    Dsa,
    /// RSASSA-PSS other than: one hash for message and MGF1, a salt as long as the hash.
    #[error("RSASSA-PSS with these parameters is not accepted: {0}")]
    PssParameters(&'static str),
    /// Another algorithm.
    #[error("the signature algorithm {0} is not accepted")]
    Unsupported(String),
}

impl AlgorithmError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Unsupported(_) => "algorithm-refused",
            Self::Sha1 => "sha1-refused",
            Self::Md5 => "md5-refused",
            Self::Dsa => "dsa-refused",
            Self::PssParameters(_) => "pss-parameters-refused",
        }
    }
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is not one of this key over this message.
    #[error("the signature is not good")]
    Invalid,
    /// The scheme needs another kind of key.
    #[error("{scheme} does not fit a key of kind {kind}")]
    SchemeDoesNotFit {
        /// The scheme that was asked for.
        scheme: Scheme,
        /// The kind of the key.
        kind: KeyKind,
    },
    /// The key's bits are not a key: a point off its curve, an even modulus.
    #[error("the key itself is not good")]
    KeyMalformed,
}

impl SignatureError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "signature-invalid",
            Self::SchemeDoesNotFit { .. } => "algorithm-key-mismatch",
            Self::KeyMalformed => "key-malformed",
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// For identifiers only: OCSP CertIDs and key identifiers.
pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut out = [0; 20];
    out.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    out
}

/// The primitive for a scheme on a kind of key, and a slot for the parsed key.
fn primitive(scheme: Scheme, kind: KeyKind) -> Option<(usize, &'static dyn VerificationAlgorithm)> {
    Some(match (kind, scheme) {
        (KeyKind::Rsa { .. }, Scheme::RsaPkcs1Sha256) => (0, &lc::RSA_PKCS1_2048_8192_SHA256),
        (KeyKind::Rsa { .. }, Scheme::RsaPkcs1Sha384) => (1, &lc::RSA_PKCS1_2048_8192_SHA384),
        (KeyKind::Rsa { .. }, Scheme::RsaPkcs1Sha512) => (2, &lc::RSA_PKCS1_2048_8192_SHA512),
        (KeyKind::Rsa { .. }, Scheme::RsaPssSha256) => (3, &lc::RSA_PSS_2048_8192_SHA256),
        (KeyKind::Rsa { .. }, Scheme::RsaPssSha384) => (4, &lc::RSA_PSS_2048_8192_SHA384),
        (KeyKind::Rsa { .. }, Scheme::RsaPssSha512) => (5, &lc::RSA_PSS_2048_8192_SHA512),
        (KeyKind::P256, Scheme::EcdsaSha256Der) => (0, &lc::ECDSA_P256_SHA256_ASN1),
        (KeyKind::P256, Scheme::EcdsaSha384Der) => (1, &lc::ECDSA_P256_SHA384_ASN1),
        (KeyKind::P256, Scheme::EcdsaSha512Der) => (2, &lc::ECDSA_P256_SHA512_ASN1),
        (KeyKind::P256, Scheme::EcdsaP256Sha256Fixed) => (3, &lc::ECDSA_P256_SHA256_FIXED),
        (KeyKind::P384, Scheme::EcdsaSha256Der) => (0, &lc::ECDSA_P384_SHA256_ASN1),
        (KeyKind::P384, Scheme::EcdsaSha384Der) => (1, &lc::ECDSA_P384_SHA384_ASN1),
        (KeyKind::P384, Scheme::EcdsaSha512Der) => (2, &lc::ECDSA_P384_SHA512_ASN1),
        (KeyKind::P384, Scheme::EcdsaP384Sha384Fixed) => (3, &lc::ECDSA_P384_SHA384_FIXED),
        (KeyKind::P521, Scheme::EcdsaSha256Der) => (0, &lc::ECDSA_P521_SHA256_ASN1),
        (KeyKind::P521, Scheme::EcdsaSha384Der) => (1, &lc::ECDSA_P521_SHA384_ASN1),
        (KeyKind::P521, Scheme::EcdsaSha512Der) => (2, &lc::ECDSA_P521_SHA512_ASN1),
        (KeyKind::P521, Scheme::EcdsaP521Sha512Fixed) => (3, &lc::ECDSA_P521_SHA512_FIXED),
        (KeyKind::Ed25519, Scheme::Ed25519) => (0, &lc::ED25519),
        (KeyKind::MlDsa44, Scheme::MlDsa44) => (0, &lc::ML_DSA_44),
        (KeyKind::MlDsa65, Scheme::MlDsa65) => (0, &lc::ML_DSA_65),
        (KeyKind::MlDsa87, Scheme::MlDsa87) => (0, &lc::ML_DSA_87),
        _ => return None,
    })
}

fn sized(kind: KeyKind, bits: &[u8], len: usize) -> Result<KeyKind, KeyError> {
    if bits.len() == len {
        Ok(kind)
    } else {
        Err(KeyError::Malformed(DerError::Value("the key's length")))
    }
}

/// Bits of an RSAPublicKey's modulus (RFC 8017 appendix A.1.1), if they are acceptable.
fn rsa_bits(key: &[u8]) -> Result<u32, KeyError> {
    let mut outer = Reader::new(key, "RSAPublicKey");
    let mut numbers = outer.sequence("RSAPublicKey")?;
    outer.finish()?;
    let modulus = asn1::check_integer(numbers.expect(INTEGER)?.value, "the modulus")?;
    numbers.integer()?;
    numbers.finish()?;
    let magnitude = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let top = magnitude.first().copied().unwrap_or(0);
    let bits = u32::try_from(magnitude.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8)
        .saturating_sub(top.leading_zeros());
    if (RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
        Ok(bits)
    } else {
        Err(KeyError::RsaSize { bits })
    }
}

/// `RSASSA-PSS-params` (RFC 4055 §3.1). Three values are accepted, and each default would be SHA-1.
fn pss_scheme(der: &[u8]) -> Result<Scheme, &'static str> {
    const UNREADABLE: &str = "they cannot be read";
    let read = |_| UNREADABLE;
    let mut outer = Reader::new(der, "RSASSA-PSS-params");
    let mut parameters = outer.sequence("RSASSA-PSS-params").map_err(read)?;
    let hash = parameters
        .optional(context_constructed(0))
        .map_err(read)?
        .ok_or("the hash is SHA-1")?;
    let mask = parameters
        .optional(context_constructed(1))
        .map_err(read)?
        .ok_or("MGF1's hash is SHA-1")?;
    let salt = parameters
        .optional(context_constructed(2))
        .map_err(read)?
        .ok_or("the salt has 20 octets")?;
    if let Some(trailer) = parameters.optional(context_constructed(3)).map_err(read)?
        && Reader::new(trailer.value, "trailerField").unsigned() != Ok(1)
    {
        return Err("the trailer is not 0xBC");
    }
    parameters.finish().map_err(read)?;
    outer.finish().map_err(read)?;

    let hash = hash_oid(hash.value).map_err(read)?;
    let mut mask = Reader::new(mask.value, "maskGenAlgorithm");
    let mut mask = mask.sequence("maskGenAlgorithm").map_err(read)?;
    if mask.expect(OID).map_err(read)?.value != oids::MGF1 {
        return Err("the mask generation function is not MGF1");
    }
    let mask_hash = hash_oid(mask.any().map_err(read)?.raw).map_err(read)?;
    if hash != mask_hash {
        return Err("MGF1 uses another hash than the message");
    }
    let (scheme, len) = match hash {
        oids::SHA256 => (Scheme::RsaPssSha256, 32),
        oids::SHA384 => (Scheme::RsaPssSha384, 48),
        oids::SHA512 => (Scheme::RsaPssSha512, 64),
        _ => return Err("the hash is not SHA-256, SHA-384 or SHA-512"),
    };
    if Reader::new(salt.value, "saltLength").unsigned() != Ok(len) {
        return Err("the salt is not as long as the hash");
    }
    Ok(scheme)
}

/// The OID of a hash's AlgorithmIdentifier; parameters are NULL or absent (RFC 4055 §2.1).
fn hash_oid(der: &[u8]) -> Result<&[u8], DerError> {
    let mut outer = Reader::new(der, "hashAlgorithm");
    let mut algorithm = outer.sequence("hashAlgorithm")?;
    outer.finish()?;
    let oid = algorithm.expect(OID)?.value;
    algorithm.optional(NULL)?;
    algorithm.finish()?;
    Ok(oid)
}

/// An OID for people; the octets in hex when they are not one.
pub(crate) fn dotted(oid: &[u8]) -> String {
    ObjectIdentifier::from_bytes(oid).map_or_else(|_| format!("{oid:02x?}"), |oid| oid.to_string())
}

/// Below, a modulus can be factored by those who want to (NIST SP 800-131A).
const RSA_MIN_BITS: u32 = 2048;
/// Above, one verification costs more than a hostile certificate should be able to ask for.
const RSA_MAX_BITS: u32 = 8192;

/// Content octets of object identifiers.
mod oids {
    pub(super) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(super) const MD2_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2];
    pub(super) const MD4_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 3];
    pub(super) const MD5_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
    pub(super) const SHA1_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    pub(super) const SHA1_RSA_OIW: &[u8] = &[0x2b, 0x0e, 3, 2, 29];
    pub(super) const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    pub(super) const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    pub(super) const SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    pub(super) const SHA384_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    pub(super) const SHA512_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(super) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 34];
    pub(super) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0, 35];
    pub(super) const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    pub(super) const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pub(super) const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    pub(super) const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub(super) const ML_DSA_44: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17];
    pub(super) const ML_DSA_65: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18];
    pub(super) const ML_DSA_87: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19];
    pub(super) const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    pub(super) const DSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3];
    pub(super) const DSA_SHA224: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 1];
    pub(super) const DSA_SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2];
    pub(super) const DSA_SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 3];
    pub(super) const DSA_SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 4];
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    pub(super) const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    pub(super) const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
}
