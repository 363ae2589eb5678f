//! The fuzz targets' corpus as an ordinary test, each entry also with every octet changed and cut at
//! every place.

use std::time::Duration;

#[path = "../../../../fuzz/corpus.rs"]
mod kept;

#[path = "../../../../fuzz/src/proto.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    reason = "the fuzz crate's own module, public there"
)]
mod proto;

fn run(target: &str, read: fn(&[u8])) {
    for (path, data) in kept::entries(target) {
        kept::in_time(&path, &data, Duration::from_secs(1), read);
        for at in 0..data.len().min(400) {
            kept::damaged(&data, at, read);
        }
    }
}

#[test]
fn jwts() {
    run("jws", proto::jws);
}

#[test]
fn json() {
    run("json", proto::json);
}

#[test]
fn scopes() {
    run("scope", proto::scope);
}

#[test]
fn forms() {
    run("form", proto::form);
}

#[test]
fn bundles() {
    run("bundle", proto::bundle);
}

#[test]
fn metadata() {
    run("metadata", proto::metadata);
}

#[test]
fn dpop_proofs() {
    run("dpop", proto::dpop);
}

#[test]
fn client_certificate_headers() {
    run("client_cert", proto::client_cert);
}
