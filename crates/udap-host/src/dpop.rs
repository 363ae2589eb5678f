//! Proofs of possession with a request (RFC 9449): read from its header, judged, and taken once.
//!
//! What was taken is remembered in this process, until age alone refuses it. Another process does not
//! know of it: there it can be taken once more, within the 90 seconds that a proof may serve, by
//! somebody who has both the proof and the token. A server that demands a nonce closes that, for each
//! process gives out nonces of its own.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_lc_rs::{
    digest::{self, SHA256},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName};
use udap_pki::UnixTime;
use udap_proto::{
    Refusal,
    dpop::{self, DpopError, Expected, VerifiedProof},
};

/// Where a proof stands.
pub const HEADER: HeaderName = HeaderName::from_static("dpop");
/// Where a nonce is given out (RFC 9449 §8.1).
pub const NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// Whether proofs must repeat a nonce of this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonces {
    #[default]
    Off,
    Demanded,
}

/// Judges proofs, and remembers those that it took. One for all workers of a process, since a proof
/// serves once, whichever of them it comes to.
#[derive(Debug)]
pub struct Dpop {
    seen: Mutex<Seen>,
    /// With which clients are counted, so that none can be made to be counted as another.
    clients: RandomState,
    /// With which nonces are made, where they are demanded.
    nonce_key: Option<hmac::Key>,
    /// Whether anybody is to be told that proofs are looked at.
    advertised: AtomicBool,
}

/// Why a request is not its sender's as far as can be seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the request has no DPoP proof")]
    Missing,
    #[error("the request has more than one DPoP header")]
    Several,
    #[error(transparent)]
    Proof(#[from] DpopError),
    #[error("the DPoP proof must hold the `nonce` that this server gives out")]
    NonceMissing,
    #[error("the `nonce` of the DPoP proof has lapsed, or is not one of this server")]
    NonceUnknown,
    #[error("this DPoP proof was sent before (its `jti` is known)")]
    Replayed,
    #[error(
        "more DPoP proofs came within a minute and a half than are remembered, of this client or of all"
    )]
    Full,
}

impl Refusal for ProofError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "dpop-proof-missing",
            Self::Several => "dpop-proof-ambiguous",
            Self::Proof(error) => error.code(),
            Self::NonceMissing => "dpop-nonce-missing",
            Self::NonceUnknown => "dpop-nonce-unknown",
            Self::Replayed => "dpop-proof-replayed",
            Self::Full => "dpop-proofs-too-many",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Proof(error) => error.hint(),
            _ => None,
        }
    }
}

impl ProofError {
    /// The error of RFC 9449 §§5, 7.1, 8, 9.
    pub const fn oauth_error(&self) -> &'static str {
        match self {
            Self::NonceMissing | Self::NonceUnknown => "use_dpop_nonce",
            Self::Full => "temporarily_unavailable",
            _ => "invalid_dpop_proof",
        }
    }
}

impl Dpop {
    /// Nothing taken yet.
    pub fn new(nonces: Nonces) -> Self {
        let nonce_key = match nonces {
            Nonces::Off => None,
            Nonces::Demanded => {
                let key = udap_trust::random::bytes::<32>();
                Some(hmac::Key::new(hmac::HMAC_SHA256, &key))
            }
        };
        Self {
            seen: Mutex::default(),
            clients: RandomState::new(),
            nonce_key,
            advertised: AtomicBool::new(false),
        }
    }

    /// From now on challenges say that proofs are looked at, and answers give out nonces.
    pub fn advertise(&self) {
        self.advertised.store(true, Ordering::Relaxed);
    }

    /// Whether they do.
    pub fn is_advertised(&self) -> bool {
        self.advertised.load(Ordering::Relaxed)
    }

