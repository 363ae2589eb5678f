//! The fuzz target's corpus as an ordinary test, each entry also with every byte changed and cut at
//! every place.

#[path = "../../../../../fuzz/corpus.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod kept;

#[path = "../../../../../fuzz/src/tls.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate's own module, public there")]
mod tls;

#[test]
fn answers() {
    for (_, data) in kept::entries("tls_answer") {
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
}
