//! Distinguished names: read, compared as RFC 5280 §7.1 says, printed as RFC 4514 says.

use crate::asn1::{DerError, OID, Reader, SEQUENCE, SET};
use crate::key::dotted;
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::{Arc, OnceLock};
use stringprep::tables;

/// A distinguished name. `Display` is RFC 4514; two are equal when RFC 5280 §7.1 says so: attribute by
/// attribute, in any order within one RDN, whatever string type carries them, without regard to
/// case, Unicode normalisation form and insignificant spaces. Cloning is cheap.
#[derive(Clone)]
pub struct Name(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    canonical: OnceLock<Box<[u8]>>,
}

impl Name {
    /// Reads a DER Name.
    ///
    /// # Errors
    /// When it is malformed or has more attributes than are accepted.
    pub fn from_der(der: &[u8]) -> Result<Self, DerError> {
        if der.len() > MAX_LEN {
            return Err(DerError::TooMany("Name"));
        }
        let mut outer = Reader::new(der, "Name");
        let mut rdns = outer.sequence("Name")?;
        outer.finish()?;
        let mut attributes = 0;
        while !rdns.is_empty() {
            let mut rdn = rdns.inside(SET, "RelativeDistinguishedName")?;
            if rdn.is_empty() {
                return Err(DerError::Value("RelativeDistinguishedName"));
            }
            while !rdn.is_empty() {
                attributes += 1;
                if attributes > MAX_ATTRIBUTES {
                    return Err(DerError::TooMany("Name"));
                }
                let mut attribute = rdn.sequence("AttributeTypeAndValue")?;
                attribute.oid()?;
                attribute.any()?;
                attribute.finish()?;
            }
        }
        Ok(Self(Arc::new(Inner {
            der: der.into(),
            canonical: OnceLock::new(),
        })))
    }

