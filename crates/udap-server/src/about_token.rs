//! The way in that introspection and revocation share: who asks, about which token.

use crate::app::Server;
use crate::client_authentication::{self, Client, ClientError, Credentials, Way, authenticate};
use axum::extract::rejection::BytesRejection;
use bytes::Bytes;
use http::HeaderMap;
use udap_host::audit::{Who, jti_hash};
use udap_proto::access_token::{AccessTokenError, VerifiedAccessToken};
use udap_proto::introspection::AboutToken;
use udap_trust::clock;

/// A client that has proved who it is, and the token that it asks about.
pub(crate) struct Asked {
    pub(crate) client: Client,
    /// As the gateway would take it; whether it was ended is open.
    pub(crate) token: Result<VerifiedAccessToken, AccessTokenError>,
}

/// Reads a request. Its assertion may be meant for this endpoint or for the token endpoint. From here
/// on the entry of the audit trail is about the token.
pub(crate) async fn read(
    server: &Server,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    endpoint: &str,
    who: &mut Who,
) -> Result<Asked, ClientError> {
    let now = clock::now();
    let body = client_authentication::form(server, headers, body)?;
    let request = AboutToken::read(&body)?;
    let sent = Credentials {
        assertion: &request.client_assertion,
        client_id: request.client_id.as_deref(),
        way: Way::of(server, request.dialect, &request.client_assertion),
    };
    let client = authenticate(
        server,
        sent,
        &[endpoint, &server.base().token_endpoint],
        now,
        who,
    )
    .await?;
    let token = server.own_token(&request.token, now);
    who.jti = token.as_ref().ok().map(|token| jti_hash(token.jti()));
    Ok(Asked { client, token })
}
