//! The state that the endpoints share, and how it comes to be.

use crate::access_key::AccessKey;
use crate::base::{Aliases, Base, Common, Places};
use crate::certifications::Watch;
use crate::client_authentication::ClientError;
use crate::client_authentication::KnownClients;
use crate::communities::Communities;
use crate::life_cycle::LifeCycle;
use crate::smart_clients::SmartClients;
use crate::statement_issuers::StatementIssuers;
use crate::store::{
    Bundles, Changes, MIGRATIONS, OpaqueTokens, Registrations, Replay, Revocations, Signers, sha256,
};
use crate::{binding, router};
use axum::Extension;
use http::{HeaderMap, StatusCode};
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use udap_host::audit::{Audit, Event, Refusal as AuditRefusal, Who};
use udap_host::client_ip::{TrustedProxies, client_ip};
use udap_host::config::{AccessTokens, Config, ConfigError, RegistrationGrant};
use udap_host::db::{Db, DbError};
use udap_host::dpop::Dpop;
use udap_host::files::{self, FileError};
use udap_host::listen::{ClientCertificate, MutualTls, Peer};
use udap_host::problem::OAuthError;
use udap_host::rate::Rate;
use udap_host::request_id;
use udap_host::seal::SealError;
use udap_host::token_status::{Kept, Member, TokenState, TokenStatus, UNKNOWN};
use udap_pki::{Explanation, UnixTime};
use udap_proto::Refusal;
use udap_proto::access_token::{self, AccessTokenError, VerifiedAccessToken};
use udap_proto::jwk::JwkSet;
use udap_proto::jws::JwsAlg;
use udap_proto::scope::ScopeSet;
use udap_trust::clock;
use udap_trust::fetch::{FetchError, FetchPolicy, Fetcher, TlsRoots};
use udap_trust::key_sets::KeySets;
use udap_trust::providers::Providers;

/// The longest sentence that is answered and kept, in bytes: it may hold what a sender wrote, and a
/// small request must not make a large row of every refusal.
const MAX_SENTENCE: usize = 1000;

/// The authorization server, as it is seen under one of its base URLs. Clones share one state.
#[derive(Clone, Debug)]
pub struct Server(Arc<AtBase>);

#[derive(Debug)]
struct AtBase {
    app: Arc<App>,
    base: Arc<Base>,
}

/// What the endpoints share.
#[derive(Debug)]
pub struct App {
    /// The FHIR base URLs served, in the order of the configuration.
    pub(crate) bases: Vec<Arc<Base>>,
    /// The communities served: identities, metadata, trust.
    pub(crate) communities: Communities,
    /// Who is registered.
    pub(crate) registrations: Registrations,
    /// Who is known by keys and by the configuration alone.
    pub(crate) smart_clients: SmartClients,
    /// Whose statements about apps count, by keys.
    pub(crate) statement_issuers: StatementIssuers,
    /// Keys of clients, by URL.
    pub(crate) key_sets: KeySets,
    /// Where providers of credentials have theirs.
    pub(crate) providers: Providers,
    /// Whether an app may name its registered URL of keys in place of certificates.
    pub(crate) experimental_jku: bool,
    /// Grants for which apps may register.
    pub(crate) registration_grants: Vec<RegistrationGrant>,
    /// Where it all is kept.
    pub(crate) db: Db,
    /// The last note of an operator's act that was read.
    pub(crate) last_note: AtomicI64,
    /// When certifiers were asked last.
    pub(crate) watch: Watch,
    /// Which access tokens their clients ended.
    pub(crate) revocations: Revocations,
    /// Which certificates tokens in force were asked for with.
    pub(crate) signers: Signers,
    /// When they were looked at.
    pub(crate) life_cycle: LifeCycle,
    /// What other nodes changed of all that.
    pub(crate) changes: Changes,
    /// Which JWTs were seen.
    pub(crate) replay: Replay,
    /// What an access token is.
    pub(crate) access_tokens: AccessTokens,
    /// Signs those that are JWTs.
    pub(crate) access_key: AccessKey,
    /// What the others say.
    pub(crate) opaque_tokens: OpaqueTokens,
    /// Which proofs of possession were taken.
    pub(crate) dpop: Arc<Dpop>,
    /// What can be granted at all.
    pub(crate) scopes: ScopeSet,
    /// Lifetime of access tokens, in seconds.
    pub(crate) token_lifetime_secs: i64,
    /// What is remembered of clients whose certificates are trusted.
    pub(crate) known_clients: KnownClients,
    /// Proxies whose word about a client's address is taken.
    pub(crate) trusted_proxies: TrustedProxies,
    /// The most bytes of a request's body.
    pub(crate) max_body_bytes: usize,
    /// Registration requests by network.
    pub(crate) registration_rate: Rate<IpAddr>,
    /// Refused clients by network and `client_id`.
    pub(crate) refusal_rate: Rate<(IpAddr, Arc<str>)>,
    /// Certificates that nobody vouches for, by network.
    pub(crate) stranger_rate: Rate<IpAddr>,
    /// What happened.
    pub(crate) audit: Audit,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {detail}", path.display())]
    Unusable {
        path: PathBuf,
        code: &'static str,
        detail: String,
    },
    #[error("the secret `{name}` of the database: {error}")]
    Sealed { name: String, error: SealError },
    #[error("community `{community}`: {problem}")]
    Identity {
        community: String,
        code: &'static str,
        problem: String,
    },
}

