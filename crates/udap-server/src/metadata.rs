//! `GET {base}/.well-known/udap`: who this data holder is, signed in advance for each community
//! (HL7 SSRAA §2).

use crate::app::Server;
use crate::app::general_hint;
use crate::discovery::{document, public};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use udap_host::problem::OAuthError;
use udap_trust::clock;

/// Answers with the metadata of the community that `?community=` names, or of the first one.
/// A community that is not served gets 204 (HL7 SSRAA §2.4).
pub(crate) async fn get(State(server): State<Server>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let community = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "community")
        .map(|(_, uri)| uri);
    match server.communities.select(community.as_deref()) {
        None => public(StatusCode::NO_CONTENT.into_response()),
        Some(served) => match served.metadata(server.base().at, clock::now()) {
            Ok(json) => document(json),
            Err(_) => expired(),
        },
    }
}

/// What was signed with the certificate has ended with it. Only its operator can mend that, so a partner
/// is told that this is for the moment, and why.
fn expired() -> Response {
    let code = "identity-expired";
    OAuthError {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error: "temporarily_unavailable",
        description: "this data holder's certificate in the community is not valid any more"
            .to_owned(),
        code,
        hint: general_hint(code),
    }
    .into_response()
}