    /// The DER of the Name.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whether the name has no attribute at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.der.len() == 2
    }

    /// Whether this name is `base` or lies below it (RFC 5280 §4.2.1.10, directoryName).
    #[must_use]
    pub fn is_within(&self, base: &Self) -> bool {
        self.canonical().starts_with(base.canonical())
    }

    /// Every value of one attribute type that is a string.
    #[must_use]
    pub fn values(&self, attribute: &str) -> Vec<String> {
        let mut found = Vec::new();
        for rdn in self.rdns() {
            for (oid, tag, value) in attributes(rdn) {
                if dotted(oid) == attribute
                    && let Some(text) = text(tag, value)
                {
                    found.push(text.into_owned());
                }
            }
        }
        found
    }

    /// The name with one more RDN at its end: a distribution point relative to an issuer
    /// (RFC 5280 §4.2.1.13). `rdn` is the content of the SET.
    pub(crate) fn below(&self, rdn: &[u8]) -> Option<Self> {
        let inside = Reader::new(self.der(), "Name").sequence("Name").ok()?;
        let mut content = Vec::with_capacity(inside.remaining() + rdn.len() + 6);
        for raw in self.rdns() {
            content.extend_from_slice(raw);
        }
        put(&mut content, SET, rdn);
        let mut der = Vec::with_capacity(content.len() + 6);
        put(&mut der, SEQUENCE, &content);
        Self::from_der(&der).ok()
    }

    /// A form in which equal names are equal bytes, and a name below another begins with its bytes.
    pub(crate) fn canonical(&self) -> &[u8] {
        self.0.canonical.get_or_init(|| {
            let mut canonical = Vec::with_capacity(self.0.der.len() + 32);
            for rdn in self.rdns() {
                let mut parts: Vec<Vec<u8>> = attributes(rdn)
                    .map(|(oid, tag, value)| canonical_attribute(oid, tag, value))
                    .collect();
                parts.sort();
                let start = canonical.len();
                canonical.extend_from_slice(&[0; 4]);
                for part in parts {
                    push_len(&mut canonical, part.len());
                    canonical.extend_from_slice(&part);
                }
                let len = u32::try_from(canonical.len() - start - 4)
                    .unwrap_or(u32::MAX)
                    .to_be_bytes();
                for (place, byte) in canonical.iter_mut().skip(start).zip(len) {
                    *place = byte;
                }
            }
            canonical.into_boxed_slice()
        })
    }

    /// Each RDN with its header. The structure was checked when the name was read.
    fn rdns(&self) -> impl Iterator<Item = &[u8]> {
        let mut rdns = Reader::new(self.der(), "Name").sequence("Name").ok();
        std::iter::from_fn(move || rdns.as_mut()?.any().ok().map(|tlv| tlv.raw))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der || self.canonical() == other.canonical()
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rdns: Vec<&[u8]> = self.rdns().collect();
        for (at, rdn) in rdns.into_iter().rev().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            for (at, (oid, tag, value)) in attributes(rdn).enumerate() {
                if at > 0 {
                    f.write_char('+')?;
                }
                match (keyword(oid), text(tag, value)) {
                    (Some(keyword), Some(text)) => {
                        write!(f, "{keyword}=")?;
                        escaped(f, &text)?;
                    }
                    (None, Some(text)) => {
                        write!(f, "{}=", dotted(oid))?;
                        escaped(f, &text)?;
                    }
                    (_, None) => {
                        write!(f, "{}=#{tag:02x}", dotted(oid))?;
                        let mut header = Vec::new();
                        put(&mut header, tag, value);
                        header
                            .iter()
                            .skip(1)
                            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The attributes of one RDN: type, tag and value.
fn attributes(rdn: &[u8]) -> impl Iterator<Item = (&[u8], u8, &[u8])> {
    let mut set = Reader::new(rdn, "RelativeDistinguishedName")
        .inside(SET, "RelativeDistinguishedName")
        .ok();
    std::iter::from_fn(move || {
        let mut attribute = set.as_mut()?.sequence("AttributeTypeAndValue").ok()?;
        let oid = attribute.expect(OID).ok()?.value;
        let value = attribute.any().ok()?;
        Some((oid, value.tag, value.value))
    })
}

fn canonical_attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(oid.len() + value.len() + 8);
    push_len(&mut out, oid.len());
    out.extend_from_slice(oid);
    let prepared = text(tag, value).and_then(|text| prepare(&text));
    match prepared {
        Some(prepared) => {
            out.push(0);
            out.extend_from_slice(prepared.as_bytes());
        }
        // Not a string, or one that string preparation forbids: equal only octet by octet.
        None => {
            out.push(tag);
            out.extend_from_slice(value);
        }
    }
    out
}

/// The characters of a string type, if it is one and its octets fit it.
pub(crate) fn text(tag: u8, value: &[u8]) -> Option<Cow<'_, str>> {
    const UTF8: u8 = 0x0c;
    const NUMERIC: u8 = 0x12;
    const PRINTABLE: u8 = 0x13;
    const TELETEX: u8 = 0x14;
    const IA5: u8 = 0x16;
    const VISIBLE: u8 = 0x1a;
    const UNIVERSAL: u8 = 0x1c;
    const BMP: u8 = 0x1e;
    match tag {
        UTF8 => std::str::from_utf8(value).ok().map(Cow::Borrowed),
        NUMERIC | PRINTABLE | IA5 | VISIBLE if value.is_ascii() => {
            std::str::from_utf8(value).ok().map(Cow::Borrowed)
        }
        // Issuers that used TeletexString put Latin-1 into it.
        TELETEX => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        UNIVERSAL if value.len().is_multiple_of(4) => value
            .chunks_exact(4)
            .map(|four| {
                char::from_u32(
                    four.iter()
                        .fold(0, |code, byte| (code << 8) | u32::from(*byte)),
                )
            })
            .collect::<Option<String>>()
            .map(Cow::Owned),
        BMP if value.len().is_multiple_of(2) => {
            let units = value.chunks_exact(2).map(|two| {
                two.iter()
                    .fold(0, |code, byte| (code << 8) | u16::from(*byte))
            });
            char::decode_utf16(units)
                .collect::<Result<String, _>>()
                .ok()
                .map(Cow::Owned)
        }
        _ => None,
    }
}

/// String preparation for caseIgnoreMatch (RFC 4518), with insignificant spaces squeezed to one.
pub(crate) fn prepare(text: &str) -> Option<String> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        let mut out = String::with_capacity(text.len());
        squeeze(
            &mut out,
            text.bytes()
                .map(|byte| char::from(byte.to_ascii_lowercase())),
        );
        return Some(out);
    }
    let mapped: String = text
        .chars()
        .filter(|&c| !tables::x520_mapped_to_nothing(c))
        .map(|c| {
            if tables::x520_mapped_to_space(c) {
                ' '
            } else {
                c
            }
        })
        .flat_map(tables::case_fold_for_nfkc)
        .collect();
    // Folding, then normalising, then folding what normalising revealed, until nothing changes (Table B.2).
    let normal = normalise(&mapped)?;
    let folded: String = normal
        .chars()
        .flat_map(tables::case_fold_for_nfkc)
        .collect();
    let normal = normalise(&folded)?;
    let mut out = String::with_capacity(normal.len());
    squeeze(&mut out, normal.chars());
    // A mark that stood on a space that is gone now begins the text, which is prohibited.
    normalise(&out)?;
    Some(out)
}

