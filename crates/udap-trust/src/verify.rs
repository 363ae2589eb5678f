//! The trust loop: ask the core, fetch what it needs, ask again, remember what was accepted.

mod crls;
mod error;
mod evidence;
mod get;
mod responses;

pub use error::TrustError;

use crate::epoch::Epoch;
use crate::fetch::Fetcher;
use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use evidence::{EvidenceStore, Extra, RETRY_SECS, Used};
use moka::sync::Cache;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use udap_pki::{
    Anchor, Certificate, Evidence, Outcome, Policy, Request, Revocation, UnixTime, Valid,
};

/// The most fetches for one verification.
pub const MAX_FETCHES: usize = 4;
/// The most rounds of fetching for one verification.
pub const MAX_ROUNDS: usize = 2;
/// How long one verification may wait for what it fetches, all in all.
pub const MAX_WAIT: Duration = Duration::from_secs(3);
/// How often one verification begins anew because its community was exchanged while it ran. Anchors
/// change once in months.
const MAX_WORLDS: usize = 3;
/// The most verdicts that are remembered; each takes some 4 KB.
const MAX_VERDICTS: u64 = 10_000;

/// One community, as far as trust in its members goes.
#[derive(Debug, Clone)]
pub struct CommunityTrust {
    /// Its URI.
    pub uri: String,
    /// Whom it trusts. Anchors of other communities never count.
    pub anchors: Vec<Anchor>,
    /// Certificates that are known beforehand and help to build paths; not trusted in themselves.
    pub intermediates: Vec<Certificate>,
    /// How strictly its members are judged.
    pub policy: Policy,
}

impl CommunityTrust {
    /// A community whose members sign JWTs and whose revocation must be known.
    #[must_use]
    pub fn new(uri: impl Into<String>, anchors: Vec<Anchor>) -> Self {
        Self {
            uri: uri.into(),
            anchors,
            intermediates: Vec::new(),
            policy: Policy::default(),
        }
    }

    /// Whether both decide alike.
    fn is_same_as(&self, other: &Self) -> bool {
        let anchors = |trust: &Self| -> Vec<[u8; 32]> {
            let anchors = trust.anchors.iter();
            anchors
                .map(|anchor| *anchor.certificate().sha256())
                .collect()
        };
        let intermediates = |trust: &Self| -> Vec<[u8; 32]> {
            let intermediates = trust.intermediates.iter();
            intermediates
                .map(|certificate| *certificate.sha256())
                .collect()
        };
        self.uri == other.uri
            && self.policy == other.policy
            && anchors(self) == anchors(other)
            && intermediates(self) == intermediates(other)
    }
}

/// A certificate was found good in a community. Only [`TrustEngine::verify`] makes one.
#[derive(Debug, Clone)]
pub struct Verdict(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    valid: Valid,
    community: String,
    epoch: u64,
    /// The latest notBefore of the path.
    from: UnixTime,
    until: UnixTime,
    /// What was fetched for it, which is kept fresh while it is used.
    uses: Vec<Arc<Used>>,
}

impl Verdict {
    /// In which community.
    #[must_use]
    pub fn community(&self) -> &str {
        &self.0.community
    }
    /// The trust epoch in which it was reached.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }
    /// Until when it holds: the earliest notAfter and nextUpdate of all it rests upon, and shortly
    /// where revocation could not be looked at or a list is used in its grace, since either may
    /// change at any time.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.0.until
    }
}

impl Deref for Verdict {
    type Target = Valid;
    fn deref(&self) -> &Valid {
        &self.0.valid
    }
}

/// Decides trust in members, community by community.
#[derive(Debug)]
pub struct TrustEngine {
    communities: ArcSwap<HashMap<String, Arc<World>>>,
    fetcher: Option<Fetcher>,
    epoch: Epoch,
    verdicts: Cache<[u8; 32], Verdict>,
}

/// A community and what was fetched for it. Nothing in it serves another community.
#[derive(Debug)]
struct World {
    trust: CommunityTrust,
    /// The same rules without grace, which is for when a newer list cannot be had.
    strict: Policy,
    evidence: EvidenceStore,
}

impl TrustEngine {
    /// An engine for these communities. Without a fetcher it decides on what it is given.
    #[must_use]
    pub fn new(fetcher: Option<Fetcher>, communities: Vec<CommunityTrust>) -> Self {
        let engine = Self {
            communities: ArcSwap::default(),
            fetcher,
            epoch: Epoch::default(),
            verdicts: Cache::new(MAX_VERDICTS),
        };
        engine.replace_communities(communities);
        engine
    }

