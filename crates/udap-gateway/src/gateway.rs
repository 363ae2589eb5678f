//! The gateway: who asks, for what, may they, and then the FHIR server's answer.

use std::{fmt, net::IpAddr, sync::Arc, time::Instant};

use axum::{Router, body::Body, extract::State, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;
use udap_host::{
    audit::{self, Audit, Event, Who},
    client_ip::client_ip,
    dpop::NONCE_HEADER,
    listen::{MutualTls, Peer},
    request_id,
    token_status::{Kept, Member, TokenState, TokenStatus},
};
use udap_pki::UnixTime;
use udap_proto::{
    access_token::{self, AccessTokenError},
    dpop::VerifiedProof,
};

use crate::{
    answer,
    binding::{self, BindingError, Presented},
    config::{Bases, ConfigError, GatewayConfig, UpstreamToken},
    forward::{Asker, Upstream},
    headers,
    interaction::{Interaction, RequestError},
    path,
    query::{MAX_FORM_BYTES, QueryError},
    refusal::{FormError, Refusal},
    scopes,
    token::{self, Scheme, Session, TokenCache, TokenError, TokenKeys},
};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The gateway of one FHIR base URL. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Shared>);

struct Shared {
    config: GatewayConfig,
    bases: Bases,
    keys: Arc<TokenKeys>,
    status: Arc<dyn TokenStatus>,
    audit: Audit,
    clock: Clock,
    upstream: Upstream,
}

/// What each worker thread has for itself.
struct Worker {
    shared: Arc<Shared>,
    upstream: Upstream,
    tokens: TokenCache,
}

impl Gateway {
    /// A gateway that trusts access tokens signed by `keys` while `status` says that they count.
    ///
    /// # Errors
    /// [`ConfigError`] for addresses that cannot work.
    pub fn new(
        config: GatewayConfig,
        keys: Arc<TokenKeys>,
        status: Arc<dyn TokenStatus>,
        audit: Audit,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let bases = Bases::new(&config)?;
        let upstream = Upstream::new(&config)?;
        Ok(Self(Arc::new(Shared {
            config,
            bases,
            keys,
            status,
            audit,
            clock,
            upstream,
        })))
    }

    /// The routes of one worker, with connections and remembered tokens of its own: everything that
    /// no other route takes. Paths outside the base path are answered with 404.
    pub fn router(&self) -> Router {
        router(std::slice::from_ref(self))
    }
}

/// The routes of one worker in front of several FHIR servers, each at its base URL. The path alone says
/// which; tokens and connections of one are unknown to the others.
pub fn router(gateways: &[Gateway]) -> Router {
    let worker = |gateway: &Gateway| Worker {
        shared: Arc::clone(&gateway.0),
        upstream: gateway.0.upstream.for_worker(),
        tokens: TokenCache::default(),
    };
    let workers: Arc<[Worker]> = gateways.iter().map(worker).collect();
    if workers.is_empty() {
        return Router::new();
    }
    Router::new().fallback(handle).with_state(workers)
}

/// The one whose base a path is under; the first answers for what is under none.
fn at<'a>(workers: &'a [Worker], path: &str) -> Option<&'a Worker> {
    let (first, others) = workers.split_first()?;
    if others.is_empty() {
        return Some(first);
    }
    let under = |worker: &&Worker, segments: &[std::borrow::Cow<'_, str>]| {
        let base = &worker.shared.bases.gateway.segments;
        segments.len() >= base.len() && segments.iter().zip(base).all(|(a, b)| a == b)
    };
    let segments = path::segments(path).unwrap_or_default();
    let mut all = workers.iter();
    Some(all.find(|worker| under(worker, &segments)).unwrap_or(first))
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

async fn handle(State(workers): State<Arc<[Worker]>>, request: Request<Body>) -> Response {
    let started = Instant::now();
    let (mut head, body) = request.into_parts();
    let Some(worker) = at(&workers, head.uri.path()) else {
        return Response::default();
    };
    let shared = &worker.shared;
    let trusted = &shared.config.trusted_proxies;
    let remote = head
        .extensions
        .get::<Peer>()
        .map(|peer| client_ip(peer.0, &head.headers, trusted));
    let request_id = request_id::of(&head.headers);
    // As the FHIR server gets it too.
    request_id::put(&mut head.headers, &request_id);
    let mut access = Access {
        request_id: Arc::clone(&request_id),
        interaction: None,
        session: None,
        counts: false,
    };
    let result = worker.answer(&head, body, remote, &mut access).await;
    if let Some((who, event)) = audited(&head, remote, access, started, &result) {
        shared.audit.record(who, event).await;
    }
    let dpop = shared.config.dpop.as_deref();
    let dpop = dpop.filter(|dpop| dpop.is_advertised());
    let mut response = result.unwrap_or_else(|refusal| {
        let algorithms = dpop.map(|_| udap_proto::dpop::ALGORITHMS.as_slice());
        refusal.into_response(&shared.bases.gateway.url, algorithms)
    });
    // RFC 9449 §8.2: with any answer, where proofs must repeat one.
    let nonce = dpop.and_then(|dpop| dpop.nonce((shared.clock)()));
    if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        response.headers_mut().insert(NONCE_HEADER, nonce);
    }
    request_id::named(response, Some(&request_id))
}

