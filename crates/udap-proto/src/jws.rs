//! JSON Web Signatures in compact form (RFC 7515), as strict as UDAP allows.
//!
//! Base64url without padding, spaces or stray bits; JSON without duplicate members; an algorithm
//! from [`JwsAlg`] that fits the key and its curve, so that `none` and HMAC cannot be written down
//! here at all; a `crit` header is refused, since no extension is understood. In a UDAP JWT the key
//! of `x5c[0]` verifies and nothing else does: `jwk`, `jku`, `x5u` and `kid` are not even read.

use crate::error::Refusal;
use crate::json::{self, JsonError};
use crate::jwk::Jwk;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};
use udap_pki::{Beginning, Certificate, KeyKind, PublicKey, Scheme};

/// The longest JWS that is looked at, in bytes. A statement with a chain of four RSA-4096
/// certificates and a logo takes some 12 KiB; an inline FHIR Bundle in an extension a little more.
pub const MAX_BYTES: usize = 64 * 1024;
/// The longest `x5c` that is looked at. A chain is seldom longer than four; ten leaves room for
/// cross certificates, and bounds the parsing that an unsigned message can cause.
pub const MAX_X5C: usize = 10;

/// A signature algorithm of RFC 7518 §3.1 or RFC 8037, all asymmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "each name is the registered name of the algorithm"
)]
pub enum JwsAlg {
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
    PS256,
    EdDSA,
}

impl JwsAlg {
    /// Every algorithm, strongest recommendation of HL7 SSRAA §1.2.4 first.
    pub const ALL: [Self; 8] = [
        Self::RS256,
        Self::ES256,
        Self::RS384,
        Self::ES384,
        Self::RS512,
        Self::ES512,
        Self::PS256,
        Self::EdDSA,
    ];
    /// What HL7 SSRAA §1.2.4 names: RS256 shall, ES256 should, RS384 and ES384 may.
    pub const SSRAA: [Self; 4] = [Self::RS256, Self::ES256, Self::RS384, Self::ES384];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::PS256 => "PS256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that registered name (`Ed25519` is RFC 9864's name for what RFC 8037 calls
    /// `EdDSA` with that curve). Names are case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|alg| alg.as_str() == name)
    }

    /// The signature scheme, with ECDSA in the fixed-length form of RFC 7518 §3.4.
    #[must_use]
    pub const fn scheme(self) -> Scheme {
        match self {
            Self::RS256 => Scheme::RsaPkcs1Sha256,
            Self::RS384 => Scheme::RsaPkcs1Sha384,
            Self::RS512 => Scheme::RsaPkcs1Sha512,
            Self::ES256 => Scheme::EcdsaP256Sha256Fixed,
            Self::ES384 => Scheme::EcdsaP384Sha384Fixed,
            Self::ES512 => Scheme::EcdsaP521Sha512Fixed,
            Self::PS256 => Scheme::RsaPssSha256,
            Self::EdDSA => Scheme::Ed25519,
        }
    }

    /// Whether a key of that kind can have made such a signature.
    #[must_use]
    pub const fn fits(self, key: KeyKind) -> bool {
        matches!(
            (self, key),
            (
                Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256,
                KeyKind::Rsa { .. }
            ) | (Self::ES256, KeyKind::P256)
                | (Self::ES384, KeyKind::P384)
                | (Self::ES512, KeyKind::P521)
                | (Self::EdDSA, KeyKind::Ed25519)
        )
    }
}

