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

/// Key, value, origin. One long value moves its own origin and no other.
fn table(rows: &[Row]) -> String {
    let cells = |row: &Row| [row.key.clone(), row.text(), row.origin.to_string()];
    let rows: Vec<_> = rows
        .iter()
        .map(|row| cells(row).map(|cell| output::printable(&cell)))
        .collect();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let widths = cells.map(|cell| cell.chars().count());
        widths
            .filter(|width| *width <= MAX_PADDING)
            .max()
            .unwrap_or(0)
    };
    let (keys, values) = (width(0), width(1));
    let lines: Vec<_> = rows
        .iter()
        .map(|[key, value, origin]| format!(" {key:keys$}  {value:values$}  {origin}"))
        .collect();
    lines.join("\n")
}

/// Values that are longer stand where they stand.
const MAX_PADDING: usize = 56;

const EXAMPLES: &str = "\
EXAMPLES
  udap config show
  udap config show --config /etc/udap/udap.toml
  udap config show --json";

const CHECK_EXAMPLES: &str = "\
EXAMPLES
  udap config check
  udap config check --config /etc/udap/udap.toml";

#[cfg(test)]
mod tests {
    use super::*;
    use udap_host::config::Origin;

    #[test]
    fn one_long_value_moves_its_own_origin_and_no_other() {
        let row = |key: &str, value: String| Row {
            key: key.to_owned(),
            value: value.into(),
            origin: Origin::Default,
        };
        let long = "x".repeat(MAX_PADDING + 1);
        let text = table(&[row("a", "1".to_owned()), row("bc", long.clone())]);
        assert_eq!(text, format!(" a   1  default\n bc  {long}  default"));
    }
}
