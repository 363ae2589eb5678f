//! Key sets (RFC 7517) at URLs that an operator or a member registered: fetched when needed, remembered
//! for a while, and asked for again when a token names a key that is not among them.
//!
//! Whoever can name a registered URL can cause a fetch of it without having signed anything, so each URL
//! is asked at most once in [`RETRY_SECS`], by one request at a time, whatever comes back.

use crate::fetch::{FetchError, Fetcher, Kind};
use http::{HeaderMap, header};
use moka::sync::Cache;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;
use udap_pki::UnixTime;
use udap_proto::Refusal;
use udap_proto::json;
use udap_proto::jwk::{JwkError, JwkSet};

/// The longest that a set is used without being asked for again, in seconds, and how long it is used when
/// its server does not say: so long a key still works that was taken out.
pub const MAX_AGE_SECS: i64 = 300;
/// How often one URL is asked at most, in seconds, for a key that is not known or after a failure.
pub const RETRY_SECS: i64 = 30;
/// The most URLs that are remembered: with 64 KiB each, which is all that is fetched, some 32 MiB.
const MAX_SETS: u64 = 512;

/// Why a key set cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum KeySetError {
    #[error("the key set cannot be fetched: {0}")]
    Fetch(Arc<FetchError>),
    #[error("the key set at {url} is refused: {why}")]
    Malformed { url: String, why: String },
}

impl Refusal for KeySetError {
    fn code(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "key-set-unavailable",
            Self::Malformed { .. } => "key-set-malformed",
        }
    }
    fn told(&self) -> String {
        match self {
            // To which address its name leads from here, and what is there, is not the sender's to learn.
            Self::Fetch(_) => "the key set cannot be fetched".to_owned(),
            Self::Malformed { .. } => self.to_string(),
        }
    }
}

/// The key sets of others, by URL. Bounded; what is not used is forgotten.
#[derive(Debug)]
pub struct KeySets {
    fetcher: Fetcher,
    sets: Cache<Box<str>, Arc<Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    known: RwLock<Known>,
    /// Held by the one who fetches; the others wait for what it brings.
    fetching: Mutex<()>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    set: Option<(Arc<JwkSet>, UnixTime)>,
    failed: Option<KeySetError>,
    asked: Option<UnixTime>,
}

impl Known {
    /// What is answered without asking: a set in force that has the key, or whatever there is while it
    /// is too soon to ask.
    fn answer(&self, kid: Option<&str>, now: UnixTime) -> Option<Result<Arc<JwkSet>, KeySetError>> {
        let soon = self
            .asked
            .is_some_and(|at| now.0 < at.0.saturating_add(RETRY_SECS));
        let in_force = self.set.as_ref().filter(|(_, until)| now < *until);
        match in_force {
            Some((set, _)) if soon || kid.is_none_or(|kid| has(set, kid)) => {
                Some(Ok(Arc::clone(set)))
            }
            None if soon => self.failed.clone().map(Err),
            _ => None,
        }
    }
}

fn has(set: &JwkSet, kid: &str) -> bool {
    set.keys().iter().any(|jwk| jwk.kid() == Some(kid))
}

impl KeySets {
    /// None yet.
    #[must_use]
    pub fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            sets: Cache::new(MAX_SETS),
        }
    }

    /// The set at a URL. `kid` is the key that is looked for: if it is not in a set that is remembered,
    /// the URL is asked again, but not too often; so it may be missing from the answer.
    ///
    /// # Errors
    /// [`KeySetError`]; failures are remembered for [`RETRY_SECS`].
    pub async fn get(
        &self,
        url: &str,
        kid: Option<&str>,
        now: UnixTime,
    ) -> Result<Arc<JwkSet>, KeySetError> {
        let entry = match self.sets.get(url) {
            Some(entry) => entry,
            None => self.sets.get_with(url.into(), Arc::default),
        };
        if let Some(answer) = entry.known().answer(kid, now) {
            return answer;
        }
        let _fetching = entry.fetching.lock().await;
        // Whoever was here before may have brought it.
        if let Some(answer) = entry.known().answer(kid, now) {
            return answer;
        }
        let fetched = self.fetch(url, now).await;
        let mut known = entry.known.write().unwrap_or_else(PoisonError::into_inner);
        known.asked = Some(now);
        match fetched {
            Ok((set, until)) => {
                known.set = Some((Arc::clone(&set), until));
                known.failed = None;
                Ok(set)
            }
            // One that is remembered and in force serves on: the key that is looked for may be an
            // invention.
            Err(error) => {
                known.failed = Some(error.clone());
                known.answer(kid, now).unwrap_or(Err(error))
            }
        }
    }

    async fn fetch(
        &self,
        url: &str,
        now: UnixTime,
    ) -> Result<(Arc<JwkSet>, UnixTime), KeySetError> {
        let fetched = self.fetcher.get(Kind::Keys, url).await;
        let fetched = fetched.map_err(|e| KeySetError::Fetch(Arc::new(e)))?;
        let malformed = |why: String| KeySetError::Malformed {
            url: url.to_owned(),
            why,
        };
        let object = json::object(&fetched.body).map_err(|e| malformed(e.to_string()))?;
        let set = JwkSet::from_json(&object).map_err(|e: JwkError| malformed(e.to_string()))?;
        let until = now.plus_secs(max_age(&fetched.headers));
        Ok((Arc::new(set), until))
    }
}

impl Entry {
    fn known(&self) -> Known {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// `max-age` (RFC 9111 §5.2.2.1), never longer than [`MAX_AGE_SECS`], nor so short that each request
/// would ask.
fn max_age(headers: &HeaderMap) -> i64 {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .find_map(|(_, secs)| secs.trim_matches('"').parse().ok())
        .unwrap_or(MAX_AGE_SECS)
        .clamp(RETRY_SECS, MAX_AGE_SECS)
}
