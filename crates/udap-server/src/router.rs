//! Every route of the authorization server.

use crate::app::Server;
use crate::{discovery, introspection, jwks, metadata, path, registration, revocation, token};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use udap_proto::discovery::{OAUTH_PATH, SMART_PATH};

/// The routes under the base URL's path, and the one document that stands in front of it; anything
/// else is for the gateway.
pub(crate) fn routes(server: Server) -> Router {
    let base = server.base_path().to_owned();
    let max_body_bytes = server.max_body_bytes;
    Router::new()
        .route(
            &format!("{base}{}", udap_proto::metadata::PATH),
            get(metadata::get),
        )
        .route(
            &format!("{base}{SMART_PATH}"),
            get(discovery::smart_configuration),
        )
        .route(
            &format!("{OAUTH_PATH}{base}"),
            get(discovery::oauth_metadata),
        )
        .route(
            &format!("{base}{}", path::REGISTER),
            post(registration::post),
        )
        .route(&format!("{base}{}", path::TOKEN), post(token::post))
        .route(
            &format!("{base}{}", path::INTROSPECT),
            post(introspection::post),
        )
        .route(&format!("{base}{}", path::REVOKE), post(revocation::post))
        .route(&format!("{base}{}", path::JWKS), get(jwks::get))
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(server)
}
