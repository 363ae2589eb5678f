//! Bundles that communities publish about themselves: fetched on a schedule, taken from whom the operator
//! pinned, never older than the last one, and put in force as a change of files is.
//!
//! `docs/decisions/bundles.md` says what a bundle may change and what it may not.

use super::in_force::{InForce, hex, of_others};
use super::reload::{State, Trouble};
use super::{Communities, Served};
use crate::app::{Server, StartError, short};
use crate::life_cycle;
use crate::store::{Bundles, Kept, KeptBundle};
use http::{HeaderMap, Method, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;
use udap_host::config::{self, BundleSigner};
use udap_host::db::{Db, DbError};
use udap_pki::{Anchor, Revocation, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::bundle::{self, BundleError, Pinned, Verified};
use udap_proto::jws::JwsAlg;
use udap_trust::clock;
use udap_trust::fetch::{Kind, Validators};
use udap_trust::verify::{CommunityTrust, TrustError};

/// The bundles in force, and what is known of their servers.
#[derive(Debug, Default)]
pub(super) struct BundleState {
    in_force: HashMap<String, InForce>,
    asked: HashMap<String, Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    at: UnixTime,
    url: String,
    validators: Validators,
    trouble: Option<Trouble>,
}

/// Why a bundle is not put in force.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("the bundle could not be fetched: {0}")]
    Unavailable(String),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("the certificate that signed the bundle is not trusted: {0}")]
    Trust(#[from] TrustError),
    #[error("its sequence is {sequence}, and {last} was in force already")]
    Older { sequence: u64, last: i64 },
    #[error("its sequence {sequence} was that of another bundle")]
    Reused { sequence: u64 },
    #[error(transparent)]
    Unusable(#[from] StartError),
    #[error("it could not be written down: {0}")]
    Db(#[from] DbError),
}

/// What became of a bundle that was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    New,
    /// It is the one in force.
    Same,
    /// The community's settings changed while it was fetched: it is asked for again.
    Later,
}

/// A community as it will be with its new bundle.
struct Candidate {
    before: Arc<Vec<Arc<Served>>>,
    at: usize,
    served: Served,
}

impl NotTaken {
    fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "bundle-unavailable",
            Self::Bundle(e) => e.code(),
            Self::Trust(e) => e.code(),
            Self::Older { .. } => "bundle-older",
            Self::Reused { .. } => "bundle-sequence-reused",
            Self::Unusable(e) => e.code(),
            Self::Db(e) => e.code(),
        }
    }
}

impl BundleState {
    /// What was in force when the server stopped, as far as the operator still pins what it was taken by.
    /// Its signer was judged then; that very key is asked for now, and nothing is fetched.
    pub(super) async fn open(
        store: &Bundles,
        communities: &[config::Community],
        now: UnixTime,
    ) -> Result<Self, DbError> {
        let mut state = Self::default();
        for configured in communities {
            let uri = &configured.uri;
            let Some(kept) = store.last(uri).await? else {
                continue;
            };
            let settings = configured.bundle.as_ref();
            let Some(settings) = settings.filter(|settings| pinned(settings) == kept.pinned) else {
                continue;
            };
            match again(&kept, now) {
                Ok(verified) => {
                    let known = InForce::new(verified, settings, kept.ended);
                    state.in_force.insert(uri.clone(), known);
                }
                Err(error) => {
                    tracing::error!(community = uri, code = error.code(), %error, "the bundle that was in force cannot be used");
                }
            }
        }
        Ok(state)
    }

    /// What is in force in a community. Whoever pins another signer, or none, has no bundle yet.
    pub(super) fn of(&self, community: &config::Community) -> Option<InForce> {
        let settings = community.bundle.as_ref()?;
        let known = self.in_force.get(&community.uri)?;
        (known.signer == settings.signer).then(|| known.clone())
    }

    /// Forgets what is no longer wanted.
    pub(super) fn keep_of(&mut self, wanted: &[config::Community]) {
        let has = |uri: &String| wanted.iter().any(|c| c.bundle.is_some() && c.uri == *uri);
        self.in_force.retain(|uri, _| has(uri));
        self.asked.retain(|uri, _| has(uri));
    }

