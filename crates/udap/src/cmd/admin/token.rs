//! `udap admin token`

use super::operator::ConfigArgs;
use super::{source, trust};
use crate::files::{NewFile, Privacy};
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use udap_server::Role;

/// Tokens with which programs use the administration's API.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a token; it is shown this once
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// Every token: whose, what it may, until when
    #[command(after_help = LIST_EXAMPLES)]
    List(ConfigArgs),
    /// End a token
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// What it is for, for lists and the audit trail
    #[arg(value_name = "NAME")]
    name: String,
    /// May also suspend, restore and cancel
    #[arg(long)]
    operator: bool,
    /// How long it lives
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    days: i64,
    /// Where to put it, in a file that only its owner can read [default: printed]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    /// The token's id, as listed
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) async fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Create(args) => {
            // Before there is a token that would have to be ended again.
            let out = args.out.as_ref();
            let out = out.map(|path| NewFile::open(path, Privacy::Private));
            let out = out.transpose()?;
            let local = source::local(&args.config.config).await?;
            let role = if args.operator {
                Role::Operator
            } else {
                Role::Viewer
            };
            let mut made = local.create_token(&args.name, role, args.days).await?;
            if let Some(out) = out {
                let token = format!("{}\n", trust::text(&made["token"]));
                if let Err(problem) = out.finish(token.as_bytes()) {
                    local.revoke_token(&trust::text(&made["id"])).await?;
                    return Err(problem);
                }
                if let Some(members) = made.as_object_mut() {
                    members.remove("token");
                    members.insert("file".to_owned(), json!(args.out));
                }
            }
            match format {
                Format::Json => output::json(&made)?,
                Format::Human => {
                    // Alone on stdout, for a program that takes it from there.
                    let shown = if args.out.is_some() { "file" } else { "token" };
                    output::data(&trust::text(&made[shown]))?;
                    output::talk(&format!(
                        "role {}, ends {}, id {}; the token is not shown again",
                        trust::text(&made["role"]),
                        trust::told(&made["expires"]),
                        trust::text(&made["id"])
                    ));
                }
            }
        }
        Command::Revoke(args) => {
            source::local(&args.config.config)
                .await?
                .revoke_token(&args.id)
                .await?;
            match format {
                Format::Json => output::json(&json!({ "id": args.id }))?,
                Format::Human => {
                    output::data(&output::well(&format!(
                        "{} does not count any more",
                        args.id
                    )))?;
                }
            }
        }
        Command::List(args) => {
            let found = source::local(&args.config).await?.list_tokens().await?;
            let tokens = trust::list(&found["tokens"]);
            match format {
                Format::Json => output::json(&found)?,
                Format::Human if tokens.is_empty() => output::talk("there is no token"),
                Format::Human => {
                    let row = |one: &Value| {
                        [
                            trust::text(&one["state"]),
                            trust::text(&one["id"]),
                            trust::text(&one["name"]),
                            trust::text(&one["role"]),
                            trust::told(&one["expires"]),
                        ]
                    };
                    let header = ["STATE", "ID", "NAME", "ROLE", "ENDS"];
                    let rows = tokens.iter().map(row).collect();
                    output::data(&output::table(&header, rows))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

const CREATE_EXAMPLES: &str = "\
EXAMPLES
  udap admin token create monitoring --out monitoring.token
  udap admin token create incident-bot --operator --days 30";

const LIST_EXAMPLES: &str = "\
EXAMPLES
  udap admin token list";

const REVOKE_EXAMPLES: &str = "\
EXAMPLES
  udap admin token revoke 2xBUc3c2F2diWFy_N459jw";
