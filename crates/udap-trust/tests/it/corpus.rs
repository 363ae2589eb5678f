//! The corpus of the fuzz target `url` as an ordinary test, each entry also with every octet changed
//! and cut at every place.

#[path = "../../../../fuzz/corpus.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod kept;

#[path = "../../../../fuzz/src/url.rs"]
#[expect(
    unreachable_pub,
    clippy::panic,
    reason = "the fuzz crate's own module, public there"
)]
mod url;

#[test]
fn urls() {
    for (_, data) in kept::entries("url") {
        url::url(&data);
        for at in 0..data.len() {
            url::url(&data[..at]);
            for by in [1, 0x20, 0x80] {
                let mut changed = data.clone();
                changed[at] = changed[at].wrapping_add(by);
                url::url(&changed);
            }
        }
    }
}
