//! `udap admin operator`

use super::{secret, source, trust};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use udap_server::Role;

/// People who may log in to the administration's pages.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Add somebody
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddArgs),
    /// Everybody who may log in
    #[command(after_help = LIST_EXAMPLES)]
    List(ConfigArgs),
    /// Remove somebody; their sessions end at once
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove(NameArgs),
    /// Set another password; their sessions end at once
    #[command(after_help = PASSWD_EXAMPLES)]
    Passwd(PasswdArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The configuration of the data holder
    #[arg(long, value_name = "FILE", default_value = "udap.toml")]
    pub(super) config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// The name to log in with
    #[arg(value_name = "NAME")]
    name: String,
    /// May look only
    #[arg(long)]
    viewer: bool,
    #[command(flatten)]
    password: secret::PasswordArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NameArgs {
    /// Who
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PasswdArgs {
    /// Whose
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    password: secret::PasswordArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) async fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Add(args) => {
            let local = source::local(&args.config.config).await?;
            let role = if args.viewer {
                Role::Viewer
            } else {
                Role::Operator
            };
            let password = args.password.read()?;
            local.add_operator(&args.name, &password, role).await?;
            done(&args.name, "may log in", format)
        }
        Command::Remove(args) => {
            let local = source::local(&args.config.config).await?;
            local.remove_operator(&args.name).await?;
            done(&args.name, "may not log in any more", format)
        }
        Command::Passwd(args) => {
            let local = source::local(&args.config.config).await?;
            let password = args.password.read()?;
            local.set_password(&args.name, &password).await?;
            done(
                &args.name,
                "has another password, and is logged out",
                format,
            )
        }
        Command::List(args) => {
            let found = source::local(&args.config).await?.list_operators().await?;
            let operators = trust::list(&found["operators"]);
            match format {
                Format::Json => output::json(&found)?,
                Format::Human if operators.is_empty() => output::talk("nobody may log in yet"),
                Format::Human => {
                    let row = |one: &Value| {
                        [
                            trust::text(&one["name"]),
                            trust::text(&one["role"]),
                            trust::told(&one["added"]),
                            trust::told(&one["password_set"]),
                        ]
                    };
                    let header = ["NAME", "ROLE", "ADDED", "PASSWORD SET"];
                    let rows = operators.iter().map(row).collect();
                    output::data(&output::table(&header, rows))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn done(name: &str, what: &str, format: Format) -> Result<ExitCode, Problem> {
    match format {
        Format::Json => output::json(&json!({ "name": name }))?,
        Format::Human => output::data(&output::well(&format!("{name} {what}")))?,
    }
    Ok(ExitCode::SUCCESS)
}

const ADD_EXAMPLES: &str = "\
EXAMPLES
  udap admin operator add ada
  udap admin operator add vera --viewer
  udap admin operator add ada --password-file ada.password --config /etc/udap/udap.toml";

const LIST_EXAMPLES: &str = "\
EXAMPLES
  udap admin operator list";

const REMOVE_EXAMPLES: &str = "\
EXAMPLES
  udap admin operator remove ada";

const PASSWD_EXAMPLES: &str = "\
EXAMPLES
  udap admin operator passwd ada
  udap admin operator passwd ada --password-file ada.password";
