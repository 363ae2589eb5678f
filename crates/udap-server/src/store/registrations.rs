//! Who is registered. The key is (community, URI), with each data holder that keeps its own: never the certificate, which is renewed, and
//! never the URI alone, which another community may know too.

mod together;

use self::together::Together;
use super::certifications::Accepted;
use super::changes::Fresh;
use super::signers::{self, ActiveSigner};
use crate::life_cycle;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Semaphore, SemaphorePermit};
use udap_host::audit::Who;
use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_host::token_status::TokenState;
use udap_pki::{Certificate, UnixTime};
use udap_proto::certification::RequestLimits;
use udap_proto::registration::{Authentication, ClientMetadata, Grant, Method};
use udap_proto::scope::ScopeSet;

pub(crate) const MIGRATION: Migration = Migration {
    version: 1,
    name: "registrations",
    sql: "CREATE TABLE registration (
            client_id TEXT NOT NULL PRIMARY KEY,
            community TEXT NOT NULL,
            uri TEXT NOT NULL,
            state TEXT NOT NULL,
            generation BIGINT NOT NULL,
            scope TEXT NOT NULL,
            parameters TEXT NOT NULL,
            statement TEXT NOT NULL,
            certificate BLOB NOT NULL,
            created BIGINT NOT NULL,
            changed BIGINT NOT NULL
          );
          CREATE UNIQUE INDEX registration_of_app ON registration (community, uri) WHERE state <> 'cancelled';",
};

/// Data holders of one server may each have registrations of their own. Who registered before there were
/// several is registered with the first one.
pub(crate) const fn registrars(version: i64) -> Migration {
    Migration {
        version,
        name: "registrations of several data holders",
        sql: "ALTER TABLE registration ADD COLUMN registrar TEXT NOT NULL DEFAULT '';
              DROP INDEX registration_of_app;
              CREATE UNIQUE INDEX registration_of_app ON registration (community, uri, registrar)
                WHERE state <> 'cancelled';",
    }
}

/// For which grants an app is registered, between blanks.
pub(crate) const fn grants_migration(version: i64) -> Migration {
    Migration {
        version,
        name: "grants of registrations",
        sql: "ALTER TABLE registration ADD COLUMN grants TEXT NOT NULL DEFAULT 'client_credentials';",
    }
}

/// What an app sent is in `parameters` as far as it was registered; the JWT itself, most of which is
/// certificates, would be half of what a registration takes.
pub(crate) const fn without_statements(version: i64) -> Migration {
    Migration {
        version,
        name: "registrations without their software statements",
        sql: "ALTER TABLE registration DROP COLUMN statement;",
    }
}

/// The most registrations that are kept in memory: the active clients of a large server, at some
/// 500 bytes each.
const MAX_REMEMBERED: usize = 50_000;

#[derive(Debug)]
pub(crate) struct Registrations {
    db: Db,
    together: Together,
    remembered: RwLock<Remembered>,
    /// Whether what is remembered counts.
    fresh: Arc<Fresh>,
    /// Whoever goes through all of them waits for the one before: operators' searches leave the other
    /// readers of the database to partners' requests.
    searches: Semaphore,
}

#[derive(Debug, Default)]
struct Remembered {
    by_client_id: HashMap<String, Arc<Registration>>,
    /// Rises with each write, so that a row that was read before a write is not remembered after it.
    writes: u64,
}

