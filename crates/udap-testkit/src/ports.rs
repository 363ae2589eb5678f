//! Ports for servers that are told theirs before they listen.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first of ten ports in a row that nobody listens on and no other test of this process is given. They are below
/// those that the system gives whoever asks for any port, so that nobody gets one of them by chance.
#[must_use]
pub fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 400).unwrap() * 10;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = 24_000 + (offset + step * 10) % 4_000;
        if (base..base + 10).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
}
