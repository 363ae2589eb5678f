//! `POST {base}/oauth/register`: an app registers, changes its registration, or leaves (HL7 SSRAA §3;
//! UDAP Dynamic Client Registration).

mod vouched;

use crate::app::{Server, Told, general_hint, refusal, short};
use crate::body::Sent;
use crate::certifications::{self, Applicant, Judged, Lacking};
use crate::communities::{NotAccepted, Served};
use crate::scopes::{self, ScopeError};
use crate::statement_issuers::Voucher;
use crate::store::{Cancelled, NewRegistration, Once, Seen, Written};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use udap_host::audit::{Event, Who, jti_hash};
use udap_host::config::{DpopRule, RegistrationGrant};
use udap_host::db::DbError;
use udap_host::limits;
use udap_host::listen::Peer;
use udap_host::problem::{OAuthError, json};
use udap_host::rate;
use udap_host::request_id;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::community::PolicyError;
use udap_proto::jws::Jws;
use udap_proto::registration::{self, Body, BodyError, Change, ClientMetadata, Grant, Offered};
use udap_proto::statement::{self, StatementError, Verified};
use udap_proto::vouched::VouchedError;
use udap_trust::key_sets::KeySetError;
use udap_trust::verify::TrustError;
use udap_trust::{clock, random};

/// How often a registration is tried again when trust or rules changed while it was being written.
const MAX_TRIES: usize = 3;

/// Answers 201 to a new registration, 200 to a changed or cancelled one.
///
/// The work is a task of its own: a client that hangs up while its registration is being written
/// must not leave the database and what is remembered of it at odds, nor the audit trail empty.
pub(crate) async fn post(
    State(server): State<Server>,
    peer: Option<Extension<Peer>>,
    Sent { headers, body }: Sent,
) -> Response {
    let who = server.who(peer, &headers);
    let request_id = who.request_id.clone();
    let answer = match tokio::spawn(answer(server, who, body)).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, request_id = request_id.as_deref(), "a registration ended early");
            OAuthError::server_error().into_response()
        }
    };
    request_id::named(answer, request_id.as_deref())
}

async fn answer(server: Server, mut who: Who, body: Result<Bytes, limits::BodyError>) -> Response {
    match register(&server, body, &mut who).await {
        Ok((status, event, answer)) => {
            server.audit.record(who, event).await;
            json(status, "application/json", &Value::Object(answer))
        }
        Err(error) => {
            let answer = error.to_wire();
            let refusal = refusal(answer.code, &error);
            server
                .audit
                .record(who, Event::RegistrationRefused(refusal))
                .await;
            answer.into_response()
        }
    }
}

/// What is kept of a statement, whoever signed it.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    uri: &'a str,
    statement: &'a str,
    /// Nothing where none signed it.
    certificate: &'a [u8],
}

type Answer = (StatusCode, Event, serde_json::Map<String, Value>);