    /// The epoch, which rises when anything that verdicts rest upon changes.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Replaces all communities. Earlier verdicts are not believed any more.
    pub fn replace_communities(&self, communities: Vec<CommunityTrust>) {
        self.change_communities(&[], communities);
    }

    /// The same, where what was fetched for a community that is as it was before is kept, and nothing is
    /// judged anew if all are.
    pub fn change_communities(&self, before: &[CommunityTrust], after: Vec<CommunityTrust>) {
        let old = self.communities.load_full();
        let known = after.len();
        let mut kept = 0;
        let worlds: HashMap<_, _> = after
            .into_iter()
            .map(|trust| {
                let same = before.iter().any(|before| before.is_same_as(&trust));
                if let (true, Some(world)) = (same, old.get(&trust.uri)) {
                    kept += 1;
                    return (trust.uri, Arc::clone(world));
                }
                let evidence = EvidenceStore::new(&trust.intermediates, self.epoch.clone());
                let strict = Policy {
                    grace_secs: 0,
                    ..trust.policy.clone()
                };
                let uri = trust.uri.clone();
                let world = World {
                    trust,
                    strict,
                    evidence,
                };
                (uri, Arc::new(world))
            })
            .collect();
        if kept == known && known == old.len() {
            return;
        }
        // In this order: whoever sees the new epoch sees the new worlds.
        self.communities.store(Arc::new(worlds));
        self.epoch.advance();
    }

    /// What is known already of a good certificate. Costs next to nothing, unlike [`Self::verify`] of one that
    /// is not known.
    #[must_use]
    pub fn known(
        &self,
        community: &str,
        leaf: &Certificate,
        intermediates: &[Certificate],
        now: UnixTime,
    ) -> Option<Verdict> {
        let key = key(community, leaf, intermediates);
        self.remembered(&key, self.epoch.now(), now)
    }

    /// Whether it was accepted before, as far as that is remembered: it is no stranger's, whatever has become
    /// of it since.
    #[must_use]
    pub fn has_accepted(
        &self,
        community: &str,
        leaf: &Certificate,
        intermediates: &[Certificate],
    ) -> bool {
        self.verdicts
            .contains_key(&key(community, leaf, intermediates))
    }

    fn remembered(&self, key: &[u8; 32], epoch: u64, now: UnixTime) -> Option<Verdict> {
        let verdict = self.verdicts.get(key)?;
        if verdict.epoch() != epoch || now >= verdict.0.until || now < verdict.0.from {
            return None;
        }
        for used in &verdict.0.uses {
            used.touch(now);
        }
        Some(verdict)
    }

    /// Says whether a certificate is good in one community.
    ///
    /// # Errors
    /// [`TrustError`]: also when something that is required cannot be had.
    pub async fn verify(
        &self,
        community: &str,
        leaf: &Certificate,
        intermediates: &[Certificate],
        now: UnixTime,
    ) -> Result<Verdict, TrustError> {
        let key = key(community, leaf, intermediates);
        let epoch = self.epoch.now();
        if let Some(verdict) = self.remembered(&key, epoch, now) {
            return Ok(verdict);
        }
        for _ in 0..MAX_WORLDS {
            let world = self.world(community)?;
            let verdict = self.decide(&world, leaf, intermediates, now).await;
            // Anchors that were exchanged meanwhile have decided nothing: the epoch of the verdict may be
            // the new one and its anchors the old ones.
            if Arc::ptr_eq(&world, &self.world(community)?) {
                let verdict = verdict?;
                self.verdicts.insert(key, verdict.clone());
                return Ok(verdict);
            }
        }
        Err(TrustError::UnknownCommunity {
            community: community.to_owned(),
        })
    }

    fn world(&self, community: &str) -> Result<Arc<World>, TrustError> {
        let world = self.communities.load().get(community).cloned();
        world.ok_or_else(|| TrustError::UnknownCommunity {
            community: community.to_owned(),
        })
    }

