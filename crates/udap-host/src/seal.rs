//! Secrets at rest: those that have to be had back are sealed under a key that is not kept with them;
//! those that are only compared are kept as their SHA-256.
//!
//! ```
//! use udap_host::seal::{SecretsKey, hash};
//!
//! let key = SecretsKey::read(b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
//! let sealed = key.seal(b"a private key", "signing_key access-token").unwrap();
//! assert_eq!(*key.open(&sealed, "signing_key access-token").unwrap(), b"a private key");
//! assert!(key.open(&sealed, "signing_key another").is_err());
//!
//! // What a client shows again, such as an opaque token or the id of a session, is kept so.
//! assert_eq!(hash("2YotnFZFEjr1zCsicMWpAA").len(), 32);
//! ```
//!
//! What is not here: passwords, which are short and want a slow function.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest, pbkdf2,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// The key of `secrets_key_file`: AES-256-GCM.
pub struct SecretsKey {
    key: RandomizedNonceKey,
    /// Says which key it was, so that a wrong one is told from a row that somebody changed.
    id: [u8; ID],
}

/// Why a secret is not had back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("it was sealed under another key")]
    OtherKey,
    #[error("it is not what was sealed, or stands in another place")]
    Changed,
    #[error("it could not be sealed")]
    Failed,
}

impl SealError {
    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherKey => "secrets-key-wrong",
            Self::Changed | Self::Failed => "secret-unusable",
        }
    }
}

impl SecretsKey {
    /// From the text of its file: 32 bytes in base64, as `openssl rand -base64 32` writes them.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.trim();
        let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
        // A key with few values is one that somebody typed, or a file of zeros.
        let mut values = bytes.to_vec();
        values.sort_unstable();
        values.dedup();
        if values.len() < MIN_VALUES {
            return None;
        }
        Self::of(&bytes)
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        // Not of the key alone: what is written beside what it sealed must not help to guess it.
        let digest = digest::digest(
            &digest::SHA256,
            &Zeroizing::new([ID_OF.as_bytes(), bytes].concat()),
        );
        let mut id = [0; ID];
        id.copy_from_slice(digest.as_ref().get(..ID)?);
        Some(Self {
            key: RandomizedNonceKey::new(&AES_256_GCM, bytes).ok()?,
            id,
        })
    }

    /// Seals a secret to the place where it is kept, such as table and key of its row: moved to
    /// another one, it does not open.
    pub fn seal(&self, secret: &[u8], place: &str) -> Result<Vec<u8>, SealError> {
        // Room for all of it at once: a vector that grows leaves copies of the secret behind.
        let mut sealed = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(secret);
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut sealed)
            .map_err(|_| SealError::Failed)?;
        Ok([&[VERSION][..], &self.id, nonce.as_ref(), &sealed].concat())
    }

    /// The secret again.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_at_checked(1).ok_or(SealError::Changed)?;
        let (id, rest) = rest.split_at_checked(ID).ok_or(SealError::Changed)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN).ok_or(SealError::Changed)?;
        if version != [VERSION] {
            return Err(SealError::Changed);
        }
        if id != self.id {
            return Err(SealError::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Changed)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut bytes)
            .map_err(|_| SealError::Changed)?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

impl std::fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretsKey(redacted)")
    }
}

