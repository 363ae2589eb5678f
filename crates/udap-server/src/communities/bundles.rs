//! Bundles that communities publish about themselves: fetched on a schedule, taken from whom the operator
//! pinned, never older than the last one, and put in force as a change of files is.
//!
//! `docs/decisions/bundles.md` says what a bundle may change and what it may not.

use super::reload::Trouble;
use super::{Communities, Served};
use crate::app::{Server, StartError, short};
use crate::life_cycle::ENDS;
use crate::store::{Bundles, Kept, KeptBundle};
use http::{HeaderMap, Method, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;
use udap_host::config::{self, BundleSigner, FollowAnchors, Layers};
use udap_host::db::{Db, DbError};
use udap_pki::{Anchor, Revocation, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::bundle::{self, BundleError, Pinned, Verified};
use udap_proto::community::{Community, CommunityError, Definition};
use udap_proto::jws::JwsAlg;
use udap_trust::clock;
use udap_trust::fetch::{Kind, Validators};
use udap_trust::verify::{CommunityTrust, TrustError};

/// A bundle in force, and until when it counts.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    bundle: Arc<Verified>,
    ends: UnixTime,
    /// By what it was taken.
    signer: BundleSigner,
}

impl PartialEq for InForce {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bundle, &other.bundle) && self.ends == other.ends
    }
}

impl InForce {
    fn new(bundle: Verified, settings: &config::Bundle) -> Self {
        Self {
            ends: bundle.exp(),
            bundle: Arc::new(bundle),
            signer: settings.signer.clone(),
        }
    }

    /// A community's settings with the bundle's rules between what the operator set, which wins, and what
    /// stands under it. They stay in force when the bundle has ended: rules are not trust.
    ///
    /// What makes trust wider is not taken from a bundle: revocation is asked about as strictly as before
    /// or more so, no list counts for longer after its end, and whose ID tokens count is followed only
    /// where anchors are.
    pub(super) fn rules_over(
        &self,
        configured: &config::Community,
    ) -> Result<config::Community, StartError> {
        let unusable = |error: CommunityError| StartError::Identity {
            community: configured.uri.clone(),
            code: error.code(),
            problem: format!("the rules of its bundle cannot be used: {error}"),
        };
        let Layers { own, base } = &configured.layers;
        let rules = Definition::from_map(self.bundle.rules());
        let rules = rules.on_its_profile().map_err(unusable)?;
        let rules = own.clone().over(rules.over(base.clone()));
        let mut rules = Community::read(rules).map_err(unusable)?;
        let mut ruled = configured.clone();
        rules.revocation = stricter(rules.revocation, configured.revocation);
        rules.grace_secs = rules.grace_secs.min(configured.grace_secs);
        let follow = configured.bundle.as_ref().map(|settings| settings.anchors);
        if follow != Some(FollowAnchors::Follow) {
            rules
                .credential_providers
                .clone_from(&configured.rules.credential_providers);
        }
        ruled.revocation = rules.revocation;
        ruled.grace_secs = rules.grace_secs;
        let certifications = rules.certifications.clone();
        ruled.certifications.supported = certifications.supported;
        ruled.certifications.required = certifications.required;
        ruled.certifications.self_signed = certifications.self_signed;
        ruled.certifications.certifiers = certifications.certifiers;
        ruled.rules = Arc::new(rules);
        Ok(ruled)
    }

