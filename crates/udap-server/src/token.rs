//! `POST {base}/oauth/token`: an app proves who it is and gets an access token (HL7 SSRAA §5.2; UDAP
//! JWT-Based Client Authentication).

use crate::app::{Server, Told, general_hint, refusal, short};
use crate::asserted::{self, AssertedError};
use crate::assertion_grant::{self, AssertionGrantError, Granted};
use crate::base::TargetError;
use crate::binding::{self, BindingError};
use crate::body::Sent;
use crate::client_authentication::{
    self, ClientError, Credentials, Proof, Way, authenticate, judge,
};
use crate::communities::Served;
use crate::scopes::{self, ScopeError};
use crate::store::NotDurable;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Instant;
use udap_host::audit::{Event, Who};
use udap_host::config::AccessTokens;
use udap_host::limits::BodyError;
use udap_host::listen::{MutualTls, Peer};
use udap_host::problem::{OAuthError, written};
use udap_host::request_id;
use udap_proto::access_token::{self, AccessToken};
use udap_proto::authorization::Limits;
use udap_proto::community::Demand;
use udap_proto::extensions::Asserted;
use udap_proto::jws::JwsAlg;
use udap_proto::scope::ScopeSet;
use udap_proto::token::{Answer, Grant, TokenRequest, TokenType};
use udap_trust::{clock, random};

/// Answers with an access token.
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
    let result = token(&server, tls, &headers, body, &mut who).await;
    who.duration = Some(started.elapsed());
    let answer = match result {
        Ok(issued) => {
            let event = Event::TokenIssued {
                scope: issued.scope.to_text().into(),
                purpose_of_use: issued.purpose_of_use,
            };
            server.audit.record(who, event).await;
            written(StatusCode::OK, "application/json", issued.answer.to_json())
        }
        Err(error) => {
            let answer = error.to_wire();
            let refusal = refusal(answer.code, &error);
            server.audit.record(who, Event::TokenRefused(refusal)).await;
            answer.into_response()
        }
    };
    let answer = request_id::named(answer, request_id.as_deref());
    binding::with_nonce(&server, answer, clock::now())
}

struct Issued {
    answer: Answer,
    scope: ScopeSet,
    purpose_of_use: Arc<[String]>,
}

async fn token(
    server: &Server,
    tls: Option<&MutualTls>,
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
    who: &mut Who,
) -> Result<Issued, TokenError> {
    let now = clock::now();
    let body = client_authentication::form(headers, body)?;
    let request = TokenRequest::read(&body).map_err(ClientError::from)?;
    // Where no community lets a scope be left out, nobody's assertion is looked at for that.
    if request.scope.is_empty()
        && request.grant == Grant::ClientCredentials
        && !server.communities.scope_is_optional()
    {
        request.require_scope().map_err(ClientError::from)?;
    }
    let way = Way::of(server, request.dialect, request.client_assertion.as_deref());
    if way != Way::Smart {
        request.dialect.require_udap().map_err(ClientError::from)?;
    }
    let sent = Credentials {
        assertion: request.client_assertion.as_deref(),
        client_id: request.client_id.as_deref(),
        tls,
        way,
    };
    let endpoint = &server.base().token_endpoint;
    let audiences = server.audiences(endpoint, tls, |port| &port.token);
    let client = authenticate(server, sent, &audiences, now, who).await?;
    let registration = &client.registration;
    let grant = request.grant.as_str();
    if registration
        .grant
        .is_none_or(|registered| !registered.types().contains(&grant))
    {
        return Err(TokenError::GrantNotRegistered { grant });
    }

    // For which of the FHIR servers behind this endpoint, if there is more than one (RFC 8707 §2).
    let audience = server.base().audience(request.resource.as_deref())?;

    // What authorizes it: its own word, or that of somebody whom the operator named.
    let Authorized {
        limits,
        asserted,
        by,
        ceiling: community,
    } = match (&request.grant, &client.proof) {
        (Grant::JwtBearer { assertion }, _) => {
            let granted = assertion_grant::verify(server, assertion, registration, now).await?;
            let served = asserted::community_of(server, registration)?;
            let sent = granted.assertion.extensions();
            let sent = sent.map_err(AssertedError::from)?;
            Authorized {
                limits: granted.assertion.limits().clone(),
                asserted: asserted::judge(server, &served, registration, &sent, None, now).await?,
                by: Some(Box::new(granted)),
                ceiling: Some(served),
            }
        }
        (Grant::ClientCredentials, Proof::Certificate(certified)) => {
            let served = asserted::community_of(server, registration)?;
            if served.community.guide.token_scope() == Demand::Required {
                request.require_scope().map_err(ClientError::from)?;
            }
            let (limits, sent) = match &certified.assertion {
                Some(assertion) => (
                    assertion
                        .limits(&registration.uri)
                        .map_err(AssertionGrantError::from)?,
                    assertion.extensions().map_err(AssertedError::from)?,
                ),
                // Nothing that a TLS connection shows could hold an extension object.
                None => Default::default(),
            };
            let last = certified.known.as_ref().map(|known| &known.asserted);
            Authorized {
                limits,
                asserted: asserted::judge(server, &served, registration, &sent, last, now).await?,
                by: None,
                ceiling: Some(served),
            }
        }
        // Who has no community has no rules of one, and SMART wants a scope to be asked for.
        (Grant::ClientCredentials, Proof::Key) => {
            request.require_scope().map_err(ClientError::from)?;
            Authorized::default()
        }
    };

    // What it asks for, and may have.
    let ceiling = limits.ceiling.as_ref();
    let asked = match ceiling {
        _ if !request.scope.is_empty() => &request.scope,
        Some(ceiling) => ceiling,
        None => &registration.scope,
    };
    let mut scope = scopes::grant(asked, &registration.scope)?;
    if let Some(ceiling) = ceiling {
        scope = scopes::grant(&scope, ceiling)?;
    }
    let scope = scopes::grant(&scope, &server.scopes)?;
    // The community's ceiling may have come down since the app registered.
    let scope = match community.as_ref().and_then(|c| c.community.scopes.as_ref()) {
        Some(ceiling) => scopes::grant(&scope, ceiling)?,
        None => scope,
    };
    let bound = binding::decide(server, &client, tls, headers, now).await?;
    // No token outlives a certificate that it rests on.
    let other = bound.certificate.as_deref();
    let rests_on = [
        match &client.proof {
            Proof::Certificate(certified) => Some((&certified.leaf, &certified.intermediates)),
            Proof::Key => None,
        },
        other.map(|other| (&other.leaf, &other.intermediates)),
        by.as_ref()
            .map(|granted| (&granted.leaf, &granted.intermediates)),
    ];
    let mut expires_in = server.token_lifetime_secs;
    for (leaf, _) in rests_on.iter().flatten() {
        expires_in = expires_in.min(leaf.not_after().secs_since(now)).max(0);
    }
    let exp = now.plus_secs(expires_in);
    let token = AccessToken {
        iss: Arc::clone(&server.base().issuer),
        aud: audience,
        client_id: registration.client_id.clone(),
        scope: scope.clone(),
        iat: now,
        exp,
        jti: registration.token_id(),
        community: registration.community.clone(),
        uri: registration.uri.clone(),
        extensions: asserted.carried,
        cnf: bound.cnf,
    };
    let access_token = server.written(&token).await?;

    // What is issued by a certificate ends with it. Noted before the last look at trust, so that a
    // revocation is seen by that look or finds the note.
    for (leaf, intermediates) in rests_on.into_iter().flatten() {
        let noted = server
            .signers
            .record(registration, leaf, intermediates, now, exp)
            .await;
        noted.map_err(|error| {
            tracing::error!(%error, "the certificate of a client could not be noted");
            ClientError::Unavailable
        })?;
    }
    if let Some(granted) = &by {
        granted
            .still_trusted(server, &registration.community)
            .await?;
    }
    client.still_trusted(server).await?;
    if let Some(other) = other {
        judge(server, registration, other, clock::now()).await?;
    }
    let answer = Answer {
        access_token,
        token_type: TokenType::of(&bound.cnf),
        expires_in,
        scope: Some(scope.clone()),
    };
    Ok(Issued {
        answer,
        scope,
        purpose_of_use: asserted.purposes,
    })
}

