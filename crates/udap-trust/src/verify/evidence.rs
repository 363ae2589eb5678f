//! What was fetched for one community: issuers, CRLs and OCSP responses, by need.
//!
//! CRLs, and issuers that proved good, are in a snapshot that every verification begins with, so that
//! the first question to the core mostly is the last one. Everything else (an OCSP response is about
//! one certificate, an issuer's certificate may come from a stranger's URL) is kept by its need and
//! shown only to a verification that asks for it: nobody can fill the others' evidence with junk.

use super::crls::{Change, Crls};
use super::get::{Got, get};
use super::responses::Responses;
use crate::epoch::Epoch;
use crate::fetch::Fetcher;
use crate::fetch::Validators;
use arc_swap::ArcSwap;
use futures_util::future::{BoxFuture, FutureExt as _, Shared, join_all};
use futures_util::stream::{self, StreamExt as _};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use udap_pki::ocsp::{CertStatus, SingleResponse};
use udap_pki::{Certificate, Crl, Evidence, Need, OcspResponse, PublicKey, UnixTime, Valid};

/// How long a failed fetch is remembered, and an answer that did not help, so that a dead host is not
/// asked for every request.
pub(super) const RETRY_SECS: i64 = 30;
/// The most URLs that are remembered for one community.
const MAX_URLS: usize = 4096;
/// The most bytes of answers that are kept for one community.
const MAX_KEPT: usize = 256 * 1024 * 1024;
/// The most issuers that were fetched and proved good.
const MAX_ISSUERS: usize = 64;
/// What nobody needed for so long is not refreshed.
const UNUSED_SECS: i64 = 3600;
/// How many are refreshed at once.
const REFRESHING: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct EvidenceStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    snapshot: ArcSwap<Snapshot>,
    epoch: Epoch,
}

struct State {
    items: HashMap<Need, Item>,
    /// Fetches under way; whoever needs the same waits for the same.
    flights: HashMap<Need, Flight>,
    /// Configured, or fetched and proved good.
    issuers: Vec<Certificate>,
}

type Flight = Shared<BoxFuture<'static, ()>>;

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Item {
    what: What,
    asked: UnixTime,
    /// From when on whoever needs it asks again.
    ask_again: UnixTime,
    used: Arc<Used>,
}

#[derive(Debug)]
enum What {
    Issuer(Vec<Certificate>),
    /// `failed`: the last fetch brought nothing that is of use.
    Crl {
        crls: Crls,
        failed: bool,
    },
    Ocsp(Responses),
    /// It could not be had.
    Nothing,
}

/// When something was last needed.
#[derive(Debug)]
pub(super) struct Used(AtomicI64);

