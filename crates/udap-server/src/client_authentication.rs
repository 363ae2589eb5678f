//! How a client proves who it is, at each endpoint that wants to know: with an authentication token
//! signed by its certificate (UDAP JWT-Based Client Authentication; HL7 SSRAA §5.2.1), or, if the
//! operator configured it so, by a key of its own (SMART Backend Services); or, where a community has
//! that, by the certificate of its TLS connection. [`Way::of`] chooses, and the registration agrees or the
//! client is refused: who has one of its credentials must not get around the other.

mod certified;
mod known;
mod smart;
mod tls;

pub(crate) use certified::{Certified, still_trusted};
pub(crate) use known::KnownClients;
pub(crate) use tls::{judge, presented};

use crate::app::{Server, Told, general_hint, short};
use crate::life_cycle::FINAL;
use crate::store::{Once, Registration, Seen};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;
use udap_host::audit::Who;
use udap_host::limits::BodyError;
use udap_host::listen::{ClientCertificateError, MutualTls};
use udap_host::problem::OAuthError;
use udap_host::rate;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::assertion::AssertionError;
use udap_proto::certification::Mismatch;
use udap_proto::jws::JwsError;
use udap_proto::smart::SmartError;
use udap_proto::token::{Dialect, FormError};
use udap_trust::key_sets::KeySetError;
use udap_trust::verify::TrustError;

const FORM: &str = "application/x-www-form-urlencoded";

/// A client that has proved who it is.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) registration: Arc<Registration>,
    pub(crate) proof: Proof,
}

/// By what.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, and each lives for one request"
)]
pub(crate) enum Proof {
    /// A certificate of its community.
    Certificate(Certified),
    /// A key that the operator took from it.
    Key,
}

/// What a request says of its sender.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Credentials<'a> {
    /// `client_assertion`
    pub(crate) assertion: Option<&'a str>,
    /// `client_id`, which may be left out beside an assertion.
    pub(crate) client_id: Option<&'a str>,
    /// The certificate of its connection, at the port that asks for one.
    pub(crate) tls: Option<&'a MutualTls>,
    pub(crate) way: Way,
}

impl<'a> Credentials<'a> {
    fn assertion(&self) -> Result<&'a str, ClientError> {
        let name = "client_assertion";
        Ok(self.assertion.ok_or(FormError::Missing { name })?)
    }
}

/// How a client authenticates: the one place where that is chosen. Neither is tried when the other one
/// fails, and a client of the one kind is refused by the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As UDAP's clients do, with certificates.
    Udap,
    /// As those of SMART Backend Services do, with a key that is known.
    Smart,
    /// Without an assertion, by the certificate of the connection.
    Tls,
}

impl Way {
    /// What says `udap=1`, or names certificates, is UDAP's; so is everything where no others are known.
    pub(crate) fn of(server: &Server, dialect: Dialect, assertion: Option<&str>) -> Self {
        let Some(assertion) = assertion else {
            return Self::Tls;
        };
        if dialect == Dialect::Udap
            || (server.smart_clients.is_empty() && server.statement_issuers.is_empty())
            || udap_proto::smart::names_certificates(assertion)
        {
            Self::Udap
        } else {
            Self::Smart
        }
    }
}

