//! `udap admin suspend`, `restore`, `cancel`

use super::source::SourceArgs;
use crate::output::{self, Format};
use crate::problem::Problem;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The app's `client_id`
    #[arg(value_name = "CLIENT_ID", allow_hyphen_values = true)]
    client_id: String,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(word: &str, args: Args, format: Format) -> Result<ExitCode, Problem> {
    let source = args.source.open().await?;
    let app = source.act(word, &args.client_id, &args.reason).await?;
    match format {
        Format::Json => output::json(&app)?,
        Format::Human => {
            let (uri, state) = (
                super::trust::text(&app["uri"]),
                super::trust::text(&app["state"]),
            );
            let when = match source.is_remote() {
                true => "in force",
                false => "in force at a running server within a second",
            };
            output::data(&output::well(&format!("{uri} is {state}, {when}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) const SUSPEND_EXAMPLES: &str = "\
EXAMPLES
  udap admin suspend 2xBUc3c2F2diWFy_N459jw --reason 'key lost, vendor told us by phone'

  From elsewhere:
    udap admin suspend 2xBUc3c2F2diWFy_N459jw --reason 'key lost' \\
      --url https://admin.example.org:9443 --token-file admin.token";

pub(super) const RESTORE_EXAMPLES: &str = "\
EXAMPLES
  udap admin restore 2xBUc3c2F2diWFy_N459jw --reason 'new key'";

pub(super) const CANCEL_EXAMPLES: &str = "\
EXAMPLES
  udap admin cancel 2xBUc3c2F2diWFy_N459jw --reason 'contract ended'";
