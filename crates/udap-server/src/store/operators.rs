//! Who may administer: operators with their passwords, their sessions, and the tokens of their programs.
//! Of session ids and tokens only the SHA-256 is kept.
//!
//! Asked from the database each time, since it is not often: what is removed is gone at once, whichever
//! process removed it.

use crate::admin::{OperatorError, Role};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use udap_host::db::sqlx::{self, Row as _};
use udap_host::db::{Db, DbError, Migration};
use udap_pki::UnixTime;
use udap_trust::random;

pub(crate) const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "operators",
        sql: "CREATE TABLE operator_account (
                name TEXT NOT NULL PRIMARY KEY,
                password TEXT NOT NULL,
                role TEXT NOT NULL,
                created BIGINT NOT NULL,
                changed BIGINT NOT NULL
              );
              CREATE TABLE operator_session (
                id_sha256 TEXT NOT NULL PRIMARY KEY,
                operator TEXT NOT NULL,
                created BIGINT NOT NULL,
                seen BIGINT NOT NULL
              );
              CREATE TABLE operator_token (
                id TEXT NOT NULL PRIMARY KEY,
                token_sha256 TEXT NOT NULL UNIQUE,
                name TEXT NOT NULL,
                role TEXT NOT NULL,
                created BIGINT NOT NULL,
                expires BIGINT NOT NULL,
                revoked BIGINT NOT NULL
              );
              CREATE TABLE registration_note (
                number BIGINT NOT NULL PRIMARY KEY,
                client_id TEXT NOT NULL
              );
              ALTER TABLE registration ADD COLUMN last_token BIGINT NOT NULL DEFAULT 0;
              CREATE INDEX registration_created ON registration (created, client_id);
              CREATE INDEX audit_refusals ON audit (at) WHERE code IS NOT NULL;",
    }
}

/// A session that nobody uses ends after so many seconds: somebody went for lunch.
pub(crate) const IDLE_SECS: i64 = 30 * 60;
/// And every session after so many, used or not: a working day.
pub(crate) const SESSION_SECS: i64 = 12 * 3600;
/// How often a session's use is written down, in seconds.
const SEEN_SECS: i64 = 60;
/// What a token begins with, so that one that leaked is known for what it is.
const TOKEN_PREFIX: &str = "udap_admin_";

/// The operators' tables.
#[derive(Debug, Clone)]
pub(crate) struct Operators {
    db: Db,
}

/// An operator, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) created: UnixTime,
    /// When the password was set.
    pub(crate) changed: UnixTime,
}

/// An operator's password, hashed.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// Whose session it is.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) operator: String,
    pub(crate) role: Role,
}

/// A token of a program, as listed; the token itself is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) created: UnixTime,
    pub(crate) expires: UnixTime,
    pub(crate) revoked: Option<UnixTime>,
}

