//! What each fuzz target does with its input, apart from the fuzzer, so that the corpus also runs as an
//! ordinary test (see `tests/it/corpus.rs` of udap-pki, udap-proto and udap-trust).

pub mod pki;
pub mod proto;
pub mod tls;
pub mod url;
