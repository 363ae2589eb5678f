//! `udap bench`: what a request costs, in CPU time of the server's process, beside the floor of the
//! same machine in the same minute.

use std::{path::PathBuf, process::ExitCode};

use url::Url;

pub use crate::dev::Format;

/// What `udap bench token` was asked for.
#[derive(Clone, Debug)]
pub struct TokenBench {
    /// What clients sign with.
    pub alg: Alg,
    /// How long to measure, in seconds.
    pub seconds: u32,
    /// Connections kept alive.
    pub connections: usize,
    /// How the result is told.
    pub format: Format,
    /// An authorization server to measure in place of one of our own.
    pub target: Option<Target>,
}

/// What clients sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the registered names of RFC 7518")]
pub enum Alg {
    RS256,
    ES256,
}

/// An authorization server that is running already.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its base URL: the one before `/.well-known/udap`.
    pub url: Url,
    /// The client's certificate chain, PEM, leaf first.
    pub cert: PathBuf,
    /// The client's key, PEM, PKCS#8.
    pub key: PathBuf,
    /// Whose CPU time is counted, if it runs on this machine.
    pub pid: Option<u32>,
    /// Roots to trust for TLS in place of the system's, PEM.
    pub tls_root: Option<PathBuf>,
    /// The trust anchor that the server's signed metadata must lead to, PEM.
    pub anchor: Option<PathBuf>,
}

/// What `udap bench gateway` was asked for.
#[derive(Clone, Debug)]
pub struct GatewayBench {
    /// How long to measure, in seconds.
    pub seconds: u32,
    /// Connections kept alive.
    pub connections: usize,
    /// How the result is told.
    pub format: Format,
}

/// Measures token requests. Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn token(options: TokenBench) -> ExitCode {
    let _ = options;
    todo!()
}

/// Measures reads through the gateway. Exits with 1 when a request failed or nothing could be
/// measured.
#[must_use]
pub fn gateway(options: GatewayBench) -> ExitCode {
    let _ = options;
    todo!()
}

pub(crate) fn floor_server(_: &str, _: &str, _: &str) -> Result<(), anyhow::Error> {
    todo!()
}
pub(crate) fn pass_server(_: &str, _: &str, _: &str, _: &str) -> Result<(), anyhow::Error> {
    todo!()
}
