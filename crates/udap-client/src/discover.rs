//! Discovery: the metadata of a server, verified before anything in it is used (HL7 SSRAA §2).

use crate::client::Client;
use crate::error::{ClientError, Tried};
use crate::plan::Plan;
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::jws::JwsAlg;
use udap_proto::metadata::{self, Verified};
use udap_trust::fetch::{Kind, check_url};
use udap_trust::verify::Verdict;
use url::Url;

/// What a client needs to know of a server, from the signed part of its metadata. This is what may
/// be remembered to show requests later; to send one, a [`Discovered`] is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its FHIR base URL, byte for byte.
    pub base_url: String,
    /// The community that vouches for it.
    pub community: String,
    /// Where apps register.
    pub registration_endpoint: String,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// Where users sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where it says what a token is worth; only once [`Client::locate`] has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// Where it ends tokens; the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// What it accepts and requires, where it says so; the lists of the metadata by their names.
    pub lists: std::collections::BTreeMap<String, Vec<String>>,
}

/// The lists of metadata that a client looks at.
const LISTS: [&str; 8] = [
    PROFILES,
    GRANTS,
    TOKEN_ALGS,
    REGISTRATION_ALGS,
    EXTENSIONS_SUPPORTED,
    EXTENSIONS_REQUIRED,
    "udap_certifications_required",
    "scopes_supported",
];
const PROFILES: &str = "udap_profiles_supported";
const GRANTS: &str = "grant_types_supported";
pub(crate) const TOKEN_ALGS: &str = "token_endpoint_auth_signing_alg_values_supported";
pub(crate) const REGISTRATION_ALGS: &str = "registration_endpoint_jwt_signing_alg_values_supported";
const EXTENSIONS_SUPPORTED: &str = "udap_authorization_extensions_supported";
const EXTENSIONS_REQUIRED: &str = "udap_authorization_extensions_required";

impl Server {
    /// A list of its metadata; `None` where it has none, and then nothing is assumed (UDAP Server
    /// Metadata §2).
    #[must_use]
    pub fn list(&self, name: &str) -> Option<&[String]> {
        self.lists.get(name).map(Vec::as_slice)
    }

    /// The extension objects that every token request must carry.
    #[must_use]
    pub fn extensions_required(&self) -> &[String] {
        self.list(EXTENSIONS_REQUIRED).unwrap_or_default()
    }

    pub(crate) fn require_profile(&self, profile: &'static str) -> Result<(), ClientError> {
        self.require(PROFILES, profile)
    }

    pub(crate) fn require_grant(&self, grant: &'static str) -> Result<(), ClientError> {
        self.require(GRANTS, grant)
    }

    pub(crate) fn require_alg(&self, list: &'static str, alg: JwsAlg) -> Result<(), ClientError> {
        self.require(list, alg.as_str())
    }

