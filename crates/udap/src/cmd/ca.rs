//! `udap ca`

mod bundle;
mod certify;
mod init;
mod issue;
mod list;
mod revoke;
mod serve;
mod withdraw;

use crate::cmd::block_on;
use crate::output::Format;
use crate::problem::Problem;
use std::path::PathBuf;
use std::process::ExitCode;

/// A trust community's certificate authority.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Issue(issue::Args),
    Revoke(revoke::Args),
    List(list::Args),
    Certify(certify::Args),
    Withdraw(withdraw::Args),
    Bundle(bundle::Args),
    Serve(serve::Args),
}

/// Where the authority is kept.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DirArgs {
    /// The authority's directory: its keys, and what it issued and revoked
    #[arg(long, value_name = "DIR", default_value = "udap-ca")]
    dir: PathBuf,
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Init(args) => block_on(init::run(args, format)),
        Command::Issue(args) => block_on(issue::run(args, format)),
        Command::Revoke(args) => block_on(revoke::run(args, format)),
        Command::List(args) => block_on(list::run(args, format)),
        Command::Certify(args) => block_on(certify::run(args, format)),
        Command::Withdraw(args) => block_on(withdraw::run(args, format)),
        Command::Bundle(args) => block_on(bundle::run(args, format)),
        Command::Serve(args) => serve::run(&args),
    }
}
