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
mod growth;
mod load;
mod memory;
mod metadata;
mod place;
mod register;
mod report;
mod revoked;
mod start;
mod store;
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

/// What `udap bench growth` was asked for.
#[derive(Clone, Debug)]
pub struct GrowthBench {
    /// How many registrations there are in the end, 2,000 to 10 million.
    pub registrations: u64,
    /// How many serial numbers are revoked in the end, 11 to 250,000.
    pub revoked: u64,
    /// How long to measure each time, in seconds: 1 to 60.
    pub seconds: u32,
    /// Connections kept alive, 1 to 1024.
    pub connections: usize,
    /// How the result is told.
    pub format: Format,
}

/// What `udap bench start` was asked for.
#[derive(Clone, Debug)]
pub struct StartBench {
    /// How often, 1 to 1,000.
    pub starts: u32,
    /// How the result is told.
    pub format: Format,
}

/// Measures how long a data holder takes from its start to its first answer, and what it holds in memory
/// when nobody asks. The floor is the same program with an empty handler.
///
/// Exits with 1 when nothing could be measured.
#[must_use]
pub fn start(options: StartBench) -> ExitCode {
    let format = options.format;
    measure(format, start::run(options), |start| {
        report::start(&start, format);
        0
    })
}

/// Measures what token requests of 1,000 active clients cost among a thousand registrations and ten revoked
/// serial numbers, among many registrations, and with many serial numbers revoked besides; what those of
/// clients cost that never asked before, with ten and with many; and what memory and disk the many take.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn growth(options: GrowthBench) -> ExitCode {
    let format = options.format;
    measure(format, growth::run(options), |growth| {
        report::growth(&growth, format);
        growth.reports().iter().map(|report| report.errors).sum()
    })
}

/// Measures first registrations, each of an app that the server has never seen, with a certificate
/// whose chain is validated for the first time, written to the disk before the answer. The floor is
/// the three signature verifications and an empty handler.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn register(options: LoadBench) -> ExitCode {
    let format = options.format;
    measure(format, register::run(options), |report| {
        one(&report, format)
    })
}

/// Measures reads of the signed metadata. The floor is an empty handler.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn metadata(options: LoadBench) -> ExitCode {
    let format = options.format;
    measure(format, metadata::run(options), |report| {
        one(&report, format)
    })
}

/// Measures token requests: each with an assertion of its own, signed in advance, over kept-alive TLS
/// connections. The floor is the bare signature operations and an empty handler on the same listener.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn token(options: TokenBench) -> ExitCode {
    let format = options.format;
    measure(format, token::run(options), |report| one(&report, format))
}

/// Measures reads of a patient of 2 KB through the gateway, TLS in front and plain HTTP behind. The
/// floor is the same way without a token, a scope or a rewritten address.
///
/// Exits with 1 when a request failed or nothing could be measured.
#[must_use]
pub fn gateway(options: LoadBench) -> ExitCode {
    let format = options.format;
    measure(format, gateway::run(options), |report| one(&report, format))
}

fn one(report: &Report, format: Format) -> u64 {
    report.print(format);
    report.errors
}

/// `tell` prints what was measured, and says how many errors there were.
fn measure<T>(
    format: Format,
    work: impl Future<Output = Result<T, BenchError>>,
    tell: impl FnOnce(T) -> u64,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(BenchError::Other(error.to_string())),
    };
    match result.map(tell) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            error.print(format);
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
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

    /// Whether what was asked for cannot be done, and not how it went.
    const fn is_usage(&self) -> bool {
        match self {
            Self::Dev(error) => error.is_usage(),
            Self::Range { .. } => true,
            Self::Wire(_) | Self::Refused { .. } | Self::Other(_) => false,
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
