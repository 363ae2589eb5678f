//! `udap.toml`: every setting has a type, an origin and a check, and a default wherever one works.
//!
//! ```
//! let text = r#"
//! base_url = "https://fhir.example.org/r4"
//! upstream = "http://10.0.0.5:8080/fhir"
//! tls = { cert = "tls.pem", key_file = "tls.key" }
//!
//! [[community]]
//! uri = "https://community.example"
//! anchors = "community.pem"
//! identity = { cert = "server.pem", key_file = "server.key" }
//! "#;
//! let config = udap_host::config::parse("/etc/udap/udap.toml".as_ref(), text)?;
//! assert_eq!(config.communities[0].rules.guide.as_str(), "2.0");
//! # Ok::<(), udap_host::config::ConfigError>(())
//! ```

mod binding;
mod bundle;
mod check;
mod clients;
mod community;
mod error;
mod origin;
mod read;
mod section;
mod values;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use udap_pki::Revocation;

pub use self::{
    binding::{AccessTokens, Binding, DpopRule, MutualTlsPort},
    clients::{ClientKeys, RegistrationGrant, SmartClient, StatementIssuer},
    error::{At, ConfigError, Problem},
    origin::{Origin, Row},
    values::{Certificates, LogFormat, Secret, TlsRoots},
};
use crate::{
    client_ip::TrustedProxies,
    db::{Location, Migrate},
    dpop::Nonces,
    limits::HttpLimits,
    listen::{ClientCertificates, Issuers, Listen, TlsFiles},
    seal::SecretsKey,
};

/// Reads, checks and completes a configuration file. Paths in it are relative to the file.
/// Descriptions of communities are read with it; the other files that it names are not opened, see
/// [`Config::check_files`].
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        at: None,
        problem: Problem::Unreadable {
            path: path.to_owned(),
            detail: error.to_string(),
        },
    })?;
    parse(path, &text)
}

/// The same from text; `path` is what messages name and what relative paths start from.
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let config = read::config(path, text)?;
    Ok(config)
}

/// The effective configuration of a data holder.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// The FHIR base URL as partners see it: https, no trailing slash. Also `iss` and `aud`.
    pub base_url: String,
    /// The FHIR server behind the gateway, no trailing slash; `None` serves trust endpoints only.
    pub upstream: Option<String>,
    pub listen: SocketAddr,
    /// `None` is `tls = "off"`: a proxy ends TLS.
    pub tls: Option<TlsFiles>,
    /// Database, keys, replay log.
    pub state_dir: PathBuf,
    /// The URL of a PostgreSQL database; `None` is SQLite in the state directory.
    pub database: Option<Secret>,
    /// Whether a start brings the schema up to date.
    pub migrations: Migrate,
    /// The key under which secrets are sealed that are kept in the database.
    pub secrets_key_file: Option<PathBuf>,
    /// Lifetime of access tokens in seconds, at most 3600 (HL7 SSRAA §5.2.2).
    pub token_lifetime_secs: i64,
    pub access_token: AccessTokens,
    /// The port where TLS clients show a certificate, if there is one.
    pub mutual_tls: Option<MutualTlsPort>,
    /// Whether DPoP proofs must repeat a nonce of this server.
    pub dpop_nonces: Nonces,
    /// Whether the upstream sees the caller's access token.
    pub forward_token: bool,
    pub scopes_supported: Vec<String>,
    /// Proxies whose `Forwarded` headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Where `/metrics` is served, apart from what partners reach.
    pub metrics_listen: Option<SocketAddr>,
    /// Where operators and their programs are served, apart from what partners reach.
    pub admin: Option<AdminListen>,
    pub log_format: LogFormat,
    pub workers: usize,
    pub fetch: Fetch,
    pub limits: HttpLimits,
    pub rates: Rates,
    /// Further FHIR base URLs of this server; see [`Self::data_holders`].
    pub more_data_holders: Vec<DataHolder>,
    /// Grants for which apps may register.
    pub registration_grants: Vec<RegistrationGrant>,
    /// Whether an app may name its registered URL of keys in place of certificates (HL7 SSRAA §7.6).
    pub experimental_jku: bool,
    pub smart_clients: Vec<SmartClient>,
    /// Whose statements about apps count, by keys.
    pub statement_issuers: Vec<StatementIssuer>,
    pub communities: Vec<Community>,
    rows: Vec<Row>,
}

impl Config {
    /// One row per effective value, in the order of the documentation; secrets redacted.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Opens the files that the configuration names: certificates parse, keys are private and
    /// belong to them, and no trust anchor stands for two communities.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        check::files(self)
    }

    /// Every FHIR base URL that is served, the one at the top of the file first.
    pub fn data_holders(&self) -> Vec<DataHolder> {
        let first = DataHolder {
            base_url: self.base_url.clone(),
            upstream: self.upstream.clone(),
            endpoints: Endpoints::Own,
        };
        let more = self.more_data_holders.iter().cloned();
        std::iter::once(first).chain(more).collect()
    }

    /// Which database; a `database_file` is read now.
    pub fn database(&self) -> Result<Location, ConfigError> {
        check::database(self)
    }

    /// The key under which secrets are sealed, if there is one; the file is read now.
    pub fn secrets_key(&self) -> Result<Option<SecretsKey>, ConfigError> {
        check::secrets_key(self)
    }

    /// What [`crate::listen`] takes.
    pub fn listen(&self) -> Listen {
        Listen {
            addr: self.listen,
            tls: self.tls.clone(),
            client_certificates: ClientCertificates::Off,
            limits: self.limits.clone(),
        }
    }

    /// The same for the port where clients show a certificate, which names these issuers.
    pub fn mutual_tls_listen(&self, issuers: Issuers) -> Option<Listen> {
        let port = self.mutual_tls.as_ref()?;
        Some(Listen {
            addr: port.listen,
            client_certificates: match self.tls {
                Some(_) => ClientCertificates::Ask { issuers },
                None => ClientCertificates::FromProxies(self.trusted_proxies.clone()),
            },
            ..self.listen()
        })
    }
}

