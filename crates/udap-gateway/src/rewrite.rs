//! The upstream's address becomes the gateway's, while the text streams by.
//!
//! **The rule.** In JSON and XML text, each occurrence of the upstream's base URL is replaced by the
//! gateway's when it ends there: at the end of the text, or before one of `/ ? # " ' < > \ | & , ; ) ] }`
//! or white space, or before a full stop that is followed by such a character. A slash may be written
//! `/` or, in JSON, `\/` or `\u002F`; in the query of a link, where servers give a search's parameters back,
//! any character may be percent-encoded, and the gateway's address is then encoded too. Everything else stays
//! as it is, byte for byte: `http://10.0.0.5:8080/fhir2/…` and `http://10.0.0.5:80800` are other addresses.
//!
//! The rule knows no fields. `Bundle.link.url` and `fullUrl` need it, and so do absolute references,
//! `Attachment.url`, links in narratives and messages in `OperationOutcome`: an address of the
//! upstream anywhere is one that a client cannot reach and must not know.
//!
//! This is no parser: it looks at each byte once and keeps back at most the longest address plus the
//! two bytes that show where it ends.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

/// Which addresses become which; made once, shared by all streams.
#[derive(Clone, Debug)]
pub struct Replacements(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Longest first, so that of two addresses that begin alike the whole one is replaced.
    pairs: Vec<Pair>,
    scheme: Finder<'static>,
}

#[derive(Debug)]
struct Pair {
    from: String,
    to: Bytes,
    /// For texts that write `\/`.
    to_escaped: Bytes,
    /// For texts that write `%2F`.
    to_percent: Bytes,
}

impl Replacements {
    /// `from` are `http` or `https` URLs without a slash at the end; so is `to`.
    #[must_use]
    pub fn new<'a>(from: impl IntoIterator<Item = &'a str>, to: &str) -> Self {
        let mut pairs: Vec<Pair> = from
            .into_iter()
            .map(|from| Pair {
                from: from.to_owned(),
                to: Bytes::copy_from_slice(to.as_bytes()),
                to_escaped: Bytes::from(to.replace('/', "\\/")),
                to_percent: Bytes::from(percent_encoded(to)),
            })
            .collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.from.len()));
        Self(Arc::new(Inner {
            pairs,
            scheme: Finder::new(SCHEME),
        }))
    }

    /// A stream of text.
    #[must_use]
    pub fn stream(&self) -> Rewriter {
        Rewriter {
            replacements: self.clone(),
            held: Bytes::new(),
        }
    }

    /// A whole text, such as a header.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let (mut out, rest) = self.scan(Bytes::copy_from_slice(text.as_bytes()), More::No);
        debug_assert!(rest.is_empty());
        if !rest.is_empty() {
            out = [out, rest].concat().into();
        }
        // Whole addresses were exchanged for others, so what was UTF-8 still is.
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Rewrites what can be decided; returns the rest, which more text has to decide.
    fn scan(&self, text: Bytes, more: More) -> (Bytes, Bytes) {
        let mut out: Option<BytesMut> = None;
        // All before `copied` is in `out`, all before `at` is decided.
        let (mut copied, mut at) = (0, 0);
        let end = loop {
            let Some(found) = self.0.scheme.find(&text[at..]) else {
                break match more {
                    More::Perhaps => text.len() - partial_scheme(&text[at..]),
                    More::No => text.len(),
                };
            };
            at += found;
            match self.match_at(&text[at..], more) {
                Match::No => at += SCHEME.len(),
                Match::Undecided => break at,
                Match::Yes { len, to } => {
                    let out = out.get_or_insert_with(|| BytesMut::with_capacity(text.len() + 256));
                    out.extend_from_slice(&text[copied..at]);
                    out.extend_from_slice(to);
                    at += len;
                    copied = at;
                }
            }
        };
        let rest = text.slice(end..);
        match out {
            None => (text.slice(..end), rest),
            Some(mut out) => {
                out.extend_from_slice(&text[copied..end]);
                (out.freeze(), rest)
            }
        }
    }

    fn match_at(&self, text: &[u8], more: More) -> Match<'_> {
        for pair in &self.0.pairs {
            match pair.match_at(text, more) {
                Match::No => {}
                other => return other,
            }
        }
        Match::No
    }
}

