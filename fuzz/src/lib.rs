//! What each fuzz target does with its input, apart from the fuzzer, so that the corpus also runs as an
//! ordinary test (`corpus.rs` says where).

pub mod gateway;
pub mod issue;
pub mod pki;
pub mod proto;
pub mod tls;
pub mod url;
