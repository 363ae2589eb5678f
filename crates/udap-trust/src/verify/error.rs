//! Why a member was not trusted.

use udap_pki::{Invalid, Reason, Trace};
use udap_proto::Refusal;

/// Why a member was not trusted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustError {
    /// The certificate is not good here.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: Box<Reason>,
        /// Whether it is below no anchor of the community, as [`Invalid::unanchored`] says.
        unanchored: bool,
        /// Every path that was tried and every check that was made.
        trace: Box<Trace>,
    },
    /// No such community is configured.
    #[error("the community `{community}` is not known here")]
    UnknownCommunity {
        /// The community that was asked about.
        community: String,
    },
}

impl TrustError {
    /// Every path that was tried and every check that was made, to be shown to whoever asks why.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        match self {
            Self::Refused { trace, .. } => Some(trace),
            Self::UnknownCommunity { .. } => None,
        }
    }

    /// Whether it is below no anchor of the community, as far as its issuers are known. What is wrong for the
    /// moment is not: an outage, or work that would take too long.
    #[must_use]
    pub const fn is_unanchored(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                unanchored: true,
                ..
            }
        )
    }
}

impl From<Invalid> for TrustError {
    fn from(invalid: Invalid) -> Self {
        Self::Refused {
            reason: Box::new(invalid.reason),
            unanchored: invalid.unanchored,
            trace: Box::new(invalid.trace),
        }
    }
}

impl Refusal for TrustError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused { reason, .. } => reason.code(),
            Self::UnknownCommunity { .. } => "community-unknown",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { reason, .. } => Some(reason.hint()),
            Self::UnknownCommunity { .. } => None,
        }
    }
}
