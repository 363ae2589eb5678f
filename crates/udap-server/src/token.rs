//! `POST {base}/oauth/token`: an app proves who it is and gets an access token (HL7 SSRAA §5.2; UDAP
//! JWT-Based Client Authentication).

use crate::app::{Server, Told, general_hint, short};
use crate::scopes::{self, ScopeError};
use crate::store::{Seen, State as RegistrationState};
use axum::Extension;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;
use udap_host::audit::{Event, Refusal as AuditRefusal, Who, jti_hash};
use udap_host::listen::Peer;
use udap_host::problem::{OAuthError, json};
use udap_pki::UnixTime;
use udap_proto::access_token::AccessToken;
use udap_proto::assertion::{self, AssertionError};
use udap_proto::certification::Mismatch;
use udap_proto::extensions::{self, ExtensionError, hl7_b2b};
use udap_proto::jws::{JwsAlg, JwsError};
use udap_proto::scope::ScopeSet;
use udap_proto::token::{Answer, ClientCredentials, FormError};
use udap_trust::clock;
use udap_trust::verify::TrustError;

const FORM: &str = "application/x-www-form-urlencoded";

/// Answers with an access token.
pub(crate) async fn post(
    State(server): State<Server>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let started = Instant::now();
    let mut who = server.who(peer, &headers);
    let result = token(&server, &headers, body, &mut who).await;
    who.duration = Some(started.elapsed());
    match result {
        Ok(issued) => {
            let event = Event::TokenIssued {
                scope: issued.scope.to_string().into(),
                purpose_of_use: issued.purpose_of_use,
            };
            server.audit.record(who, event).await;
            json(StatusCode::OK, "application/json", &issued.answer)
        }
        Err(error) => {
            let answer = error.to_wire();
            let refusal = AuditRefusal {
                code: answer.code,
                detail: short(&error.to_string()),
            };
            server.audit.record(who, Event::TokenRefused(refusal)).await;
            answer.into_response()
        }
    }
}

struct Issued {
    answer: Answer,
    scope: ScopeSet,
    purpose_of_use: Vec<String>,
}

async fn token(
    server: &Server,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    who: &mut Who,
) -> Result<Issued, TokenError> {
    let now = clock::now();
    // The form. HL7 SSRAA §5.2.2: no Authorization header, no secret.
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(TokenError::AuthorizationHeader);
    }
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if !media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(FORM)
    {
        return Err(TokenError::MediaType);
    }
    let max_bytes = server.max_body_bytes;
    let body = body.map_err(|_| TokenError::TooLarge { max_bytes })?;
    let request = ClientCredentials::read(&body)?;

    // Shape, audience, time: what costs nothing, before the registration is looked for.
    let known = |text: &str| server.headers.get(text);
    let parsed = assertion::parse_with(
        &request.client_assertion,
        &server.token_endpoint,
        now,
        known,
    )?;
    let client_id = parsed.client_id().to_owned();
    who.client_id = Some(short(&client_id).into());
    if request
        .client_id
        .as_deref()
        .is_some_and(|sent| sent != client_id)
    {
        return Err(TokenError::ClientIdMismatch {
            sent: request.client_id.unwrap_or_default(),
            iss: client_id,
        });
    }
    let registration = server
        .registrations
        .by_client_id(&client_id)
        .await
        .map_err(|error| {
            tracing::error!(%error, "a registration could not be read");
            TokenError::Unavailable
        })?
        .ok_or(TokenError::UnknownClient { client_id })?;
    who.community = Some(registration.community.as_str().into());
    who.uri = Some(registration.uri.as_str().into());
    if registration.state != RegistrationState::Active {
        return Err(TokenError::NotActive {
            code: registration.state.code(),
        });
    }

    // Signature, by the key of x5c[0]; no I/O yet.
    let served = server
        .communities
        .select(Some(&registration.community))
        .ok_or_else(|| TokenError::CommunityGone {
            community: registration.community.clone(),
        })?;
    let signed = parsed
        .verify_signature(&served.community.algorithms)
        .map_err(AssertionError::from)?;

    // Trust, on the anchors of that registration's community only.
    let trust = server.communities.trust();
    let (leaf, intermediates) = (
        signed.signer().leaf().clone(),
        signed.signer().intermediates().to_vec(),
    );
    let verdict = trust
        .verify(&registration.community, &leaf, &intermediates, now)
        .await?;

    // The headers of clients that were found good are remembered; others cost nobody any memory.
    let (text, header) = signed.header_read();
    if !server.headers.contains_key(text) {
        server.headers.insert(text.into(), Arc::clone(header));
    }

    // The registered URI is a name of that very certificate.
    let verified = signed.verify(&verdict, &registration.uri)?;

    // With a key and from where its certifications let it ask.
    for limits in registration.limits.iter() {
        let key = leaf.public_key().map_err(|_| TokenError::Unavailable)?;
        limits.check_key(key)?;
        limits.check_address(who.remote)?;
    }

    // New, and remembered durably. What a sender did not sign costs nobody a record.
    let claims = verified.claims();
    who.jti = Some(jti_hash(&claims.jti));
    match server
        .replay
        .record(
            &registration.community,
            &claims.iss,
            &claims.jti,
            claims.exp,
            now,
        )
        .await
    {
        Ok(Seen::New) => {}
        Ok(Seen::Before) => return Err(TokenError::Replayed),
        Err(_) => return Err(TokenError::Unavailable),
    }

    // What it asks for, and may have.
    let extensions = verified.extensions()?;
    extensions::check(&extensions, &[hl7_b2b::KEY])?;
    let scope = scopes::grant(&request.scope, &registration.scope)?;
    let scope = scopes::grant(&scope, &server.scopes)?;
    let purpose_of_use = purposes(&extensions);
    let access_token = server.access_token(
        now,
        &registration.client_id,
        &registration.community,
        &registration.uri,
        registration.token_id(),
        &scope,
        extensions,
    )?;

    // Trust may have moved while all this was done: a revocation in between wins.
    if trust.epoch().now() != verdict.epoch() {
        trust
            .verify(&registration.community, &leaf, &intermediates, clock::now())
            .await?;
    }
    let answer = Answer {
        access_token,
        expires_in: server.token_lifetime_secs,
        scope: Some(scope.clone()),
    };
    Ok(Issued {
        answer,
        scope,
        purpose_of_use,
    })
}

