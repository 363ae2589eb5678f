//! The way to the FHIR server: HTTP/1.1, kept-alive connections, bodies streamed.
//!
//! Each worker thread has an [`Upstream`] of its own, and a connection has no task of its own: the
//! request that uses it drives it, and the body that is being read drives it on. So no request ever
//! waits for another task to be scheduled, and a client that goes away takes its upstream request
//! with it. An idle connection is driven by nobody; whether the server closed it meanwhile is asked
//! when it is taken again.

mod body;
mod link;

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicUsize},
    task::Poll,
    time::Instant,
};

use axum::body::Body;
use http::{Request, Response, StatusCode};
use tokio::time::timeout;

pub use self::body::UpstreamBody;
use self::{
    body::Reading,
    link::{Dialer, Link, Slot},
};
use crate::config::{ConfigError, GatewayConfig, Timeouts};

/// One worker's connections to the FHIR server.
#[derive(Clone, Debug)]
pub struct Upstream(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    dialer: Dialer,
    timeouts: Timeouts,
    /// The last one used is the first one taken, so that the rest can grow old and go.
    idle: Mutex<Vec<Link>>,
    /// Bodies that were not at their end when they began; those that have ended go when there are many.
    reading: Mutex<Vec<Weak<Reading>>>,
    /// How many requests without a token use a connection.
    strangers: Arc<AtomicUsize>,
}

/// Who a request is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Somebody with an access token that counts.
    Known,
    /// Anybody: few such requests run at once.
    Stranger,
}

