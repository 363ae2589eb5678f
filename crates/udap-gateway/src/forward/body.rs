//! The body of an answer: read as fast as the client takes it, and no faster.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{Pool, link::Link};

/// The body of the FHIR server's answer. It drives its connection while it is read, and gives it
/// back for the next request at its end; dropped before, it closes it.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    link: Option<Link>,
    pool: Arc<Pool>,
    /// Runs while the next piece is awaited.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Why a body ended early. The client sees a broken connection, since the head is long gone.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the FHIR server broke off within the answer")]
    Broken(#[source] hyper::Error),
    #[error("the FHIR server stalled within the answer")]
    Stalled,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, link: Link, pool: Arc<Pool>) -> Self {
        let mut body = Self {
            incoming,
            link: Some(link),
            pool,
            timer: None,
        };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    fn give_back(&mut self) {
        if let Some(link) = self.link.take() {
            self.pool.put(link);
        }
    }

    /// Looks for a piece; moves bytes and looks again when there is none.
    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(cx);
        match &mut self.link {
            Some(link) if frame.is_pending() => {
                let _ = link.connection.poll(cx);
                Pin::new(&mut self.incoming).poll_frame(cx)
            }
            _ => frame,
        }
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
                this.link = None;
                Poll::Ready(Some(Err(BodyError::Broken(error))))
            }
            Poll::Pending => match this.poll_stalled(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    this.link = None;
                    Poll::Ready(Some(Err(BodyError::Stalled)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
