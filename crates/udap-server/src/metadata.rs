//! `GET {base}/.well-known/udap`: who this data holder is, signed in advance for each community
//! (HL7 SSRAA §2).

use crate::app::Server;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// Answers with the metadata of the community that `?community=` names, or of the first one.
/// A community that is not served gets 204 (HL7 SSRAA §2.4).
pub(crate) async fn get(State(server): State<Server>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let community = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "community")
        .map(|(_, uri)| uri);
    let mut response = match server.communities.select(community.as_deref()) {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(served) => {
            let mut response = Response::new(axum::body::Body::from(served.metadata_json()));
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    // Anybody may read it, a page in a browser too: HL7 SSRAA §2.1 wants it open.
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}
