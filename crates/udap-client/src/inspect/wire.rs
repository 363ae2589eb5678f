//! A ClientHello of our own and the first thing a server answers to it: bytes in, values out.
//!
//! A TLS library that refuses what is weak cannot ask for it. So that the question can be put at
//! all, this module writes a ClientHello of SSL 3.0 to TLS 1.2 and reads the ServerHello or the alert
//! that comes back (RFC 5246 §6.2.1, §7.2, §7.4.1; RFC 6101 for SSL 3.0). Nothing more is ever read,
//! and no handshake is gone through with.

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The highest version that the client says it speaks.
    pub version: Version,
    /// The cipher suites, by their registered numbers.
    pub suites: &'a [u16],
    /// Fresh random bytes.
    pub random: [u8; 32],
    /// The host, when it is a name; an address is never sent (RFC 6066 §3).
    pub server_name: Option<&'a str>,
}

/// A version that a ClientHello of this form can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 6101, prohibited by RFC 7568.
    Ssl30,
    /// RFC 2246, deprecated by RFC 8996.
    Tls10,
    /// RFC 4346, deprecated by RFC 8996.
    Tls11,
    /// RFC 5246.
    Tls12,
}

impl Version {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Ssl30 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
        }
    }

    /// The version with this number.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0x0300 => Some(Self::Ssl30),
            0x0301 => Some(Self::Tls10),
            0x0302 => Some(Self::Tls11),
            0x0303 => Some(Self::Tls12),
            _ => None,
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ssl30 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
        }
    }
}

/// What a server answers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It goes on with this version and cipher suite.
    Hello {
        /// The version it chose.
        version: Version,
        /// The cipher suite it chose.
        suite: u16,
    },
    /// It refuses, with this alert (RFC 5246 §7.2).
    Alert {
        /// The description's number.
        description: u8,
    },
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not a record of TLS.
    #[error("the answer is not TLS")]
    NotTls,
    /// More than a ServerHello can be.
    #[error("the answer is longer than a ServerHello can be")]
    TooLong,
    /// A record or message that breaks its own lengths.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// A message that cannot come first.
    #[error("the answer begins with the handshake message {0}, not with a ServerHello")]
    Unexpected(u8),
}

/// Writes the record that holds the ClientHello. Names and lists that would not fit their length
/// fields are left out or cut; those of this crate fit.
#[must_use]
pub fn client_hello(hello: &Hello<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    body.extend(hello.version.code().to_be_bytes());
    body.extend(hello.random);
    body.push(0); // no session to resume
    // RFC 5746 §3.3: the signalling suite, so that servers which insist on it answer.
    let suites = hello.suites.iter().take(MAX_SUITES).chain(&[0x00ff]);
    vector16(
        &mut body,
        &suites.flat_map(|s| s.to_be_bytes()).collect::<Vec<_>>(),
    );
    body.extend([1, 0]); // no compression
    if hello.version > Version::Ssl30 {
        vector16(&mut body, &extensions(hello));
    }
    let mut message = vec![CLIENT_HELLO, 0];
    vector16(&mut message, &body);
    // The record's own version is the lowest that anybody reads (RFC 5246 appendix E.1).
    let record = hello.version.code().min(Version::Tls10.code());
    let mut out = vec![HANDSHAKE];
    out.extend(record.to_be_bytes());
    vector16(&mut out, &message);
    out
}

fn extensions(hello: &Hello<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        out.extend(kind.to_be_bytes());
        vector16(&mut out, body);
    };
    if let Some(name) = hello.server_name.filter(|name| name.len() <= 255) {
        let mut entry = vec![0];
        vector16(&mut entry, name.as_bytes());
        extension(0x0000, &list16(&entry));
    }
    let groups: Vec<u8> = GROUPS.iter().flat_map(|g| g.to_be_bytes()).collect();
    extension(0x000a, &list16(&groups));
    extension(0x000b, &[1, 0]);
    if hello.version == Version::Tls12 {
        let schemes: Vec<u8> = SCHEMES.iter().flat_map(|s| s.to_be_bytes()).collect();
        extension(0x000d, &list16(&schemes));
    }
    out
}

fn list16(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    vector16(&mut out, body);
    out
}

fn vector16(out: &mut Vec<u8>, body: &[u8]) {
    let body = body.get(..usize::from(u16::MAX)).unwrap_or(body);
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    out.extend(len.to_be_bytes());
    out.extend(body);
}

