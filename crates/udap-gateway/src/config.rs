//! What a gateway is told, and what it makes of it once at the start.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use rustls::{ClientConfig, pki_types::ServerName};
use udap_host::{client_ip::TrustedProxies, dpop::Dpop};
use url::Url;

use crate::rewrite::Replacements;

/// What a gateway needs to know. [`GatewayConfig::new`] fills in what most data holders want.
#[derive(Clone)]
pub struct GatewayConfig {
    /// The FHIR base URL that clients use.
    pub base_url: String,
    /// Whom access tokens are for; by default the base URL. Another where one FHIR server is reached
    /// at two addresses.
    pub audience: String,
    /// Who issues the access tokens; by default the base URL.
    pub issuer: String,
    /// The base URL of the FHIR server behind the gateway, `http` or `https`.
    pub upstream: String,
    /// Further base URLs that the FHIR server writes into its answers for its own, for example one
    /// that it was configured with, or the gateway's host with the server's own path, which a server
    /// writes that honours `Forwarded`. Where they occur they become the gateway's.
    pub upstream_aliases: Vec<String>,
    /// How the FHIR server's certificate is judged; needed when `upstream` is `https`.
    pub upstream_tls: Option<Arc<ClientConfig>>,
    /// Whether the FHIR server sees the client's access token.
    pub upstream_token: UpstreamToken,
    /// Proxies in front of the gateway whose word about the client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// Which proofs of possession were taken; without, none is looked at and no token that needs one
    /// serves.
    pub dpop: Option<Arc<Dpop>>,
    pub timeouts: Timeouts,
}

impl GatewayConfig {
    /// A gateway in front of `upstream` with the usual settings: issuer is the base URL, the token
    /// is withheld.
    pub fn new(base_url: impl Into<String>, upstream: impl Into<String>) -> Self {
        let base_url = base_url.into();
        Self {
            issuer: base_url.clone(),
            audience: base_url.clone(),
            base_url,
            upstream: upstream.into(),
            upstream_aliases: Vec::new(),
            upstream_tls: None,
            upstream_token: UpstreamToken::Withhold,
            trusted_proxies: TrustedProxies::default(),
            dpop: None,
            timeouts: Timeouts::default(),
        }
    }
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("base_url", &self.base_url)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("upstream", &self.upstream)
            .field("upstream_aliases", &self.upstream_aliases)
            .field("upstream_token", &self.upstream_token)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// Whether the FHIR server sees the client's access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamToken {
    /// No: it cannot lose what it does not have.
    #[default]
    Withhold,
    /// Yes, for a server that has rules of its own about the same token.
    Forward,
}

/// How long the FHIR server may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection, TLS included.
    pub connect: Duration,
    /// From the request to the head of the answer. Heavy searches take tens of seconds.
    pub first_byte: Duration,
    /// Between two pieces of an answer, and of a search form from the client.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
        }
    }
}

/// Why a configuration cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} `{value}` is not a URL: {why}")]
    NotAUrl {
        name: &'static str,
        value: String,
        why: String,
    },
    #[error("{name} `{value}` must be http or https with a host, without user, query and fragment")]
    NotABase { name: &'static str, value: String },
    #[error(
        "{name} `{value}` has a path that is not in its plain form (dots, `//`, `;` or encoded characters)"
    )]
    PathNotPlain { name: &'static str, value: String },
    #[error("upstream `{value}` is https, and nothing says whom to trust for it")]
    NoTrustForUpstream { value: String },
    #[error("upstream and base URL are the same (`{value}`): the gateway would call itself")]
    Loop { value: String },
}

impl ConfigError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAUrl { .. } => "gateway-url-malformed",
            Self::NotABase { .. } => "gateway-url-not-a-base",
            Self::PathNotPlain { .. } => "gateway-url-path-not-plain",
            Self::NoTrustForUpstream { .. } => "gateway-upstream-trust-missing",
            Self::Loop { .. } => "gateway-loop",
        }
    }
}

/// A base URL taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// As configured, without a slash at the end.
    pub(crate) url: String,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and, unless it is the default, port: as in `Host` and `Forwarded`.
    pub(crate) authority: HeaderValue,
    /// `/fhir/r4`, or empty.
    pub(crate) path: String,
    /// The same in segments.
    pub(crate) segments: Vec<String>,
}

impl Base {
    pub(crate) fn parse(name: &'static str, value: &str) -> Result<Self, ConfigError> {
        let not_a_base = || ConfigError::NotABase {
            name,
            value: value.to_owned(),
        };
        let url = Url::parse(value).map_err(|e| ConfigError::NotAUrl {
            name,
            value: value.to_owned(),
            why: e.to_string(),
        })?;
        let scheme = match url.scheme() {
            "http" => "http",
            "https" => "https",
            _ => return Err(not_a_base()),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(not_a_base());
        };
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !plain || url.fragment().is_some() {
            return Err(not_a_base());
        }
        let written = value.strip_suffix('/').unwrap_or(value);
        let path = url.path().strip_suffix('/').unwrap_or(url.path());
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let not_plain = || ConfigError::PathNotPlain {
            name,
            value: value.to_owned(),
        };
        // The URL parser repairs (dots, case, default port). What it had to repair would not be
        // found in answers, nor equal the audience of tokens.
        if written != format!("{scheme}://{authority}{path}") || path.contains('%') {
            return Err(not_plain());
        }
        let segments = match path {
            "" => Vec::new(),
            path => crate::path::segments(path).map_err(|_| not_plain())?,
        };
        Ok(Self {
            url: written.to_owned(),
            scheme,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: HeaderValue::from_str(&authority).map_err(|_| not_a_base())?,
            path: path.to_owned(),
            segments: segments
                .into_iter()
                .map(std::borrow::Cow::into_owned)
                .collect(),
        })
    }
}

