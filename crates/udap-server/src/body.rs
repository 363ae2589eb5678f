//! What the endpoints with a body read of a request: the body whole, of at most so many bytes, and in time.

use crate::app::Server;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use std::convert::Infallible;
use udap_host::limits::{self, BodyError};

/// Headers and body, or why there is none, which is for the endpoint to answer.
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Result<Bytes, BodyError>,
}

impl FromRequest<Server> for Sent {
    type Rejection = Infallible;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Infallible> {
        let (head, body) = request.into_parts();
        Ok(Self {
            headers: head.headers,
            body: limits::read(body, server.max_body_bytes).await,
        })
    }
}
