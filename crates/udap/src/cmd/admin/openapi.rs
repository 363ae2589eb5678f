//! `udap admin openapi`

use crate::output;
use crate::problem::Problem;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of the administration, or of what partners reach
    #[arg(value_name = "WHICH", default_value = "admin", value_parser = ["admin", "public"])]
    which: String,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    // One of the two, by the parser above.
    output::data(
        udap_server::openapi(&args.which)
            .unwrap_or_default()
            .trim_end(),
    )?;
    Ok(ExitCode::SUCCESS)
}

pub(super) const EXAMPLES: &str = "\
EXAMPLES
  udap admin openapi > admin.json
  udap admin openapi public > public.json";
