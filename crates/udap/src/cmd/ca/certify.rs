//! `udap ca certify`

use crate::certify::{self, By, DraftArgs};
use crate::output::Format;
use crate::problem::Problem;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_ca::{Ca, KeptCertification};

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
    /// The authority's directory that keeps it, so that its server can say whether it still holds, and
    /// `udap ca withdraw` can take it back
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What the authority's keys are under
    #[arg(long, value_name = "FILE", requires = "dir")]
    passphrase_file: Option<PathBuf>,
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
    let signed = certify::sign(&args.draft, by).await?;
    // Before anybody gets it: what is not kept could not be taken back.
    if let Some(dir) = &args.dir {
        let passphrase = super::passphrase(args.passphrase_file.as_deref())?;
        let ca = Ca::open_with(dir, passphrase.as_ref()).await?;
        ca.keep_certification(&KeptCertification {
            jti: signed.claims.jti.clone(),
            expires: signed.claims.exp,
            app: signed.claims.sub.clone(),
            name: signed.definition.name.clone(),
        })
        .await?;
        ca.close().await;
    }
    certify::write(&args.draft, &signed, format)?;
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
      --name 'Example community' --dir udap-ca \\
      --status-endpoint https://ca.community.example/certifications/status \\
      --details app.toml --cert community.pem --key community.key --out agreement.jwt";
