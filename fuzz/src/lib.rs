//! What each fuzz target does with its input, apart from the fuzzer, so that the corpus also runs as an
//! ordinary test (see `crates/udap-pki/tests/it/corpus.rs`).

pub mod pki;
