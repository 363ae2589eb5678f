//! The body of a request, whole: of at most so many bytes, and in time.

use crate::app::Server;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use std::convert::Infallible;
use udap_host::limits::{self, BodyError};

/// An extractor that leaves it to the endpoint to refuse.
pub(crate) struct Whole(pub(crate) Result<Bytes, BodyError>);

impl FromRequest<Server> for Whole {
    type Rejection = Infallible;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Infallible> {
        let body = limits::read(request.into_body(), server.max_body_bytes);
        Ok(Self(body.await))
    }
}
