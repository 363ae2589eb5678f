//! Limits of the listener, each with its reason. A handler that wants less takes less.

use std::time::Duration;

/// What one listener allows its peers. [`Default`] is the constants below; `[limits]` of
/// `udap.toml` changes the first three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Open connections over all workers; more are closed as they arrive.
    pub max_connections: usize,
    /// Bytes of a request body that [`axum::body::to_bytes`] and the extractors accept.
    pub max_body_bytes: usize,
    /// How long requests in flight may take after a stop was asked for.
    pub drain: Duration,
    /// From `accept` to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its headers; also the keep-alive idle time.
    pub header_read: Duration,
    /// Bytes of all request headers together.
    pub max_header_bytes: usize,
    /// Number of request headers.
    pub max_headers: usize,
    /// Concurrent streams of one HTTP/2 connection.
    pub max_h2_streams: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_connections: MAX_CONNECTIONS,
            max_body_bytes: MAX_BODY_BYTES,
            drain: DRAIN,
            handshake: HANDSHAKE,
            header_read: HEADER_READ,
            max_header_bytes: MAX_HEADER_BYTES,
            max_headers: MAX_HEADERS,
            max_h2_streams: MAX_H2_STREAMS,
        }
    }
}

/// Connections: a TLS connection costs some 40 KiB, so this bounds them near 400 MiB, and stays
/// within a common file descriptor limit of 16,384 with room for upstream connections.
pub const MAX_CONNECTIONS: usize = 10_000;

/// Request body: a registration with a software statement, a chain of three RSA-4096
/// certificates and several certifications stays below 64 KiB; four times that for growth.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// Drain: longer than any answer we make, shorter than the 30 s after which common supervisors kill.
pub const DRAIN: Duration = Duration::from_secs(20);

/// Handshake: a slow mobile link needs two to three seconds for two round trips and a
/// post-quantum hello; who takes longer holds a slot for nothing.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Headers: also how long an idle keep-alive connection stays. Above the 60 s that common
/// proxies keep upstream connections, so that the proxy closes first and loses no request.
pub const HEADER_READ: Duration = Duration::from_secs(75);

/// Header bytes: an access token of 16 KiB plus cookies and tracing headers fits twice. Also the
/// connection's read buffer, so not smaller.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Header count: what hyper itself takes by default.
pub const MAX_HEADERS: usize = 100;

/// HTTP/2 streams: enough for a client that pipelines a page of reads, few enough that one
/// connection cannot hold the whole server (rapid-reset floods are bounded by hyper itself).
pub const MAX_H2_STREAMS: u32 = 128;
