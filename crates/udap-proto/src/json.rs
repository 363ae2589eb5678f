//! Strict JSON: one value, no duplicate members, bounded depth, no U+0000.
//!
//! RFC 8259 §4 lets a reader take either of two members with one name; two readers that choose
//! differently see two different messages under one signature, so such a message is refused. So is one with
//! U+0000, at which some programs end a text, and which some databases cannot hold.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use std::fmt;

/// How deep objects and arrays may nest. UDAP messages need three or four; an inline FHIR resource
/// in an extension object some ten more.
pub const MAX_DEPTH: usize = 32;

/// Why a text was not accepted as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or nested deeper than [`MAX_DEPTH`], or with a member named twice.
    #[error("not strict JSON: {0}")]
    Malformed(String),
    /// JSON, but not an object.
    #[error("JSON, but not an object")]
    NotAnObject,
}

/// Reads one JSON object and nothing else.
///
/// # Errors
/// [`JsonError`] when the text is not a single JSON object, names a member twice at any level, or
/// nests deeper than [`MAX_DEPTH`].
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match value(bytes)? {
        Value::Object(map) => Ok(map),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Reads one JSON value and nothing else; see [`object`].
///
/// # Errors
/// [`JsonError::Malformed`] as for [`object`].
pub fn value(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        depth: 0,
        listed: false,
    }
    .deserialize(&mut reader)
    .map_err(|e| JsonError::Malformed(e.to_string()))?;
    reader
        .end()
        .map_err(|e| JsonError::Malformed(e.to_string()))?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
    /// Within an array, of which there may be thousands of elements.
    listed: bool,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!(
                "nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::from(v))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::from(v))
    }
    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Value, E> {
        without_nul(v)?;
        Ok(Value::String(v.to_owned()))
    }
    fn visit_string<E: serde::de::Error>(self, v: String) -> Result<Value, E> {
        without_nul(&v)?;
        Ok(Value::String(v))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let deeper = Self {
            listed: true,
            ..self.deeper()?
        };
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(deeper)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            without_nul(&name)?;
            // Claims, extension objects, and what stands in one: few, and to grow again and again costs more
            // than room that is not used.
            if map.is_empty() && self.depth <= 2 && !self.listed {
                map = Map::with_capacity(8);
            }
            match map.entry(name) {
                Entry::Vacant(place) => place.insert(access.next_value_seed(deeper)?),
                Entry::Occupied(first) => {
                    return Err(A::Error::custom(format_args!(
                        "member `{}` appears twice",
                        first.key().chars().take(64).collect::<String>()
                    )));
                }
            };
        }
        Ok(Value::Object(map))
    }
}

fn without_nul<E: serde::de::Error>(text: &str) -> Result<(), E> {
    match text.contains('\0') {
        true => Err(E::custom("a text with U+0000")),
        false => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_member_is_refused_at_any_level() {
        assert_eq!(
            object(br#"{"a":1,"a":2}"#),
            Err(JsonError::Malformed(
                "member `a` appears twice at line 1 column 10".into()
            ))
        );
        assert!(object(br#"{"o":{"x":[{"b":1,"\u0062":2}]}}"#).is_err());
    }

    #[test]
    fn a_text_with_a_nul_is_refused_as_value_and_as_name() {
        for text in [
            r#"{"a":"x\u0000"}"#,
            r#"{"a\u0000":1}"#,
            r#"{"o":[{"b":"\u0000"}]}"#,
        ] {
            let error = object(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("a text with U+0000"), "{error}");
        }
        assert!(object(br#"{"a":"\u0001 \\u0000"}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded_and_trailing_data_refused() {
        let deep = |n: usize| [b"[".repeat(n), b"]".repeat(n)].concat();
        assert!(value(&deep(MAX_DEPTH)).is_ok());
        assert!(value(&deep(MAX_DEPTH + 1)).is_err());
        assert!(value(&deep(100_000)).is_err());
        assert!(object(br#"{"a":1} x"#).is_err());
        assert_eq!(object(b"[1]"), Err(JsonError::NotAnObject));
    }

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        let text = br#"{"n":null,"t":true,"i":-3,"u":18446744073709551615,"f":1.5,"s":"\u00e9","a":[1,"x"]}"#;
        let ours = value(text).unwrap();
        let theirs: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(ours, theirs);
    }
}
