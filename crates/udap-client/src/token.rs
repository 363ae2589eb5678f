//! Access tokens: asked for once, used until shortly before they end (HL7 SSRAA §5.2).

use crate::client::{Client, success};
use crate::discover::{Discovered, Server, TOKEN_ALGS};
use crate::error::{ClientError, Endpoint};
use crate::plan::{Plan, PlanBody};
use moka::future::Cache;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use udap_pki::UnixTime;
use udap_proto::scope::ScopeSet;
use udap_proto::token::{ASSERTION_TYPE, Answer};
use udap_proto::{assertion, json};
use udap_trust::random;
use udap_trust::signer::sign_jws;
use zeroize::Zeroizing;

/// Authorization extension objects by their names.
pub type Extensions = Map<String, Value>;

/// A token is not used in its last seconds: a request takes time, and clocks differ a little.
const MARGIN_SECS: i64 = 30;
/// The most tokens that are kept; each takes some 2 KB.
const MAX_TOKENS: u64 = 10_000;

/// A token and the one server it may be sent to. `Debug` leaves the token out.
#[derive(Clone)]
pub struct AccessToken {
    secret: Arc<Zeroizing<String>>,
    base_url: String,
    scope: ScopeSet,
    expires: UnixTime,
}

impl AccessToken {
    /// The token.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
    /// The FHIR base URL below which it may be sent.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }
    /// What it permits.
    #[must_use]
    pub const fn scope(&self) -> &ScopeSet {
        &self.scope
    }
    /// When it ends.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }

    fn is_fresh(&self, now: UnixTime) -> bool {
        now.plus_secs(MARGIN_SECS) < self.expires
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("base_url", &self.base_url)
            .field("scope", &self.scope.to_string())
            .field("expires", &self.expires.to_string())
            .finish_non_exhaustive()
    }
}

/// What makes two requests for a token the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    token_endpoint: String,
    base_url: String,
    client_id: String,
    scope: String,
    extensions: String,
}

/// Tokens that have not ended. Requests for one token at the same time are one request.
#[derive(Debug)]
pub(crate) struct TokenCache(Cache<Key, AccessToken>);

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(MAX_TOKENS)
                .support_invalidation_closures()
                .build(),
        )
    }

    pub(crate) fn forget(&self, token_endpoint: &str) {
        let endpoint = token_endpoint.to_owned();
        // Fails only for a cache without invalidation closures.
        let _ = self
            .0
            .invalidate_entries_if(move |key, _| key.token_endpoint == endpoint);
    }
}

impl Client {
    /// A token for these scopes: one that is known and has not ended, or a new one.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::DiscoveryExpired`] when the server has to be discovered again for a new one,
    /// [`ClientError::Refused`] with what the server gave as its reason.
    pub async fn token(
        &self,
        server: &Discovered,
        client_id: &str,
        scope: &ScopeSet,
        extensions: &Extensions,
    ) -> Result<AccessToken, ClientError> {
        let key = Key {
            token_endpoint: server.token_endpoint.clone(),
            base_url: server.base_url.clone(),
            client_id: client_id.to_owned(),
            scope: scope.to_string(),
            extensions: Value::Object(extensions.clone()).to_string(),
        };
        let now = self.now();
        // A token that is known is the server's own, though its metadata has ended, while it is trusted.
        if now >= server.verdict().expires() {
            self.require_current(server)?;
        }
        let tokens = &self.inner().tokens.0;
        if let Some(known) = tokens.get(&key).await {
            if known.is_fresh(now) {
                return Ok(known);
            }
            tokens.invalidate(&key).await;
        }
        tokens
            .try_get_with(key, self.ask_token(server, client_id, scope, extensions))
            .await
            .map_err(|error| ClientError::clone(&error))
    }

    /// Drops the tokens of a server, so that the next request asks for a new one: for a server that
    /// no longer takes the one it gave.
    pub fn forget_tokens(&self, server: &Server) {
        self.inner().tokens.forget(&server.token_endpoint);
    }

    /// The request that [`Self::token`] sends, signed.
    ///
    /// # Errors
    /// [`ClientError`] for what the server's metadata already rules out.
    pub async fn plan_token(
        &self,
        server: &Server,
        client_id: &str,
        scope: &ScopeSet,
        extensions: &Extensions,
    ) -> Result<Plan, ClientError> {
        let identity = self.identity_in(&server.community)?;
        server.require_profile("udap_authn")?;
        server.require_grant("client_credentials")?;
        let alg = identity.signer.jws_alg();
        server.require_alg(TOKEN_ALGS, alg)?;
        udap_proto::extensions::check_everywhere(extensions)?;
        let required = server.extensions_required();
        if let Some(missing) = required.iter().find(|name| !extensions.contains_key(*name)) {
            return Err(udap_proto::extensions::ExtensionError::Missing {
                name: missing.clone(),
            }
            .into());
        }
        let unsigned = assertion::unsigned(
            alg,
            &identity.chain,
            client_id,
            &server.token_endpoint,
            self.now(),
            &random::id(),
            extensions,
        );
        let assertion = sign_jws(identity.signer.as_ref(), alg, unsigned).await?;
        // HL7 SSRAA §5.2.2. No `client_id`: it stands in the assertion, and no `Authorization`
        // header either, which must not be there.
        Ok(Plan::post(
            &server.token_endpoint,
            PlanBody::Form(vec![
                ("grant_type", "client_credentials".to_owned()),
                ("scope", scope.to_string()),
                ("client_assertion_type", ASSERTION_TYPE.to_owned()),
                ("client_assertion", assertion),
                ("udap", "1".to_owned()),
            ]),
        ))
    }

    async fn ask_token(
        &self,
        server: &Discovered,
        client_id: &str,
        scope: &ScopeSet,
        extensions: &Extensions,
    ) -> Result<AccessToken, ClientError> {
        self.require_current(server)?;
        let asked_at = self.now();
        let plan = self
            .plan_token(server, client_id, scope, extensions)
            .await?;
        let answer = self.send(&plan).await?;
        let (_, body) = success(Endpoint::Token, answer)?;
        let malformed = |why: String| ClientError::Answer {
            endpoint: Endpoint::Token,
            why,
        };
        let map = json::object(&body).map_err(|e| malformed(e.to_string()))?;
        let answer = Answer::from_json(&map)
            .ok_or_else(|| malformed("it holds no bearer token".to_owned()))?;
        if answer.access_token.is_empty() || !answer.access_token.bytes().all(is_token_byte) {
            return Err(malformed(
                "the token holds characters that no header can".to_owned(),
            ));
        }
        Ok(AccessToken {
            secret: Arc::new(Zeroizing::new(answer.access_token)),
            base_url: server.base_url.clone(),
            scope: answer.scope.unwrap_or_else(|| scope.clone()),
            // From when it was asked for: it may have been made any time since.
            expires: asked_at.plus_secs(answer.expires_in.max(0)),
        })
    }
}

/// RFC 6750 §2.1: `b64token`.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}