/// The form of a request whose sender is not known yet. HL7 SSRAA §5.2.2: no Authorization header, no
/// secret.
pub(crate) fn form(
    headers: &HeaderMap,
    body: Result<Bytes, BodyError>,
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
    Ok(body?)
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
    let result = match sent.way {
        Way::Udap => certified::prove(server, sent, audiences, now, who, &mut own).await,
        Way::Smart => smart::prove(server, sent, audiences, now, who, &mut own).await,
        Way::Tls => tls::prove(server, sent, now, who, &mut own).await,
    };
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

/// Names the client that is claimed, for the audit trail, and refuses it while it failed too often from
/// there, or when the form names another one.
fn name(
    server: &Server,
    sent: Credentials<'_>,
    client_id: &str,
    now: UnixTime,
    who: &mut Who,
) -> Result<(), ClientError> {
    who.client_id = Some(short(client_id).into());
    if let Some(from) = from(who) {
        let checked = server.refusal_rate.check(&from, now);
        checked.map_err(|_| ClientError::TooMany)?;
    }
    match sent.client_id {
        Some(sent) if sent != client_id => Err(ClientError::ClientIdMismatch {
            sent: sent.to_owned(),
            iss: client_id.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Judges a certificate, unless it is a `stranger`'s, who sent it from that address, and too many came from that
/// network within a minute that nobody trusts: judging one takes fetches and verifications, which its sender has
/// for nothing. Each counts from before it is judged, or else many at once, and those whose sender hangs up, would
/// not; one that proves to be a member's counts no more, and one that was accepted before never does.
async fn judged<T, E: Into<ClientError>>(
    server: &Server,
    stranger: Option<IpAddr>,
    now: UnixTime,
    judge: impl Future<Output = Result<T, E>>,
) -> Result<T, ClientError> {
    let network = stranger.map(rate::network);
    if let Some(network) = network {
        let taken = server.stranger_rate.take(network, now);
        taken.map_err(|_| ClientError::TooManyStrangers)?;
    }
    let judged = judge.await.map_err(Into::into);
    let strange = |error: &ClientError| matches!(error, ClientError::Trust(error) if !FINAL.contains(&error.code()));
    if let Some(network) = network
        && !judged.as_ref().is_err_and(strange)
    {
        server.stranger_rate.give_back(&network, now);
    }
    judged
}

/// The registration of that name, if there is one. Who is registered with another data holder of this
/// server is a stranger here.
async fn registered(
    server: &Server,
    client_id: &str,
) -> Result<Option<Arc<Registration>>, ClientError> {
    let found = server.registrations.by_client_id(client_id).await;
    let found = found.map_err(|error| {
        tracing::error!(%error, "a registration could not be read");
        ClientError::Unavailable
    })?;
    Ok(found.filter(|registration| registration.registrar == server.base().registrar))
}

/// That a JWT is new, and remembered durably. What a sender did not sign costs nobody a record.
async fn record(server: &Server, once: Once<'_>, now: UnixTime) -> Result<(), ClientError> {
    match server.replay.record(once, now).await {
        Ok(Seen::New) => Ok(()),
        Ok(Seen::Before) => Err(ClientError::Replayed),
        Ok(Seen::Unknown) => Err(ClientError::BeforeRestart),
        Err(_) => Err(ClientError::Unavailable),
    }
}

impl Client {
    /// Whether it is trusted still: to be asked when all else is done, since trust may have moved
    /// while it was. A revocation in between wins.
    pub(crate) async fn still_trusted(&self, server: &Server) -> Result<(), ClientError> {
        match &self.proof {
            Proof::Certificate(certified) => {
                let community = &self.registration.community;
                certified.still_trusted(server, community).await
            }
            Proof::Key => Ok(()),
        }
    }
}

/// Why it is not known who asks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("this client was refused too often within a minute, from this address")]
    TooMany,
    #[error(
        "from this network too many certificates came within a minute that no community vouches for"
    )]
    TooManyStrangers,
    #[error(
        "the request has an Authorization header; a UDAP client authenticates with its assertion alone"
    )]
    AuthorizationHeader,
    #[error("the body must be `{FORM}`")]
    MediaType,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    #[error(transparent)]
    Smart(#[from] SmartError),
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    #[error("`{client_id}` is known by its keys; it sends neither `udap` nor certificates")]
    IsSmart { client_id: String },
    #[error("`{client_id}` is a UDAP client; it sends `udap=1`, and its certificates in `x5c`")]
    IsUdap { client_id: String },
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
    #[error(transparent)]
    Certificate(#[from] ClientCertificateError),
    #[error("the connection shows no client certificate, and this request needs one")]
    NoCertificate,
    #[error("the client is registered to authenticate by `{registered}`")]
    Method { registered: &'static str },
    #[error("the community `{community}` does not let clients authenticate by certificate")]
    NotOffered { community: String },
    #[error("the certificate is trusted in more than one community here: {communities:?}")]
    Ambiguous { communities: Vec<String> },
    #[error("no app is registered under a URI of the certificate")]
    NotRegistered,
    #[error("the certificate names more than one registered app")]
    SeveralRegistrations,
    #[error("the client has to prove possession of a key, which goes with an access token")]
    KeyBound,
    #[error("the client is not registered for the grant type `{grant}`")]
    GrantNotRegistered { grant: &'static str },
    #[error("none of the registered scopes can be granted")]
    Nothing { code: &'static str },
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
            Self::TooManyStrangers => {
                status = StatusCode::TOO_MANY_REQUESTS;
                own("temporarily_unavailable", "too-many-strangers")
            }
            Self::TooMany => {
                status = StatusCode::TOO_MANY_REQUESTS;
                own("temporarily_unavailable", "too-many-refusals")
            }
            Self::AuthorizationHeader => own("invalid_request", "authorization-header-refused"),
            Self::MediaType => own("invalid_request", "media-type"),
            Self::Body(error) => {
                status = error.status();
                own("invalid_request", error.code())
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
            // RFC 7523 §3.2: whatever is wrong with such an assertion.
            Self::Smart(e) => Told::by("invalid_client", e),
            Self::KeySet(e) => {
                tracing::warn!(error = %e, "the keys of a client cannot be had");
                Told::by("invalid_client", e)
            }
            Self::IsSmart { .. } => own("invalid_client", "client-known-by-keys"),
            // As whatever lacks `udap` where a UDAP client asks.
            Self::IsUdap { .. } => own("invalid_request", "client-known-by-certificate"),
            Self::ClientIdMismatch { .. } => own("invalid_client", "client-id-mismatch"),
            Self::UnknownClient { .. } => own("invalid_client", "client-unknown"),
            Self::NotActive { code } => own("invalid_client", code),
            Self::CommunityGone { .. } => own("invalid_client", "community-unknown"),
            Self::Trust(e) => Told::by("invalid_client", e),
            Self::Certification(e) => Told::by("invalid_client", e),
            Self::Replayed => own("invalid_client", "jwt-replayed"),
            Self::BeforeRestart => own("invalid_client", "jwt-before-restart"),
            Self::Certificate(e) => own("invalid_client", e.code()),
            Self::NoCertificate => own("invalid_client", "client-certificate-missing"),
            Self::Method { .. } => own("invalid_client", "auth-method-mismatch"),
            Self::NotOffered { .. } => own("invalid_client", "tls-client-auth-not-offered"),
            Self::Ambiguous { .. } => own("invalid_client", "community-ambiguous"),
            Self::NotRegistered => own("invalid_client", "certificate-not-registered"),
            Self::SeveralRegistrations => own("invalid_client", "certificate-ambiguous"),
            Self::KeyBound => own("invalid_client", "dpop-token-required"),
            Self::GrantNotRegistered { .. } => own("unauthorized_client", "grant-not-registered"),
            Self::Nothing { code } => own("invalid_scope", code),
            Self::Unavailable => return OAuthError::unavailable(),
        };
        told.into_wire(status)
    }
}