/// How much of what costs the server more than the sender one address may cause in a minute. No
/// partner that works as it should comes near the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Registration requests, good or not.
    pub registrations_per_minute: u32,
    /// Requests of one client from there that were refused, though it proved who it is: repeated ones,
    /// or by a certificate that is revoked or has expired.
    pub refusals_per_minute: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            // A vendor that moves hundreds of apps at once spreads them over two minutes.
            registrations_per_minute: 300,
            // Two a second, all wrong, for a minute: a loop, or somebody who guesses.
            refusals_per_minute: 120,
        }
    }
}

/// One FHIR base URL: the top of the file, or one `[[data_holder]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataHolder {
    /// As partners see it: https, no trailing slash.
    pub base_url: String,
    /// The FHIR server behind it; `None` serves trust endpoints only.
    pub upstream: Option<String>,
    pub endpoints: Endpoints,
}

/// Where apps of a data holder register and ask for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Under its own base URL: its registrations and tokens are its own.
    Own,
    /// Tokens under its own base URL, registration where the first data holder has it: who is
    /// registered there is registered here.
    SharedRegistration,
    /// Both where the first data holder has them. A token request says by `resource` which of them
    /// it is for (RFC 8707).
    Shared,
}

/// `admin_listen`, and `admin_tls` where others than this machine reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminListen {
    pub addr: SocketAddr,
    pub tls: Option<TlsFiles>,
}

impl AdminListen {
    /// What [`crate::listen`] takes. A page is asked for by a person, not by thousands of partners.
    pub fn listen(&self) -> crate::listen::Listen {
        crate::listen::Listen {
            addr: self.addr,
            tls: self.tls.clone(),
            client_certificates: ClientCertificates::Off,
            limits: HttpLimits {
                max_connections: 200,
                max_body_bytes: 64 * 1024,
                ..HttpLimits::default()
            },
        }
    }
}

/// One `[[community]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Community {
    pub uri: String,
    /// Trust anchors.
    pub anchors: Vec<Certificates>,
    /// Intermediates to build paths with; not trusted by themselves.
    pub intermediates: Vec<Certificates>,
    /// One certificate names every base URL, or there is one for each.
    pub identities: Vec<Identity>,
    pub revocation: Revocation,
    /// How long an out-of-date CRL or OCSP answer still counts, in seconds.
    pub grace_secs: i64,
    pub certifications: Certifications,
    /// URIs of registered members that are told about every access token, as the resource servers
    /// of this data holder are (RFC 7662 §4).
    pub resource_servers: Vec<String>,
    /// URIs of members whose authorization assertions count (UDAP Authorization Grants §5); none is the
    /// default, and then the grant is not offered.
    pub assertion_issuers: Vec<String>,
    /// The file of its description, if it has one.
    pub definition: Option<PathBuf>,
    /// Its rules: those of its profile or description, with what is set here over them. Whose
    /// certificates count stands in the fields above.
    pub rules: Arc<udap_proto::community::Community>,
    /// What its tokens may or must be bound to.
    pub binding: Binding,
    /// What the rules were made of: what is set here, and what it was laid over.
    pub layers: Layers,
    /// What the community publishes about itself, if that is fetched.
    pub bundle: Option<Bundle>,
}

/// A community's rules before they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// What the configuration itself sets.
    pub own: udap_proto::community::Definition,
    /// The profile or description under it.
    pub base: udap_proto::community::Definition,
}

/// `[community.bundle]`: what the community publishes about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub url: String,
    pub signer: BundleSigner,
    pub anchors: FollowAnchors,
    /// How often it is asked for, in seconds.
    pub every_secs: i64,
}

/// From whom a bundle is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleSigner {
    /// Who has a certificate for the community's URI under the anchors in these PEM files.
    Anchors(Vec<PathBuf>),
    /// The key with this SHA-256 (of its SubjectPublicKeyInfo).
    Key([u8; 32]),
}

/// What becomes of anchors that a bundle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowAnchors {
    /// They are reported; those of the configuration count.
    Report,
    /// They count in place of those of the configuration, until the bundle ends.
    Follow,
}

/// What a community makes of certifications; their programmes are told apart by URI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certifications {
    /// Those that are looked at; any other is ignored.
    pub supported: Vec<String>,
    /// Those without which no app is registered; all of them supported.
    pub required: Vec<String>,
    /// Those for which an app's own signature is enough; all of them supported.
    pub self_signed: Vec<String>,
    /// The trust anchors of certifiers, which are not the members'.
    pub anchors: Vec<Certificates>,
    /// The URIs of the certifiers; none is whoever these anchors vouch for.
    pub certifiers: Vec<String>,
}

/// The data holder's certificate in one community.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// PEM: leaf, then intermediates; all go into `x5c`.
    pub cert: PathBuf,
    pub key: Secret,
}

/// `[fetch]`: what outbound requests may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// `host:port` exceptions to the refusal of private addresses, one by one.
    pub allow_hosts: Vec<String>,
    pub tls_roots: TlsRoots,
}
