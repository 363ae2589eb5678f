//! `udap.toml`: every setting has a default that works, an origin, and a check.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{limits::HttpLimits, listen::TlsFiles};

/// Reads, checks and completes a configuration file. Paths in it are relative to the file.
pub fn load(_path: &Path) -> Result<Config, ConfigError> {
    todo!()
}

/// The same from text; `path` is what messages name and what relative paths start from.
pub fn parse(_path: &Path, _text: &str) -> Result<Config, ConfigError> {
    todo!()
}

/// The effective configuration of a data holder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The FHIR base URL as partners see it: https, no trailing slash. Also `iss` and `aud`.
    pub base_url: String,
    /// The FHIR server behind the gateway; `None` serves trust endpoints only.
    pub upstream: Option<String>,
    pub listen: SocketAddr,
    /// `None` is `tls = "off"`: a proxy ends TLS.
    pub tls: Option<TlsFiles>,
    /// Database, keys, replay log.
    pub state_dir: PathBuf,
    pub communities: Vec<Community>,
    pub fetch: Fetch,
    /// Lifetime of access tokens in seconds, at most 3600.
    pub token_lifetime_secs: i64,
    /// Whether the upstream sees the caller's access token.
    pub forward_token: bool,
    pub scopes_supported: Vec<String>,
    pub log_format: LogFormat,
    pub workers: usize,
    pub limits: HttpLimits,
    rows: Vec<Row>,
}

impl Config {
    /// One row per effective value, in the order of the documentation; secrets redacted.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// One `[[community]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Community {
    pub uri: String,
    /// PEM files with trust anchors.
    pub anchors: Vec<PathBuf>,
    /// PEM files with intermediates to build paths with; not trusted by themselves.
    pub intermediates: Vec<PathBuf>,
    pub identity: Identity,
    pub revocation: Revocation,
    /// How long an out-of-date CRL or OCSP answer still counts, in seconds.
    pub grace_secs: i64,
}

/// The data holder's certificate in one community.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// PEM: leaf, then intermediates; all go into `x5c`.
    pub cert: PathBuf,
    pub key: Secret,
}

/// `key = "…"` or `key_file = "…"`.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Inline(String),
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Secret::Inline(_) => f.write_str("Inline(redacted)"),
            Secret::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    Require,
    Prefer,
    Off,
}

/// `[fetch]`: what outbound requests may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// `host:port` exceptions to the refusal of private addresses, one by one.
    pub allow_hosts: Vec<String>,
    pub tls_roots: TlsRoots,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsRoots {
    System,
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    Human,
    Json,
}

/// One effective value for `udap config show`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `community[0].identity.cert`
    pub key: String,
    pub value: serde_json::Value,
    pub origin: Origin,
}

/// Where a value came from; displays as `default` or `udap.toml:12`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
}

/// Why a configuration is refused; displays with file, line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ConfigError {
    pub problem: String,
}

impl ConfigError {
    pub fn code(&self) -> &'static str {
        todo!()
    }
    pub fn hint(&self) -> String {
        todo!()
    }
}
