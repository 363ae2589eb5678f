//! Registrations as operators see them, and what operators do to them.

use super::certifications;
use super::registrations::{Registrations, State};
use std::collections::BTreeMap;
use udap_host::db::DbError;
use udap_host::db::sqlx::{self, Row as _};
use udap_pki::{Certificate, UnixTime};

/// A registration in a list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) client_id: String,
    pub(crate) community: String,
    pub(crate) uri: String,
    pub(crate) state: State,
    /// What the app says of itself, as it was registered.
    pub(crate) parameters: serde_json::Map<String, serde_json::Value>,
    pub(crate) created: UnixTime,
    pub(crate) changed: UnixTime,
    /// When it last got a token, to the hour; `None` for never.
    pub(crate) last_token: Option<UnixTime>,
}

/// A registration with everything that is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Detailed {
    pub(crate) listed: Listed,
    pub(crate) scope: String,
    /// The certificate that it was registered with.
    pub(crate) certificate: Option<Certificate>,
    pub(crate) certifications: Vec<Certified>,
}

/// A certification that was accepted, for one programme.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) programme: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) issuer_name: String,
    pub(crate) expires: UnixTime,
    /// Until when it counts unless it is confirmed; 0 when it was taken back.
    pub(crate) ends: UnixTime,
}

/// Which registrations are wanted; an empty text is any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) state: String,
    pub(crate) community: String,
    /// Somewhere in the URI, the `client_id` or what the app says of itself.
    pub(crate) search: String,
}

/// After which one a page begins: the newest come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) created: i64,
    pub(crate) client_id: String,
}

/// What an operator does to a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Suspend,
    Restore,
    Cancel,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Acted {
    /// It was done; where the registration stands now.
    Done {
        community: String,
        uri: String,
        state: State,
    },
    Unknown,
    /// It is in a state in which that makes no sense.
    NotFrom(State),
}

impl Registrations {
    /// A page of registrations, newest first.
    pub(crate) async fn list(
        &self,
        wanted: &Wanted,
        after: Option<&After>,
        most: u32,
    ) -> Result<Vec<Listed>, DbError> {
        let (created, client_id) = match after {
            Some(after) => (after.created, after.client_id.as_str()),
            None => (i64::MAX, ""),
        };
        let _turn = self.search().await?;
        let like = format!("%{}%", escaped(&wanted.search.to_lowercase()));
        let rows = sqlx::query(
            "SELECT client_id, community, uri, state, parameters, created, changed, last_token
             FROM registration
             WHERE (created < $1 OR (created = $2 AND client_id < $3))
               AND ($4 = '' OR state = $5) AND ($6 = '' OR community = $7)
               AND ($8 = '' OR LOWER(uri) LIKE $9 ESCAPE '!' OR LOWER(client_id) LIKE $10 ESCAPE '!'
                 OR LOWER(parameters) LIKE $11 ESCAPE '!')
             ORDER BY created DESC, client_id DESC LIMIT $12",
        )
        .bind(created)
        .bind(created)
        .bind(client_id)
        .bind(&wanted.state)
        .bind(&wanted.state)
        .bind(&wanted.community)
        .bind(&wanted.community)
        .bind(&wanted.search)
        .bind(&like)
        .bind(&like)
        .bind(&like)
        .bind(i64::from(most))
        .fetch_all(self.db().reader())
        .await?;
        rows.iter().map(listed).collect()
    }

