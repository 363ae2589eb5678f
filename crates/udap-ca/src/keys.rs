//! The CA's keys: made, kept and used.

use std::path::Path;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use udap_pki::{
    PublicKey,
    issue::{SignatureAlgorithm, ToBeSigned},
    pem,
};
use udap_trust::keys::KeyType;
use zeroize::Zeroizing;

use crate::{CaError, CaKeyType, authority::Role, directory::Directory};

pub(crate) struct SigningKey {
    role: &'static str,
    pair: Pair,
    spki_der: Vec<u8>,
    public_key: PublicKey,
    algorithm: SignatureAlgorithm,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    pub(crate) fn generate(role: &'static str, key_type: CaKeyType) -> Result<Self, CaError> {
        Self::from_pkcs8(role, &new_pkcs8(role, key_type)?, key_type).map_err(|detail| CaError::Sign { role, detail })
    }

    pub(crate) fn generate_into(directory: &Directory, role: Role, key_type: CaKeyType) -> Result<Self, CaError> {
        let pkcs8 = new_pkcs8(role.as_str(), key_type)?;
        let pem = Zeroizing::new(pem::encode("PRIVATE KEY", &pkcs8));
        directory.write(role.key_file(), pem.as_bytes(), 0o600)?;
        Self::load(role.as_str(), &directory.file(role.key_file()), key_type)
    }

    pub(crate) fn load(role: &'static str, path: &Path, key_type: CaKeyType) -> Result<Self, CaError> {
        let refuse = |detail: String| CaError::Key { path: path.to_owned(), detail };
        let file = udap_host::files::read_private(path).map_err(|error| refuse(error.to_string()))?;
        let pkcs8 = pem::private_key_pkcs8(&Zeroizing::new(file)).map_err(|error| refuse(error.to_string()))?;
        Self::from_pkcs8(role, &pkcs8, key_type).map_err(refuse)
    }

    fn from_pkcs8(role: &'static str, pkcs8: &[u8], key_type: CaKeyType) -> Result<Self, String> {
        let (pair, spki_der) = match key_type {
            CaKeyType::EcdsaP256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8);
                let pair = pair.map_err(|_| "it is not an ECDSA P-256 key".to_owned())?;
                let spki: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
                let spki = spki.map(|spki| spki.as_ref().to_vec());
                (Pair::Ec(pair), spki)
            }
            CaKeyType::Rsa2048 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| "it is not an RSA key".to_owned())?;
                let spki: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
                let spki = spki.map(|spki| spki.as_ref().to_vec());
                (Pair::Rsa(pair), spki)
            }
        };
        let spki_der = spki_der.map_err(|_| "its public key cannot be written".to_owned())?;
        let public_key = PublicKey::from_spki_der(&spki_der).map_err(|error| error.to_string())?;
        Ok(Self { role, pair, spki_der, public_key, algorithm: key_type.algorithm() })
    }

    pub(crate) fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    pub(crate) const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Signs and verifies what came back: a signature that went wrong, by a fault in a device or in
    /// memory, must not leave the CA, where it could tell of the key.
    pub(crate) async fn sign(&self, to_be_signed: &ToBeSigned) -> Result<Vec<u8>, CaError> {
        let failed = |detail: String| CaError::Sign { role: self.role, detail };
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, to_be_signed.bytes()).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, to_be_signed.bytes(), &mut signature).map(|()| signature)
            }
        };
        let signature = signature.map_err(|error| failed(error.to_string()))?;
        let verified = self.public_key.verify(self.algorithm.scheme(), to_be_signed.bytes(), &signature);
        verified.map_err(|error| failed(error.to_string()))?;
        Ok(signature)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("role", &self.role).finish_non_exhaustive()
    }
}

fn new_pkcs8(role: &'static str, key_type: CaKeyType) -> Result<Zeroizing<Vec<u8>>, CaError> {
    let key_type = match key_type {
        CaKeyType::EcdsaP256 => KeyType::EcP256,
        CaKeyType::Rsa2048 => KeyType::Rsa2048,
    };
    udap_trust::keys::generate(key_type).map_err(|error| CaError::Sign { role, detail: error.to_string() })
}

/// A member's new key: its public half and its PKCS#8.
pub(crate) fn generate_member(key_type: KeyType) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CaError> {
    let failed = |detail: String| CaError::Sign { role: "member", detail };
    let pkcs8 = udap_trust::keys::generate(key_type).map_err(|error| failed(error.to_string()))?;
    let spki = match key_type {
        KeyType::Rsa2048 => {
            let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|error| failed(error.to_string()))?;
            let spki: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
            spki.map(|spki| spki.as_ref().to_vec())
        }
        _ => {
            let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8)
                .map_err(|error| failed(error.to_string()))?;
            let spki: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
            spki.map(|spki| spki.as_ref().to_vec())
        }
    };
    Ok((spki.map_err(|error| failed(error.to_string()))?, pkcs8))
}
