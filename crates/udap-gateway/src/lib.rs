//! The gateway in front of a FHIR server: the token says who asks, the whole request says for what,
//! the scopes say whether they may, and only then does the FHIR server hear of it.
//!
//! ```no_run
//! use std::sync::Arc;
//! use udap_gateway::{Gateway, GatewayConfig, TokenKeys};
//! # fn example(keys: udap_proto::jwk::JwkSet, status: Arc<dyn udap_host::token_status::TokenStatus>,
//! #            audit: udap_host::audit::Audit) -> Result<(), udap_gateway::ConfigError> {
//! let config = GatewayConfig::new("https://fhir.example.org/r4", "http://10.0.0.5:8080/fhir");
//! let keys = Arc::new(TokenKeys::new(keys));
//! let gateway = Gateway::new(config, keys, status, audit, Arc::new(udap_host::clock::now))?;
//! let router: axum::Router = gateway.router(); // once per worker thread
//! # let _ = router;
//! # Ok(())
//! # }
//! ```
//!
//! From the edge inwards: [`Gateway`] holds the order of the steps. [`interaction`] makes one FHIR
//! interaction of method, path and parameters ([`path`], [`query`]) or refuses; [`scopes`] decides
//! about it; [`forward`] sends it and streams the answer, in which [`rewrite`] replaces the FHIR
//! server's address. `interaction`, `scopes` and `rewrite` do no I/O.
//!
//! **Invariant: what is sent is what was decided.** The request to the FHIR server is written from
//! the [`Interaction`](interaction::Interaction), never copied from the client's.
//!
//! **Invariant: refuse by default.** Resource types, parameters, modifiers and headers pass because
//! they are named, and everything else stays out with a code that says which rule it was.
//!
//! What is not here: issuing tokens, discovery documents, and whether a member is to be trusted.

mod answer;
mod binding;
mod catalogue;
mod config;
pub mod forward;
mod gateway;
mod headers;
pub mod interaction;
pub mod path;
pub mod query;
mod refusal;
pub mod resource_types;
pub mod rewrite;
pub mod scopes;
mod token;

pub use binding::BindingError;
pub use catalogue::CATALOGUE;
pub use config::{ConfigError, GatewayConfig, Timeouts, UpstreamToken};
pub use gateway::{Clock, Gateway, router};
pub use refusal::{FormError, Refusal};
pub use token::{MAX_TOKEN_BYTES, TokenError, TokenKeys};
