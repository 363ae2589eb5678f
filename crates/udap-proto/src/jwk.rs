//! JSON Web Keys (RFC 7517), public halves only.

use crate::error::Refusal;
use crate::jws::{self, Jws, JwsAlg, JwsError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use serde_json::{Map, Value, json};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use udap_pki::{KeyKind, PublicKey};

/// The most keys of a set that are looked at: issuers have a handful.
pub const MAX_KEYS: usize = 64;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Why a key or a set of keys was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum JwkError {
    #[error("the key set is not a JSON object with an array `keys`")]
    NotASet,
    #[error("the key set has {count} keys; at most {MAX_KEYS} are read")]
    TooMany { count: usize },
    #[error("member `{member}` of the key is missing or malformed")]
    Member { member: &'static str },
    #[error("key type `{kty}` is not supported")]
    Kty { kty: String },
    #[error("the key contains a private or secret member (`{member}`)")]
    Private { member: &'static str },
    #[error("the key is not usable: {why}")]
    Key { why: String },
}

impl Refusal for JwkError {
    fn code(&self) -> &'static str {
        "jwk-invalid"
    }
}

/// A public key with its `kid` and, where stated, its `alg`.
#[derive(Debug, Clone)]
pub struct Jwk {
    kid: Option<String>,
    alg: Option<JwsAlg>,
    key: PublicKey,
    params: Map<String, Value>,
    /// `x5c` in DER, where the key came with certificates.
    x5c: Vec<Vec<u8>>,
}

impl Jwk {
    /// Reads one public key. A key with private members is refused, so that a leaked one is noticed.
    ///
    /// # Errors
    /// [`JwkError`]
    pub fn from_json(map: &Map<String, Value>) -> Result<Self, JwkError> {
        if let Some(member) = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .into_iter()
            .find(|m| map.contains_key(*m))
        {
            return Err(JwkError::Private { member });
        }
        let kty = map.get("kty").and_then(Value::as_str).unwrap_or_default();
        let (spki, names): (Vec<u8>, &[&str]) = match kty {
            "RSA" => (rsa_spki(&bytes(map, "n")?, &bytes(map, "e")?)?, &["e", "n"]),
            "EC" => {
                let crv = map.get("crv").and_then(Value::as_str).unwrap_or_default();
                let (curve, len) = match crv {
                    "P-256" => (P256, 32),
                    "P-384" => (P384, 48),
                    "P-521" => (P521, 66),
                    _ => return Err(JwkError::Member { member: "crv" }),
                };
                let (x, y) = (bytes(map, "x")?, bytes(map, "y")?);
                if x.len() != len || y.len() != len {
                    return Err(JwkError::Member { member: "x" });
                }
                let point = [&[4_u8][..], &x, &y].concat();
                (
                    spki(EC, Some(AnyRef::from(&curve)), &point)?,
                    &["crv", "x", "y"],
                )
            }
            "OKP" => {
                if map.get("crv").and_then(Value::as_str) != Some("Ed25519") {
                    return Err(JwkError::Member { member: "crv" });
                }
                (spki(ED25519, None, &bytes(map, "x")?)?, &["crv", "x"])
            }
            other => {
                return Err(JwkError::Kty {
                    kty: other.chars().take(16).collect(),
                });
            }
        };
        let key =
            PublicKey::from_spki_der(&spki).map_err(|e| JwkError::Key { why: e.to_string() })?;
        let mut params = Map::new();
        params.insert("kty".into(), kty.into());
        for name in names {
            params.insert(
                (*name).to_owned(),
                map.get(*name).cloned().unwrap_or_default(),
            );
        }
        Ok(Self {
            kid: map.get("kid").and_then(Value::as_str).map(str::to_owned),
            alg: map
                .get("alg")
                .and_then(Value::as_str)
                .and_then(JwsAlg::from_name),
            key,
            params,
            x5c: match map.get("x5c") {
                None => Vec::new(),
                Some(x5c) => {
                    jws::certificates(x5c).map_err(|_| JwkError::Member { member: "x5c" })?
                }
            },
        })
    }

    /// The JWK of a key, with this `kid`.
    ///
    /// # Errors
    /// [`JwkError::Key`] when the kind of key has no JWK form here.
    pub fn from_public_key(
        key: &PublicKey,
        kid: Option<String>,
        alg: Option<JwsAlg>,
    ) -> Result<Self, JwkError> {
        let broken = |e: der::Error| JwkError::Key { why: e.to_string() };
        let info = SubjectPublicKeyInfoRef::from_der(key.spki_der()).map_err(broken)?;
        let bits = info.subject_public_key.as_bytes().unwrap_or_default();
        let half = |n: usize| -> Result<(String, String), JwkError> {
            match (bits.get(1..=n), bits.get(n + 1..)) {
                (Some(x), Some(y)) if y.len() == n => Ok((b64(x), b64(y))),
                _ => Err(JwkError::Key {
                    why: "not an uncompressed point".into(),
                }),
            }
        };
        let params = match key.kind() {
            KeyKind::Rsa { .. } => {
                let rsa = RsaPublicKey::from_der(bits).map_err(broken)?;
                json!({"kty": "RSA", "e": b64(rsa.e.as_bytes()), "n": b64(rsa.n.as_bytes())})
            }
            KeyKind::P256 => {
                half(32).map(|(x, y)| json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}))?
            }
            KeyKind::P384 => {
                half(48).map(|(x, y)| json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}))?
            }
            KeyKind::P521 => {
                half(66).map(|(x, y)| json!({"kty": "EC", "crv": "P-521", "x": x, "y": y}))?
            }
            KeyKind::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(bits)}),
            other => {
                return Err(JwkError::Key {
                    why: format!("{other:?} has no JWK form here"),
                });
            }
        };
        let Value::Object(params) = params else {
            return Err(JwkError::NotASet);
        };
        Ok(Self {
            kid,
            alg,
            key: key.clone(),
            params,
            x5c: Vec::new(),
        })
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
    /// The `kid`.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its certificates in DER, its own first, where it came with any (RFC 7517 §4.7). Not yet compared
    /// with the key; see [`Jws::verify_by_certified_key`].
    #[must_use]
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// The members of the key without `kid`, `alg` and `use`, in the order RFC 7638 §3.2 wants: what
    /// its thumbprint is the SHA-256 of.
    #[must_use]
    pub fn thumbprint_input(&self) -> String {
        let mut names: Vec<_> = self.params.iter().collect();
        names.sort_by(|a, b| a.0.cmp(b.0));
        let ordered: Map<String, Value> = names
            .into_iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        Value::Object(ordered).to_string()
    }

    /// The JSON form, `use` being `sig`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = self.params.clone();
        if let Some(kid) = &self.kid {
            map.insert("kid".into(), kid.as_str().into());
        }
        if let Some(alg) = self.alg {
            map.insert("alg".into(), alg.as_str().into());
        }
        map.insert("use".into(), "sig".into());
        Value::Object(map)
    }
}

