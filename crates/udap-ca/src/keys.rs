//! The CA's keys: made, kept and used through `udap_trust`.

use std::{path::Path, sync::Arc};

use udap_host::seal::{Passphrase, SealError};
use udap_pki::{
    KeyKind,
    issue::{SignatureAlgorithm, ToBeSigned},
    pem,
};
use udap_trust::{
    keys::{self, KeyFileError, KeyType},
    signer::{KeySigner, Signer},
};
use zeroize::Zeroizing;

use crate::{CaError, CaKeyType, authority::Role, directory::Directory};

/// A key that signs certificates, CRLs or OCSP answers, wherever it is.
#[derive(Clone, Debug)]
pub(crate) struct SigningKey {
    /// `root`, `issuing`, `ocsp` or `throwaway`.
    role: &'static str,
    signer: Arc<dyn Signer>,
    algorithm: SignatureAlgorithm,
}

impl SigningKey {
    /// A new key that is nowhere but in memory.
    pub(crate) async fn generate(role: &'static str, key_type: CaKeyType) -> Result<Self, CaError> {
        let failed = |detail: String| CaError::Sign { role, detail };
        let pkcs8 = new_pkcs8(kind(key_type))
            .await
            .map_err(|error| failed(error.to_string()))?;
        Self::from_pkcs8(role, &pkcs8, key_type).map_err(failed)
    }

    /// A new key in its file, on disk before it is used.
    pub(crate) async fn generate_into(
        directory: &Directory,
        role: Role,
        key_type: CaKeyType,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, CaError> {
        let failed = |error: KeyFileError| CaError::Sign {
            role: role.as_str(),
            detail: error.to_string(),
        };
        let pkcs8 = new_pkcs8(kind(key_type)).await.map_err(failed)?;
        let pem = match passphrase {
            None => Zeroizing::new(pem::encode("PRIVATE KEY", &pkcs8)),
            Some(passphrase) => {
                let sealed = passphrase.seal(&pkcs8, role.as_str());
                let sealed = sealed.map_err(|error| CaError::Sign {
                    role: role.as_str(),
                    detail: error.to_string(),
                })?;
                Zeroizing::new(pem::encode(SEALED, &sealed))
            }
        };
        directory.write(role.key_file(), pem.as_bytes(), 0o600)?;
        Self::load(role, &directory.file(role.key_file()), key_type, passphrase)
    }

    /// The key in a file that nobody but the owner can read, and under the passphrase if there is one: a
    /// key that is not sealed is refused then, so that nobody believes it is.
    pub(crate) fn load(
        role: Role,
        path: &Path,
        key_type: CaKeyType,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, CaError> {
        let refuse = |detail: String| CaError::Key {
            path: path.to_owned(),
            detail,
        };
        let file =
            udap_host::files::read_private(path).map_err(|error| refuse(error.to_string()))?;
        let sealed = pem::ders(&file, &[SEALED], "sealed key");
        let pkcs8 = match (sealed, passphrase) {
            (Ok(sealed), Some(passphrase)) if is_pem(&file) => {
                let sealed = sealed.first().map(|der| der.as_slice()).unwrap_or_default();
                passphrase
                    .open(sealed, role.as_str())
                    .map_err(|error| match error {
                        SealError::OtherKey => CaError::PassphraseWrong {
                            path: path.to_owned(),
                        },
                        error => refuse(error.to_string()),
                    })?
            }
            (Ok(_), None) if is_pem(&file) => {
                return Err(CaError::PassphraseMissing {
                    path: path.to_owned(),
                });
            }
            (_, Some(_)) => {
                return Err(CaError::NotSealed {
                    path: path.to_owned(),
                });
            }
            (_, None) => {
                pem::private_key_pkcs8(&file).map_err(|error| refuse(error.to_string()))?
            }
        };
        Self::from_pkcs8(role.as_str(), &pkcs8, key_type).map_err(refuse)
    }

    fn from_pkcs8(role: &'static str, pkcs8: &[u8], key_type: CaKeyType) -> Result<Self, String> {
        let signer = KeySigner::from_pkcs8(pkcs8).map_err(|error| error.to_string())?;
        let is_of_type = match key_type {
            CaKeyType::EcdsaP256 => signer.public_key().kind() == KeyKind::P256,
            CaKeyType::Rsa2048 => matches!(signer.public_key().kind(), KeyKind::Rsa { .. }),
        };
        if !is_of_type {
            return Err(format!("it is not of type {}", key_type.as_str()));
        }
        Ok(Self {
            role,
            signer: Arc::new(signer),
            algorithm: key_type.algorithm(),
        })
    }

    pub(crate) fn spki_der(&self) -> &[u8] {
        self.signer.public_key().spki_der()
    }

    pub(crate) const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Signs and verifies what came back: a signature that went wrong, by a fault in a device or in
    /// memory, must not leave the CA, where it could tell of the key.
    pub(crate) async fn sign(&self, to_be_signed: &ToBeSigned) -> Result<Vec<u8>, CaError> {
        let scheme = self.algorithm.scheme();
        let failed = |detail: String| CaError::Sign {
            role: self.role,
            detail,
        };
        let signature = self.signer.sign(scheme, to_be_signed.bytes()).await;
        let signature = signature.map_err(|error| failed(error.to_string()))?;
        let verified = self
            .signer
            .public_key()
            .verify(scheme, to_be_signed.bytes(), &signature);
        verified.map_err(|error| failed(error.to_string()))?;
        Ok(signature)
    }
}

/// A member's new key: its public half and its PKCS#8.
pub(crate) async fn generate_member(
    key_type: KeyType,
) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), CaError> {
    let failed = |error: KeyFileError| CaError::Sign {
        role: "member",
        detail: error.to_string(),
    };
    let pkcs8 = new_pkcs8(key_type).await.map_err(failed)?;
    let signer = KeySigner::from_pkcs8(&pkcs8).map_err(failed)?;
    Ok((signer.public_key().spki_der().to_vec(), pkcs8))
}

/// An RSA key takes a tenth of a second or more, during which a server has to go on.
async fn new_pkcs8(key_type: KeyType) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let made = tokio::task::spawn_blocking(move || keys::generate(key_type)).await;
    made.unwrap_or(Err(KeyFileError::Generate))
}