impl std::fmt::Display for JwsAlg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a JWS was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum JwsError {
    #[error("the JWT has {bytes} bytes; at most {MAX_BYTES} are read")]
    TooLarge { bytes: usize },
    #[error("a JWT in compact form has three parts between dots; this one has {parts}")]
    Parts { parts: usize },
    #[error("the {part} is not base64url without padding")]
    Base64 { part: &'static str },
    #[error("the {part} is {error}")]
    Json {
        part: &'static str,
        error: JsonError,
    },
    #[error("header `alg` is missing or not a string")]
    AlgMissing,
    #[error("algorithm `{alg}` is not accepted here")]
    AlgRefused { alg: String },
    #[error("algorithm {alg} does not fit the key of the certificate ({key:?})")]
    AlgKeyMismatch { alg: JwsAlg, key: KeyKind },
    #[error("header `crit` names extensions, and none is understood")]
    Crit,
    #[error("header `typ` is `{typ}`; that is another kind of token than is expected here")]
    Typ { typ: String },
    #[error("header `x5c` is missing")]
    X5cMissing,
    #[error("header `x5c` is {what}")]
    X5cShape { what: &'static str },
    #[error("header `x5c` has {count} certificates; at most {MAX_X5C} are read")]
    X5cTooLong { count: usize },
    #[error("the certificate in x5c[0] cannot be read: {why}")]
    X5cLeaf { why: String },
    #[error("the signature was not made by the key of the certificate in x5c[0]")]
    Signature,
    #[error("no key of the key set fits this token")]
    NoKey,
}

impl Refusal for JwsError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "jwt-too-large",
            Self::Parts { .. } | Self::Base64 { .. } | Self::Json { .. } => "jwt-malformed",
            Self::AlgMissing | Self::AlgRefused { .. } => "jwt-alg-refused",
            Self::AlgKeyMismatch { .. } => "jwt-alg-key-mismatch",
            Self::Crit => "jwt-crit",
            Self::Typ { .. } => "jwt-typ",
            Self::X5cMissing => "x5c-missing",
            Self::X5cTooLong { .. } => "x5c-too-long",
            Self::X5cShape { .. } | Self::X5cLeaf { .. } => "x5c-invalid",
            Self::Signature => "jwt-signature-invalid",
            Self::NoKey => "jwt-key-unknown",
        }
    }
}

/// The header of a JWS, read. It depends on the header's text alone, and a client sends the same one
/// each time: who keeps it ([`Jws::header_read`]) need not read it again ([`Jws::parse_with`]).
#[derive(Debug)]
pub struct Header {
    alg: JwsAlg,
    members: Map<String, Value>,
    /// Who is named as the signer; set once a signature by it was good.
    signer: OnceLock<Signer>,
    /// The header's text, hashed: with the certificates in it, it is most of what is signed. Set where the
    /// header comes again; `None` where the algorithm does not hash first.
    hashed: OnceLock<Option<Beginning>>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, JwsError> {
        let members = object("header", text)?;
        if members.contains_key("crit") {
            return Err(JwsError::Crit);
        }
        let Some(Value::String(name)) = members.get("alg") else {
            return Err(JwsError::AlgMissing);
        };
        let Some(alg) = JwsAlg::from_name(name) else {
            return Err(JwsError::AlgRefused {
                alg: name.chars().take(32).collect(),
            });
        };
        Ok(Self {
            alg,
            members,
            signer: OnceLock::new(),
            hashed: OnceLock::new(),
        })
    }

    /// Whether it took not much more memory to read than its text is long, so that it may be kept: few members,
    /// and all of them texts but `x5c`.
    #[must_use]
    pub fn is_modest(&self) -> bool {
        let modest = |(name, value): (&String, &Value)| match value {
            Value::Array(items) => name == "x5c" && items.len() <= MAX_X5C,
            Value::Object(_) => false,
            _ => true,
        };
        self.members.len() <= 16 && self.members.iter().all(modest)
    }
}

/// A JWS whose shape is right and whose signature nobody has looked at yet.
#[derive(Debug, Clone)]
pub struct Jws {
    header: Arc<Header>,
    /// How long the header's text is: so much of the signing input.
    header_bytes: usize,
    payload: Map<String, Value>,
    signing_input: String,
    signature: Vec<u8>,
}

impl Jws {
    /// Reads the compact form.
    ///
    /// # Errors
    /// [`JwsError`] for anything but three strict base64url parts with strict JSON objects in the
    /// first two, an algorithm of [`JwsAlg`] and no `crit`.
    pub fn parse(compact: &str) -> Result<Self, JwsError> {
        Self::parse_with(compact, |_| None)
    }

