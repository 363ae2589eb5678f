//! Certifications that are kept are judged again when trust moves: who signed one may have been revoked
//! since, or is no certifier any more by the operator's anchors and lists. Then it does not count, however
//! long its own `exp` is.

use super::{Refused, signable};
use crate::app::{Server, refusal};
use crate::life_cycle::{FINAL, ends};
use crate::store::{CertificationKey, KeptCertification, Standing};
use std::time::{Duration, Instant};
use udap_host::audit::Event;
use udap_host::db::DbError;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::certification;

/// How often they are judged while nothing moves, in seconds: some CA's certificate expires.
const JUDGE_SECS: i64 = 900;
/// How long one round takes at most; the next one goes on where it was left.
const ROUND: Duration = Duration::from_secs(10);

/// A look at all of them, which may take several rounds.
#[derive(Debug, Default)]
pub(super) struct Pass {
    begun: UnixTime,
    /// What trust was when it began.
    epoch: u64,
    /// How often communities had been exchanged then.
    exchanged: u64,
    /// Whether they had been since the pass before.
    anchors: bool,
    /// Behind which one it goes on, until it is done.
    after: Option<CertificationKey>,
}

impl Pass {
    /// Begins the next one if there is a reason to.
    fn begin(&mut self, epoch: u64, exchanged: u64, now: UnixTime) {
        let anchors = exchanged != self.exchanged;
        if self.after.is_some()
            || (!anchors && epoch == self.epoch && now.0 < self.begun.0.saturating_add(JUDGE_SECS))
        {
            return;
        }
        *self = Self {
            begun: now,
            epoch,
            exchanged,
            anchors,
            after: Some(CertificationKey::default()),
        };
    }
}

impl Server {
    /// Goes on with the pass that runs, or begins one. What fails is tried again in the next round.
    pub(super) async fn judge_again(&self, now: UnixTime) -> Result<(), DbError> {
        let mut pass = self.watch.pass.lock().await;
        let epoch = self.communities.trust().epoch().now();
        pass.begin(epoch, self.watch.exchanged(), now);
        let started = Instant::now();
        while let Some(after) = &pass.after {
            let page = self.registrations.kept_certifications(now, after).await?;
            if page.is_empty() {
                pass.after = None;
            }
            for kept in page {
                self.judge_one(&kept, pass.anchors, now).await?;
                pass.after = Some(kept.key);
                if started.elapsed() >= ROUND {
                    return Ok(());
                }
                // Requests may be waiting for this thread.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn judge_one(
        &self,
        kept: &KeptCertification,
        anchors: bool,
        now: UnixTime,
    ) -> Result<(), DbError> {
        let (standing, why) = match self.stands(kept, now).await {
            Ok(()) => (Standing::Counts, None),
            Err(refused) => match weight(&refused, anchors) {
                Some(standing) => (standing, Some(refused)),
                None => return Ok(()),
            },
        };
        if !self.registrations.set_standing(kept, standing, now).await? {
            return Ok(());
        }
        match why {
            Some(refused) => {
                let who = self.watched(&kept.community, &kept.key.client_id, &kept.uri);
                let refusal = refusal(refused.code(), &refused);
                let event = Event::CertificationRefused(refusal);
                self.audit.record(who, event).await;
                Ok(())
            }
            None if kept.rests => {
                let (community, client_id) = (&kept.community, &kept.key.client_id);
                self.revive(community, client_id, &kept.uri, now).await
            }
            None => Ok(()),
        }
    }

    /// Whether its signer may still certify, as when it was accepted.
    async fn stands(&self, kept: &KeptCertification, now: UnixTime) -> Result<(), Refused> {
        // One of a community that is gone counts for nothing anyway, and comes back with it.
        let Some(served) = self.communities.select(Some(&kept.community)) else {
            return Ok(());
        };
        let algorithms = &served.community.algorithms;
        let signed = certification::verify_signature(&kept.compact, algorithms)?;
        let programme = std::slice::from_ref(&kept.key.programme);
        signable(&served.certifications, &signed, programme)?;
        // An app's own word stays when its certificate goes, as its registration does: it is the URI's, and
        // each token is asked for with a certificate that is good then.
        if signed.claims_self_signed() {
            return Ok(());
        }
        let community = served.community.uri.as_str();
        self.communities.certifier(community, &signed, now).await?;
        Ok(())
    }
}

/// What a refusal does to a certification that was accepted; `None` for what may be otherwise when it is
/// asked again: an outage ends nothing.
fn weight(refused: &Refused, anchors: bool) -> Option<Standing> {
    let Refused::Trust(error) = refused else {
        return Some(Standing::Refused);
    };
    let [revoked, ..] = FINAL;
    match ends(error, anchors)? {
        code if code == revoked => Some(Standing::Ended),
        _ => Some(Standing::Refused),
    }
}
