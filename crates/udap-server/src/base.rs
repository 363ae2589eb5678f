//! One FHIR base URL, and where its apps register and ask for tokens. A server has one or more.
//!
//! Each is a data holder of its own: metadata in its own name, tokens that no other takes. Some share
//! where apps register, or also where they ask for tokens; `docs/decisions/several-base-urls.md` says how
//! a token is kept to the base that it was asked for.

use crate::binding::Published;
use crate::discovery::Discovery;
use crate::path;
use std::sync::Arc;
use udap_host::config::{DataHolder, Endpoints};
use udap_proto::discovery::{AuthorizationServer, MutualTlsEndpoints};
use udap_proto::jws::JwsAlg;

/// What is published for one base URL.
#[derive(Debug)]
pub(crate) struct Base {
    /// Its place in the order of the configuration, and among the faces of each community.
    pub(crate) at: usize,
    /// Its URL.
    pub(crate) base_url: String,
    /// The path of its URL, without a slash at its end.
    pub(crate) path: String,
    /// What it has of its own.
    pub(crate) endpoints: Endpoints,
    /// Whose registrations count here: the base URL of who keeps them, nothing for the first one, whose
    /// URL may then change.
    pub(crate) registrar: String,
    /// `iss` of access tokens.
    pub(crate) issuer: Arc<str>,
    /// `aud` of software statements.
    pub(crate) registration_endpoint: String,
    /// `aud` of authentication tokens.
    pub(crate) token_endpoint: String,
    /// `aud` of authentication tokens that are sent there; the token endpoint is another.
    pub(crate) introspection_endpoint: String,
    /// The same.
    pub(crate) revocation_endpoint: String,
    /// For which base URLs there are tokens at this token endpoint; `aud` of a token is one of them.
    pub(crate) audiences: Vec<Arc<str>>,
    /// The endpoints at the port where clients show a certificate, if there is one.
    pub(crate) mutual_tls: Option<Aliases>,
    /// What is said to those who know nothing of UDAP.
    pub(crate) discovery: Discovery,
}

/// The endpoints at the port where clients show a certificate (RFC 8705 §5).
#[derive(Debug)]
pub(crate) struct Aliases {
    pub(crate) token: String,
    pub(crate) introspection: String,
    pub(crate) revocation: String,
}

impl Aliases {
    fn of(issuer: &str) -> Self {
        Self {
            token: format!("{issuer}{}", path::TOKEN),
            introspection: format!("{issuer}{}", path::INTROSPECT),
            revocation: format!("{issuer}{}", path::REVOKE),
        }
    }
}

/// What every base URL has in common.
pub(crate) struct Common<'a> {
    pub(crate) scopes: &'a [String],
    pub(crate) algs: Vec<JwsAlg>,
    pub(crate) grant_types: Vec<&'static str>,
    /// SMART's `capabilities`
    pub(crate) capabilities: Vec<&'static str>,
    pub(crate) binding: Published,
}

/// Where things are, before the communities are known.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) base_url: String,
    pub(crate) registration_endpoint: String,
    pub(crate) token_endpoint: String,
}

impl Places {
    /// One for each data holder, in their order.
    pub(crate) fn of(data_holders: &[DataHolder]) -> Vec<Self> {
        let first = data_holders.first();
        let place = |holder: &DataHolder| {
            let first = first.unwrap_or(holder);
            let (registers, issues) = match holder.endpoints {
                Endpoints::Own => (holder, holder),
                Endpoints::SharedRegistration => (first, holder),
                Endpoints::Shared => (first, first),
            };
            Self {
                base_url: holder.base_url.clone(),
                registration_endpoint: format!("{}{}", registers.base_url, path::REGISTER),
                token_endpoint: format!("{}{}", issues.base_url, path::TOKEN),
            }
        };
        data_holders.iter().map(place).collect()
    }
}

