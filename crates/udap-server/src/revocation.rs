//! `POST {base}/oauth/revoke`: a client ends an access token of its own (RFC 7009).
//!
//! A token that is not its own, or is none, is answered as if all went well (RFC 7009 §2.2), without
//! effect: nobody learns here which tokens there are. The audit trail says what it was.

use crate::about_token::{self, Asked, Endpoint};
use crate::app::{Server, refusal};
use crate::body::Sent;
use crate::client_authentication::ClientError;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::time::Instant;
use udap_host::audit::{Event, Who};
use udap_host::limits::BodyError;
use udap_host::listen::{MutualTls, Peer};
use udap_host::problem::{OAuthError, json};
use udap_host::request_id;
use udap_proto::Refusal as _;
use udap_proto::access_token::AccessTokenError;

/// Ends a token.
///
/// As with a registration, the work is a task of its own: a client that hangs up must not leave a token
/// revoked in the database and in force in memory, nor the audit trail empty.
pub(crate) async fn post(
    State(server): State<Server>,
    peer: Option<Extension<Peer>>,
    tls: Option<Extension<MutualTls>>,
    sent: Sent,
) -> Response {
    let who = server.who(peer, &sent.headers);
    let tls = tls.map(|Extension(tls)| tls);
    let request_id = who.request_id.clone();
    let answer = match tokio::spawn(answer(server, tls, sent, who)).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, request_id = request_id.as_deref(), "a revocation ended early");
            OAuthError::server_error().into_response()
        }
    };
    request_id::named(answer, request_id.as_deref())
}

async fn answer(server: Server, tls: Option<MutualTls>, sent: Sent, mut who: Who) -> Response {
    let started = Instant::now();
    let Sent { headers, body } = sent;
    let result = revoke(&server, tls.as_ref(), &headers, body, &mut who).await;
    who.duration = Some(started.elapsed());
    let (event, answer) = match result {
        Ok(None) => (Event::TokenRevoked, done()),
        Ok(Some(without)) => {
            let refusal = refusal(without.code(), &without);
            (Event::RevocationRefused(refusal), done())
        }
        Err(error) => {
            let answer = error.to_wire();
            let event = Event::RevocationRefused(refusal(answer.code, &error));
            (event, answer.into_response())
        }
    };
    server.audit.record(who, event).await;
    answer
}

/// RFC 7009 §2.2: the status says all; the body is there for those who parse any.
fn done() -> Response {
    json(StatusCode::OK, "application/json", &serde_json::Map::new())
}

/// Ends the token, or says why that had no effect.
async fn revoke(
    server: &Server,
    tls: Option<&MutualTls>,
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
    who: &mut Who,
) -> Result<Option<WithoutEffect>, ClientError> {
    let endpoint = Endpoint {
        url: &server.base().revocation_endpoint,
        alias: |port| &port.revocation,
    };
    let asked = about_token::read(server, tls, headers, body, endpoint, who).await?;
    let Asked { client, token } = asked;
    let token = match token {
        Ok(token) => token,
        Err(error) => return Ok(Some(WithoutEffect::NoToken(error))),
    };
    if *token.client_id() != *client.registration.client_id {
        return Ok(Some(WithoutEffect::Anothers));
    }
    client.still_trusted(server).await?;
    server
        .revocations
        .revoke(token.jti(), token.exp())
        .await
        .map_err(|error| {
            tracing::error!(%error, "a revocation could not be written");
            ClientError::Unavailable
        })?;
    Ok(None)
}

/// Why nothing was revoked, though the client is told that all is well.
#[derive(Debug, thiserror::Error)]
enum WithoutEffect {
    #[error(transparent)]
    NoToken(AccessTokenError),
    #[error("the token was issued to another client")]
    Anothers,
}

impl WithoutEffect {
    fn code(&self) -> &'static str {
        match self {
            Self::NoToken(error) => error.code(),
            Self::Anothers => "token-of-another",
        }
    }
}
