//! `udap dev`: a trust community in a directory, every actor a process of its own, and the main job.

mod actors;
#[cfg(test)]
mod actors_tests;
mod certifications;
mod commands;
mod error;
pub(crate) mod files;
mod job;
mod layout;
mod manifest;
mod member;
mod output;
mod setup;
#[cfg(test)]
mod setup_tests;
mod smart;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use self::{actors::FhirServer, job::World, output::Reporter};
pub(crate) use self::{
    actors::{Actors, READY_WITHIN, Spec},
    error::DevError,
    job::{app_metadata, purpose, scopes},
    layout::PORT_BASES,
    layout::{Community, Layout},
    member::{read_chain, read_signer},
    setup::setup,
};
use crate::wire;

/// Every actor of a sandbox with the built-in FHIR server.
pub(crate) fn specs(layout: &Layout) -> Vec<Spec> {
    actors::specs(layout, FhirServer::BuiltIn)
}

/// What `udap dev` was asked for.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// Where everything is kept; made if it is missing.
    pub dir: PathBuf,
    /// How long it stays up.
    pub stay: Stay,
    /// How steps are told.
    pub format: Format,
    /// The first of nine ports: data holder, CA of community 1 and 2, FHIR server, phisher, status of
    /// certifications, administration of the data holder, a benchmark's, metrics of the data holder.
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
/// Exits with 0 when every step succeeded, 1 when one did not (it stays up all the same), 2 when the options cannot be used.
#[must_use]
pub fn run(options: DevOptions) -> ExitCode {
    let logs = options.dir.join("logs");
    let reporter = Reporter::new(options.format, logs);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(sandbox(&options, &reporter)),
        Err(error) => Err(system("threads", &error)),
    };
    match result {
        Ok(End::Whole) => ExitCode::SUCCESS,
        Ok(End::StepFailed | End::Interrupted) => ExitCode::FAILURE,
        Err(error) => {
            reporter.failed(&error);
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// How a run ended in which everything was started and stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    StepFailed,
    Interrupted,
}

async fn sandbox(options: &DevOptions, reporter: &Reporter) -> Result<End, DevError> {
    if !PORT_BASES.contains(&options.port_base) {
        return Err(DevError::PortBase {
            port_base: options.port_base,
        });
    }
    let dir = std::path::absolute(&options.dir)
        .map_err(|error| DevError::io(&options.dir, "found", &error))?;
    let layout = Layout::new(dir, options.port_base);
    let upstream = match &options.upstream {
        Some(url) => upstream(url)?,
        None => layout.fhir_url(),
    };
    let fhir = match &options.upstream {
        Some(_) => FhirServer::Existing,
        None => FhirServer::BuiltIn,
    };
    let mut interrupted = Interrupted::watch()?;

    let specs = actors::specs(&layout, fhir);
    // A start that is refused makes nothing. Where there is a sandbox, who uses it is asked first.
    let is_new = !layout.dir().exists();
    if is_new {
        actors::require_free(&specs).await?;
    }
    files::make_dir(layout.dir())?;
    // Held to the end: two sandboxes in one directory would renew each other's certificates.
    let _lock = files::lock(layout.dir())?;
    if !is_new {
        actors::require_free(&specs).await?;
    }
    reporter.note(&format!("sandbox in {}", layout.dir().display()));
    let clock: udap_ca::Clock = Arc::new(udap_host::clock::now);
    setup(&layout, &upstream, &clock).await?;

    let program = std::env::current_exe().map_err(|error| system("this program's path", &error))?;
    certifications::make(&layout, &program, clock()).await?;
    let tls = tls(&layout)?;
    let mut actors = tokio::select! {
        started = Actors::start(&program, &specs, &tls) => started?,
        // What was started ends with its handle.
        () = interrupted.wait() => return Ok(End::Interrupted),
    };
    let mut world = World::new(&layout, tls, fhir, upstream)?;
    let up = match options.stay {
        Stay::ForTheJob => Value::Null,
        Stay::UntilInterrupted => commands::up(&layout),
    };
    let end = tokio::select! {
        done = job::run(&mut world, &mut actors, reporter, up) => match done {
            Ok(()) => End::Whole,
            Err(_) => End::StepFailed,
        },
        () = interrupted.wait() => End::Interrupted,
    };
    if end == End::Interrupted || options.stay == Stay::ForTheJob {
        actors.stop().await?;
        if end != End::Whole {
            reporter.not_all(Value::Null);
        }
        return Ok(end);
    }
    // Also where a step failed: the actors and what they say are there to be looked at.
    if end == End::StepFailed {
        reporter.not_all(commands::up(&layout));
    }
    reporter.up(&layout, end == End::Whole);
    stay(&mut actors, &mut interrupted).await?;
    actors.stop().await?;
    Ok(end)
}

/// Until somebody ends it, or an actor ends by itself.
async fn stay(actors: &mut Actors, interrupted: &mut Interrupted) -> Result<(), DevError> {
    loop {
        tokio::select! {
            () = interrupted.wait() => return Ok(()),
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => actors.require_all_alive()?,
        }
    }
}

/// The FHIR server's address as the gateway's configuration takes it.
fn upstream(url: &Url) -> Result<String, DevError> {
    let refused = |reason| DevError::Upstream {
        url: url.to_string(),
        reason,
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refused("it is no http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it has user information"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has a query or a fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn tls(layout: &Layout) -> Result<Arc<rustls::ClientConfig>, DevError> {
    wire::tls_config(Some(&layout.tls_root())).map_err(|error| DevError::Unreadable {
        path: layout.tls_root(),
        detail: error.to_string(),
    })
}

fn system(what: &'static str, error: &std::io::Error) -> DevError {
    DevError::System {
        what,
        detail: error.to_string(),
    }
}

/// Ctrl-C and SIGTERM.
struct Interrupted {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupted {
    fn watch() -> Result<Self, DevError> {
        let watch = |kind| signal(kind).map_err(|error| system("signals", &error));
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