    fn require(&self, list: &'static str, wanted: &'static str) -> Result<(), ClientError> {
        match self.list(list) {
            Some(offered) if !offered.iter().any(|value| value == wanted) => {
                Err(ClientError::NotOffered {
                    list,
                    wanted,
                    offered: offered.to_vec(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// A server whose metadata was verified in one community. Only [`Client::discover`] makes one.
#[derive(Debug, Clone)]
pub struct Discovered {
    server: Server,
    metadata: Verified,
    verdict: Verdict,
}

impl Discovered {
    /// What is needed of it later.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }
    pub(crate) const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }
    /// All of its metadata.
    #[must_use]
    pub const fn metadata(&self) -> &Verified {
        &self.metadata
    }
    /// Why it is trusted, with the trace of how that was found.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }
    /// Until when both hold: the end of the signed metadata or of the verdict, whichever is first; a verdict
    /// without known revocation holds 30 seconds. From then on nothing is signed for it; tokens that are known
    /// are given out while the verdict holds.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.metadata.exp().min(self.verdict.expires())
    }
}

impl Deref for Discovered {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Client {
    /// Fetches and verifies a server's metadata.
    ///
    /// The community is `community`, or that of the identity, or the one of the configured ones
    /// that alone vouches for the server. Nothing but verified metadata is ever used, so any doubt
    /// ends here (HL7 SSRAA §2.3): a bad signature, an untrusted or revoked certificate, a base URL
    /// that is not its name, an endpoint that was altered or is not https.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn discover(
        &self,
        base_url: &str,
        community: Option<&str>,
    ) -> Result<Discovered, ClientError> {
        check_base_url(base_url)?;
        let identity = self.identity().map(|identity| identity.community.as_str());
        if let Some(community) = community.or(identity) {
            return self.discover_in(base_url, community).await;
        }
        match self.inner().communities.as_slice() {
            [] => Err(ClientError::NoCommunity),
            [only] => self.discover_in(base_url, only).await,
            several => self.resolve(base_url, several).await,
        }
    }

    /// The request that [`Self::discover`] sends for one community.
    ///
    /// # Errors
    /// [`ClientError::BaseUrl`]
    pub fn plan_discover(
        &self,
        base_url: &str,
        community: Option<&str>,
    ) -> Result<Plan, ClientError> {
        let mut url = check_base_url(base_url)?;
        url.set_path(&format!(
            "{}{}",
            url.path().trim_end_matches('/'),
            metadata::PATH
        ));
        if let Some(community) = community {
            url.query_pairs_mut().append_pair("community", community);
        }
        Ok(Plan::get(url, "application/json"))
    }

    /// Each community in turn: exactly one may vouch for the server. Were it two, the one whose
    /// rules are to hold has to be chosen by whoever asks.
    async fn resolve(
        &self,
        base_url: &str,
        communities: &[String],
    ) -> Result<Discovered, ClientError> {
        let mut found: Vec<Discovered> = Vec::new();
        let mut tried = Vec::new();
        for community in communities {
            match self.discover_in(base_url, community).await {
                Ok(server) => found.push(server),
                Err(error) if error.is_about_one_community() => tried.push(Tried {
                    community: community.clone(),
                    code: error.code(),
                    why: error.to_string(),
                }),
                Err(error) => return Err(error),
            }
        }
        if found.len() > 1 {
            return Err(ClientError::CommunityAmbiguous {
                communities: found.into_iter().map(|f| f.server.community).collect(),
            });
        }
        found.pop().ok_or(ClientError::NoCommunityAccepts { tried })
    }

    async fn discover_in(
        &self,
        base_url: &str,
        community: &str,
    ) -> Result<Discovered, ClientError> {
        let plan = self.plan_discover(base_url, Some(community))?;
        let body = self.fetch_metadata(&plan, community).await?;
        let now = self.now();
        // The signature first: nobody's certificates are looked into on the word of a stranger.
        let signed = metadata::verify_signature(&body, &JwsAlg::SSRAA)?;
        let signer = signed.signer();
        let verdict = self
            .inner()
            .trust
            .verify(community, signer.leaf(), signer.intermediates(), now)
            .await
            .map_err(|error| ClientError::Untrusted {
                community: community.to_owned(),
                error: Box::new(error),
            })?;
        let metadata = signed.verify(&verdict, base_url, now)?;
        let server = server(base_url, community, &metadata)?;
        Ok(Discovered {
            server,
            metadata,
            verdict,
        })
    }

    /// Before anything is signed for a server: what was verified of it still holds.
    pub(crate) fn require_current(&self, server: &Discovered) -> Result<(), ClientError> {
        let (now, expires) = (self.now(), server.expires());
        if now >= expires {
            return Err(ClientError::DiscoveryExpired {
                base_url: server.base_url.clone(),
                expires,
                now,
            });
        }
        Ok(())
    }

    async fn fetch_metadata(&self, plan: &Plan, community: &str) -> Result<Bytes, ClientError> {
        let answer = self.send(plan).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(ClientError::NoUdap {
                url: plan.url.clone(),
            }),
            StatusCode::NO_CONTENT => Err(ClientError::CommunityNotServed {
                url: plan.url.clone(),
                community: community.to_owned(),
            }),
            status => Err(ClientError::MetadataStatus {
                url: plan.url.clone(),
                status: status.as_u16(),
            }),
        }
    }
}

fn server(base_url: &str, community: &str, metadata: &Verified) -> Result<Server, ClientError> {
    let https = |member: &'static str, url: &str| {
        check_url(Kind::Api, url)
            .map(|_| url.to_owned())
            .map_err(|error| ClientError::EndpointUrl { member, error })
    };
    Ok(Server {
        base_url: base_url.to_owned(),
        community: community.to_owned(),
        registration_endpoint: https("registration_endpoint", metadata.registration_endpoint())?,
        token_endpoint: https("token_endpoint", metadata.token_endpoint())?,
        authorization_endpoint: metadata
            .authorization_endpoint()
            .map(|url| https("authorization_endpoint", url))
            .transpose()?,
        introspection_endpoint: None,
        revocation_endpoint: None,
        lists: LISTS
            .into_iter()
            .filter_map(|name| {
                let list = metadata.list(name)?;
                Some((
                    name.to_owned(),
                    list.into_iter().map(str::to_owned).collect(),
                ))
            })
            .collect(),
    })
}

/// A base URL is https, with a host and neither query nor fragment.
pub(crate) fn check_base_url(base_url: &str) -> Result<Url, ClientError> {
    let refused = |why: String| ClientError::BaseUrl {
        url: base_url.chars().take(200).collect(),
        why,
    };
    let url = check_url(Kind::Api, base_url).map_err(|error| match error {
        udap_trust::fetch::FetchError::Url { why, .. } => refused(why.to_owned()),
        other => ClientError::Fetch(other),
    })?;
    if url.path().contains("/.well-known/") {
        return Err(refused(
            "it is the address of a document below one".to_owned(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has a query or a fragment".to_owned()));
    }
    Ok(url)
}

/// The base URL that was most likely meant: with its scheme, and without what stands below it.
pub(crate) fn meant(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    if !["http", "https"].contains(&scheme) {
        return None;
    }
    let rest = rest.split(['?', '#']).next()?;
    let base = rest
        .split_once("/.well-known/")
        .map_or(rest, |(base, _)| base);
    let meant = format!("https://{base}");
    (meant != text && check_base_url(&meant).is_ok()).then_some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_that_was_mistyped_is_guessed() {
        let known = |text: &str| (check_base_url(text).is_ok(), meant(text));
        for text in [
            "a.example:8443/fhir",
            "localhost:8443/fhir",
            "http://a.example:8443/fhir",
            "https://a.example:8443/fhir/.well-known/udap",
            "https://a.example:8443/fhir/.well-known/udap?community=x",
            "a.example:8443/fhir/.well-known/smart-configuration",
            "https://a.example:8443/fhir?x",
        ] {
            let host = if text.starts_with("local") {
                "localhost"
            } else {
                "a.example"
            };
            let meant = format!("https://{host}:8443/fhir");
            assert_eq!(known(text), (false, Some(meant)), "{text}");
        }
        assert_eq!(known("https://a.example/fhir"), (true, None));
        for text in [
            "ftp://a.example/fhir",
            "",
            "two words",
            "https://a:b@c.example",
        ] {
            assert_eq!(known(text), (false, None), "{text}");
        }
    }
}