/// What is known of a request so far; for the audit trail.
struct Access {
    request_id: Arc<str>,
    interaction: Option<Interaction>,
    session: Option<Arc<Session>>,
    /// Whether the token is its sender's and was not ended.
    counts: bool,
}

impl Worker {
    async fn answer(
        &self,
        head: &Parts,
        body: Body,
        remote: Option<IpAddr>,
        access: &mut Access,
    ) -> Result<Response, Refusal> {
        let shared = &self.shared;
        let base = &shared.bases.gateway.segments;
        let decided = Interaction::of(&head.method, base, head.uri.path(), head.uri.query());
        // What needs no token, and what is wrong with any.
        match &decided {
            Ok(open @ Interaction::Capabilities { .. }) => {
                return self.forward(head, open, remote).await;
            }
            Err(
                refused @ (RequestError::OutsideBase
                | RequestError::WellKnown
                | RequestError::TokenInQuery),
            ) => {
                return Err(refused.clone().into());
            }
            _ => {}
        }
        // Who asks: the token itself and what it is bound to, then whether it and its registration
        // still count, and last whether the proof is one more.
        let (session, proof) = self.session(head, remote, access).await?;
        let token = &session.token;
        if let TokenState::Ended { code } = shared.status.of(token.client_id(), token.jti()).await {
            return Err(TokenError::Ended { code }.into());
        }
        if let (Some(proof), Some(dpop)) = (proof, &shared.config.dpop) {
            let taken = dpop.take(&proof, token.client_id(), (shared.clock)());
            taken.map_err(|error| TokenError::Binding(error.into()))?;
        }
        access.counts = true;
        // For what, and whether the scopes permit it. Nothing of a form is read before that.
        let mut interaction = access.interaction.insert(decided?);
        scopes::decide(token.scopes(), interaction)?;
        if let Interaction::SearchByForm { .. } = interaction {
            let form = self.form(&head.headers, body).await?;
            let whole = interaction.clone().with_form(&form)?;
            interaction = access.interaction.insert(whole);
        }
        self.forward(head, interaction, remote).await
    }

    /// Who asks: by a token, which is known, verified or looked up, and held by whom it is bound to; with the proof
    /// of that, which is still to be taken.
    async fn session(
        &self,
        head: &Parts,
        remote: Option<IpAddr>,
        access: &mut Access,
    ) -> Result<(Arc<Session>, Option<VerifiedProof>), TokenError> {
        let shared = &self.shared;
        let now = (shared.clock)();
        let (scheme, token) = match token::presented(&head.headers) {
            Ok(presented) => presented,
            Err(TokenError::Missing) if !head.headers.contains_key(header::AUTHORIZATION) => {
                let session = self.member(head, remote, now).await?;
                return Ok((Arc::clone(access.session.insert(session)), None));
            }
            Err(error) => return Err(error),
        };
        let name = token::name(token);
        let keys = &shared.keys;
        let parties = (&*shared.config.issuer, &*shared.config.audience);
        let session = match self.tokens.remembered(&name, keys, now) {
            Some(session) => session,
            None if access_token::is_opaque(token) => match shared.status.opaque(&name).await {
                Kept::Record(record) => self.tokens.recorded(name, &record, keys, parties, now)?,
                Kept::Unknown => return Err(AccessTokenError::Unknown.into()),
                Kept::Unavailable => return Err(TokenError::Unavailable),
            },
            None => self.tokens.verified(name, token, keys, parties, now)?,
        };
        // The trail names whose token it is, also where somebody else presents it.
        let session = access.session.insert(session);
        let cnf = session.token.cnf();
        let mut proof = None;
        if scheme != Scheme::Bearer || !cnf.is_unbound() {
            let presented = Presented {
                scheme,
                head,
                token_sha256: &name,
                cnf,
            };
            let dpop = shared.config.dpop.as_deref();
            proof = binding::check(&presented, &shared.bases.gateway, dpop, now)?;
        }
        Ok((Arc::clone(session), proof))
    }