/// What a token request and the gateway need to know of a registration.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) client_id: Arc<str>,
    /// With which data holder: nothing for the first one, else its base URL.
    pub(crate) registrar: String,
    pub(crate) community: Arc<str>,
    pub(crate) uri: Arc<str>,
    pub(crate) state: State,
    pub(crate) scope: ScopeSet,
    /// How it may ask for tokens; `None` for what is not understood, and then it may not.
    pub(crate) grant: Option<Grant>,
    /// How it proves who it is, and what its tokens must be bound to.
    pub(crate) authentication: Authentication,
    /// With which keys and from where it may ask for tokens, by its certifications.
    pub(crate) limits: Arc<[RequestLimits]>,
    /// Rises when the registration is replaced, or tokens end otherwise: those of an earlier generation.
    generation: i64,
    /// Why the last generation ended, if not by a new registration.
    ended: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Suspended,
    /// A required certification no longer holds; registering with another ends it.
    Lapsed,
    Cancelled,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Lapsed => "lapsed",
            Self::Cancelled => "cancelled",
        }
    }
    pub(super) fn read(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "lapsed" => Self::Lapsed,
            "cancelled" => Self::Cancelled,
            // What is not understood is not let in.
            _ => Self::Suspended,
        }
    }
    /// Why a token of such a registration no longer counts.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Active => "registration-replaced",
            Self::Suspended => "registration-suspended",
            Self::Lapsed => "certification-lapsed",
            Self::Cancelled => "registration-cancelled",
        }
    }
}

impl Registration {
    /// Of a client that is registered by nothing but the configuration, and ends with it.
    pub(crate) fn by_configuration(client_id: &str, scope: ScopeSet, generation: i64) -> Self {
        Self {
            client_id: client_id.into(),
            registrar: String::new(),
            community: Arc::default(),
            uri: Arc::default(),
            state: State::Active,
            scope,
            grant: Some(Grant::ClientCredentials),
            authentication: Authentication::default(),
            limits: Arc::default(),
            generation,
            ended: None,
        }
    }

    /// Tells the audit trail of whom a request is.
    pub(crate) fn tell(&self, who: &mut Who) {
        who.client_id = Some(Arc::clone(&self.client_id));
        who.community = Some(Arc::clone(&self.community));
        who.uri = Some(Arc::clone(&self.uri));
    }

    /// Whether its URI is a name of that certificate.
    pub(crate) fn is_named_by(&self, certificate: &Certificate) -> bool {
        certificate
            .uri_names()
            .iter()
            .any(|name| **name == *self.uri)
    }

    /// A name for a new access token: it tells the generation, so that no table of tokens is needed
    /// to end them all.
    pub(crate) fn token_id(&self) -> String {
        format!("{}.{}", self.generation, udap_trust::random::id())
    }

    /// Which of its tokens count.
    pub(crate) const fn generation(&self) -> i64 {
        self.generation
    }

    /// Whether a token of that name still counts.
    pub(crate) fn token_state(&self, jti: &str) -> TokenState {
        let generation = jti
            .split_once('.')
            .and_then(|(generation, _)| generation.parse::<i64>().ok());
        if self.state == State::Active && generation == Some(self.generation) {
            TokenState::Active
        } else {
            let ended = self.ended.filter(|_| self.state == State::Active);
            TokenState::Ended {
                code: ended.unwrap_or(self.state.code()),
            }
        }
    }
}

/// A code of the database as one that is told.
fn ended(code: &str) -> Option<&'static str> {
    life_cycle::ENDS
        .into_iter()
        .chain([State::Suspended.code()])
        .find(|known| *known == code)
}

const TLS_CLIENT_AUTH: &str = "tls_client_auth";
const CERTIFICATE_BOUND: &str = "certificate_bound";
const KEY_BOUND: &str = "key_bound";

/// As words in one column; a client that signs assertions and wants nothing besides has none.
fn write_authentication(authentication: Authentication) -> String {
    let words = [
        (
            authentication.method == Method::TlsClientAuth,
            TLS_CLIENT_AUTH,
        ),
        (authentication.certificate_bound, CERTIFICATE_BOUND),
        (authentication.key_bound, KEY_BOUND),
    ];
    let set: Vec<_> = words
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, word)| *word)
        .collect();
    set.join(" ")
}

/// `None` for what no version before this one wrote.
fn read_authentication(words: &str) -> Option<Authentication> {
    let mut authentication = Authentication::default();
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word {
            TLS_CLIENT_AUTH => authentication.method = Method::TlsClientAuth,
            CERTIFICATE_BOUND => authentication.certificate_bound = true,
            KEY_BOUND => authentication.key_bound = true,
            _ => return None,
        }
    }
    Some(authentication)
}

