//! Looks at a host's TLS: the handshake in the steps people know, what it would still accept, and
//! which UDAP metadata it has.
//!
//! ```no_run
//! # async fn example() -> Result<(), udap_client::inspect::InspectError> {
//! use udap_client::inspect::{Inspection, inspect};
//!
//! let report = inspect(&Inspection::of("fhir.example.org".parse()?)).await?;
//! print!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! The host's certificate is judged twice: by [`udap_pki::verify`], which can say why, and by rustls,
//! which judges every outbound connection. The host is trusted when both say so. Addresses are
//! guarded as everywhere ([`udap_trust::fetch::CheckedHost`]).
//!
//! Not here: trust in members of a community. TLS proves a host and no more.

mod catalogue;
mod chain;
mod handshake;
mod metadata;
mod near_miss;
mod probe;
mod report;
mod suites;
mod text;
pub mod wire;

pub use catalogue::CATALOGUE;
pub use handshake::HANDSHAKE_TIMEOUT;
pub use probe::{MAX_PROBES, PROBE_TIMEOUT, Probe, ProbeResult};
pub use report::{
    CertificateInfo, Chain, Finding, Hello, Mark, Negotiated, Report, Resumption, UdapMetadata,
    UdapResult, Verdict,
};

use crate::{Clock, CommunityTrust, FetchPolicy, TlsRoots};
use handshake::{Agreed, Seen};
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use udap_proto::Refusal;
use udap_trust::fetch::{CheckedHost, FetchError, Fetcher};
use url::Host;

