//! What is remembered of clients that were found good, by the header of their JWTs, which is the same each
//! time: what it says, certificates parsed, and what they asserted last. Others cost nobody any memory.

use crate::asserted::Last;
use moka::sync::Cache;
use std::sync::Arc;
use udap_proto::jws::Header;

/// How many bytes of texts of headers are remembered: some 8,000 of 4 KB, the active clients of a busy
/// server. Read, each takes about three times as much, and up to 8 KB more for what was asserted.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// One client.
#[derive(Debug)]
pub(crate) struct Known {
    pub(super) header: Arc<Header>,
    pub(crate) asserted: Last,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct KnownClients(Cache<Box<str>, Arc<Known>, foldhash::quality::RandomState>);

impl KnownClients {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder().max_capacity(MAX_BYTES).weigher(weight);
        Self(cache.build_with_hasher(foldhash::quality::RandomState::default()))
    }

    /// The client whose header is that text.
    pub(super) fn get(&self, text: &str) -> Option<Arc<Known>> {
        self.0.get(text)
    }

    /// Remembers a client that was found good.
    pub(super) fn add(&self, text: &str, header: &Arc<Header>) -> Arc<Known> {
        let known = Arc::new(Known {
            header: Arc::clone(header),
            asserted: Last::default(),
        });
        self.0.insert(text.into(), Arc::clone(&known));
        known
    }
}

#[expect(clippy::borrowed_box, reason = "the cache hands over its keys so")]
fn weight(text: &Box<str>, _: &Arc<Known>) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}
