//! How a client proves who it is, at each endpoint that wants to know: with an authentication token
//! signed by its certificate (UDAP JWT-Based Client Authentication; HL7 SSRAA §5.2.1). There is no
//! other way in.

use crate::app::{Server, Told, general_hint, short};
use crate::life_cycle::FINAL;
use crate::store::{Once, Registration, Seen, State};
use axum::extract::rejection::BytesRejection;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;
use udap_host::audit::{Who, jti_hash};
use udap_host::problem::OAuthError;
use udap_host::rate;
use udap_pki::{Certificate, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::assertion::{self, AssertionError, Verified};
use udap_proto::certification::Mismatch;
use udap_proto::jws::JwsError;
use udap_proto::token::FormError;
use udap_trust::clock;
use udap_trust::verify::{TrustError, Verdict};

const FORM: &str = "application/x-www-form-urlencoded";

/// A client that has proved who it is.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) registration: Arc<Registration>,
    /// What it signed.
    pub(crate) assertion: Verified,
    verdict: Verdict,
    /// The certificate that signed it, and those that came along.
    pub(crate) leaf: Certificate,
    pub(crate) intermediates: Vec<Certificate>,
}

/// What a request says of its sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credentials<'a> {
    /// `client_assertion`
    pub(crate) assertion: &'a str,
    /// `client_id`, which may be left out.
    pub(crate) client_id: Option<&'a str>,
}

/// The form of a request whose sender is not known yet. HL7 SSRAA §5.2.2: no Authorization header, no
/// secret.
pub(crate) fn form(
    server: &Server,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Bytes, ClientError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(ClientError::AuthorizationHeader);
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
        return Err(ClientError::MediaType);
    }
    let max_bytes = server.max_body_bytes;
    body.map_err(|_| ClientError::TooLarge { max_bytes })
}

/// Finds out who asks. The assertion must be meant for one of `audiences`; it serves once, whichever
/// of them it names. Whoever fails too often from one address is not looked at for a while, there.
pub(crate) async fn authenticate(
    server: &Server,
    sent: Credentials<'_>,
    audiences: &[&str],
    now: UnixTime,
    who: &mut Who,
) -> Result<Client, ClientError> {
    let mut own = false;
    let result = prove(server, sent, audiences, now, who, &mut own).await;
    if let (Err(error), Some(from)) = (&result, from(who))
        && own
        && error.is_the_clients_own()
    {
        server.refusal_rate.add(from, now);
    }
    result
}

/// Where somebody asks from, and as whom. Of an address alone, one app that fails would shut out all
/// others behind it.
fn from(who: &Who) -> Option<(IpAddr, Arc<str>)> {
    Some((
        rate::network(who.remote?),
        Arc::clone(who.client_id.as_ref()?),
    ))
}