    /// The proof of a request, if it is one for this request. It is not taken yet: who it is from is
    /// first compared with who it should be.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn verify(
        &self,
        headers: &HeaderMap,
        expected: &Expected<'_>,
        now: UnixTime,
    ) -> Result<VerifiedProof, ProofError> {
        let mut values = headers.get_all(HEADER).iter();
        let compact = values.next().ok_or(ProofError::Missing)?;
        if values.next().is_some() {
            return Err(ProofError::Several);
        }
        // What is not ASCII has no three parts in base64url either.
        let proof = dpop::verify(compact.to_str().unwrap_or_default(), expected, now)?;
        if let Some(key) = &self.nonce_key {
            let nonce = proof.nonce().ok_or(ProofError::NonceMissing)?;
            if !given_out(key, nonce, now) {
                return Err(ProofError::NonceUnknown);
            }
        }
        Ok(proof)
    }

    /// Takes a proof: it serves once. Last of what is judged about its sender, since memory is spent on it; and of
    /// that memory no client fills more than its share, whatever keys it has: keys cost nothing, registrations do.
    ///
    /// # Errors
    /// [`ProofError::Replayed`], [`ProofError::Full`], or [`DpopError::Old`] where it lapsed since it was verified
    pub fn take(
        &self,
        proof: &VerifiedProof,
        client_id: &str,
        now: UnixTime,
    ) -> Result<(), ProofError> {
        // What lapsed may be forgotten already.
        if now >= proof.until() {
            let iat = proof.iat();
            return Err(DpopError::Old { iat, now }.into());
        }
        let mut context = digest::Context::new(&SHA256);
        context.update(proof.thumbprint());
        context.update(proof.jti().as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&context.finish().as_ref()[..16]);
        let client = self.clients.hash_one(client_id);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(name, client, proof.until(), now, MAX_SEEN)
    }

    /// The nonce to give out with an answer, where one is demanded.
    pub fn nonce(&self, now: UnixTime) -> Option<String> {
        let key = self.nonce_key.as_ref()?;
        let step = now.0.div_euclid(NONCE_SECS).to_be_bytes();
        let tag = hmac::sign(key, &step);
        Some(URL_SAFE_NO_PAD.encode([&step[..], tag.as_ref()].concat()))
    }
}

/// A nonce says when it was made, and its tag that it was made here: none has to be remembered.
fn given_out(key: &hmac::Key, nonce: &str, now: UnixTime) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else {
        return false;
    };
    let Some((step, tag)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    let age = now
        .0
        .div_euclid(NONCE_SECS)
        .checked_sub(i64::from_be_bytes(*step));
    matches!(age, Some(0 | 1)) && hmac::verify(key, step, tag).is_ok()
}

/// Names of proofs by the time at which age alone refuses them.
#[derive(Debug, Default)]
struct Seen {
    buckets: BTreeMap<i64, Bucket>,
    count: usize,
}

#[derive(Debug, Default)]
struct Bucket {
    names: HashSet<[u8; 16]>,
    /// How many of them are of whom, by the hash of the client's id. Never more entries than names.
    of: HashMap<u64, u32>,
}

impl Seen {
    fn insert(
        &mut self,
        name: [u8; 16],
        client: u64,
        until: UnixTime,
        now: UnixTime,
        most: usize,
    ) -> Result<(), ProofError> {
        while let Some(oldest) = self.buckets.first_entry() {
            let end = oldest.key().saturating_add(1).saturating_mul(BUCKET_SECS);
            if end.saturating_add(KEEP_SECS) > now.0 {
                break;
            }
            self.count -= oldest.remove().names.len();
        }
        // Whatever `iat` it now has, the name was used.
        let mut buckets = self.buckets.values();
        if buckets.any(|bucket| bucket.names.contains(&name)) {
            return Err(ProofError::Replayed);
        }
        // To forget one would be to take it again. Before there is no room for anybody, there is none for whoever
        // has taken much of it.
        if self.count >= most || (self.count >= most / 2 && self.held_by(client) >= most / SHARE) {
            return Err(ProofError::Full);
        }
        let bucket = until.0.div_euclid(BUCKET_SECS);
        let bucket = self.buckets.entry(bucket).or_default();
        bucket.names.insert(name);
        *bucket.of.entry(client).or_default() += 1;
        self.count += 1;
        Ok(())
    }

    fn held_by(&self, client: u64) -> usize {
        let buckets = self.buckets.values();
        let held = buckets.filter_map(|bucket| bucket.of.get(&client));
        held.map(|held| usize::try_from(*held).unwrap_or(usize::MAX))
            .sum()
    }
}

