//! A trust community as data.

use crate::ids::CommunityUri;
use crate::jws::JwsAlg;

/// What a data holder knows about a community apart from its certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Community {
    /// Its name, as it stands in `?community=`.
    pub uri: CommunityUri,
    /// The signature algorithms its members may use.
    pub algorithms: Vec<JwsAlg>,
}

impl Community {
    /// A community with the algorithms that HL7 SSRAA §1.2.4 names.
    #[must_use]
    pub fn ssraa(uri: CommunityUri) -> Self {
        Self {
            uri,
            algorithms: JwsAlg::SSRAA.to_vec(),
        }
    }
}
