//! The data holder's authorization server: signed metadata, trusted dynamic registration, tokens.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use udap_host::listen::{self, Shutdown};
//!
//! let config = udap_host::config::load("udap.toml".as_ref())?;
//! let server = udap_server::Server::open(&config).await?;
//! let shutdown = Shutdown::new();
//! tokio::spawn(server.clone().run_background(shutdown.clone()));
//! let routes = server.clone();
//! let running = listen::start(config.listen(), 2, move || routes.router(), shutdown)?;
//! running.join()?;
//! server.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `router.rs` has every route on a page; each endpoint is one file with its handler and its one
//! error type; `app.rs` is the state they share; SQL stands under `store/` and nowhere else.
//!
//! Not here: what a certificate or a message must be (`udap-pki`, `udap-proto`), and the FHIR data
//! (`udap-gateway`).

mod about_token;
mod access_key;
mod admin;
mod app;
mod asserted;
mod assertion_grant;
mod background;
mod base;
mod binding;
mod body;
pub mod catalogue;
mod certifications;
mod client_authentication;
mod communities;
mod discovery;
mod introspection;
mod jwks;
mod life_cycle;
mod metadata;
mod metrics;
mod nodes;
mod registration;
mod revocation;
mod router;
mod scopes;
mod smart_clients;
mod statement_issuers;
mod store;
mod token;

pub use admin::{
    Admin, CATALOGUE as ADMIN_CATALOGUE, LocalAdmin, LocalError, MIN_PASSWORD, OperatorError, Role,
    openapi,
};
pub use app::{Server, StartError};
pub use catalogue::CATALOGUE;
pub use communities::{Trouble, community_trust, identity, last_bundle_sequence};
pub use store::MIGRATIONS;

/// Where the authorization server's own endpoints are, behind the base URL. No FHIR resource type
/// begins with a lower-case letter, so nothing of the FHIR server is shadowed.
pub mod path {
    /// Registration (RFC 7591).
    pub const REGISTER: &str = "/oauth/register";
    /// Tokens (RFC 6749 §3.2).
    pub const TOKEN: &str = "/oauth/token";
    /// What an access token says, and whether it counts (RFC 7662).
    pub const INTROSPECT: &str = "/oauth/introspect";
    /// The end of an access token before its time (RFC 7009).
    pub const REVOKE: &str = "/oauth/revoke";
    /// The keys that access tokens are signed with (RFC 7517).
    pub const JWKS: &str = "/oauth/jwks";
}
