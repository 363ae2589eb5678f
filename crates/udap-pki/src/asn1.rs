//! A strict DER reader over borrowed bytes (X.690 §8, §10).
//!
//! Trust needs the exact bytes that were signed, slices without copies, CRLs of 100,000 entries
//! in a few milliseconds, and dates before 1970; so the reader is ours and small. It never
//! recurses, never allocates and never reads outside its slice.

use crate::time::{Civil, UnixTime, digits};
use const_oid::ObjectIdentifier;

/// What is wrong with the encoding. The text says where a reader should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The bytes end before the element does.
    #[error("the data ends inside {0}")]
    Truncated(&'static str),
    /// A length is indefinite, too long, or not in its shortest form.
    #[error("a length in {0} is not in DER's shortest form")]
    Length(&'static str),
    /// Another element was expected here.
    #[error("{what} has tag 0x{found:02x} where another is required")]
    Tag {
        /// The element being read.
        what: &'static str,
        /// The tag that was found.
        found: u8,
    },
    /// The element is well formed but its value is not allowed.
    #[error("{0} has a value that is not allowed")]
    Value(&'static str),
    /// Bytes follow the element that should be the last.
    #[error("bytes follow the end of {0}")]
    Trailing(&'static str),
    /// A list is longer than the limit of this crate.
    #[error("{0} has more elements than are accepted")]
    TooMany(&'static str),
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A context-specific tag, primitive.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// A context-specific tag, constructed.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// One element: its tag, its value, and both with the header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
}

/// Reads elements one after the other. `what` names the structure, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is. Tags above 30 occur nowhere in PKIX and are refused.
    pub(crate) fn any(&mut self) -> Result<Tlv<'a>, DerError> {
        let what = self.what;
        let (&tag, after_tag) = self.rest.split_first().ok_or(DerError::Truncated(what))?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::Tag { what, found: tag });
        }
        let (&first, after_len) = after_tag.split_first().ok_or(DerError::Truncated(what))?;
        let (len, body) = if first < 0x80 {
            (usize::from(first), after_len)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return Err(DerError::Length(what));
            }
            let bytes = after_len.get(..count).ok_or(DerError::Truncated(what))?;
            let len = bytes
                .iter()
                .fold(0_usize, |len, byte| (len << 8) | usize::from(*byte));
            if len < 0x80 || bytes.first() == Some(&0) {
                return Err(DerError::Length(what));
            }
            (
                len,
                after_len.get(count..).ok_or(DerError::Truncated(what))?,
            )
        };
        let value = body.get(..len).ok_or(DerError::Truncated(what))?;
        let next = body.get(len..).ok_or(DerError::Truncated(what))?;
        let raw = self
            .rest
            .get(..self.rest.len() - next.len())
            .ok_or(DerError::Truncated(what))?;
        self.rest = next;
        Ok(Tlv { tag, value, raw })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, DerError> {
        match self.peek() {
            None => Err(DerError::Truncated(self.what)),
            Some(found) if found != tag => Err(DerError::Tag {
                what: self.what,
                found,
            }),
            Some(_) => self.any(),
        }
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The inside of the next element, which must be constructed with this tag.
    pub(crate) fn inside(&mut self, tag: u8, what: &'static str) -> Result<Reader<'a>, DerError> {
        Ok(Reader::new(self.expect(tag)?.value, what))
    }

    pub(crate) fn sequence(&mut self, what: &'static str) -> Result<Reader<'a>, DerError> {
        self.inside(SEQUENCE, what)
    }

    /// Nothing may follow.
    pub(crate) fn finish(self) -> Result<(), DerError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DerError::Trailing(self.what))
        }
    }

    /// An INTEGER's content octets, in two's complement, shortest form (X.690 §8.3).
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], DerError> {
        let value = self.expect(INTEGER)?.value;
        check_integer(value, self.what)
    }

    /// A small non-negative INTEGER.
    pub(crate) fn unsigned(&mut self) -> Result<u32, DerError> {
        let what = self.what;
        unsigned(self.integer()?, what)
    }

    pub(crate) fn oid(&mut self) -> Result<ObjectIdentifier, DerError> {
        let value = self.expect(OID)?.value;
        oid(value, self.what)
    }

    /// `BOOLEAN DEFAULT FALSE`: DER leaves out the default, yet an explicit FALSE is common enough
    /// in the wild (and harmless) to be read.
    pub(crate) fn default_false(&mut self) -> Result<bool, DerError> {
        match self.optional(BOOLEAN)? {
            None => Ok(false),
            Some(tlv) => boolean(tlv.value, self.what),
        }
    }

    /// A BIT STRING of whole octets.
    pub(crate) fn bit_octets(&mut self) -> Result<&'a [u8], DerError> {
        let value = self.expect(BIT_STRING)?.value;
        match value.split_first() {
            Some((0, bits)) => Ok(bits),
            _ => Err(DerError::Value(self.what)),
        }
    }

    /// A signature's octets. A signature of a broken number of bits is well-formed and never good: it is read as
    /// an empty one.
    pub(crate) fn signature(&mut self) -> Result<&'a [u8], DerError> {
        let value = self.expect(BIT_STRING)?.value;
        match value.split_first() {
            Some((0, octets)) => Ok(octets),
            Some((1..=7, _)) => Ok(&[]),
            _ => Err(DerError::Value(self.what)),
        }
    }

    /// `Time ::= CHOICE { UTCTime, GeneralizedTime }` as RFC 5280 §4.1.2.5 restricts it.
    pub(crate) fn time(&mut self) -> Result<UnixTime, DerError> {
        let tlv = self.any()?;
        match tlv.tag {
            UTC_TIME => utc_time(tlv.value),
            GENERALIZED_TIME => generalized_time(tlv.value),
            found => {
                return Err(DerError::Tag {
                    what: self.what,
                    found,
                });
            }
        }
        .ok_or(DerError::Value("a date"))
    }

    /// GeneralizedTime only (OCSP, CRL invalidity date).
    pub(crate) fn generalized_time(&mut self) -> Result<UnixTime, DerError> {
        generalized_time(self.expect(GENERALIZED_TIME)?.value).ok_or(DerError::Value("a date"))
    }
}