impl Pair {
    fn match_at(&self, text: &[u8], more: More) -> Match<'_> {
        // Most addresses are of somebody else, and differ in the first letters of the host.
        if let (Some(text), Some(from)) = (
            text.first_chunk::<12>(),
            self.from.as_bytes().first_chunk::<12>(),
        ) && text != from
            && !text.contains(&b'\\')
            && !text.contains(&b'%')
        {
            return Match::No;
        }
        let (mut escaped, mut percent) = (false, false);
        let mut at = 0;
        for expected in self.from.bytes() {
            let rest = &text[at..];
            match rest.first() {
                None => return more.undecided(),
                Some(found) if *found == expected => at += 1,
                Some(b'\\') if expected == b'/' => match escaped_slash(rest) {
                    Some(len) => {
                        escaped = true;
                        at += len;
                    }
                    None if rest.len() < ESCAPED_SLASH_LONGEST => {
                        return more.undecided_if(could_be_escaped_slash(rest));
                    }
                    None => return Match::No,
                },
                Some(b'%') => match *rest {
                    [_, high, low, ..] if hex(high, low) == Some(expected) => {
                        percent = true;
                        at += 3;
                    }
                    [_] | [_, _] => return more.undecided(),
                    _ => return Match::No,
                },
                Some(_) => return Match::No,
            }
        }
        let ends = match text[at..] {
            [] | [b'.'] if more == More::Perhaps => return Match::Undecided,
            [b'%'] | [b'%', _] if percent => return more.undecided(),
            [] | [b'.'] => true,
            [b'%', high, low, ..] if percent => hex(high, low).is_some_and(ends_address),
            [b'.', next, ..] => ends_address(next) && next != b'/',
            [next, ..] => ends_address(next),
        };
        if !ends {
            return Match::No;
        }
        let to = match (percent, escaped) {
            (true, _) => &self.to_percent,
            (false, true) => &self.to_escaped,
            (false, false) => &self.to,
        };
        Match::Yes { len: at, to }
    }
}

/// The byte that two hexadecimal digits stand for.
fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// As the value of a query's parameter.
fn percent_encoded(address: &str) -> String {
    url::form_urlencoded::byte_serialize(address.as_bytes()).collect()
}

enum Match<'a> {
    No,
    Undecided,
    Yes { len: usize, to: &'a Bytes },
}

/// Whether text may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum More {
    Perhaps,
    No,
}

impl More {
    const fn undecided(self) -> Match<'static> {
        match self {
            Self::Perhaps => Match::Undecided,
            Self::No => Match::No,
        }
    }
    const fn undecided_if(self, could_be: bool) -> Match<'static> {
        if could_be {
            self.undecided()
        } else {
            Match::No
        }
    }
}

/// One stream of text, fed chunk by chunk.
#[derive(Clone, Debug)]
pub struct Rewriter {
    replacements: Replacements,
    /// Text that may be the beginning of an address; never longer than one, escaped, and two bytes.
    held: Bytes,
}

impl Rewriter {
    /// Takes a chunk and returns what is decided, which may be nothing. A chunk in which there is
    /// nothing to replace or to keep back is returned as it is, without copying.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let text = if self.held.is_empty() {
            chunk
        } else {
            [&self.held[..], &chunk[..]].concat().into()
        };
        let (out, rest) = self.replacements.scan(text, More::Perhaps);
        // A copy, or the few bytes would keep the whole chunk in memory.
        self.held = Bytes::copy_from_slice(&rest);
        out
    }

    /// Returns what was kept back, now that nothing follows.
    pub fn finish(&mut self) -> Bytes {
        let text = std::mem::take(&mut self.held);
        self.replacements.scan(text, More::No).0
    }
}

/// How many bytes at the end may be the beginning of the scheme.
fn partial_scheme(text: &[u8]) -> usize {
    (1..SCHEME.len())
        .rev()
        .find(|n| text.ends_with(&SCHEME[..*n]))
        .unwrap_or(0)
}

/// The length of a JSON escape (RFC 8259 §7) that stands for a slash.
fn escaped_slash(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"\\/") {
        return Some(2);
    }
    (text.starts_with(b"\\u002f") || text.starts_with(b"\\u002F")).then_some(ESCAPED_SLASH_LONGEST)
}