/// Gateway and upstream, and the way between their addresses.
#[derive(Debug)]
pub(crate) struct Bases {
    pub(crate) gateway: Base,
    pub(crate) upstream: Base,
    pub(crate) replacements: Replacements,
}

impl Bases {
    pub(crate) fn new(config: &GatewayConfig) -> Result<Self, ConfigError> {
        let gateway = Base::parse("base_url", &config.base_url)?;
        let upstream = Base::parse("upstream", &config.upstream)?;
        if gateway.url == upstream.url {
            return Err(ConfigError::Loop {
                value: upstream.url,
            });
        }
        if upstream.scheme == "https" && config.upstream_tls.is_none() {
            return Err(ConfigError::NoTrustForUpstream {
                value: upstream.url,
            });
        }
        let aliases: Vec<Base> = config
            .upstream_aliases
            .iter()
            .map(|alias| Base::parse("upstream_aliases", alias))
            .collect::<Result<_, _>>()?;
        let from = std::iter::once(upstream.url.as_str())
            .chain(aliases.iter().map(|alias| alias.url.as_str()));
        let replacements =
            Replacements::new(from.filter(|from| *from != gateway.url), &gateway.url);
        Ok(Self {
            gateway,
            upstream,
            replacements,
        })
    }

    /// A parameter's value that begins with the gateway's address, such as an absolute reference
    /// from an earlier answer, as the upstream knows it. `None` when nothing changes.
    pub(crate) fn to_upstream(&self, value: &str) -> Option<String> {
        let ours = |part: &str| {
            part.strip_prefix(&self.gateway.url)
                .filter(|rest| rest.starts_with('/'))
                .map(|rest| format!("{}{rest}", self.upstream.url))
        };
        // FHIR R4 §3.1.1.4: a comma separates values that are alternatives.
        if !value.split(',').any(|part| ours(part).is_some()) {
            return None;
        }
        let parts: Vec<String> = value
            .split(',')
            .map(|part| ours(part).unwrap_or_else(|| part.to_owned()))
            .collect();
        Some(parts.join(","))
    }

    /// The name that the upstream's TLS certificate must have.
    pub(crate) fn server_name(&self) -> Result<ServerName<'static>, ConfigError> {
        ServerName::try_from(self.upstream.host.clone()).map_err(|_| ConfigError::NotABase {
            name: "upstream",
            value: self.upstream.url.clone(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn code(base_url: &str, upstream: &str) -> &'static str {
        Bases::new(&GatewayConfig::new(base_url, upstream)).map_or_else(|e| e.code(), |_| "fine")
    }

    #[test]
    fn addresses_that_cannot_work_are_refused() {
        for (base_url, upstream, expected) in [
            ("https://gw.example/r4", "http://10.0.0.5:8080/fhir", "fine"),
            ("https://gw.example/r4/", "http://10.0.0.5:8080", "fine"),
            ("https://gw.example", "http://[::1]:8080/fhir/", "fine"),
            ("gw.example/r4", "http://up", "gateway-url-malformed"),
            (
                "https://gw.example/r4",
                "ftp://up",
                "gateway-url-not-a-base",
            ),
            (
                "https://gw.example/r4",
                "http://a:b@up",
                "gateway-url-not-a-base",
            ),
            (
                "https://gw.example/r4?x",
                "http://up",
                "gateway-url-not-a-base",
            ),
            (
                "https://gw.example/r4#x",
                "http://up",
                "gateway-url-not-a-base",
            ),
            (
                "https://gw.example/a/../b",
                "http://up",
                "gateway-url-path-not-plain",
            ),
            (
                "https://gw.example/a//b",
                "http://up",
                "gateway-url-path-not-plain",
            ),
            (
                "https://gw.example/a%20b",
                "http://up",
                "gateway-url-path-not-plain",
            ),
            (
                "https://gw.example/a;b",
                "http://up",
                "gateway-url-path-not-plain",
            ),
            (
                "https://GW.example/r4",
                "http://up",
                "gateway-url-path-not-plain",
            ),
            (
                "https://gw.example:443/r4",
                "http://up",
                "gateway-url-path-not-plain",
            ),
            (
                "https://gw.example/r4",
                "https://up",
                "gateway-upstream-trust-missing",
            ),
            (
                "https://gw.example/r4",
                "https://gw.example/r4/",
                "gateway-loop",
            ),
        ] {
            assert_eq!(code(base_url, upstream), expected, "{base_url} {upstream}");
        }
    }

    #[test]
    fn values_with_our_address_become_the_upstreams() {
        let bases = Bases::new(&GatewayConfig::new(
            "https://gw.example/r4",
            "http://up:8080/fhir",
        ))
        .unwrap();
        for (value, expected) in [
            (
                "https://gw.example/r4/Patient/1",
                Some("http://up:8080/fhir/Patient/1"),
            ),
            (
                "Patient/2,https://gw.example/r4/Patient/1",
                Some("Patient/2,http://up:8080/fhir/Patient/1"),
            ),
            ("https://gw.example/r4x/Patient/1", None),
            ("Patient/1", None),
            ("see https://gw.example/r4/Patient/1", None),
        ] {
            assert_eq!(bases.to_upstream(value).as_deref(), expected);
        }
    }
}
