//! A community's description as it is written, one layer over another: a shipped profile, the
//! community's own file or bundle, and what the operator set.

use super::CommunityError;
use super::profiles;
use crate::json;
use crate::suggest::suggest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most bytes of a description: a community's hundred anchors fit.
pub const MAX_BYTES: usize = 512 * 1024;
/// How often one description may stand on another.
const MAX_LAYERS: usize = 4;

/// A description, whole or in part. [`super::Community::read`] says whether it can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Definition(Map<String, Value>);

impl Definition {
    /// Of TOML.
    ///
    /// # Errors
    /// [`CommunityError::TooLarge`], [`CommunityError::Syntax`]
    pub fn from_toml(text: &str) -> Result<Self, CommunityError> {
        let syntax = |detail: String| CommunityError::Syntax {
            language: "TOML",
            detail,
        };
        bounded(text.len())?;
        let map = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            syntax(format!("line {line}: {}", error.message()))
        })?;
        Ok(Self(map))
    }

    /// Of strict JSON.
    ///
    /// # Errors
    /// [`CommunityError::TooLarge`], [`CommunityError::Syntax`]
    pub fn from_json(bytes: &[u8]) -> Result<Self, CommunityError> {
        bounded(bytes.len())?;
        let map = json::object(bytes).map_err(|error| CommunityError::Syntax {
            language: "JSON",
            detail: error.to_string(),
        })?;
        Ok(Self(map))
    }

    /// Of values that were read elsewhere.
    #[must_use]
    pub const fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The values.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The values, to be changed.
    pub const fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// This one over another: tables are laid over tables, anything else replaces what was there.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        let mut merged = base.0;
        lay(&mut merged, self.0);
        Self(merged)
    }

    /// This one over the shipped profile that it names, if it names one.
    ///
    /// # Errors
    /// [`CommunityError::UnknownName`] for a profile that is not shipped.
    pub fn on_its_profile(mut self) -> Result<Self, CommunityError> {
        for _ in 0..MAX_LAYERS {
            let Some(name) = self.0.remove("profile") else {
                return Ok(self);
            };
            let name = name.as_str().unwrap_or_default();
            let base = profiles::find(name).ok_or_else(|| unknown_profile(name))?;
            self = self.over(Self::from_toml(base.text)?);
        }
        Err(CommunityError::Wrong {
            key: "profile".to_owned(),
            expected: "one that stands on few others".to_owned(),
        })
    }

    /// As TOML, for people.
    ///
    /// # Errors
    /// [`CommunityError::Syntax`] for values that TOML cannot write.
    pub fn to_toml(&self) -> Result<String, CommunityError> {
        toml::to_string_pretty(&self.0).map_err(|error| CommunityError::Syntax {
            language: "TOML",
            detail: error.to_string(),
        })
    }
}

fn bounded(bytes: usize) -> Result<(), CommunityError> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let max = MAX_BYTES;
    Err(CommunityError::TooLarge { bytes, max })
}

fn unknown_profile(name: &str) -> CommunityError {
    let names: Vec<_> = profiles::PROFILES.iter().map(|p| p.name).collect();
    CommunityError::UnknownName {
        key: "profile".to_owned(),
        name: name.chars().take(80).collect(),
        what: "a profile",
        suggestion: suggest(name, &names).map(str::to_owned),
    }
}

fn lay(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => lay(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
