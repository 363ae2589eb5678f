//! What was found, as data. The members and their names are the schema of `--json`.

use super::probe::Probe;
use serde::Serialize;
use udap_pki::Certificate;

/// Everything that was found about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The host as it was asked for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The address that was spoken to.
    pub address: String,
    /// When, RFC 3339.
    pub time: String,
    /// What was offered, and whether it was answered.
    pub hello: Hello,
    /// What the two agreed on; `null` when they did not.
    pub negotiated: Option<Negotiated>,
    /// The certificates; `null` when none came.
    pub chain: Option<Chain>,
    /// Whether the server has the certificate's key.
    pub possession: Option<Finding>,
    /// Where the session's keys come from.
    pub session_keys: Option<Finding>,
    /// How records are protected.
    pub record_protection: Option<Finding>,
    /// Whether sessions can be resumed.
    pub resumption: Option<Resumption>,
    /// Which older versions and weak suites the host accepts.
    pub probes: Vec<Probe>,
    /// Which UDAP metadata the host has.
    pub udap: Vec<UdapMetadata>,
    /// The answer.
    pub verdict: Verdict,
    /// What to do, the most important first.
    pub hints: Vec<String>,
    /// What TLS does not prove.
    pub not_proven: &'static str,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// ✓
    Ok,
    /// ✗
    Failed,
    /// –: it was not looked at, or cannot be told.
    Unknown,
}

impl Mark {
    /// The sign it is printed as.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Failed => '✗',
            Self::Unknown => '–',
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it went.
    pub mark: Mark,
    /// In words.
    pub text: String,
    /// The code of the refusal.
    pub code: Option<&'static str>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(text: String) -> Self {
        Self {
            mark: Mark::Ok,
            text,
            code: None,
            hint: None,
        }
    }
    pub(super) fn failed(text: String, code: &'static str, hint: Option<String>) -> Self {
        Self {
            mark: Mark::Failed,
            text,
            code: Some(code),
            hint,
        }
    }
    pub(super) fn unknown(text: &str, hint: Option<&str>) -> Self {
        Self {
            mark: Mark::Unknown,
            text: text.to_owned(),
            code: None,
            hint: hint.map(str::to_owned),
        }
    }
}

/// The hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hello {
    /// Versions, the best first.
    pub versions: Vec<&'static str>,
    /// Cipher suites, the most wanted first.
    pub cipher_suites: Vec<String>,
    /// Key exchange groups, the most wanted first.
    pub key_exchange_groups: Vec<String>,
    /// Protocols of the application.
    pub alpn: Vec<&'static str>,
    /// The name that was asked for; an address is not sent.
    pub server_name: Option<String>,
    /// Whether it was answered with a handshake that could be gone through with.
    pub answer: Finding,
}

/// What the two agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Negotiated {
    /// `TLS 1.3` or `TLS 1.2`.
    pub version: String,
    /// The registered name.
    pub cipher_suite: String,
    /// The group of the key exchange.
    pub key_exchange_group: Option<String>,
    /// Whether that exchange withstands a quantum computer.
    pub post_quantum: bool,
    /// The protocol of the application.
    pub alpn: Option<String>,
}

/// The certificates, and what was found about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// As they were sent, leaf first.
    pub certificates: Vec<CertificateInfo>,
    /// Whether a root vouches for the leaf.
    pub issuer: Finding,
    /// Whether the path is in date.
    pub dates: Finding,
    /// Whether it is revoked.
    pub revocation: Finding,
    /// Whether it is for this host.
    pub name: Finding,
    /// Whether an OCSP response came with it.
    pub stapled_ocsp: bool,
    /// What rustls says of all this.
    pub rustls: Finding,
}

impl Chain {
    pub(super) fn unreadable(finding: Finding, rustls: Result<(), String>) -> Self {
        let unknown =
            || Finding::unknown("not looked at, since the certificate cannot be read", None);
        Self {
            certificates: Vec::new(),
            issuer: finding,
            dates: unknown(),
            revocation: unknown(),
            name: unknown(),
            stapled_ocsp: false,
            rustls: match rustls {
                Ok(()) => Finding::ok("rustls accepts it".to_owned()),
                Err(why) => Finding::failed(why, "tls-host-refused", None),
            },
        }
    }

    pub(super) const fn findings(&self) -> [&Finding; 5] {
        [
            &self.issuer,
            &self.dates,
            &self.revocation,
            &self.name,
            &self.rustls,
        ]
    }
}

/// A certificate as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateInfo {
    /// Whom it is for.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Hosts and addresses it names.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: String,
    /// Valid to.
    pub not_after: String,
    /// In hex.
    pub serial: String,
    /// Of its DER, in hex.
    pub sha256: String,
    /// The kind of its key.
    pub key: String,
}

impl CertificateInfo {
    pub(super) fn new(certificate: &Certificate) -> Self {
        let dns = certificate.dns_names().iter().cloned();
        let ips = certificate.ip_names().iter().map(ToString::to_string);
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: dns.chain(ips).collect(),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            serial: certificate.serial_hex(),
            sha256: certificate
                .sha256()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            key: match certificate.public_key() {
                Ok(key) => key.kind().to_string(),
                Err(error) => error.to_string(),
            },
        }
    }
}

/// Whether sessions can be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resumption {
    /// Tickets of TLS 1.3 that came.
    pub tickets: u32,
    /// Whether a second connection was a resumption; `null` when there was none.
    pub resumed: Option<bool>,
}

/// What is at one base URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UdapMetadata {
    /// The base URL that was tried.
    pub base_url: String,
    /// What came of it.
    pub result: UdapResult,
    /// The communities that vouch for the server.
    pub communities: Vec<String>,
    /// The code of the refusal.
    pub code: Option<&'static str>,
    /// In words.
    pub text: String,
}

/// What came of a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UdapResult {
    /// Metadata that a community vouches for.
    Trusted,
    /// Metadata that is refused.
    Refused,
    /// Metadata that is signed by the certificate it comes with; no community was given to ask.
    NotJudged,
    /// No metadata.
    None,
    /// It could not be asked for.
    NotAsked,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The host is trusted, and nothing weak is offered.
    pub accepted: bool,
    /// The host is trusted.
    pub trusted: bool,
    /// The codes of what stands against it, each once.
    pub codes: Vec<&'static str>,
    /// What is weak and offered, by the ids of [`Probe`].
    pub weak: Vec<&'static str>,
    /// What could not be told, by the ids of [`Probe`].
    pub undetermined: Vec<&'static str>,
}
