//! `udap db`

use crate::output::{self, Format, NO};
use crate::problem::Problem;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_host::config;
use udap_host::db::{Db, Location, Migrate};
use udap_server::MIGRATIONS;

/// The database of this machine's data holder: SQLite in its state directory, or PostgreSQL.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// How far its schema is; exit code 1 when steps are missing
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Args),
    /// Apply the steps that are missing, all or none; servers may run meanwhile
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration of the data holder
    #[arg(long, value_name = "FILE", default_value = "udap.toml")]
    config: PathBuf,
}

pub(crate) async fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    let (args, migrate) = match &command {
        Command::Status(args) => (args, false),
        Command::Migrate(args) => (args, true),
    };
    let config = config::load(&args.config)?;
    let location = config.database()?;
    if migrate {
        if let Location::File(_) = location {
            udap_host::files::private_directory(&config.state_dir)
                .map_err(udap_server::StartError::from)?;
        }
        Db::open_at(&location, MIGRATIONS, Migrate::Apply).await?;
    }
    let db = Db::open_existing(&location).await?;
    let schema = db.schema(MIGRATIONS).await?;
    db.close().await;
    let missing = schema.missing.len();
    match format {
        Format::Json => output::json(&json!({
            "database": location.to_string(),
            "version": schema.found,
            "known": schema.known,
            "missing": schema.missing,
        }))?,
        Format::Human => {
            output::data(&format!(
                "{location}: schema version {} of {}",
                schema.found, schema.known
            ))?;
            for name in &schema.missing {
                output::data(&format!("  missing: {name}"))?;
            }
        }
    }
    Ok(match missing {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(NO),
    })
}

const STATUS_EXAMPLES: &str = "\
EXAMPLES
  udap db status --config /etc/udap/udap.toml
  udap db status --json";

const MIGRATE_EXAMPLES: &str = "\
EXAMPLES
  Before the new version is started on any node (migrations = \"apart\"):
    udap db migrate --config /etc/udap/udap.toml";
