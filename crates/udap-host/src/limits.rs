//! Limits of the listener, each with its reason. A handler that wants less takes less.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::rejection::BytesRejection};
use bytes::Bytes;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

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
    /// From the first byte of a request to the end of its headers; also how long nothing may move on a
    /// connection that waits for its client: no request, and no piece of an answer taken.
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

/// Connections: a TLS connection costs some 40 KiB, so this bounds them near 400 MiB. Where the system
/// gives too few file descriptors for so many, a listener holds fewer (`descriptors.rs`).
pub const MAX_CONNECTIONS: usize = 10_000;

/// Request body: a registration with a software statement, a chain of three RSA-4096
/// certificates and several certifications stays below 64 KiB; four times that for growth.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// Drain: longer than any answer we make, shorter than the 30 s after which common supervisors kill.
pub const DRAIN: Duration = Duration::from_secs(20);

/// Handshake: a slow mobile link needs two to three seconds for two round trips and a
/// post-quantum hello; who takes longer holds a slot for nothing.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Headers: also how long an idle keep-alive connection stays, and one whose client takes nothing. Above
/// the 60 s that common proxies keep upstream connections, so that the proxy closes first and loses no
/// request.
pub const HEADER_READ: Duration = Duration::from_secs(75);

/// Header bytes: an access token of 16 KiB plus cookies and tracing headers fits twice. Also the
/// connection's read buffer, so not smaller.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Header count: what hyper itself takes by default.
pub const MAX_HEADERS: usize = 100;

/// HTTP/2 streams: enough for a client that pipelines a page of reads, few enough that one
/// connection cannot hold the whole server (rapid-reset floods are bounded by hyper itself).
pub const MAX_H2_STREAMS: u32 = 128;

/// A request whose body must have arrived within [`BODY_READ`] once it is read: to be layered over routes
/// that read it whole (`axum::middleware::map_request`).
pub async fn timed(request: http::Request<Body>) -> http::Request<Body> {
    request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::new(Timed {
            body,
            patience: BODY_READ,
            until: None,
        }),
    })
}

/// Reads a body whole, of at most so many bytes and within [`BODY_READ`].
///
/// # Errors
/// [`BodyError`]
pub async fn read(body: Body, max_bytes: usize) -> Result<Bytes, BodyError> {
    read_within(body, max_bytes, BODY_READ).await
}

async fn read_within(body: Body, max_bytes: usize, patience: Duration) -> Result<Bytes, BodyError> {
    let timed = Timed {
        body,
        patience,
        until: None,
    };
    match Limited::new(timed, max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge { max_bytes }),
        Err(error) => Err(BodyError::cause_of(&*error)),
    }
}

struct Timed {
    body: Body,
    patience: Duration,
    /// From when it was first waited for.
    until: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let time = self.patience;
        let until = self
            .until
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        until
            .as_mut()
            .poll(cx)
            .map(|()| Some(Err(axum::Error::new(BodyError::TooSlow { time }))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Why a body was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the request body is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    #[error("the request body did not arrive within {} s", time.as_secs_f32())]
    TooSlow { time: Duration },
    #[error("the request body ended early")]
    Broken,
}

impl BodyError {
    /// Why an extractor that may read so many bytes did not get a body.
    pub fn of(rejection: &BytesRejection, max_bytes: usize) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::TooLarge { max_bytes };
        }
        Self::cause_of(rejection)
    }

    fn cause_of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(known) = error.downcast_ref::<Self>() {
                return known.clone();
            }
            cause = error.source();
        }
        Self::Broken
    }

    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body-too-large",
            Self::TooSlow { .. } => "body-too-slow",
            Self::Broken => "body-broken",
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        crate::catalogue::hint(self.code()).to_owned()
    }
}

/// Body: 256 KiB in 15 s is a modem's speed; slower is an attack on our memory.
pub const BODY_READ: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http_body_util::{Full, StreamBody};

    use super::*;

    const TIME: Duration = Duration::from_millis(50);

    /// By a handler under layers, and at once.
    async fn read(body: impl Fn() -> Body) -> Result<Bytes, BodyError> {
        let found = read_under_layers(body()).await;
        assert_eq!(read_within(body(), 4, TIME).await, found);
        found
    }

    async fn read_under_layers(body: Body) -> Result<Bytes, BodyError> {
        let timed = Body::new(Timed {
            body,
            patience: TIME,
            until: None,
        });
        let request = http::Request::new(timed);
        let layer = axum::extract::DefaultBodyLimit::max(4);
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::sync::Arc::new(std::sync::Mutex::new(Some(tell)));
        let handler = move |body: Result<Bytes, BytesRejection>| async move {
            let told = body.map_err(|rejection| BodyError::of(&rejection, 4));
            let tell = tell.lock().unwrap().take();
            tell.unwrap().send(told).unwrap();
        };
        let mut router = axum::Router::new()
            .route("/", axum::routing::any(handler))
            .layer(layer);
        let _ = tower_service::Service::call(&mut router, request).await;
        told.await.unwrap()
    }

    fn stream<E: Into<axum::BoxError> + Send + 'static>(
        frames: impl futures_util::Stream<Item = Result<http_body::Frame<Bytes>, E>> + Send + 'static,
    ) -> Body {
        Body::new(StreamBody::new(frames))
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_read() {
        let four = || Body::from("four");
        assert_eq!(read(four).await, Ok(Bytes::from("four")));
        assert_eq!(read(Body::empty).await, Ok(Bytes::new()));
    }

    #[tokio::test]
    async fn a_body_too_large_is_refused_declared_or_not() {
        let declared = || Body::new(Full::from("fives"));
        let streamed = || {
            let chunks = ["fi", "ve", "s"]
                .map(|s| Ok::<_, axum::Error>(http_body::Frame::data(Bytes::from(s))));
            stream(futures_util::stream::iter(chunks))
        };
        for body in [declared as fn() -> Body, streamed] {
            let error = read(body).await.unwrap_err();
            assert_eq!(error, BodyError::TooLarge { max_bytes: 4 });
            assert_eq!(
                (error.code(), error.status().as_u16()),
                ("body-too-large", 413)
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_stalls_or_breaks_is_refused() {
        let stalled = || stream(futures_util::stream::pending::<Result<_, axum::Error>>());
        // A byte now and then does not help.
        let dripping = || {
            stream(futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(TIME / 3).await;
                Some((
                    Ok::<_, axum::Error>(http_body::Frame::data(Bytes::from("x"))),
                    (),
                ))
            }))
        };
        for body in [stalled as fn() -> Body, dripping] {
            let error = read(body).await.unwrap_err();
            assert_eq!(
                (error.code(), error.status().as_u16()),
                ("body-too-slow", 408)
            );
        }
        let broken = || {
            let gone = std::io::Error::other("gone");
            let frames = [Err::<http_body::Frame<Bytes>, _>(gone)];
            stream(futures_util::stream::iter(frames))
        };
        let error = read(broken).await.unwrap_err();
        assert_eq!(
            (error.code(), error.status().as_u16()),
            ("body-broken", 400)
        );
    }
}
