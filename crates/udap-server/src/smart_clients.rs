//! Clients of SMART Backend Services: named by the operator, known by their keys. Their registrations are
//! made of the configuration and of nothing else, so they end with it.

use crate::app::{Server, StartError};
use crate::store::Registration;
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use udap_host::config::{ClientKeys, SmartClient as Configured};
use udap_pki::UnixTime;
use udap_proto::json;
use udap_proto::jwk::JwkSet;
use udap_proto::scope::ScopeSet;
use udap_trust::key_sets::KeySetError;

/// By `client_id`.
#[derive(Debug, Default)]
pub(crate) struct SmartClients(HashMap<String, SmartClient>);

#[derive(Debug)]
pub(crate) struct SmartClient {
    pub(crate) registration: Arc<Registration>,
    pub(crate) keys: Keys,
}

/// Where its keys are.
#[derive(Debug)]
pub(crate) enum Keys {
    /// Read at the start.
    These(Arc<JwkSet>),
    /// To be fetched; what was is remembered for a while.
    At(String),
}

impl SmartClients {
    pub(crate) fn open(configured: &[Configured]) -> Result<Self, StartError> {
        let clients = configured.iter().map(|client| {
            let registration = Arc::new(registration(client)?);
            let keys = Keys::open(&client.keys)?;
            Ok((client.client_id.clone(), SmartClient { registration, keys }))
        });
        clients.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn get(&self, client_id: &str) -> Option<&SmartClient> {
        self.0.get(client_id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Keys {
    pub(crate) fn open(configured: &ClientKeys) -> Result<Self, StartError> {
        Ok(match configured {
            ClientKeys::File(path) => Self::These(Arc::new(read(path)?)),
            ClientKeys::Url(url) => Self::At(url.clone()),
        })
    }

    /// The URL that a `jku` may repeat.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::These(_) => None,
            Self::At(url) => Some(url),
        }
    }

    pub(crate) async fn get(
        &self,
        server: &Server,
        kid: &str,
        now: UnixTime,
    ) -> Result<Arc<JwkSet>, KeySetError> {
        match self {
            Self::These(keys) => Ok(Arc::clone(keys)),
            Self::At(url) => server.key_sets.get(url, Some(kid), now).await,
        }
    }
}

/// Its generation is a digest of what is configured, so that tokens end when that changes: those of other
/// keys, or for more than is granted now.
fn registration(client: &Configured) -> Result<Registration, StartError> {
    let keys = match &client.keys {
        ClientKeys::File(path) => bytes(path)?,
        ClientKeys::Url(url) => url.clone().into_bytes(),
    };
    let mut all = Vec::new();
    for part in [client.client_id.as_bytes(), client.scope.as_bytes(), &keys] {
        all.extend_from_slice(&part.len().to_be_bytes());
        all.extend_from_slice(part);
    }
    let mut generation = [0; 8];
    for (to, from) in generation.iter_mut().zip(digest(&SHA256, &all).as_ref()) {
        *to = *from;
    }
    let generation = i64::from_be_bytes(generation) & i64::MAX;
    let scope = ScopeSet::parse(&client.scope);
    Ok(Registration::by_configuration(
        &client.client_id,
        scope,
        generation,
    ))
}

fn read(path: &Path) -> Result<JwkSet, StartError> {
    let unusable = |detail: String| StartError::Unusable {
        path: path.to_owned(),
        code: "key-set-malformed",
        detail,
    };
    let object = json::object(&bytes(path)?).map_err(|e| unusable(e.to_string()))?;
    let set = JwkSet::from_json(&object).map_err(|e| unusable(e.to_string()))?;
    if set.keys().is_empty() {
        return Err(unusable(
            "it has no key that could verify a signature".to_owned(),
        ));
    }
    Ok(set)
}

fn bytes(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|e| StartError::Unusable {
        path: path.to_owned(),
        code: "config-unreadable",
        detail: e.to_string(),
    })
}
