use std::path::{Path, PathBuf};

use udap_ca::CaError;
use udap_proto::Refusal as _;

use super::layout::{PORTS, Port};
use crate::catalogue::find;

/// Why the sandbox does not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevError {
    #[error(
        "port base {port_base} cannot be used: {PORTS} ports from it on must exist, none below 1024"
    )]
    PortBase { port_base: u16 },
    #[error("{url} cannot stand behind the gateway: {reason}")]
    Upstream { url: String, reason: &'static str },
    #[error("{} cannot be {action}: {detail}", path.display())]
    Directory {
        path: PathBuf,
        action: &'static str,
        detail: String,
    },
    #[error("the disk that holds {} is full", path.display())]
    DiskFull { path: PathBuf },
    #[error("another `udap dev` is using {}", path.display())]
    Locked { path: PathBuf },
    #[error("{}", taken(ports))]
    PortsInUse { ports: Vec<Port> },
    #[error("{authority}: {error}")]
    Ca {
        authority: String,
        #[source]
        error: CaError,
    },
    #[error("{actor} could not be started: {detail}")]
    Start { actor: &'static str, detail: String },
    #[error("{actor} ended at once ({status})\n{tail}")]
    Ended {
        actor: &'static str,
        status: String,
        tail: String,
        log: PathBuf,
    },
    #[error("{actor} did not answer within {seconds} seconds: {detail}\n{tail}")]
    NotReady {
        actor: &'static str,
        seconds: u64,
        detail: String,
        tail: String,
        log: PathBuf,
    },
    #[error("{process} (process {pid}) did not end, not even when it was killed")]
    LeftBehind { process: &'static str, pid: u32 },
    #[error("{} cannot be used: {detail}", path.display())]
    Unreadable { path: PathBuf, detail: String },
    #[error(transparent)]
    Client(#[from] udap_client::ClientError),
    #[error("{what} cannot be had from the operating system: {detail}")]
    System { what: &'static str, detail: String },
}

impl DevError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::PortBase { .. } => "port-base-invalid",
            Self::Upstream { .. } => "upstream-invalid",
            Self::Directory { .. } => "sandbox-directory",
            Self::DiskFull { .. } => "disk-full",
            Self::Locked { .. } => "sandbox-locked",
            Self::PortsInUse { .. } => "port-in-use",
            Self::Ca { error, .. } => error.code(),
            Self::Start { .. } => "actor-not-started",
            Self::Ended { .. } => "actor-ended",
            Self::NotReady { .. } => "actor-not-ready",
            Self::LeftBehind { .. } => "actor-left-behind",
            Self::Unreadable { .. } => "sandbox-file",
            Self::Client(error) => error.code(),
            Self::System { .. } => "system-refused",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            _ if self.code() == "disk-full" => {
                "free some space there, or choose a directory on another disk with `--dir`; what is there is not lost"
                    .to_owned()
            }
            Self::PortsInUse { .. } => {
                "end the program that listens there, or move every port with `--port-base N`"
                    .to_owned()
            }
            Self::Ended { log, .. } | Self::NotReady { log, .. } => {
                format!("its whole log is {}", log.display())
            }
            Self::Ca { error, .. } => error.hint(),
            Self::Client(error) => error.hint().unwrap_or_default(),
            _ => general_hint(self.code()),
        }
    }

    /// Whether the options were the mistake, which is exit code 2.
    pub(crate) const fn is_usage(&self) -> bool {
        matches!(self, Self::PortBase { .. } | Self::Upstream { .. })
    }

    pub(crate) fn io(path: &Path, action: &'static str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path: path.to_owned(),
            },
            _ => Self::Directory {
                path: path.to_owned(),
                action,
                detail: error.to_string(),
            },
        }
    }
}

/// What the catalogue says.
pub(crate) fn general_hint(code: &str) -> String {
    find(code).map_or_else(String::new, |entry| entry.hint.to_owned())
}

fn taken(ports: &[Port]) -> String {
    let list: Vec<String> = ports
        .iter()
        .map(|port| format!("{} (for {})", port.number, port.actor))
        .collect();
    match list.as_slice() {
        [one] => format!("port {one} is in use"),
        several => format!("ports {} are in use", several.join(", ")),
    }
}
