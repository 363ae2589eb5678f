//! `GET {base}/.well-known/udap`: who this data holder is, signed in advance for each community
//! (HL7 SSRAA §2).

use crate::app::Server;
use crate::discovery::{document, public};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// Answers with the metadata of the community that `?community=` names, or of the first one.
/// A community that is not served gets 204 (HL7 SSRAA §2.4).
pub(crate) async fn get(State(server): State<Server>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let community = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "community")
        .map(|(_, uri)| uri);
    match server.communities.select(community.as_deref()) {
        None => public(StatusCode::NO_CONTENT.into_response()),
        Some(served) => document(served.metadata_json()),
    }
}
