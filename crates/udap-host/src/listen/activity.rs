//! Whether anything moves on a connection: requests that come, answers that are taken.
//!
//! hyper ends an HTTP/1.1 connection that stays silent between requests. It does not end one whose client takes
//! nothing of its answer, an HTTP/2 connection that only answers pings, or one that has not even said which of
//! the two it speaks; each of them would hold its place for ever.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use axum::{body::Body, response::Response, routing::future::RouteFuture};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// What one connection does. Its worker's thread alone writes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    /// Requests that came, and pieces of answers that were taken.
    moves: AtomicU64,
    /// Answers, and pieces of them, that the client waits for.
    awaited: AtomicUsize,
}

impl Activity {
    /// Grows with each move of the client.
    pub(super) fn moves(&self) -> u64 {
        self.0.moves.load(Relaxed)
    }

    /// Whether the next move is ours.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.awaited.load(Relaxed) > 0
    }

    fn moved(&self) {
        self.0.moves.fetch_add(1, Relaxed);
    }

    fn awaits(&self) -> Awaited {
        self.0.awaited.fetch_add(1, Relaxed);
        Awaited(self.clone())
    }

    /// The answer to a request that came.
    pub(super) fn answering(&self, answer: RouteFuture<Infallible>) -> Answering {
        self.moved();
        Answering {
            answer,
            awaited: self.awaits(),
        }
    }
}

/// The client waits for us, until this is dropped.
#[derive(Debug)]
struct Awaited(Activity);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.moved();
        self.0.0.awaited.fetch_sub(1, Relaxed);
    }
}

/// An answer in the making.
pub(super) struct Answering {
    answer: RouteFuture<Infallible>,
    awaited: Awaited,
}

impl Future for Answering {
    type Output = Result<http::Response<Taken>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response: Response = match ready!(Pin::new(&mut self.answer).poll(cx)) {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let activity = self.awaited.0.clone();
        Poll::Ready(Ok(response.map(|body| Taken {
            body,
            activity,
            awaited: None,
        })))
    }
}

/// The body of an answer, and whether the client takes it.
pub(super) struct Taken {
    body: Body,
    activity: Activity,
    /// While the next piece is not there yet.
    awaited: Option<Awaited>,
}

impl http_body::Body for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.awaited = None;
            self.activity.moved();
        } else if self.awaited.is_none() {
            self.awaited = Some(self.activity.awaits());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