impl Upstream {
    /// No connection is made yet.
    ///
    /// # Errors
    /// [`ConfigError`] for addresses that cannot work.
    pub fn new(config: &GatewayConfig) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Pool {
            dialer: Dialer::new(config)?,
            timeouts: config.timeouts,
            idle: Mutex::default(),
            reading: Mutex::default(),
            strangers: Arc::default(),
        })))
    }

    /// The same server, with connections of its own: for the next worker.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        Self(Arc::new(Pool {
            dialer: self.0.dialer.for_worker(),
            timeouts: self.0.timeouts,
            idle: Mutex::default(),
            reading: Mutex::default(),
            strangers: Arc::default(),
        }))
    }

    /// Sends a request in origin form with its `Host`. It is sent once; only when not a byte of it
    /// was written, because a kept connection turned out to be closed, is it given to another.
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let (link, kept) = self.link().await?;
        match self.exchange(link, None, request).await {
            Err(Lost {
                unsent: Some(request),
                ..
            }) if kept == Kept::Yes => {
                let link = self.0.dial().await?;
                self.exchange(link, None, request)
                    .await
                    .map_err(|lost| lost.error)
            }
            other => other.map_err(|lost| lost.error),
        }
    }

    /// Sends a request that changes nothing however often it is sent: a read or a search. When a
    /// kept connection breaks before the answer begins, as it does when the server closes it in the
    /// same moment, the request is made again and sent once more, on a new connection.
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn send_safe(
        &self,
        asker: Asker,
        make: impl Fn() -> Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let share = self.0.share(asker)?;
        let (link, kept) = self.link().await?;
        match self.exchange(link, share, make()).await {
            Err(Lost {
                error: UpstreamError::Broken,
                ..
            }) if kept == Kept::Yes => {
                let share = self.0.share(asker)?;
                let link = self.0.dial().await?;
                let again = self.exchange(link, share, make()).await;
                again.map_err(|lost| lost.error)
            }
            other => other.map_err(|lost| lost.error),
        }
    }

    /// A connection that is open as far as can be seen.
    async fn link(&self) -> Result<(Link, Kept), UpstreamError> {
        while let Some(mut link) = self.0.take() {
            if link.is_usable().await {
                return Ok((link, Kept::Yes));
            }
        }
        Ok((self.0.dial().await?, Kept::No))
    }

    async fn exchange(
        &self,
        mut link: Link,
        share: Option<Slot>,
        request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, Lost> {
        let mut answer = pin!(link.sender.try_send_request(request));
        let answer = poll_fn(|cx| {
            // First the connection, which writes and reads, then whether the answer has begun.
            let closed = link.connection.poll(cx);
            match answer.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending if closed.is_ready() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match timeout(self.0.timeouts.first_byte, answer).await {
            Err(_) => Err(UpstreamError::Timeout.into()),
            Ok(None) => Err(UpstreamError::Broken.into()),
            Ok(Some(Err(mut error))) => {
                tracing::debug!(error = %error.error(), "the FHIR server's connection broke");
                Err(Lost {
                    unsent: error.take_message(),
                    error: UpstreamError::Broken,
                })
            }
            Ok(Some(Ok(response))) => {
                let pool = Arc::clone(&self.0);
                Ok(response.map(|incoming| UpstreamBody::new(incoming, link, share, pool)))
            }
        }
    }
}

impl Pool {
    /// A new connection. When there may be no more, those of clients that take nothing are closed.
    async fn dial(&self) -> Result<Link, UpstreamError> {
        match self.dialer.dial().await {
            Err(UpstreamError::Busy) if self.close_stalled() => self.dialer.dial().await,
            other => other,
        }
    }

    /// A stranger's part of the connections; whoever is known needs none.
    fn share(&self, asker: Asker) -> Result<Option<Slot>, UpstreamError> {
        if asker == Asker::Known {
            return Ok(None);
        }
        let take = || Slot::take(&self.strangers, link::MAX_STRANGERS);
        let again = || self.close_stalled().then(take).flatten();
        take().or_else(again).map(Some).ok_or(UpstreamError::Busy)
    }

    /// Notes a body whose client may stop taking it.
    fn note(&self, reading: &Arc<Reading>) {
        let mut all = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= 2 * link::MAX_OPEN {
            all.retain(|reading| reading.strong_count() > 0);
        }
        all.push(Arc::downgrade(reading));
    }

    /// Closes the connections of clients that have taken nothing for as long as the FHIR server may take
    /// between two pieces. Says whether there were any.
    fn close_stalled(&self) -> bool {
        let all = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.iter().filter_map(Weak::upgrade);
        let closed = open.filter(|reading| reading.close_if_stalled(self.timeouts.idle));
        let closed = closed.count();
        if closed > 0 {
            tracing::warn!(
                closed,
                "clients that did not take their answers were cut off"
            );
        }
        closed > 0
    }

    fn take(&self) -> Option<Link> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    /// Keeps a connection for the next request.
    fn put(&self, mut link: Link) {
        if !link.connection.is_open() {
            return;
        }
        let now = Instant::now();
        link.idle_since = now;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The first one is the oldest; one goes for each that comes, which keeps the row short.
        if idle
            .first()
            .is_some_and(|oldest| now.duration_since(oldest.idle_since) > link::MAX_IDLE)
            || idle.len() >= MAX_KEPT
        {
            idle.remove(0);
        }
        idle.push(link);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

/// A request without an answer, and the request itself when nothing of it was sent.
struct Lost {
    error: UpstreamError,
    unsent: Option<Request<Body>>,
}

impl From<UpstreamError> for Lost {
    fn from(error: UpstreamError) -> Self {
        Self {
            error,
            unsent: None,
        }
    }
}

/// What went wrong behind the gateway. No sentence names an address; the log does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    #[error("the FHIR server cannot be reached")]
    Unreachable,
    #[error("the FHIR server's TLS certificate or handshake was refused")]
    Tls,
    #[error("the FHIR server did not accept a connection in time")]
    ConnectTimeout,
    #[error("the FHIR server did not answer in time")]
    Timeout,
    #[error("the FHIR server broke off before it answered")]
    Broken,
    #[error("too many requests wait for the FHIR server")]
    Busy,
    #[error("the FHIR server answered with a redirection ({status})")]
    Redirect { status: u16 },
    #[error("the FHIR server does not accept the gateway ({status})")]
    Unauthorized { status: u16 },
    #[error("the FHIR server failed ({status})")]
    Failed { status: u16 },
    #[error("the FHIR server is not available at the moment")]
    Unavailable,
    #[error("the FHIR server refused the request ({status}), in a form that is not FHIR")]
    Refused { status: StatusCode },
    #[error("the FHIR server answered with a media type that is neither FHIR JSON nor XML")]
    MediaType,
    #[error("the FHIR server compressed an answer although it was asked not to")]
    Compressed,
    #[error("the FHIR server answered in another encoding than UTF-8")]
    Charset,
}

impl UpstreamError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "upstream-unreachable",
            Self::Tls => "upstream-tls",
            Self::ConnectTimeout => "upstream-connect-timeout",
            Self::Timeout => "upstream-timeout",
            Self::Broken => "upstream-broken",
            Self::Busy => "upstream-busy",
            Self::Redirect { .. } => "upstream-redirect",
            Self::Unauthorized { .. } => "upstream-unauthorized",
            Self::Failed { .. } => "upstream-failed",
            Self::Unavailable => "upstream-unavailable",
            Self::Refused { .. } => "upstream-refused",
            Self::MediaType => "upstream-media-type",
            Self::Compressed => "upstream-compressed",
            Self::Charset => "upstream-charset",
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable
            | Self::Tls
            | Self::Broken
            | Self::Redirect { .. }
            | Self::Unauthorized { .. }
            | Self::Failed { .. }
            | Self::MediaType
            | Self::Compressed
            | Self::Charset => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout | Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused { status } => *status,
        }
    }

    pub(crate) const fn issue(&self) -> &'static str {
        match self {
            Self::ConnectTimeout | Self::Timeout => "timeout",
            Self::Busy | Self::Unavailable | Self::Unreachable | Self::Broken => "transient",
            Self::Refused { .. } => "processing",
            _ => "exception",
        }
    }
}

/// Idle connections of one worker: as many as requests commonly run at once.
const MAX_KEPT: usize = 64;