impl Operators {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }

    pub(crate) async fn list(&self) -> Result<Vec<Operator>, DbError> {
        let rows =
            sqlx::query("SELECT name, role, created, changed FROM operator_account ORDER BY name")
                .fetch_all(self.db.reader())
                .await?;
        rows.iter()
            .map(|row| {
                Ok(Operator {
                    name: row.try_get("name")?,
                    role: Role::read(&row.try_get::<String, _>("role")?),
                    created: UnixTime(row.try_get("created")?),
                    changed: UnixTime(row.try_get("changed")?),
                })
            })
            .collect()
    }

    pub(crate) async fn account(&self, name: &str) -> Result<Option<Account>, DbError> {
        let row = sqlx::query("SELECT name, password FROM operator_account WHERE name = $1")
            .bind(name)
            .fetch_optional(self.db.reader())
            .await?;
        row.map(|row| {
            Ok(Account {
                name: row.try_get("name")?,
                password: row.try_get("password")?,
            })
        })
        .transpose()
    }

    pub(crate) async fn add(
        &self,
        name: &str,
        password: &str,
        role: Role,
        now: UnixTime,
    ) -> Result<(), OperatorError> {
        let mut write = self.db.write().await?;
        let added = sqlx::query(
            "INSERT INTO operator_account (name, password, role, created, changed)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(password)
        .bind(role.as_str())
        .bind(now.0)
        .bind(now.0)
        .execute(&mut *write)
        .await
        .map_err(DbError::from)?;
        if added.rows_affected() == 0 {
            return Err(OperatorError::Exists {
                name: name.to_owned(),
            });
        }
        Ok(write.commit().await.map_err(DbError::from)?)
    }

    /// Sets another password, which ends all of the operator's sessions.
    pub(crate) async fn set_password(
        &self,
        name: &str,
        password: &str,
        now: UnixTime,
    ) -> Result<(), OperatorError> {
        let mut write = self.db.write().await?;
        let set =
            sqlx::query("UPDATE operator_account SET password = $1, changed = $2 WHERE name = $3")
                .bind(password)
                .bind(now.0)
                .bind(name)
                .execute(&mut *write)
                .await
                .map_err(DbError::from)?;
        known(set.rows_affected(), name)?;
        end_sessions(&mut write, name).await?;
        Ok(write.commit().await.map_err(DbError::from)?)
    }

    /// Removes an operator with all sessions.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), OperatorError> {
        let mut write = self.db.write().await?;
        let removed = sqlx::query("DELETE FROM operator_account WHERE name = $1")
            .bind(name)
            .execute(&mut *write)
            .await
            .map_err(DbError::from)?;
        known(removed.rows_affected(), name)?;
        end_sessions(&mut write, name).await?;
        Ok(write.commit().await.map_err(DbError::from)?)
    }

    /// Begins a session for an operator whose password was right, and forgets those that are over. The
    /// password is compared again within the transaction: one that was changed while it was being
    /// checked, or an operator removed meanwhile, lets nobody in.
    pub(crate) async fn begin_session(
        &self,
        account: &Account,
        now: UnixTime,
    ) -> Result<Option<String>, DbError> {
        let id = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
        let mut write = self.db.write().await?;
        sqlx::query("DELETE FROM operator_session WHERE created <= $1 OR seen <= $2")
            .bind(now.0 - SESSION_SECS)
            .bind(now.0 - IDLE_SECS)
            .execute(&mut *write)
            .await?;
        let same =
            sqlx::query("SELECT name FROM operator_account WHERE name = $1 AND password = $2")
                .bind(&account.name)
                .bind(&account.password)
                .fetch_optional(&mut *write)
                .await?;
        if same.is_none() {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO operator_session (id_sha256, operator, created, seen) VALUES ($1, $2, $3, $4)",
        )
        .bind(sha256(&id))
        .bind(&account.name)
        .bind(now.0)
        .bind(now.0)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(Some(id))
    }

    /// Whose session it is, if it is still one; its use counts against the idle time.
    pub(crate) async fn session(
        &self,
        id: &str,
        now: UnixTime,
    ) -> Result<Option<Session>, DbError> {
        let hash = sha256(id);
        let row = sqlx::query(
            "SELECT s.operator, s.seen, a.role FROM operator_session s
             JOIN operator_account a ON a.name = s.operator
             WHERE s.id_sha256 = $1 AND s.created > $2 AND s.seen > $3",
        )
        .bind(&hash)
        .bind(now.0 - SESSION_SECS)
        .bind(now.0 - IDLE_SECS)
        .fetch_optional(self.db.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let seen: i64 = row.try_get("seen")?;
        if now.0 - seen >= SEEN_SECS {
            let mut write = self.db.write().await?;
            sqlx::query("UPDATE operator_session SET seen = $1 WHERE id_sha256 = $2")
                .bind(now.0)
                .bind(&hash)
                .execute(&mut *write)
                .await?;
            write.commit().await?;
        }
        Ok(Some(Session {
            operator: row.try_get("operator")?,
            role: Role::read(&row.try_get::<String, _>("role")?),
        }))
    }

    pub(crate) async fn end_session(&self, id: &str) -> Result<(), DbError> {
        let mut write = self.db.write().await?;
        sqlx::query("DELETE FROM operator_session WHERE id_sha256 = $1")
            .bind(sha256(id))
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// Makes a token; it is told this once.
    pub(crate) async fn create_token(
        &self,
        name: &str,
        role: Role,
        expires: UnixTime,
        now: UnixTime,
    ) -> Result<(String, Token), DbError> {
        let secret = format!(
            "{TOKEN_PREFIX}{}",
            URL_SAFE_NO_PAD.encode(random::bytes::<32>())
        );
        let token = Token {
            id: random::id(),
            name: name.to_owned(),
            role,
            created: now,
            expires,
            revoked: None,
        };
        let mut write = self.db.write().await?;
        sqlx::query(
            "INSERT INTO operator_token (id, token_sha256, name, role, created, expires, revoked)
             VALUES ($1, $2, $3, $4, $5, $6, 0)",
        )
        .bind(&token.id)
        .bind(sha256(&secret))
        .bind(name)
        .bind(role.as_str())
        .bind(now.0)
        .bind(expires.0)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok((secret, token))
    }

    /// Whose token it is, if it counts.
    pub(crate) async fn token(
        &self,
        secret: &str,
        now: UnixTime,
    ) -> Result<Option<Token>, DbError> {
        let row = sqlx::query(
            "SELECT id, name, role, created, expires, revoked FROM operator_token
             WHERE token_sha256 = $1 AND revoked = 0 AND expires > $2",
        )
        .bind(sha256(secret))
        .bind(now.0)
        .fetch_optional(self.db.reader())
        .await?;
        row.as_ref().map(token).transpose()
    }

    pub(crate) async fn tokens(&self) -> Result<Vec<Token>, DbError> {
        let rows = sqlx::query(
            "SELECT id, name, role, created, expires, revoked FROM operator_token
             ORDER BY created DESC, id",
        )
        .fetch_all(self.db.reader())
        .await?;
        rows.iter().map(token).collect()
    }

    /// Ends a token; says whose it was.
    pub(crate) async fn revoke_token(
        &self,
        id: &str,
        now: UnixTime,
    ) -> Result<String, OperatorError> {
        let unknown = || OperatorError::TokenUnknown { id: id.to_owned() };
        let mut write = self.db.write().await?;
        let row = sqlx::query("SELECT name FROM operator_token WHERE id = $1 AND revoked = 0")
            .bind(id)
            .fetch_optional(&mut *write)
            .await
            .map_err(DbError::from)?;
        let name = row.ok_or_else(unknown)?;
        let name = name.try_get("name").map_err(DbError::from)?;
        sqlx::query("UPDATE operator_token SET revoked = $1 WHERE id = $2")
            .bind(now.0)
            .bind(id)
            .execute(&mut *write)
            .await
            .map_err(DbError::from)?;
        write.commit().await.map_err(DbError::from)?;
        Ok(name)
    }
}

fn known(rows: u64, name: &str) -> Result<(), OperatorError> {
    if rows > 0 {
        return Ok(());
    }
    Err(OperatorError::Unknown {
        name: name.to_owned(),
    })
}

async fn end_sessions(write: &mut sqlx::AnyConnection, operator: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM operator_session WHERE operator = $1")
        .bind(operator)
        .execute(write)
        .await?;
    Ok(())
}

fn token(row: &sqlx::any::AnyRow) -> Result<Token, DbError> {
    let revoked: i64 = row.try_get("revoked")?;
    Ok(Token {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: Role::read(&row.try_get::<String, _>("role")?),
        created: UnixTime(row.try_get("created")?),
        expires: UnixTime(row.try_get("expires")?),
        revoked: (revoked != 0).then_some(UnixTime(revoked)),
    })
}

/// Of 256 random bits: no salt and no stretching is needed.
fn sha256(secret: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}
