//! The authorization server from outside: each module is a URL or a promise.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

mod about_token;
mod admin;
mod any_input;
mod assertion_grant;
mod background;
mod bundle;
mod bundle_limits;
mod certification_rounds;
mod certifications;
mod certifiers;
mod code_apps;
mod concurrency;
mod conformance;
mod discovery;
mod dpop;
mod guide;
mod introspection;
mod jku;
mod jwks;
mod kill;
mod life_cycle;
mod limits;
mod metadata;
mod metrics;
mod mutual_tls;
mod nodes;
mod opaque;
mod peers;
mod register;
mod register_refused;
mod reload;
mod restored;
mod revocation;
mod revoke_token;
mod secrets;
mod several_bases;
mod smart;
mod start;
mod tefca;
mod tls;
mod token;
mod token_refused;
mod token_status;
mod vouched;