/// The keys of one issuer.
#[derive(Debug, Clone, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// A set of these keys.
    #[must_use]
    pub const fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// Reads a key set; keys of unsupported kinds, and those for other uses than signatures, are left
    /// out (RFC 7517 §§4.2, 5).
    ///
    /// # Errors
    /// [`JwkError::NotASet`], [`JwkError::TooMany`], or [`JwkError::Private`] for a set that holds a
    /// private key.
    pub fn from_json(map: &Map<String, Value>) -> Result<Self, JwkError> {
        let Some(Value::Array(keys)) = map.get("keys") else {
            return Err(JwkError::NotASet);
        };
        if keys.len() > MAX_KEYS {
            return Err(JwkError::TooMany { count: keys.len() });
        }
        let mut set = Vec::new();
        for key in keys {
            match key.as_object().map(Jwk::from_json) {
                Some(Ok(jwk)) if signs(key) => set.push(jwk),
                Some(Err(e @ JwkError::Private { .. })) => return Err(e),
                _ => {}
            }
        }
        Ok(Self { keys: set })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"keys": self.keys.iter().map(Jwk::to_json).collect::<Vec<_>>()})
    }

    /// Verifies a JWS with the key its `kid` names or, without `kid`, with each key that fits.
    ///
    /// # Errors
    /// [`JwsError::NoKey`] when no key of the set fits, [`JwsError::Signature`] when one fits and did
    /// not sign.
    pub fn verify(&self, jws: &Jws) -> Result<(), JwsError> {
        let mut result = Err(JwsError::NoKey);
        for jwk in &self.keys {
            let named = jws.kid().is_none_or(|kid| jwk.kid() == Some(kid));
            let meant = jwk.alg.is_none_or(|alg| alg == jws.alg());
            if named && meant && jws.alg().fits(jwk.key.kind()) {
                result = jws.verify_by(&jwk.key);
                if result.is_ok() {
                    break;
                }
            }
        }
        result
    }
}

/// Whether a key is for signatures, or does not say what for.
fn signs(key: &Value) -> bool {
    key.get("use").is_none_or(|of| of == "sig")
        && key
            .get("key_ops")
            .and_then(Value::as_array)
            .is_none_or(|ops| ops.iter().any(|op| op == "verify"))
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    n: UintRef<'a>,
    e: UintRef<'a>,
}

fn rsa_spki(n: &[u8], e: &[u8]) -> Result<Vec<u8>, JwkError> {
    let uint = |bytes| UintRef::new(bytes).map_err(|_| JwkError::Member { member: "n" });
    let key = RsaPublicKey {
        n: uint(n)?,
        e: uint(e)?,
    }
    .to_der()
    .map_err(|_| JwkError::Member { member: "n" })?;
    spki(RSA, Some(AnyRef::NULL), &key)
}

fn spki(
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Result<Vec<u8>, JwkError> {
    BitStringRef::from_bytes(key)
        .and_then(|subject_public_key| {
            SubjectPublicKeyInfoRef {
                algorithm: AlgorithmIdentifierRef { oid, parameters },
                subject_public_key,
            }
            .to_der()
        })
        .map_err(|e| JwkError::Key { why: e.to_string() })
}

fn bytes(map: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, JwkError> {
    map.get(member)
        .and_then(Value::as_str)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .filter(|bytes| !bytes.is_empty())
        .ok_or(JwkError::Member { member })
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