/// Reads the first answer from what has arrived so far; `None` while more is needed.
///
/// Warnings that come before a ServerHello are passed over (RFC 6066 §3: an unknown name may be
/// one). However the bytes are split into records, the ServerHello must keep all of its lengths.
///
/// # Errors
/// [`AnswerError`]
pub fn read_answer(bytes: &[u8]) -> Result<Option<Answer>, AnswerError> {
    let mut rest = bytes;
    let mut message = Vec::new();
    for _ in 0..MAX_RECORDS {
        let Some((&kind, after)) = rest.split_first() else {
            return Ok(None);
        };
        // Judged byte by byte, so that a web page is seen to be none before it has all arrived.
        if !matches!(kind, HANDSHAKE | ALERT) || after.first().is_some_and(|major| *major != 3) {
            return Err(AnswerError::NotTls);
        }
        let [_, minor, hi, lo, after @ ..] = after else {
            return Ok(None);
        };
        if *minor > 4 {
            return Err(AnswerError::NotTls);
        }
        let len = usize::from(u16::from_be_bytes([*hi, *lo]));
        if len == 0 {
            return Err(AnswerError::Malformed("an empty record"));
        }
        if len > MAX_RECORD {
            return Err(AnswerError::TooLong);
        }
        let arrived = after.get(..len.min(after.len())).unwrap_or_default();
        match kind {
            ALERT => {
                if !message.is_empty() {
                    return Err(AnswerError::Malformed("an alert inside a message"));
                }
                if len != 2 {
                    return Err(AnswerError::Malformed("an alert that is not two bytes"));
                }
                match arrived {
                    [WARNING, CLOSE_NOTIFY] => {
                        return Ok(Some(Answer::Alert {
                            description: CLOSE_NOTIFY,
                        }));
                    }
                    [WARNING, _] => {}
                    [FATAL, description] => {
                        return Ok(Some(Answer::Alert {
                            description: *description,
                        }));
                    }
                    [] | [_] => return Ok(None),
                    _ => return Err(AnswerError::Malformed("an alert of no known level")),
                }
            }
            _ => {
                message.extend_from_slice(arrived);
                if let Some(answer) = read_message(&message)? {
                    return Ok(Some(answer));
                }
            }
        }
        if arrived.len() < len {
            return Ok(None);
        }
        rest = after.get(len..).unwrap_or_default();
    }
    Err(AnswerError::TooLong)
}

fn read_message(message: &[u8]) -> Result<Option<Answer>, AnswerError> {
    let Some((&kind, rest)) = message.split_first() else {
        return Ok(None);
    };
    if kind != SERVER_HELLO {
        return Err(AnswerError::Unexpected(kind));
    }
    let [a, b, c, body @ ..] = rest else {
        return Ok(None);
    };
    let len = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
    if len > MAX_SERVER_HELLO {
        return Err(AnswerError::TooLong);
    }
    match body.get(..len) {
        Some(body) => read_server_hello(body).map(Some),
        None => Ok(None),
    }
}

/// RFC 5246 §7.4.1.3
fn read_server_hello(body: &[u8]) -> Result<Answer, AnswerError> {
    let short = AnswerError::Malformed("a ServerHello that is too short");
    let (&[major, minor], rest) = body.split_first_chunk::<2>().ok_or(short)?;
    let version = Version::from_code(u16::from_be_bytes([major, minor]))
        .ok_or(AnswerError::Malformed("a version that was not asked for"))?;
    let (_random, rest) = rest.split_first_chunk::<32>().ok_or(short)?;
    let (&session, rest) = rest.split_first().ok_or(short)?;
    if session > 32 {
        return Err(AnswerError::Malformed(
            "a session identifier that is too long",
        ));
    }
    let rest = rest.get(usize::from(session)..).ok_or(short)?;
    let (&[hi, lo, compression], rest) = rest.split_first_chunk::<3>().ok_or(short)?;
    if compression != 0 {
        return Err(AnswerError::Malformed(
            "a compression that was not asked for",
        ));
    }
    check_extensions(rest)?;
    Ok(Answer::Hello {
        version,
        suite: u16::from_be_bytes([hi, lo]),
    })
}

/// Extensions are there or not; those that are there fill the message to its end, each once.
fn check_extensions(bytes: &[u8]) -> Result<(), AnswerError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let bad = AnswerError::Malformed("extensions that do not keep their lengths");
    let (len, mut rest) = bytes.split_first_chunk::<2>().ok_or(bad)?;
    if usize::from(u16::from_be_bytes(*len)) != rest.len() {
        return Err(bad);
    }
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let (&[a, b, c, d], body) = rest.split_first_chunk::<4>().ok_or(bad)?;
        if seen.contains(&[a, b]) {
            return Err(AnswerError::Malformed("an extension that is there twice"));
        }
        seen.push([a, b]);
        rest = body
            .get(usize::from(u16::from_be_bytes([c, d]))..)
            .ok_or(bad)?;
    }
    Ok(())
}

/// The registered name of an alert (RFC 5246 §7.2, RFC 8446 §6).
#[must_use]
pub const fn alert_name(description: u8) -> &'static str {
    match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        47 => "illegal_parameter",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "an alert without a name",
    }
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const WARNING: u8 = 1;
const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;

/// RFC 5246 §6.2.1: no plaintext record is longer.
const MAX_RECORD: usize = 1 << 14;
/// Honest ones have some 100 bytes; the extensions that we ask for cannot fill a kilobyte.
const MAX_SERVER_HELLO: usize = 4096;
/// Some warnings and a ServerHello in pieces; more is a game.
const MAX_RECORDS: usize = 16;
/// More suites than exist for these versions.
const MAX_SUITES: usize = 512;

/// The most bytes of an answer that are ever looked at.
pub const MAX_ANSWER: usize = MAX_RECORDS * 5 + MAX_SERVER_HELLO + MAX_RECORD;

/// x25519, P-256, P-384, P-521, ffdhe2048, ffdhe3072.
const GROUPS: [u16; 6] = [0x001d, 0x0017, 0x0018, 0x0019, 0x0100, 0x0101];
/// All that a server of TLS 1.2 may sign with, SHA-1 too: what is asked is whether it answers.
const SCHEMES: [u16; 13] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
    0x0202,
];

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