impl StartError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(e) => e.code(),
            Self::Db(e) => e.code(),
            Self::Fetch(e) => e.code(),
            Self::File(FileError::Unreadable { .. }) => "config-unreadable",
            Self::File(FileError::Exposed { .. }) => "config-key-exposed",
            Self::File(error @ FileError::Directory { .. }) => error.code(),
            Self::Sealed { error, .. } => error.code(),
            Self::Unusable { code, .. } | Self::Identity { code, .. } => code,
        }
    }
}

impl Server {
    /// Opens the state directory, makes what is missing in it, and signs metadata for each community.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        config.check_files()?;
        files::private_directory(&config.state_dir)?;
        let db = Db::open_at(&config.database()?, MIGRATIONS, config.migrations).await?;
        let audit = Audit::start(db.clone());
        let changes = Changes::open(db.clone()).await?;
        let replay = Replay::open(&db, &config.state_dir.join("replay"), clock::now())?;
        let (sealing, file) = (
            config.secrets_key()?,
            config.state_dir.join("access-token.key"),
        );
        let access_key = AccessKey::open(&db, sealing.as_ref(), &file).await?;
        let fetcher = Fetcher::new(fetch_policy(config)?)?;
        let smart_clients = SmartClients::open(&config.smart_clients)?;
        let key_sets = KeySets::new(fetcher.clone());
        let providers = Providers::new(fetcher.clone());
        let data_holders = config.data_holders();
        let places = Places::of(&data_holders);
        let communities = Communities::open(
            config,
            places,
            fetcher,
            Bundles::new(db.clone()),
            clock::now(),
        )
        .await?;
        let dpop = binding::proofs(config);
        let common = Common {
            scopes: &config.scopes_supported,
            algs: assertion_algorithms(&communities, &smart_clients),
            grant_types: communities.grant_types(),
            capabilities: capabilities(&smart_clients),
            binding: binding::Published::new(config),
        };
        let bases = Base::all(&data_holders, &common);
        let registrations = Registrations::new(db.clone(), changes.fresh());
        audit
            .record(
                Who::default(),
                Event::Started {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                },
            )
            .await;
        let app = Arc::new(App {
            bases,
            communities,
            smart_clients,
            statement_issuers: StatementIssuers::open(&config.statement_issuers)?,
            key_sets,
            providers,
            experimental_jku: config.experimental_jku,
            registration_grants: config.registration_grants.clone(),
            watch: Watch::default(),
            last_note: AtomicI64::new(registrations.last_note().await?),
            registrations,
            revocations: Revocations::open(db.clone(), clock::now()).await?,
            opaque_tokens: OpaqueTokens::open(db.clone(), config.access_token).await?,
            access_tokens: config.access_token,
            dpop,
            signers: Signers::open(db.clone(), clock::now()).await?,
            db,
            life_cycle: LifeCycle::default(),
            changes,
            replay,
            access_key,
            scopes: ScopeSet::parse(&config.scopes_supported.join(" ")),
            token_lifetime_secs: config.token_lifetime_secs,
            known_clients: KnownClients::new(),
            trusted_proxies: config.trusted_proxies.clone(),
            max_body_bytes: config.limits.max_body_bytes,
            registration_rate: Rate::new(config.rates.registrations_per_minute),
            refusal_rate: Rate::new(config.rates.refusals_per_minute),
            stranger_rate: Rate::new(config.rates.refusals_per_minute),
            audit,
        });
        // The configuration has a first one.
        let base = app.bases.first().cloned();
        let base = base.ok_or_else(|| StartError::Unusable {
            path: config.path.clone(),
            code: "config-missing-key",
            detail: "there is no base URL".to_owned(),
        })?;
        Ok(Self(Arc::new(AtBase { app, base })))
    }

    /// The same server under another of its base URLs.
    pub(crate) fn at(&self, base: &Arc<Base>) -> Self {
        Self(Arc::new(AtBase {
            app: Arc::clone(&self.0.app),
            base: Arc::clone(base),
        }))
    }

    /// The base URL under which a request came.
    pub(crate) fn base(&self) -> &Base {
        &self.0.base
    }

    /// The routes; to be merged with the gateway's, which takes everything else.
    pub fn router(&self) -> axum::Router {
        router::routes(self.clone())
    }

    /// The keys by which the gateway knows an access token.
    #[must_use]
    pub fn keys(&self) -> Arc<JwkSet> {
        self.access_key.keys()
    }

    /// An access token of this server, as the gateway would take it; whether it was ended, and whether
    /// its presenter holds what it is bound to, is open.
    pub(crate) async fn own_token(
        &self,
        token: &str,
        now: UnixTime,
    ) -> Result<Result<VerifiedAccessToken, AccessTokenError>, ClientError> {
        let base = self.base();
        let record = if access_token::is_opaque(token.as_bytes()) {
            let found = self.opaque_tokens.find(&sha256(token.as_bytes())).await;
            let found = found.map_err(|error| {
                tracing::error!(%error, "an opaque access token could not be looked up");
                ClientError::Unavailable
            })?;
            match found {
                Some(record) => Some(record),
                None => return Ok(Err(AccessTokenError::Unknown)),
            }
        } else {
            None
        };
        let keys = self.access_key.keys();
        let verify = |audience: &str| match &record {
            Some(record) => access_token::read_record(record, &base.issuer, audience, now),
            None => access_token::verify(token, &keys, &base.issuer, audience, now),
        };
        let mut result = verify(&base.issuer);
        // Only where several base URLs share this endpoint.
        for audience in base.audiences.iter().skip(1) {
            if result.is_ok() {
                break;
            }
            result = verify(audience);
        }
        Ok(result)
    }

    /// The audiences of an assertion that is sent to an endpoint: its own name, the token endpoint's, and
    /// the name it has at the port where clients show a certificate, if the request came in there.
    pub(crate) fn audiences<'a>(
        &'a self,
        endpoint: &'a str,
        tls: Option<&MutualTls>,
        alias: fn(&Aliases) -> &String,
    ) -> [&'a str; 3] {
        let base = self.base();
        let port = base.mutual_tls.as_ref().filter(|_| tls.is_some());
        let alias = port.map_or(endpoint, |port| alias(port));
        [endpoint, &base.token_endpoint, alias]
    }

    /// The same server under another of its base URLs: for the gateway there.
    #[must_use]
    pub fn under(&self, base_url: &str) -> Option<Self> {
        let base = self.bases.iter().find(|base| base.base_url == base_url);
        base.map(|base| self.at(base))
    }

    /// The proofs of possession that were taken, shared with the gateway.
    #[must_use]
    pub fn dpop(&self) -> Arc<Dpop> {
        Arc::clone(&self.dpop)
    }

    /// Whose certificates the communities' members have, each a Name in DER: what a handshake that asks
    /// for one names.
    #[must_use]
    pub fn issuers(&self) -> Vec<Vec<u8>> {
        self.communities.issuers()
    }

    /// What happened; shared with the gateway.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Writes down what is still in memory. To be called when the last request was answered.
    ///
    /// # Errors
    /// [`DbError`] when the audit trail cannot be written.
    pub async fn close(&self) -> Result<(), DbError> {
        if self.replay.close(clock::now()).await.is_err() {
            tracing::error!("what was seen could not be written; the next start refuses it all");
        }
        self.audit.record(Who::default(), Event::Stopped).await;
        self.audit.finish().await
    }
}

