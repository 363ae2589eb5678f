//! Query strings and search forms, parsed exactly once.
//!
//! Every pair is kept, duplicates too and in their order. What is sent to the upstream is written
//! anew from the decoded pairs, so both sides read the same names and values: a `;` or `&` inside a
//! value, a name with an encoded letter, a `+` for a blank all arrive in one unmistakable form.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::path::percent_decode;

/// The parameters of a request in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `name=value` pairs between `&` (application/x-www-form-urlencoded, WHATWG URL §5.1),
    /// strictly: where that algorithm repairs, this one refuses.
    ///
    /// # Errors
    /// [`QueryError`], the first rule that is broken.
    pub fn parse(raw: &[u8]) -> Result<Self, QueryError> {
        if raw.len() > MAX_QUERY_BYTES {
            return Err(QueryError::TooLong {
                bytes: raw.len(),
                most: MAX_QUERY_BYTES,
            });
        }
        let mut parameters = Self::default();
        parameters.add(raw)?;
        Ok(parameters)
    }

    /// Reads the pairs of a search form behind those of its URL.
    ///
    /// # Errors
    /// [`QueryError`], the first rule that is broken.
    pub fn add_form(&mut self, raw: &[u8]) -> Result<(), QueryError> {
        if raw.len() > MAX_FORM_BYTES {
            return Err(QueryError::TooLong {
                bytes: raw.len(),
                most: MAX_FORM_BYTES,
            });
        }
        self.add(raw)
    }

    fn add(&mut self, raw: &[u8]) -> Result<(), QueryError> {
        for pair in raw.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            if self.0.len() == MAX_PARAMETERS {
                return Err(QueryError::TooMany);
            }
            let (name, value) = match memchr::memchr(b'=', pair) {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            self.0.push((decode(name)?, decode(value)?));
        }
        Ok(())
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the pairs in the one form that is sent on: UTF-8, everything but unreserved
    /// characters and `:` `,` `/` percent-encoded. `value` may exchange a value on the way.
    pub fn write(&self, out: &mut String, value: impl Fn(&str) -> Option<String>) {
        for (i, (name, old)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push('&');
            }
            out.extend(utf8_percent_encode(name, ENCODED));
            out.push('=');
            match value(old) {
                Some(new) => out.extend(utf8_percent_encode(&new, ENCODED)),
                None => out.extend(utf8_percent_encode(old, ENCODED)),
            }
        }
    }
}

/// Why a query or a search form was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("the parameters have {bytes} bytes; at most {most} are read")]
    TooLong { bytes: usize, most: usize },
    #[error("there are more than {MAX_PARAMETERS} parameters")]
    TooMany,
    #[error("a parameter has a `%` that is not followed by two hexadecimal digits")]
    BadEncoding,
    #[error("a parameter is not UTF-8 once it is decoded")]
    NotUtf8,
    #[error("a parameter has a control character")]
    ControlCharacter,
}

impl QueryError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "query-too-long",
            Self::TooMany => "query-too-many-parameters",
            Self::BadEncoding => "query-bad-encoding",
            Self::NotUtf8 => "query-not-utf8",
            Self::ControlCharacter => "query-control-character",
        }
    }
}

fn decode(raw: &[u8]) -> Result<String, QueryError> {
    let mut bytes = percent_decode(raw)
        .ok_or(QueryError::BadEncoding)?
        .into_owned();
    // `+` is a blank only where it was written as such; `%2B` is a plus.
    if memchr::memchr(b'+', raw).is_some() {
        let spaced: Vec<u8> = raw
            .iter()
            .map(|b| if *b == b'+' { b' ' } else { *b })
            .collect();
        bytes = percent_decode(&spaced)
            .ok_or(QueryError::BadEncoding)?
            .into_owned();
    }
    let text = String::from_utf8(bytes).map_err(|_| QueryError::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(QueryError::ControlCharacter);
    }
    Ok(text)
}

/// What stays as it is: RFC 3986 §2.3 unreserved, and `:` `,` `/`, which FHIR uses in nearly every
/// search and RFC 3986 §3.4 allows in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b',')
    .remove(b'/');

/// The longest query, in bytes: what common servers take of a request line. Written anew it may
/// grow threefold and still fits into a URI of [`http`].
pub const MAX_QUERY_BYTES: usize = 16 * 1024;

/// The longest search form, in bytes: a search for a thousand ids fits.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// The most parameters of one request; searches written by hand have a handful.
pub const MAX_PARAMETERS: usize = 128;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn canonical(raw: &str) -> String {
        let mut out = String::new();
        Parameters::parse(raw.as_bytes())
            .unwrap()
            .write(&mut out, |_| None);
        out
    }

    #[test]
    fn malformed_parameters_are_refused() {
        let long = "a".repeat(MAX_QUERY_BYTES + 1);
        let many = "a=1&".repeat(MAX_PARAMETERS + 1);
        for (raw, code) in [
            (long.as_bytes(), "query-too-long"),
            (many.as_bytes(), "query-too-many-parameters"),
            (b"name=%", "query-bad-encoding"),
            (b"name=%g0", "query-bad-encoding"),
            (b"na%2me=1", "query-bad-encoding"),
            (b"name=+%1", "query-bad-encoding"),
            (b"name=%ff", "query-not-utf8"),
            (b"name=\xff", "query-not-utf8"),
            (b"%c0%af=1", "query-not-utf8"),
            (b"name=%00", "query-control-character"),
            (b"na%0Ame=1", "query-control-character"),
        ] {
            assert_eq!(Parameters::parse(raw).map_err(|e| e.code()), Err(code));
        }
    }

    #[test]
    fn there_is_one_way_to_write_what_was_read() {
        for (raw, expected) in [
            ("name=a&name=b&_count=5", "name=a&name=b&_count=5"),
            ("&&name=a&", "name=a"),
            ("name", "name="),
            ("=x", "=x"),
            ("name=a=b", "name=a%3Db"),
            ("name=a+b%2Bc%20d", "name=a%20b%2Bc%20d"),
            ("name=a;_include=b", "name=a%3B_include%3Db"),
            ("name=a%26_include=b", "name=a%26_include%3Db"),
            ("_incl%75de=x", "_include=x"),
            (
                "identifier=http://x.example/y|1",
                "identifier=http://x.example/y%7C1",
            ),
            ("name=%C3%A4", "name=%C3%A4"),
            ("name=#'\"<>", "name=%23%27%22%3C%3E"),
        ] {
            assert_eq!(canonical(raw), expected, "{raw}");
            assert_eq!(canonical(&canonical(raw)), canonical(raw), "{raw}");
        }
    }
}
