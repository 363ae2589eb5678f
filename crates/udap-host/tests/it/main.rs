//! The kit as a role uses it, over real sockets and real files.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod audit;
mod community;
mod config;
mod config_files;
mod db;
mod listen;
mod mutual_tls;
mod postgres;
mod support;
mod tls;