impl Deref for Server {
    type Target = App;
    fn deref(&self) -> &App {
        &self.0.app
    }
}

impl App {
    /// Who asks, as far as the connection tells, and the name of the request.
    pub(crate) fn who(&self, peer: Option<Extension<Peer>>, headers: &HeaderMap) -> Who {
        Who {
            remote: peer
                .map(|Extension(Peer(peer))| client_ip(peer, headers, &self.trusted_proxies)),
            request_id: Some(request_id::of(headers)),
            ..Who::default()
        }
    }
}

impl TokenStatus for Server {
    fn of<'a>(
        &'a self,
        client_id: &'a str,
        jti: &'a str,
    ) -> futures_util::future::BoxFuture<'a, TokenState> {
        Box::pin(async move {
            // Before anything that rests on memory alone, as what is revoked does.
            if self.changes.is_behind() {
                return TokenState::Ended { code: UNKNOWN };
            }
            if let Some(client) = self.smart_clients.get(client_id) {
                if self.revocations.contains(jti) {
                    return TokenState::Ended {
                        code: "token-revoked",
                    };
                }
                return client.registration.token_state(jti);
            }
            match self.registrations.by_client_id(client_id).await {
                Ok(Some(_)) if self.revocations.contains(jti) => TokenState::Ended {
                    code: "token-revoked",
                },
                Ok(Some(registration))
                    if !self.communities.serves(&registration.community)
                        && self
                            .statement_issuers
                            .get(&registration.community)
                            .is_none() =>
                {
                    TokenState::Ended {
                        code: "community-unknown",
                    }
                }
                Ok(Some(registration)) => registration.token_state(jti),
                Ok(None) => TokenState::Ended {
                    code: "client-unknown",
                },
                Err(error) => {
                    tracing::error!(%error, "a registration could not be read");
                    TokenState::Ended { code: UNKNOWN }
                }
            }
        })
    }

    fn opaque<'a>(&'a self, sha256: &'a [u8; 32]) -> futures_util::future::BoxFuture<'a, Kept> {
        Box::pin(async move {
            match self.opaque_tokens.find(sha256).await {
                Ok(Some(record)) => Kept::Record(record),
                Ok(None) => Kept::Unknown,
                Err(error) => {
                    tracing::error!(%error, "an opaque access token could not be looked up");
                    Kept::Unavailable
                }
            }
        })
    }

    fn member<'a>(
        &'a self,
        certificate: &'a ClientCertificate,
        remote: Option<IpAddr>,
    ) -> futures_util::future::BoxFuture<'a, Member> {
        Box::pin(self.member_of(certificate, remote))
    }
}