async fn register(
    server: &Server,
    body: Result<Bytes, limits::BodyError>,
    who: &mut Who,
) -> Result<Answer, RegistrationError> {
    let now = clock::now();
    if let Some(remote) = who.remote {
        let taken = server.registration_rate.take(rate::network(remote), now);
        taken.map_err(|_| RegistrationError::TooMany)?;
    }
    // Shape. UDAP Dynamic Client Registration §3.
    let body = Body::read(&body?)?;
    // Who vouches for it, if not a community: an issuer that signs by a key.
    if let Voucher::Issuer(by) = Voucher::of(&server.statement_issuers, &body.software_statement) {
        return vouched::register(server, &by, &body.software_statement, now, who).await;
    }
    // Signature, by the key of x5c[0] and no other. §4 step 1.
    let alg = Jws::parse(&body.software_statement)
        .map_err(StatementError::from)?
        .alg();
    let signed =
        statement::verify_signature(&body.software_statement, &server.communities.algorithms())
            .map_err(StatementError::from)?;
    who.uri = Some(short(signed.claimed_iss()).into());
    // The community that vouches for the signer. §4 step 2.
    let mut rules = server.communities.all();
    let mut verdict = server.communities.accept(signed.signer(), alg, now).await?;
    let community = verdict.community().to_owned();
    who.community = Some(community.as_str().into());
    // Its name, the claims, and the parameters. §4 steps 3 and 4.
    let verified = signed
        .clone()
        .verify(&verdict, &server.base().registration_endpoint, now)?;
    let claims = verified.claims();
    who.jti = Some(jti_hash(&claims.jti));
    let mut wanted = wanted_of(server, &verified, &community, now)?;
    // New, and remembered, before anything is changed. §4 step 3.
    let once = Once {
        community: &community,
        iss: &claims.iss,
        jti: &claims.jti,
        iat: Some(claims.iat),
        exp: claims.exp,
    };
    match server.replay.record(once, now).await {
        Ok(Seen::New) => {}
        Ok(Seen::Before) => return Err(RegistrationError::Replayed),
        Ok(Seen::Unknown) => return Err(RegistrationError::BeforeRestart),
        Err(_) => return Err(RegistrationError::Unavailable),
    }
    // Written in one transaction, in which the trust epoch is read again, so that a revocation that
    // arrived meanwhile wins: then the signer is judged once more. So it is, with all it wants, where
    // communities were exchanged: their rules may be others with the same trust, and what is required is
    // looked for once with each exchange.
    let said = Said {
        uri: verified.uri(),
        statement: verified.compact(),
        certificate: verified.leaf().der(),
    };
    for _ in 0..MAX_TRIES {
        let (all, reached) = (server.clone(), verdict.epoch());
        let still_trusted = move || {
            let communities = &all.communities;
            communities.trust().epoch().now() == reached && communities.are_still(&rules)
        };
        let answer = match &wanted {
            None => cancel(server, said, &community, still_trusted, who).await?,
            Some(metadata) => {
                // What others say about the app. §4 step 5.
                let judged = judge(
                    server,
                    &verified,
                    metadata,
                    &body.certifications,
                    &community,
                )
                .await?;
                write(
                    server,
                    said,
                    &community,
                    metadata,
                    judged,
                    still_trusted,
                    who,
                )
                .await?
            }
        };
        if let Some(answer) = answer {
            return Ok(answer);
        }
        rules = server.communities.all();
        let now = clock::now();
        verdict = server.communities.accept(signed.signer(), alg, now).await?;
        if verdict.community() != community {
            break;
        }
        wanted = wanted_of(server, &verified, &community, now)?;
    }
    Err(RegistrationError::Unavailable)
}

/// What is to be registered, by the rules that its community has now; nothing where the app leaves.
fn wanted_of(
    server: &Server,
    verified: &Verified,
    community: &str,
    now: UnixTime,
) -> Result<Option<ClientMetadata>, RegistrationError> {
    let Change::Register(metadata) = verified.change() else {
        return Ok(None);
    };
    let served = server.communities.select(Some(community));
    let served = served.ok_or(RegistrationError::Unavailable)?;
    let rules = &served.community;
    rules.require_registration(verified.uri(), metadata, now)?;
    Ok(Some(allowed(server, &served, metadata.clone())?))
}

/// What this data holder lets an app of a community register: the grant types, and the scopes cut down to
/// its own. What is switched off is passed over as any parameter that is not known (RFC 7591 §2).
fn allowed(
    server: &Server,
    served: &Served,
    mut metadata: ClientMetadata,
) -> Result<ClientMetadata, RegistrationError> {
    let assertions = !served.assertion_issuers().is_empty();
    let may = |grant| server.registration_grants.contains(&grant);
    let grant = metadata.grant;
    let permitted = match grant {
        Grant::ClientCredentials => may(RegistrationGrant::ClientCredentials),
        Grant::AuthorizationCode | Grant::AuthorizationCodeWithRefresh => {
            may(RegistrationGrant::AuthorizationCode)
        }
        Grant::JwtBearer => assertions,
        Grant::ClientCredentialsAndJwtBearer => {
            assertions && may(RegistrationGrant::ClientCredentials)
        }
    };
    if !permitted {
        return Err(RegistrationError::GrantUnsupported {
            grant: grant.types().join(" "),
        });
    }
    let binding = server
        .binding_in(served.community.uri.as_str())
        .map_err(|_| RegistrationError::Unavailable)?;
    let offered = Offered {
        tls_client_auth: binding.tls_client_auth,
        certificate_bound: server.base().mutual_tls.is_some(),
        dpop: binding.dpop != DpopRule::Off,
    };
    let required = metadata.authentication.require(offered);
    required.map_err(StatementError::from)?;
    let granted = if grant.with_code() {
        scopes::grant_to_users
    } else {
        scopes::grant
    };
    metadata.scope = granted(&metadata.scope, &server.scopes)?;
    if let Some(ceiling) = &served.community.scopes {
        metadata.scope = granted(&metadata.scope, ceiling)?;
    }
    if !server.experimental_jku {
        metadata.jku = None;
    }
    Ok(metadata)
}

