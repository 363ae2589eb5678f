//! Where providers of credentials publish their keys (OpenID Connect Discovery §4): asked when needed, of
//! those alone whom an operator listed, and remembered for a while.

use crate::fetch::{FetchError, Fetcher, Kind};
use crate::key_sets::{KeySetError, KeySets, RETRY_SECS};
use moka::sync::Cache;
use std::sync::Arc;
use tokio::sync::Mutex;
use udap_pki::UnixTime;
use udap_proto::Refusal;
use udap_proto::json;
use udap_proto::jwk::JwkSet;

/// How long a discovery document is used, in seconds: where keys are changes seldom, and the keys
/// themselves are asked for more often.
const MAX_AGE_SECS: i64 = 3600;
/// The most providers that are remembered.
const MAX_PROVIDERS: u64 = 256;

/// Why the keys of a provider cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum ProviderError {
    #[error("the provider `{issuer}` cannot be asked for its configuration: {error}")]
    Fetch {
        issuer: String,
        error: Arc<FetchError>,
    },
    #[error("the configuration of the provider `{issuer}` is refused: {why}")]
    Malformed { issuer: String, why: &'static str },
    #[error("the keys of the provider `{issuer}`: {error}")]
    Keys { issuer: String, error: KeySetError },
}

impl Refusal for ProviderError {
    fn code(&self) -> &'static str {
        match self {
            Self::Fetch { .. } => "provider-unavailable",
            Self::Malformed { .. } => "provider-malformed",
            Self::Keys { error, .. } => error.code(),
        }
    }
    fn told(&self) -> String {
        match self {
            Self::Fetch { issuer, .. } => {
                format!("the provider `{issuer}` cannot be asked for its configuration")
            }
            Self::Malformed { .. } => self.to_string(),
            Self::Keys { issuer, error } => {
                format!("the keys of the provider `{issuer}`: {}", error.told())
            }
        }
    }
}

/// Providers of credentials, by issuer.
#[derive(Debug)]
pub struct Providers {
    fetcher: Fetcher,
    known: Cache<Box<str>, Arc<Entry>>,
}

/// Held by the one who asks; the others wait for what comes.
type Entry = Mutex<Option<Known>>;

#[derive(Debug, Clone)]
struct Known {
    jwks_uri: Result<Arc<str>, ProviderError>,
    until: UnixTime,
}

impl Providers {
    /// None known yet.
    #[must_use]
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            known: Cache::new(MAX_PROVIDERS),
        }
    }

    /// The keys of a provider whom the operator listed; `kid` is the one that is looked for, and may be
    /// missing from the answer.
    ///
    /// # Errors
    /// [`ProviderError`]; failures are remembered for [`RETRY_SECS`].
    pub async fn keys(
        &self,
        sets: &KeySets,
        issuer: &str,
        kid: &str,
        now: UnixTime,
    ) -> Result<Arc<JwkSet>, ProviderError> {
        let jwks_uri = self.jwks_uri(issuer, now).await?;
        let keys = sets.get(&jwks_uri, Some(kid), now).await;
        keys.map_err(|error| ProviderError::Keys {
            issuer: issuer.to_owned(),
            error,
        })
    }

    async fn jwks_uri(&self, issuer: &str, now: UnixTime) -> Result<Arc<str>, ProviderError> {
        let entry = self.known.get_with(issuer.into(), Arc::default);
        let mut known = entry.lock().await;
        if let Some(known) = known.as_ref().filter(|known| now < known.until) {
            return known.jwks_uri.clone();
        }
        let jwks_uri = self.discover(issuer).await;
        let secs = match &jwks_uri {
            Ok(_) => MAX_AGE_SECS,
            Err(_) => RETRY_SECS,
        };
        *known = Some(Known {
            jwks_uri: jwks_uri.clone(),
            until: now.plus_secs(secs),
        });
        jwks_uri
    }

    async fn discover(&self, issuer: &str) -> Result<Arc<str>, ProviderError> {
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let fetched = self.fetcher.get(Kind::Keys, &url).await;
        let fetched = fetched.map_err(|error| ProviderError::Fetch {
            issuer: issuer.to_owned(),
            error: Arc::new(error),
        })?;
        let malformed = |why| ProviderError::Malformed {
            issuer: issuer.to_owned(),
            why,
        };
        let object = json::object(&fetched.body).map_err(|_| malformed("it is no JSON object"))?;
        let text = |name: &str| object.get(name).and_then(|value| value.as_str());
        // OpenID Connect Discovery §4.3: the very issuer that was asked, letter for letter.
        if text("issuer") != Some(issuer) {
            return Err(malformed("it names another issuer"));
        }
        let jwks_uri = text("jwks_uri").ok_or_else(|| malformed("it has no `jwks_uri`"))?;
        // The fetcher takes https alone; what it may reach is the operator's to say.
        Ok(jwks_uri.into())
    }
}
