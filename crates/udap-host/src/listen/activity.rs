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
            rest: Bytes::new(),
            activity,
            awaited: None,
        })))
    }
}

/// The body of an answer, and whether the client takes it.
pub(super) struct Taken {
    body: Body,
    /// Of a large piece: what was not taken yet.
    rest: Bytes,
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
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if is_large(&frame) => {
                    self.rest = frame.into_data().unwrap_or_default();
                }
                polled => {
                    if polled.is_ready() {
                        self.awaited = None;
                        self.activity.moved();
                    } else if self.awaited.is_none() {
                        self.awaited = Some(self.activity.awaits());
                    }
                    return polled;
                }
            }
        }
        self.awaited = None;
        self.activity.moved();
        let most = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(most);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut size = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = size.upper() {
            size.set_upper(upper + rest);
        }
        size.set_lower(size.lower() + rest);
        size
    }
}

fn is_large(frame: &Frame<Bytes>) -> bool {
    frame.data_ref().is_some_and(|data| data.len() > PIECE)
}

/// Bytes that are handed out at once. Of a piece that is larger nothing would be seen to move for as long as it
/// takes a slow client.
const PIECE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http_body::Body as _;
    use http_body_util::BodyExt as _;

    use super::*;

    /// A client that takes a list of 4 MB over a slow line moves all the time.
    #[tokio::test]
    async fn a_large_piece_is_taken_in_several() {
        let whole: Bytes = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let activity = Activity::default();
        let mut taken = Taken {
            body: whole.clone().into(),
            rest: Bytes::new(),
            activity: activity.clone(),
            awaited: None,
        };
        let (mut read, mut pieces) = (Vec::new(), 0);
        assert_eq!(taken.size_hint().exact(), Some(200_000));
        while let Some(frame) = taken.frame().await {
            read.extend_from_slice(&frame.unwrap().into_data().unwrap());
            pieces += 1;
            assert_eq!(activity.moves(), pieces);
            let left = 200_000 - read.len() as u64;
            assert_eq!(taken.size_hint().exact(), Some(left));
            assert_eq!(taken.is_end_stream(), left == 0);
            assert!(!activity.is_awaited());
        }
        assert_eq!((pieces, read), (4, whole.to_vec()));
    }
}
