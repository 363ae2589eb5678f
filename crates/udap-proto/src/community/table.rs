//! A table of a description with its known keys; each error names the whole key.

use super::CommunityError;
use crate::suggest::suggest;
use serde_json::{Map, Value};
use url::Url;

/// The most elements of one list, and members of one table.
pub const MAX_ITEMS: usize = 1024;
/// The longest text, in bytes, but for certificates.
pub const MAX_TEXT: usize = 2048;

#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// `extensions.hl7-b2b.`, or empty at the top.
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Table<'a> {
    /// A table with known keys.
    pub(crate) fn new(
        prefix: &str,
        map: &'a Map<String, Value>,
        known: &'static [&'static str],
    ) -> Result<Self, CommunityError> {
        let table = Self::open(prefix, map)?;
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(table),
            Some(key) => Err(CommunityError::UnknownKey {
                key: table.name(&key.chars().take(80).collect::<String>()),
                suggestion: suggest(key, known),
            }),
        }
    }

    /// A table whose keys are names that its author chose.
    pub(crate) fn open(prefix: &str, map: &'a Map<String, Value>) -> Result<Self, CommunityError> {
        let table = Self {
            prefix: prefix.to_owned(),
            map,
        };
        if map.len() > MAX_ITEMS {
            let key = prefix.trim_end_matches('.').to_owned();
            let expected = format!("a table of at most {MAX_ITEMS} keys");
            return Err(CommunityError::Wrong { key, expected });
        }
        Ok(table)
    }

    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(crate) fn wrong(&self, key: &str, expected: impl Into<String>) -> CommunityError {
        CommunityError::Wrong {
            key: self.name(key),
            expected: expected.into(),
        }
    }

    pub(crate) fn missing(&self, key: &str) -> CommunityError {
        CommunityError::Missing {
            key: self.name(key),
        }
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, CommunityError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() && text.len() <= MAX_TEXT => {
                Ok(Some(text))
            }
            Some(_) => Err(self.wrong(key, format!("a text of 1 to {MAX_TEXT} bytes"))),
        }
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<bool, CommunityError> {
        match self.map.get(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    pub(crate) fn integer(
        &self,
        key: &str,
        min: i64,
        max: i64,
    ) -> Result<Option<i64>, CommunityError> {
        let Some(value) = self.map.get(key) else {
            return Ok(None);
        };
        match value.as_i64() {
            Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(key, format!("a whole number from {min} to {max}"))),
        }
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &str,
        known: &[(&str, T)],
    ) -> Result<Option<T>, CommunityError> {
        let Some(value) = self.map.get(key) else {
            return Ok(None);
        };
        let found = value
            .as_str()
            .and_then(|text| known.iter().find(|(name, _)| *name == text));
        let names = || {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("one of {}", names.join(", "))
        };
        found
            .map(|(_, value)| Some(*value))
            .ok_or_else(|| self.wrong(key, names()))
    }

    pub(crate) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, CommunityError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() <= MAX_ITEMS => Ok(Some(items)),
            Some(_) => Err(self.wrong(key, format!("a list of at most {MAX_ITEMS} elements"))),
        }
    }

    /// A list of texts; `None` when it is absent.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, CommunityError> {
        let Some(items) = self.list(key)? else {
            return Ok(None);
        };
        let text = |item: &Value| match item {
            Value::String(text) if !text.trim().is_empty() && text.len() <= MAX_TEXT => {
                Some(text.clone())
            }
            _ => None,
        };
        let texts = items.iter().map(text).collect::<Option<Vec<_>>>();
        texts
            .map(Some)
            .ok_or_else(|| self.wrong(key, format!("a list of texts of 1 to {MAX_TEXT} bytes")))
    }

    /// A list of URIs with a scheme; empty when it is absent.
    pub(crate) fn uris(&self, key: &str) -> Result<Vec<String>, CommunityError> {
        let uris = self.texts(key)?.unwrap_or_default();
        if uris.iter().all(|uri| is_uri(uri)) {
            return Ok(uris);
        }
        Err(self.wrong(key, "a list of URIs, each with a scheme and without blanks"))
    }

    pub(crate) fn map(&self, key: &str) -> Result<Option<&'a Map<String, Value>>, CommunityError> {
        match self.map.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(self.wrong(key, "a table")),
        }
    }
}

/// Whether a text is an absolute URI of one spelling: no blank in it, at its ends least of all.
pub(crate) fn is_uri(text: &str) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control()) && Url::parse(text).is_ok()
}
