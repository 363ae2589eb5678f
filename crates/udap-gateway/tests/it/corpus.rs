//! The fuzz targets' corpus as an ordinary test, each entry also with every octet changed and cut at
//! every place.

use std::time::Duration;

#[path = "../../../../fuzz/corpus.rs"]
mod kept;

#[path = "../../../../fuzz/src/gateway.rs"]
#[expect(unreachable_pub, reason = "the fuzz crate's own module, public there")]
mod gateway;

fn run(target: &str, judge: fn(&[u8])) {
    for (path, data) in kept::entries(target) {
        kept::in_time(&path, &data, Duration::from_secs(1), judge);
        for at in 0..data.len().min(400) {
            kept::damaged(&data, at, judge);
        }
    }
}

#[test]
fn interactions() {
    run("interaction", gateway::interaction);
}

#[test]
fn rewritten_text() {
    run("rewrite", gateway::rewrite);
}
