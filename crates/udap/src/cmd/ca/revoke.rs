//! `udap ca revoke`

use super::DirArgs;
use crate::files;
use crate::output::{self, Format};
use crate::problem::Problem;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use udap_pki::issue::RevocationReason;

/// Revoke a certificate for good; the next CRL and every OCSP answer say so at once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The certificate: a file, or its serial number in hexadecimal
    #[arg(value_name = "FILE|SERIAL")]
    certificate: String,
    /// Why
    #[arg(long, default_value = "unspecified", value_parser = reasons())]
    reason: String,
    #[command(flatten)]
    dir: DirArgs,
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(RevocationReason::ALL.map(RevocationReason::as_str))
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    // clap took one of the names.
    let reason = RevocationReason::from_name(&args.reason).unwrap_or_default();
    let ca = args.dir.open().await?;
    let path = Path::new(&args.certificate);
    let revoked = if path.is_file() {
        ca.revoke_certificate(&files::read(path)?, reason).await?
    } else {
        ca.revoke(&args.certificate, reason).await?
    };
    ca.close().await;
    match format {
        Format::Human => output::data(&output::well(&format!(
            "{} ({}) is revoked since {}; CRL number {} says so",
            revoked.subject, revoked.serial, revoked.at, revoked.crl_number
        )))?,
        Format::Json => output::json(&json!({
            "serial": revoked.serial,
            "subject": revoked.subject,
            "revoked_at": revoked.at.to_string(),
            "reason": revoked.reason.as_str(),
            "crl_number": revoked.crl_number,
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  udap ca revoke app.pem
  udap ca revoke 5f0c3a41 --reason key-compromise";