/// What clients may sign their assertions with, of either kind.
fn assertion_algorithms(communities: &Communities, smart: &SmartClients) -> Vec<JwsAlg> {
    let mut algorithms = communities.algorithms();
    if !smart.is_empty() {
        let more = udap_proto::smart::ALGORITHMS;
        algorithms.extend(
            more.into_iter()
                .filter(|alg| !communities.algorithms().contains(alg)),
        );
    }
    algorithms
}

/// SMART's `capabilities`: what works here, and nothing else.
fn capabilities(smart: &SmartClients) -> Vec<&'static str> {
    let mut capabilities = vec!["permission-v1", "permission-v2"];
    if !smart.is_empty() {
        capabilities.insert(0, "client-confidential-asymmetric");
    }
    capabilities
}

fn fetch_policy(config: &Config) -> Result<FetchPolicy, StartError> {
    use rustls_pki_types::CertificateDer;
    let tls_roots = match &config.fetch.tls_roots {
        udap_host::config::TlsRoots::System => TlsRoots::System,
        udap_host::config::TlsRoots::File(path) => {
            let unusable = |detail: String| StartError::Unusable {
                path: path.clone(),
                code: "tls-roots-missing",
                detail,
            };
            let pem = std::fs::read(path).map_err(|e| unusable(e.to_string()))?;
            let roots = udap_pki::pem::certificates(&pem).map_err(|e| unusable(e.to_string()))?;
            TlsRoots::These(
                roots
                    .iter()
                    .map(|c| CertificateDer::from(c.der().to_vec()))
                    .collect(),
            )
        }
    };
    Ok(FetchPolicy {
        allow_hosts: config.fetch.allow_hosts.clone(),
        tls_roots,
    })
}

