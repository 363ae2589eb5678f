//! Why a community's description cannot be used.

use crate::error::Refusal;

/// Why a community's description cannot be used. Keys are written as in TOML,
/// `extensions.hl7-b2b.members.subject_id.type`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum CommunityError {
    #[error("it has {bytes} bytes; at most {max} are read")]
    TooLarge { bytes: usize, max: usize },
    #[error("it is not {language}: {detail}")]
    Syntax {
        language: &'static str,
        detail: String,
    },
    #[error("there is no key `{key}`")]
    UnknownKey {
        key: String,
        suggestion: Option<&'static str>,
    },
    #[error("`{key}` is missing")]
    Missing { key: String },
    #[error("`{key}` must be {expected}")]
    Wrong { key: String, expected: String },
    #[error("`{key}` names `{name}`, which is {what} that nobody knows")]
    UnknownName {
        key: String,
        name: String,
        what: &'static str,
        suggestion: Option<String>,
    },
}

impl CommunityError {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::TooLarge { .. } | Self::Syntax { .. } => None,
            Self::UnknownKey { key, .. }
            | Self::Missing { key }
            | Self::Wrong { key, .. }
            | Self::UnknownName { key, .. } => Some(key),
        }
    }
}

impl Refusal for CommunityError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "community-too-large",
            Self::Syntax { .. } => "community-syntax",
            Self::UnknownKey { .. } => "community-unknown-key",
            Self::Missing { .. } => "community-missing-key",
            Self::Wrong { .. } => "community-wrong-value",
            Self::UnknownName { .. } => "community-unknown-name",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey {
                suggestion: Some(near),
                ..
            } => Some(format!("did you mean `{near}`?")),
            Self::UnknownName {
                suggestion: Some(near),
                ..
            } => Some(format!("did you mean `{near}`?")),
            _ => None,
        }
    }
}
