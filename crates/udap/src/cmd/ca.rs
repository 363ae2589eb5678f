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
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use udap_ca::Ca;
use udap_host::seal::{MIN_PASSPHRASE, Passphrase};

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
    /// What its keys are under: a file of mode 0600 with a passphrase of 12 characters or more
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl DirArgs {
    async fn open(&self) -> Result<Ca, Problem> {
        let passphrase = passphrase(self.passphrase_file.as_deref())?;
        Ok(Ca::open_with(&self.dir, passphrase.as_ref()).await?)
    }
}

/// The passphrase of a file, which others must not be able to read.
fn passphrase(file: Option<&Path>) -> Result<Option<Passphrase>, Problem> {
    let Some(file) = file else { return Ok(None) };
    let text = udap_host::files::read_private(file)
        .map_err(|error| Problem::new(error.code(), error.to_string()).unreadable())?;
    let passphrase = Passphrase::read(&text);
    let short = || {
        Problem::new(
            "passphrase-too-short",
            format!(
                "{}: a passphrase has {MIN_PASSPHRASE} characters or more",
                file.display()
            ),
        )
    };
    passphrase.ok_or_else(|| short().unreadable()).map(Some)
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
