//! The request path, decoded exactly once.
//!
//! Two programs that read one path differently are how a request slips past a check: the gateway
//! decides about one resource and the server behind it opens another. So whatever could be read in
//! two ways is refused, and what is left is never copied to the upstream: the path that is sent is
//! built anew from the decided interaction (see [`crate::interaction`]).

use std::borrow::Cow;

/// Splits a raw path (RFC 3986 §3.3) into its decoded segments.
///
/// One slash at the end is tolerated: the canonical path that is sent on has none.
///
/// # Errors
/// [`PathError`], the first rule that the path breaks.
pub fn segments(raw: &str) -> Result<Vec<Cow<'_, str>>, PathError> {
    if raw.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong { bytes: raw.len() });
    }
    let raw = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    let mut segments = Vec::with_capacity(8);
    let mut rest = raw.split('/').peekable();
    while let Some(segment) = rest.next() {
        if segment.is_empty() {
            if rest.peek().is_none() {
                break;
            }
            return Err(PathError::EmptySegment);
        }
        segments.push(decode(segment)?);
    }
    Ok(segments)
}

/// Why a path was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path has {bytes} bytes; at most {MAX_PATH_BYTES} are read")]
    TooLong { bytes: usize },
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    #[error("the path has an empty segment (`//`)")]
    EmptySegment,
    #[error("the path has a `%` that is not followed by two hexadecimal digits")]
    BadEncoding,
    #[error("the path is not UTF-8 once it is decoded")]
    NotUtf8,
    #[error("the path still has a `%` once it is decoded: it was encoded twice")]
    EncodedTwice,
    #[error("the path has an encoded slash (`%2F`)")]
    EncodedSlash,
    #[error("the path has a backslash")]
    Backslash,
    #[error("the path has a dot segment (`.` or `..`)")]
    DotSegment,
    #[error("the path has a `;` (path parameter)")]
    PathParameter,
    #[error("the path has a control character")]
    ControlCharacter,
}

impl PathError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "path-too-long",
            Self::NotAbsolute => "path-not-absolute",
            Self::EmptySegment => "path-empty-segment",
            Self::BadEncoding => "path-bad-encoding",
            Self::NotUtf8 => "path-not-utf8",
            Self::EncodedTwice => "path-encoded-twice",
            Self::EncodedSlash => "path-encoded-slash",
            Self::Backslash => "path-backslash",
            Self::DotSegment => "path-dot-segment",
            Self::PathParameter => "path-parameter",
            Self::ControlCharacter => "path-control-character",
        }
    }
}

fn decode(segment: &str) -> Result<Cow<'_, str>, PathError> {
    let decoded = percent_decode(segment.as_bytes()).ok_or(PathError::BadEncoding)?;
    let decoded = match decoded {
        Cow::Borrowed(_) => Cow::Borrowed(segment),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).map_err(|_| PathError::NotUtf8)?),
    };
    if decoded == "." || decoded == ".." {
        return Err(PathError::DotSegment);
    }
    for c in decoded.chars() {
        match c {
            '/' => return Err(PathError::EncodedSlash),
            '\\' => return Err(PathError::Backslash),
            ';' => return Err(PathError::PathParameter),
            '%' => return Err(PathError::EncodedTwice),
            c if c.is_control() => return Err(PathError::ControlCharacter),
            _ => {}
        }
    }
    Ok(decoded)
}

/// Decodes `%XX`; `None` when a `%` is not followed by two hexadecimal digits, which lenient
/// decoders leave as it is and strict ones refuse. Borrowed when there was nothing to decode.
pub(crate) fn percent_decode(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(first) = memchr::memchr(b'%', raw) else {
        return Some(Cow::Borrowed(raw));
    };
    let mut decoded = Vec::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at(first);
    decoded.extend_from_slice(plain);
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (&[high, low], tail) = tail.split_first_chunk::<2>()?;
            decoded.push(hex(high)? << 4 | hex(low)?);
            rest = tail;
        } else {
            decoded.push(byte);
            rest = tail;
        }
    }
    Some(Cow::Owned(decoded))
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The longest path that is read, in bytes. The longest one that means anything is a base path, a
/// type (at most 33 letters) and an id (at most 64): a tenth of this.
pub const MAX_PATH_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        let long = format!("/{}", "a".repeat(MAX_PATH_BYTES));
        for (raw, code) in [
            (long.as_str(), "path-too-long"),
            ("Patient/1", "path-not-absolute"),
            ("*", "path-not-absolute"),
            ("", "path-not-absolute"),
            ("//Patient/1", "path-empty-segment"),
            ("/Patient//1", "path-empty-segment"),
            ("/Patient/1//", "path-empty-segment"),
            ("//", "path-empty-segment"),
            ("/Patient/%", "path-bad-encoding"),
            ("/Patient/%2", "path-bad-encoding"),
            ("/Patient/%zz", "path-bad-encoding"),
            ("/Patient/%u002f", "path-bad-encoding"),
            ("/Patient/%ff", "path-not-utf8"),
            ("/Patient/%c0%af1", "path-not-utf8"),
            ("/Patient/%c0%ae%c0%ae", "path-not-utf8"),
            ("/Patient/%252e%252e", "path-encoded-twice"),
            ("/Patient/%25", "path-encoded-twice"),
            ("/Patient%2F1", "path-encoded-slash"),
            ("/Patient%2f1", "path-encoded-slash"),
            ("/Patient/..%2fObservation", "path-encoded-slash"),
            ("/Patient\\1", "path-backslash"),
            ("/Patient%5C1", "path-backslash"),
            ("/Patient/..%5cObservation", "path-backslash"),
            ("/Patient/../Observation", "path-dot-segment"),
            ("/Patient/./1", "path-dot-segment"),
            ("/Patient/%2e%2e/Observation", "path-dot-segment"),
            ("/Patient/.%2E/Observation", "path-dot-segment"),
            ("/Patient/%2e", "path-dot-segment"),
            ("/..", "path-dot-segment"),
            ("/Patient;v=1/1", "path-parameter"),
            ("/Patient/1;x", "path-parameter"),
            ("/Patient/..;/Observation", "path-parameter"),
            ("/Patient%3B/1", "path-parameter"),
            ("/Patient/%00", "path-control-character"),
            ("/Patient/1%0d%0aX: y", "path-control-character"),
            ("/Patient/1\u{7f}", "path-control-character"),
            ("/Patient/%c2%85", "path-control-character"),
        ] {
            assert_eq!(segments(raw).map_err(|e| e.code()), Err(code), "{raw}");
        }
    }

    #[test]
    fn what_is_left_is_decoded_once() {
        for (raw, expected) in [
            ("/", &[][..]),
            ("/fhir/Patient/1", &["fhir", "Patient", "1"]),
            ("/fhir/Patient/1/", &["fhir", "Patient", "1"]),
            ("/f%68ir/%50atient/a%2Db", &["fhir", "Patient", "a-b"]),
            ("/fhir/Patient/...", &["fhir", "Patient", "..."]),
            ("/fhir/%C3%A4", &["fhir", "ä"]),
        ] {
            assert_eq!(
                segments(raw).as_deref(),
                Ok(&expected.iter().map(|s| Cow::from(*s)).collect::<Vec<_>>()[..])
            );
        }
    }
}