fn is_pem(file: &[u8]) -> bool {
    file.first() != Some(&0x30)
}

/// The label of a key under a passphrase; no other program reads it.
const SEALED: &str = "UDAP SEALED PRIVATE KEY";

const fn kind(key_type: CaKeyType) -> KeyType {
    match key_type {
        CaKeyType::EcdsaP256 => KeyType::P256,
        CaKeyType::Rsa2048 => KeyType::Rsa2048,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use futures_util::future::BoxFuture;
    use udap_pki::{
        PublicKey, Scheme,
        issue::{CsrSpec, Subject, certification_request},
    };
    use udap_trust::signer::SignError;

    use super::*;

    /// A device that answers something, but no signature of its key.
    #[derive(Debug)]
    struct Faulty(KeySigner);

    impl Signer for Faulty {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }

        fn sign<'a>(
            &'a self,
            scheme: Scheme,
            _: &'a [u8],
        ) -> BoxFuture<'a, Result<Vec<u8>, SignError>> {
            self.0.sign(scheme, b"something else")
        }
    }

    #[tokio::test]
    async fn a_wrong_signature_never_leaves() {
        let good = SigningKey::generate("root", CaKeyType::EcdsaP256)
            .await
            .unwrap();
        let pkcs8 = keys::generate(KeyType::P256).unwrap();
        let faulty = SigningKey {
            signer: Arc::new(Faulty(KeySigner::from_pkcs8(&pkcs8).unwrap())),
            ..good.clone()
        };
        let to_be_signed = certification_request(&CsrSpec {
            subject: &Subject::named("a"),
            spki_der: good.spki_der(),
            uris: &[],
            algorithm: good.algorithm(),
        })
        .unwrap();
        good.sign(&to_be_signed).await.unwrap();
        assert_eq!(
            faulty.sign(&to_be_signed).await.unwrap_err().code(),
            "ca-sign"
        );
    }
}
