//! `udap x509`

mod batch;
mod question;
mod show;
mod verify;

use crate::output::Format;
use crate::problem::Problem;
use std::process::ExitCode;

/// X.509 certificates: what is in one, and whether it is to be trusted and why.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Verify(verify::Args),
    Show(show::Args),
}

pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Verify(args) => verify::run(&args, format),
        Command::Show(args) => show::run(&args, format),
    }
}
