//! The actors of the sandbox: each the running program again, as a process of its own.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;
use tokio::{
    process::{Child, ChildStdin, Command},
    time::{Instant, sleep, timeout},
};

use super::{
    error::DevError,
    files::{self, Readers},
    layout::{Community, Layout, Port},
};
use crate::wire;

/// What to start, and how to tell that it serves.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// Where it listens besides.
    pub(crate) also: Vec<u16>,
    /// What follows `udap actor`.
    pub(crate) args: Vec<String>,
    /// A URL that answers 200 as soon as it serves.
    pub(crate) ready_url: String,
    /// How long that may take.
    pub(crate) ready_within: Duration,
    pub(crate) log: PathBuf,
}

/// The actors of a sandbox, in the order in which they need each other.
pub(crate) fn specs(layout: &Layout, fhir: FhirServer) -> Vec<Spec> {
    let mut specs = Vec::new();
    for community in Community::BOTH {
        let port = layout.ca_port(community);
        let dir = layout.ca_dir(community).display().to_string();
        let listen = format!("127.0.0.1:{port}");
        let mut args = strings(&["ca", "serve", "--dir", &dir, "--listen", &listen]);
        // What it publishes is signed; whether a certification still holds is not, and is asked by https.
        let status = (community == Community::One).then(|| layout.status_port());
        if let Some(port) = status {
            let (cert, key) = (layout.path("tls/ca-1.pem"), layout.path("tls/ca-1.key"));
            args.extend(strings(&[
                "--tls-listen",
                &format!("127.0.0.1:{port}"),
                "--tls-cert",
                &cert.display().to_string(),
                "--tls-key",
                &key.display().to_string(),
            ]));
        }
        specs.push(Spec {
            name: community.actor(),
            port,
            also: status.into_iter().collect(),
            args,
            ready_url: format!("{}/readyz", layout.ca_url(community)),
            ready_within: READY_WITHIN,
            log: layout.log(community.actor()),
        });
    }
    if fhir == FhirServer::BuiltIn {
        let listen = format!("127.0.0.1:{}", layout.fhir_port());
        let url = layout.fhir_url();
        specs.push(Spec {
            name: "fhir",
            port: layout.fhir_port(),
            also: Vec::new(),
            args: strings(&["fhir", &listen, &url]),
            ready_url: format!("{url}/metadata"),
            ready_within: READY_WITHIN,
            log: layout.log("fhir"),
        });
    }
    let servers = [
        (
            "data-holder",
            layout.data_holder_port(),
            layout.data_holder_config(),
            layout.data_holder_url(),
        ),
        (
            "phisher",
            layout.phisher_port(),
            layout.phisher_config(),
            layout.phisher_url(),
        ),
    ];
    for (name, port, config, url) in servers {
        let config = config.display().to_string();
        specs.push(Spec {
            name,
            port,
            also: match name {
                "data-holder" => vec![layout.admin_port(), layout.metrics_port()],
                _ => Vec::new(),
            },
            args: strings(&["serve", "--config", &config]),
            ready_url: format!("{url}{}", udap_proto::metadata::PATH),
            ready_within: READY_WITHIN,
            log: layout.log(name),
        });
    }
    specs
}

/// Which FHIR server is behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FhirServer {
    BuiltIn,
    Existing,
}

/// Says which ports are taken, before anything is started. A sandbox that was killed a moment ago
/// gives its ports back shortly, so that is waited for.
pub(crate) async fn require_free(specs: &[Spec]) -> Result<(), DevError> {
    let deadline = Instant::now() + PORTS_TIMEOUT;
    loop {
        let ports: Vec<Port> = specs
            .iter()
            .flat_map(|spec| {
                let ports = std::iter::once(spec.port).chain(spec.also.iter().copied());
                ports.map(|number| Port {
                    number,
                    actor: spec.name,
                })
            })
            .filter(|port| is_taken(port.number))
            .collect();
        if ports.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(DevError::PortsInUse { ports });
        }
        sleep(POLL).await;
    }
}

/// `localhost` is both addresses: somebody on the other one would be taken for the actor.
fn is_taken(port: u16) -> bool {
    let addresses: [SocketAddr; 2] = [
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ];
    addresses.into_iter().any(|address| {
        TcpListener::bind(address).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    })
}

