//! What the gateway decides about and what it lets out: requests of clients, and the FHIR server's text on its way back.

use bytes::Bytes;
use http::{Method, Uri};
use udap_gateway::CATALOGUE;
use udap_gateway::interaction::Interaction;
use udap_gateway::query::{MAX_FORM_BYTES, MAX_PARAMETERS, MAX_QUERY_BYTES};
use udap_gateway::rewrite::Replacements;
use udap_gateway::scopes;
use udap_proto::scope::ScopeSet;

/// `METHOD target` on the first line, a search form behind it: what is sent on reads as exactly what was decided.
pub fn interaction(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (line, form) = (lines.next(), lines.next().unwrap_or_default());
    let Ok(line) = std::str::from_utf8(line.unwrap_or_default()) else {
        return;
    };
    let Some((method, target)) = line.split_once(' ') else {
        return;
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let decided = of(&method, &["fhir", "r4"], target).and_then(|decided| decided.with_form(form));
    let decided = match decided {
        Ok(decided) => decided,
        Err(error) => {
            let code = error.code();
            assert!(CATALOGUE.iter().any(|known| known.code == code), "{code}");
            assert!(error.to_string().len() < 400, "a long refusal: {error}");
            return;
        }
    };
    let (written, written_form) = decided.write("/up", |_| None);
    plain(&written);

    // Three bytes for each that was read, a path of known length before them.
    let (path, query) = written.split_once('?').unwrap_or((&written, ""));
    assert!(path.len() <= "/up//".len() + 64 + 64);
    assert!(query.len() <= 3 * MAX_QUERY_BYTES + 2 * MAX_PARAMETERS);
    let form = written_form.unwrap_or_default();
    assert!(form.len() <= 3 * (MAX_QUERY_BYTES + MAX_FORM_BYTES) + 2 * MAX_PARAMETERS);
    if query.len() <= MAX_QUERY_BYTES && form.len() <= MAX_FORM_BYTES {
        let again =
            of(&method, &["up"], &written).and_then(|again| again.with_form(form.as_bytes()));
        assert_eq!(again.as_ref(), Ok(&decided));
    }
    of_its_type_alone(&decided);
}

/// Nothing in it that a server, a log or a proxy could read in another way.
fn plain(written: &str) {
    let unmistakable = |b: u8| b.is_ascii_alphanumeric() || b"/?&=-._~:,%".contains(&b);
    assert!(written.bytes().all(unmistakable), "{written}");
    assert!(written.parse::<Uri>().is_ok_and(|uri| uri == written));
    let path = written.split('?').next().unwrap_or_default();
    // An id may begin with a full stop (FHIR R4 §2.24.0.1); a segment of nothing else is a way up.
    let dots = |segment: &str| matches!(segment, "." | "..");
    assert!(!path.contains('%') && !path.contains("//") && !path.split('/').any(dots));
}

/// A scope for another type never suffices.
fn of_its_type_alone(decided: &Interaction) {
    let name = decided.name();
    let Some((_, resource_type)) = name.split_once(' ') else {
        return assert!(matches!(decided, Interaction::Capabilities { .. }));
    };
    let other = match resource_type {
        "Patient" => "Observation",
        _ => "Patient",
    };
    let by =
        |what: &str| scopes::decide(&ScopeSet::parse(&format!("system/{what}.cruds")), decided);
    assert!(by(resource_type).is_ok() && by(other).is_err(), "{name}");
}

fn of(
    method: &Method,
    base: &[&str],
    target: &str,
) -> Result<Interaction, udap_gateway::interaction::RequestError> {
    let base: Vec<String> = base.iter().map(|&segment| segment.to_owned()).collect();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Interaction::of(method, &base, path, query)
}

/// The lengths of the chunks on the first line, an octet each, and the text behind it: however it is cut, the result is
/// that of the rule, in which no address of the FHIR server is left, and little is kept back.
pub fn rewrite(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (lengths, text) = (lines.next().unwrap_or_default(), lines.next());
    let Some(text) = text else { return };
    let replacements = Replacements::new(UPSTREAM, GATEWAY);
    let expected = by_the_rule(text);
    assert_eq!(by_the_rule(&expected), expected, "an address is left");

    let mut stream = replacements.stream();
    let (mut out, mut rest) = (Vec::new(), text);
    let mut lengths = lengths.iter().map(|len| usize::from(*len));
    while !rest.is_empty() {
        let len = lengths.next().unwrap_or(rest.len()).min(rest.len());
        let (chunk, next) = rest.split_at(len);
        out.extend_from_slice(&stream.push(Bytes::copy_from_slice(chunk)));
        rest = next;
        let kept = stream.clone().finish().len();
        assert!(kept <= MOST_KEPT, "{kept} bytes are kept back");
        // What is out cannot be taken back, so it must be right already.
        assert!(expected.starts_with(&out), "{}", out.escape_ascii());
    }
    out.extend_from_slice(&stream.finish());
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );

    if let Ok(text) = std::str::from_utf8(text) {
        assert_eq!(replacements.text(text).as_bytes(), expected);
    }
}

/// The rule of `rewrite.rs` without its haste: each place is looked at by itself, in the whole text.
fn by_the_rule(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let found = UPSTREAM
            .iter()
            .rev()
            .find_map(|from| address(&text[at..], from));
        match found {
            Some((len, to)) => {
                out.extend_from_slice(to.as_bytes());
                at += len;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// The length of that address at the beginning of a text, and what takes its place.
fn address(text: &[u8], from: &str) -> Option<(usize, &'static str)> {
    // Its first letters are never written in another way.
    let mut rest = text.strip_prefix(b"http")?;
    let (mut escaped, mut percent) = (false, false);
    for letter in from.strip_prefix("http")?.bytes() {
        let slash = [&b"\\/"[..], b"\\u002f", b"\\u002F"]
            .into_iter()
            .find(|escape| letter == b'/' && rest.starts_with(escape));
        if let Some(escape) = slash {
            escaped = true;
            rest = &rest[escape.len()..];
        } else if decoded(rest) == Some(letter) {
            percent = true;
            rest = &rest[3..];
        } else {
            rest = rest.strip_prefix(&[letter])?;
        }
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'<>\\|&,;)]}".contains(byte);
    let here = match rest {
        [] | [b'.'] => true,
        [b'%', ..] if percent => decoded(rest).is_some_and(|byte| ends(&byte)),
        [b'.', next, ..] => *next != b'/' && ends(next),
        [next, ..] => ends(next),
    };
    let to = match (percent, escaped) {
        (true, _) => "https%3A%2F%2Fgw.example%2Fr4",
        (false, true) => "https:\\/\\/gw.example\\/r4",
        (false, false) => GATEWAY,
    };
    here.then_some((text.len() - rest.len(), to))
}

fn decoded(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = *text else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The shorter one first.
const UPSTREAM: [&str; 2] = [
    "http://10.0.0.5:8080/fhir",
    "http://10.0.0.5:8080/fhir/inner",
];
const GATEWAY: &str = "https://gw.example/r4";

/// The longer address with each of its letters but the first four percent-encoded, and two bytes.
const MOST_KEPT: usize = 4 + 3 * 27 + 2;