/// `own` is set once the sender's certificate has the URI of the client that it names.
async fn prove(
    server: &Server,
    sent: Credentials<'_>,
    audiences: &[&str],
    now: UnixTime,
    who: &mut Who,
    own: &mut bool,
) -> Result<Client, ClientError> {
    // Shape, audience, time: what costs nothing, before the registration is looked for.
    let mut remembered = false;
    let parsed = assertion::parse_with(sent.assertion, audiences, now, |text| {
        let known = server.headers.get(text);
        remembered = known.is_some();
        known
    })?;
    let client_id = parsed.client_id().to_owned();
    who.client_id = Some(short(&client_id).into());
    if let Some(from) = from(who) {
        let checked = server.refusal_rate.check(&from, now);
        checked.map_err(|_| ClientError::TooMany)?;
    }
    if let Some(sent) = sent.client_id
        && sent != client_id
    {
        return Err(ClientError::ClientIdMismatch {
            sent: sent.to_owned(),
            iss: client_id,
        });
    }
    let registration = server
        .registrations
        .by_client_id(&client_id)
        .await
        .map_err(|error| {
            tracing::error!(%error, "a registration could not be read");
            ClientError::Unavailable
        })?
        // Who is registered with another data holder of this server is a stranger here.
        .filter(|registration| registration.registrar == server.base().registrar)
        .ok_or(ClientError::UnknownClient { client_id })?;
    who.community = Some(registration.community.as_str().into());
    who.uri = Some(registration.uri.as_str().into());
    if registration.state != State::Active {
        return Err(ClientError::NotActive {
            code: registration.state.code(),
        });
    }

    // Signature, by the key of x5c[0]; no I/O yet.
    let served = server
        .communities
        .select(Some(&registration.community))
        .ok_or_else(|| ClientError::CommunityGone {
            community: registration.community.clone(),
        })?;
    let signed = parsed
        .verify_signature(&served.community.algorithms)
        .map_err(AssertionError::from)?;

    // Trust, on the anchors of that registration's community only.
    let (leaf, intermediates) = (
        signed.signer().leaf().clone(),
        signed.signer().intermediates().to_vec(),
    );
    *own = leaf.uri_names().contains(&registration.uri);
    let verdict = server
        .communities
        .trust()
        .verify(&registration.community, &leaf, &intermediates, now)
        .await?;

    // The headers of clients that were found good are remembered; others cost nobody any memory.
    if !remembered {
        let (text, header) = signed.header_read();
        server.headers.insert(text.into(), Arc::clone(header));
    }

    // The registered URI is a name of that very certificate.
    let assertion = signed.verify(&verdict, &registration.uri)?;

    // With a key and from where its certifications let it ask.
    for limits in registration.limits.iter() {
        let key = leaf.public_key().map_err(|_| ClientError::Unavailable)?;
        limits.check_key(key)?;
        limits.check_address(who.remote)?;
    }

    // New, and remembered durably. What a sender did not sign costs nobody a record.
    let claims = assertion.claims();
    who.jti = Some(jti_hash(&claims.jti));
    let once = Once {
        community: &registration.community,
        iss: &claims.iss,
        jti: &claims.jti,
        iat: Some(claims.iat),
        exp: claims.exp,
    };
    match server.replay.record(once, now).await {
        Ok(Seen::New) => {}
        Ok(Seen::Before) => return Err(ClientError::Replayed),
        Ok(Seen::Unknown) => return Err(ClientError::BeforeRestart),
        Err(_) => return Err(ClientError::Unavailable),
    }
    Ok(Client {
        registration,
        assertion,
        verdict,
        leaf,
        intermediates,
    })
}

impl Client {
    /// Whether it is trusted still: to be asked when all else is done, since trust may have moved
    /// while it was. A revocation in between wins.
    pub(crate) async fn still_trusted(&self, server: &Server) -> Result<(), ClientError> {
        let trust = server.communities.trust();
        if trust.epoch().now() != self.verdict.epoch() {
            let community = &self.registration.community;
            trust
                .verify(community, &self.leaf, &self.intermediates, clock::now())
                .await?;
        }
        Ok(())
    }
}

/// Why it is not known who asks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("this client was refused too often within a minute, from this address")]
    TooMany,
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
    #[error(transparent)]
    Certification(#[from] Mismatch),
    #[error("this assertion was sent before (its `jti` is known)")]
    Replayed,
    #[error(
        "this assertion was signed before the server ended unexpectedly, and may have been used"
    )]
    BeforeRestart,
    #[error("the server cannot answer for the moment")]
    Unavailable,
}

impl ClientError {
    /// Whether nobody but the client itself can have caused it, by a certificate that its community
    /// issued for it. All else anybody can send in its name, and must not be able to shut it out.
    fn is_the_clients_own(&self) -> bool {
        match self {
            Self::Replayed | Self::Certification(_) => true,
            Self::Trust(error) => FINAL.contains(&error.code()),
            _ => false,
        }
    }

    /// The one mapping to the wire (RFC 6749 §5.2; UDAP JWT-Based Client Authentication §7.2).
    pub(crate) fn to_wire(&self) -> OAuthError {
        let mut status = StatusCode::BAD_REQUEST;
        let own = |error: &'static str, code: &'static str| Told {
            error,
            code,
            description: short(&self.to_string()),
            hint: general_hint(code),
        };
        let told = match self {
            Self::TooMany => {
                status = StatusCode::TOO_MANY_REQUESTS;
                own("temporarily_unavailable", "too-many-refusals")
            }
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
            Self::Certification(e) => Told::by("invalid_client", e),
            Self::Replayed => own("invalid_client", "jwt-replayed"),
            Self::BeforeRestart => own("invalid_client", "jwt-before-restart"),
            Self::Unavailable => return OAuthError::unavailable(),
        };
        told.into_wire(status)
    }
}
