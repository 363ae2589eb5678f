//! `udap doctor`

mod data_holder;
mod partner;
mod report;
mod time;

use crate::client::ClientArgs;
use crate::output::{self, Format, NO};
use crate::problem::Problem;
use crate::spinner;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

/// What would stop a partner from connecting, each thing with its cause and its cure.
///
/// With a URL, a partner's server is looked at as this app would see it. Without one, the data holder
/// of this machine is: its configuration, certificates and keys, its clock beside those of whoever
/// publishes for its communities, what is behind it, and, where it runs, itself from outside.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The FHIR base URL of a server; the one of --config unless given
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// The configuration of this machine's data holder
    #[arg(
        long,
        value_name = "FILE",
        default_value = "udap.toml",
        conflicts_with = "url"
    )]
    config: PathBuf,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let mut report = Report::default();
    match &args.url {
        Some(url) => {
            let (setup, misfit) = args.client.setup_anyway(url)?;
            let subject = partner::Subject {
                base_url: url,
                community: args.client.community.as_deref(),
                communities: &setup.communities,
                fetch: &setup.fetch,
                client: &setup.client,
                sandbox: setup.sandbox.as_ref(),
                place: partner::Place::Elsewhere,
            };
            spinner::wait(&format!("looking at {url}"), subject.look(&mut report)).await;
            match misfit {
                Some(problem) => report.problem("identity", &problem),
                None => subject.identity(&mut report).await?,
            }
        }
        None => {
            let looking = format!("looking at {}", args.config.display());
            let look = data_holder::look(&args.config, args.client.tls_root(), &mut report);
            spinner::wait(&looking, look).await?;
        }
    }
    match format {
        Format::Json => output::json(&report.to_json())?,
        Format::Human => output::data(&report.to_text())?,
    }
    Ok(if report.is_well() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    })
}

const EXAMPLES: &str = "\
EXAMPLES
  The data holder of this machine, by its configuration:
    udap doctor --config /etc/udap/udap.toml

  The same where the host has a private TLS root:
    udap doctor --tls-root private-root.pem

  A partner's server, as this app would see it:
    udap doctor https://fhir.example.org/r4 --community https://community.example \\
      --anchor community.pem

  The sandbox of `udap dev`, for a program:
    udap doctor https://localhost:8440/fhir --json

EXIT CODES
  0  nothing stands in the way; there may be warnings
  1  something does
  2  the configuration cannot be read, or wrong usage";
