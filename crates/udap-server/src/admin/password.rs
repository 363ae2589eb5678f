//! Passwords of operators: argon2id, a few at a time, so that logging in takes neither memory nor
//! processor from partners.

use super::OperatorError;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use udap_trust::random;
use zeroize::Zeroizing;

/// The fewest characters of a password. Without rules on what kinds: length is what helps.
pub const MIN_PASSWORD: usize = 12;
/// The most bytes: nobody hashes a book.
const MAX_PASSWORD: usize = 1024;

/// 19 MiB and two passes: what is advised for servers that log people in, and some 40 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Within these a stored hash is believed, so that a damaged row costs no gigabytes.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;

/// How many are hashed at once: two take 38 MiB and, for a moment, two threads.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(3);

/// Hashes passwords, a few at a time.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of a password that nobody has, for names that nobody has.
    nobody: String,
    /// How long one waits for its turn.
    wait: Duration,
}

impl Default for Passwords {
    fn default() -> Self {
        let salt = STANDARD_NO_PAD.encode(random::bytes::<16>());
        let hash = STANDARD_NO_PAD.encode(random::bytes::<32>());
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${hash}"),
            wait: WAIT,
        }
    }
}

/// Too many want to log in at once.
#[derive(Debug)]
pub(super) struct Busy;

impl Passwords {
    /// Whether it is the password of that hash. Where there is no such operator, it takes as long and is
    /// wrong.
    pub(super) async fn check(
        &self,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<bool, Busy> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(self.wait, turn).await else {
            return Err(Busy);
        };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        // The turn goes into the task: a client that hangs up makes no room for the next one while its
        // password is still being hashed.
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            verify(&password, &hash)
        });
        Ok(checked.await.unwrap_or(false) && known)
    }
}

/// The hash of a new password, in the usual textual form.
///
/// # Errors
/// [`OperatorError::PasswordShort`] and others of its kind.
pub(super) fn hash(password: &str) -> Result<String, OperatorError> {
    let characters = password.chars().count();
    if characters < MIN_PASSWORD {
        return Err(OperatorError::PasswordShort { characters });
    }
    if password.len() > MAX_PASSWORD {
        return Err(OperatorError::PasswordLong {
            max_bytes: MAX_PASSWORD,
        });
    }
    let salt = random::bytes::<16>();
    let hash = derive(password, &salt, MEMORY_KIB, PASSES).ok_or(OperatorError::Hashing)?;
    Ok(format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    ))
}

/// `false` for whatever cannot be read as well.
fn verify(password: &str, stored: &str) -> bool {
    let Some((memory, passes, salt, expected)) = read(stored) else {
        return false;
    };
    if password.len() > MAX_PASSWORD {
        return false;
    }
    derive(password, &salt, memory, passes).is_some_and(|found| {
        aws_lc_rs::constant_time::verify_slices_are_equal(&found, &expected).is_ok()
    })
}

fn derive(password: &str, salt: &[u8], memory: u32, passes: u32) -> Option<[u8; 32]> {
    let params = Params::new(memory, passes, 1, Some(32)).ok()?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .ok()?;
    Some(hash)
}

type Stored = (u32, u32, Vec<u8>, Vec<u8>);

/// `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`
fn read(stored: &str) -> Option<Stored> {
    let parts: Vec<&str> = stored.split('$').collect();
    let ["", "argon2id", "v=19", costs, salt, hash] = parts[..] else {
        return None;
    };
    let costs: Vec<&str> = costs.split(',').collect();
    let [memory, passes, "p=1"] = costs[..] else {
        return None;
    };
    let memory: u32 = memory.strip_prefix("m=")?.parse().ok()?;
    let passes: u32 = passes.strip_prefix("t=")?.parse().ok()?;
    if memory > MAX_MEMORY_KIB || passes > MAX_PASSES {
        return None;
    }
    let decode = |text| STANDARD_NO_PAD.decode(text).ok();
    Some((memory, passes, decode(salt)?, decode(hash)?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_nothing_else_is() {
        let stored = hash("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse battery", &stored));
        assert!(!verify("correct horse batterz", &stored));
        assert!(!verify("", &stored));
        // Each has a salt of its own.
        assert_ne!(stored, hash("correct horse battery").unwrap());
        for wrong in [
            "",
            "$argon2id$v=19$m=19456,t=2,p=1$",
            "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$AAAA",
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$",
        ] {
            assert!(!verify("correct horse battery", wrong), "{wrong}");
        }
    }

    #[test]
    fn a_short_password_is_refused() {
        let refused = hash("eleven char").unwrap_err();
        assert_eq!(refused.code(), "password-too-short");
        let long = "x".repeat(MAX_PASSWORD + 1);
        assert_eq!(hash(&long).unwrap_err().code(), "password-too-long");
        hash("twelve chars").unwrap();
    }

    #[tokio::test]
    async fn no_more_than_a_few_are_hashed_at_once() {
        let passwords = Passwords {
            wait: Duration::from_millis(20),
            ..Passwords::default()
        };
        let taken = passwords.turns.acquire_many(2).await.unwrap();
        let waiting = passwords.check("anything at all".to_owned().into(), None);
        assert!(waiting.await.is_err());
        drop(taken);
        let wrong = passwords.check("anything at all".to_owned().into(), None);
        assert!(!wrong.await.unwrap());
        assert_eq!(passwords.turns.available_permits(), AT_ONCE);
    }
}