/// Checks the shortest form of an INTEGER's content.
pub(crate) fn check_integer<'a>(value: &'a [u8], what: &'static str) -> Result<&'a [u8], DerError> {
    match value {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(DerError::Value(what)),
        _ => Ok(value),
    }
}

/// A non-negative INTEGER that fits 32 bits.
pub(crate) fn unsigned(value: &[u8], what: &'static str) -> Result<u32, DerError> {
    let value = check_integer(value, what)?;
    if value.first().is_some_and(|byte| byte & 0x80 != 0) || value.len() > 5 {
        return Err(DerError::Value(what));
    }
    let wide = value
        .iter()
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    u32::try_from(wide).map_err(|_| DerError::Value(what))
}

pub(crate) fn oid(value: &[u8], what: &'static str) -> Result<ObjectIdentifier, DerError> {
    ObjectIdentifier::from_bytes(value).map_err(|_| DerError::Value(what))
}

pub(crate) fn boolean(value: &[u8], what: &'static str) -> Result<bool, DerError> {
    match value {
        [0] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(DerError::Value(what)),
    }
}

/// The named bits of a BIT STRING, at most 16 of them, bit 0 in the highest place.
pub(crate) fn named_bits(value: &[u8], what: &'static str) -> Result<u16, DerError> {
    let bad = DerError::Value(what);
    let (&unused, bits) = value.split_first().ok_or(bad)?;
    if unused > 7 || (bits.is_empty() && unused != 0) {
        return Err(bad);
    }
    let mut octets = [0_u8; 2];
    for (place, octet) in octets.iter_mut().zip(bits) {
        *place = *octet;
    }
    if let Some(last) = bits.last()
        && last & ((1_u8 << unused) - 1) != 0
    {
        return Err(bad);
    }
    Ok(u16::from_be_bytes(octets))
}

/// `YYMMDDHHMMSSZ`; 50 to 99 are the years 1950 to 1999.
fn utc_time(value: &[u8]) -> Option<UnixTime> {
    let body = value.strip_suffix(b"Z")?;
    let year = digits(body.get(..2)?)?;
    civil(
        if year < 50 { 2000 + year } else { 1900 + year },
        body.get(2..)?,
    )
}

/// `YYYYMMDDHHMMSSZ`, no fraction.
fn generalized_time(value: &[u8]) -> Option<UnixTime> {
    let body = value.strip_suffix(b"Z")?;
    civil(digits(body.get(..4)?)?, body.get(4..)?)
}

fn civil(year: i64, rest: &[u8]) -> Option<UnixTime> {
    if rest.len() != 10 {
        return None;
    }
    let part = |at: usize| u8::try_from(digits(rest.get(at..at + 2)?)?).ok();
    UnixTime::from_civil(Civil {
        year,
        month: part(0)?,
        day: part(2)?,
        hour: part(4)?,
        minute: part(6)?,
        second: part(8)?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_be_shortest() {
        for bad in [
            &[0x30, 0x81, 0x01, 0x00][..],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x82, 0x00, 0x80],
        ] {
            assert_eq!(
                Reader::new(bad, "x").any().unwrap_err(),
                DerError::Length("x")
            );
        }
        assert_eq!(
            Reader::new(&[0x30, 2, 0], "x").any().unwrap_err(),
            DerError::Truncated("x")
        );
        assert_eq!(
            Reader::new(&[0x1f, 2, 0], "x").any().unwrap_err(),
            DerError::Tag {
                what: "x",
                found: 0x1f
            }
        );
    }

    #[test]
    fn integers_must_be_shortest() {
        assert!(Reader::new(&[2, 2, 0, 0x7f], "x").integer().is_err());
        assert!(Reader::new(&[2, 2, 0xff, 0x80], "x").integer().is_err());
        assert!(Reader::new(&[2, 0], "x").integer().is_err());
        assert_eq!(Reader::new(&[2, 2, 0, 0x80], "x").unsigned(), Ok(128));
        assert!(Reader::new(&[2, 1, 0x80], "x").unsigned().is_err());
    }

    #[test]
    fn times() {
        assert_eq!(
            utc_time(b"491231235959Z"),
            UnixTime::parse_rfc3339("2049-12-31T23:59:59Z").ok()
        );
        assert_eq!(
            utc_time(b"500101000000Z"),
            UnixTime::parse_rfc3339("1950-01-01T00:00:00Z").ok()
        );
        assert_eq!(utc_time(b"5001010000Z"), None);
        assert_eq!(
            generalized_time(b"20500101000000Z"),
            UnixTime::parse_rfc3339("2050-01-01T00:00:00Z").ok()
        );
        assert_eq!(generalized_time(b"20500101000000.5Z"), None);
        assert_eq!(generalized_time(b"20500101000000+0100"), None);
    }

    #[test]
    fn named_bit_strings() {
        assert_eq!(named_bits(&[7, 0x80], "x"), Ok(0x8000));
        assert_eq!(named_bits(&[7, 0x06, 0x80], "x"), Ok(0x0680));
        assert!(named_bits(&[3, 0x01], "x").is_err());
        assert!(named_bits(&[8, 0x01], "x").is_err());
        assert!(named_bits(&[], "x").is_err());
    }
}