    /// How many registrations there are in each state.
    pub(crate) async fn counts(&self) -> Result<BTreeMap<String, i64>, DbError> {
        let _turn = self.search().await?;
        let rows = sqlx::query("SELECT state, COUNT(*) AS count FROM registration GROUP BY state")
            .fetch_all(self.db().reader())
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("state")?, row.try_get("count")?)))
            .collect()
    }

    /// Everything that is known of one.
    pub(crate) async fn detailed(&self, client_id: &str) -> Result<Option<Detailed>, DbError> {
        let row = sqlx::query(
            "SELECT client_id, community, uri, state, parameters, created, changed, last_token,
                    scope, certificate
             FROM registration WHERE client_id = $1",
        )
        .bind(client_id)
        .fetch_optional(self.db().reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let certifications = sqlx::query(
            "SELECT programme, kind, name, issuer, issuer_name, expires, ends
             FROM certification WHERE client_id = $1 ORDER BY position, programme",
        )
        .bind(client_id)
        .fetch_all(self.db().reader())
        .await?;
        let certificate: Vec<u8> = row.try_get("certificate")?;
        Ok(Some(Detailed {
            listed: listed(&row)?,
            scope: row.try_get("scope")?,
            certificate: Certificate::from_der(&certificate).ok(),
            certifications: certifications
                .iter()
                .map(|row| {
                    Ok(Certified {
                        programme: row.try_get("programme")?,
                        kind: row.try_get("kind")?,
                        name: row.try_get("name")?,
                        issuer: row.try_get("issuer")?,
                        issuer_name: row.try_get("issuer_name")?,
                        expires: UnixTime(row.try_get("expires")?),
                        ends: UnixTime(row.try_get("ends")?),
                    })
                })
                .collect::<Result<_, DbError>>()?,
        }))
    }

    /// Does what an operator wants, in force when this returns. `required` are the certifications
    /// without which a restored app rests at once.
    ///
    /// Whatever is done, the tokens there are end for good: a suspension that is lifted brings none back.
    pub(crate) async fn act(
        &self,
        client_id: &str,
        act: Act,
        required: &[String],
        now: UnixTime,
    ) -> Result<Acted, DbError> {
        let mut write = self.db().write().await?;
        let row =
            sqlx::query("SELECT community, uri, state FROM registration WHERE client_id = $1")
                .bind(client_id)
                .fetch_optional(&mut *write)
                .await?;
        let Some(row) = row else {
            return Ok(Acted::Unknown);
        };
        let from = State::read(&row.try_get::<String, _>("state")?);
        let to = match (act, from) {
            (Act::Suspend, State::Active | State::Lapsed) => State::Suspended,
            (Act::Cancel, State::Active | State::Lapsed | State::Suspended) => State::Cancelled,
            (Act::Restore, State::Suspended) => {
                if certifications::complete(&mut write, client_id, required, now).await? {
                    State::Active
                } else {
                    State::Lapsed
                }
            }
            _ => return Ok(Acted::NotFrom(from)),
        };
        sqlx::query(
            "UPDATE registration SET state = $1, generation = generation + 1, ended = $2, changed = $3
             WHERE client_id = $4",
        )
        .bind(to.as_str())
        .bind(State::Suspended.code())
        .bind(now.0)
        .bind(client_id)
        .execute(&mut *write)
        .await?;
        // For the server, where this is not the server's own process.
        sqlx::query(
            "INSERT INTO registration_note (number, client_id)
             SELECT COALESCE(MAX(number), 0) + 1, $1 FROM registration_note",
        )
        .bind(client_id)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        self.forget(client_id);
        Ok(Acted::Done {
            community: row.try_get("community")?,
            uri: row.try_get("uri")?,
            state: to,
        })
    }

    /// The number of the last note that an operator's act left.
    pub(crate) async fn last_note(&self) -> Result<i64, DbError> {
        let row = sqlx::query("SELECT COALESCE(MAX(number), 0) AS last FROM registration_note")
            .fetch_one(self.db().reader())
            .await?;
        Ok(row.try_get("last")?)
    }

    /// Forgets what is remembered of the registrations that operators changed since the note of that
    /// number, in this process or another; the number of the last note.
    pub(crate) async fn read_notes(&self, since: i64) -> Result<i64, DbError> {
        let rows = sqlx::query(
            "SELECT number, client_id FROM registration_note WHERE number > $1 ORDER BY number",
        )
        .bind(since)
        .fetch_all(self.db().reader())
        .await?;
        let mut last = since;
        for row in rows {
            self.forget(&row.try_get::<String, _>("client_id")?);
            last = row.try_get("number")?;
        }
        Ok(last)
    }
}

fn listed(row: &sqlx::any::AnyRow) -> Result<Listed, DbError> {
    let parameters: String = row.try_get("parameters")?;
    let last_token: i64 = row.try_get("last_token")?;
    Ok(Listed {
        client_id: row.try_get("client_id")?,
        community: row.try_get("community")?,
        uri: row.try_get("uri")?,
        state: State::read(&row.try_get::<String, _>("state")?),
        // What cannot be read is shown as nothing; it decides nothing here.
        parameters: serde_json::from_str(&parameters).unwrap_or_default(),
        created: UnixTime(row.try_get("created")?),
        changed: UnixTime(row.try_get("changed")?),
        last_token: (last_token != 0).then_some(UnixTime(last_token)),
    })
}

/// What is searched for is no pattern.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            escaped.push('!');
        }
        escaped.push(c);
    }
    escaped
}
