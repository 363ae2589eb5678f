//! Public keys and the algorithms that are accepted, named one by one.
use const_oid::ObjectIdentifier;

/// A public key, parsed once. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct PublicKey;

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// When the key is malformed, of an algorithm or curve that is refused, or too small.
    pub fn from_spki_der(_der: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        todo!()
    }
    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        todo!()
    }
    /// SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        todo!()
    }
    /// SHA-1 of the key's bits: the usual key identifier (RFC 5280 §4.2.1.2 method 1), OCSP's issuerKeyHash.
    #[must_use]
    pub fn key_id_sha1(&self) -> [u8; 20] {
        todo!()
    }
    /// Verifies a signature.
    ///
    /// # Errors
    /// When the scheme does not fit the key, or the signature is not good.
    pub fn verify(&self, _scheme: Scheme, _message: &[u8], _signature: &[u8]) -> Result<(), SignatureError> {
        todo!()
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

/// A signature scheme.
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
    /// JOSE ES256.
    EcdsaP256Sha256Fixed,
    /// JOSE ES384.
    EcdsaP384Sha384Fixed,
    /// JOSE ES512.
    EcdsaP521Sha512Fixed,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

/// Why a key is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Refused.
    #[error("{0}")]
    Unsupported(ObjectIdentifier),
}

/// Why a signature algorithm is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// Refused.
    #[error("{0}")]
    Unknown(ObjectIdentifier),
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is not one of this key over this message.
    #[error("the signature is not good")]
    Invalid,
}
