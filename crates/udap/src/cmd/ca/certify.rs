//! `udap ca certify`

use crate::certify::{self, By, DraftArgs};
use crate::output::Format;
use crate::problem::Problem;
use std::process::ExitCode;

/// Sign a certification of somebody else's app, as a community or an auditor.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The app's URI, byte for byte
    #[arg(long, value_name = "URI")]
    app: String,
    /// The certifier's name for people
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Which of the certificate's URIs certifies; needed if it has several
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// Where data holders can ask whether the certification still holds; they do not accept it
    /// while nobody answers there
    #[arg(long, value_name = "URL")]
    status_endpoint: Option<String>,
    #[command(flatten)]
    draft: DraftArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let by = By::Certifier {
        app: &args.app,
        uri: args.uri.as_deref(),
        name: &args.name,
        status_endpoint: args.status_endpoint.as_deref(),
    };
    certify::run(&args.draft, by, format).await?;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  An auditor's certificate, and what the auditor found:
    udap ca issue --profile app --name 'Example audits' --uri https://audits.example --out auditor
    udap ca certify --definition security-audit --app https://app.example \\
      --name 'Example audits' --details findings.toml --cert auditor.pem --key auditor.key \\
      --out audit.jwt

  By a definition of your own, with a place to ask whether it still holds:
    udap ca certify --definition agreement.toml --app https://app.example \\
      --name 'Example community' --status-endpoint https://community.example/status \\
      --details app.toml --cert community.pem --key community.key --out agreement.jwt";
