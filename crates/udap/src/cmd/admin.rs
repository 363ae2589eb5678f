//! `udap admin`

mod act;
mod apps;
mod openapi;
mod operator;
mod secret;
pub(crate) mod source;
mod token;
mod trust;

use crate::output::Format;
use crate::problem::Problem;
use std::process::ExitCode;

/// Who is registered at a data holder, why somebody was refused, and what to do about it.
///
/// On the data holder's own machine `--config` names it, and the server need not run. From elsewhere
/// `--url` names its administration, and `--token-file` holds a token for it.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Who is registered, newest first
    #[command(after_help = apps::LIST_EXAMPLES)]
    Apps(apps::ListArgs),
    /// Everything known of one app
    #[command(after_help = apps::ONE_EXAMPLES)]
    App(apps::OneArgs),
    /// Suspend an app: its tokens end at once, and it gets no more
    #[command(after_help = act::SUSPEND_EXAMPLES)]
    Suspend(act::Args),
    /// Let a suspended app ask for tokens again
    #[command(after_help = act::RESTORE_EXAMPLES)]
    Restore(act::Args),
    /// End a registration for good
    #[command(after_help = act::CANCEL_EXAMPLES)]
    Cancel(act::Args),
    /// Who was refused and why, newest first
    #[command(after_help = trust::REFUSALS_EXAMPLES)]
    Refusals(trust::RefusalsArgs),
    /// Whom each community trusts, and how fresh its revocation data is
    #[command(after_help = trust::COMMUNITIES_EXAMPLES)]
    Communities(trust::Args),
    /// Certificates and their days left, soonest first
    #[command(after_help = trust::CERTIFICATES_EXAMPLES)]
    Certificates(trust::Args),
    /// People who may log in
    #[command(subcommand)]
    Operator(operator::Command),
    /// Tokens for programs
    #[command(subcommand)]
    Token(token::Command),
    /// The API's description
    #[command(after_help = openapi::EXAMPLES)]
    Openapi(openapi::Args),
}

pub(crate) async fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Apps(args) => apps::list(args, format).await,
        Command::App(args) => apps::one(args, format).await,
        Command::Suspend(args) => act::run("suspend", args, format).await,
        Command::Restore(args) => act::run("restore", args, format).await,
        Command::Cancel(args) => act::run("cancel", args, format).await,
        Command::Refusals(args) => trust::refusals(args, format).await,
        Command::Communities(args) => trust::communities(args, format).await,
        Command::Certificates(args) => trust::certificates(args, format).await,
        Command::Operator(command) => operator::run(command, format).await,
        Command::Token(command) => token::run(command, format).await,
        Command::Openapi(args) => openapi::run(&args),
    }
}
