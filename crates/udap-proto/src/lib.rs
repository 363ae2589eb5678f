//! UDAP, OAuth and SMART messages as values: bytes and a time go in, typed results come out.
//!
//! Nothing here fetches, signs, reads a clock or makes a random number. A message that is to be
//! signed is built in two steps: [`jws::Unsigned`] gives the bytes to sign and takes the signature
//! back. A message that is to be trusted is read in stages, and each stage has its own type, so that
//! a handler cannot skip one: *parsed* (its shape is right), *signed* (the key of `x5c[0]` made the
//! signature), *verified* (a verdict of [`udap_pki::verify`] about that very leaf was shown, the
//! registered URI is one of the leaf's names, and the claims hold).
//!
//! ```
//! use udap_proto::scope::{Context, Permission, ScopeSet};
//!
//! let granted = ScopeSet::parse("system/Patient.rs system/Observation.read");
//! assert!(granted.permits(Context::System, "Patient", Permission::Search));
//! assert!(!granted.permits(Context::System, "Condition", Permission::Read));
//! ```
//!
//! Not here: deciding whether a certificate is good (`udap-pki`), fetching what that decision needs
//! (`udap-trust`), and answering requests (`udap-server`, `udap-gateway`).

pub mod access_token;
pub mod assertion;
pub mod authorization;
pub mod bundle;
pub mod catalogue;
pub mod certification;
pub mod claims;
pub mod client_cert;
pub mod community;
pub mod confirmation;
pub mod discovery;
pub mod dpop;
pub mod error;
pub mod event;
pub mod extensions;
pub mod id_token;
pub mod ids;
pub mod introspection;
pub mod json;
pub mod jwk;
pub mod jws;
pub mod metadata;
pub mod registration;
pub mod scope;
pub mod smart;
pub mod statement;
pub mod suggest;
pub mod token;
pub mod vouched;

pub use catalogue::CATALOGUE;
pub use error::Refusal;