    pub(super) fn has_ended(&self, now: UnixTime) -> bool {
        now >= self.ends
    }
}

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
                    state
                        .in_force
                        .insert(uri.clone(), InForce::new(verified, settings));
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
        let validators = {
            let state = self.watched.state.lock().await;
            let known = state.bundles.in_force.contains_key(&configured.uri);
            let asked = state.bundles.asked.get(&configured.uri);
            let asked = asked.filter(|asked| known && asked.url == settings.url);
            asked
                .map(|asked| asked.validators.clone())
                .unwrap_or_default()
        };
        let fetched = self.fetch(&settings.url, validators.clone()).await;
        let (mut result, validators) = match fetched {
            Ok(None) => (Ok(false), validators),
            Ok(Some((compact, fresh))) => {
                let taken = self
                    .take(configured, settings, compact.trim_end(), now)
                    .await;
                // What was refused is fetched whole again: it may be taken another time.
                let fresh = if taken.is_ok() {
                    fresh
                } else {
                    Validators::default()
                };
                (taken, fresh)
            }
            Err(error) => (Err(error), validators),
        };
        // What is in force already is judged again: its signer's certificate may have been revoked since.
        if !matches!(result, Ok(true))
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
        result.unwrap_or(false)
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

    /// Judges a bundle, keeps it and puts it in force, in this order: what is in force survives a kill.
    async fn take(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        compact: &str,
        now: UnixTime,
    ) -> Result<bool, NotTaken> {
        let verified = self.judge(configured, settings, compact, now).await?;
        let verified = InForce::new(verified, settings);
        let mut state = self.watched.state.lock().await;
        let before = self.all();
        let Some(at) = before
            .iter()
            .position(|served| served.configured == *configured)
        else {
            // Its settings changed meanwhile: the next round asks again.
            return Ok(false);
        };
        let others: Vec<_> = before
            .iter()
            .filter(|other| other.configured.uri != configured.uri)
            .cloned()
            .collect();
        // Whether it can be used at all, before it is kept: a later one may be.
        let candidate = self
            .open_one(configured, Some(verified.clone()), &others, now)
            .await?;
        let sequence = verified.bundle.sequence();
        let kept = KeptBundle {
            community: configured.uri.clone(),
            sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            bundle: compact.to_owned(),
            signer: hex(self.signer_of(compact)?.as_slice()),
            pinned: pinned(settings),
        };
        match self.bundles.keep(&kept, now).await? {
            Kept::Older { last } => return Err(NotTaken::Older { sequence, last }),
            Kept::Reused => return Err(NotTaken::Reused { sequence }),
            Kept::Known if state.bundles.in_force.contains_key(&configured.uri) => {
                return Ok(false);
            }
            Kept::Known | Kept::New => {}
        }
        state
            .bundles
            .in_force
            .insert(configured.uri.clone(), verified);
        let mut after = Vec::clone(&before);
        if let Some(place) = after.get_mut(at) {
            *place = Arc::new(candidate);
        }
        self.exchange(&before, after);
        tracing::info!(community = configured.uri, sequence, "bundle in force");
        Ok(true)
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
            Ok(_) => (known.bundle.exp(), Ok(())),
            Err(NotTaken::Trust(error)) if ENDS.contains(&error.code()) => (now, Err(error.into())),
            // It has expired, or nobody can tell for the moment.
            Err(_) => return Ok(()),
        };
        let mut state = self.watched.state.lock().await;
        if let Some(now_known) = state.bundles.in_force.get_mut(&configured.uri)
            && Arc::ptr_eq(&now_known.bundle, &known.bundle)
            && (result.is_ok() || !known.has_ended(now))
        {
            now_known.ends = ends;
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

    async fn judge(
        &self,
        configured: &config::Community,
        settings: &config::Bundle,
        compact: &str,
        now: UnixTime,
    ) -> Result<Verified, NotTaken> {
        let signed = bundle::verify_signature(compact, &JwsAlg::SSRAA)?;
        match &settings.signer {
            BundleSigner::Key(key) => Ok(signed.verify(Pinned::Key(key), &configured.uri, now)?),
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
                Ok(signed.verify(Pinned::Certificate(&verdict), &configured.uri, now)?)
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

/// What a bundle does to whom a community trusts.
pub(super) fn apply(
    configured: &config::Community,
    InForce { bundle, ends, .. }: &InForce,
    now: UnixTime,
    members: &mut CommunityTrust,
    certifiers: &mut CommunityTrust,
) {
    // They help to build paths and are trusted by nobody.
    members
        .intermediates
        .extend(bundle.intermediates().iter().cloned());
    certifiers.intermediates.clone_from(&members.intermediates);
    let follow = configured.bundle.as_ref().map(|settings| settings.anchors);
    if follow != Some(FollowAnchors::Follow) {
        return;
    }
    for (trust, named) in [
        (members, bundle.anchors()),
        (certifiers, bundle.certifier_anchors()),
    ] {
        if now >= *ends {
            // Trust that rests upon a bundle ends with it: whoever withholds the next one must not keep an
            // anchor alive that the community took back.
            trust.anchors.clear();
        } else if !named.is_empty() {
            trust.anchors = named.iter().cloned().map(Anchor::new).collect();
        }
    }
}

/// What the operator has to know of a bundle in force: that it has ended, or that the community names
/// other anchors than those that count.
pub(super) fn notice(served: &Served, now: UnixTime) -> Option<Trouble> {
    let InForce { bundle, ends, .. } = served.bundle.as_ref()?;
    let trouble = |code, detail| {
        Some(Trouble {
            community: Some(served.configured.uri.clone()),
            code,
            detail,
        })
    };
    if now >= *ends {
        let sequence = bundle.sequence();
        return trouble(
            "bundle-lapsed",
            format!("bundle {sequence} ended at {ends}, and there is no newer one"),
        );
    }
    let missing = |named: &[udap_pki::Certificate], trust: &CommunityTrust| {
        let other: Vec<_> = named
            .iter()
            .filter(|new| {
                !trust
                    .anchors
                    .iter()
                    .any(|known| known.certificate() == *new)
            })
            .map(|new| format!("{} (SHA-256 {})", new.subject(), hex(new.sha256())))
            .collect();
        other.join(", ")
    };
    let [members, certifiers, ..] = served.trusts.as_slice() else {
        return None;
    };
    let proposed = [
        missing(bundle.anchors(), members),
        missing(bundle.certifier_anchors(), certifiers),
    ];
    if proposed.iter().all(String::is_empty) {
        return None;
    }
    let [members, certifiers] = proposed;
    let mut detail = format!(
        "bundle {} names anchors that do not count here",
        bundle.sequence()
    );
    for (of, named) in [("members", members), ("certifiers", certifiers)] {
        if !named.is_empty() {
            detail += &format!("; for {of}: {named}");
        }
    }
    trouble("bundle-anchors-proposed", short(&detail))
}

fn stricter(one: Revocation, other: Revocation) -> Revocation {
    let order = |revocation| match revocation {
        Revocation::Off => 0,
        Revocation::Prefer => 1,
        Revocation::WhereNamed => 2,
        Revocation::Require => 3,
    };
    if order(one) >= order(other) {
        one
    } else {
        other
    }
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    digits.try_into().ok()
}
