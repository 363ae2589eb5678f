//! Every route of the authorization server.

use crate::app::Server;
use crate::{jwks, metadata, path, registration, token};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

/// The routes under the base URL's path; anything else is for the gateway.
pub(crate) fn routes(server: Server) -> Router {
    let base = server.base_path().to_owned();
    let max_body_bytes = server.max_body_bytes;
    Router::new()
        .route(
            &format!("{base}{}", udap_proto::metadata::PATH),
            get(metadata::get),
        )
        .route(
            &format!("{base}{}", path::REGISTER),
            post(registration::post),
        )
        .route(&format!("{base}{}", path::TOKEN), post(token::post))
        .route(&format!("{base}{}", path::JWKS), get(jwks::get))
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(server)
}
