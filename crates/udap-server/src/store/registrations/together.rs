//! Registrations that are written in one transaction: those that wait for the database while it is
//! busy with the ones before them. A commit forces the disk, which is most of what writing costs.

use super::{NewRegistration, Registrations, State, Written, write_authentication};
use crate::store::certifications;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;
use udap_host::db::DbError;
use udap_host::db::sqlx::{self, Row as _};
use udap_pki::UnixTime;

/// What became of a registration; `None` when trust moved, and nothing was written.
type Outcome = Result<Option<(String, Written)>, DbError>;

/// Whose turn has not come yet.
#[derive(Debug, Default)]
pub(super) struct Together(Mutex<Vec<Waiting>>);

struct Waiting {
    new: NewRegistration,
    now: UnixTime,
    still_trusted: Box<dyn Fn() -> bool + Send + Sync>,
    done: oneshot::Sender<Outcome>,
}

impl Registrations {
    /// Registers an app, or replaces its registration and keeps its `client_id`. `None` when
    /// `still_trusted` says no within the transaction; nothing is written then.
    pub(crate) async fn upsert(
        &self,
        new: NewRegistration,
        now: UnixTime,
        still_trusted: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Outcome {
        let (done, outcome) = oneshot::channel();
        let first = self.together.join(Waiting {
            new,
            now,
            still_trusted: Box::new(still_trusted),
            done,
        });
        if first {
            // Should this request end here, nobody is left waiting for it.
            let left = Left(Some(&self.together));
            let begun = self.db.write().await;
            let all = left.take();
            match begun {
                Ok(write) => match self.write_together(write, &all).await {
                    Err(_) if all.len() > 1 => self.write_apart(all).await,
                    told => tell(all, told),
                },
                Err(error) => tell(all, Err(error)),
            }
        }
        outcome.await.unwrap_or(Err(DbError::Closed))
    }

    /// Each in a transaction of its own, when they could not be written together: what the database does
    /// not take from one must not be the others' refusal.
    async fn write_apart(&self, all: Vec<Waiting>) {
        let mut all = all.into_iter();
        while let Some(one) = all.next() {
            match self.db.write().await {
                Ok(write) => {
                    let one = vec![one];
                    let told = self.write_together(write, &one).await;
                    tell(one, told);
                }
                // It is the database and none of them.
                Err(error) => tell(
                    std::iter::once(one).chain(all.by_ref()).collect(),
                    Err(error),
                ),
            }
        }
    }

    /// All of them, or none when trust moved for one: what moved it counts for every one.
    async fn write_together(
        &self,
        mut write: sqlx::Transaction<'static, sqlx::Any>,
        all: &[Waiting],
    ) -> Result<Vec<(String, Written)>, DbError> {
        let mut outcomes = Vec::with_capacity(all.len());
        for one in all {
            outcomes.push(upsert(&mut write, one).await?);
        }
        if !all.iter().all(|one| (one.still_trusted)()) {
            return Ok(Vec::new());
        }
        write.commit().await?;
        for (client_id, _) in &outcomes {
            self.forget(client_id);
        }
        Ok(outcomes)
    }
}

/// Writes one; a new app keeps the `client_id` that was made for it.
async fn upsert(
    write: &mut sqlx::AnyConnection,
    one: &Waiting,
) -> Result<(String, Written), DbError> {
    let (new, now) = (&one.new, one.now);
    let scope = new.metadata.scope.to_string();
    let grants = new.metadata.grant.types().join(" ");
    let parameters = serde_json::Value::Object(new.metadata.to_params()).to_string();
    // The state stays: an app does not end its own suspension by registering again. Only what lapsed is
    // mended by it, since what is required came along this time.
    let row = sqlx::query(
        "INSERT INTO registration (client_id, community, uri, state, generation, scope, parameters,
                certificate, created, changed, registrar, grants, authentication)
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $8, $9, $10, $11)
         ON CONFLICT (community, uri, registrar) WHERE state <> 'cancelled' DO UPDATE SET
                ended = '', generation = registration.generation + 1, scope = excluded.scope,
                parameters = excluded.parameters,
                certificate = excluded.certificate, changed = excluded.changed,
                grants = excluded.grants, authentication = excluded.authentication,
                state = CASE WHEN registration.state = 'lapsed' THEN 'active'
                             ELSE registration.state END
         RETURNING client_id, generation",
    )
    .bind(&new.client_id)
    .bind(&new.community)
    .bind(&new.uri)
    .bind(State::Active.as_str())
    .bind(&scope)
    .bind(&parameters)
    .bind(&new.certificate)
    .bind(now.0)
    .bind(&new.registrar)
    .bind(&grants)
    .bind(write_authentication(new.metadata.authentication))
    .fetch_one(&mut *write)
    .await?;
    let client_id: String = row.try_get("client_id")?;
    // Nothing else makes a generation the first.
    let written = match row.try_get::<i64, _>("generation")? {
        1 => Written::Created,
        _ => {
            certifications::remove(write, &client_id).await?;
            Written::Replaced
        }
    };
    certifications::insert(write, &client_id, &new.certifications, now).await?;
    Ok((client_id, written))
}

/// `told` is empty when trust moved.
fn tell(all: Vec<Waiting>, told: Result<Vec<(String, Written)>, DbError>) {
    match told {
        Ok(outcomes) => {
            let mut outcomes = outcomes.into_iter();
            for one in all {
                let _ = one.done.send(Ok(outcomes.next()));
            }
        }
        Err(error) => {
            for one in all {
                let _ = one.done.send(Err(error.clone()));
            }
        }
    }
}

impl Together {
    /// Whether there was nobody before: who is first writes for all.
    fn join(&self, one: Waiting) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(one);
        waiting.len() == 1
    }

    fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Left<'a>(Option<&'a Together>);

impl Left<'_> {
    fn take(mut self) -> Vec<Waiting> {
        self.0.take().map_or_else(Vec::new, Together::take)
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(together) = self.0 {
            // Those who wait are told so by their channels.
            together.take();
        }
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}
