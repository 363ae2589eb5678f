//! The engine against public suites, other engines, and chains of its own making.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skipped"
)]

mod differential;
mod forge;
mod graph;
mod pkits;
mod revocation;
mod rules;
mod uri_names;
mod wycheproof;
