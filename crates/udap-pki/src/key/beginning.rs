//! Messages that begin alike, such as the JWTs of one client, whose header with its certificates is most of
//! them: the beginning is hashed once.

use super::{PublicKey, Scheme, SignatureError};
use aws_lc_rs::digest;
use std::fmt;

/// The beginning of messages that are signed with one scheme, hashed once for all of them: see
/// [`PublicKey::verify_rest`].
#[derive(Clone)]
pub struct Beginning {
    scheme: Scheme,
    context: digest::Context,
}

impl Beginning {
    /// Hashes it. `None` for a scheme that signs messages themselves: Ed25519 and ML-DSA.
    #[must_use]
    pub fn new(scheme: Scheme, bytes: &[u8]) -> Option<Self> {
        let mut context = digest::Context::new(scheme.hash()?);
        context.update(bytes);
        Some(Self { scheme, context })
    }
}

impl PublicKey {
    /// Verifies a signature over a message of which the beginning is hashed already.
    ///
    /// # Errors
    /// As [`Self::verify`], with the scheme of the beginning.
    pub fn verify_rest(
        &self,
        beginning: &Beginning,
        rest: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let mut context = beginning.context.clone();
        context.update(rest);
        self.parsed(beginning.scheme)?
            .verify_digest_sig(&context.finish(), signature)
            .map_err(|_| SignatureError::Invalid)
    }
}

impl Scheme {
    /// What is hashed before it is signed.
    const fn hash(self) -> Option<&'static digest::Algorithm> {
        Some(match self {
            Self::RsaPkcs1Sha256
            | Self::RsaPssSha256
            | Self::EcdsaSha256Der
            | Self::EcdsaP256Sha256Fixed => &digest::SHA256,
            Self::RsaPkcs1Sha384
            | Self::RsaPssSha384
            | Self::EcdsaSha384Der
            | Self::EcdsaP384Sha384Fixed => &digest::SHA384,
            Self::RsaPkcs1Sha512
            | Self::RsaPssSha512
            | Self::EcdsaSha512Der
            | Self::EcdsaP521Sha512Fixed => &digest::SHA512,
            Self::Ed25519 | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => return None,
        })
    }
}

impl fmt::Debug for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beginning")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}