/// Running actors. Dropped without [`Actors::stop`], they are killed.
#[derive(Debug)]
pub(crate) struct Actors {
    running: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    name: &'static str,
    pid: u32,
    child: Child,
    /// Open as long as this process lives, by which the actor knows that it does.
    _stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Actors {
    /// Nobody: what is left when those that ran are stopped.
    pub(crate) const fn none() -> Self {
        Self {
            running: Vec::new(),
        }
    }

    /// Starts all of them, authorities before the others, and waits until each serves.
    pub(crate) async fn start(
        program: &Path,
        specs: &[Spec],
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, DevError> {
        let mut actors = Self {
            running: Vec::with_capacity(specs.len()),
        };
        // Authorities first: whoever asks for a CRL as it starts, and does not get it, asks again only after
        // some seconds.
        let authorities = specs.iter().take_while(|spec| spec.name.starts_with("ca-"));
        let (first, others) = specs.split_at(authorities.count());
        for wave in [first, others] {
            let begin = actors.running.len();
            for spec in wave {
                actors.running.push(spawn(program, spec)?);
            }
            for (at, spec) in (begin..).zip(wave) {
                if let Err(error) = actors.ready(at, spec, tls).await {
                    actors.stop().await?;
                    return Err(error);
                }
            }
        }
        Ok(actors)
    }

    async fn ready(
        &mut self,
        at: usize,
        spec: &Spec,
        tls: &Arc<ClientConfig>,
    ) -> Result<(), DevError> {
        let deadline = Instant::now() + spec.ready_within;
        loop {
            self.require_alive(at)?;
            let detail = match wire::get(&spec.ready_url, None, tls).await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => format!("{} answers {}", spec.ready_url, answer.status()),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(DevError::NotReady {
                    actor: spec.name,
                    seconds: spec.ready_within.as_secs(),
                    detail,
                    tail: tail(&spec.log),
                    log: spec.log.clone(),
                });
            }
            sleep(POLL).await;
        }
    }

    /// Names the first actor that is not running any more.
    pub(crate) fn require_all_alive(&mut self) -> Result<(), DevError> {
        (0..self.running.len()).try_for_each(|at| self.require_alive(at))
    }

    fn require_alive(&mut self, at: usize) -> Result<(), DevError> {
        let Some(process) = self.running.get_mut(at) else {
            return Ok(());
        };
        match process.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(DevError::Ended {
                actor: process.name,
                status: status.to_string(),
                tail: tail(&process.log),
                log: process.log.clone(),
            }),
            Err(error) => Err(DevError::System {
                what: "the state of a process",
                detail: error.to_string(),
            }),
        }
    }

    /// The process of an actor.
    pub(crate) fn pid(&self, name: &str) -> Option<u32> {
        let process = self.running.iter().find(|process| process.name == name)?;
        Some(process.pid)
    }

    /// Asks all of them to end, kills those that do not, and returns when none is left.
    pub(crate) async fn stop(mut self) -> Result<(), DevError> {
        for process in &self.running {
            terminate(process);
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        let mut left = Ok(());
        for process in &mut self.running {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if timeout(remaining, process.child.wait()).await.is_ok() {
                continue;
            }
            // A failure shows in the wait that follows.
            let _ = process.child.start_kill();
            if timeout(KILL_TIMEOUT, process.child.wait()).await.is_err() {
                left = Err(DevError::LeftBehind {
                    process: process.name,
                    pid: process.pid,
                });
            }
        }
        left
    }
}

fn terminate(process: &Process) {
    // `id` is none once the process was waited for: its number may be somebody else's by now.
    let pid = process.child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn spawn(program: &Path, spec: &Spec) -> Result<Process, DevError> {
    let failed = |detail: String| DevError::Start {
        actor: spec.name,
        detail,
    };
    if let Some(directory) = spec.log.parent() {
        files::make_dir(directory)?;
    }
    files::write(&spec.log, b"", Readers::Owner)?;
    let log = fs::OpenOptions::new()
        .append(true)
        .open(&spec.log)
        .map_err(|error| DevError::io(&spec.log, "written", &error))?;
    let errors = log
        .try_clone()
        .map_err(|error| DevError::io(&spec.log, "written", &error))?;
    let mut child = Command::new(program)
        .arg("actor")
        .args(&spec.args)
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(errors)
        // Ctrl-C on the terminal is for this process, which then ends them in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("{}: {error}", program.display())))?;
    Ok(Process {
        name: spec.name,
        pid: child.id().unwrap_or_default(),
        _stdin: child.stdin.take(),
        child,
        log: spec.log.clone(),
    })
}

/// The last lines of a log, for the message of whoever has to know why.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines
        .get(first..)
        .unwrap_or_default()
        .iter()
        .map(|line| format!("  | {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn strings(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

const POLL: Duration = Duration::from_millis(2);
/// A busy machine may take seconds to start five processes; a good one takes 100 ms.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(20);
/// The processes of a sandbox that was killed end by themselves within this time.
const PORTS_TIMEOUT: Duration = Duration::from_secs(3);
/// Requests in flight are answered in less.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
const TAIL_LINES: usize = 5;
