//! Every route of the authorization server, under each of its base URLs.

use crate::app::Server;
use crate::base::Base;
use crate::{discovery, introspection, jwks, metadata, path, registration, revocation, token};
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;
use udap_host::config::Endpoints;
use udap_proto::discovery::{OAUTH_PATH, SMART_PATH};

/// The routes under each base URL's path, and the one document that stands in front of it; anything
/// else is for the gateway. The path alone tells one base URL from another.
pub(crate) fn routes(server: Server) -> Router {
    let bases = server.bases.iter();
    let routes = bases.map(|base| under(server.at(base), base));
    routes.fold(Router::new(), Router::merge)
}

fn under(server: Server, base: &Arc<Base>) -> Router {
    let at = |path: &str| format!("{}{path}", base.path);
    let mut router = Router::new()
        .route(&at(udap_proto::metadata::PATH), get(metadata::get))
        .route(&at(SMART_PATH), get(discovery::smart_configuration));
    if base.endpoints == Endpoints::Own {
        router = router.route(&at(path::REGISTER), post(registration::post));
    }
    if base.endpoints != Endpoints::Shared {
        router = router
            .route(
                &format!("{OAUTH_PATH}{}", base.path),
                get(discovery::oauth_metadata),
            )
            .route(&at(path::TOKEN), post(token::post))
            .route(&at(path::INTROSPECT), post(introspection::post))
            .route(&at(path::REVOKE), post(revocation::post))
            .route(&at(path::JWKS), get(jwks::get));
    }
    router.with_state(server)
}
