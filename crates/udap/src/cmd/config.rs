//! `udap config`

use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_host::config::{self, Row};

/// The configuration of `udap serve`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Every setting with its value and where that comes from; secrets stay hidden
    #[command(after_help = EXAMPLES)]
    Show(Args),
    /// Read the configuration and open every file it names
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "udap.toml")]
    config: PathBuf,
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Show(args) => {
            let config = config::load(&args.config)?;
            match format {
                Format::Human => output::data(&table(config.rows()))?,
                Format::Json => output::json(&json!({ "settings": config.rows() }))?,
            }
        }
        Command::Check(args) => {
            let config = config::load(&args.config)?;
            config.check_files()?;
            match format {
                Format::Human => output::data(&output::well(&format!(
                    "{} is complete, and every file it names can be used",
                    args.config.display()
                )))?,
                Format::Json => output::json(&json!({ "ok": true }))?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row]) -> String {
    let cells = |row: &Row| [row.key.clone(), row.text(), row.origin.to_string()];
    output::table(&[], rows.iter().map(cells).collect())
}

const EXAMPLES: &str = "\
EXAMPLES
  udap config show
  udap config show --config /etc/udap/udap.toml
  udap config show --json";

const CHECK_EXAMPLES: &str = "\
EXAMPLES
  udap config check
  udap config check --config /etc/udap/udap.toml";
