//! `udap`: every actor of a UDAP trust community in one binary. Arguments and printing, nothing else.

mod base_url;
mod catalogue;
mod certify;
mod cli;
mod client;
mod cmd;
mod files;
mod input;
mod output;
mod problem;
mod sandbox;
mod spinner;

use clap::Parser as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// Requests allocate on one thread and, for the audit trail and the replay log, free on another: the
/// system's allocator takes a seventh of a token request's time for that (`udap bench token`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(std::env::args_os().collect())
}

/// Runs one command line. Also where a process that the laboratory started goes on.
fn run(args: Vec<OsString>) -> ExitCode {
    let cli = match cli::Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error, &args),
    };
    let format = output::Format::new(cli.json);
    match cmd::run(cli.command, format) {
        Ok(code) => code,
        Err(problem) => problem.report(format),
    }
}
