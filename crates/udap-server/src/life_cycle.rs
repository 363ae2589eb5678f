//! What ends access tokens before their time without anybody's hand: the certificate by which they were
//! asked for is revoked or has expired, or that of a CA above it.
//!
//! The registration itself stays: it belongs to the app's URI, and an app that has a new certificate asks
//! for its next token with that one. Only the tokens end, all of that client, and the audit trail says why.

use crate::app::{Server, refusal};
use crate::store::ActiveSigner;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use udap_host::audit::{Event, Who};
use udap_host::db::DbError;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_trust::verify::TrustError;

/// How often certificates are looked at while trust does not move, in seconds: some expire.
const LOOK_SECS: i64 = 300;

/// When certificates were looked at last, and in which epoch of trust.
#[derive(Debug)]
pub(crate) struct LifeCycle {
    looked: AtomicI64,
    epoch: AtomicU64,
    /// How often anchors may have been exchanged. The start counts: they may have been while it was down.
    exchanged: AtomicU64,
    /// Up to which of these exchanges every certificate was looked at.
    judged: AtomicU64,
}

impl Default for LifeCycle {
    fn default() -> Self {
        Self {
            looked: AtomicI64::new(0),
            epoch: AtomicU64::new(0),
            exchanged: AtomicU64::new(1),
            judged: AtomicU64::new(0),
        }
    }
}

impl Server {
    /// Ends the tokens of certificates that are no longer good, when trust has moved since the last
    /// look or some time has passed: part of each round of [`Self::run_background`].
    pub(crate) async fn end_tokens_of_lost_certificates(&self, now: UnixTime) {
        self.end_tokens(now).await;
    }

    /// The same when communities were exchanged: an anchor that the operator took away takes what rests on
    /// it along, now or, where that fails, in a later round. At other times a chain that is not trusted may be one whose issuer cannot be had.
    pub(crate) async fn end_tokens_of_lost_anchors(&self, now: UnixTime) {
        self.life_cycle.exchanged.fetch_add(1, Ordering::Relaxed);
        self.end_tokens(now).await;
    }

    async fn end_tokens(&self, now: UnixTime) {
        let exchanged = self.life_cycle.exchanged.load(Ordering::Relaxed);
        // Until a look has come to its end, what went with an anchor is still to be found.
        let judged = self.life_cycle.judged.load(Ordering::Relaxed) >= exchanged;
        let epoch = self.communities.trust().epoch().now();
        let looked = self.life_cycle.looked.load(Ordering::Relaxed);
        if judged
            && epoch == self.life_cycle.epoch.load(Ordering::Relaxed)
            && now.0 < looked.saturating_add(LOOK_SECS)
        {
            return;
        }
        match self.look_at_signers(!judged, now).await {
            Ok(()) => {
                self.life_cycle.looked.store(now.0, Ordering::Relaxed);
                self.life_cycle.epoch.store(epoch, Ordering::Relaxed);
                let judged = &self.life_cycle.judged;
                judged.fetch_max(exchanged, Ordering::Relaxed);
            }
            // The next round tries again.
            Err(error) => tracing::error!(%error, "certificates of clients could not be looked at"),
        }
    }

    async fn look_at_signers(&self, exchanged: bool, now: UnixTime) -> Result<(), DbError> {
        self.signers.forget_expired(now).await?;
        let mut after = (Arc::default(), [0; 32]);
        loop {
            let (page, last) = self.signers.active(now, &after).await?;
            for signer in &page {
                self.look_at(signer, exchanged, now).await?;
            }
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    async fn look_at(
        &self,
        signer: &ActiveSigner,
        exchanged: bool,
        now: UnixTime,
    ) -> Result<(), DbError> {
        let client_id = &signer.client_id;
        let Some(registration) = self.registrations.by_client_id(client_id).await? else {
            return Ok(());
        };
        let trust = self.communities.trust();
        let verdict = trust
            .verify(
                &registration.community,
                &signer.leaf,
                &signer.intermediates,
                now,
            )
            .await;
        let Err(error) = verdict else {
            return Ok(());
        };
        // What cannot be told for the moment ends nothing: no new token is issued meanwhile, and those
        // there are live for minutes.
        let Some(code) = ends(&error, exchanged) else {
            return Ok(());
        };
        let ended = self.registrations.end_tokens(signer, code, now);
        let ended = ended.await?;
        self.signers.forget(signer);
        if ended {
            let mut who = Who::default();
            registration.tell(&mut who);
            let refusal = refusal(code, &error);
            self.audit.record(who, Event::TokensEnded(refusal)).await;
        }
        Ok(())
    }
}

/// Why tokens end: that will not change by asking again.
pub(crate) const FINAL: [&str; 2] = ["certificate-revoked", "certificate-expired"];
/// The anchor is gone.
const NOT_TRUSTED: &str = "chain-not-trusted";
/// Every reason why tokens end.
pub(crate) const ENDS: [&str; 3] = [FINAL[0], FINAL[1], NOT_TRUSTED];

/// Why what rests on a certificate ends when it is refused so; `None` for what may be otherwise when it is
/// asked again. That its anchor is gone is told only where communities were `exchanged`: at other times its
/// issuer may be one that cannot be had. The refusal's own code does not tell it, since whoever sends
/// certificates along, or has another key under the name of the old root, is told of those.
pub(crate) fn ends(error: &TrustError, exchanged: bool) -> Option<&'static str> {
    let code = error.code();
    if FINAL.contains(&code) {
        Some(code)
    } else {
        (exchanged && error.is_unanchored()).then_some(NOT_TRUSTED)
    }
}
