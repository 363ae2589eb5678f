//! The gateway between a client and a FHIR server, both played by the tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod access;
mod addresses;
mod binding;
mod corpus;
mod forwarding;
mod kit;
mod streaming;
mod tls;
mod trail;
