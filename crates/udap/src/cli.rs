//! The command line. Each command's options stand in its own file under `cmd/`.

use crate::cmd;
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Trust for FHIR: every actor of a UDAP community in one program.
#[derive(Debug, Parser)]
#[command(
    name = "udap",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(cmd::dev::Args),
    Discover(cmd::discover::Args),
    Register(cmd::register::Args),
    Token(cmd::token::Args),
    Get(cmd::get::Args),
    Serve(cmd::serve::Args),
    #[command(subcommand)]
    Ca(cmd::ca::Command),
    #[command(subcommand)]
    X509(cmd::x509::Command),
    #[command(subcommand)]
    Crl(cmd::crl::Command),
    #[command(subcommand)]
    Ocsp(cmd::ocsp::Command),
    #[command(subcommand)]
    Jws(cmd::jws::Command),
    #[command(subcommand)]
    Jwt(cmd::jwt::Command),
    #[command(subcommand)]
    Tls(cmd::tls::Command),
    Explain(cmd::explain::Args),
    #[command(subcommand)]
    Config(cmd::config::Command),
    #[command(subcommand)]
    Bench(cmd::bench::Command),
    /// A process of the sandbox or of a benchmark
    #[command(hide = true)]
    Actor {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

const EXAMPLES: &str = "\
EXAMPLES
  A whole community on this machine, with everything that happens in it:
    udap dev --once

  Read a patient from any data holder of the community:
    udap get 'https://localhost:8440/fhir/Patient?family=Shaw'

  What an error code means:
    udap explain san-uri-mismatch

EXIT CODES
  0  yes: done, trusted, accepted
  1  no: refused, failed, or not known where it has to be
  2  unreadable input, or wrong usage";
