//! The key that signs access tokens: ES256, made at the first start, kept in the state directory or, where
//! nodes share a database, sealed in there.

use crate::app::StartError;
use crate::store::shared_secret;
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

#[derive(Debug)]
pub(crate) struct AccessKey {
    signer: KeySigner,
    kid: String,
    keys: Arc<JwkSet>,
}

impl AccessKey {
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
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

    /// The one that all nodes of a database have, sealed there.
    pub(crate) async fn shared(db: &Db, key: &SecretsKey) -> Result<Self, StartError> {
        let unusable = |detail: String| StartError::Unusable {
            path: SHARED.into(),
            code: "access-key-unusable",
            detail,
        };
        let make = || generate(KeyType::P256).map_err(|e| unusable(e.to_string()));
        let pkcs8 = shared_secret(db, key, SHARED, make).await?;
        let signer = KeySigner::from_pkcs8(&pkcs8).map_err(|e| unusable(e.to_string()))?;
        Self::new(signer, unusable)
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
const SHARED: &str = "access-token.key";

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
