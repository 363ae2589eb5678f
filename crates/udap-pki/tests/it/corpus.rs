//! The fuzz targets' corpus as an ordinary test, each entry also changed and cut at forty places.

use std::time::Duration;

#[path = "../../../../fuzz/corpus.rs"]
mod kept;

#[path = "../../../../fuzz/src/issue.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    reason = "the fuzz crate's own module, public there"
)]
mod issue;

#[path = "../../../../fuzz/src/pki.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    reason = "the fuzz crate's own module, public there"
)]
mod pki;

fn run(target: &str, judge: fn(&[u8])) {
    for (path, data) in kept::entries(target) {
        kept::in_time(&path, &data, Duration::from_secs(5), judge);
        for at in (0..data.len()).step_by(data.len() / 40 + 1) {
            kept::damaged(&data, at, judge);
        }
    }
}

#[test]
fn certificates() {
    run("certificate", pki::certificate);
}

#[test]
fn chains() {
    run("chain", pki::chain);
}

#[test]
fn crls() {
    run("crl", pki::crl);
}

#[test]
fn ocsp_responses() {
    run("ocsp", pki::ocsp);
}

#[test]
fn ocsp_requests() {
    run("ocsp_request", issue::ocsp_request);
}

#[test]
fn certification_requests() {
    run("csr", issue::csr);
}