fn could_be_escaped_slash(text: &[u8]) -> bool {
    b"\\/".starts_with(text) || b"\\u002f".starts_with(text) || b"\\u002F".starts_with(text)
}

/// Characters before which an address has ended or goes on with a path, a query or a fragment.
const fn ends_address(byte: u8) -> bool {
    matches!(
        byte,
        b'/' | b'?'
            | b'#'
            | b'"'
            | b'\''
            | b'<'
            | b'>'
            | b'\\'
            | b'|'
            | b'&'
            | b','
            | b';'
            | b')'
            | b']'
            | b'}'
    ) || byte.is_ascii_whitespace()
}

const SCHEME: &[u8] = b"http";
const ESCAPED_SLASH_LONGEST: usize = 6;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replacements() -> Replacements {
        Replacements::new(
            [
                "http://10.0.0.5:8080/fhir",
                "http://10.0.0.5:8080/fhir/inner",
            ],
            "https://gw.example/r4",
        )
    }

    fn rewritten(text: &str) -> String {
        replacements().text(text)
    }

    #[test]
    fn addresses_are_replaced_where_they_end() {
        for (text, expected) in [
            (
                r#"{"url":"http://10.0.0.5:8080/fhir"}"#,
                r#"{"url":"https://gw.example/r4"}"#,
            ),
            (
                r#""http://10.0.0.5:8080/fhir/Patient?_page=2""#,
                r#""https://gw.example/r4/Patient?_page=2""#,
            ),
            (
                r#""http://10.0.0.5:8080/fhir?_getpages=x""#,
                r#""https://gw.example/r4?_getpages=x""#,
            ),
            (
                r#""http:\/\/10.0.0.5:8080\/fhir\/Patient\/1""#,
                r#""https:\/\/gw.example\/r4\/Patient\/1""#,
            ),
            (
                r#""http:\u002F\u002f10.0.0.5:8080\/fhir\/Patient""#,
                r#""https:\/\/gw.example\/r4\/Patient""#,
            ),
            (
                r#""http://10.0.0.5:8080/fhir\u002fPatient""#,
                r#""https://gw.example/r4\u002fPatient""#,
            ),
            (
                r#"<url value="http://10.0.0.5:8080/fhir/Patient"/>"#,
                r#"<url value="https://gw.example/r4/Patient"/>"#,
            ),
            (
                r#""<a href=\"http://10.0.0.5:8080/fhir/Patient/1\">""#,
                r#""<a href=\"https://gw.example/r4/Patient/1\">""#,
            ),
            (
                r#""line\nhttp://10.0.0.5:8080/fhir\nline""#,
                r#""line\nhttps://gw.example/r4\nline""#,
            ),
            (
                "not found at http://10.0.0.5:8080/fhir.",
                "not found at https://gw.example/r4.",
            ),
            (
                "see http://10.0.0.5:8080/fhir. Then",
                "see https://gw.example/r4. Then",
            ),
            (
                "?subject=http%3A%2F%2F10.0.0.5%3A8080%2Ffhir%2FPatient%2F1&_count=2",
                "?subject=https%3A%2F%2Fgw.example%2Fr4%2FPatient%2F1&_count=2",
            ),
            (
                r#""https://gw.example/r4?a=x,http:%2f%2f10.0.0.5:8080%2ffhir&b""#,
                r#""https://gw.example/r4?a=x,https%3A%2F%2Fgw.example%2Fr4&b""#,
            ),
            (
                "a=http%3A%2F%2F10.0.0.5%3A8080%2Ffhir%2Finner%3Fx",
                "a=https%3A%2F%2Fgw.example%2Fr4%3Fx",
            ),
            (
                "http://10.0.0.5:8080/fhir/inner/Patient",
                "https://gw.example/r4/Patient",
            ),
            (
                "http://10.0.0.5:8080/fhir/innermost",
                "https://gw.example/r4/innermost",
            ),
            ("httphttp://10.0.0.5:8080/fhir", "httphttps://gw.example/r4"),
            (
                "http://10.0.0.5:8080/fhir,http://10.0.0.5:8080/fhir/a http://10.0.0.5:8080/fhir",
                "https://gw.example/r4,https://gw.example/r4/a https://gw.example/r4",
            ),
        ] {
            assert_eq!(rewritten(text), expected);
        }
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "",
            "h",
            "http",
            "http://10.0.0.5:8080/",
            "http://10.0.0.5:8080/fhi",
            "http://10.0.0.5:8080/fhir2/Patient",
            "http://10.0.0.5:8080/fhirs",
            "http://10.0.0.5:8080/fhir-old",
            "http://10.0.0.5:8080/fhir.old/x",
            "http://10.0.0.5:8080/fhir./x",
            "http://10.0.0.5:8080/fhir%2F",
            "http%3A%2F%2F10.0.0.5%3A8080%2Ffhir2%2F",
            "http%3A%2F%2F10.0.0.5%3A8080%2Ffhir%32%2F",
            "http%3A%2F%2F10.0.0.5%3A8080%2Ffhir%2",
            "http%3A%2F%2F10.0.0.5%3A8080%2Ffhi",
            "http%3",
            "http%3G//10.0.0.5:8080/fhir",
            "http%+a//10.0.0.5:8080/fhir",
            "http://10.0.0.50:8080/fhir/Patient",
            "https://10.0.0.5:8080/fhir/Patient",
            "http:\\/\\10.0.0.5:8080/fhir",
            "http:\\\\/\\\\/10.0.0.5:8080/fhir",
            "http://hl7.org/fhir/Patient",
            r#"{"resourceType":"Patient","id":"http"}"#,
        ] {
            assert_eq!(rewritten(text), text);
        }
    }

    #[test]
    fn a_chunk_without_addresses_is_not_copied() {
        let chunk = Bytes::from(vec![b'x'; 4096]);
        let out = replacements().stream().push(chunk.clone());
        assert_eq!(out.as_ptr(), chunk.as_ptr());
        assert_eq!(out.len(), chunk.len());
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        for written in [
            "http:\\u002f\\u002f10.0.0.5:8080\\u002ffhir\\u002finner",
            "http%3A%2F%2F10%2E0%2E0%2E5%3A8080%2Ffhir%2Finner",
        ] {
            let mut rewriter = replacements().stream();
            for byte in format!("{written}.").repeat(50).bytes() {
                rewriter.push(Bytes::copy_from_slice(&[byte]));
                assert!(rewriter.held.len() <= written.len() + 2);
            }
        }
    }

    proptest! {
        /// However the text is cut, the result is that of the whole text.
        #[test]
        fn chunking_changes_nothing(text in text(), cuts in proptest::collection::vec(0..400_usize, 0..30)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut rewriter = replacements().stream();
            let mut out = Vec::new();
            let mut from = 0;
            for cut in cuts {
                out.extend_from_slice(&rewriter.push(Bytes::copy_from_slice(&text.as_bytes()[from..cut])));
                from = cut;
            }
            out.extend_from_slice(&rewriter.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), rewritten(&text));
        }

        /// No address of the upstream is left, and around the addresses nothing changes.
        #[test]
        fn nothing_else_changes(parts in proptest::collection::vec("[ a-z\"{}:,]{0,12}", 1..8)) {
            let text = parts.join(" http://10.0.0.5:8080/fhir/");
            prop_assert_eq!(rewritten(&text), parts.join(" https://gw.example/r4/"));
        }

        #[test]
        fn bytes_that_are_no_text_pass(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
            let cut = cut.min(bytes.len());
            let mut rewriter = replacements().stream();
            let mut out = rewriter.push(Bytes::copy_from_slice(&bytes[..cut])).to_vec();
            out.extend_from_slice(&rewriter.push(Bytes::copy_from_slice(&bytes[cut..])));
            out.extend_from_slice(&rewriter.finish());
            prop_assert_eq!(out, bytes);
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => proptest::sample::select(vec![
                "http://10.0.0.5:8080/fhir", "http:\\/\\/10.0.0.5:8080\\/fhir", "http:\\u002f\\u002F10.0.0.5:8080/fhir",
                "http%3A%2F%2F10.0.0.5%3A8080%2Ffhir", "%2Finner", "%2", "%", "&",
                "/inner", "http", "ht", "http:", "http:\\", "http:\\u00", "http://10.0.0.5", ".", "/", "\\", "\"", "2", " ",
            ]).prop_map(str::to_owned),
            1 => "[ -~]{0,6}",
        ];
        proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }
}
