//! Administration without the server: by whoever has its files, on the database itself.
//!
//! A running server learns of it by the notes that stand beside each change, within half a second.

use super::access::Role;
use super::app::{self, Wish};
use super::error::{AdminError, OperatorError};
use super::{apps, audit_trail, certificates, communities, password, refusals};
use crate::app::StartError;
use crate::communities::required_certifications;
use crate::store::{Act, MIGRATIONS, Operators, Registrations};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use udap_host::audit::{self, Action, Audit, Event, Who};
use udap_host::config::Config;
use udap_host::db::{Db, DbError};
use udap_pki::UnixTime;
use udap_trust::clock;

/// The longest life of a token, in days.
const MAX_TOKEN_DAYS: i64 = 366;

/// The state directory of a data holder, as its administrator has it.
#[derive(Debug)]
pub struct LocalAdmin {
    config: Config,
    db: Db,
    registrations: Registrations,
    operators: Operators,
    audit: Audit,
    /// Who is named in the audit trail.
    by: String,
}

/// Why that does not work.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The request makes no sense.
    #[error("{sentence}")]
    Refused {
        /// The stable code.
        code: &'static str,
        /// Why.
        sentence: String,
    },
    /// About operators and tokens.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The database does not serve.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The configuration names what cannot be used.
    #[error(transparent)]
    Config(#[from] StartError),
}

impl LocalError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Operator(error) => error.code(),
            Self::Db(error) => error.code(),
            Self::Config(error) => error.code(),
        }
    }
}

impl From<AdminError> for LocalError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Fault(fault) => Self::Db(fault),
            error => Self::Refused {
                code: error.code(),
                sentence: error.to_string(),
            },
        }
    }
}

impl LocalAdmin {
    /// Opens the database of a configuration, which is made if there is none: operators can be added
    /// before the first start.
    ///
    /// # Errors
    /// [`DbError`]
    pub async fn open(config: Config, by: String) -> Result<Self, LocalError> {
        let location = config.database().map_err(StartError::from)?;
        let db = Db::open_at(&location, MIGRATIONS, config.migrations).await?;
        Ok(Self {
            registrations: Registrations::new(db.clone(), std::sync::Arc::default()),
            operators: Operators::new(db.clone()),
            audit: Audit::start(db.clone()),
            db,
            config,
            by,
        })
    }

