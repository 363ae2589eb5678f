//! The key that signs access tokens: ES256, made at the first start, kept in the state directory or, where
//! there is a key to seal it with, in the database.

use crate::app::StartError;
use crate::store::{holds_secret, shared_secret};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use udap_host::db::Db;
use udap_host::files;
use udap_host::seal::SecretsKey;
use udap_pki::pem;
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::JwsAlg;
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::{KeySigner, Signer as _};
use zeroize::Zeroizing;

#[derive(Debug)]
pub(crate) struct AccessKey {
    signer: KeySigner,
    kid: String,
    keys: Arc<JwkSet>,
}

impl AccessKey {
    /// The one in the database if there is a key to seal it with, else the one in the file.
    pub(crate) async fn open(
        db: &Db,
        key: Option<&SecretsKey>,
        file: &Path,
    ) -> Result<Self, StartError> {
        if let Some(key) = key {
            return Self::sealed(db, key, file).await;
        }
        // Whoever lost the configuration's line would get another key, and every token would end.
        if holds_secret(db, SEALED).await? {
            return Err(StartError::Unusable {
                path: SEALED.into(),
                code: "secrets-key-missing",
                detail: "it is sealed in the database, and `secrets_key_file` is missing"
                    .to_owned(),
            });
        }
        Self::in_file(file)
    }

    fn in_file(path: &Path) -> Result<Self, StartError> {
        let unusable = |detail: String| StartError::Unusable {
            path: path.to_owned(),
            code: "access-key-unusable",
            detail,
        };
        if !path.exists() {
            create(path).map_err(|e| unusable(format!("cannot be written: {e}")))?;
        }
        let key = files::read_private(path)?;
        let signer = KeySigner::from_pem(&key).map_err(|e| unusable(e.to_string()))?;
        Self::new(signer, unusable)
    }

    /// The one that all nodes of a database have, sealed there. What lay in the clear is taken over, so that
    /// tokens go on counting, and then lies there no more.
    async fn sealed(db: &Db, key: &SecretsKey, file: &Path) -> Result<Self, StartError> {
        let unusable = |detail: String| StartError::Unusable {
            path: SEALED.into(),
            code: "access-key-unusable",
            detail,
        };
        let in_the_clear = in_the_clear(file)?;
        let make = || match &in_the_clear {
            Some(pkcs8) => Ok(pkcs8.clone()),
            None => generate(KeyType::P256).map_err(|e| unusable(e.to_string())),
        };
        let pkcs8 = shared_secret(db, key, SEALED, make).await?;
        let signer = KeySigner::from_pkcs8(&pkcs8).map_err(|e| unusable(e.to_string()))?;
        let opened = Self::new(signer, unusable)?;
        if in_the_clear.as_deref() == Some(&*pkcs8) {
            std::fs::remove_file(file).map_err(|e| StartError::Unusable {
                path: file.to_owned(),
                code: "access-key-unusable",
                detail: format!("it is sealed in the database by now, and cannot be removed: {e}"),
            })?;
        }
        Ok(opened)
    }

    fn new(signer: KeySigner, unusable: impl Fn(String) -> StartError) -> Result<Self, StartError> {
        if signer.jws_alg() != JwsAlg::ES256 {
            return Err(unusable("is not a P-256 key".to_owned()));
        }
        let broken = |e: udap_proto::jwk::JwkError| unusable(e.to_string());
        let bare = Jwk::from_public_key(signer.public_key(), None, None).map_err(broken)?;
        // RFC 7638: the key's own thumbprint names it, so that a name never stands for two keys.
        let thumbprint = digest::digest(&digest::SHA256, bare.thumbprint_input().as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        let jwk = Jwk::from_public_key(signer.public_key(), Some(kid.clone()), Some(JwsAlg::ES256))
            .map_err(broken)?;
        Ok(Self {
            signer,
            kid,
            keys: Arc::new(JwkSet::new(vec![jwk])),
        })
    }

    pub(crate) const fn signer(&self) -> &KeySigner {
        &self.signer
    }
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }
    pub(crate) fn keys(&self) -> Arc<JwkSet> {
        Arc::clone(&self.keys)
    }
}

/// Its name in the database.
const SEALED: &str = "access-token.key";

/// What a start without a key to seal it with left.
fn in_the_clear(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StartError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read_private(path)?;
    let pkcs8 = pem::private_key_pkcs8(&text).map_err(|e| StartError::Unusable {
        path: path.to_owned(),
        code: "access-key-unusable",
        detail: e.to_string(),
    })?;
    Ok(Some(pkcs8))
}

/// Whole or not at all: written under another name, forced to the disk, then renamed.
fn create(path: &Path) -> std::io::Result<()> {
    let key = generate(KeyType::P256).map_err(std::io::Error::other)?;
    let unfinished = path.with_extension("new");
    let _ = std::fs::remove_file(&unfinished);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(pem::encode("PRIVATE KEY", &key).as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    if let Some(directory) = path.parent() {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}
