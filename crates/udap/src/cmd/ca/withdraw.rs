//! `udap ca withdraw`

use super::DirArgs;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::json;
use std::process::ExitCode;

/// Take a certification back; its status endpoint says so at once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The certification's `jti`
    #[arg(value_name = "JTI", allow_hyphen_values = true)]
    jti: String,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(args: Args, format: Format) -> Result<ExitCode, Problem> {
    let ca = args.dir.open().await?;
    let (kept, at) = ca.withdraw_certification(&args.jti).await?;
    ca.close().await;
    match format {
        Format::Human => output::data(&output::well(&format!(
            "{} of {} does not hold since {at}",
            kept.name, kept.app
        )))?,
        Format::Json => output::json(&json!({
            "jti": kept.jti,
            "app": kept.app,
            "name": kept.name,
            "withdrawn_at": at.to_string(),
        }))?,
    }
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  udap ca withdraw 0b6b0f2c9a7d4e63b0f2c9a7d4e631aa";