    /// What the API answers to a GET of that path (below `/api/v1/`), with that query. `communities` and
    /// `certificates` are as configured, since only a running server knows more.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, LocalError> {
        let now = clock::now();
        let query: serde_json::Map<String, Value> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        let value = match path.split_once('/') {
            None if path == "apps" => {
                json(&apps::list(&self.registrations, &read(query)?, now).await?)
            }
            Some(("apps", client_id)) => {
                json(&app::view(&self.registrations, &self.db, client_id, now).await?)
            }
            None if path == "refusals" => {
                json(&refusals::list(&self.db, &read(query)?, now).await?)
            }
            None if path == "audit" => json(&audit_trail::list(&self.db, &read(query)?).await?),
            None if path == "communities" => json(&communities::of_config(&self.config, now)?),
            None if path == "certificates" => {
                let communities = communities::of_config(&self.config, now)?;
                let tls = certificates::tls_files(&self.config);
                json(&certificates::list(communities, &tls, now))
            }
            _ => return Err(AdminError::NotFound.into()),
        };
        Ok(value)
    }

    /// Suspends, restores or cancels; the app as it is then.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn act(&self, word: &str, client_id: &str, why: &str) -> Result<Value, LocalError> {
        let now = clock::now();
        let wish = Wish::of(word).ok_or(AdminError::NotFound)?;
        let reason = app::reason(why)?;
        // By the last bundle too, as the server has it. Nothing else that is done to an app depends on that.
        let required = match wish.act {
            Act::Restore => {
                let communities = &self.config.communities;
                required_certifications(self.db.clone(), communities, now).await?
            }
            Act::Suspend | Act::Cancel => HashMap::new(),
        };
        let required = |community: &str| required.get(community).cloned().unwrap_or_default();
        let who = app::act(&self.registrations, wish, client_id, required, now).await?;
        self.record(who, app::event(wish, &self.by, reason)).await?;
        self.get(&format!("apps/{client_id}"), &[]).await
    }

    /// Adds an operator.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn add_operator(
        &self,
        name: &str,
        password: &str,
        role: Role,
    ) -> Result<(), LocalError> {
        let name = usable(name)?;
        let hash = password::hash(password)?;
        self.operators.add(name, &hash, role, clock::now()).await?;
        self.administered(Action::OperatorAdded, name).await
    }

    /// Sets another password, which ends the operator's sessions.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), LocalError> {
        let hash = password::hash(password)?;
        self.operators
            .set_password(name, &hash, clock::now())
            .await?;
        self.administered(Action::PasswordChanged, name).await
    }

    /// Removes an operator, and ends their sessions.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn remove_operator(&self, name: &str) -> Result<(), LocalError> {
        self.operators.remove(name).await?;
        self.administered(Action::OperatorRemoved, name).await
    }

    /// Every operator: name, role, since when, and of when the password is.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn list_operators(&self) -> Result<Value, LocalError> {
        let rows = self.operators.list().await?;
        let rows = rows.iter().map(|row| {
            json!({
                "name": row.name,
                "role": row.role.as_str(),
                "added": row.created.to_string(),
                "password_set": row.changed.to_string(),
            })
        });
        Ok(json!({ "operators": rows.collect::<Vec<_>>() }))
    }

    /// Makes a token for a program; the answer holds it, this once.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn create_token(
        &self,
        name: &str,
        role: Role,
        days: i64,
    ) -> Result<Value, LocalError> {
        let name = usable(name)?;
        if !(1..=MAX_TOKEN_DAYS).contains(&days) {
            return Err(OperatorError::TokenLifetime {
                max_days: MAX_TOKEN_DAYS,
            }
            .into());
        }
        let now = clock::now();
        let expires = now.plus_secs(days * 86_400);
        let (secret, token) = self
            .operators
            .create_token(name, role, expires, now)
            .await?;
        self.administered(Action::TokenCreated, name).await?;
        Ok(json!({
            "token": secret,
            "id": token.id,
            "name": token.name,
            "role": token.role.as_str(),
            "expires": token.expires.to_string(),
        }))
    }

    /// Every token: whose, what it may, until when.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn list_tokens(&self) -> Result<Value, LocalError> {
        let now = clock::now();
        let rows = self.operators.tokens().await?;
        let rows = rows.iter().map(|row| {
            let state = match row.revoked {
                Some(_) => "revoked",
                None if row.expires <= now => "expired",
                None => "good",
            };
            json!({
                "id": row.id,
                "name": row.name,
                "role": row.role.as_str(),
                "state": state,
                "created": row.created.to_string(),
                "expires": row.expires.to_string(),
            })
        });
        Ok(json!({ "tokens": rows.collect::<Vec<_>>() }))
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn revoke_token(&self, id: &str) -> Result<(), LocalError> {
        let name = self.operators.revoke_token(id, clock::now()).await?;
        self.administered(Action::TokenRevoked, &name).await
    }

    /// Deletes the audit trail's entries from before a time, and writes down that it does before the first is gone,
    /// and afterwards how many there were: whatever ends it in between, none is gone unsaid. Says how many.
    ///
    /// # Errors
    /// [`LocalError`]
    pub async fn prune_audit(&self, until: UnixTime) -> Result<u64, LocalError> {
        let note = |reason| Event::Administered {
            action: Action::AuditPruned,
            by: self.by.as_str().into(),
            to: None,
            reason: Some(reason),
        };
        let begins = note(format!("begins with entries from before {until}"));
        self.record(Who::default(), begins).await?;
        let pruned = audit::prune(&self.db, until.0.saturating_mul(1_000_000)).await?;
        let done = note(format!("{pruned} entries from before {until}"));
        self.record(Who::default(), done).await?;
        Ok(pruned)
    }

    async fn administered(&self, action: Action, to: &str) -> Result<(), LocalError> {
        let event = Event::Administered {
            action,
            by: self.by.as_str().into(),
            to: Some(to.to_owned()),
            reason: None,
        };
        self.record(Who::default(), event).await
    }

    /// Written when this returns: the process ends soon after.
    async fn record(&self, who: Who, event: Event) -> Result<(), LocalError> {
        self.audit.record(who, event).await;
        Ok(self.audit.flush().await?)
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// A query as the API takes it.
fn read<T: serde::de::DeserializeOwned>(
    query: serde_json::Map<String, Value>,
) -> Result<T, AdminError> {
    serde_json::from_value(Value::Object(query)).map_err(|_| AdminError::Body)
}

/// A name that reads the same in every log.
fn usable(name: &str) -> Result<&str, OperatorError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(fits) {
        return Ok(name);
    }
    Err(OperatorError::Name {
        name: name.chars().take(64).collect(),
    })
}
