//! `udap certify`

use crate::certify::{self, By, DraftArgs};
use crate::output::Format;
use crate::problem::Problem;
use std::process::ExitCode;

/// Sign what an app says about itself.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The app signs for itself; what others say about an app is made by `udap ca certify`
    #[arg(long = "self", required = true)]
    _own: bool,
    /// Which of the certificate's URIs the app registers with; needed if it has several
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    #[command(flatten)]
    draft: DraftArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let uri = args.uri.as_deref();
    let signed = certify::sign(&args.draft, By::App { uri }).await?;
    certify::write(&args.draft, &signed, format)?;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  What the app does with data, by a definition that comes with the program:
    udap certify --self --definition privacy-disclosure --details answers.toml \\
      --cert app.pem --key app.key --out privacy.jwt

  Register with it:
    udap register https://fhir.example.org/r4 --community https://community.example \\
      --anchor community.pem --cert app.pem --key app.key --contact mailto:ops@app.example \\
      --certification privacy.jwt";
