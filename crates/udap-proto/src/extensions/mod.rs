//! Authorization extension objects: what an app asserts about a request beyond who it is.
//!
//! They stand under their key names in the claim `extensions` of an authentication token
//! (UDAP JWT Client Authorization Grants §3.1; HL7 SSRAA §5.2.1). One file for each object.

pub mod hl7_b2b;

use crate::error::Refusal;
use serde_json::{Map, Value};

/// The key names that are understood here.
pub const SUPPORTED: [&str; 1] = [hl7_b2b::KEY];

/// Why an extension object was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum ExtensionError {
    #[error("claim `extensions` is not a JSON object")]
    NotAnObject,
    #[error("extension object `{name}` is required and missing")]
    Missing { name: String },
    #[error("`{name}` lacks `{member}`")]
    MemberMissing {
        name: &'static str,
        member: &'static str,
    },
    #[error("`{member}` of `{name}` is not {expected}")]
    Member {
        name: &'static str,
        member: &'static str,
        expected: &'static str,
    },
}

impl Refusal for ExtensionError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "extensions-malformed",
            Self::Missing { .. } => "extension-missing",
            Self::MemberMissing { .. } => "extension-member-missing",
            Self::Member { .. } => "extension-member-malformed",
        }
    }
}

/// Checks every object that is understood here, and that each required one is there. Unknown names
/// are let through unread (UDAP JWT Client Authorization Grants §3.1 lets a server ignore them).
///
/// # Errors
/// [`ExtensionError`]
pub fn check(extensions: &Map<String, Value>, required: &[&str]) -> Result<(), ExtensionError> {
    for name in required {
        if !extensions.contains_key(*name) {
            return Err(ExtensionError::Missing {
                name: (*name).to_owned(),
            });
        }
    }
    if let Some(object) = extensions.get(hl7_b2b::KEY) {
        hl7_b2b::Hl7B2b::read(object)?;
    }
    Ok(())
}

/// The purposes of use that objects name which were found good.
#[must_use]
pub fn purposes_of_use(extensions: &Map<String, Value>) -> Vec<&str> {
    extensions
        .get(hl7_b2b::KEY)
        .and_then(|object| object.get("purpose_of_use"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The claim `extensions` of a payload; empty when absent.
///
/// # Errors
/// [`ExtensionError::NotAnObject`]
pub fn read(payload: &Map<String, Value>) -> Result<Map<String, Value>, ExtensionError> {
    match payload.get("extensions") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(ExtensionError::NotAnObject),
    }
}