/// What an endpoint's error says on the wire and to the audit trail.
pub(crate) struct Told {
    pub(crate) error: &'static str,
    pub(crate) code: &'static str,
    pub(crate) description: String,
    pub(crate) hint: String,
}

impl Told {
    /// By a refusal of the inner crates: its sentence for the sender, its code, and its hint or the
    /// catalogue's.
    pub(crate) fn by(error: &'static str, refusal: &dyn Refusal) -> Self {
        let code = refusal.code();
        Self {
            error,
            code,
            description: short(&refusal.told()),
            hint: refusal.hint().unwrap_or_else(|| general_hint(code)),
        }
    }

    /// By an endpoint's own words.
    pub(crate) fn own(
        error: &'static str,
        code: &'static str,
        why: &dyn std::fmt::Display,
    ) -> Self {
        Self {
            error,
            code,
            description: short(&why.to_string()),
            hint: general_hint(code),
        }
    }

    pub(crate) fn into_wire(self, status: StatusCode) -> OAuthError {
        // What is not even read is told so, whichever part of the request it is (RFC 9110 §15.5.14).
        let status = match self.code {
            "jwt-too-large" | "x5c-too-long" => StatusCode::PAYLOAD_TOO_LARGE,
            _ => status,
        };
        OAuthError {
            status,
            error: self.error,
            description: self.description,
            code: self.code,
            hint: self.hint,
            extensions: serde_json::Map::new(),
        }
    }
}

/// Why not, for the audit trail.
pub(crate) fn refusal(code: &'static str, why: &dyn std::fmt::Display) -> AuditRefusal {
    AuditRefusal {
        code,
        detail: short(&why.to_string()),
    }
}

/// A text by others, or with their words in it, cut to what can be read.
pub(crate) fn short(text: &str) -> String {
    if text.len() <= MAX_SENTENCE {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    short.truncate(text.floor_char_boundary(MAX_SENTENCE));
    short.push('…');
    short
}

/// The catalogue's hint for a code.
pub(crate) fn general_hint(code: &str) -> String {
    explained(code)
        .map(|entry| entry.hint.to_owned())
        .unwrap_or_default()
}

/// What a code means.
pub(crate) fn explained(code: &str) -> Option<&'static Explanation> {
    [
        udap_pki::CATALOGUE,
        udap_proto::CATALOGUE,
        udap_trust::CATALOGUE,
        udap_host::CATALOGUE,
        crate::CATALOGUE,
        crate::admin::CATALOGUE,
    ]
    .into_iter()
    .flatten()
    .find(|entry| entry.code == code)
}