    /// Who shows a certificate and sends no token, where members are served so.
    async fn member(
        &self,
        head: &Parts,
        remote: Option<IpAddr>,
        now: UnixTime,
    ) -> Result<Arc<Session>, TokenError> {
        let shown = match head.extensions.get::<MutualTls>() {
            Some(MutualTls::Presented(shown)) => shown,
            Some(MutualTls::Unusable(error)) => return Err(BindingError::from(*error).into()),
            Some(MutualTls::Absent) | None => return Err(TokenError::Missing),
        };
        let config = &self.shared.config;
        match self.shared.status.member(shown, remote).await {
            Member::NotOffered => Err(TokenError::Missing),
            Member::Refused { code, why } => Err(TokenError::Member { code, why }),
            // Not remembered: the certificate is judged with each request.
            Member::Record(record) => {
                let (issuer, audience) = (&config.issuer, &config.audience);
                let token = access_token::read_record(&record, issuer, audience, now)?;
                Ok(Arc::new(Session::of(token)))
            }
        }
    }

    /// The form of a search, whole.
    async fn form(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, FormError> {
        let media_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case(FORM) || headers.contains_key(header::CONTENT_ENCODING)
        {
            return Err(FormError::NotAForm);
        }
        let whole = Limited::new(body, MAX_FORM_BYTES).collect();
        match timeout(self.shared.config.timeouts.idle, whole).await {
            Err(_) => Err(FormError::Slow),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(FormError::TooLarge {
                most: MAX_FORM_BYTES,
            }),
            Ok(Err(_)) => Err(FormError::Incomplete),
            Ok(Ok(form)) => Ok(form.to_bytes()),
        }
    }

    /// Sends what was decided, written anew, and makes the answer fit for the client.
    async fn forward(
        &self,
        head: &Parts,
        interaction: &Interaction,
        remote: Option<IpAddr>,
    ) -> Result<Response, Refusal> {
        let shared = &self.shared;
        let bases = &shared.bases;
        let (target, form) =
            interaction.write(&bases.upstream.path, |value| bases.to_upstream(value));
        let bytes = target.len();
        let target = Uri::from_maybe_shared(Bytes::from(target)).map_err(|_| {
            RequestError::Query(QueryError::TooLong {
                bytes,
                most: u16::MAX.into(),
            })
        })?;
        // Nobody verified the token of a request that needs none.
        let (asker, token) = match interaction {
            Interaction::Capabilities { .. } => (Asker::Stranger, UpstreamToken::Withhold),
            _ => (Asker::Known, shared.config.upstream_token),
        };
        let make = || {
            let body = form
                .as_ref()
                .map_or_else(Body::empty, |form| Body::from(form.clone()));
            let mut request = Request::new(body);
            *request.method_mut() = if form.is_some() {
                Method::POST
            } else {
                head.method.clone()
            };
            *request.uri_mut() = target.clone();
            *request.headers_mut() = headers::to_upstream(&head.headers, bases, remote, token);
            if form.is_some() {
                request
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
            }
            request
        };
        let answer = self.upstream.send_safe(asker, make).await?;
        Ok(answer::for_client(
            interaction,
            &head.method,
            answer,
            bases,
        )?)
    }
}

/// Each access to data and each refusal, with who asked as far as it is known. Not what is open to
/// everybody, nor what was outside the base.
fn audited(
    head: &Parts,
    remote: Option<IpAddr>,
    access: Access,
    started: Instant,
    result: &Result<Response, Refusal>,
) -> Option<(Who, Event)> {
    let event = match (result, &access.interaction) {
        (Ok(response), Some(interaction)) => Event::AccessAllowed {
            interaction: interaction.name(),
            status: response.status().as_u16(),
        },
        (Ok(_), None)
        | (Err(Refusal::Request(RequestError::OutsideBase | RequestError::WellKnown)), _) => {
            return None;
        }
        (Err(refusal), interaction) => Event::AccessRefused {
            interaction: interaction
                .as_ref()
                .map_or_else(|| head.method.to_string(), Interaction::name),
            refusal: audit::Refusal {
                code: refusal.code(),
                detail: refusal.to_string(),
            },
            token_counts: access.counts,
        },
    };
    let known = access
        .session
        .map(|session| session.who.clone())
        .unwrap_or_default();
    let who = Who {
        remote,
        request_id: Some(access.request_id),
        duration: Some(started.elapsed()),
        ..known
    };
    Some((who, event))
}

const FORM: &str = "application/x-www-form-urlencoded";
