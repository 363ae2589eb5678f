//! What access tokens are and what they are bound to: opaque or JWT, mutual TLS (RFC 8705), DPoP
//! (RFC 9449).

use std::net::SocketAddr;

use serde::Serialize;
use udap_proto::community::Community;

use super::{
    ConfigError,
    read::{address, choice, web_url},
    section::{Field, Section},
};
use crate::{client_ip::TrustedProxies, dpop::Nonces};

/// What an access token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessTokens {
    /// A JWT, which says what it permits (RFC 9068).
    #[default]
    Jwt,
    /// Random, and told by introspection alone (RFC 7662).
    Opaque,
}

/// The port at which TLS clients are asked for their certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutualTlsPort {
    pub listen: SocketAddr,
    /// How clients reach it, without a path; `None` is by the host of each base URL and the port of
    /// `listen`.
    pub origin: Option<String>,
}

impl MutualTlsPort {
    /// What a base URL is called at that port.
    pub fn address_of(&self, base_url: &str) -> String {
        let Ok(mut url) = url::Url::parse(base_url) else {
            return base_url.to_owned();
        };
        let path = url.path().trim_end_matches('/').to_owned();
        match &self.origin {
            Some(origin) => format!("{origin}{path}"),
            None => {
                // Fails for URLs without a host only.
                let _ = url.set_port(Some(self.listen.port()));
                url.as_str().trim_end_matches('/').to_owned()
            }
        }
    }
}

/// What tokens of one community may or must be bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// Whether apps may register to be known by their TLS certificate (UDAP Mutual TLS §2).
    pub tls_client_auth: bool,
    /// Whether such an app may read without a token, by its certificate alone (UDAP Mutual TLS §4).
    pub certificate_access: bool,
    pub dpop: DpopRule,
}

/// Whether apps prove possession of a key with each request (RFC 9449).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DpopRule {
    /// No; a proof is not looked at.
    #[default]
    Off,
    /// Those that send one with their token request get a token that is bound to its key.
    Supported,
    /// Nobody gets a token without.
    Required,
}

pub(super) const TOP: [&str; 4] = ["access_token", "mtls_listen", "mtls_origin", "dpop_nonce"];
pub(super) const COMMUNITY: [&str; 3] = ["tls_client_auth", "certificate_access", "dpop"];

pub(super) fn access_tokens(top: &Section<'_>) -> Result<AccessTokens, ConfigError> {
    top.get("access_token", AccessTokens::Jwt, |field| {
        choice(
            field,
            &[("jwt", AccessTokens::Jwt), ("opaque", AccessTokens::Opaque)],
        )
    })
}

pub(super) fn nonces(top: &Section<'_>) -> Result<Nonces, ConfigError> {
    let demanded = top.get("dpop_nonce", false, Field::boolean)?;
    Ok(if demanded {
        Nonces::Demanded
    } else {
        Nonces::Off
    })
}

pub(super) fn mutual_tls(
    top: &Section<'_>,
    own_tls: bool,
    base_url: &str,
    proxies: &TrustedProxies,
) -> Result<Option<MutualTlsPort>, ConfigError> {
    let listen = top.get("mtls_listen", None, |field| address(field).map(Some))?;
    let origin = top.get("mtls_origin", None, |field| origin(field).map(Some))?;
    let Some((listen, field)) = listen.zip(top.find("mtls_listen")) else {
        return match top.find("mtls_origin") {
            Some(field) => Err(field.invalid(field.text()?, "it needs `mtls_listen`")),
            None => Ok(None),
        };
    };
    if !own_tls && proxies.is_empty() {
        let reason = "with `tls = \"off\"` a proxy tells the certificate, and only one among `trusted_proxies` is believed";
        return Err(field.invalid(field.text()?, reason));
    }
    if origin.is_none() && listen.port() == 0 {
        let reason =
            "without a port that is known beforehand, `mtls_origin` must say how it is reached";
        return Err(field.invalid(field.text()?, reason));
    }
    let port = MutualTlsPort { listen, origin };
    if port.address_of(base_url) == base_url {
        let field = top.find("mtls_origin").unwrap_or(field);
        let reason =
            "it must differ from that of `base_url`, where nobody is asked for a certificate";
        return Err(field.invalid(field.text()?, reason));
    }
    Ok(Some(port))
}

/// `https://host:port`
fn origin(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    let url = web_url(field)?;
    if url.scheme() != "https" {
        return Err(field.invalid(text, "certificates are shown by https alone"));
    }
    if url.path() != "/" {
        return Err(field.invalid(
            text,
            "it is host and port alone; paths are those of the base URLs",
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn community(
    section: &Section<'_>,
    port: Option<&MutualTlsPort>,
    rules: &Community,
) -> Result<Binding, ConfigError> {
    let needing = |key: &str, present: bool, reason: &'static str| {
        let set = section.get(key, false, Field::boolean)?;
        match section.find(key) {
            Some(field) if set && !present => Err(field.invalid("true", reason)),
            _ => Ok(set),
        }
    };
    let reason = "certificates are asked for at a port of their own, which `mtls_listen` opens";
    let tls_client_auth = needing("tls_client_auth", port.is_some(), reason)?;
    // UDAP Mutual TLS is not for the guide's communities, whose requests carry what an app signed.
    let demanded = rules.extensions.required();
    if let (true, [first, ..], Some(field)) = (
        tls_client_auth,
        demanded.as_slice(),
        section.find("tls_client_auth"),
    ) {
        let reason = format!(
            "the community demands the extension object `{first}`, which only a signed assertion can hold"
        );
        return Err(field.invalid("true", reason));
    }
    let reason =
        "it is for apps that are known by their certificate, which needs `tls_client_auth`";
    let certificate_access = needing("certificate_access", tls_client_auth, reason)?;
    let dpop = section.get("dpop", DpopRule::Off, |field| {
        choice(
            field,
            &[
                ("off", DpopRule::Off),
                ("supported", DpopRule::Supported),
                ("required", DpopRule::Required),
            ],
        )
    })?;
    // A request without a token has nothing that a proof could be about (RFC 9449 §7).
    if let (true, DpopRule::Required, Some(field)) =
        (certificate_access, dpop, section.find("certificate_access"))
    {
        let reason =
            "with `dpop = \"required\"` nobody reads without a proof, which goes with a token";
        return Err(field.invalid("true", reason));
    }
    Ok(Binding {
        tls_client_auth,
        certificate_access,
        dpop,
    })
}
