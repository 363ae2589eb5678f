//! A gateway with a fake FHIR server behind it, tokens for it, and the client's view of it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{Router, body::Body, extract::State, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode, Uri, request::Parts};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower_service::Service as _;
use udap_gateway::{Gateway, GatewayConfig, TokenKeys};
use udap_host::{
    audit::{Audit, Event},
    listen::{ClientCertificate, Peer},
    token_status::{Kept, Member, TokenState, TokenStatus},
};
use udap_pki::{PublicKey, UnixTime};
use udap_proto::{
    access_token::AccessToken,
    confirmation::Confirmation,
    jwk::{Jwk, JwkSet},
    jws::{JwsAlg, Unsigned},
    scope::ScopeSet,
};

pub(crate) const BASE: &str = "https://gw.example/r4";
pub(crate) const NOW: i64 = 1_800_000_000;

/// What the FHIR server saw.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) connection: SocketAddr,
}

pub(crate) type Answers = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

/// A FHIR server that answers as it is told and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct FakeFhir {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<Answers>>,
}

impl FakeFhir {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fhir = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            answers: Arc::new(Mutex::new(Arc::new(|_| {
                fhir_json(r#"{"resourceType":"Patient","id":"1"}"#)
            }))),
        };
        let router = Router::new()
            .fallback(fake_fhir)
            .with_state(fhir.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        fhir
    }

    /// `http://127.0.0.1:PORT/fhir`
    pub(crate) fn base(&self) -> String {
        format!("http://{}/fhir", self.address)
    }

    pub(crate) fn answers(&self, answers: impl Fn(&Seen) -> Response + Send + Sync + 'static) {
        *self.answers.lock().unwrap() = Arc::new(answers);
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen
            .lock()
            .unwrap()
            .last()
            .cloned()
            .expect("the FHIR server was not asked")
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn fake_fhir(
    State(fhir): State<FakeFhir>,
    axum::extract::ConnectInfo(connection): axum::extract::ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let (
        Parts {
            method,
            uri,
            headers,
            ..
        },
        body,
    ) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = Seen {
        method,
        uri,
        headers,
        body,
        connection,
    };
    fhir.seen.lock().unwrap().push(seen.clone());
    let answers = Arc::clone(&fhir.answers.lock().unwrap());
    answers(&seen)
}

pub(crate) fn fhir_json(body: impl Into<Body>) -> Response {
    answer(200, "application/fhir+json;charset=utf-8", body)
}

pub(crate) fn answer(status: u16, media_type: &str, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", media_type)
        .body(body.into())
        .unwrap()
}

/// Whether tokens count, as the test wants it.
#[derive(Default)]
pub(crate) struct Status {
    ended: Mutex<Option<&'static str>>,
    now: Arc<AtomicI64>,
    /// How many seconds each answer takes.
    pub(crate) slow: AtomicI64,
    pub(crate) asked: AtomicUsize,
    kept: Mutex<Option<([u8; 32], Kept)>>,
    pub(crate) looked_up: AtomicUsize,
    member: Mutex<Option<Member>>,
}

impl Status {
    pub(crate) fn end(&self, code: &'static str) {
        *self.ended.lock().unwrap() = Some(code);
    }
    /// They count again, as after an end that was for the moment.
    pub(crate) fn begin(&self) {
        *self.ended.lock().unwrap() = None;
    }
    /// What the issuer keeps of one opaque token.
    pub(crate) fn keeps(&self, token: &str, kept: Kept) {
        let hash = digest(&SHA256, token.as_bytes());
        let hash = hash.as_ref().try_into().unwrap();
        *self.kept.lock().unwrap() = Some((hash, kept));
    }
    /// What is known of whoever shows a certificate.
    pub(crate) fn member_is(&self, member: Member) {
        *self.member.lock().unwrap() = Some(member);
    }
}

impl TokenStatus for Status {
    fn of<'a>(&'a self, _client_id: &'a str, _jti: &'a str) -> BoxFuture<'a, TokenState> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let slow = self.slow.load(Ordering::Relaxed);
        self.now.fetch_add(slow, Ordering::Relaxed);
        let state = self
            .ended
            .lock()
            .unwrap()
            .map_or(TokenState::Active, |code| TokenState::Ended { code });
        Box::pin(std::future::ready(state))
    }

    fn opaque<'a>(&'a self, sha256: &'a [u8; 32]) -> BoxFuture<'a, Kept> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        let kept = self.kept.lock().unwrap().clone();
        let kept = kept.filter(|(known, _)| known == sha256);
        Box::pin(std::future::ready(
            kept.map_or(Kept::Unknown, |(_, kept)| kept),
        ))
    }

    fn member<'a>(
        &'a self,
        _certificate: &'a ClientCertificate,
        _remote: Option<IpAddr>,
    ) -> BoxFuture<'a, Member> {
        let member = self.member.lock().unwrap().clone();
        Box::pin(std::future::ready(member.unwrap_or(Member::NotOffered)))
    }
}

