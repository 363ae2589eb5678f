//! `POST {base}/oauth/introspect`: what an access token says, and whether it counts (RFC 7662).
//!
//! An app is told about tokens of its own registration, and a resource server that the operator named
//! about all. Anybody else learns no more of a token than of one that never was.

use crate::about_token::{self, Asked, Endpoint};
use crate::app::{Server, refusal};
use crate::body::Sent;
use crate::client_authentication::{Client, ClientError};
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
use udap_host::token_status::{TokenState, TokenStatus as _, UNKNOWN};
use udap_proto::Refusal as _;
use udap_proto::access_token::VerifiedAccessToken;
use udap_proto::introspection::{Active, Inactive};

/// Whether the operator named a client as a resource server, by community and URI: a URI alone may be
/// another app's elsewhere.
fn is_resource_server(server: &Server, client: &Client) -> bool {
    let registration = &client.registration;
    let served = server.communities.select(Some(&registration.community));
    served.is_some_and(|served| {
        let mut servers = served.resource_servers().iter();
        servers.any(|uri| **uri == *registration.uri)
    })
}

/// Answers what there is to say of a token.
pub(crate) async fn post(
    State(server): State<Server>,
    peer: Option<Extension<Peer>>,
    tls: Option<Extension<MutualTls>>,
    Sent { headers, body }: Sent,
) -> Response {
    let started = Instant::now();
    let mut who = server.who(peer, &headers);
    let request_id = who.request_id.clone();
    let tls = tls.as_ref().map(|Extension(tls)| tls);
    let result = introspect(&server, tls, &headers, body, &mut who).await;
    who.duration = Some(started.elapsed());
    let answer = match result {
        Ok(found) => {
            let (inactive, answer) = match &found {
                Ok(token) => {
                    let active = Active::from(token.claims());
                    (None, json(StatusCode::OK, "application/json", &active))
                }
                Err(code) => {
                    let answer = json(StatusCode::OK, "application/json", &Inactive::ANSWER);
                    (Some(*code), answer)
                }
            };
            let event = Event::TokenIntrospected { inactive };
            server.audit.record(who, event).await;
            answer
        }
        Err(error) => {
            let answer = to_wire(&error);
            let refusal = refusal(answer.code, &error);
            server
                .audit
                .record(who, Event::IntrospectionRefused(refusal))
                .await;
            answer.into_response()
        }
    };
    request_id::named(answer, request_id.as_deref())
}

/// The token, or why the caller is told that it does not count.
async fn introspect(
    server: &Server,
    tls: Option<&MutualTls>,
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
    who: &mut Who,
) -> Result<Result<VerifiedAccessToken, &'static str>, ClientError> {
    let endpoint = Endpoint {
        url: &server.base().introspection_endpoint,
        alias: |port| &port.introspection,
    };
    let asked = about_token::read(server, tls, headers, body, endpoint, who).await?;
    let Asked { client, token } = asked;
    let token = match token {
        Ok(token) => token,
        Err(error) => return Ok(Err(error.code())),
    };
    if *token.client_id() != *client.registration.client_id && !is_resource_server(server, &client)
    {
        return Ok(Err("token-of-another"));
    }
    if let TokenState::Ended { code } = server.of(token.client_id(), token.jti()).await {
        // Not an answer that a resource server might remember.
        if code == UNKNOWN {
            return Err(ClientError::Unavailable);
        }
        return Ok(Err(code));
    }
    client.still_trusted(server).await?;
    Ok(Ok(token))
}

/// RFC 7662 §2.3: a caller that is not known gets 401. Everything else is as at the token endpoint.
fn to_wire(error: &ClientError) -> OAuthError {
    let mut answer = error.to_wire();
    if answer.error == "invalid_client" {
        answer.status = StatusCode::UNAUTHORIZED;
    }
    answer
}
