//! Private keys: making them, and reading them from files.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair,
};
use zeroize::Zeroizing;

/// The kinds of key that are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA with 2048 bits: RS256.
    Rsa2048,
    /// RSA with 3072 bits: RS256, RS384.
    Rsa3072,
    /// ECDSA on P-256: ES256.
    P256,
    /// ECDSA on P-384: ES384.
    P384,
}

/// Why no key could be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum KeyFileError {
    #[error("the key could not be made")]
    Generate,
    #[error("not a private key in PKCS#8 form: {why}")]
    NotPkcs8 { why: String },
    #[error("this kind of private key is not supported")]
    Kind,
}

impl KeyFileError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Generate => "key-generation",
            Self::NotPkcs8 { .. } => "key-unreadable",
            Self::Kind => "key-kind",
        }
    }
}

/// A new private key, PKCS#8 in DER. Takes some 50 ms for RSA 2048, longer for larger ones.
///
/// # Errors
/// [`KeyFileError::Generate`]
pub fn generate(kind: KeyType) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let failed = |_| KeyFileError::Generate;
    let rsa = |size| -> Result<_, KeyFileError> {
        let pair = RsaKeyPair::generate(size).map_err(failed)?;
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
        Ok(der.as_ref().to_vec())
    };
    let ec = |alg| -> Result<_, KeyFileError> {
        let pair = EcdsaKeyPair::generate(alg).map_err(failed)?;
        let der = pair.to_pkcs8v1().map_err(failed)?;
        Ok(der.as_ref().to_vec())
    };
    Ok(Zeroizing::new(match kind {
        KeyType::Rsa2048 => rsa(KeySize::Rsa2048)?,
        KeyType::Rsa3072 => rsa(KeySize::Rsa3072)?,
        KeyType::P256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        KeyType::P384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING)?,
    }))
}
