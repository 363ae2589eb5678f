//! The UDAP client: find a server, verify it, register, get a token, read FHIR.
//!
//! ```no_run
//! # async fn example(community: udap_client::CommunityTrust, identity: udap_client::Identity) -> Result<(), udap_client::ClientError> {
//! use udap_client::{Client, ClientConfig, ScopeSet, client_credentials};
//!
//! let client = Client::new(ClientConfig::new(vec![community]).with_identity(identity))?;
//! let server = client.discover("https://fhir.example.org/r4", None).await?;
//!
//! let scope = ScopeSet::parse("system/Patient.rs");
//! let app = client_credentials("Example app", &scope, &["mailto:ops@app.example"]);
//! let registered = client.register(&server, &app).await?;
//!
//! let extensions = Default::default(); // `hl7-b2b`, where the server asks for it
//! let token = client.token(&server, &registered.client_id, &scope, &extensions).await?;
//! let answer = client.get(&token, "https://fhir.example.org/r4/Patient?family=Shaw").await?;
//! println!("{}", String::from_utf8_lossy(&answer.body));
//! # Ok(())
//! # }
//! ```
//!
//! Whom a client asks for a token is decided by [`Client::discover`] alone: only it makes a
//! [`Discovered`], and every later step takes one. Every request leaves through the guarded fetcher
//! of `udap-trust`, and each can be looked at as a [`Plan`] before, or in place of, being sent.
//!
//! Not here: a database (what an app may want to remember is [`state`], a file), sign-in of users,
//! and whether a certificate is good (`udap-pki`, asked through `udap-trust`).

mod about_token;
mod catalogue;
mod client;
mod discover;
mod error;
mod fhir;
mod identity;
pub mod inspect;
mod plan;
mod register;
pub mod state;
mod token;

pub use about_token::About;
pub use catalogue::CATALOGUE;
pub use client::{Client, ClientConfig, Clock, Membership};
pub use discover::{Discovered, Server};
pub use error::{ClientError, Endpoint, Refused, Tried};
pub use fhir::{FhirAnswer, require_under_base};
pub use identity::Identity;
pub use plan::{Plan, PlanBody, Secrets};
pub use register::{Outcome, Registered, client_credentials};
pub use token::{AccessToken, Extensions};

pub use udap_proto::Refusal;
pub use udap_proto::extensions::hl7_b2b::Hl7B2b;
pub use udap_proto::registration::ClientMetadata;
pub use udap_proto::scope::ScopeSet;
pub use udap_trust::fetch::{FetchPolicy, TlsRoots};
pub use udap_trust::verify::CommunityTrust;