/// How long a nonce is given out, in seconds; it is taken for as long again.
const NONCE_SECS: i64 = 120;
/// How many seconds share a bucket, which is dropped as a whole.
const BUCKET_SECS: i64 = 32;
/// How much longer than they count names are kept, in seconds: clocks are set back now and then.
const KEEP_SECS: i64 = 30;
/// The most names: some 40 MB (twice that if each were another client's), and 7,000 requests with a proof in each
/// second.
const MAX_SEEN: usize = 1_000_000;
/// Which part of them one client has while half is taken: some 500 requests in each second.
const SHARE: usize = 16;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    #[test]
    fn a_name_is_taken_once_until_age_refuses_it_and_then_forgotten() {
        let mut seen = Seen::default();
        let until = NOW.plus_secs(90);
        let mut take = |name: u8, until, now| seen.insert([name; 16], 0, until, now, 10);
        assert_eq!(take(1, until, NOW), Ok(()));
        assert_eq!(take(1, until, NOW), Err(ProofError::Replayed));
        assert_eq!(take(2, until, NOW), Ok(()));
        // Another `iat` under the same name, and the last moment.
        assert_eq!(
            take(1, NOW.plus_secs(120), NOW.plus_secs(89)),
            Err(ProofError::Replayed)
        );
        let much_later = NOW.plus_secs(200);
        assert_eq!(take(1, much_later.plus_secs(90), much_later), Ok(()));
        assert_eq!(seen.count, 1);
        assert_eq!(seen.buckets.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_never_forgotten_early() {
        let mut seen = Seen::default();
        let until = NOW.plus_secs(90);
        let mut take = |name: u8, until, now| seen.insert([name; 16], name.into(), until, now, 16);
        for name in 0..16 {
            assert_eq!(take(name, until, NOW), Ok(()));
        }
        assert_eq!(take(16, until, NOW), Err(ProofError::Full));
        assert_eq!(take(0, until, NOW), Err(ProofError::Replayed));
        let later = NOW.plus_secs(300);
        assert_eq!(take(16, later.plus_secs(90), later), Ok(()));
        assert_eq!(ProofError::Full.code(), "dpop-proofs-too-many");
        assert_eq!(ProofError::Full.oauth_error(), "temporarily_unavailable");
    }

    /// Whoever sends proof after proof has half of what is remembered at most, and while that is taken a
    /// sixteenth; the others go on.
    #[test]
    fn one_client_does_not_fill_what_is_remembered() {
        const MOST: usize = 64;
        let mut seen = Seen::default();
        let mut take = |client: u64, number: u8, now: UnixTime| {
            let mut name = [number; 16];
            name[..8].copy_from_slice(&client.to_be_bytes());
            // Of several ages, and so in several buckets.
            let until = now.plus_secs(40 + i64::from(number));
            seen.insert(name, client, until, now, MOST)
        };
        let [greedy, second, third] = [1, 2, 3];
        // Alone it has room, up to the half.
        for number in 0..32 {
            assert_eq!(take(greedy, number, NOW), Ok(()));
        }
        assert_eq!(take(greedy, 32, NOW), Err(ProofError::Full));
        // Another one has its share, and is stopped there.
        for number in 0..4 {
            assert_eq!(take(second, number, NOW), Ok(()));
            assert_eq!(take(greedy, 32, NOW), Err(ProofError::Full));
        }
        assert_eq!(take(second, 4, NOW), Err(ProofError::Full));
        assert_eq!(take(third, 0, NOW), Ok(()));
        // What was taken stays so.
        for (client, numbers) in [(greedy, 0..32), (second, 0..4), (third, 0..1)] {
            for number in numbers {
                assert_eq!(take(client, number, NOW), Err(ProofError::Replayed));
            }
        }
        // When it is forgotten, its client has room again.
        let later = NOW.plus_secs(300);
        assert_eq!(take(greedy, 0, later), Ok(()));
        assert_eq!(seen.count, 1);
        assert_eq!(seen.held_by(greedy), 1);
        assert_eq!(seen.held_by(second), 0);
        let counted = seen.buckets.values().map(|bucket| bucket.of.len());
        assert_eq!(counted.sum::<usize>(), 1);
    }

    #[test]
    fn a_nonce_is_of_this_process_and_lapses() {
        let dpop = Dpop::new(Nonces::Demanded);
        let key = dpop.nonce_key.as_ref().unwrap();
        let nonce = dpop.nonce(NOW).unwrap();
        for (secs, expected) in [
            (0, true),
            (NONCE_SECS, true),
            (2 * NONCE_SECS, false),
            (-NONCE_SECS, false),
        ] {
            assert_eq!(
                given_out(key, &nonce, NOW.plus_secs(secs)),
                expected,
                "{secs}"
            );
        }
        let other = Dpop::new(Nonces::Demanded).nonce(NOW).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(&nonce).unwrap();
        bytes[8] ^= 1;
        for wrong in [
            other,
            String::new(),
            "x".into(),
            URL_SAFE_NO_PAD.encode(bytes),
            nonce[..11].into(),
        ] {
            assert!(!given_out(key, &wrong, NOW), "{wrong}");
        }
        assert_eq!(Dpop::new(Nonces::Off).nonce(NOW), None);
    }
}