    /// Its settings or files changed: its bundle is asked for at once, and judged anew.
    pub(super) fn ask_again(&mut self, uri: &str) {
        self.asked.remove(uri);
    }

    pub(super) fn trouble(&self) -> impl Iterator<Item = Trouble> {
        self.asked
            .values()
            .filter_map(|asked| asked.trouble.clone())
    }
}

/// A kept bundle, read as it was read before. One that has expired since is read as of its last moment:
/// that it has ended is for [`Served`] to act upon.
fn again(kept: &KeptBundle, now: UnixTime) -> Result<Verified, BundleError> {
    let signed = bundle::verify_signature(&kept.bundle, &JwsAlg::SSRAA)?;
    let signer = unhex(&kept.signer).unwrap_or_default();
    let read = |at| {
        signed
            .clone()
            .verify(Pinned::Key(&signer), &kept.community, at)
    };
    match read(now) {
        Err(BundleError::Claim(udap_proto::claims::ClaimError::Expired { exp, .. })) => {
            read(exp.plus_secs(-1))
        }
        result => result,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Of each community whose turn it is.
    Due,
    All,
}

impl Server {
    /// Asks each community for its bundle whose turn it is: one round of [`Self::run_background`].
    pub async fn fetch_bundles(&self, now: UnixTime) {
        self.fetch(now, Whose::Due).await;
    }

    /// Asks each community for its bundle, also when it was asked a moment ago.
    pub async fn fetch_bundles_now(&self, now: UnixTime) {
        self.fetch(now, Whose::All).await;
    }

    async fn fetch(&self, now: UnixTime, whose: Whose) {
        let mut asked = false;
        for served in self.communities.all().iter() {
            let configured = &served.configured;
            let Some(settings) = &configured.bundle else {
                continue;
            };
            if whose == Whose::Due
                && !self
                    .communities
                    .is_due(&configured.uri, settings, now)
                    .await
            {
                continue;
            }
            asked = true;
            if self
                .communities
                .fetch_bundle(configured, settings, now)
                .await
            {
                self.end_tokens_of_lost_anchors(clock::now()).await;
                self.look_at_certifications_again();
            }
        }
        if asked {
            self.reload_communities().await;
        }
    }
}

impl Communities {
    async fn is_due(&self, uri: &str, settings: &config::Bundle, now: UnixTime) -> bool {
        let state = self.watched.state.lock().await;
        state.bundles.asked.get(uri).is_none_or(|asked| {
            asked.url != settings.url || now.0 >= asked.at.0.saturating_add(settings.every_secs)
        })
    }

    /// Fetches one bundle and puts it in force; whether anything changed.
    async fn fetch_bundle(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        now: UnixTime,
    ) -> bool {
        let caught_up = self.catch_up(configured, settings, now).await;
        let caught_up = caught_up.unwrap_or_else(|error| {
            let community = &configured.uri;
            tracing::error!(community, code = error.code(), %error, "what was written down cannot be used");
            false
        });
        let validators = {
            let state = self.watched.state.lock().await;
            // Only who has what was fetched last, by whom it is pinned now, is content with "not modified".
            let known = state.bundles.of(configured).is_some();
            let asked = state.bundles.asked.get(&configured.uri);
            let asked = asked.filter(|asked| known && asked.url == settings.url);
            asked
                .map(|asked| asked.validators.clone())
                .unwrap_or_default()
        };
        let fetched = self.fetch(&settings.url, validators.clone()).await;
        let (mut result, validators) = match fetched {
            Ok(None) => (Ok(Taken::Same), validators),
            Ok(Some((compact, fresh))) => {
                let taken = self
                    .take(configured, settings, compact.trim_end(), now)
                    .await;
                // What is not in force is fetched whole again: it may be taken another time.
                let fresh = match taken {
                    Ok(Taken::New | Taken::Same) => fresh,
                    Ok(Taken::Later) | Err(_) => Validators::default(),
                };
                (taken, fresh)
            }
            Err(error) => (Err(error), validators),
        };
        // What is in force already is judged again: its signer's certificate may have been revoked since.
        if !matches!(result, Ok(Taken::New))
            && let Err(error) = self.still_good(configured, settings, now).await
        {
            result = Err(error);
        }
        let trouble = result.as_ref().err().map(|error| Trouble {
            community: Some(configured.uri.clone()),
            code: error.code(),
            detail: short(&error.to_string()),
        });
        let mut state = self.watched.state.lock().await;
        if matches!(result, Ok(Taken::Later)) {
            state.bundles.ask_again(&configured.uri);
            return caught_up;
        }
        let asked = state
            .bundles
            .asked
            .entry(configured.uri.clone())
            .or_default();
        *asked = Asked {
            at: now,
            url: settings.url.clone(),
            validators,
            trouble,
        };
        drop(state);
        caught_up || matches!(result, Ok(Taken::New))
    }

    /// `None` where nothing is new.
    async fn fetch(
        &self,
        url: &str,
        validators: Validators,
    ) -> Result<Option<(String, Validators)>, NotTaken> {
        let unavailable = |why: String| NotTaken::Unavailable(why);
        let conditions: HeaderMap = validators.conditions();
        let conditional = !conditions.is_empty();
        let answer = self
            .fetcher
            .send(
                Kind::Document,
                Method::GET,
                url,
                conditions,
                bytes::Bytes::new(),
            )
            .await
            .map_err(|e| unavailable(e.to_string()))?;
        if conditional && answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if answer.status() != StatusCode::OK {
            return Err(unavailable(format!(
                "{url} answers with {}",
                answer.status().as_u16()
            )));
        }
        let validators = Validators::of(answer.headers());
        let text = String::from_utf8(answer.into_body().to_vec());
        let text = text.map_err(|_| unavailable(format!("{url} answers with no text")))?;
        Ok(Some((text, validators)))
    }

    /// Puts in force what was written down since: by another node, or by this one, which did not learn that
    /// it was. Whether anything changed.
    async fn catch_up(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        now: UnixTime,
    ) -> Result<bool, NotTaken> {
        let Some(kept) = self.bundles.last(&configured.uri).await? else {
            return Ok(false);
        };
        let mut state = self.watched.state.lock().await;
        let newer = state
            .bundles
            .of(configured)
            .is_none_or(|known| kept.sequence > stored(known.bundle.sequence()));
        if !newer || kept.pinned != pinned(settings) {
            return Ok(false);
        }
        let bundle = InForce::new(again(&kept, now)?, settings, kept.ended);
        match self.candidate(configured, &bundle, now).await? {
            Some(candidate) => self.put_in_force(&mut state, candidate, bundle),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Judges a bundle, keeps it and puts it in force, in this order: what is in force survives a kill.
    async fn take(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        compact: &str,
        now: UnixTime,
    ) -> Result<Taken, NotTaken> {
        let (verified, _) = self.judge(configured, settings, compact, now).await?;
        let verified = InForce::new(verified, settings, None);
        let mut state = self.watched.state.lock().await;
        // Whether it can be used at all, before it is kept: a later one may be.
        let Some(candidate) = self.candidate(configured, &verified, now).await? else {
            return Ok(Taken::Later);
        };
        let sequence = verified.bundle.sequence();
        let kept = KeptBundle {
            community: configured.uri.clone(),
            sequence: stored(sequence),
            bundle: compact.to_owned(),
            signer: hex(self.signer_of(compact)?.as_slice()),
            pinned: pinned(settings),
            ended: None,
        };
        match self.bundles.keep(&kept, now).await? {
            Kept::Older { last } => return Err(NotTaken::Older { sequence, last }),
            Kept::Reused => return Err(NotTaken::Reused { sequence }),
            // Written down is not in force: another node may have written it, or this one a moment ago
            // without learning so, or it was taken by what is no longer pinned.
            Kept::Known
                if state
                    .bundles
                    .of(configured)
                    .is_some_and(|known| known.bundle.compact() == compact) =>
            {
                return Ok(Taken::Same);
            }
            Kept::Known | Kept::New => {}
        }
        self.put_in_force(&mut state, candidate, verified);
        Ok(Taken::New)
    }

    /// `None` where the settings are others by now.
    async fn candidate(
        &self,
        configured: &config::Community,
        bundle: &InForce,
        now: UnixTime,
    ) -> Result<Option<Candidate>, NotTaken> {
        let before = self.all();
        let known = before
            .iter()
            .position(|served| served.configured == *configured);
        let Some(at) = known else { return Ok(None) };
        let others: Vec<_> = before
            .iter()
            .filter(|other| other.configured.uri != configured.uri)
            .cloned()
            .collect();
        let served = self
            .open_one(configured, Some(bundle.clone()), &others, now)
            .await?;
        if !served.left_out.is_empty() {
            return Err(NotTaken::Unusable(StartError::Identity {
                community: configured.uri.clone(),
                code: "config-shared-anchor",
                problem: of_others(&served.left_out),
            }));
        }
        Ok(Some(Candidate { before, at, served }))
    }

    fn put_in_force(&self, state: &mut State, candidate: Candidate, bundle: InForce) {
        let Candidate { before, at, served } = candidate;
        let (uri, sequence) = (served.configured.uri.clone(), bundle.bundle.sequence());
        let mut after = Vec::clone(&before);
        if let Some(place) = after.get_mut(at) {
            *place = Arc::new(served);
        }
        self.exchange(&before, after);
        tracing::info!(community = uri, sequence, "bundle in force");
        state.bundles.in_force.insert(uri, bundle);
    }

    /// Judges the bundles in force by what the operator's files say now. Why one has ended is told when it is
    /// asked for again.
    pub(super) async fn look_at_signers_of_bundles(&self, now: UnixTime) {
        for served in self.all().iter() {
            if let Some(settings) = &served.configured.bundle {
                let _ = self.still_good(&served.configured, settings, now).await;
            }
        }
    }

    /// Ends the bundle in force when its signer is not trusted any more.
    async fn still_good(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        now: UnixTime,
    ) -> Result<(), NotTaken> {
        let Some(known) = self.watched.bundle(configured).await else {
            return Ok(());
        };
        let judged = self
            .judge(configured, settings, known.bundle.compact(), now)
            .await;
        let (ends, result) = match judged {
            Ok((_, true)) => (known.bundle.exp(), Ok(())),
            Err(NotTaken::Trust(error)) if life_cycle::ends(&error, true).is_some() => {
                (now, Err(error.into()))
            }
            // It has expired, or nobody can tell for the moment.
            Ok(_) | Err(_) => return Ok(()),
        };
        let mut state = self.watched.state.lock().await;
        let Some(now_known) = state.bundles.in_force.get_mut(&configured.uri) else {
            return result;
        };
        if !Arc::ptr_eq(&now_known.bundle, &known.bundle) {
            return result;
        }
        let changes = now_known.ends != ends && (result.is_ok() || !known.has_ended(now));
        if changes {
            now_known.ends = ends;
        }
        // Written down as well: after a restart nobody may be able to tell. Also when it was tried before.
        if changes || result.is_err() {
            let ended = result.is_err().then_some(now_known.ends);
            let compact = known.bundle.compact();
            let written = self.bundles.end(&configured.uri, compact, ended).await;
            if let Err(error) = written {
                let community = &configured.uri;
                tracing::error!(community, code = error.code(), %error, "the end of a bundle could not be written down");
            }
        }
        result
    }

    fn signer_of(&self, compact: &str) -> Result<[u8; 32], NotTaken> {
        let signed = bundle::verify_signature(compact, &JwsAlg::SSRAA)?;
        let key = signed.signer().leaf().public_key();
        let key = key.map_err(|e| BundleError::Certificates {
            key: "x5c",
            why: e.to_string(),
        })?;
        Ok(*key.sha256())
    }

    /// The bundle, if it is from whom the operator pinned; and whether that is known as well as it can be, with
    /// nothing left open about revocation.
    async fn judge(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        compact: &str,
        now: UnixTime,
    ) -> Result<(Verified, bool), NotTaken> {
        let signed = bundle::verify_signature(compact, &JwsAlg::SSRAA)?;
        match &settings.signer {
            BundleSigner::Key(key) => {
                let pinned = Pinned::Key(key);
                Ok((signed.verify(pinned, &configured.uri, now)?, true))
            }
            BundleSigner::Anchors(_) => {
                let signer = signed.signer().clone();
                let verdict = self
                    .trust
                    .verify(
                        &signers_of(&configured.uri),
                        signer.leaf(),
                        signer.intermediates(),
                        now,
                    )
                    .await?;
                let sure =
                    verdict.revocation_checked() || configured.revocation != Revocation::Prefer;
                let pinned = Pinned::Certificate(&verdict);
                Ok((signed.verify(pinned, &configured.uri, now)?, sure))
            }
        }
    }
}

/// Whom the operator trusts to sign a community's bundles: a world of its own, in which neither members
/// nor certifiers have a place.
pub(super) fn signer_trust(
    configured: &config::Community,
    members: &CommunityTrust,
) -> Result<Option<CommunityTrust>, StartError> {
    let Some(config::Bundle {
        signer: BundleSigner::Anchors(paths),
        ..
    }) = &configured.bundle
    else {
        return Ok(None);
    };
    let anchors = super::files::read_all(paths)?;
    Ok(Some(CommunityTrust {
        uri: signers_of(&configured.uri),
        anchors: anchors.into_iter().map(Anchor::new).collect(),
        ..members.clone()
    }))
}

/// The name of that world. It is no URI, so no community has it.
fn signers_of(community: &str) -> String {
    format!("signers of {community}")
}

/// The sequence of the bundle of a community that was in force last, by the database of a data holder that
/// may be running.
///
/// # Errors
/// [`StartError::Db`]
pub async fn last_bundle_sequence(
    config: &config::Config,
    community: &str,
) -> Result<Option<i64>, StartError> {
    let db = match Db::open_existing(&config.database()?).await {
        // It never ran.
        Err(DbError::Missing { .. }) => return Ok(None),
        db => db?,
    };
    let last = Bundles::new(db).last(community).await?;
    Ok(last.map(|last| last.sequence))
}

/// Which certifications each community requires, by its configuration and the bundle that was in force last:
/// as a data holder has it that starts now.
///
/// # Errors
/// [`StartError`] where no data holder could start, since the rules of a bundle cannot be used.
pub(crate) async fn required_certifications(
    db: Db,
    communities: &[config::Community],
    now: UnixTime,
) -> Result<HashMap<String, Vec<String>>, StartError> {
    let known = BundleState::open(&Bundles::new(db), communities, now).await?;
    let required = communities.iter().map(|configured| {
        let bundle = known.of(configured);
        let ruled = bundle.map(|bundle| bundle.rules_over(configured));
        let ruled = ruled.transpose()?;
        let ruled = ruled.as_ref().unwrap_or(configured);
        let required = ruled.certifications.required.clone();
        Ok((configured.uri.clone(), required))
    });
    required.collect()
}

/// The operator's pin in words that change when it does.
fn pinned(settings: &config::Bundle) -> String {
    match &settings.signer {
        BundleSigner::Key(key) => format!("key {}", hex(key)),
        BundleSigner::Anchors(paths) => {
            // By what the files say now; one that cannot be read pins nothing.
            let anchors = super::files::read_all(paths).unwrap_or_default();
            let anchors = anchors.iter().map(|anchor| hex(anchor.sha256()));
            format!("anchors {}", anchors.collect::<Vec<_>>().join(" "))
        }
    }
}

/// A sequence as the database has it.
fn stored(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    digits.try_into().ok()
}