    async fn decide(
        &self,
        world: &World,
        leaf: &Certificate,
        intermediates: &[Certificate],
        now: UnixTime,
    ) -> Result<Verdict, TrustError> {
        let ask = |evidence: &Evidence, policy: &Policy, verify: fn(&Request<'_>) -> Outcome| {
            verify(&Request {
                leaf,
                intermediates,
                anchors: &world.trust.anchors,
                evidence,
                now,
                policy,
            })
        };
        let deadline = tokio::time::Instant::now() + MAX_WAIT;
        let mut extra = Extra::default();
        let mut rounds = 0;
        let (outcome, epoch, last_resort) = loop {
            // From before the evidence is looked at: if it moves meanwhile, nobody believes the verdict
            // later.
            let epoch = self.epoch.now();
            let evidence = world.evidence.current(&extra, now);
            let outcome = ask(&evidence, &world.strict, udap_pki::verify);
            let room = MAX_FETCHES.saturating_sub(extra.fetched());
            match (outcome, &self.fetcher) {
                (Outcome::Incomplete(incomplete), Some(fetcher))
                    if rounds < MAX_ROUNDS && room > 0 =>
                {
                    rounds += 1;
                    let needs = incomplete.needs;
                    let gathered = world
                        .evidence
                        .gather(fetcher, needs, room, &mut extra, deadline, now);
                    gathered.await;
                }
                // What is missing by now is judged as unavailable, with the grace that the policy has.
                (Outcome::Incomplete(_), _) => {
                    let last = ask(&evidence, &world.trust.policy, udap_pki::verify_offline);
                    break (last, epoch, true);
                }
                (Outcome::Invalid(_), _) if world.trust.policy.grace_secs > 0 => {
                    let last = ask(&evidence, &world.trust.policy, udap_pki::verify_offline);
                    break (last, epoch, true);
                }
                (outcome, _) => break (outcome, epoch, false),
            }
        };
        let valid = match outcome.into_result() {
            Ok(valid) => valid,
            Err(invalid) => {
                if invalid.reason.code() != "certificate-revoked" {
                    world.evidence.doubt(&extra, now);
                }
                return Err(invalid.into());
            }
        };
        let unknown =
            world.trust.policy.revocation != Revocation::Off && !valid.revocation_checked();
        if unknown {
            world.evidence.doubt(&extra, now);
        }
        let until = if unknown || last_resort {
            valid.expires().min(now.plus_secs(RETRY_SECS))
        } else {
            valid.expires()
        };
        Ok(Verdict(Arc::new(Kept {
            from: valid
                .path()
                .iter()
                .map(Certificate::not_before)
                .max()
                .unwrap_or(now),
            until,
            uses: world.evidence.learn(&valid, &extra, now),
            valid,
            community: world.trust.uri.clone(),
            epoch,
        })))
    }

    /// Fetches again every CRL that was used lately, so that a revocation is seen although the CRL
    /// before it would be good for hours, and OCSP responses before they lapse. Raises the epoch when
    /// one has changed. To be called on a schedule, each minute or so: servers that know `ETag` or
    /// `Last-Modified` answer with a few bytes. A dead host slows nobody, since what is known stays in
    /// use until it lapses.
    pub async fn refresh(&self, now: UnixTime) {
        let Some(fetcher) = &self.fetcher else { return };
        let worlds: Vec<_> = self.communities.load().values().cloned().collect();
        for world in worlds {
            world.evidence.refresh(fetcher, now).await;
        }
    }

    /// A community as it is trusted now.
    #[must_use]
    pub fn community(&self, uri: &str) -> Option<CommunityTrust> {
        self.communities
            .load()
            .get(uri)
            .map(|world| world.trust.clone())
    }

    /// The OCSP responses that are known: community, URL, when each lapses.
    #[must_use]
    pub fn known_ocsp(&self) -> Vec<(String, String, Option<UnixTime>)> {
        let communities = self.communities.load();
        communities
            .iter()
            .flat_map(|(uri, world)| {
                let known = world.evidence.ocsp().into_iter();
                known.map(move |(url, until)| (uri.clone(), url, until))
            })
            .collect()
    }

    /// The CRLs that are known: community, URL, when each lapses, how many serials it has.
    #[must_use]
    pub fn known_crls(&self) -> Vec<(String, String, Option<UnixTime>, usize)> {
        let communities = self.communities.load();
        communities
            .iter()
            .flat_map(|(uri, world)| {
                world
                    .evidence
                    .crls()
                    .into_iter()
                    .map(move |(url, until, len)| (uri.clone(), url, until, len))
            })
            .collect()
    }
}

/// SHA-256 over the community, the leaf and every certificate that was offered with it, each with
/// its length or of fixed length, so that no two requests share a key.
fn key(community: &str, leaf: &Certificate, intermediates: &[Certificate]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&(community.len() as u64).to_be_bytes());
    context.update(community.as_bytes());
    context.update(leaf.sha256());
    for certificate in intermediates {
        context.update(certificate.sha256());
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}
