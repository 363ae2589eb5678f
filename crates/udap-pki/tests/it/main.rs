//! The engine against public suites, other engines, and chains of its own making.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test fails by panicking, says on stderr what it skipped, and clones handles where that reads better"
)]

mod corpus;
mod descent;
mod differential;
mod forge;
mod graph;
mod pkits;
mod revocation;
mod rules;
mod trace;
mod uri_names;
mod wycheproof;
