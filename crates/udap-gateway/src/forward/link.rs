//! One connection to the FHIR server, and how one is made.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::UpstreamError;
use crate::config::{Bases, ConfigError, GatewayConfig};

/// An open connection: the side that sends requests and the side that moves bytes.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) sender: http1::SendRequest<Body>,
    pub(super) connection: Connection,
    pub(super) idle_since: Instant,
    _slot: Slot,
}

impl Link {
    /// Whether a kept connection can take a request: not too old, not closed, nothing unasked for
    /// arrived, and done with the request before.
    pub(super) async fn is_usable(&mut self) -> bool {
        if self.idle_since.elapsed() > MAX_IDLE {
            return false;
        }
        poll_fn(|cx| {
            if self.connection.poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            Poll::Ready(matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }
}

/// The side that moves bytes; polled by whoever uses the link.
pub(super) struct Connection(Option<http1::Connection<TokioIo<Stream>, Body>>);

impl Connection {
    /// Reads and writes what can be. Ready when the connection is closed, and ever after.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.0 else {
            return Poll::Ready(());
        };
        // An error reaches the request, or the body, that it concerns.
        let _ = ready!(Pin::new(connection).poll(cx));
        self.0 = None;
        Poll::Ready(())
    }

    pub(super) const fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() {
            "Connection(open)"
        } else {
            "Connection(closed)"
        })
    }
}

/// Makes connections.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connect: Duration,
    open: Arc<AtomicUsize>,
}

impl Dialer {
    pub(super) fn new(config: &GatewayConfig) -> Result<Self, ConfigError> {
        let bases = Bases::new(config)?;
        let tls = match &config.upstream_tls {
            Some(tls) if bases.upstream.scheme == "https" => {
                let mut tls = rustls::ClientConfig::clone(tls);
                tls.alpn_protocols = vec![b"http/1.1".to_vec()];
                Some((TlsConnector::from(Arc::new(tls)), bases.server_name()?))
            }
            _ => None,
        };
        Ok(Self {
            host: bases.upstream.host,
            port: bases.upstream.port,
            tls,
            connect: config.timeouts.connect,
            open: Arc::default(),
        })
    }

    /// The same with a count of its own.
    pub(super) fn for_worker(&self) -> Self {
        Self {
            host: self.host.clone(),
            tls: self.tls.clone(),
            open: Arc::default(),
            ..*self
        }
    }

    /// Connects within the time for it.
    pub(super) async fn dial(&self) -> Result<Link, UpstreamError> {
        let slot = Slot::take(&self.open, MAX_OPEN).ok_or(UpstreamError::Busy)?;
        let stream = timeout(self.connect, self.stream())
            .await
            .map_err(|_| UpstreamError::ConnectTimeout)??;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| UpstreamError::Broken)?;
        Ok(Link {
            sender,
            connection: Connection(Some(connection)),
            idle_since: Instant::now(),
            _slot: slot,
        })
    }

    async fn stream(&self) -> Result<Stream, UpstreamError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| {
            tracing::warn!(host = %self.host, port = self.port, %error, "the FHIR server cannot be reached");
            UpstreamError::Unreachable
        })?;
        // Requests are written whole; waiting for more only delays them.
        let _ = tcp.set_nodelay(true);
        let Some((connector, name)) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let tls = connector.connect(name.clone(), tcp).await.map_err(|error| {
            tracing::warn!(host = %self.host, port = self.port, %error, "TLS with the FHIR server failed");
            UpstreamError::Tls
        })?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// One of the connections that a worker may have open, or that strangers may use of them; given back when
/// dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<AtomicUsize>);

impl Slot {
    pub(super) fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let slot = Self(Arc::clone(taken));
        (taken.fetch_add(1, Ordering::Relaxed) < most).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Plain or TLS.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

/// How long a connection is kept idle: below what common servers allow (Tomcat 20 s to 60 s, Jetty
/// 30 s, Node 5 s, which the look before each use covers).
pub(super) const MAX_IDLE: Duration = Duration::from_secs(15);

/// Connections of one worker: a bound for the FHIR server's sake, which serves each with a thread.
pub(super) const MAX_OPEN: usize = 256;

/// How many of them requests without a token may use at once, so that those with one find the others free.
pub(super) const MAX_STRANGERS: usize = 32;

/// Bytes read ahead of a slow client, per connection.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
