//! The corpus of the fuzz target `url` as an ordinary test, each entry also with every octet changed
//! and cut at every place.

use std::path::Path;

#[path = "../../../../fuzz/src/url.rs"]
#[expect(
    unreachable_pub,
    clippy::panic,
    reason = "the fuzz crate's own module, public there"
)]
mod url;

#[test]
fn urls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/url");
    let mut run = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        url::url(&data);
        for at in 0..data.len() {
            url::url(&data[..at]);
            for by in [1, 0x20, 0x80] {
                let mut changed = data.clone();
                changed[at] = changed[at].wrapping_add(by);
                url::url(&changed);
            }
        }
        run += 1;
    }
    assert!(run > 0, "the corpus is empty");
}
