//! The edge of trust: the guarded fetcher, the trust loop with its caches, and signers.
//!
//! [`udap_pki::verify`] decides and never fetches; it says what it needs. This crate fetches each
//! need through the [`fetch::Fetcher`], within a budget, and asks again. What was accepted is
//! remembered until the first thing it rests upon ends, or the [`epoch::Epoch`] moves.
//!
//! ```no_run
//! # async fn example(leaf: udap_pki::Certificate, anchors: Vec<udap_pki::Anchor>) -> Result<(), Box<dyn std::error::Error>> {
//! use udap_trust::{clock, fetch::{FetchPolicy, Fetcher}, verify::{CommunityTrust, TrustEngine}};
//!
//! let fetcher = Fetcher::new(FetchPolicy::default())?;
//! let community = CommunityTrust::new("https://community.example", anchors);
//! let trust = TrustEngine::new(Some(fetcher), vec![community]);
//! let verdict = trust.verify("https://community.example", &leaf, &[], clock::now()).await?;
//! println!("trusted until {}", verdict.expires());
//! # Ok(())
//! # }
//! ```
//!
//! Not here: which messages are right (`udap-proto`), what a server does with a verdict, and any
//! listening socket. Besides `udap-host` this is the only place that reads the clock, and the only
//! one that makes random numbers or keys.

pub mod catalogue;
pub mod clock;
pub mod epoch;
pub mod fetch;
pub mod key_sets;
pub mod keys;
pub mod providers;
pub mod random;
pub mod signer;
pub mod verify;

pub use catalogue::CATALOGUE;
