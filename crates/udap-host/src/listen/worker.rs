//! One worker: one thread, one runtime, one listening socket.

use std::{
    convert::Infallible,
    net::TcpListener,
    pin::pin,
    sync::{Arc, mpsc},
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::{
    ClientCertificates, MutualTls, Peer, Shutdown,
    activity::{Activity, Answering, Taken},
    client_certificate::strip,
    stats,
    stats::Slots,
    tls::Acceptor,
};
use crate::{client_ip::TrustedProxies, limits::HttpLimits};

pub(super) struct Worker {
    pub(super) socket: TcpListener,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) client_certificates: ClientCertificates,
    pub(super) limits: HttpLimits,
    pub(super) shutdown: Shutdown,
    /// Shared by the workers of a listener.
    pub(super) slots: Slots,
}

impl Worker {
    /// Serves on this thread until the stop; says `ready` once connections are accepted.
    pub(super) fn run(self, make_router: impl Fn() -> Router, ready: &mpsc::Sender<()>) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "a worker has no runtime");
                return;
            }
        };
        if let Err(error) = runtime.block_on(self.serve(make_router, ready)) {
            tracing::error!(%error, "a worker cannot accept connections");
        }
        // Tasks that a router started for itself do not hold the process.
        runtime.shutdown_timeout(BACKGROUND_GRACE);
    }

    async fn serve(
        self,
        make_router: impl Fn() -> Router,
        ready: &mpsc::Sender<()>,
    ) -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.socket)?;
        // State is applied to every route once, not once per request.
        let router: Router = make_router().with_state(());
        let http = Arc::new(Http::new(&self.limits));
        let client = match self.client_certificates {
            ClientCertificates::Off => Client::NotAsked,
            // Until the handshake says more.
            ClientCertificates::Ask { .. } => Client::Of(MutualTls::Absent),
            ClientCertificates::FromProxies(proxies) => Client::InHeaders(Arc::new(proxies)),
        };
        // One of its own, so that the connections of workers do not meet at one lock.
        let stopping = Shutdown::new();
        // Closed when the last connection is.
        let (open, mut closed) = tokio::sync::mpsc::channel::<Infallible>(1);
        let _ = ready.send(());

        let stop = self.shutdown.wait();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors or memory: others may give some back. An aborted
                    // connection (ECONNABORTED) is nobody's fault and costs the same short nap.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(slot) = self.slots.take(self.limits.max_connections) else {
                tracing::debug!(peer = %peer.ip(), "too many connections");
                continue;
            };
            let service = Connection {
                router: router.clone(),
                peer: Peer(peer),
                client: client.clone(),
                activity: Activity::default(),
            };
            let http = http.clone();
            let shutdown = stopping.clone();
            let acceptor = self.acceptor.as_ref().map(Acceptor::now);
            let open = open.clone();
            tokio::spawn(async move {
                let _held = (slot, open);
                match acceptor {
                    None => http.serve(&http.either, stream, service, &shutdown).await,
                    Some(acceptor) => tls(&http, &acceptor, stream, service, &shutdown).await,
                }
            });
        }

        // Idle connections close now, busy ones after their answer (HTTP/2: GOAWAY).
        drop(listener);
        stopping.trigger();
        let connections = open.downgrade();
        drop(open);
        if timeout(self.limits.drain, closed.recv()).await.is_err() {
            let open = connections.strong_count();
            tracing::warn!(open, "drain time is over: connections still open are cut");
        }
        Ok(())
    }
}

/// Handshake, then HTTP/1.1 or HTTP/2 as negotiated.
async fn tls(
    http: &Http,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    mut service: Connection,
    shutdown: &Shutdown,
) {
    let peer = service.peer.0.ip();
    let stream = match timeout(http.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            stats().handshake_failed();
            tracing::debug!(%peer, %error, "TLS handshake failed");
            return;
        }
        Err(_) => {
            stats().handshake_failed();
            tracing::debug!(%peer, "TLS handshake took too long");
            return;
        }
    };
    let session = stream.get_ref().1;
    if let Client::Of(client) = &mut service.client {
        *client = MutualTls::of_handshake(session.peer_certificates());
    }
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => &http.h2,
        _ => &http.h1,
    };
    http.serve(protocol, stream, service, shutdown).await;
}

/// The router as one connection sees it.
#[derive(Clone)]
struct Connection {
    router: Router,
    peer: Peer,
    client: Client,
    activity: Activity,
}

/// What the listener knows of the client's certificate.
#[derive(Clone)]
enum Client {
    NotAsked,
    /// From the handshake, for all requests of the connection.
    Of(MutualTls),
    /// In the headers of each request, since a proxy sends those of many clients over one connection.
    InHeaders(Arc<TrustedProxies>),
}

impl hyper::service::Service<Request<Incoming>> for Connection {
    type Response = http::Response<Taken>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        match &self.client {
            Client::NotAsked => {}
            Client::Of(client) => {
                strip(request.headers_mut());
                request.extensions_mut().insert(client.clone());
            }
            Client::InHeaders(proxies) => {
                let peer = self.peer.0.ip();
                let client = MutualTls::of_headers(request.headers(), peer, proxies);
                strip(request.headers_mut());
                request.extensions_mut().insert(client);
            }
        }
        // A router is always ready, and its clone is a reference count.
        let answer = self.router.clone().call(request.map(Body::new));
        self.activity.answering(answer)
    }
}

/// The HTTP side of a worker, built once.
struct Http {
    h1: auto::Builder<TokioExecutor>,
    h2: auto::Builder<TokioExecutor>,
    /// Without TLS there is no ALPN: the first bytes tell.
    either: auto::Builder<TokioExecutor>,
    /// How long nothing may move.
    idle: Duration,
    /// For a TLS handshake, and for the end of a connection on which nothing moved.
    handshake: Duration,
}

impl Http {
    fn new(limits: &HttpLimits) -> Self {
        let mut either = auto::Builder::new(TokioExecutor::new());
        either
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_read)
            .max_buf_size(limits.max_header_bytes)
            .max_headers(limits.max_headers)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_h2_streams)
            .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(limits.header_read)
            .keep_alive_timeout(limits.handshake);
        Self {
            h1: either.clone().http1_only(),
            h2: either.clone().http2_only(),
            either,
            idle: limits.header_read,
            handshake: limits.handshake,
        }
    }

    /// Serves a connection to its end, to the stop, or until nothing has moved on it for too long.
    async fn serve(
        &self,
        protocol: &auto::Builder<TokioExecutor>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        service: Connection,
        shutdown: &Shutdown,
    ) {
        let peer = service.peer.0.ip();
        let activity = service.activity.clone();
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        let mut stop = pin!(shutdown.wait());
        let (mut stopping, mut leaving) = (false, false);
        let (mut patience, mut seen) = (self.idle, activity.moves());
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        // A peer that goes away or sends nonsense: its own affair, so no louder.
                        tracing::debug!(%peer, %error, "connection ended");
                    }
                    return;
                }
                () = &mut stop, if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep(patience) => {
                    let moves = activity.moves();
                    if activity.is_awaited() || moves != seen {
                        seen = moves;
                    } else if leaving {
                        tracing::debug!(%peer, "connection cut: its client takes nothing");
                        return;
                    } else {
                        // An idle one ends with that, an HTTP/2 one with a word to the client.
                        leaving = true;
                        patience = self.handshake;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

/// After `accept` failed: long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What background tasks of a router get to end in.
const BACKGROUND_GRACE: Duration = Duration::from_secs(1);
