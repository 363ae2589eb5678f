//! The sandbox's FHIR R4 server: a small read-only store of invented people.
//!
//! It stands behind the gateway when nobody brings a FHIR server of their own, and under the benchmarks. It reads,
//! searches by type and pages; it never writes, and it never checks a token: that is the gateway's task.
//!
//! ```
//! use udap_lab::fhir;
//!
//! let base = url::Url::parse("http://localhost:8443/fhir")?;
//! let app: axum::Router = fhir::router(&base); // GET http://localhost:8443/fhir/Patient?family=Shaw
//! let same_people = fhir::transaction(); // for another FHIR server: POST it to its base
//! # let _ = (app, same_people);
//! # Ok::<(), url::ParseError>(())
//! ```
//!
//! Links are built from the base address it is given and from nothing else: `Host`, `Forwarded` and `X-Forwarded-*` of
//! a request are not read, so that a gateway in front has something to rewrite.
//!
//! Not here: writes, history, `_include`, chained parameters, sorting, subscriptions, any other version than R4.

mod answer;
mod capability;
mod data;
mod filter;
mod indexed;
mod instant;
mod parameter;
mod query;
mod routes;
mod searchset;
mod store;
mod text;

pub use data::{BENCH_PATIENT, resources, transaction};
pub use routes::router;
