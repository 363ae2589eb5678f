//! Random numbers, from the cryptographic library's generator.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// So many random bytes.
///
/// # Panics
/// When the operating system gives none; there is no safe way to go on without.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "without randomness nothing here is safe to go on"
)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A random identifier of 128 bits, 22 characters of base64url.
#[must_use]
pub fn id() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}