    /// As [`Self::parse`], with a memory of headers by their text. What it returns must have come
    /// from [`Self::header_read`] of a JWS with that very text.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_with(
        compact: &str,
        known: impl FnOnce(&str) -> Option<Arc<Header>>,
    ) -> Result<Self, JwsError> {
        if compact.len() > MAX_BYTES {
            return Err(JwsError::TooLarge {
                bytes: compact.len(),
            });
        }
        let mut dots = memchr::memchr_iter(b'.', compact.as_bytes());
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(JwsError::Parts {
                parts: compact.split('.').count(),
            });
        };
        let part = |from: usize, to: usize| compact.get(from..to).unwrap_or_default();
        let (header64, payload64) = (part(0, first), part(first + 1, second));
        let signature64 = part(second + 1, compact.len());
        let header = match known(header64) {
            Some(header) => header,
            None => Arc::new(Header::parse(header64)?),
        };
        let payload = object("payload", payload64)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature64)
            .map_err(|_| JwsError::Base64 { part: "signature" })?;
        let signing_input = part(0, second).to_owned();
        Ok(Self {
            header,
            header_bytes: header64.len(),
            payload,
            signing_input,
            signature,
        })
    }

    /// The algorithm its header names.
    #[must_use]
    pub fn alg(&self) -> JwsAlg {
        self.header.alg
    }

    /// The header's text and what was read from it, to be kept.
    #[must_use]
    pub fn header_read(&self) -> (&str, &Arc<Header>) {
        let text = self.signing_input.get(..self.header_bytes);
        (text.unwrap_or_default(), &self.header)
    }

    /// The header's `typ`, if it has one that is a string.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.header.members.get("typ").and_then(Value::as_str)
    }

    /// The header's `kid`; meaningful only inside a key set fetched for a configured issuer.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.members.get("kid").and_then(Value::as_str)
    }

    /// The payload, not verified: for routing and for tools that show it.
    #[must_use]
    pub const fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }

    /// The header, for tools that show it.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header.members
    }

    /// Refuses a token of another declared kind. A UDAP JWT has no `typ`, or `JWT`; access tokens
    /// (`at+jwt`), DPoP proofs, security events and the like name their own.
    ///
    /// # Errors
    /// [`JwsError::Typ`]
    pub fn require_plain_typ(&self) -> Result<(), JwsError> {
        match self.header.members.get("typ") {
            None => Ok(()),
            Some(Value::String(typ)) if typ.eq_ignore_ascii_case("JWT") => Ok(()),
            Some(Value::String(typ)) => Err(JwsError::Typ {
                typ: typ.chars().take(32).collect(),
            }),
            Some(_) => Err(JwsError::Typ {
                typ: "not a string".into(),
            }),
        }
    }

    /// The certificates of `x5c` in DER, signer first, before any of them is parsed.
    ///
    /// # Errors
    /// When the header is missing, not an array of standard base64 strings (RFC 7515 §4.1.6),
    /// empty, or longer than [`MAX_X5C`].
    pub fn x5c(&self) -> Result<Vec<Vec<u8>>, JwsError> {
        certificates(self.header.members.get("x5c").ok_or(JwsError::X5cMissing)?)
    }

    /// Verifies the signature with the key of `x5c[0]` and no other, and says who signed.
    ///
    /// Whether that certificate is to be trusted is not decided here. Certificates after the first
    /// are only helpers for building a path: one that cannot be read is left out, so that junk
    /// beside a good leaf does not shut an app out.
    ///
    /// # Errors
    /// [`JwsError`], [`JwsError::Signature`] when the signature is not of that key.
    pub fn verify_by_leaf(&self, accepted: &[JwsAlg]) -> Result<Signer, JwsError> {
        self.require_alg(accepted)?;
        if let Some(signer) = self.header.signer.get() {
            let key = signer.leaf.public_key();
            self.verify_again_by(key.map_err(|e| JwsError::X5cLeaf { why: e.to_string() })?)?;
            return Ok(signer.clone());
        }
        let signer = self.signer(&self.x5c()?)?;
        Ok(self.header.signer.get_or_init(|| signer).clone())
    }

    /// The same with the certificates that a key of a registered key set came with, in place of an
    /// `x5c` of this token (HL7 SSRAA §7.6). Nothing is remembered: the key set may change.
    ///
    /// # Errors
    /// As [`Self::verify_by_leaf`]; [`JwsError::X5cMissing`] when the key came with none, and
    /// [`JwsError::X5cShape`] when its first certificate is another key's (RFC 7517 §4.7).
    pub fn verify_by_certified_key(
        &self,
        jwk: &Jwk,
        accepted: &[JwsAlg],
    ) -> Result<Signer, JwsError> {
        self.require_alg(accepted)?;
        let signer = self.signer(jwk.x5c())?;
        if signer.leaf.public_key().ok() != Some(jwk.key()) {
            return Err(JwsError::X5cShape {
                what: "of another key than the one that it stands beside",
            });
        }
        Ok(signer)
    }

    pub(crate) fn require_alg(&self, accepted: &[JwsAlg]) -> Result<(), JwsError> {
        let alg = self.header.alg;
        if accepted.contains(&alg) {
            return Ok(());
        }
        Err(JwsError::AlgRefused {
            alg: alg.as_str().to_owned(),
        })
    }

    /// Who signed, when the key of the first certificate made the signature.
    fn signer(&self, x5c: &[Vec<u8>]) -> Result<Signer, JwsError> {
        let mut ders = x5c.iter();
        let Some(leaf_der) = ders.next() else {
            return Err(JwsError::X5cMissing);
        };
        let unreadable_leaf = |e: &dyn std::fmt::Display| JwsError::X5cLeaf { why: e.to_string() };
        let leaf = Certificate::from_der(leaf_der).map_err(|e| unreadable_leaf(&e))?;
        self.verify_by(leaf.public_key().map_err(|e| unreadable_leaf(&e))?)?;
        let mut intermediates = Vec::with_capacity(x5c.len() - 1);
        let mut unreadable = 0;
        for der in ders {
            match Certificate::from_der(der) {
                Ok(certificate) => intermediates.push(certificate),
                Err(_) => unreadable += 1,
            }
        }
        Ok(Signer {
            leaf,
            intermediates,
            unreadable,
        })
    }

    /// Verifies the signature with a key that was chosen by other means than this token.
    ///
    /// # Errors
    /// [`JwsError::AlgKeyMismatch`] or [`JwsError::Signature`].
    pub fn verify_by(&self, key: &PublicKey) -> Result<(), JwsError> {
        let scheme = self.scheme(key)?;
        key.verify(scheme, self.signing_input.as_bytes(), &self.signature)
            .map_err(|_| JwsError::Signature)
    }

    /// The same of a header that comes again, of which the hash is kept.
    fn verify_again_by(&self, key: &PublicKey) -> Result<(), JwsError> {
        let scheme = self.scheme(key)?;
        let signed = self.signing_input.as_bytes();
        let Some((header, rest)) = signed.split_at_checked(self.header_bytes) else {
            return Err(JwsError::Signature);
        };
        let hashed = &self.header.hashed;
        match hashed.get_or_init(|| Beginning::new(scheme, header)) {
            Some(hashed) => key.verify_rest(hashed, rest, &self.signature),
            None => key.verify(scheme, signed, &self.signature),
        }
        .map_err(|_| JwsError::Signature)
    }

    /// How a signature of this token is made with that key.
    fn scheme(&self, key: &PublicKey) -> Result<Scheme, JwsError> {
        let alg = self.header.alg;
        if !alg.fits(key.kind()) {
            return Err(JwsError::AlgKeyMismatch {
                alg,
                key: key.kind(),
            });
        }
        Ok(alg.scheme())
    }
}

