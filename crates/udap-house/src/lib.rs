//! The rules of the house, as functions that can be wrong and are tested for it.
//!
//! Every check is pure: it takes what was read (the answer of `cargo metadata`, the text of the
//! files) and returns a sentence for each thing that breaks a rule. `tests/house.rs` runs them over
//! this workspace and wants none; the unit tests beside each check show it a bad example and want
//! one, since a check that cannot fail checks nothing.
//!
//! ```
//! use udap_house::{Source, length};
//!
//! let long = Source::new("crates/x/src/lib.rs", &"\n".repeat(701));
//! assert_eq!(length::too_long(&[long]), ["crates/x/src/lib.rs has 701 lines, more than 700"]);
//! ```
//!
//! Not here: anything that a compiler lint can say. Lints are in the workspace's `Cargo.toml`,
//! banned functions in `clippy.toml`.

pub mod arrows;
pub mod catalogues;
pub mod dependencies;
pub mod graph;
pub mod length;
pub mod manifests;
pub mod matrix;
pub mod source;
pub mod words;

pub use graph::Graph;
pub use source::Source;
