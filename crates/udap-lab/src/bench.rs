//! `udap bench`: what a request costs, in CPU time of the server's process, beside the floor of the
//! same machine in the same minute.
//!
//! Times drift with the machine, its load and its temperature, so that the number to compare is the
//! ratio. Every benchmark prints the same members: `what`, `alg`, `rps`, `p50_ms`, `p99_ms`,
//! `server_cpu_us`, `floor_us`, `ratio`, `errors`.

mod cpu;
mod empty;
mod floor;
mod gateway;
mod load;
mod metadata;
mod place;
mod register;
mod report;
mod token;
mod trust;

use std::{path::PathBuf, process::ExitCode};

use url::Url;

pub use crate::dev::Format;
pub(crate) use floor::{floor_server, pass_server};
use report::Report;
pub use trust::{TrustBench, TrustCost, trust};

/// What `udap bench token` was asked for.
#[derive(Clone, Debug)]
pub struct TokenBench {
    /// What clients sign with.
    pub alg: Alg,
    /// How long to measure, in seconds; 1 to 60, since assertions are signed in advance and end
    /// after five minutes.
    pub seconds: u32,
    /// Connections kept alive, 1 to 1024.
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
    /// A FHIR base URL, whose UDAP metadata say where to register and ask for tokens. With a
    /// `client_id`, the token endpoint itself, of any OAuth server that takes `private_key_jwt`.
    pub url: Url,
    /// The client's certificate chain, PEM, leaf first.
    pub cert: PathBuf,
    /// The client's key, PEM, PKCS#8.
    pub key: PathBuf,
    /// Who the client is at a server that does not register it by its certificate.
    pub client_id: Option<String>,
    /// Whose CPU time is counted, if it runs on this machine.
    pub pid: Option<u32>,
    /// Roots to trust for TLS in place of the system's, PEM.
    pub tls_root: Option<PathBuf>,
}

/// What `udap bench register`, `metadata` or `gateway` was asked for.
#[derive(Clone, Debug)]
pub struct LoadBench {
    /// How long to measure, in seconds: 1 to 600, for registrations 1 to 60, since their statements are
    /// signed in advance and end after five minutes.
    pub seconds: u32,
    /// Connections kept alive, 1 to 1024.
    pub connections: usize,
    /// How the result is told.
    pub format: Format,
}

/// Measures first registrations, each of an app that the server has never seen, with a certificate
/// whose chain is validated for the first time, written to the disk before the answer. The floor is
/// the three signature verifications and an empty handler.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn register(options: LoadBench) -> ExitCode {
    let format = options.format;
    measure(format, register::run(options))
}

/// Measures reads of the signed metadata. The floor is an empty handler.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn metadata(options: LoadBench) -> ExitCode {
    let format = options.format;
    measure(format, metadata::run(options))
}

/// Measures token requests: each with an assertion of its own, signed in advance, over kept-alive TLS
/// connections. The floor is the bare signature operations and an empty handler on the same listener.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn token(options: TokenBench) -> ExitCode {
    let format = options.format;
    measure(format, token::run(options))
}

/// Measures reads of a patient of 2 KB through the gateway, TLS in front and plain HTTP behind. The
/// floor is the same way without a token, a scope or a rewritten address.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn gateway(options: LoadBench) -> ExitCode {
    let format = options.format;
    measure(format, gateway::run(options))
}

fn measure(format: Format, work: impl Future<Output = Result<Report, BenchError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(BenchError::Other(error.to_string())),
    };
    match result {
        Ok(report) => {
            report.print(format);
            match report.errors {
                0 => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            }
        }
        Err(error) => {
            error.print(format);
            ExitCode::FAILURE
        }
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Dev(#[from] crate::dev::DevError),
    #[error(transparent)]
    Wire(#[from] crate::wire::WireError),
    #[error("{url} answered with {status}: {text}")]
    Refused {
        url: String,
        status: u16,
        text: String,
    },
    #[error("{what} must be from {min} to {max}")]
    Range {
        what: &'static str,
        min: u64,
        max: u64,
    },
    #[error("{0}")]
    Other(String),
}

impl BenchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Dev(error) => error.code(),
            Self::Refused { .. } => "bench-refused",
            Self::Range { .. } => "bench-range",
            Self::Wire(_) | Self::Other(_) => "bench-failed",
        }
    }

    fn print(&self, format: Format) {
        let hint = match self {
            Self::Dev(error) => error.hint(),
            _ => String::new(),
        };
        report::failure(format, self.code(), &self.to_string(), &hint);
    }
}

/// How long and over how many connections, within what makes sense.
pub(crate) fn require_load(
    seconds: u32,
    max_seconds: u64,
    connections: usize,
) -> Result<(), BenchError> {
    require("the number of seconds", seconds.into(), 1, max_seconds)?;
    require("the number of connections", connections as u64, 1, 1024)
}

fn require(what: &'static str, value: u64, min: u64, max: u64) -> Result<(), BenchError> {
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(BenchError::Range { what, min, max }),
    }
}
