//! The client, and what it is told once.

use crate::error::{ClientError, Endpoint, Refused};
use crate::identity::Identity;
use crate::plan::Plan;
use crate::token::TokenCache;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use std::fmt;
use std::sync::Arc;
use udap_pki::{Certificate, Reason, Revocation, UnixTime};
use udap_trust::fetch::{FetchPolicy, Fetcher, Kind};
use udap_trust::verify::{CommunityTrust, TrustEngine, TrustError};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// What a client is told.
#[derive(Clone)]
pub struct ClientConfig {
    /// What may be fetched, and who vouches for TLS names.
    pub fetch: FetchPolicy,
    /// The communities whose members are trusted, each by its own anchors.
    pub communities: Vec<CommunityTrust>,
    /// Who this app is; `None` can discover servers and nothing else.
    pub identity: Option<Identity>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl ClientConfig {
    /// Public addresses only, the operating system's TLS roots, no identity.
    #[must_use]
    pub fn new(communities: Vec<CommunityTrust>) -> Self {
        Self {
            fetch: FetchPolicy::default(),
            communities,
            identity: None,
            clock: Arc::new(udap_trust::clock::now),
        }
    }

    /// The same with an identity.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("fetch", &self.fetch)
            .field("communities", &self.communities)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// What can be told of the community of an app's own certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// An anchor of the community vouches for it.
    Vouched,
    /// The certificate of its issuer is neither in the chain nor where it says.
    IssuerMissing,
    /// Nothing, or that it is refused for another reason: expired, or there is none to judge.
    Untold,
}

/// An app that finds, verifies and uses servers. Cheap to clone; clones share connections, verdicts
/// and tokens.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) trust: TrustEngine,
    /// Of the app's own certificate: whether it counts today is for others to say.
    own: TrustEngine,
    pub(crate) communities: Vec<String>,
    pub(crate) tokens: TokenCache,
    identity: Option<Identity>,
    fetcher: Fetcher,
    clock: Clock,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// [`ClientError::Fetch`] without TLS roots to rely on; the errors of [`Identity::check`].
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        if let Some(identity) = &config.identity {
            identity.check()?;
        }
        let fetcher = Fetcher::new(config.fetch)?;
        let mut own = config.communities.clone();
        for community in &mut own {
            community.policy.revocation = Revocation::Off;
        }
        Ok(Self(Arc::new(Inner {
            communities: config.communities.iter().map(|c| c.uri.clone()).collect(),
            trust: TrustEngine::new(Some(fetcher.clone()), config.communities),
            own: TrustEngine::new(Some(fetcher.clone()), own),
            tokens: TokenCache::new(),
            identity: config.identity,
            fetcher,
            clock: config.clock,
        })))
    }

    /// Who this app is.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.0.identity.as_ref()
    }

    /// That the identity's certificate is of the identity's community. A server of several communities
    /// registers an app in the one that its certificate is of, whatever the app takes itself for. Ask once,
    /// before anything is sent as this app; without an identity there is nothing to ask. Whether the
    /// certificate has expired or was revoked is for servers to say.
    ///
    /// # Errors
    /// [`ClientError::NotAMember`]
    pub async fn require_membership(&self) -> Result<Membership, ClientError> {
        let Some((identity, (leaf, intermediates))) = self
            .identity()
            .and_then(|identity| Some((identity, identity.chain.split_first()?)))
        else {
            return Ok(Membership::Untold);
        };
        let own = &self.0.own;
        let verdict = own.verify(&identity.community, leaf, intermediates, self.now());
        match verdict.await {
            Err(error) if !error.is_unanchored() => Ok(Membership::Untold),
            Err(error) if is_without_issuer(&error, leaf) => Ok(Membership::IssuerMissing),
            Err(_) => Err(ClientError::NotAMember {
                community: identity.community.clone(),
                subject: leaf.subject().to_string(),
                issuer: leaf.issuer().to_string(),
            }),
            Ok(_) => Ok(Membership::Vouched),
        }
    }

    /// Sends a request as it was planned. A redirect is never followed: the endpoints of verified
    /// metadata are where a server is, and nowhere else.
    ///
    /// # Errors
    /// [`ClientError::Fetch`], or [`ClientError::Redirected`].
    pub async fn send(&self, plan: &Plan) -> Result<Response<Bytes>, ClientError> {
        let answer = self
            .0
            .fetcher
            .send(
                Kind::Api,
                plan.method.clone(),
                &plan.url,
                plan.header_map()?,
                plan.body_bytes(),
            )
            .await?;
        if answer.status().is_redirection() && answer.status() != StatusCode::NOT_MODIFIED {
            return Err(ClientError::Redirected {
                url: plan.url.clone(),
                status: answer.status().as_u16(),
                location: location(answer.headers()),
            });
        }
        Ok(answer)
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.0.clock)()
    }

    /// The identity, which must belong to the community that vouches for the server.
    pub(crate) fn identity_in(&self, community: &str) -> Result<&Identity, ClientError> {
        let identity = self.identity().ok_or(ClientError::NoIdentity)?;
        if identity.community != community {
            return Err(ClientError::OtherCommunity {
                identity: identity.community.clone(),
                server: community.to_owned(),
            });
        }
        Ok(identity)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("communities", &self.0.communities)
            .field("identity", &self.0.identity)
            .finish_non_exhaustive()
    }
}

/// Whether not even the issuer of the leaf is at hand. Where only one further up is missing, it is the rule that
/// the anchor is another community's, and the exception that the chain's file lacks a certificate.
fn is_without_issuer(error: &TrustError, leaf: &Certificate) -> bool {
    // The search ended at the leaf, and not at a root that issued it.
    matches!(error, TrustError::Refused { reason, .. }
        if matches!(&**reason, Reason::ChainNotTrusted { certificate, issuer }
            if *issuer == leaf.issuer().to_string() && certificate != issuer))
}

/// The body of a success, or what the server gave as its reason.
pub(crate) fn success(
    endpoint: Endpoint,
    answer: Response<Bytes>,
) -> Result<(StatusCode, Bytes), ClientError> {
    let (parts, body) = answer.into_parts();
    if parts.status.is_success() {
        return Ok((parts.status, body));
    }
    Err(ClientError::Refused(Box::new(Refused::read(
        endpoint, &parts, &body,
    ))))
}

fn location(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    Some(location.chars().take(200).collect())
}
