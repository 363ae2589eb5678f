//! The client against a server that does what each test wants, honest or hostile.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod about_token;
mod conformance;
mod discover;
mod fhir;
mod inspect;
mod register;
mod scene;
mod token;