impl Used {
    pub(super) fn touch(&self, now: UnixTime) {
        // To the minute is enough, and spares the processors' caches.
        if now.0.saturating_sub(self.0.load(Ordering::Relaxed)) >= 60 {
            self.0.store(now.0, Ordering::Relaxed);
        }
    }
    fn at(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What every verification begins with; made anew whenever it changes.
#[derive(Debug)]
struct Snapshot {
    evidence: Evidence,
    /// When the first failure is forgotten.
    until: UnixTime,
    crls: HashMap<String, (Arc<Used>, Vec<PublicKey>)>,
}

/// What one verification asked for beside the snapshot.
#[derive(Debug, Default)]
pub(super) struct Extra {
    issuers: Vec<Certificate>,
    ocsp: Vec<(Need, Arc<OcspResponse>, Arc<Used>)>,
    /// Needs that were followed: whether they led anywhere, the core can see for itself.
    followed: Vec<Need>,
    fetched: usize,
}

impl Extra {
    pub(super) const fn fetched(&self) -> usize {
        self.fetched
    }
}

impl EvidenceStore {
    pub(super) fn new(intermediates: &[Certificate], epoch: Epoch) -> Self {
        let state = State {
            items: HashMap::new(),
            flights: HashMap::new(),
            issuers: intermediates.to_vec(),
        };
        let snapshot = ArcSwap::from_pointee(state.snapshot(UnixTime(0)));
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            snapshot,
            epoch,
        }))
    }

    /// The snapshot and what this verification asked for.
    pub(super) fn current(&self, extra: &Extra, now: UnixTime) -> Evidence {
        if now >= self.0.snapshot.load().until {
            self.0.publish(&self.0.lock(), now);
        }
        let mut evidence = self.0.snapshot.load().evidence.clone();
        for certificate in &extra.issuers {
            evidence.add_certificate(certificate.clone());
        }
        for (_, response, _) in &extra.ocsp {
            evidence.add_ocsp(Arc::clone(response));
        }
        for need in &extra.followed {
            evidence.mark_unavailable(need.clone());
        }
        evidence
    }

    /// Follows these needs: what is known is taken as it is, the rest is fetched at once, as far as
    /// there is room. A fetch goes on when nobody waits any longer, so that the next one finds it.
    pub(super) async fn gather(
        &self,
        fetcher: &Fetcher,
        needs: Vec<Need>,
        room: usize,
        extra: &mut Extra,
        deadline: Instant,
        now: UnixTime,
    ) {
        let mut flights = Vec::new();
        {
            let mut state = self.0.lock();
            for need in &needs {
                let known = state
                    .items
                    .get(need)
                    .is_some_and(|item| now < item.ask_again);
                if !known && flights.len() < room {
                    flights.push(self.0.fly(&mut state, fetcher, need, now));
                }
            }
        }
        extra.fetched += flights.len();
        let _ = tokio::time::timeout_at(deadline, join_all(flights)).await;
        let state = self.0.lock();
        for need in needs {
            if let Some(item) = state.items.get(&need) {
                item.used.touch(now);
                match &item.what {
                    What::Issuer(certificates) => extra.issuers.extend_from_slice(certificates),
                    What::Ocsp(responses) => extra.ocsp.extend(responses.all().map(|response| {
                        let used = Arc::clone(&item.used);
                        (need.clone(), Arc::clone(response), used)
                    })),
                    What::Crl { .. } | What::Nothing => {}
                }
            }
            extra.followed.push(need);
        }
    }

    /// Learns from a verdict: whose CRLs are genuine, and which fetched issuers are good for all.
    /// Says what the verdict rests upon, to be kept fresh while it is used.
    pub(super) fn learn(&self, valid: &Valid, extra: &Extra, now: UnixTime) -> Vec<Arc<Used>> {
        let snapshot = self.0.snapshot.load();
        let mut uses: Vec<_> = extra
            .ocsp
            .iter()
            .map(|(_, _, used)| Arc::clone(used))
            .collect();
        let mut lessons = Vec::new();
        for pair in valid.path().windows(2) {
            let [certificate, issuer] = pair else {
                continue;
            };
            for url in certificate.crl_urls() {
                let Some((used, keys)) = snapshot.crls.get(url) else {
                    continue;
                };
                used.touch(now);
                uses.push(Arc::clone(used));
                if let Ok(key) = issuer.public_key()
                    && !keys.iter().any(|known| known.spki_der() == key.spki_der())
                {
                    lessons.push((url, key));
                }
            }
        }
        let proved: Vec<_> = valid
            .path()
            .iter()
            .filter(|c| extra.issuers.contains(c))
            .cloned()
            .collect();
        if lessons.is_empty() && proved.is_empty() {
            return uses;
        }
        let mut state = self.0.lock();
        for (url, key) in lessons {
            let need = Need::Crl { url: url.clone() };
            if let Some(What::Crl { crls, .. }) = state.items.get_mut(&need).map(|i| &mut i.what) {
                crls.learn(key, now);
            }
        }
        for issuer in proved {
            if !state.issuers.contains(&issuer) && state.issuers.len() < MAX_ISSUERS {
                state.issuers.push(issuer);
            }
        }
        self.0.publish(&state, now);
        uses
    }

    /// OCSP responses that did not help are asked for again, though not at once: whoever forged one
    /// must not shut a member out for as long as he likes.
    pub(super) fn doubt(&self, extra: &Extra, now: UnixTime) {
        let mut state = self.0.lock();
        for (need, _, _) in &extra.ocsp {
            if let Some(item) = state.items.get_mut(need) {
                item.ask_again = item
                    .ask_again
                    .min(item.asked.plus_secs(RETRY_SECS))
                    .max(now);
            }
        }
    }

    /// Fetches again what was used lately: every CRL, and OCSP responses of which half the time has
    /// passed.
    pub(super) async fn refresh(&self, fetcher: &Fetcher, now: UnixTime) {
        let due: Vec<Need> = {
            let state = self.0.lock();
            let due = state.items.iter().filter(|(_, item)| item.is_due(now));
            due.map(|(need, _)| need.clone()).collect()
        };
        stream::iter(due)
            .for_each_concurrent(REFRESHING, |need| {
                self.0.fly(&mut self.0.lock(), fetcher, &need, now)
            })
            .await;
    }

    /// URL and when it lapses: of every OCSP response.
    pub(super) fn ocsp(&self) -> Vec<(String, Option<UnixTime>)> {
        let state = self.0.lock();
        let mut list: Vec<_> = state
            .items
            .iter()
            .filter_map(|(need, item)| match (need, &item.what) {
                (Need::Ocsp { url, .. }, What::Ocsp(responses)) => {
                    let response = responses.all().next()?;
                    Some((url.clone(), response.next_update()))
                }
                _ => None,
            })
            .collect();
        list.sort();
        list
    }

    /// URL, when it lapses, how many serials: of every CRL.
    pub(super) fn crls(&self) -> Vec<(String, Option<UnixTime>, usize)> {
        let state = self.0.lock();
        let mut list: Vec<_> = state
            .items
            .iter()
            .filter_map(|(need, item)| match (need, &item.what) {
                (Need::Crl { url }, What::Crl { crls, .. }) => {
                    let crl = crls.all().next()?;
                    Some((url.clone(), crl.next_update(), crl.len()))
                }
                _ => None,
            })
            .collect();
        list.sort();
        list
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, state: &State, now: UnixTime) {
        self.snapshot.store(Arc::new(state.snapshot(now)));
    }

    /// Begins to fetch a need, or joins the fetch that is under way.
    fn fly(
        self: &Arc<Self>,
        state: &mut State,
        fetcher: &Fetcher,
        need: &Need,
        now: UnixTime,
    ) -> Flight {
        if let Some(flight) = state.flights.get(need) {
            return flight.clone();
        }
        let validators = match state.items.get(need).map(|item| &item.what) {
            Some(What::Crl { crls, .. }) => crls.validators(),
            _ => Validators::default(),
        };
        let (inner, fetcher, wanted) = (Arc::clone(self), fetcher.clone(), need.clone());
        let flight = async move {
            let got = get(&fetcher, &wanted, validators).await;
            inner.settle(wanted, got, now);
        };
        let flight = flight.boxed().shared();
        state.flights.insert(need.clone(), flight.clone());
        tokio::spawn(flight.clone());
        flight
    }

    /// Keeps what a fetch brought.
    fn settle(&self, need: Need, got: Result<Got, String>, now: UnixTime) {
        if let Err(why) = &got {
            // The URL stands in a certificate, so it is no secret; queries are left out all the same.
            let url = match &need {
                Need::Issuer { url } | Need::Crl { url } | Need::Ocsp { url, .. } => {
                    url.split('?').next()
                }
            };
            tracing::warn!(url, %why, "evidence could not be fetched");
        }
        let mut state = self.lock();
        state.flights.remove(&need);
        let old = state.items.remove(&need);
        let used = old.as_ref().map_or_else(
            || Arc::new(Used(AtomicI64::new(now.0))),
            |old| Arc::clone(&old.used),
        );
        let retry = now.plus_secs(RETRY_SECS);
        let still = |until: UnixTime| if now < until { until } else { retry };
        let mut changed = false;
        let (what, ask_again) = match (&need, got, old.map(|old| (old.what, old.ask_again))) {
            (Need::Crl { .. }, got, old) => {
                let mut crls = match old {
                    Some((What::Crl { crls, .. }, _)) => crls,
                    _ => Crls::default(),
                };
                let failed = match got {
                    Ok(Got::Crl(crl, validators)) => {
                        let change = crls.take(Arc::new(*crl), validators, now);
                        changed = change == Change::New;
                        change == Change::Older
                    }
                    Ok(Got::UnchangedCrl) => false,
                    _ => true,
                };
                // Whoever asks for a CRL again found this one of no use; see [`Crls`].
                let failed = failed || !crls.fresh(now);
                (What::Crl { crls, failed }, retry)
            }
            (_, Ok(Got::Issuer(certificates)), _) => (What::Issuer(certificates), retry),
            (
                Need::Ocsp {
                    certificate,
                    issuer,
                    ..
                },
                Ok(Got::Ocsp(response)),
                old,
            ) => {
                let (mut responses, until) = match old {
                    Some((What::Ocsp(responses), until)) => (responses, still(until)),
                    _ => (Responses::default(), retry),
                };
                let next = response.next_update().unwrap_or(retry).max(retry);
                // A response is about one member, so it changes what is known of nobody else; only
                // what takes trust away must reach verdicts that were reached otherwise.
                let good = |single: &SingleResponse| single.status() == CertStatus::Good;
                changed = !response.responses().iter().all(good);
                let taken = responses.take(Arc::new(*response), certificate, issuer, now);
                (What::Ocsp(responses), if taken { next } else { until })
            }
            // What is known outlives a failed refresh. Lapsed it stays as well: who was revoked is, and policy
            // may grant a grace.
            (_, _, Some((What::Ocsp(responses), until))) => (What::Ocsp(responses), still(until)),
            _ => (What::Nothing, retry),
        };
        let item = Item {
            what,
            asked: now,
            ask_again,
            used,
        };
        state.items.insert(need, item);
        state.make_room();
        self.publish(&state, now);
        drop(state);
        if changed {
            self.epoch.advance();
        }
    }
}

