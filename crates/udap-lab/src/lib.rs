//! The laboratory: a whole trust community on one machine, and the benchmarks.
//!
//! [`dev`] makes the sandbox, starts every actor of a community as a process of its own and runs the
//! main job against them; [`mod@bench`] measures what a request costs; [`fhir`] is the small FHIR server
//! that stands behind both; [`actor`] is what those processes run that no other command offers.
//!
//! ```no_run
//! use udap_lab::dev::{self, DevOptions, Format, Stay};
//!
//! let options = DevOptions { stay: Stay::ForTheJob, format: Format::Json, ..DevOptions::default() };
//! let exit: std::process::ExitCode = dev::run(options);
//! # let _ = exit;
//! ```
//!
//! Not here: anything that another actor needs to work. Nothing depends on this crate but the binary.

pub mod actor;
pub mod bench;
mod catalogue;
pub mod dev;
pub mod fhir;
mod output;
mod wire;

pub use catalogue::{CATALOGUE, explanations};
