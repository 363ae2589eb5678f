//! Test helpers: a PKI in a few words, servers that answer what a test wants them to, frozen time.
//!
//! ```
//! use udap_testkit::{NOW, TestPki};
//!
//! let pki = TestPki::new("https://community.example");
//! let app = pki.leaf("https://app.example");
//! let trust = udap_trust::verify::TrustEngine::new(None, vec![pki.trust()]);
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let verdict = trust.verify(pki.community(), app.leaf(), &app.chain[1..], NOW).await;
//! assert!(verdict.is_ok());
//! # });
//! ```
//!
//! Everything is made when a test runs, so that no key is checked in and nothing expires: time
//! stands still at [`NOW`]. A helper that cannot do its work panics, since a test is all there is to
//! tell.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: what goes wrong ends the test"
)]

mod pki;
mod ports;
pub mod postgres;
mod server;

pub use pki::{Member, MemberBuilder, TestPki};
pub use ports::free_ports;
pub use server::{Answer, Asked, TestServer, TlsFiles, tls_files};
pub use udap_trust::keys::KeyType;

use std::sync::Arc;
use udap_pki::UnixTime;

/// 2026-11-24T16:00:00Z, the time at which tests take place.
pub const NOW: UnixTime = UnixTime(1_795_536_000);
/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A clock that stands still at [`NOW`].
#[must_use]
pub fn clock() -> Arc<dyn Fn() -> UnixTime + Send + Sync> {
    Arc::new(|| NOW)
}
