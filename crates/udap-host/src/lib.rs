//! The inbound kit: what every server of a community shares, whichever role it plays.
//!
//! Configuration with the origin of each value ([`config`]), a TLS listener with one runtime per
//! core ([`listen`]), the database ([`db`]), the audit trail ([`audit`]), and the small things
//! around a request ([`problem`], [`request_id`], [`client_ip`], [`limits`], [`health`],
//! [`metrics`], [`telemetry`]).
//!
//! ```no_run
//! use udap_host::listen::{self, Listen, Shutdown};
//!
//! let shutdown = Shutdown::on_signals()?;
//! let listen = Listen::plain("127.0.0.1:8080".parse().unwrap());
//! listen::run(listen, 2, || axum::Router::new(), shutdown)?;
//! # Ok::<(), listen::ListenError>(())
//! ```
//!
//! What is not here: routes, SQL of a role, and anything that decides trust. A role brings its
//! router and its migrations; trust is decided in `udap-pki` by way of `udap-trust`.

pub mod audit;
mod catalogue;
pub mod client_ip;
pub mod config;
pub mod db;
mod descriptors;
pub mod dpop;
pub mod files;
pub mod health;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod problem;
pub mod rate;
pub mod request_id;
pub mod seal;
pub mod telemetry;
pub mod token_status;
pub mod when;

pub use catalogue::CATALOGUE;
pub use udap_trust::clock;