impl Base {
    /// One for each data holder, in their order.
    pub(crate) fn all(data_holders: &[DataHolder], common: &Common<'_>) -> Vec<Arc<Self>> {
        let places = Places::of(data_holders);
        let holders = data_holders.iter().zip(places).enumerate();
        holders
            .map(|(at, (holder, place))| {
                Arc::new(Self::new(at, holder, place, data_holders, common))
            })
            .collect()
    }

    fn new(
        at: usize,
        holder: &DataHolder,
        place: Places,
        data_holders: &[DataHolder],
        common: &Common<'_>,
    ) -> Self {
        let first = data_holders.first().unwrap_or(holder);
        let issuer = match holder.endpoints {
            Endpoints::Own | Endpoints::SharedRegistration => &holder.base_url,
            Endpoints::Shared => &first.base_url,
        };
        let registrar = match holder.endpoints {
            Endpoints::Own if at > 0 => holder.base_url.clone(),
            _ => String::new(),
        };
        let shared = data_holders
            .iter()
            .filter(|other| issuer == &first.base_url && other.endpoints == Endpoints::Shared);
        let audiences = std::iter::once(issuer)
            .chain(shared.map(|other| &other.base_url))
            .map(|url| url.as_str().into())
            .collect();
        let introspection_endpoint = format!("{issuer}{}", path::INTROSPECT);
        let revocation_endpoint = format!("{issuer}{}", path::REVOKE);
        let port = common.binding.port.as_ref();
        let mutual_tls = port.map(|port| Aliases::of(&port.address_of(issuer)));
        let discovery = Discovery::new(&AuthorizationServer {
            auth_methods: common.binding.methods.clone(),
            mutual_tls: mutual_tls.as_ref().map(|port| MutualTlsEndpoints {
                token: port.token.clone(),
                introspection: port.introspection.clone(),
                revocation: port.revocation.clone(),
            }),
            dpop_algs: common.binding.dpop_algs.to_vec(),
            issuer: issuer.clone(),
            token_endpoint: place.token_endpoint.clone(),
            registration_endpoint: place.registration_endpoint.clone(),
            jwks_uri: format!("{issuer}{}", path::JWKS),
            introspection_endpoint: Some(introspection_endpoint.clone()),
            revocation_endpoint: Some(revocation_endpoint.clone()),
            grant_types: common.grant_types.clone(),
            scopes: common.scopes.to_vec(),
            algs: common.algs.clone(),
            capabilities: common.capabilities.clone(),
        });
        Self {
            at,
            base_url: holder.base_url.clone(),
            path: path_of(&holder.base_url),
            endpoints: holder.endpoints,
            registrar,
            issuer: issuer.as_str().into(),
            registration_endpoint: place.registration_endpoint,
            token_endpoint: place.token_endpoint,
            introspection_endpoint,
            revocation_endpoint,
            audiences,
            mutual_tls,
            discovery,
        }
    }

    /// For which base URL a token is, by the `resource` of its request (RFC 8707 §2). One token is for one
    /// base URL: were it good at several, whoever receives it at one could use it at another.
    pub(crate) fn audience(&self, resource: Option<&str>) -> Result<Arc<str>, TargetError> {
        match (resource, self.audiences.as_slice()) {
            (None, [only]) => Ok(Arc::clone(only)),
            (None, _) => Err(TargetError::Missing {
                known: self.audiences.join(", "),
            }),
            (Some(resource), known) => known
                .iter()
                .find(|audience| ***audience == *resource)
                .map(Arc::clone)
                .ok_or_else(|| TargetError::Unknown {
                    resource: resource.to_owned(),
                    known: known.join(", "),
                }),
        }
    }
}

fn path_of(base_url: &str) -> String {
    url::Url::parse(base_url)
        .map(|url| url.path().trim_end_matches('/').to_owned())
        .unwrap_or_default()
}

/// Why it is not known for which FHIR base URL a token is to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("parameter `resource` is missing; several FHIR servers share this endpoint: {known}")]
    Missing { known: String },
    #[error("there are no tokens here for `{resource}`, but for {known}")]
    Unknown { resource: String, known: String },
}

impl TargetError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "resource-missing",
            Self::Unknown { .. } => "resource-unknown",
        }
    }
}
