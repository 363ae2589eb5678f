//! The way in that introspection and revocation share: who asks, about which token.

use crate::app::Server;
use crate::base::Aliases;
use crate::client_authentication::{self, Client, ClientError, Credentials, Way, authenticate};
use bytes::Bytes;
use http::HeaderMap;
use udap_host::audit::{Who, jti_hash};
use udap_host::limits::BodyError;
use udap_host::listen::MutualTls;
use udap_proto::access_token::{AccessTokenError, VerifiedAccessToken};
use udap_proto::introspection::AboutToken;
use udap_trust::clock;

/// A client that has proved who it is, and the token that it asks about.
pub(crate) struct Asked {
    pub(crate) client: Client,
    /// As the gateway would take it; whether it was ended is open.
    pub(crate) token: Result<VerifiedAccessToken, AccessTokenError>,
}

/// Where a request came in.
pub(crate) struct Endpoint<'a> {
    pub(crate) url: &'a str,
    /// The same at the port where clients show a certificate.
    pub(crate) alias: fn(&Aliases) -> &String,
}

/// Reads a request. Its assertion may be meant for this endpoint or for the token endpoint. From here
/// on the entry of the audit trail is about the token.
pub(crate) async fn read(
    server: &Server,
    tls: Option<&MutualTls>,
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
    endpoint: Endpoint<'_>,
    who: &mut Who,
) -> Result<Asked, ClientError> {
    let now = clock::now();
    let body = client_authentication::form(headers, body)?;
    let request = AboutToken::read(&body)?;
    let sent = Credentials {
        assertion: request.client_assertion.as_deref(),
        client_id: request.client_id.as_deref(),
        way: Way::of(server, request.dialect, request.client_assertion.as_deref()),
        tls,
    };
    let audiences = server.audiences(endpoint.url, tls, endpoint.alias);
    let client = authenticate(server, sent, &audiences, now, who).await?;
    let token = server.own_token(&request.token, now).await?;
    who.jti = token.as_ref().ok().map(|token| jti_hash(token.jti()));
    Ok(Asked { client, token })
}
