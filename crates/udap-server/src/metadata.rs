//! `GET {base}/.well-known/udap`: who this data holder is, signed in advance for each community
//! (HL7 SSRAA §2).

use crate::app::Server;
use crate::app::general_hint;
use crate::discovery::{document, public};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use udap_host::problem::OAuthError;
use udap_proto::community::{Guide, UnknownCommunity};
use udap_trust::clock;

/// Answers with the metadata of the community that `?community=` names, or of the first one.
/// A community that is not served is answered as the first one's version of the guide says (HL7 SSRAA
/// §2.4): it is the one whose metadata anybody gets who names none.
pub(crate) async fn get(State(server): State<Server>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let community = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "community")
        .map(|(_, uri)| uri);
    match server.communities.select(community.as_deref()) {
        None => public(unknown(&server).into_response()),
        Some(served) => match served.metadata(server.base().at, clock::now()) {
            Ok(json) => document(json),
            Err(_) => expired(),
        },
    }
}

fn unknown(server: &Server) -> StatusCode {
    let guide = server.communities.select(None).map(|s| s.community.guide);
    match guide.unwrap_or(Guide::V2_0).unknown_community() {
        UnknownCommunity::NotFound => StatusCode::NOT_FOUND,
        UnknownCommunity::NoContent => StatusCode::NO_CONTENT,
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
        extensions: serde_json::Map::new(),
    }
    .into_response()
}