/// The value of an `x5c`, of a JWS or of a JWK, in DER.
pub(crate) fn certificates(x5c: &Value) -> Result<Vec<Vec<u8>>, JwsError> {
    let Value::Array(certificates) = x5c else {
        return Err(JwsError::X5cShape {
            what: "not an array",
        });
    };
    if certificates.is_empty() {
        return Err(JwsError::X5cShape {
            what: "an empty array",
        });
    }
    if certificates.len() > MAX_X5C {
        return Err(JwsError::X5cTooLong {
            count: certificates.len(),
        });
    }
    certificates
        .iter()
        .map(|certificate| {
            let text = certificate.as_str().ok_or(JwsError::X5cShape {
                what: "not an array of strings",
            })?;
            STANDARD.decode(text).map_err(|_| JwsError::X5cShape {
                what: "not standard base64 (RFC 7515 §4.1.6: neither base64url, PEM nor line breaks)",
            })
        })
        .collect()
}

fn object(part: &'static str, text: &str) -> Result<Map<String, Value>, JwsError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| JwsError::Base64 { part })?;
    json::object(&bytes).map_err(|error| JwsError::Json { part, error })
}

/// Who signed a JWS: the certificate of `x5c[0]`, and what else stood in `x5c`.
#[derive(Debug, Clone)]
pub struct Signer {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
    unreadable: usize,
}

