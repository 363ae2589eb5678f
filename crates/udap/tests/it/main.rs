//! The program as its users run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admin;
mod bundle;
mod certify;
mod community;
mod descriptors;
mod doctor;
mod errors;
mod examples;
mod files;
mod flow;
mod jwt;
mod offline;
mod passphrase;
mod profiles;
mod readme;
mod shown;
mod x509;

/// Command lines with their output and exit codes, in `tests/cmd/`.
#[test]
fn commands() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        .env("NO_COLOR", "1")
        .run();
}
