//! Several nodes on one database: what others changed is taken in, several times a second.

use crate::app::Server;
use crate::store::{BEHIND, Remembered};
use std::time::Duration;
use tokio::task::JoinHandle;
use udap_host::db::DbError;

/// How often other nodes' changes are looked for: what one ends, the others refuse within a second.
const FOLLOW: Duration = Duration::from_millis(300);

impl Server {
    /// Takes in what other nodes changed since the last time: one round of [`Self::run_background`].
    ///
    /// # Errors
    /// [`DbError`] when that could not be learned.
    pub async fn follow_changes(&self) -> Result<(), DbError> {
        if !self.changes.has_others() {
            return Ok(());
        }
        self.changes.follow(self.remembered()).await
    }

    fn remembered(&self) -> Remembered<'_> {
        Remembered {
            registrations: &self.registrations,
            revocations: &self.revocations,
            signers: &self.signers,
        }
    }

    /// Whether it is not known for the moment what other nodes changed: nothing is taken from memory then,
    /// and no token is good.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.changes.is_behind()
    }

    /// Follows what other nodes change by a task of its own, which ends when what is returned goes.
    pub(crate) fn begin_to_follow(&self) -> Option<AbortOnDrop> {
        let postgres = self.db.postgres()?;
        self.changes.begin();
        Some(AbortOnDrop(postgres.spawn(self.clone().follow())))
    }

    async fn follow(self) {
        let mut tick = tokio::time::interval(FOLLOW);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            tick.tick().await;
            let error = match tokio::time::timeout(BEHIND, self.follow_changes()).await {
                Ok(Ok(())) => {
                    told = false;
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the database does not answer".to_owned(),
            };
            if self.is_behind() && !std::mem::replace(&mut told, true) {
                tracing::error!(error, "what other nodes change cannot be learned");
            }
        }
    }
}

/// A task that does not outlive who waits for it.
#[derive(Debug)]
pub(crate) struct AbortOnDrop(pub(crate) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for what follows to end, which it should not; for ever if there is none.
pub(crate) async fn ended(task: &mut Option<AbortOnDrop>) {
    match task {
        Some(AbortOnDrop(task)) => {
            let why = task.await.err().map(|error| error.to_string());
            tracing::error!(
                why,
                "what follows other nodes' changes ended; no token is good here from now on"
            );
        }
        None => std::future::pending().await,
    }
}
