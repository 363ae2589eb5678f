//! A question to the trust engine, whether it came as options or as a line of JSON.

use std::net::IpAddr;
use udap_pki::{
    Anchor, Certificate, Evidence, NameCheck, ObjectIdentifier, Outcome, Policy, Purpose, Request,
    UnixTime, verify_offline,
};

/// Everything a verdict depends on.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) leaf: Certificate,
    pub(super) intermediates: Vec<Certificate>,
    pub(super) anchors: Vec<Anchor>,
    pub(super) evidence: Evidence,
    pub(super) now: UnixTime,
    pub(super) policy: Policy,
    /// A word about each surplus certificate that could not be read.
    pub(super) ignored: Vec<String>,
}

impl Question {
    /// The verdict on what is at hand.
    pub(super) fn answer(&self) -> Outcome {
        verify_offline(&Request {
            leaf: &self.leaf,
            intermediates: &self.intermediates,
            anchors: &self.anchors,
            evidence: &self.evidence,
            now: self.now,
            policy: &self.policy,
        })
    }
}

/// `uri:U`, `dns:D`, `email:E` or `ip:I`.
pub(super) fn name(text: &str) -> Result<NameCheck, String> {
    let (kind, value) = text.split_once(':').unwrap_or_default();
    match kind {
        "uri" => Ok(NameCheck::Uri(value.to_owned())),
        "dns" => Ok(NameCheck::Dns(value.to_owned())),
        "email" => Ok(NameCheck::Email(value.to_owned())),
        "ip" => value
            .parse::<IpAddr>()
            .map(NameCheck::Ip)
            .map_err(|_| format!("`{value}` is not an IP address")),
        _ => Err("not uri:…, dns:…, email:… or ip:…".to_owned()),
    }
}

/// A certificate policy's identifier.
pub(super) fn oid(text: &str) -> Result<ObjectIdentifier, String> {
    ObjectIdentifier::new(text).map_err(|_| "not an object identifier, like 1.2.3".to_owned())
}

/// The names of purposes.
pub(super) fn purpose(word: &str) -> Option<Purpose> {
    Some(match word {
        "any" => Purpose::Any,
        "jwt" => Purpose::JwtSigner,
        "client" => Purpose::TlsClient,
        "server" => Purpose::TlsServer,
        "ocsp" => Purpose::OcspSigner,
        _ => return None,
    })
}
