#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
mod bound;
mod clients;
mod dev;
mod fhir;
mod kill;
mod medplum;
mod program;
