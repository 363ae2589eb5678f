//! What is remembered of those whose certificates a community vouches for, by the header of their JWTs, which is
//! the same each time: what it says, certificates parsed, and what they asserted last. Nothing of it says that
//! they are the client they claim to be. Others cost nobody any memory.

use crate::asserted::{self, Last};
use moka::sync::Cache;
use std::sync::Arc;
use udap_proto::jws::Header;

/// How much is remembered, in bytes: of texts of headers, and the most that is kept of what was asserted. Some
/// 8,000 of 4 and 8 KB, the active clients of a busy server. Read, a header takes about three times its text.
const MAX_BYTES: u64 = 96 * 1024 * 1024;

/// One of them.
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

    /// The one whose header is that text.
    pub(super) fn get(&self, text: &str) -> Option<Arc<Known>> {
        self.0.get(text)
    }

    /// Remembers one whose certificate is trusted, unless its header would take far more memory than its text.
    pub(super) fn add(&self, text: &str, header: &Arc<Header>) -> Option<Arc<Known>> {
        let known = header.is_modest().then(|| {
            Arc::new(Known {
                header: Arc::clone(header),
                asserted: Last::default(),
            })
        })?;
        self.0.insert(text.into(), Arc::clone(&known));
        Some(known)
    }
}

#[expect(clippy::borrowed_box, reason = "the cache hands over its keys so")]
fn weight(text: &Box<str>, _: &Arc<Known>) -> u32 {
    u32::try_from(text.len() + asserted::MAX_REMEMBERED).unwrap_or(u32::MAX)
}