impl State {
    fn snapshot(&self, now: UnixTime) -> Snapshot {
        let mut evidence = Evidence::default();
        for certificate in &self.issuers {
            evidence.add_certificate(certificate.clone());
        }
        let mut until = UnixTime(i64::MAX);
        let mut uses = HashMap::new();
        for (need, item) in &self.items {
            let (Need::Crl { url }, What::Crl { crls, failed }) = (need, &item.what) else {
                continue;
            };
            // A lapsed list stays: what it says is revoked is revoked, and policy may grant a grace.
            for crl in crls.all() {
                evidence.add_crl(Arc::clone(crl));
            }
            if *failed && now < item.ask_again {
                evidence.mark_unavailable(need.clone());
                until = until.min(item.ask_again);
            }
            uses.insert(url.clone(), (Arc::clone(&item.used), crls.keys().to_vec()));
        }
        Snapshot {
            evidence,
            until,
            crls: uses,
        }
    }

    /// Drops what was not used for longest: first what strangers can cause, CRLs last.
    fn make_room(&mut self) {
        let mut kept: usize = self.items.values().map(Item::bytes).sum();
        while self.items.len() > MAX_URLS || kept > MAX_KEPT {
            let oldest = self
                .items
                .iter()
                .min_by_key(|(_, item)| (item.rank(), item.used.at()));
            let Some(need) = oldest.map(|(need, _)| need.clone()) else {
                return;
            };
            kept = kept.saturating_sub(self.items.remove(&need).map_or(0, |item| item.bytes()));
        }
    }
}

impl Item {
    const fn rank(&self) -> u8 {
        match &self.what {
            What::Issuer(_) | What::Nothing => 0,
            What::Ocsp(_) => 1,
            What::Crl { .. } => 2,
        }
    }

    fn bytes(&self) -> usize {
        match &self.what {
            What::Issuer(certificates) => certificates.iter().map(|c| c.der().len()).sum(),
            What::Ocsp(responses) => responses.all().map(|response| response.der().len()).sum(),
            What::Crl { crls, .. } => crls.all().map(|crl: &Arc<Crl>| crl.der().len()).sum(),
            What::Nothing => 0,
        }
    }

    fn is_due(&self, now: UnixTime) -> bool {
        let used = now.0.saturating_sub(self.used.at()) <= UNUSED_SECS;
        used && match &self.what {
            What::Crl { .. } => true,
            What::Ocsp(_) => {
                let half = self.ask_again.secs_since(self.asked) / 2;
                now >= self.asked.plus_secs(half)
            }
            What::Issuer(_) | What::Nothing => false,
        }
    }
}