/// Which of the certifications that came along count; refused when one that is required is not among
/// them.
async fn judge(
    server: &Server,
    verified: &Verified,
    metadata: &ClientMetadata,
    sent: &[String],
    community: &str,
) -> Result<Judged, RegistrationError> {
    let served = server
        .communities
        .select(Some(community))
        .ok_or(RegistrationError::Unavailable)?;
    let applicant = Applicant {
        served: &served,
        statement: verified,
        metadata,
        endpoint: &server.base().registration_endpoint,
    };
    let judged = certifications::judge(&server.communities, applicant, sent, clock::now()).await;
    judged.require(&served.certifications.required)?;
    Ok(judged)
}

/// Registers, or replaces the registration; `None` when trust or rules moved meanwhile.
async fn write(
    server: &Server,
    said: Said<'_>,
    community: &str,
    metadata: &ClientMetadata,
    judged: Judged,
    still_trusted: impl Fn() -> bool + Send + Sync + 'static,
    who: &mut Who,
) -> Result<Option<Answer>, RegistrationError> {
    let mut answer = registration::answer("", said.statement, metadata);
    if judged.any {
        answer.insert("certifications".into(), judged.compact().into());
    }
    let new = NewRegistration {
        client_id: random::id(),
        registrar: server.base().registrar.clone(),
        community: community.to_owned(),
        uri: said.uri.to_owned(),
        certificate: said.certificate.to_vec(),
        metadata: metadata.clone(),
        certifications: judged.accepted,
    };
    let Some((client_id, written)) = server
        .registrations
        .upsert(new, clock::now(), still_trusted)
        .await?
    else {
        return Ok(None);
    };
    who.client_id = Some(client_id.as_str().into());
    answer.insert("client_id".into(), client_id.into());
    for (_, refused) in judged.refused {
        let refusal = refusal(refused.code(), &refused);
        server
            .audit
            .record(who.clone(), Event::CertificationRefused(refusal))
            .await;
    }
    Ok(Some(match written {
        Written::Created => (StatusCode::CREATED, Event::RegistrationCreated, answer),
        Written::Replaced => (StatusCode::OK, Event::RegistrationModified, answer),
    }))
}

/// Cancels the registration; `None` when trust or rules moved meanwhile.
async fn cancel(
    server: &Server,
    said: Said<'_>,
    community: &str,
    still_trusted: impl Fn() -> bool + Send,
    who: &mut Who,
) -> Result<Option<Answer>, RegistrationError> {
    match server
        .registrations
        .cancel(
            &server.base().registrar,
            community,
            said.uri,
            clock::now(),
            still_trusted,
        )
        .await?
    {
        Cancelled::Done { client_id } => {
            who.client_id = Some(client_id.as_str().into());
            let answer = registration::cancelled(&client_id, said.statement);
            Ok(Some((StatusCode::OK, Event::RegistrationCancelled, answer)))
        }
        Cancelled::Nothing => Err(RegistrationError::NothingToCancel {
            uri: said.uri.to_owned(),
        }),
        Cancelled::Suspended => Err(RegistrationError::Suspended),
        Cancelled::TrustMoved => Ok(None),
    }
}

