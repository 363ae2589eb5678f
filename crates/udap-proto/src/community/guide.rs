//! The versions of HL7 SSRAA, and what differs between them for a server.

/// A version of the guide, as a community pins it. What is not asked of it here is the same in all of
/// them, or is done in the way of the newest, which the older ones permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guide {
    /// 1.0.0, STU 1
    V1_0,
    /// 1.1.0, STU 1.1
    V1_1,
    /// 2.0.0, STU 2, whose text the ballot of 3.0.0 keeps
    V2_0,
}

/// Whether something has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// It must be there.
    Required,
    /// It may be left out.
    Optional,
}

/// What is said of a community that is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownCommunity {
    /// 404
    NotFound,
    /// 204
    NoContent,
}

impl Guide {
    /// Each with its name in a description.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("1.0", Self::V1_0),
        ("1.1", Self::V1_1),
        ("2.0", Self::V2_0),
        ("3.0.0-ballot", Self::V2_0),
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V2_0 => "2.0",
        }
    }

    /// `scope` in a token request of `client_credentials`: demanded by 2.0 §5.2.2; before, RFC 6749
    /// §4.4.2 alone spoke of it.
    #[must_use]
    pub const fn token_scope(self) -> Demand {
        match self {
            Self::V1_0 | Self::V1_1 => Demand::Optional,
            Self::V2_0 => Demand::Required,
        }
    }

    /// RS256 under signed metadata: since 1.1 (§2.3). Before, any algorithm of the community served.
    #[must_use]
    pub const fn metadata_in_rs256(self) -> Demand {
        match self {
            Self::V1_0 => Demand::Optional,
            Self::V1_1 | Self::V2_0 => Demand::Required,
        }
    }

    /// `hl7-b2b` among what is supported, wherever client credentials are granted: since 1.1.
    #[must_use]
    pub const fn hl7_b2b(self) -> Demand {
        match self {
            Self::V1_0 => Demand::Optional,
            Self::V1_1 | Self::V2_0 => Demand::Required,
        }
    }

    /// How metadata is answered for a community that is not served: 404 in 1.x, 204 since (§2.4).
    #[must_use]
    pub const fn unknown_community(self) -> UnknownCommunity {
        match self {
            Self::V1_0 | Self::V1_1 => UnknownCommunity::NotFound,
            Self::V2_0 => UnknownCommunity::NoContent,
        }
    }
}