/// What a client may have by its authorization, before scopes are looked at.
#[derive(Default)]
struct Authorized {
    limits: Limits,
    asserted: Asserted,
    /// By whose word, if it is not the client's own.
    by: Option<Box<Granted>>,
    /// Whose ceiling the scopes stay under.
    ceiling: Option<Arc<Served>>,
}

impl Server {
    /// The text that the client gets.
    async fn written(&self, token: &AccessToken) -> Result<String, TokenError> {
        if self.access_tokens == AccessTokens::Opaque {
            let secret = access_token::opaque(&random::bytes());
            let kept = self.opaque_tokens.keep(&secret, token.exp, token.record());
            kept.await.map_err(|NotDurable| TokenError::Unavailable)?;
            return Ok(secret);
        }
        let unsigned = token.unsigned(JwsAlg::ES256, self.access_key.kid());
        // The key is in memory: no await, no allocation of a future.
        let signature = self
            .access_key
            .signer()
            .sign_now(JwsAlg::ES256.scheme(), unsigned.signing_input());
        let signature = signature.map_err(|error| {
            tracing::error!(%error, "an access token could not be signed");
            TokenError::Unavailable
        })?;
        Ok(unsigned.with_signature(&signature))
    }
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Binding(#[from] BindingError),
    #[error(transparent)]
    Authorization(#[from] AssertionGrantError),
    #[error("the client is not registered for the grant type `{grant}`")]
    GrantNotRegistered { grant: &'static str },
    #[error(transparent)]
    Asserted(#[from] AssertedError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error("the server cannot answer for the moment")]
    Unavailable,
}

impl TokenError {
    /// The one mapping to the wire (RFC 6749 §5.2; UDAP JWT-Based Client Authentication §7.2).
    fn to_wire(&self) -> OAuthError {
        let told = match self {
            Self::Client(e) => return e.to_wire(),
            Self::Binding(e) => return e.to_wire(),
            Self::Authorization(e) => return e.to_wire(),
            Self::GrantNotRegistered { .. } => {
                Told::own("unauthorized_client", "grant-not-registered", self)
            }
            Self::Asserted(e) => return e.to_wire(),
            Self::Target(e) => Told {
                error: "invalid_target",
                code: e.code(),
                description: short(&e.to_string()),
                hint: general_hint(e.code()),
            },
            Self::Scope(e) => Told {
                error: "invalid_scope",
                code: e.code(),
                description: short(&self.to_string()),
                hint: general_hint(e.code()),
            },
            Self::Unavailable => return OAuthError::unavailable(),
        };
        told.into_wire(StatusCode::BAD_REQUEST)
    }
}
