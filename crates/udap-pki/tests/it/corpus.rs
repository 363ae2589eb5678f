//! The fuzz targets' corpus as an ordinary test, each entry also changed and cut at forty places.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[path = "../../../../fuzz/src/pki.rs"]
#[expect(
    unreachable_pub,
    clippy::expect_used,
    reason = "the fuzz crate's own module, public there"
)]
mod pki;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn run(target: &str, judge: fn(&[u8])) {
    let entries = corpus(target);
    assert!(!entries.is_empty(), "the corpus of {target} is empty");
    for (path, data) in entries {
        let start = Instant::now();
        judge(&data);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{} is slow: {:?}",
            path.display(),
            start.elapsed()
        );
        for at in (0..data.len()).step_by(data.len() / 40 + 1) {
            judge(&data[..at]);
            let mut changed = data.clone();
            changed[at] = changed[at].wrapping_add(1);
            judge(&changed);
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
