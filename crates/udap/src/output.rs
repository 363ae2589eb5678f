//! Data on stdout, talk on stderr. `anstream` leaves colours out where they are not wanted.

use crate::problem::Problem;
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// `--json`: one JSON value.
    Json,
}

impl Format {
    pub(crate) const fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Human }
    }
}

/// Exit code 1: no, refused, or not known where it has to be.
pub(crate) const NO: u8 = 1;
/// Exit code 2: unreadable input or wrong usage.
pub(crate) const UNREADABLE: u8 = 2;

/// Data, with a line end.
pub(crate) fn data(text: &str) -> Result<(), Problem> {
    written(writeln!(anstream::stdout(), "{text}"))
}

/// Data as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Problem> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// A JSON value, indented for people's eyes on a terminal and on one line elsewhere.
pub(crate) fn json(value: &Value) -> Result<(), Problem> {
    data(&json_text(value))
}

pub(crate) fn json_text(value: &Value) -> String {
    if io::stdout().is_terminal() {
        format!("{value:#}")
    } else {
        value.to_string()
    }
}

/// Names and values, the values under one another; a value of several lines stays in its column.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines = pairs.iter().flat_map(|(name, value)| {
        value.lines().enumerate().map(move |(i, line)| {
            let name = if i == 0 { name } else { "" };
            format!("  {name:width$}  {line}")
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Octets in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A table as lines without blanks at their ends.
pub(crate) fn trim_lines(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Talk. Nobody is left to be told when stderr is closed.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Wrong usage, or `--help` and `--version`, which clap prints to where they belong.
pub(crate) fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if error.use_stderr() && args.iter().any(|arg| arg == "--json") {
        let message = error.render().to_string();
        // Up to the empty line before the usage: the sentence, and the options it is about.
        let sentence: Vec<_> = message
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let sentence = sentence.join(" ");
        let problem = Problem::new("usage", sentence.trim_start_matches("error: "))
            .hint("`--help` after the command shows its options")
            .unreadable();
        return problem.report(Format::Json);
    }
    // There is nobody to tell when it cannot be printed.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(UNREADABLE)
    } else {
        ExitCode::SUCCESS
    }
}

/// Whoever closed the pipe has seen enough; a full disk is another matter.
fn written(result: io::Result<()>) -> Result<(), Problem> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Problem::new(
            "output-unwritable",
            format!("the output cannot be written: {error}"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_stand_under_one_another() {
        assert_eq!(
            super::pairs(&[("a", "1".into()), ("long", "2\n3".into())]),
            "  a     1\n  long  2\n        3"
        );
    }
}