/// A passphrase under which keys are sealed that lie in files: by a key that PBKDF2 derives from it, with a
/// salt for each.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// From the text of its file, without the end of its line; `None` if it is shorter than
    /// [`MIN_PASSPHRASE`] bytes.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii_end();
        (text.len() >= MIN_PASSPHRASE).then(|| Self(Zeroizing::new(text.to_vec())))
    }

    /// Seals a secret to its place; takes some tenths of a second, by intention.
    pub fn seal(&self, secret: &[u8], place: &str) -> Result<Vec<u8>, SealError> {
        let salt: [u8; SALT] = udap_trust::random::bytes();
        let key = self.key(&salt, ITERATIONS).ok_or(SealError::Failed)?;
        let sealed = key.seal(secret, place)?;
        Ok([&salt[..], &ITERATIONS.get().to_be_bytes(), &sealed].concat())
    }

    /// The secret again. A wrong passphrase is [`SealError::OtherKey`].
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (salt, rest) = sealed.split_at_checked(SALT).ok_or(SealError::Changed)?;
        let (iterations, sealed) = rest.split_first_chunk().ok_or(SealError::Changed)?;
        let iterations = u32::from_be_bytes(*iterations);
        // A file that somebody changed must not keep the program busy, nor have it derive cheaply.
        if !(ITERATIONS.get()..=MAX_ITERATIONS).contains(&iterations) {
            return Err(SealError::Changed);
        }
        let iterations = NonZeroU32::new(iterations).ok_or(SealError::Changed)?;
        let key = self.key(salt, iterations).ok_or(SealError::Failed)?;
        key.open(sealed, place)
    }

    fn key(&self, salt: &[u8], iterations: NonZeroU32) -> Option<SecretsKey> {
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            salt,
            &self.0,
            &mut *key,
        );
        SecretsKey::of(&*key)
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// How a random text is kept that is only compared: opaque tokens, ids of sessions, codes. It has to be
/// random, of 128 bits or more; what can be guessed can be guessed from its hash too.
pub fn hash(secret: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

/// In bytes. What protects a CA's key should be a sentence or random.
pub const MIN_PASSPHRASE: usize = 12;
/// As OWASP asks of PBKDF2 with HMAC-SHA-256.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
const MAX_ITERATIONS: u32 = 10_000_000;
const SALT: usize = 16;

const VERSION: u8 = 1;
const ID: usize = 4;
const ID_OF: &str = "udap secrets key id";
/// 32 random bytes have 30 values and some; fewer than 16 do not happen.
const MIN_VALUES: usize = 16;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn key(first: u8) -> SecretsKey {
        let bytes: Vec<u8> = (first..first + 32).collect();
        SecretsKey::read(STANDARD.encode(bytes).as_bytes()).unwrap()
    }

    #[test]
    fn a_secret_opens_under_its_key_in_its_place_unchanged_and_not_otherwise() {
        let sealed = key(0).seal(b"secret", "signing_key a").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(*key(0).open(&sealed, "signing_key a").unwrap(), b"secret");
        // Never the same twice.
        assert_ne!(sealed, key(0).seal(b"secret", "signing_key a").unwrap());

        let other = key(1).open(&sealed, "signing_key a").unwrap_err();
        assert_eq!(
            (other, other.code()),
            (SealError::OtherKey, "secrets-key-wrong")
        );
        let moved = key(0).open(&sealed, "signing_key b").unwrap_err();
        assert_eq!(
            (moved, moved.code()),
            (SealError::Changed, "secret-unusable")
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(0).open(&changed, "signing_key a").is_err(), "byte {at}");
            assert!(
                key(0).open(&sealed[..at], "signing_key a").is_err(),
                "{at} bytes"
            );
        }
    }

    #[test]
    fn what_a_passphrase_sealed_opens_by_it_in_its_place_and_not_otherwise() {
        let passphrase = |text: &str| Passphrase::read(text.as_bytes()).unwrap();
        let right = passphrase("correct horse battery\n");
        let sealed = right.seal(b"secret", "root").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let again = passphrase("correct horse battery");
        assert_eq!(*again.open(&sealed, "root").unwrap(), b"secret");
        assert_eq!(right.open(&sealed, "issuing"), Err(SealError::Changed));
        let wrong = passphrase("correct horse batterie");
        assert_eq!(wrong.open(&sealed, "root"), Err(SealError::OtherKey));
        // Nobody makes it cheap to guess, or endless to try.
        for iterations in [1, 599_999, 10_000_001, u32::MAX] {
            let mut changed = sealed.clone();
            changed[16..20].copy_from_slice(&iterations.to_be_bytes());
            assert_eq!(right.open(&changed, "root"), Err(SealError::Changed));
        }
        assert_eq!(right.open(&sealed[..30], "root"), Err(SealError::Changed));
        assert!(Passphrase::read(b"short words\n\n").is_none());
        assert_eq!(format!("{right:?}"), "Passphrase(redacted)");
    }

    #[test]
    fn what_is_not_a_key_of_256_bits_is_not_taken() {
        for text in [
            "",
            "geheim",
            &STANDARD.encode([7; 32]),
            &STANDARD.encode([0; 31]),
        ] {
            assert!(SecretsKey::read(text.as_bytes()).is_none(), "{text}");
        }
        let short: Vec<u8> = (0..31).collect();
        assert!(SecretsKey::read(STANDARD.encode(short).as_bytes()).is_none());
        assert_eq!(format!("{:?}", key(0)), "SecretsKey(redacted)");
    }
}
