//! One file for each command: its options, what it does, how that is printed.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod ca;
pub(crate) mod certify;
pub(crate) mod community;
pub(crate) mod config;
pub(crate) mod crl;
pub(crate) mod db;
pub(crate) mod dev;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod introspect;
pub(crate) mod jws;
pub(crate) mod jwt;
pub(crate) mod ocsp;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod serve;
pub(crate) mod tls;
pub(crate) mod token;
pub(crate) mod unregister;
pub(crate) mod x509;

use crate::cli::Command;
use crate::output::Format;
use crate::problem::Problem;
use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

/// Runs one command.
pub(crate) fn run(command: Command, format: Format) -> Result<ExitCode, Problem> {
    match command {
        Command::Dev(args) => Ok(dev::run(args, format)),
        Command::Discover(args) => block_on(discover::run(args, format)),
        Command::Register(args) => block_on(register::run(args, format)),
        Command::Token(args) => block_on(token::run(args, format)),
        Command::Introspect(args) => block_on(introspect::run(args, format)),
        Command::Revoke(args) => block_on(revoke::run(args, format)),
        Command::Unregister(args) => block_on(unregister::run(args, format)),
        Command::Get(args) => block_on(get::run(args, format)),
        Command::Serve(args) => serve::run(&args),
        Command::Admin(command) => block_on(admin::run(command, format)),
        Command::Audit(command) => block_on(audit::run(command, format)),
        Command::Db(command) => block_on(db::run(command, format)),
        Command::Doctor(args) => block_on(doctor::run(args, format)),
        Command::Ca(command) => ca::run(command, format),
        Command::Certify(args) => block_on(certify::run(args, format)),
        Command::Community(command) => community::run(command, format),
        Command::X509(command) => x509::run(command, format),
        Command::Crl(command) => crl::run(command, format),
        Command::Ocsp(command) => ocsp::run(command, format),
        Command::Jws(command) => jws::run(command, format),
        Command::Jwt(command) => jwt::run(command, format),
        Command::Tls(command) => block_on(tls::run(command, format)),
        Command::Explain(args) => explain::run(&args, format),
        Command::Config(command) => config::run(command, format),
        Command::Bench(command) => Ok(bench::run(command, format)),
        Command::Actor { args } => actor(args),
    }
}

/// A process that the laboratory started: one of its own, or an ordinary command that ends when
/// whoever started it does.
fn actor(args: Vec<OsString>) -> Result<ExitCode, Problem> {
    let words: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    if let Some(code) = udap_lab::actor::run(&words) {
        return Ok(code);
    }
    udap_lab::actor::end_with_parent().map_err(|error| unavailable(&error))?;
    let program = OsString::from("udap");
    Ok(crate::run([program].into_iter().chain(args).collect()))
}

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unavailable(&error))?
        .block_on(work)
}

pub(crate) fn unavailable(error: &std::io::Error) -> Problem {
    Problem::new(
        "runtime-unavailable",
        format!("the program cannot start its work: {error}"),
    )
}
