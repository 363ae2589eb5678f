//! The corpus of a fuzz target, for the ordinary tests that run it (`tests/it/corpus.rs` of udap-pki,
//! udap-proto, udap-trust and udap-gateway, `tests/it/inspect/corpus.rs` of udap-client), which take in
//! this file by its path: udap-pki would need the rest of the workspace to depend on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Every entry, with its file. There is at least one.
pub(crate) fn entries(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let entries = std::fs::read_dir(&folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let entries: Vec<_> = paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    assert!(!entries.is_empty(), "the corpus of {target} is empty");
    entries
}

/// Runs one entry as it is, which must not take as long as `too_long`.
pub(crate) fn in_time(path: &Path, data: &[u8], too_long: Duration, judge: fn(&[u8])) {
    let start = Instant::now();
    judge(data);
    let took = start.elapsed();
    assert!(took < too_long, "{} is slow: {took:?}", path.display());
}

/// Runs an entry that is cut, and changed, at a place.
pub(crate) fn damaged(data: &[u8], at: usize, judge: fn(&[u8])) {
    judge(&data[..at]);
    let mut changed = data.to_vec();
    changed[at] = changed[at].wrapping_add(1);
    judge(&changed);
}
