//! Signers: whoever holds a private key, in a file today, in hardware or a key service later.

use crate::keys::KeyFileError;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use udap_pki::{KeyKind, PublicKey, Scheme};
use udap_proto::jws::{JwsAlg, Unsigned};

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum SignError {
    #[error("the key ({key:?}) cannot make a signature of scheme {scheme:?}")]
    Scheme { key: KeyKind, scheme: Scheme },
    #[error("the signature could not be made")]
    Failed,
}

impl SignError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Scheme { .. } => "signature-scheme",
            Self::Failed => "signing-failed",
        }
    }
}

/// Something that signs. Object-safe and asynchronous, since a key may be far away.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The public half.
    fn public_key(&self) -> &PublicKey;
    /// Signs a message.
    fn sign<'a>(
        &'a self,
        scheme: Scheme,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SignError>>;

    /// The JWS algorithm that fits the key: RS256, ES256, ES384, ….
    fn jws_alg(&self) -> JwsAlg {
        jws_alg(self.public_key().kind())
    }
}

/// The algorithm that a key of that kind signs JWTs with, unless told otherwise.
#[must_use]
pub const fn jws_alg(kind: KeyKind) -> JwsAlg {
    match kind {
        KeyKind::P256 => JwsAlg::ES256,
        KeyKind::P384 => JwsAlg::ES384,
        KeyKind::P521 => JwsAlg::ES512,
        KeyKind::Ed25519 => JwsAlg::EdDSA,
        _ => JwsAlg::RS256,
    }
}

/// Signs a JWS and gives its compact form.
///
/// # Errors
/// [`SignError`]
pub async fn sign_jws(
    signer: &dyn Signer,
    alg: JwsAlg,
    jws: Unsigned,
) -> Result<String, SignError> {
    let signature = signer.sign(alg.scheme(), jws.signing_input()).await?;
    Ok(jws.with_signature(&signature))
}

/// A signer whose key is in memory, read from a file.
#[derive(Clone)]
pub struct KeySigner(Arc<Inner>);

struct Inner {
    public: PublicKey,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    /// One pair for JOSE's fixed form, one for X.509's DER form.
    Ec {
        fixed: EcdsaKeyPair,
        der: EcdsaKeyPair,
    },
}

impl fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySigner")
            .field(&self.0.public.kind())
            .finish()
    }
}

impl KeySigner {
    /// A signer with this private key, PKCS#8 in DER: RSA, P-256 or P-384.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFileError> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Self::new(pair.public_key().as_der(), Key::Rsa(pair));
        }
        for (fixed, asn1) in [
            (
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &ECDSA_P256_SHA256_ASN1_SIGNING,
            ),
            (
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                &ECDSA_P384_SHA384_ASN1_SIGNING,
            ),
        ] {
            let pair = |alg: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_pkcs8(alg, der);
            if let (Ok(fixed), Ok(der)) = (pair(fixed), pair(asn1)) {
                return Self::new(fixed.public_key().as_der(), Key::Ec { fixed, der });
            }
        }
        Err(KeyFileError::NotPkcs8 {
            why: "neither RSA (2048 bits or more) nor P-256 nor P-384".into(),
        })
    }

    /// A signer with the private key in this PEM text.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyFileError> {
        let der = udap_pki::pem::private_key_pkcs8(pem)
            .map_err(|e| KeyFileError::NotPkcs8 { why: e.to_string() })?;
        Self::from_pkcs8(&der)
    }

    fn new(
        spki: Result<PublicKeyX509Der<'_>, aws_lc_rs::error::Unspecified>,
        key: Key,
    ) -> Result<Self, KeyFileError> {
        let spki = spki.map_err(|_| KeyFileError::Kind)?.as_ref().to_vec();
        let public = PublicKey::from_spki_der(&spki)
            .map_err(|e| KeyFileError::NotPkcs8 { why: e.to_string() })?;
        Ok(Self(Arc::new(Inner { public, key })))
    }

    /// Signs at once: the key is in memory.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn sign_now(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let rng = SystemRandom::new();
        let kind = self.0.public.kind();
        match (&self.0.key, scheme) {
            (Key::Rsa(pair), scheme) => {
                let encoding: &dyn RsaEncoding = match scheme {
                    Scheme::RsaPkcs1Sha256 => &RSA_PKCS1_SHA256,
                    Scheme::RsaPkcs1Sha384 => &RSA_PKCS1_SHA384,
                    Scheme::RsaPkcs1Sha512 => &RSA_PKCS1_SHA512,
                    Scheme::RsaPssSha256 => &RSA_PSS_SHA256,
                    _ => return Err(SignError::Scheme { key: kind, scheme }),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &rng, message, &mut signature)
                    .map_err(|_| SignError::Failed)?;
                Ok(signature)
            }
            (Key::Ec { fixed, der }, scheme) => {
                let pair = match (kind, scheme) {
                    (KeyKind::P256, Scheme::EcdsaP256Sha256Fixed)
                    | (KeyKind::P384, Scheme::EcdsaP384Sha384Fixed) => fixed,
                    (KeyKind::P256, Scheme::EcdsaSha256Der)
                    | (KeyKind::P384, Scheme::EcdsaSha384Der) => der,
                    _ => return Err(SignError::Scheme { key: kind, scheme }),
                };
                let signature = pair.sign(&rng, message).map_err(|_| SignError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl Signer for KeySigner {
    fn public_key(&self) -> &PublicKey {
        &self.0.public
    }
    fn sign<'a>(
        &'a self,
        scheme: Scheme,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, SignError>> {
        Box::pin(std::future::ready(self.sign_now(scheme, message)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::keys::{KeyType, generate};

    #[test]
    fn each_kind_of_key_signs_what_its_public_half_verifies() {
        for (kind, schemes) in [
            (
                KeyType::Rsa2048,
                &[Scheme::RsaPkcs1Sha256, Scheme::RsaPssSha256][..],
            ),
            (
                KeyType::P256,
                &[Scheme::EcdsaP256Sha256Fixed, Scheme::EcdsaSha256Der],
            ),
            (
                KeyType::P384,
                &[Scheme::EcdsaP384Sha384Fixed, Scheme::EcdsaSha384Der],
            ),
        ] {
            let signer = KeySigner::from_pkcs8(&generate(kind).unwrap()).unwrap();
            for scheme in schemes {
                let signature = signer.sign_now(*scheme, b"message").unwrap();
                assert_eq!(
                    signer.public_key().verify(*scheme, b"message", &signature),
                    Ok(())
                );
                assert!(
                    signer
                        .public_key()
                        .verify(*scheme, b"other", &signature)
                        .is_err()
                );
            }
            assert_eq!(
                signer.sign_now(Scheme::Ed25519, b"m").unwrap_err().code(),
                "signature-scheme"
            );
        }
        assert_eq!(
            KeySigner::from_pkcs8(b"junk").unwrap_err().code(),
            "key-unreadable"
        );
    }
}