/// What is written of a new or changed registration.
#[derive(Debug)]
pub(crate) struct NewRegistration {
    /// The `client_id` it gets unless the app is registered already.
    pub(crate) client_id: String,
    pub(crate) registrar: String,
    pub(crate) community: String,
    pub(crate) uri: String,
    pub(crate) certificate: Vec<u8>,
    pub(crate) metadata: ClientMetadata,
    pub(crate) certifications: Vec<Accepted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Created,
    Replaced,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cancelled {
    Done {
        client_id: String,
    },
    Nothing,
    /// An app does not end its own suspension by leaving and coming back.
    Suspended,
    TrustMoved,
}

impl Registrations {
    pub(crate) fn new(db: Db, fresh: Arc<Fresh>) -> Self {
        Self {
            db,
            together: Together::default(),
            remembered: RwLock::default(),
            fresh,
            searches: Semaphore::new(1),
        }
    }

    /// The turn of whoever goes through all of them.
    pub(super) async fn search(&self) -> Result<SemaphorePermit<'_>, DbError> {
        self.searches.acquire().await.map_err(|_| DbError::Closed)
    }

    /// The registration of that name, from memory if it was read before and other nodes are heard.
    pub(crate) async fn by_client_id(
        &self,
        client_id: &str,
    ) -> Result<Option<Arc<Registration>>, DbError> {
        // No client is called so, and PostgreSQL has no such texts.
        if client_id.contains('\0') {
            return Ok(None);
        }
        let writes = {
            let remembered = self
                .remembered
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = remembered.by_client_id.get(client_id)
                && !self.fresh.is_behind()
            {
                return Ok(Some(Arc::clone(known)));
            }
            remembered.writes
        };
        let row = sqlx::query(
            "SELECT client_id, registrar, community, uri, state, scope, grants, generation, ended, authentication,
                    (SELECT COUNT(*) FROM certification c
                      WHERE c.client_id = registration.client_id AND c.limits <> '') AS limits
             FROM registration WHERE client_id = $1",
        )
        .bind(client_id)
        .fetch_optional(self.db.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut state = State::read(&row.try_get::<String, _>("state")?);
        let authentication = read_authentication(&row.try_get::<String, _>("authentication")?);
        if authentication.is_none() {
            // What is not understood is not let in.
            state = State::Suspended;
        }
        let registration = Arc::new(Registration {
            client_id: row.try_get::<String, _>("client_id")?.into(),
            registrar: row.try_get("registrar")?,
            community: row.try_get::<String, _>("community")?.into(),
            uri: row.try_get::<String, _>("uri")?.into(),
            state,
            authentication: authentication.unwrap_or_default(),
            scope: ScopeSet::parse(&row.try_get::<String, _>("scope")?),
            grant: Grant::read(&row.try_get::<String, _>("grants")?),
            limits: match row.try_get::<i64, _>("limits")? {
                0 => Arc::default(),
                _ => self.limits(client_id).await?,
            },
            generation: row.try_get("generation")?,
            ended: ended(&row.try_get::<String, _>("ended")?),
        });
        let mut remembered = self
            .remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.writes == writes {
            if remembered.by_client_id.len() >= MAX_REMEMBERED {
                remembered.by_client_id.clear();
            }
            remembered
                .by_client_id
                .insert(client_id.to_owned(), Arc::clone(&registration));
        }
        Ok(Some(registration))
    }

    /// The URL of keys that an app registered as `jku`. Not remembered with the rest: few have one.
    pub(crate) async fn jku(&self, client_id: &str) -> Result<Option<String>, DbError> {
        self.parameter(client_id, "jku").await
    }

    /// The URL of keys of an app for which an issuer of statements vouched.
    pub(crate) async fn jwks_uri(&self, client_id: &str) -> Result<Option<String>, DbError> {
        self.parameter(client_id, "jwks_uri").await
    }

    async fn parameter(&self, client_id: &str, name: &str) -> Result<Option<String>, DbError> {
        let row = sqlx::query("SELECT parameters FROM registration WHERE client_id = $1")
            .bind(client_id)
            .fetch_optional(self.db.reader())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let parameters: String = row.try_get("parameters")?;
        let parameters: Option<serde_json::Value> = serde_json::from_str(&parameters).ok();
        let value = parameters.as_ref().and_then(|all| all.get(name)?.as_str());
        Ok(value.map(str::to_owned))
    }

    /// The registration of an app, if it has one that is not cancelled.
    pub(crate) async fn by_uri(
        &self,
        registrar: &str,
        community: &str,
        uri: &str,
    ) -> Result<Option<Arc<Registration>>, DbError> {
        let row = sqlx::query(
            "SELECT client_id FROM registration
             WHERE registrar = $1 AND community = $2 AND uri = $3 AND state <> 'cancelled'",
        )
        .bind(registrar)
        .bind(community)
        .bind(uri)
        .fetch_optional(self.db.reader())
        .await?;
        match row {
            Some(row) => {
                self.by_client_id(&row.try_get::<String, _>("client_id")?)
                    .await
            }
            None => Ok(None),
        }
    }

    /// Cancels the registration of an app. Its row stays, so that logs can be read.
    pub(crate) async fn cancel(
        &self,
        registrar: &str,
        community: &str,
        uri: &str,
        now: UnixTime,
        still_trusted: impl Fn() -> bool + Send,
    ) -> Result<Cancelled, DbError> {
        let mut write = self.db.write().await?;
        let known = sqlx::query("SELECT client_id, state FROM registration WHERE registrar = $1 AND community = $2 AND uri = $3 AND state <> 'cancelled'")
            .bind(registrar)
            .bind(community)
            .bind(uri)
            .fetch_optional(&mut *write)
            .await?;
        let Some(known) = known else {
            return Ok(Cancelled::Nothing);
        };
        let client_id: String = known.try_get("client_id")?;
        if State::read(&known.try_get::<String, _>("state")?) == State::Suspended {
            return Ok(Cancelled::Suspended);
        }
        sqlx::query("UPDATE registration SET state = $1, changed = $2 WHERE client_id = $3")
            .bind(State::Cancelled.as_str())
            .bind(now.0)
            .bind(&client_id)
            .execute(&mut *write)
            .await?;
        if !still_trusted() {
            return Ok(Cancelled::TrustMoved);
        }
        write.commit().await?;
        self.forget(&client_id);
        Ok(Cancelled::Done { client_id })
    }

    /// Ends every token of a client by raising the generation of its registration, removes the signer
    /// that is the cause, and says whether there was a registration. `code` is what the gateway gives
    /// as the reason.
    pub(crate) async fn end_tokens(
        &self,
        signer: &ActiveSigner,
        code: &str,
        now: UnixTime,
    ) -> Result<bool, DbError> {
        let mut write = self.db.write().await?;
        if !signers::remove(&mut write, signer).await? {
            // Another node ended them. What was issued since was asked for by another certificate.
            return Ok(false);
        }
        let ended = sqlx::query(
            "UPDATE registration SET generation = generation + 1, ended = $1, changed = $2
             WHERE client_id = $3 AND state <> 'cancelled'",
        )
        .bind(code)
        .bind(now.0)
        .bind(&signer.client_id)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        self.forget(&signer.client_id);
        Ok(ended.rows_affected() > 0)
    }

    pub(super) const fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn forget_all(&self) {
        let mut remembered = self
            .remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.writes += 1;
        remembered.by_client_id.clear();
    }

    pub(super) fn forget(&self, client_id: &str) {
        let mut remembered = self
            .remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.writes += 1;
        remembered.by_client_id.remove(client_id);
    }
}
