//! The fuzz target's corpus as an ordinary test, each entry also with every byte changed and cut at
//! every place.

use std::path::Path;

#[path = "../../../../../fuzz/src/tls.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate's own module, public there")]
mod tls;

#[test]
fn answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tls_answer");
    let mut entries = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        entries += 1;
        tls::answer(&data);
        for at in 0..data.len().min(400) {
            tls::answer(&data[..at]);
            for value in 0..=255 {
                let mut changed = data.clone();
                changed[at] = value;
                tls::answer(&changed);
            }
        }
    }
    assert!(entries > 0, "the corpus is empty");
}
