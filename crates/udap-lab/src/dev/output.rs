//! How the steps are told: a line each for a person, an object each for a program.

use std::{io::Write as _, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{
    Format, commands,
    error::DevError,
    job::{Failure, Told},
    layout::Layout,
};
use crate::catalogue::find;

/// Tells of each step as it ends. Results go to stdout, everything else to stderr.
#[derive(Debug)]
pub(crate) struct Reporter {
    format: Format,
    logs: PathBuf,
}

impl Reporter {
    pub(crate) const fn new(format: Format, logs: PathBuf) -> Self {
        Self { format, logs }
    }

    /// What a person who waits wants to know.
    pub(crate) fn note(&self, text: &str) {
        if self.format == Format::Human {
            // Whoever closes stderr does not want to know.
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    pub(crate) fn step(&self, name: &str, took: Duration, result: &Result<Told, Failure>) {
        let ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
        match (self.format, result) {
            (Format::Json, Ok(told)) => {
                let mut step = json!({ "step": name, "ok": true, "ms": ms });
                if !told.detail.is_null() {
                    step["detail"] = told.detail.clone();
                }
                out(&step.to_string());
            }
            (Format::Json, Err(failure)) => out(&json!({
                "step": name,
                "ok": false,
                "ms": ms,
                "code": failure.code,
                "error": failure.sentence,
                "hint": failure.hint,
                "logs": self.logs,
            })
            .to_string()),
            (Format::Human, Ok(told)) => {
                out(&format!(
                    "{GREEN}✓{RESET} {BOLD}{name:<16}{RESET}{ms:>8.1} ms  {}",
                    told.line
                ));
            }
            (Format::Human, Err(failure)) => {
                out(&format!(
                    "{RED}✗{RESET} {BOLD}{name:<16}{RESET}{ms:>8.1} ms"
                ));
                self.explain(&failure.code, &failure.sentence, &failure.hint);
                let _ = writeln!(anstream::stderr(), "  logs: {}", self.logs.display());
            }
        }
    }

    /// The end of a run that did not reach the end of the job.
    pub(crate) fn failed(&self, error: &DevError) {
        match self.format {
            Format::Json => out(&json!({
                "step": "all",
                "ok": false,
                "code": error.code(),
                "error": error.to_string(),
                "hint": error.hint(),
                "logs": self.logs,
            })
            .to_string()),
            Format::Human => self.explain(error.code(), &error.to_string(), &error.hint()),
        }
    }

    /// A step failed, or it was interrupted: the last object says so, and what is up nevertheless.
    pub(crate) fn not_all(&self, up: Value) {
        if self.format == Format::Json {
            let mut step = json!({ "step": "all", "ok": false });
            if !up.is_null() {
                step["detail"] = up;
            }
            out(&step.to_string());
        }
    }

    /// The addresses and the commands to go on with; a program was told with the last step.
    pub(crate) fn up(&self, layout: &Layout, whole: bool) {
        if self.format == Format::Human {
            let but = match whole {
                true => "",
                false => ", although a step failed",
            };
            let [admin, metrics] = commands::pages(layout);
            let mut text = format!(
                "\n{BOLD}The sandbox is up at {}{but}{RESET}\n  operators  {admin}\n  metrics    {metrics}\n\nTry\n",
                layout.data_holder_url()
            );
            for command in commands::to_try(layout) {
                text.push_str("  ");
                text.push_str(&command);
                text.push('\n');
            }
            text.push_str("\nCtrl-C ends it.");
            out(&text);
        }
    }

    fn explain(&self, code: &str, sentence: &str, hint: &str) {
        let mut err = anstream::stderr();
        let _ = writeln!(err, "{RED}error[{code}]{RESET}: {sentence}");
        if !hint.is_empty() {
            let _ = writeln!(err, "  hint: {hint}");
        }
        if find(code).is_some() {
            let _ = writeln!(err, "  see: udap explain {code}");
        }
    }
}

/// A line of data. A reader that has gone away does not stop the job.
fn out(line: &str) {
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

// `anstream` leaves them out where there is no terminal, and where NO_COLOR is set.
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";
