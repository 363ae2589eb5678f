//! A sandbox for the length of a benchmark: in a directory of its own, at ports of its own.

use std::{net::TcpListener, path::PathBuf, sync::Arc};

use rustls::ClientConfig;

use super::BenchError;
use crate::dev::{Actors, DevError, Layout, Spec, files, setup, specs};

/// What is running for a benchmark.
pub(super) struct Place {
    pub(super) layout: Layout,
    /// This very program, which the actors are.
    pub(super) program: PathBuf,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) actors: Actors,
}

impl Place {
    /// Makes a sandbox, and starts the actors that are wanted of it and `more` beside them.
    pub(super) async fn start(
        wanted: &[&str],
        more: impl Fn(&Layout) -> Vec<Spec>,
    ) -> Result<Self, BenchError> {
        let dir = std::env::temp_dir().join(format!("udap-bench-{}", std::process::id()));
        let layout = Layout::new(dir, free_ports()?);
        let place = Self::start_at(&layout, wanted, more).await;
        if place.is_err() {
            remove(&layout);
        }
        place
    }

    async fn start_at(
        layout: &Layout,
        wanted: &[&str],
        more: impl Fn(&Layout) -> Vec<Spec>,
    ) -> Result<Self, BenchError> {
        files::make_dir(layout.dir())?;
        let clock: udap_ca::Clock = Arc::new(udap_host::clock::now);
        setup(layout, &layout.fhir_url(), &clock).await?;
        unlimited(layout)?;
        let tls = crate::wire::tls_config(Some(&layout.tls_root()))?;
        let mut specs: Vec<Spec> = specs(layout)
            .into_iter()
            .filter(|spec| wanted.contains(&spec.name))
            .collect();
        specs.extend(more(layout));
        let program = std::env::current_exe().map_err(|error| DevError::System {
            what: "this program's path",
            detail: error.to_string(),
        })?;
        let actors = Actors::start(&program, &specs, &tls).await?;
        Ok(Self {
            layout: layout.clone(),
            program,
            tls,
            actors,
        })
    }

    /// Stops everything and removes the directory.
    pub(super) async fn end(self) -> Result<(), BenchError> {
        self.actors.stop().await?;
        remove(&self.layout);
        Ok(())
    }
}

/// One address asks for all: what stops that elsewhere is not what is measured here.
fn unlimited(layout: &Layout) -> Result<(), BenchError> {
    use std::io::Write as _;
    let path = layout.path("data-holder/udap.toml");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path);
    let written = file
        .as_mut()
        .map_err(|error| error.to_string())
        .and_then(|file| {
            file.write_all(b"\n[limits]\nregistrations_per_minute = 1000000000\n")
                .map_err(|error| error.to_string())
        });
    written.map_err(|error| BenchError::Other(format!("{}: {error}", path.display())))
}

fn remove(layout: &Layout) {
    // What cannot be removed is in the system's directory for such things.
    let _ = std::fs::remove_dir_all(layout.dir());
}

/// The first of some ports in a row that nobody listens on, below those that the system gives away.
fn free_ports() -> Result<u16, BenchError> {
    let start = u16::try_from(std::process::id() % u32::from(ROWS)).unwrap_or_default();
    let free =
        |base: u16| (base..base + PORTS).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    (0..ROWS)
        .map(|step| FIRST_PORT + (start + step) % ROWS * 10)
        .find(|base| free(*base))
        .ok_or_else(|| BenchError::Other("no free ports were found".to_owned()))
}

/// Those of a sandbox, one for a floor among them.
const PORTS: u16 = 9;
const FIRST_PORT: u16 = 20_000;
const ROWS: u16 = 400;