/// A key that signs access tokens.
pub(crate) struct Issuer {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn new(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    pub(crate) fn jwks(&self) -> JwkSet {
        let der = self.pair.public_key().as_der().unwrap();
        let key = PublicKey::from_spki_der(der.as_ref()).unwrap();
        JwkSet::new(vec![
            Jwk::from_public_key(&key, Some(self.kid.clone()), Some(JwsAlg::ES256)).unwrap(),
        ])
    }

    pub(crate) fn sign(&self, token: &AccessToken) -> String {
        let unsigned = token.unsigned(JwsAlg::ES256, &self.kid);
        let signature = self
            .pair
            .sign(&SystemRandom::new(), unsigned.signing_input())
            .unwrap();
        unsigned.with_signature(signature.as_ref())
    }

    /// The same claims under another declared type.
    pub(crate) fn sign_with_type(&self, typ: &str, token: &AccessToken) -> String {
        let good = token.unsigned(JwsAlg::ES256, &self.kid);
        let input = std::str::from_utf8(good.signing_input()).unwrap();
        let payload = URL_SAFE_NO_PAD
            .decode(input.split('.').nth(1).unwrap())
            .unwrap();
        let header = format!(r#"{{"typ":"{typ}","alg":"ES256","kid":"{}"}}"#, self.kid);
        let unsigned = Unsigned::from_json(header.as_bytes(), &payload);
        let signature = self
            .pair
            .sign(&SystemRandom::new(), unsigned.signing_input())
            .unwrap();
        unsigned.with_signature(signature.as_ref())
    }

    pub(crate) fn token(&self, scope: &str) -> String {
        self.sign(&claims(scope))
    }
}

pub(crate) fn claims(scope: &str) -> AccessToken {
    AccessToken {
        iss: BASE.into(),
        aud: BASE.into(),
        client_id: "client-1".into(),
        scope: ScopeSet::parse(scope),
        iat: UnixTime(NOW),
        exp: UnixTime(NOW + 300),
        jti: "token-1".into(),
        community: "https://community.example".into(),
        uri: "https://app.example".into(),
        extensions: Arc::default(),
        cnf: Confirmation::default(),
    }
}

/// Everything together.
pub(crate) struct Kit {
    pub(crate) fhir: FakeFhir,
    pub(crate) issuer: Issuer,
    pub(crate) keys: Arc<TokenKeys>,
    pub(crate) status: Arc<Status>,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) audit: Audit,
    pub(crate) router: Router,
}

impl Kit {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut GatewayConfig)) -> Self {
        Self::told_to(Audit::in_memory(), configure).await
    }

    /// One whose audit trail is this one.
    pub(crate) async fn told_to(audit: Audit, configure: impl FnOnce(&mut GatewayConfig)) -> Self {
        let fhir = FakeFhir::start().await;
        let issuer = Issuer::new("key-1");
        let keys = Arc::new(TokenKeys::new(issuer.jwks()));
        let now = Arc::new(AtomicI64::new(NOW));
        let status = Arc::new(Status {
            now: Arc::clone(&now),
            ..Status::default()
        });
        let mut config = GatewayConfig::new(BASE, fhir.base());
        configure(&mut config);
        let clock = Arc::clone(&now);
        let gateway = Gateway::new(
            config,
            Arc::clone(&keys),
            Arc::clone(&status) as Arc<dyn TokenStatus>,
            audit.clone(),
            Arc::new(move || UnixTime(clock.load(Ordering::Relaxed))),
        )
        .unwrap();
        Self {
            fhir,
            issuer,
            keys,
            status,
            now,
            audit,
            router: gateway.router(),
        }
    }

    /// What was audited, a line each.
    pub(crate) fn audited(&self) -> Vec<String> {
        let text = |value: &Option<Arc<str>>| value.as_deref().unwrap_or("-").to_owned();
        let line = |(who, event): (udap_host::audit::Who, Event)| {
            let event = match event {
                Event::AccessAllowed {
                    interaction,
                    status,
                } => format!("allowed {interaction} {status}"),
                Event::AccessRefused {
                    interaction,
                    refusal,
                    ..
                } => format!("refused {interaction} {}", refusal.code),
                other => format!("{other:?}"),
            };
            assert_eq!(who.jti.is_some(), who.client_id.is_some());
            assert!(who.duration.is_some());
            let remote = who
                .remote
                .map_or("-".to_owned(), |address| address.to_string());
            format!(
                "{} {} {} {remote} {event}",
                text(&who.client_id),
                text(&who.uri),
                text(&who.request_id)
            )
        };
        self.audit.recorded().into_iter().map(line).collect()
    }

    pub(crate) async fn call(&self, mut request: Request<Body>) -> Response {
        request
            .extensions_mut()
            .insert(Peer("192.0.2.7:4711".parse().unwrap()));
        self.router.clone().call(request).await.unwrap()
    }

    /// A request with a token for these scopes.
    pub(crate) async fn get(&self, target: &str, scope: &str) -> Answer {
        Answer::of(self.call(self.request("GET", target, scope)).await).await
    }

    pub(crate) fn request(&self, method: &str, target: &str, scope: &str) -> Request<Body> {
        let authorization = format!("Bearer {}", self.issuer.token(scope));
        Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", authorization)
            .body(Body::empty())
            .unwrap()
    }
}

/// What the client saw, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Self {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The stable code of an OperationOutcome.
    pub(crate) fn code(&self) -> String {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{self:?}");
        assert!(
            self.header("content-type")
                .starts_with("application/fhir+json"),
            "{self:?}"
        );
        outcome["issue"][0]["details"]["coding"][0]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code, for tables.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.code())
    }
}
