//! Communities are exchanged while requests run: when one of their files or `udap.toml` has changed, and
//! on SIGHUP. Each community on its own and as a whole: one whose files cannot be used stays as it was,
//! and that is reported until it is mended.

use super::bundles::BundleState;
use super::in_force::{InForce, notice};
use super::{Communities, Served};
use crate::app::{Server, StartError};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use udap_host::config::{self, BundleSigner, Certificates, Config};
use udap_pki::UnixTime;
use udap_trust::clock;
use udap_trust::verify::CommunityTrust;

/// As often as the TLS certificate is looked at: a few `stat` calls a second are not measurable.
const POLL: Duration = Duration::from_secs(1);

/// What stands in the way of the communities as they are configured, until it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// None where it is the configuration itself.
    pub community: Option<String>,
    /// The stable code.
    pub code: &'static str,
    /// In words.
    pub detail: String,
}

/// What is looked at, and what was seen.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    /// Who speaks of apps by keys until the next start: no community is of that name before.
    issuers: Vec<String>,
    pub(super) state: Mutex<State>,
    trouble: ArcSwap<Vec<Trouble>>,
    reloads: AtomicU64,
    failures: AtomicU64,
}

#[derive(Debug)]
pub(super) struct State {
    /// As `udap.toml` wants it.
    wanted: Vec<config::Community>,
    config: Seen,
    /// By community, before its files were read.
    files: HashMap<String, Seen>,
    pub(super) bundles: BundleState,
}

/// What tells a changed file: a rename over it, a symbolic link turned to another, a rewrite.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen(Vec<Option<(u64, u64, Option<SystemTime>)>>);

impl Seen {
    fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let of = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.ino(), metadata.size(), metadata.modified().ok()))
        };
        Self(paths.into_iter().map(of).collect())
    }

    /// The configuration, and the descriptions that are read with it.
    fn settings(path: &Path, communities: &[config::Community]) -> Self {
        let descriptions = communities.iter().filter_map(|c| c.definition.as_deref());
        Self::of(std::iter::once(path).chain(descriptions))
    }

    fn files(community: &config::Community) -> Self {
        let lists = [
            &community.anchors,
            &community.intermediates,
            &community.certifications.anchors,
        ];
        let identities = community.identities.iter();
        let certs = identities.clone().map(|identity| identity.cert.as_path());
        let keys = identities.filter_map(|identity| identity.key.path());
        let files = lists.into_iter().flatten().filter_map(|from| match from {
            Certificates::File(path) => Some(path.as_path()),
            Certificates::Text(_) => None,
        });
        let signers = match community.bundle.as_ref().map(|bundle| &bundle.signer) {
            Some(BundleSigner::Anchors(paths)) => paths.as_slice(),
            _ => &[],
        };
        let files = files.chain(signers.iter().map(PathBuf::as_path));
        Self::of(files.chain(certs).chain(keys))
    }
}

impl Watched {
    /// To be called before the files are read.
    pub(super) fn new(config: &Config, bundles: BundleState) -> Self {
        let of = |community: &config::Community| (community.uri.clone(), Seen::files(community));
        Self {
            path: config.path.clone(),
            issuers: config
                .statement_issuers
                .iter()
                .map(|i| i.uri.clone())
                .collect(),
            state: Mutex::new(State {
                wanted: config.communities.clone(),
                config: Seen::settings(&config.path, &config.communities),
                files: config.communities.iter().map(of).collect(),
                bundles,
            }),
            trouble: ArcSwap::default(),
            reloads: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// The bundle that is in force in a community.
    pub(super) async fn bundle(&self, community: &config::Community) -> Option<InForce> {
        self.state.lock().await.bundles.of(community)
    }
}

/// Why files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Changed,
    /// Whether they changed or not: somebody wants it.
    Asked,
}

impl Server {
    /// Reads again what has changed of the communities' files and of their settings: one round of
    /// [`Self::run_background`].
    pub async fn reload_communities(&self) {
        self.reload(When::Changed).await;
    }

    /// What stands in the way of the communities as they are configured.
    #[must_use]
    pub fn trouble(&self) -> Vec<Trouble> {
        self.communities.trouble(clock::now())
    }

    /// How often communities were exchanged since the start, and how often that failed.
    #[must_use]
    pub fn community_reloads(&self) -> (u64, u64) {
        let watched = &self.communities.watched;
        (
            watched.reloads.load(Ordering::Relaxed),
            watched.failures.load(Ordering::Relaxed),
        )
    }

    /// Looks at the files until it is dropped, and reads them when SIGHUP asks for it.
    pub(crate) async fn watch_communities(&self) {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(signal) => Some(signal),
            Err(error) => {
                tracing::error!(%error, "SIGHUP is not heard; changed files are seen all the same");
                None
            }
        };
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let when = tokio::select! {
                _ = asked => When::Asked,
                () = tokio::time::sleep(POLL) => When::Changed,
            };
            self.reload(when).await;
        }
    }

    async fn reload(&self, when: When) {
        if self.communities.reload(when, clock::now()).await {
            // Whom a file names now that was there before may not be who signed a bundle in force.
            self.communities
                .look_at_signers_of_bundles(clock::now())
                .await;
            // What one of them has by configuration now, the bundle of one before it leaves alone.
            self.communities.reload(When::Changed, clock::now()).await;
            // Tokens of those whose trust is gone end now and not with the next round.
            self.end_tokens_of_lost_anchors(clock::now()).await;
            self.look_at_certifications_again();
        }
    }
}

