//! The listener: TLS 1.3 and 1.2, one current-thread runtime per worker, graceful stop.
//!
//! Each worker binds the same port with `SO_REUSEPORT` and serves the connections that the kernel
//! gives it on one thread: a request never changes threads, which on two cores costs 3.5 µs less
//! than a work-stealing runtime. A role that needs background work (database, audit writer) runs
//! it on a runtime of its own.
//!
//! ```no_run
//! # async fn example() -> Result<(), udap_host::listen::ListenError> {
//! use udap_host::listen::{self, Listen};
//!
//! let listen = Listen::plain(([127, 0, 0, 1], 0).into());
//! let running = listen::spawn(listen, || axum::Router::new())?;
//! println!("listening on {}", running.addr());
//! running.stop().await
//! # }
//! ```

mod activity;
mod bind;
mod client_certificate;
mod error;
mod shutdown;
mod stats;
mod tls;
mod worker;

use std::{net::SocketAddr, path::PathBuf, sync::mpsc, thread};

use crate::{descriptors, limits::HttpLimits};

use self::stats::Slots;
pub use self::{
    client_certificate::{
        ClientCertificate, ClientCertificateError, ClientCertificates, Issuers, MutualTls,
    },
    error::ListenError,
    shutdown::Shutdown,
    stats::{Stats, stats},
};

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address and port; port 0 takes a free one (see [`Running::addr`]).
    pub addr: SocketAddr,
    /// Certificate and key, or `None` for plain HTTP behind a proxy that ends TLS.
    pub tls: Option<TlsFiles>,
    /// Whether clients are asked for a certificate; most listeners do not ask.
    pub client_certificates: ClientCertificates,
    pub limits: HttpLimits,
}

impl Listen {
    /// Plain HTTP with the usual limits.
    pub fn plain(addr: SocketAddr) -> Self {
        Self {
            addr,
            tls: None,
            client_certificates: ClientCertificates::Off,
            limits: HttpLimits::default(),
        }
    }

    /// HTTPS with the usual limits.
    pub fn tls(addr: SocketAddr, tls: TlsFiles) -> Self {
        Self {
            addr,
            tls: Some(tls),
            client_certificates: ClientCertificates::Off,
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

impl TlsFiles {
    /// Loads both files as a listener would, without listening: for `doctor` and `config check`.
    pub fn check(&self) -> Result<(), ListenError> {
        tls::load(self).map(drop)
    }
}

/// The address of the peer, as a request extension: `Extension(Peer(addr))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

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
    mut listen: Listen,
    workers: usize,
    make_router: impl Fn() -> axum::Router + Send + Sync + Clone + 'static,
    shutdown: Shutdown,
) -> Result<Running, ListenError> {
    // Read the certificate before binding: a port that answers nothing looks like an attack.
    let open = |files| tls::Tls::open(files, &listen.client_certificates);
    let tls = listen.tls.as_ref().map(open).transpose()?;
    let sockets = bind::bind(listen.addr, workers.max(1))?;
    let addr = sockets.addr;
    listen.limits.max_connections = descriptors::connections(listen.limits.max_connections);

    // If any thread fails to start, dropping `running` stops the others.
    let mut running = Running {
        addr,
        shutdown: shutdown.clone(),
        threads: Vec::new(),
    };
    let slots = Slots::default();
    let (ready_tx, ready_rx) = mpsc::channel();
    for (index, socket) in sockets.listeners.into_iter().enumerate() {
        let worker = worker::Worker {
            socket,
            acceptor: tls.as_ref().map(tls::Tls::acceptor),
            client_certificates: listen.client_certificates.clone(),
            limits: listen.limits.clone(),
            shutdown: shutdown.clone(),
            slots: slots.clone(),
        };
        let make_router = make_router.clone();
        let ready = ready_tx.clone();
        let thread = thread::Builder::new()
            .name(format!("udap-worker-{index}"))
            .spawn(move || worker.run(make_router, &ready))
            .map_err(|error| ListenError::Thread {
                detail: error.to_string(),
            })?;
        running.threads.push(thread);
    }
    drop(ready_tx);
    // A worker that dies before it says "ready" closes the channel: then `join` knows why.
    for _ in 0..running.threads.len() {
        if ready_rx.recv().is_err() {
            running.shutdown.trigger();
            running.join()?;
            return Err(ListenError::WorkerFailed);
        }
    }

    if let Some(tls) = tls {
        let shutdown = shutdown.clone();
        let thread = thread::Builder::new()
            .name("udap-tls-reload".to_owned())
            .spawn(move || tls.watch(&shutdown))
            .map_err(|error| ListenError::Thread {
                detail: error.to_string(),
            })?;
        running.threads.push(thread);
    }
    Ok(running)
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
    threads: Vec<thread::JoinHandle<()>>,
}

impl Running {
    /// The address bound, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The stop signal of this listener.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Asks for a stop and waits until the requests in flight are answered or the drain time is over.
    pub async fn stop(self) -> Result<(), ListenError> {
        self.shutdown.trigger();
        tokio::task::spawn_blocking(move || self.join())
            .await
            .map_err(|_| ListenError::WorkerFailed)?
    }

    /// Blocks until somebody triggers the stop signal and the workers are done.
    pub fn join(mut self) -> Result<(), ListenError> {
        let mut result = Ok(());
        for thread in std::mem::take(&mut self.threads) {
            if thread.join().is_err() {
                // One worker gone is half a server: stop the rest and say so.
                self.shutdown.trigger();
                result = Err(ListenError::WorkerFailed);
            }
        }
        result
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}
