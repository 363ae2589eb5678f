//! What runs beside requests: whatever ends, begins or changes without anybody's request.

use crate::app::Server;
use crate::nodes;
use std::sync::atomic::Ordering;
use std::time::Duration;
use udap_host::listen::Shutdown;
use udap_pki::UnixTime;
use udap_trust::clock;

/// How often CRLs in use are looked at again, so that a revocation is seen long before the CRL in
/// hand lapses.
const REFRESH: Duration = Duration::from_secs(30);
/// How often it is looked whether an operator suspended or cancelled an app by the command line.
const NOTES: Duration = Duration::from_millis(500);

impl Server {
    /// Looks now at the CRLs in use, ends the tokens of certificates that are revoked by now, signs
    /// metadata again that has lived for half its time, and forgets revoked tokens that expired: one round of
    /// [`Self::run_background`].
    pub async fn refresh(&self) {
        let now = clock::now();
        self.communities.trust().refresh(now).await;
        self.end_tokens_of_lost_certificates(now).await;
        self.sign_metadata_again(now).await;
        if let Err(error) = self.revocations.forget_expired(now).await {
            tracing::warn!(%error, "revoked tokens that expired could not be forgotten");
        }
        if let Err(error) = self.opaque_tokens.forget_expired(now).await {
            tracing::warn!(%error, "opaque tokens that expired could not be forgotten");
        }
        if let Err(error) = self.changes.forget_old(now).await {
            tracing::warn!(%error, "changes of long ago could not be forgotten");
        }
    }

    /// Signs metadata again that has lived for half its time: part of each round.
    pub async fn sign_metadata_again(&self, now: UnixTime) {
        self.communities.sign_again(now).await;
    }

    /// What runs beside requests until the shutdown: CRLs are looked at again, so that a revocation
    /// is seen soon, metadata is signed again before it ends, certifications are watched, and bundles fetched.
    pub async fn run_background(self, shutdown: Shutdown) {
        self.run_background_every(REFRESH, shutdown).await;
    }

    /// The same with rounds more or less often.
    pub async fn run_background_every(self, round: Duration, shutdown: Shutdown) {
        let ticks = || ticks(round);
        // Certifiers that take their time to answer must not keep a revocation waiting.
        let certifications = async {
            let mut tick = ticks();
            loop {
                tick.tick().await;
                self.watch_certifications(clock::now()).await;
            }
        };
        let refresh = async {
            let mut tick = ticks();
            tick.tick().await;
            // Anchors may have gone while nothing ran.
            self.end_tokens_of_lost_certificates(clock::now()).await;
            loop {
                tick.tick().await;
                self.refresh().await;
            }
        };
        // Nor must a community's own server.
        let bundles = async {
            let mut tick = ticks();
            loop {
                tick.tick().await;
                self.fetch_bundles(clock::now()).await;
            }
        };
        let notes = async {
            let mut tick = tokio::time::interval(NOTES);
            loop {
                tick.tick().await;
                self.read_notes().await;
            }
        };
        // By a task on the thread of the database, which nothing here can keep waiting.
        let mut follow = self.begin_to_follow();
        tokio::select! {
            () = nodes::ended(&mut follow) => {}
            () = certifications => {}
            () = notes => {}
            () = refresh => {}
            () = self.watch_communities() => {}
            () = bundles => {}
            () = shutdown.wait() => {}
        }
    }

    /// Learns what operators did to registrations by the command line, beside this process.
    pub async fn read_notes(&self) {
        let since = self.last_note.load(Ordering::Acquire);
        match self.registrations.read_notes(since).await {
            // Only forwards: a slower round must not bring notes back.
            Ok(last) => {
                self.last_note.fetch_max(last, Ordering::AcqRel);
                if last > since {
                    self.look_at_all_apps_again();
                }
            }
            Err(error) => tracing::error!(%error, "what operators did could not be read"),
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick
}