impl Communities {
    /// What could not be reloaded, and communities without metadata, since the certificate is not valid.
    pub(super) fn trouble(&self, now: UnixTime) -> Vec<Trouble> {
        let mut trouble = Vec::clone(&self.watched.trouble.load());
        for served in self.all().iter() {
            trouble.extend(notice(served, now));
            if let Some(base_url) = served.without_metadata(now) {
                trouble.push(Trouble {
                    community: Some(served.configured.uri.clone()),
                    code: "identity-expired",
                    detail: format!(
                        "there is no metadata of {base_url}: its certificate is not valid any more"
                    ),
                });
            }
        }
        trouble
    }

    /// Whether anything was exchanged.
    async fn reload(&self, when: When, now: UnixTime) -> bool {
        let mut state = self.watched.state.lock().await;
        let mut trouble = Vec::new();
        if let Err(error) = self.read_settings(&mut state, when) {
            trouble.push(Trouble {
                community: None,
                code: error.code(),
                detail: error.to_string(),
            });
        }
        let before = self.all();
        let mut after: Vec<Arc<Served>> = Vec::new();
        let mut changed = false;
        for wanted in state.wanted.clone() {
            let known = before
                .iter()
                .find(|served| served.configured.uri == wanted.uri);
            let seen = Seen::files(&wanted);
            // Those before it as they will be, those behind it as they are.
            let behind = before.iter().filter(|other| {
                other.configured.uri != wanted.uri
                    && !after
                        .iter()
                        .any(|done| done.configured.uri == other.configured.uri)
                    && state
                        .wanted
                        .iter()
                        .any(|still| still.uri == other.configured.uri)
            });
            let others: Vec<_> = after.iter().chain(behind).map(Arc::clone).collect();
            if let Some(known) = known
                && when == When::Changed
                && known.configured == wanted
                && state.files.get(&wanted.uri) == Some(&seen)
                && known.foreign == Served::foreign(&wanted, &others)
                && known.bundle == state.bundles.of(&wanted)
                && known.lapsed == known.bundle.as_ref().is_some_and(|b| b.has_ended(now))
            {
                after.push(Arc::clone(known));
                continue;
            }
            let bundle = state.bundles.of(&wanted);
            match self.open_one(&wanted, bundle, &others, now).await {
                Ok(served) => {
                    tracing::info!(community = wanted.uri, "community reloaded");
                    if when == When::Asked || state.files.get(&wanted.uri) != Some(&seen) {
                        state.bundles.ask_again(&wanted.uri);
                    }
                    state.files.insert(wanted.uri, seen);
                    after.push(Arc::new(served));
                    changed = true;
                }
                Err(error) => {
                    // Looked at again in the next round: a file may be half written.
                    state.files.remove(&wanted.uri);
                    after.extend(known.cloned());
                    trouble.push(Trouble {
                        community: Some(wanted.uri),
                        code: error.code(),
                        detail: error.to_string(),
                    });
                }
            }
        }
        changed |= before.len() != after.len();
        if changed {
            self.exchange(&before, after);
        }
        let State {
            bundles, wanted, ..
        } = &mut *state;
        bundles.keep_of(wanted);
        trouble.extend(state.bundles.trouble());
        self.report(trouble);
        changed
    }

    /// The `[[community]]` tables of `udap.toml`, when the file has changed. Everything else in it waits
    /// for a restart.
    fn read_settings(&self, state: &mut State, when: When) -> Result<(), config::ConfigError> {
        let path = &self.watched.path;
        let seen = Seen::settings(path, &state.wanted);
        // It need not be a file: a program may have made the configuration.
        if seen == state.config && (when == When::Changed || seen.0.first() == Some(&None)) {
            return Ok(());
        }
        let communities = config::load(path)?.communities;
        // Looked at before they were read; where it names others now, they are read in the next round.
        state.config = match Seen::settings(path, &communities) {
            now if now.0.len() == seen.0.len() => seen,
            now => now,
        };
        state.wanted = communities;
        Ok(())
    }

    pub(super) async fn open_one(
        &self,
        wanted: &config::Community,
        bundle: Option<InForce>,
        others: &[Arc<Served>],
        now: UnixTime,
    ) -> Result<Served, StartError> {
        if self.watched.issuers.contains(&wanted.uri) {
            return Err(StartError::Identity {
                community: wanted.uri.clone(),
                code: "config-community-twice",
                problem: "a statement issuer is known by that URI until a restart".to_owned(),
            });
        }
        let foreign = Served::foreign(wanted, others);
        let (places, scopes) = (&self.places, &self.scopes);
        let served = Served::open(wanted, bundle, foreign, places, scopes, now).await?;
        served.unambiguous(others)?;
        Ok(served)
    }

    /// Trust first: what was decided on anchors that are gone is not believed from here on.
    pub(super) fn exchange(&self, before: &[Arc<Served>], after: Vec<Arc<Served>>) {
        let trusts = |all: &[Arc<Served>]| -> Vec<CommunityTrust> {
            all.iter()
                .flat_map(|served| served.trusts.clone())
                .collect()
        };
        self.trust
            .change_communities(&trusts(before), trusts(&after));
        self.current.store(Arc::new(after));
        self.watched.reloads.fetch_add(1, Ordering::Relaxed);
    }

    /// Logs what is new, once, and keeps it for whoever looks.
    fn report(&self, trouble: Vec<Trouble>) {
        let known = self.watched.trouble.load();
        for new in trouble.iter().filter(|new| !known.contains(new)) {
            self.watched.failures.fetch_add(1, Ordering::Relaxed);
            let Trouble {
                community,
                code,
                detail,
            } = new;
            let community = community.as_deref().unwrap_or_default();
            tracing::error!(
                community,
                code,
                detail,
                "a change is not used; what was before stays in force"
            );
        }
        if **known != trouble {
            self.watched.trouble.store(Arc::new(trouble));
        }
    }
}