impl Signer {
    /// The certificate whose key made the signature.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }
    /// The other certificates that could be read, in their order.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }
    /// How many of the other certificates could not be read.
    #[must_use]
    pub const fn unreadable(&self) -> usize {
        self.unreadable
    }
}

/// A JWS that waits for its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    signing_input: String,
}

impl Unsigned {
    /// A JWS with these header members and claims.
    #[must_use]
    pub fn new(header: &impl Serialize, claims: &impl Serialize) -> Self {
        Self::from_json(&to_bytes(header), &to_bytes(claims))
    }

    /// A UDAP JWT: `alg`, `x5c` with the signer's certificate first (HL7 SSRAA §1.2.3).
    #[must_use]
    pub fn with_x5c(alg: JwsAlg, chain: &[Certificate], claims: &Map<String, Value>) -> Self {
        Self::new(&header(alg, chain), claims)
    }

    /// The same, declaring its kind.
    #[must_use]
    pub(crate) fn with_typ_and_x5c(
        typ: &str,
        alg: JwsAlg,
        chain: &[Certificate],
        claims: &Map<String, Value>,
    ) -> Self {
        let mut header = header(alg, chain);
        header.insert("typ".into(), typ.into());
        Self::new(&header, claims)
    }

    /// From texts of JSON that are known to be objects.
    #[must_use]
    pub fn from_json(header: &[u8], claims: &[u8]) -> Self {
        let mut signing_input =
            String::with_capacity((header.len() + claims.len()).div_ceil(3) * 4 + 2 + 350);
        URL_SAFE_NO_PAD.encode_string(header, &mut signing_input);
        signing_input.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut signing_input);
        Self { signing_input }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input.as_bytes()
    }

    /// The compact form, with a signature in the form of [`JwsAlg::scheme`].
    #[must_use]
    pub fn with_signature(self, signature: &[u8]) -> String {
        let mut compact = self.signing_input;
        compact.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut compact);
        compact
    }
}

fn header(alg: JwsAlg, chain: &[Certificate]) -> Map<String, Value> {
    let x5c = chain
        .iter()
        .map(|certificate| Value::String(STANDARD.encode(certificate.der())))
        .collect();
    let mut header = Map::new();
    header.insert("alg".into(), alg.as_str().into());
    header.insert("x5c".into(), Value::Array(x5c));
    header
}

fn to_bytes(members: &impl Serialize) -> Vec<u8> {
    // Strings, numbers, arrays and objects of them always serialize.
    serde_json::to_vec(members).unwrap_or_default()
}
