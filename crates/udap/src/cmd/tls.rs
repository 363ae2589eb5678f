//! `udap tls`

use crate::client::{absolute_uri, host_port};
use crate::files;
use crate::output::{self, Format, NO};
use crate::problem::Problem;
use crate::sandbox::Sandbox;
use crate::spinner;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_client::inspect::{InspectError, Inspection, Report, RevocationData, Target, inspect};
use udap_client::{CommunityTrust, TlsRoots};

/// What TLS says of a host, and what it does not.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// A host's handshake step by step, what is weak about it, and which UDAP metadata it has
    #[command(after_help = EXAMPLES)]
    Inspect(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The host, with its port where that is not 443
    #[arg(value_name = "HOST[:PORT]")]
    host: String,
    /// Roots that vouch for hosts in place of the system's, PEM or DER
    #[arg(long, alias = "ca", value_name = "FILE")]
    tls_root: Option<PathBuf>,
    /// Fetch CRLs and OCSP responses, in place of relying on a stapled response
    #[arg(long)]
    fetch: bool,
    /// A FHIR base URL to look for UDAP metadata at; the root, /fhir and /r4 otherwise
    #[arg(long, value_name = "URL")]
    base: Vec<String>,
    /// The community that may vouch for that metadata, by its URI
    #[arg(long, value_name = "URI", requires = "anchor", value_parser = absolute_uri)]
    community: Option<String>,
    /// The community's trust anchors, PEM or DER
    #[arg(long, value_name = "FILE", requires = "community")]
    anchor: Vec<PathBuf>,
    /// A host that may have a private address, `host:port`; repeat for more
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    allow_host: Vec<String>,
    /// A sandbox of `udap dev`; ./udap-sandbox for localhost
    #[arg(long, value_name = "DIR")]
    sandbox: Option<PathBuf>,
}

pub(crate) async fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    let Command::Inspect(args) = command;
    let inspection = args.inspection()?;
    let report = spinner::wait(&format!("asking {}", args.host), inspect(&inspection)).await?;
    match format {
        Format::Json => output::json(&json!(report))?,
        Format::Human => output::data(coloured(&report).trim_end())?,
    }
    Ok(match report.verdict.accepted {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(NO),
    })
}

impl Args {
    fn inspection(&self) -> Result<Inspection, Problem> {
        let target: Target = self.host.parse()?;
        let url = format!("https://{}:{}/", target.host, target.port);
        let sandbox = Sandbox::choose(self.sandbox.as_deref(), &url)?;
        let ca = self
            .tls_root
            .as_ref()
            .or(sandbox.as_ref().map(|sandbox| &sandbox.tls_root_pem));
        let mut allow_hosts = self.allow_host.clone();
        allow_hosts.extend(sandbox.iter().flat_map(Sandbox::hosts));
        Ok(Inspection {
            roots: ca.map_or(Ok(TlsRoots::System), |path| files::tls_roots(path))?,
            allow_hosts,
            revocation: match self.fetch {
                true => RevocationData::Fetched,
                false => RevocationData::Stapled,
            },
            bases: self.base.clone(),
            communities: self.communities(sandbox.as_ref())?,
            ..Inspection::of(target)
        })
    }

    fn communities(&self, sandbox: Option<&Sandbox>) -> Result<Vec<CommunityTrust>, Problem> {
        let mut communities = Vec::new();
        if let Some(uri) = &self.community {
            let mut anchors = Vec::new();
            for path in &self.anchor {
                anchors.extend(files::anchors(path)?);
            }
            communities.push(CommunityTrust::new(uri, anchors));
            return Ok(communities);
        }
        for community in sandbox.iter().flat_map(|sandbox| &sandbox.communities) {
            let anchors = files::anchors(&community.anchor_pem)?;
            communities.push(CommunityTrust::new(&community.uri, anchors));
        }
        Ok(communities)
    }
}

/// Nothing could be found out: exit code 2.
impl From<InspectError> for Problem {
    fn from(error: InspectError) -> Self {
        Self::refusal(&error).unreadable()
    }
}

/// The report with its signs in colour and its headings bold; `anstream` leaves that out where it is
/// not wanted.
fn coloured(report: &Report) -> String {
    let mut text = String::new();
    for line in report.to_string().lines() {
        let line = output::printable(line);
        let heading = line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(". ");
        match heading {
            true => text.push_str(&output::bold(&line)),
            false => text.push_str(&line.replacen('✓', "\x1b[32m✓\x1b[0m", 1).replacen(
                '✗',
                "\x1b[31m✗\x1b[0m",
                1,
            )),
        }
        text.push('\n');
    }
    text
}

const EXAMPLES: &str = "\
EXAMPLES
  udap tls inspect fhir.example.org
  udap tls inspect fhir.example.org:8443 --tls-root private-root.pem --fetch --json

  The sandbox of `udap dev`:
    udap tls inspect localhost:8440

EXIT CODES
  0  the host is trusted, and nothing weak is offered
  1  it is not trusted, something weak is offered, or that cannot be told
  2  it cannot be reached, or wrong usage";
