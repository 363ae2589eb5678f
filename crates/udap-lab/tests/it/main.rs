#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod bound;
mod browser;
mod clients;
mod dev;
mod fhir;
mod kill;
mod medplum;
mod nodes;
mod openapi;
mod program;
mod secrets;
