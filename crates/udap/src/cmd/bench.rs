//! `udap bench`

use crate::cmd::dev::lab_format;
use crate::output::Format;
use clap::ValueEnum;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_lab::bench::{
    self, Alg, GrowthBench, LoadBench, StartBench, Target, TokenBench, TrustBench,
};
use url::Url;

/// What a request costs, beside the floor of this machine in the same minute.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Token requests: one signed assertion each, over TLS
    #[command(after_help = TOKEN_EXAMPLES)]
    Token(TokenArgs),
    /// First registrations: an app and a certificate never seen before each time
    #[command(after_help = REGISTER_EXAMPLES)]
    Register(LoadArgs),
    /// Token requests among few registrations and revoked serials, and among many
    ///
    /// Measured are 1,000 active clients among a thousand registrations and ten revoked serials, among all
    /// registrations, and with all serials revoked; the server starts anew before each. It remembers the
    /// verdict about an active client's certificate, as in production, so that those requests look into no
    /// CRL. Clients that never asked since the start do look: of each, one request is measured, for which
    /// neither registration nor verdict is remembered, with ten serials revoked and with all. The CRL itself
    /// is fetched, read and indexed once, before that. A revoked client that is refused shows that the server
    /// has it.
    #[command(after_help = GROWTH_EXAMPLES)]
    Growth(GrowthArgs),
    /// Reads of the signed metadata, beside an empty handler
    #[command(after_help = METADATA_EXAMPLES)]
    Metadata(LoadArgs),
    /// Reads through the gateway, beside the same without any check
    #[command(after_help = GATEWAY_EXAMPLES)]
    Gateway(LoadArgs),
    /// From the start to the first answer, and what is held in memory afterwards
    #[command(after_help = START_EXAMPLES)]
    Start(StartArgs),
    /// Deciding that a certificate is good, beside its signature verifications
    #[command(after_help = TRUST_EXAMPLES)]
    Trust(TrustArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// What clients sign with
    #[arg(long, value_enum, default_value_t = AlgArg::Es256)]
    alg: AlgArg,
    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Connections that are kept alive
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = connections)]
    connections: usize,
    /// A server that runs already, by its FHIR base URL
    #[arg(long, value_name = "URL", requires = "cert", requires = "key")]
    url: Option<Url>,
    /// The client's certificate, then intermediates
    #[arg(long, value_name = "FILE", requires = "url")]
    cert: Option<PathBuf>,
    /// Its private key, PKCS#8
    #[arg(long, value_name = "FILE", requires = "url")]
    key: Option<PathBuf>,
    /// The server's process, whose CPU time is counted
    #[arg(long, value_name = "PID", requires = "url")]
    pid: Option<u32>,
    /// TLS roots in place of the system's
    #[arg(long, value_name = "FILE", requires = "url")]
    tls_root: Option<PathBuf>,
    /// Who the client is at any OAuth server; the URL is then its token endpoint
    #[arg(long, value_name = "ID", requires = "url")]
    client_id: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Connections that are kept alive
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = connections)]
    connections: usize,
}

impl LoadArgs {
    const fn load(&self, format: bench::Format) -> LoadBench {
        LoadBench {
            seconds: self.seconds,
            connections: self.connections,
            format,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct GrowthArgs {
    /// How many registrations there are in the end
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2_000..=10_000_000))]
    registrations: u64,
    /// How many serial numbers the community's CRL has in the end; ten at first
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(11..=250_000))]
    revoked: u64,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// How often
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    starts: u32,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AlgArg {
    #[value(name = "ES256")]
    Es256,
    #[value(name = "RS256")]
    Rs256,
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=10_000) => Ok(count),
        _ => Err("not a number from 1 to 10000".to_owned()),
    }
}

pub(crate) fn run(command: Command, format: Format) -> ExitCode {
    let format = lab_format(format);
    match command {
        Command::Token(args) => {
            // clap sees to it that a URL comes with certificate and key.
            let target = match (args.url, args.cert, args.key) {
                (Some(url), Some(cert), Some(key)) => Some(Target {
                    url,
                    cert,
                    key,
                    pid: args.pid,
                    tls_root: args.tls_root,
                    client_id: args.client_id,
                }),
                _ => None,
            };
            bench::token(TokenBench {
                alg: match args.alg {
                    AlgArg::Es256 => Alg::ES256,
                    AlgArg::Rs256 => Alg::RS256,
                },
                seconds: args.seconds,
                connections: args.connections,
                format,
                target,
            })
        }
        Command::Trust(args) => bench::trust(&TrustBench {
            seconds: args.seconds,
            format,
        }),
        Command::Start(args) => bench::start(StartBench {
            starts: args.starts,
            format,
        }),
        Command::Growth(args) => bench::growth(GrowthBench {
            registrations: args.registrations,
            revoked: args.revoked,
            seconds: args.load.seconds,
            connections: args.load.connections,
            format,
        }),
        Command::Register(args) => bench::register(args.load(format)),
        Command::Metadata(args) => bench::metadata(args.load(format)),
        Command::Gateway(args) => bench::gateway(args.load(format)),
    }
}

const TOKEN_EXAMPLES: &str = "\
EXAMPLES
  udap bench token
  udap bench token --alg RS256 --seconds 30 --json

  The sandbox of `udap dev`, whose data holder is the process 4711:
    udap bench token --url https://localhost:8440/fhir --tls-root udap-sandbox/tls-root.pem \\
      --cert udap-sandbox/apps/good-ec.pem --key udap-sandbox/apps/good-ec.key --pid 4711";

const REGISTER_EXAMPLES: &str = "\
EXAMPLES
  udap bench register
  udap bench register --seconds 30 --connections 8 --json";

const GROWTH_EXAMPLES: &str = "\
EXAMPLES
  udap bench growth
  udap bench growth --registrations 100000 --revoked 1000 --seconds 5 --json";

const METADATA_EXAMPLES: &str = "\
EXAMPLES
  udap bench metadata
  udap bench metadata --seconds 30 --json";

const GATEWAY_EXAMPLES: &str = "\
EXAMPLES
  udap bench gateway
  udap bench gateway --seconds 30 --json";

const START_EXAMPLES: &str = "\
EXAMPLES
  udap bench start
  udap bench start --starts 100 --json";

const TRUST_EXAMPLES: &str = "\
EXAMPLES
  udap bench trust
  udap bench trust --seconds 20 --json";
