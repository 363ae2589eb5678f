//! The questions that a TLS library does not ask: will this host speak an older version, or a weak
//! suite? Each is one connection, one ClientHello and one answer.

use super::suites::{self, ANONYMOUS, CBC, EXPORT, MODERN, NULL, RC4, RSA, Suites, TRIPLE_DES};
use super::wire::{
    Answer, AnswerError, Hello, MAX_ANSWER, Version, alert_name, client_hello, read_answer,
};
use serde::Serialize;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use udap_trust::fetch::CheckedHost;
use udap_trust::random;

/// How long one question may take, connecting included.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The most connections that are made for questions to one host.
pub const MAX_PROBES: usize = 12;
/// After so many questions in a row without an answer the rest is not asked.
const PATIENCE: usize = 2;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// `tls1.0`, `rsa-key-exchange`, …
    pub id: &'static str,
    /// In words.
    pub title: &'static str,
    /// Whether offering it is a fault.
    pub weak: bool,
    /// What came of it.
    pub result: ProbeResult,
    /// The version that the host chose.
    pub version: Option<&'static str>,
    /// The suite that the host chose.
    pub cipher_suite: Option<String>,
    /// How it refused, or why it cannot be told.
    pub detail: Option<String>,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeResult {
    /// The host goes on with it.
    Offered,
    /// It refuses.
    Refused,
    /// It cannot be told.
    Undetermined,
}

struct Question {
    id: &'static str,
    title: &'static str,
    weak: bool,
    version: Version,
    suites: &'static [Suites],
}

const QUESTIONS: &[Question] = &[
    old("ssl3.0", "SSL 3.0", Version::Ssl30),
    old("tls1.0", "TLS 1.0", Version::Tls10),
    old("tls1.1", "TLS 1.1", Version::Tls11),
    Question {
        id: "tls1.2",
        title: "TLS 1.2 with an ephemeral exchange and an AEAD",
        weak: false,
        version: Version::Tls12,
        suites: &[MODERN],
    },
    class("rsa-key-exchange", "RSA key exchange", &[RSA]),
    class("cbc", "CBC mode", &[CBC]),
    class("rc4", "RC4", &[RC4]),
    class("3des", "3DES", &[TRIPLE_DES]),
    class("null", "no encryption (NULL)", &[NULL]),
    class("export", "EXPORT and single DES", &[EXPORT]),
    class("anonymous", "no certificate (anonymous)", &[ANONYMOUS]),
];

const fn old(id: &'static str, title: &'static str, version: Version) -> Question {
    Question {
        id,
        title,
        weak: true,
        version,
        suites: BEFORE_TLS12,
    }
}

const fn class(id: &'static str, title: &'static str, suites: &'static [Suites]) -> Question {
    Question {
        id,
        title,
        weak: true,
        version: Version::Tls12,
        suites,
    }
}

/// Whatever an old server may still have, so that its version alone decides.
const BEFORE_TLS12: &[Suites] = &[CBC, RSA, TRIPLE_DES, RC4, NULL, EXPORT, ANONYMOUS];

/// Asks every question, one after the other: a host is looked at, not loaded.
pub(super) async fn all(host: &CheckedHost, server_name: Option<&str>) -> Vec<Probe> {
    let mut probes = Vec::with_capacity(QUESTIONS.len());
    let mut silent = 0;
    for question in QUESTIONS.iter().take(MAX_PROBES) {
        let answer = if silent >= PATIENCE {
            Err("not asked, since the questions before it had no answer".to_owned())
        } else {
            let asked = tokio::time::timeout(PROBE_TIMEOUT, ask(question, host, server_name));
            let late = |_| Err(format!("no answer within {PROBE_TIMEOUT:?}"));
            let answer = asked.await.unwrap_or_else(late);
            silent = if answer.is_err() { silent + 1 } else { 0 };
            answer
        };
        probes.push(question.judge(answer));
    }
    probes
}

/// What came back: an answer, or the connection was closed without one.
enum Reply {
    Answer(Answer),
    Closed,
}

async fn ask(
    question: &Question,
    host: &CheckedHost,
    server_name: Option<&str>,
) -> Result<Reply, String> {
    let suites: Vec<u16> = question.codes().collect();
    let hello = client_hello(&Hello {
        version: question.version,
        suites: &suites,
        random: random::bytes(),
        server_name,
    });
    let mut stream = host.open().await.map_err(|e| e.to_string())?;
    stream.write_all(&hello).await.map_err(|e| e.to_string())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = match stream.read(&mut buffer).await {
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => 0,
            Err(e) => return Err(e.to_string()),
        };
        if read == 0 {
            return Ok(Reply::Closed);
        }
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
        match read_answer(&answer).map_err(|e| e.to_string())? {
            Some(answer) => return Ok(Reply::Answer(answer)),
            None if answer.len() > MAX_ANSWER => return Err(AnswerError::TooLong.to_string()),
            None => {}
        }
    }
}