fn purposes(extensions: &Map<String, Value>) -> Vec<String> {
    extensions
        .get(hl7_b2b::KEY)
        .and_then(|object| object.get("purpose_of_use"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|purpose| purpose.as_str().map(str::to_owned))
        .collect()
}

impl Server {
    #[expect(
        clippy::too_many_arguments,
        reason = "one for each claim that is not the server's own"
    )]
    fn access_token(
        &self,
        now: UnixTime,
        client_id: &str,
        community: &str,
        uri: &str,
        jti: String,
        scope: &ScopeSet,
        extensions: Map<String, Value>,
    ) -> Result<String, TokenError> {
        let token = AccessToken {
            iss: self.base_url.clone(),
            aud: self.base_url.clone(),
            client_id: client_id.to_owned(),
            scope: scope.clone(),
            iat: now,
            exp: now.plus_secs(self.token_lifetime_secs),
            jti,
            community: community.to_owned(),
            uri: uri.to_owned(),
            extensions,
        };
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
    #[error(
        "the request has an Authorization header; a UDAP client authenticates with its assertion alone"
    )]
    AuthorizationHeader,
    #[error("the body must be `{FORM}`")]
    MediaType,
    #[error("the body is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    #[error("parameter `client_id` is `{sent}`, but the assertion's `iss` is `{iss}`")]
    ClientIdMismatch { sent: String, iss: String },
    #[error("no client `{client_id}` is registered here")]
    UnknownClient { client_id: String },
    #[error("the registration is not active")]
    NotActive { code: &'static str },
    #[error("the community `{community}` of this registration is no longer served here")]
    CommunityGone { community: String },
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("this assertion was sent before (its `jti` is known)")]
    Replayed,
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error(transparent)]
    Certification(#[from] Mismatch),
    #[error("the server cannot answer for the moment")]
    Unavailable,
}

impl TokenError {
    /// The one mapping to the wire (RFC 6749 §5.2; UDAP JWT-Based Client Authentication §7.2).
    fn to_wire(&self) -> OAuthError {
        let mut status = StatusCode::BAD_REQUEST;
        let own = |error: &'static str, code: &'static str| Told {
            error,
            code,
            description: short(&self.to_string()),
            hint: general_hint(code),
        };
        let told = match self {
            Self::AuthorizationHeader => own("invalid_request", "authorization-header-refused"),
            Self::MediaType => own("invalid_request", "media-type"),
            Self::TooLarge { .. } => {
                status = StatusCode::PAYLOAD_TOO_LARGE;
                own("invalid_request", "body-too-large")
            }
            Self::Form(e @ FormError::Grant { .. }) => Told::by("unsupported_grant_type", e),
            Self::Form(e) => Told::by("invalid_request", e),
            // A signature or a shape that is wrong is the request's fault; a claim, a name or a
            // certificate that is wrong is the client's.
            Self::Assertion(e @ AssertionError::Jws(JwsError::Typ { .. })) => {
                Told::by("invalid_client", e)
            }
            Self::Assertion(e @ AssertionError::Jws(_)) => Told::by("invalid_request", e),
            Self::Assertion(e) => Told::by("invalid_client", e),
            Self::ClientIdMismatch { .. } => own("invalid_client", "client-id-mismatch"),
            Self::UnknownClient { .. } => own("invalid_client", "client-unknown"),
            Self::NotActive { code } => own("invalid_client", code),
            Self::CommunityGone { .. } => own("invalid_client", "community-unknown"),
            Self::Trust(e) => Told::by("invalid_client", e),
            Self::Replayed => own("invalid_client", "jwt-replayed"),
            Self::Extension(e) => Told::by("invalid_grant", e),
            Self::Scope(e) => own("invalid_scope", e.code()),
            Self::Certification(e) => Told::by("invalid_client", e),
            Self::Unavailable => return OAuthError::unavailable(),
        };
        OAuthError {
            status,
            error: told.error,
            description: told.description,
            code: told.code,
            hint: told.hint,
        }
    }
}