/// NFKC, and `None` for what RFC 4518 §2.4 prohibits.
fn normalise(text: &str) -> Option<Cow<'_, str>> {
    if text.is_empty() {
        Some(Cow::Borrowed(""))
    } else {
        stringprep::x520prep(text, false).ok()
    }
}

fn squeeze(out: &mut String, chars: impl Iterator<Item = char>) {
    let mut space = false;
    for c in chars {
        if c == ' ' {
            space = !out.is_empty();
        } else {
            if space {
                out.push(' ');
                space = false;
            }
            out.push(c);
        }
    }
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
}

/// One DER element.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    let len = value.len();
    let bytes = len.to_be_bytes();
    let significant = bytes.iter().skip_while(|byte| **byte == 0);
    if len < 0x80 {
        out.push(u8::try_from(len).unwrap_or(0));
    } else {
        out.push(0x80 | u8::try_from(significant.clone().count()).unwrap_or(0));
        out.extend(significant);
    }
    out.extend_from_slice(value);
}

/// RFC 4514 §3, and two more that everybody prints by name.
fn keyword(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 4] => "SN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "STREET",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        _ => return None,
    })
}

/// RFC 4514 §2.4; control characters, and those that reorder text, by their octets, so that a name cannot forge a log line.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
            ' ' if at == 0 || at == last => f.write_str("\\ ")?,
            '#' if at == 0 => f.write_str("\\#")?,
            c if c.is_control()
                || tables::change_display_properties_or_deprecated(c)
                || is_bidi_control(c) =>
            {
                let mut octets = [0; 4];
                c.encode_utf8(&mut octets)
                    .bytes()
                    .try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// Whether a character turns the text after it around (Unicode UAX #9 §2: embeddings, overrides and
/// isolates), which a stranger's text must not do with ours. Letters of any script find their direction
/// without them.
#[must_use]
pub const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// No real name has more; the bound keeps comparison cheap.
const MAX_ATTRIBUTES: usize = 128;
/// The same in octets: string preparation looks at every character.
const MAX_LEN: usize = 4096;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test fails by panicking, and names read better as lists"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];

    fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let mut inside = Vec::new();
        put(&mut inside, OID, oid);
        put(&mut inside, tag, value);
        let mut out = Vec::new();
        put(&mut out, SEQUENCE, &inside);
        out
    }

    fn name(rdns: &[&[Vec<u8>]]) -> Name {
        let mut content = Vec::new();
        for rdn in rdns {
            put(&mut content, SET, &rdn.concat());
        }
        let mut der = Vec::new();
        put(&mut der, SEQUENCE, &content);
        Name::from_der(&der).unwrap()
    }

    fn cn(tag: u8, value: &[u8]) -> Name {
        name(&[&[attribute(CN, tag, value)]])
    }

    #[test]
    fn string_types_case_and_spaces_do_not_matter() {
        let plain = cn(0x13, b"Good CA");
        assert_eq!(plain, cn(0x0c, b"  good   cA "));
        assert_eq!(plain, cn(0x1e, b"\0G\0o\0o\0d\0 \0C\0A"));
        assert_eq!(
            plain,
            cn(0x1c, b"\0\0\0G\0\0\0o\0\0\0o\0\0\0d\0\0\0 \0\0\0C\0\0\0A")
        );
        assert_eq!(plain, cn(0x14, b"GOOD CA"));
        assert_ne!(plain, cn(0x13, b"GoodCA"));
        assert_ne!(plain, cn(0x04, b"Good CA"));
        assert_ne!(plain, name(&[&[attribute(O, 0x13, b"Good CA")]]));
    }

    #[test]
    fn unicode_is_folded_and_normalised() {
        assert_eq!(cn(0x0c, "Stra\u{df}e".as_bytes()), cn(0x0c, b"STRASSE"));
        assert_eq!(
            cn(0x0c, "\u{c9}cole".as_bytes()),
            cn(0x0c, "e\u{301}COLE".as_bytes())
        );
        assert_eq!(cn(0x0c, "\u{c9}cole".as_bytes()), cn(0x14, b"\xe9cole"));
        assert_eq!(cn(0x0c, "a\u{ad}b".as_bytes()), cn(0x0c, b"ab"));
        assert_ne!(
            cn(0x0c, "\u{ad}a\u{e000}".as_bytes()),
            cn(0x0c, "a\u{e000}".as_bytes()),
            "prohibited: octets decide"
        );
    }

    #[test]
    fn order_matters_between_rdns_and_not_within() {
        let a = attribute(CN, 0x13, b"a");
        let b = attribute(O, 0x13, b"b");
        let both = name(&[&[a.clone(), b.clone()]]);
        assert_eq!(both, name(&[&[b.clone(), a.clone()]]));
        assert_ne!(both, name(&[&[a.clone()], &[b.clone()]]));
        assert_ne!(name(&[&[a.clone()], &[b.clone()]]), name(&[&[b], &[a]]));
    }

    #[test]
    fn within() {
        let a = attribute(O, 0x13, b"a");
        let b = attribute(CN, 0x13, b"b");
        let top = name(&[&[a.clone()]]);
        let low = name(&[&[a.clone()], &[b.clone()]]);
        assert!(low.is_within(&top) && low.is_within(&low) && low.is_within(&name(&[])));
        assert!(!top.is_within(&low) && !name(&[&[a, b]]).is_within(&top));
        assert_eq!(top.below(&attribute(CN, 0x0c, b"B")).unwrap(), low);
    }

    #[test]
    fn prints_rfc_4514_and_cannot_forge_a_line() {
        let odd = name(&[
            &[attribute(O, 0x0c, b" a,b\n")],
            &[
                attribute(CN, 0x0c, b"#x"),
                attribute(&[0x2a, 3], 4, b"\x01"),
            ],
        ]);
        assert_eq!(odd.to_string(), "CN=\\#x+1.2.3=#040101,O=\\ a\\,b\\0a");
        assert_eq!(name(&[]).to_string(), "");
        assert!(name(&[]).is_empty());
    }

    /// A mark on a space, of which the space goes: RFC 4518 §2.4 permits no text that begins with a mark.
    #[test]
    fn a_mark_alone_is_not_prepared() {
        assert_eq!(prepare("\u{fe72}"), None);
        assert_eq!(prepare("\u{64c}"), None);
        assert_eq!(prepare("a\u{fe72}b").as_deref(), Some("a \u{64c}b"));
    }

    proptest! {
        #[test]
        fn preparing_twice_changes_nothing(text in "\\PC{0,24}") {
            if let Some(once) = prepare(&text) {
                prop_assert_eq!(prepare(&once), Some(once.clone()));
            }
        }

        #[test]
        fn case_spaces_and_string_types_never_matter(words in prop::collection::vec("[A-Za-z0-9.-]{1,8}", 1..5), spaces in 1_usize..4) {
            let plain = words.join(" ");
            let odd = format!(" {} ", words.join(&" ".repeat(spaces)).to_uppercase());
            prop_assert_eq!(cn(0x13, plain.as_bytes()), cn(0x0c, odd.as_bytes()));
            let wide: Vec<u8> = odd.encode_utf16().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(cn(0x13, plain.as_bytes()), cn(0x1e, &wide));
        }

        #[test]
        fn within_is_what_the_rdns_say(a in prop::collection::vec("[ab]{1,2}", 0..4), b in prop::collection::vec("[ab]{1,2}", 0..4)) {
            let of = |values: &[String]| {
                let rdns: Vec<Vec<Vec<u8>>> = values.iter().map(|value| vec![attribute(CN, 0x13, value.as_bytes())]).collect();
                let rdns: Vec<&[Vec<u8>]> = rdns.iter().map(Vec::as_slice).collect();
                name(&rdns)
            };
            prop_assert_eq!(of(&a).is_within(&of(&b)), a.starts_with(&b));
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }

        #[test]
        fn any_octets_are_read_or_refused(der in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(name) = Name::from_der(&der) {
                let _ = name.to_string();
                prop_assert!(name == name.clone() && name.is_within(&name));
            }
        }
    }

    #[test]
    fn malformed_is_refused() {
        assert!(Name::from_der(&[0x30, 2, 0x31, 0]).is_err());
        assert!(Name::from_der(&[0x30, 0, 0]).is_err());
        let many: Vec<Vec<u8>> = (0..129).map(|_| attribute(CN, 0x13, b"a")).collect();
        let mut content = Vec::new();
        put(&mut content, SET, &many.concat());
        let mut der = Vec::new();
        put(&mut der, SEQUENCE, &content);
        assert_eq!(Name::from_der(&der).unwrap_err(), DerError::TooMany("Name"));
    }
}
