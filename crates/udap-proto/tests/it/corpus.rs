//! The fuzz targets' corpus as an ordinary test, each entry also with every octet changed and cut at
//! every place.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[path = "../../../../fuzz/src/proto.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    reason = "the fuzz crate's own module, public there"
)]
mod proto;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = std::fs::read_dir(&folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn run(target: &str, read: fn(&[u8])) {
    let entries = corpus(target);
    assert!(!entries.is_empty(), "the corpus of {target} is empty");
    for (path, data) in entries {
        let start = Instant::now();
        read(&data);
        let took = start.elapsed();
        assert!(
            took < Duration::from_secs(1),
            "{} is slow: {took:?}",
            path.display()
        );
        for at in 0..data.len().min(400) {
            read(&data[..at]);
            let mut changed = data.clone();
            changed[at] = changed[at].wrapping_add(1);
            read(&changed);
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
fn metadata() {
    run("metadata", proto::metadata);
}
