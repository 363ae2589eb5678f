//! Several nodes on one database: what others changed is taken in, several times a second.

use crate::app::Server;
use crate::store::Remembered;
use std::time::{Duration, Instant};
use udap_host::db::DbError;

/// How often other nodes' changes are looked for: what one ends, the others refuse within a second.
const FOLLOW: Duration = Duration::from_millis(300);
/// For how long they may be unknown.
const BEHIND: Duration = Duration::from_secs(2);

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

    /// Follows what other nodes change, as long as it runs. While nothing can be learned for longer than
    /// [`BEHIND`], nothing is taken from memory, and no token is good.
    pub(crate) async fn follow(&self) {
        if !self.changes.has_others() {
            return std::future::pending().await;
        }
        let mut tick = tokio::time::interval(FOLLOW);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut learned = Instant::now();
        loop {
            tick.tick().await;
            let error = match tokio::time::timeout(BEHIND, self.follow_changes()).await {
                Ok(Ok(())) => {
                    learned = Instant::now();
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the database does not answer".to_owned(),
            };
            if learned.elapsed() >= BEHIND {
                if !self.changes.is_behind() {
                    tracing::error!(error, "what other nodes change cannot be learned");
                }
                self.changes.fall_behind(self.remembered());
            }
        }
    }
}
