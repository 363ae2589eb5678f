//! A password: typed twice without being seen, or from a file or a pipe. Never an argument, which every
//! user of the machine could read.

use crate::problem::Problem;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use udap_host::files::read_private;
use zeroize::Zeroizing;

#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// A file with the password, which only its owner can read; else it is asked for, or read from a pipe
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    pub(super) fn read(&self) -> Result<Zeroizing<String>, Problem> {
        if let Some(path) = &self.password_file {
            let bytes = read_private(path)
                .map_err(|error| Problem::from(udap_server::StartError::from(error)))?;
            let text = std::str::from_utf8(&bytes).map_err(|_| {
                Problem::new("file-unusable", format!("{} is not text", path.display()))
                    .unreadable()
            })?;
            return Ok(Zeroizing::new(without_line_end(text).to_owned()));
        }
        if !io::stdin().is_terminal() {
            return line();
        }
        let once = typed("Password: ")?;
        if *once != *typed("Once more: ")? {
            return Err(Problem::new("usage", "the two are not the same").unreadable());
        }
        Ok(once)
    }
}

/// Asks without showing what is typed.
fn typed(prompt: &str) -> Result<Zeroizing<String>, Problem> {
    let failed = |error: io::Error| Problem::new("usage", format!("the terminal: {error}"));
    let mut talk = anstream::stderr();
    let _ = write!(talk, "{prompt}");
    let _ = talk.flush();
    let shown = tcgetattr(io::stdin()).map_err(|error| failed(error.into()))?;
    let restore = Restore(shown.clone());
    let mut unseen = shown;
    unseen.local_modes.remove(LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)
        .map_err(|error| failed(error.into()))?;
    let answer = line();
    drop(restore);
    let _ = writeln!(talk);
    answer
}

/// Puts the terminal back whatever happens.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

fn line() -> Result<Zeroizing<String>, Problem> {
    // Room for all of it at once: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let mut limited = io::Read::take(io::stdin().lock(), 4096);
    limited.read_line(&mut text).map_err(|error| {
        Problem::new("usage", format!("no password could be read: {error}")).unreadable()
    })?;
    Ok(Zeroizing::new(without_line_end(&text).to_owned()))
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
