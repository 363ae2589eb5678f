//! `udap dev`: a trust community in a directory, every actor a process of its own, and the main job.

use std::{path::PathBuf, process::ExitCode};

use url::Url;

/// What `udap dev` was asked for.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// Where everything is kept; made if it is missing.
    pub dir: PathBuf,
    /// How long it stays up.
    pub stay: Stay,
    /// How steps are told.
    pub format: Format,
    /// The first of the five ports: data holder, CA of community 1 and 2, FHIR server, phisher.
    pub port_base: u16,
    /// An existing FHIR server to put behind the gateway in place of the built-in one.
    pub upstream: Option<Url>,
}

impl Default for DevOptions {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("udap-sandbox"),
            stay: Stay::UntilInterrupted,
            format: Format::Human,
            port_base: 8440,
            upstream: None,
        }
    }
}

/// How long the sandbox stays up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// `--once`: until the main job is done.
    ForTheJob,
    /// Until Ctrl-C or SIGTERM.
    UntilInterrupted,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people, with colours on a terminal unless `NO_COLOR` is set.
    Human,
    /// `--json`.
    Json,
}

/// Makes or renews the sandbox, starts it, runs the main job, and stops everything.
///
/// Exits with 0 when every step succeeded, 1 when one did not, 2 when the options cannot be used.
#[must_use]
pub fn run(options: DevOptions) -> ExitCode {
    let _ = options;
    todo!()
}
