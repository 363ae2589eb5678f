//! The body of an answer: read as fast as the client takes it, and no faster.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    Pool,
    link::{Link, Slot},
};

/// The body of the FHIR server's answer. It drives its connection while it is read, and gives it
/// back for the next request at its end; dropped before, it closes it.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    reading: Arc<Reading>,
    pool: Arc<Pool>,
    /// Runs while the next piece is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

/// What a body that is being read holds. A client that takes nothing more leaves its body unpolled, with
/// timers that nobody looks at; so others can get at the connection, and close it when theirs is missing.
#[derive(Debug)]
pub(super) struct Reading(Mutex<Held>);

#[derive(Debug)]
struct Held {
    /// `None` at the end, or once it was closed.
    link: Option<Link>,
    /// Given back with the connection.
    share: Option<Slot>,
    /// When the client last took a piece.
    taken: Instant,
}

impl Reading {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection if the client has taken nothing for so long. Says whether it did.
    pub(super) fn close_if_stalled(&self, patience: Duration) -> bool {
        let mut held = self.held();
        let stalled = held.link.is_some() && held.taken.elapsed() > patience;
        if stalled {
            (held.link, held.share) = (None, None);
        }
        stalled
    }
}

/// Why a body ended early. The client sees a broken connection, since the head is long gone.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the FHIR server broke off within the answer")]
    Broken(#[source] hyper::Error),
    #[error("the FHIR server stalled within the answer")]
    Stalled,
    #[error("the client took nothing for too long, and others needed the connection")]
    NotTaken,
}

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        link: Link,
        share: Option<Slot>,
        pool: Arc<Pool>,
    ) -> Self {
        let reading = Arc::new(Reading(Mutex::new(Held {
            link: Some(link),
            share,
            taken: Instant::now(),
        })));
        let mut body = Self {
            incoming,
            reading,
            pool,
            timer: None,
            ended: false,
        };
        if body.incoming.is_end_stream() {
            body.give_back();
        } else {
            body.pool.note(&body.reading);
        }
        body
    }

    fn give_back(&mut self) {
        self.ended = true;
        let mut held = self.reading.held();
        held.share = None;
        if let Some(link) = held.link.take() {
            self.pool.put(link);
        }
    }

    fn close(&self) {
        let mut held = self.reading.held();
        (held.link, held.share) = (None, None);
    }

    /// Looks for a piece; moves bytes and looks again when there is none.
    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut held = self.reading.held();
        let Some(link) = &mut held.link else {
            return Poll::Ready(Some(Err(BodyError::NotTaken)));
        };
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => {
                let _ = link.connection.poll(cx);
                Pin::new(&mut self.incoming).poll_frame(cx)
            }
            frame => frame,
        };
        held.taken = Instant::now();
        frame.map_err(BodyError::Broken)
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.pool.timeouts.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
        timer.as_mut().poll(cx)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        match this.poll_incoming(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if this.incoming.is_end_stream() {
                    this.give_back();
                } else if let Some(timer) = &mut this.timer {
                    timer
                        .as_mut()
                        .reset(Instant::now() + this.pool.timeouts.idle);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.close();
                Poll::Ready(Some(Err(error)))
            }
            Poll::Pending => match this.poll_stalled(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    this.close();
                    Poll::Ready(Some(Err(BodyError::Stalled)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