/// What is to be looked at.
#[derive(Clone)]
pub struct Inspection {
    /// The host.
    pub target: Target,
    /// Who vouches for hosts.
    pub roots: TlsRoots,
    /// Hosts, as `host:port`, that may have addresses which are not public.
    pub allow_hosts: Vec<String>,
    /// Whether CRLs and OCSP responses are fetched.
    pub revocation: RevocationData,
    /// FHIR base URLs to look for UDAP metadata at; without any, the usual places of this host.
    pub bases: Vec<String>,
    /// The communities that may vouch for that metadata.
    pub communities: Vec<CommunityTrust>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Inspection {
    /// The system's roots, public addresses only, nothing fetched but UDAP metadata.
    #[must_use]
    pub fn of(target: Target) -> Self {
        Self {
            target,
            roots: TlsRoots::System,
            allow_hosts: Vec::new(),
            revocation: RevocationData::Stapled,
            bases: Vec::new(),
            communities: Vec::new(),
            clock: Arc::new(udap_trust::clock::now),
        }
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Where knowledge of revocation comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevocationData {
    /// From the OCSP response that the host sends along, if it does. Unknown is let pass.
    #[default]
    Stapled,
    /// From CRLs and OCSP responders too, fetched. Unknown is refused where a certificate names some.
    Fetched,
}

/// `HOST[:PORT]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name in ASCII, or an address.
    pub host: Host<String>,
    /// The port; 443 where none is written.
    pub port: u16,
}

impl Target {
    /// The host as a resolver takes it: an IPv6 address without brackets.
    fn literal(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }
}

impl FromStr for Target {
    type Err = InspectError;

    fn from_str(text: &str) -> Result<Self, InspectError> {
        let refused = |why| InspectError::Target {
            target: text.chars().take(200).collect(),
            why,
        };
        if text.contains("://") || text.contains('/') {
            return Err(refused("a host is wanted, without a scheme or path"));
        }
        let (host, port) = match text.rsplit_once(':') {
            // A colon inside brackets belongs to an address.
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (
                    host,
                    port.ok_or(refused("its port is not a number from 1 to 65535"))?,
                )
            }
            _ => (text, DEFAULT_PORT),
        };
        if host.contains(':') && !host.starts_with('[') {
            return Err(refused("an IPv6 address stands in brackets"));
        }
        let host = Host::parse(host).map_err(|_| refused("it is neither a name nor an address"))?;
        Ok(Self { host, port })
    }
}

const DEFAULT_PORT: u16 = 443;

/// Why nothing could be found out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Not a host.
    #[error("`{target}` cannot be inspected: {why}")]
    Target {
        /// What was written.
        target: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The host cannot be reached, or must not be.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl Refusal for InspectError {
    fn code(&self) -> &'static str {
        match self {
            Self::Target { .. } => "tls-target-invalid",
            Self::Fetch(error) => error.code(),
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Target { .. } => catalogue::hint(self.code()).map(str::to_owned),
            Self::Fetch(FetchError::Address { host, .. }) => Some(format!(
                "If you mean to look at a host that is not public, list it: --allow-host {host}"
            )),
            Self::Fetch(_) => None,
        }
    }
}

/// Looks at a host.
///
/// # Errors
/// [`InspectError`] when it cannot be reached. What is wrong with a host that can be is no error but
/// stands in the report.
pub async fn inspect(inspection: &Inspection) -> Result<Report, InspectError> {
    let now = (inspection.clock)();
    let target = &inspection.target;
    let host =
        CheckedHost::resolve(&target.literal(), target.port, &inspection.allow_hosts).await?;
    let tcp = host.open().await?;
    let peer = tcp.peer_addr().map_err(|e| FetchError::Connect {
        host: host.host().to_owned(),
        why: e.to_string(),
    })?;
    let host = host.pinned_to(peer);
    let name = ServerName::try_from(target.literal()).map_err(|_| InspectError::Target {
        target: target.host.to_string(),
        why: "it is no name that TLS can verify",
    })?;
    // Read once, so that both judges have the same roots.
    let roots = inspection.roots.certificates();
    let seen = handshake::shake(tcp, &host, &name, &roots, now).await;
    let fetcher = match inspection.revocation {
        RevocationData::Fetched => Some(Fetcher::new(FetchPolicy {
            allow_hosts: inspection.allow_hosts.clone(),
            tls_roots: inspection.roots.clone(),
        })?),
        RevocationData::Stapled => None,
    };
    let chain = chain::judge(&seen, inspection, &roots, fetcher.as_ref(), now).await;
    let server_name = match &target.host {
        Host::Domain(name) => Some(name.trim_end_matches('.')),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    let probes = probe::all(&host, server_name).await;
    let possession = seen.signature.map(possession);
    let trusted = seen.agreed.is_some()
        && possession
            .as_ref()
            .is_some_and(|found| found.mark == Mark::Ok)
        && chain
            .as_ref()
            .is_some_and(|c| c.findings().iter().all(|f| f.mark != Mark::Failed));
    let udap = metadata::look(inspection, &inspection.roots, trusted, now).await;
    let mut report = Report {
        host: target.host.to_string(),
        port: target.port,
        address: peer.to_string(),
        time: now.to_string(),
        hello: hello(server_name, &seen),
        negotiated: seen.agreed.as_ref().map(negotiated),
        session_keys: seen.agreed.as_ref().map(session_keys),
        record_protection: seen.agreed.as_ref().map(record_protection),
        resumption: seen.agreed.as_ref().map(|agreed| Resumption {
            tickets: agreed.tickets,
            resumed: agreed.resumed,
        }),
        chain,
        possession,
        probes,
        udap,
        verdict: Verdict {
            accepted: false,
            trusted,
            codes: Vec::new(),
            weak: Vec::new(),
            undetermined: Vec::new(),
        },
        hints: Vec::new(),
        not_proven: NOT_PROVEN,
    };
    conclude(&mut report);
    Ok(report)
}

/// The sentence that ends every report.
const NOT_PROVEN: &str = "TLS proves that this is the host, and protects what is said on the way; it does not \
prove that the host is a member of any trust community, who runs it, or who the client is: that is what signed UDAP \
metadata and registration are for.";

/// What stands against the host, and what to do about it.
fn conclude(report: &mut Report) {
    let chosen = |result| {
        let found = report
            .probes
            .iter()
            .filter(move |p| p.weak && p.result == result);
        found.map(|p| p.id).collect::<Vec<_>>()
    };
    let (weak, undetermined) = (
        chosen(ProbeResult::Offered),
        chosen(ProbeResult::Undetermined),
    );
    let mut found: Vec<(&'static str, Option<String>)> = Vec::new();
    let chain = report.chain.iter().flat_map(|chain| chain.findings());
    let findings = std::iter::once(&report.hello.answer)
        .chain(chain)
        .chain(&report.possession);
    for finding in findings.filter(|finding| finding.mark == Mark::Failed) {
        if let Some(code) = finding.code {
            let hint = finding.hint.clone();
            found.push((
                code,
                hint.or_else(|| catalogue::hint(code).map(str::to_owned)),
            ));
        }
    }
    let is_old = |id: &&str| id.starts_with("tls1") || id.starts_with("ssl");
    let weaknesses = [
        ("tls-version-old", weak.iter().any(is_old)),
        ("tls-suite-weak", weak.iter().any(|id| !is_old(id))),
        ("tls-probe-undetermined", !undetermined.is_empty()),
    ];
    for (code, _) in weaknesses.into_iter().filter(|(_, there)| *there) {
        found.push((code, catalogue::hint(code).map(str::to_owned)));
    }
    for (code, hint) in found {
        if !report.verdict.codes.contains(&code) {
            report.verdict.codes.push(code);
        }
        // rustls's refusal has its reason in the other findings, which have better hints.
        let repeated = code == "tls-host-refused" && !report.hints.is_empty();
        report
            .hints
            .extend(hint.filter(|hint| !repeated && !report.hints.contains(hint)));
    }
    let unknown = report
        .chain
        .iter()
        .flat_map(|chain| chain.findings())
        .filter(|f| f.mark == Mark::Unknown);
    report
        .hints
        .extend(unknown.filter_map(|finding| finding.hint.clone()));
    if report.negotiated.as_ref().is_some_and(|n| !n.post_quantum) {
        report.hints.push(
            "What is recorded today can be read by a quantum computer later: have the server offer X25519MLKEM768."
                .to_owned(),
        );
    }
    report.verdict.accepted = report.verdict.trusted && report.verdict.codes.is_empty();
    report.verdict.weak = weak;
    report.verdict.undetermined = undetermined;
}

/// Whether a handshake failed because its first answer was none of TLS. The library says so in words only.
#[must_use]
pub fn is_no_tls(why: &str) -> bool {
    why.contains("InvalidContentType")
}

/// What to do about such a port.
const NO_TLS: &str = "Compare the port with what the operator publishes: FHIR base URLs are https.";

fn hello(server_name: Option<&str>, seen: &Seen) -> Hello {
    let provider = handshake::provider();
    let suite = |suite: &rustls::SupportedCipherSuite| suite_name(*suite);
    let group =
        |group: &&'static dyn rustls::crypto::SupportedKxGroup| group_name(group.name().as_str());
    Hello {
        versions: vec!["TLS 1.3", "TLS 1.2"],
        cipher_suites: provider.cipher_suites.iter().map(suite).collect(),
        key_exchange_groups: provider.kx_groups.iter().map(group).collect(),
        alpn: handshake::ALPN.to_vec(),
        server_name: server_name.map(str::to_owned),
        answer: match &seen.error {
            None => {
                Finding::ok("the server answers, and the handshake comes to its end".to_owned())
            }
            Some(why) if is_no_tls(why) => {
                let text = "this port does not speak TLS (is it http?)".to_owned();
                Finding::failed(text, "tls-handshake-failed", Some(NO_TLS.to_owned()))
            }
            Some(why) => {
                let text = format!("no handshake comes about: {why}");
                Finding::failed(text, "tls-handshake-failed", None)
            }
        },
    }
}

fn negotiated(agreed: &Agreed) -> Negotiated {
    let group = agreed.group.map(|name| group_name(Some(name)));
    Negotiated {
        version: match agreed.version {
            ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
            ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        },
        cipher_suite: suite_name(agreed.suite),
        post_quantum: group
            .as_ref()
            .is_some_and(|name| name.to_ascii_uppercase().contains("MLKEM")),
        key_exchange_group: group,
        alpn: agreed.alpn.clone(),
    }
}

fn possession((scheme, verified): (rustls::SignatureScheme, bool)) -> Finding {
    let scheme = format!("{scheme:?}");
    if verified {
        Finding::ok(format!(
            "the server signed this very handshake with the certificate's key ({scheme})"
        ))
    } else {
        let text = format!(
            "the signature over the handshake does not verify with the certificate's key ({scheme})"
        );
        Finding::failed(text, "tls-possession-unproven", None)
    }
}

fn session_keys(agreed: &Agreed) -> Finding {
    let group = group_name(agreed.group);
    Finding::ok(format!(
        "both sides derived them from an ephemeral {group} exchange and discard them with the session; no secret was \
sent encrypted to the server's key, which was TLS 1.2's RSA exchange and is refused here"
    ))
}

fn record_protection(agreed: &Agreed) -> Finding {
    let name = suite_name(agreed.suite);
    let aead = match name.as_str() {
        name if name.contains("CHACHA20_POLY1305") => "ChaCha20-Poly1305",
        name if name.contains("AES_256_GCM") => "AES-256-GCM",
        name if name.contains("AES_128_GCM") => "AES-128-GCM",
        name => name,
    };
    Finding::ok(format!(
        "{aead}, an AEAD: each record is encrypted and kept from being altered at once"
    ))
}

/// The registered name: `TLS_AES_256_GCM_SHA384`.
fn suite_name(suite: rustls::SupportedCipherSuite) -> String {
    let name = format!("{:?}", suite.suite());
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name,
    }
}

/// The registered name of a group, as people write it.
fn group_name(name: Option<&str>) -> String {
    match name {
        Some("secp256r1") => "P-256".to_owned(),
        Some("secp384r1") => "P-384".to_owned(),
        Some("secp521r1") => "P-521".to_owned(),
        Some(other) => other.to_owned(),
        None => "unnamed".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read() {
        for (text, literal, port) in [
            ("fhir.example.org", "fhir.example.org", 443),
            ("FHIR.example.org:8443", "fhir.example.org", 8443),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:8441", "::1", 8441),
            ("[::1]", "::1", 443),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(
                (target.literal().as_str(), target.port),
                (literal, port),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "https://a.example",
            "a.example/x",
            "a.example:0",
            "a.example:70000",
            "::1",
            "a b",
            "a:b:1",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert_eq!(error.code(), "tls-target-invalid", "{text}");
        }
    }
}