impl Question {
    fn codes(&self) -> impl Iterator<Item = u16> {
        self.suites
            .iter()
            .flat_map(|class| class.iter())
            .map(|(code, _)| *code)
    }

    fn judge(&self, reply: Result<Reply, String>) -> Probe {
        let mut probe = Probe {
            id: self.id,
            title: self.title,
            weak: self.weak,
            result: ProbeResult::Undetermined,
            version: None,
            cipher_suite: None,
            detail: None,
        };
        match reply {
            Ok(Reply::Closed) => {
                probe.result = ProbeResult::Refused;
                probe.detail = Some("the connection was closed".to_owned());
            }
            Ok(Reply::Answer(Answer::Alert { description })) => {
                probe.result = ProbeResult::Refused;
                probe.detail = Some(format!("alert {}", alert_name(description)));
            }
            Ok(Reply::Answer(Answer::Hello { version, suite })) => {
                let name = suites::name(suite);
                probe.version = Some(version.name());
                probe.cipher_suite = Some(
                    name.map_or_else(|| format!("0x{suite:04x}"), |name| format!("TLS_{name}")),
                );
                if !self.codes().any(|code| code == suite) {
                    probe.detail = Some("it chose a suite that was not offered to it".to_owned());
                } else if version > self.version {
                    probe.detail = Some("it chose a version that was not offered to it".to_owned());
                } else if self.is_about_version() && version < self.version {
                    // Another question asks for that version by itself.
                    probe.result = ProbeResult::Refused;
                    probe.detail = Some(format!("it falls back to {}", version.name()));
                } else {
                    probe.result = ProbeResult::Offered;
                }
            }
            Err(why) => probe.detail = Some(why),
        }
        probe
    }

    fn is_about_version(&self) -> bool {
        self.version < Version::Tls12 || !self.weak
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn question(id: &str) -> &'static Question {
        QUESTIONS.iter().find(|q| q.id == id).unwrap()
    }

    fn hello(version: Version, suite: u16) -> Result<Reply, String> {
        Ok(Reply::Answer(Answer::Hello { version, suite }))
    }

    #[test]
    fn no_more_is_asked_than_is_allowed() {
        assert!(QUESTIONS.len() <= MAX_PROBES);
    }

    #[test]
    fn an_answer_within_the_question_says_that_it_is_offered() {
        let probe = question("rc4").judge(hello(Version::Tls12, 0x0005));
        assert_eq!(probe.result, ProbeResult::Offered);
        assert_eq!(
            probe.cipher_suite.as_deref(),
            Some("TLS_RSA_WITH_RC4_128_SHA")
        );
        let probe = question("rc4").judge(hello(Version::Tls10, 0x0005));
        assert_eq!(probe.result, ProbeResult::Offered);
    }

    #[test]
    fn an_older_version_than_was_asked_for_is_another_question() {
        let probe = question("tls1.1").judge(hello(Version::Tls10, 0x002f));
        assert_eq!(probe.result, ProbeResult::Refused);
    }

    #[test]
    fn an_answer_outside_the_question_proves_nothing() {
        for answer in [hello(Version::Tls12, 0xc02f), hello(Version::Tls12, 0x1301)] {
            assert_eq!(
                question("rc4").judge(answer).result,
                ProbeResult::Undetermined
            );
        }
        let newer = question("tls1.0").judge(hello(Version::Tls12, 0x002f));
        assert_eq!(newer.result, ProbeResult::Undetermined);
        let silent = question("tls1.0").judge(Err("no answer within 3s".to_owned()));
        assert_eq!(silent.result, ProbeResult::Undetermined);
    }

    #[test]
    fn alerts_and_closed_connections_are_refusals() {
        let alert = question("cbc").judge(Ok(Reply::Answer(Answer::Alert { description: 40 })));
        assert_eq!(alert.result, ProbeResult::Refused);
        assert_eq!(alert.detail.as_deref(), Some("alert handshake_failure"));
        assert_eq!(
            question("cbc").judge(Ok(Reply::Closed)).result,
            ProbeResult::Refused
        );
    }
}