/// Why a registration was refused.
#[derive(Debug, thiserror::Error)]
enum RegistrationError {
    #[error("too many registration requests came from this address within a minute")]
    TooMany,
    #[error(transparent)]
    NotRead(#[from] limits::BodyError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error(transparent)]
    Trust(TrustError),
    #[error(transparent)]
    Vouched(#[from] VouchedError),
    #[error("the keys of the issuer cannot be had: {0}")]
    Keys(#[from] KeySetError),
    #[error("the certificate is trusted in more than one community here: {communities:?}")]
    Ambiguous { communities: Vec<String> },
    #[error("this statement was sent before (its `jti` is known)")]
    Replayed,
    #[error(
        "this statement was signed before the server ended unexpectedly, and may have been used"
    )]
    BeforeRestart,
    #[error("the grant type `{grant}` cannot be registered here")]
    GrantUnsupported { grant: String },
    #[error(transparent)]
    Scope(#[from] ScopeError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Lacking(#[from] Lacking),
    #[error("there is no registration of `{uri}` to cancel")]
    NothingToCancel { uri: String },
    #[error("the registration is suspended; it cannot be cancelled and made anew")]
    Suspended,
    #[error("the registration could not be written")]
    Db(#[from] DbError),
    #[error("the server cannot answer for the moment")]
    Unavailable,
}

impl From<NotAccepted> for RegistrationError {
    fn from(why: NotAccepted) -> Self {
        match why {
            NotAccepted::Refused(error) => Self::Trust(error),
            NotAccepted::Ambiguous(communities) => Self::Ambiguous { communities },
        }
    }
}

impl RegistrationError {
    /// The one mapping to the wire (RFC 7591 §3.2.2; UDAP Dynamic Client Registration §5.2).
    fn to_wire(&self) -> OAuthError {
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
                own("temporarily_unavailable", "too-many-registrations")
            }
            Self::NotRead(error) => {
                status = error.status();
                own("invalid_client_metadata", error.code())
            }
            Self::Body(e @ BodyError::NoStatement) => Told::by("invalid_software_statement", e),
            Self::Body(e) => Told::by("invalid_client_metadata", e),
            Self::Statement(e @ StatementError::NotInCertificate { .. }) => {
                Told::by("unapproved_software_statement", e)
            }
            Self::Statement(e @ StatementError::Param(p)) => match p {
                registration::ParamError::RedirectUri { .. } => Told::by("invalid_redirect_uri", e),
                _ => Told::by("invalid_client_metadata", e),
            },
            Self::Statement(e) => Told::by("invalid_software_statement", e),
            Self::Trust(e) => Told::by("unapproved_software_statement", e),
            Self::Vouched(e @ VouchedError::Outside { .. }) => {
                Told::by("unapproved_software_statement", e)
            }
            Self::Vouched(
                e @ VouchedError::Param(registration::ParamError::RedirectUri { .. }),
            ) => Told::by("invalid_redirect_uri", e),
            Self::Vouched(e @ VouchedError::Param(_)) => Told::by("invalid_client_metadata", e),
            Self::Vouched(e) => Told::by("invalid_software_statement", e),
            Self::Keys(e) => Told::by("unapproved_software_statement", e),
            Self::Ambiguous { .. } => own("unapproved_software_statement", "community-ambiguous"),
            Self::Replayed => own("invalid_software_statement", "jwt-replayed"),
            Self::BeforeRestart => own("invalid_software_statement", "jwt-before-restart"),
            Self::GrantUnsupported { .. } => own("invalid_client_metadata", "grant-unsupported"),
            Self::Scope(e) => own("invalid_client_metadata", e.code()),
            Self::Policy(e @ PolicyError::UserScopes { .. }) => Told::by("invalid_scope", e),
            // The name by which the app would be known here is none that the community gives.
            Self::Policy(e) => Told::by("unapproved_software_statement", e),
            Self::Lacking(e) => Told::by(e.error(), e),
            Self::NothingToCancel { .. } => own("invalid_client_metadata", "registration-unknown"),
            Self::Suspended => own("unapproved_software_statement", "registration-suspended"),
            Self::Db(error) => {
                tracing::error!(%error, "a registration could not be written");
                return OAuthError::unavailable();
            }
            Self::Unavailable => return OAuthError::unavailable(),
        };
        told.into_wire(status)
    }
}
