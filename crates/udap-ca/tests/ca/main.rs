//! The certificate authority as its users see it: a directory, a library, an HTTP service.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says when it skips"
)]

mod bundle;
mod certification;
mod crl;
mod fixture;
mod init;
mod issue;
mod issuer_certificate;
mod kill;
mod ocsp;
mod revoke;
