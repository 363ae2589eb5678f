//! The listener: TLS, one current-thread runtime per worker, graceful stop.

use std::{net::SocketAddr, path::PathBuf};

use crate::limits::HttpLimits;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address and port; port 0 takes a free one (see [`Running::addr`]).
    pub addr: SocketAddr,
    /// Certificate and key, or `None` for plain HTTP behind a proxy that ends TLS.
    pub tls: Option<TlsFiles>,
    pub limits: HttpLimits,
}

impl Listen {
    /// Plain HTTP with the usual limits.
    pub fn plain(addr: SocketAddr) -> Self {
        Self {
            addr,
            tls: None,
            limits: HttpLimits::default(),
        }
    }

    /// HTTPS with the usual limits.
    pub fn tls(addr: SocketAddr, tls: TlsFiles) -> Self {
        Self {
            addr,
            tls: Some(tls),
            limits: HttpLimits::default(),
        }
    }
}

/// The server's own TLS certificate and key, watched and reloaded while running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: leaf first, then intermediates.
    pub cert: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1; readable by its owner only.
    pub key: PathBuf,
}

/// The address of the peer, as a request extension: `Extension(Peer(addr))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// A stop signal that any number of parts wait for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    sender: std::sync::Arc<tokio::sync::watch::Sender<bool>>,
}

impl Shutdown {
    /// Triggered only by [`trigger`](Self::trigger).
    #[expect(
        clippy::new_without_default,
        reason = "a stop signal is made on purpose, once"
    )]
    pub fn new() -> Self {
        Self {
            sender: std::sync::Arc::new(tokio::sync::watch::Sender::new(false)),
        }
    }

    /// Also triggered by SIGTERM and SIGINT; a second signal ends the process at once.
    pub fn on_signals() -> Result<Self, ListenError> {
        todo!()
    }

    pub fn trigger(&self) {
        self.sender.send_replace(true);
    }

    pub fn is_triggered(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns when triggered; at once if it already was.
    pub async fn wait(&self) {
        let _ = self.sender.subscribe().wait_for(|stop| *stop).await;
    }
}

/// Serves until `shutdown`, blocking the calling thread. `make_router` runs once per worker, on
/// that worker's thread and inside its runtime, so a router may own a client pool of its thread.
pub fn run(
    listen: Listen,
    workers: usize,
    make_router: impl Fn() -> axum::Router + Send + Sync + Clone + 'static,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    start(listen, workers, make_router, shutdown)?.join()
}

/// Starts the workers and returns once all are accepting.
pub fn start(
    _listen: Listen,
    _workers: usize,
    _make_router: impl Fn() -> axum::Router + Send + Sync + Clone + 'static,
    _shutdown: Shutdown,
) -> Result<Running, ListenError> {
    todo!()
}

/// [`start`] with one worker and a stop signal of its own: for tests and for roles that are not hot.
pub fn spawn(
    listen: Listen,
    make_router: impl Fn() -> axum::Router + Send + Sync + Clone + 'static,
) -> Result<Running, ListenError> {
    start(listen, 1, make_router, Shutdown::new())
}

/// A listener that is accepting. Dropping it asks for a stop without waiting.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    shutdown: Shutdown,
}

impl Running {
    /// The address bound, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Asks for a stop and waits until the requests in flight are answered or the drain time is over.
    pub async fn stop(self) -> Result<(), ListenError> {
        todo!()
    }

    /// Blocks until somebody triggers the stop signal and the workers are done.
    pub fn join(self) -> Result<(), ListenError> {
        todo!()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// Why a listener could not start or had to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    #[error("{addr} is already in use")]
    AddressInUse { addr: SocketAddr },
}

impl ListenError {
    pub fn code(&self) -> &'static str {
        todo!()
    }
    pub fn hint(&self) -> String {
        todo!()
    }
}
