//! The one function that says a certificate is good.
use crate::{Anchor, Certificate, Evidence, Need, ObjectIdentifier, Reason, Trace, UnixTime};
use std::net::IpAddr;

/// What is to be verified, against what, when, and how strictly.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The certificate in question.
    pub leaf: &'a Certificate,
    /// Certificates that may lead to an anchor; any order, surplus allowed.
    pub intermediates: &'a [Certificate],
    /// The community's anchors.
    pub anchors: &'a [Anchor],
    /// What was fetched or stapled.
    pub evidence: &'a Evidence,
    /// The time to judge at.
    pub now: UnixTime,
    /// The rules.
    pub policy: &'a Policy,
}

/// The rules of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether revocation must be known.
    pub revocation: Revocation,
    /// Seconds that a CRL or OCSP response is still believed after its nextUpdate; 0 to 86,400.
    pub grace_secs: i64,
    /// What the leaf is used for.
    pub purpose: Purpose,
    /// The name the leaf must have.
    pub name: Option<NameCheck>,
    /// RFC 5280 §6.1.1 (c); empty is any-policy.
    pub policies: Vec<ObjectIdentifier>,
    /// RFC 5280 §6.1.1 (f).
    pub explicit_policy: bool,
    /// RFC 5280 §6.1.1 (e).
    pub inhibit_policy_mapping: bool,
    /// RFC 5280 §6.1.1 (g).
    pub inhibit_any_policy: bool,
    /// Extended key usages that the leaf must have, all of them.
    pub extended_key_usage: Vec<ObjectIdentifier>,
    /// Certificates between leaf and anchor, at most.
    pub max_intermediates: u8,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            revocation: Revocation::Require,
            grace_secs: 0,
            purpose: Purpose::JwtSigner,
            name: None,
            policies: Vec::new(),
            explicit_policy: false,
            inhibit_policy_mapping: false,
            inhibit_any_policy: false,
            extended_key_usage: Vec::new(),
            max_intermediates: 10,
        }
    }
}

/// Whether revocation must be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Unknown is refused.
    #[default]
    Require,
    /// Unknown is refused for a certificate that names a CRL or an OCSP responder.
    WhereNamed,
    /// Unknown is accepted, revoked never.
    Prefer,
    /// Not looked at.
    Off,
}

/// What the leaf is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Signs JWTs: digitalSignature.
    #[default]
    JwtSigner,
    /// Anything.
    Any,
    /// A TLS client.
    TlsClient,
    /// A TLS server.
    TlsServer,
    /// A delegated OCSP responder.
    OcspSigner,
}

/// The name the leaf must have among its subject alternative names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameCheck {
    /// This URI, byte for byte.
    Uri(String),
    /// This host (RFC 9525).
    Dns(String),
    /// This mailbox.
    Email(String),
    /// This address.
    Ip(IpAddr),
}

/// The answer.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Good.
    Valid(Valid),
    /// Refused.
    Invalid(Invalid),
    /// More is needed to tell.
    Incomplete(Incomplete),
}

/// A leaf that was found good. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct Valid {
    path: Vec<Certificate>,
    expires: UnixTime,
    revocation_checked: bool,
    trace: Trace,
}

impl Valid {
    /// The leaf that is good.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        todo!()
    }
    /// The anchor it leads to.
    #[must_use]
    pub fn anchor(&self) -> &Certificate {
        todo!()
    }
    /// Leaf first, anchor last.
    #[must_use]
    pub fn path(&self) -> &[Certificate] {
        &self.path
    }
    /// The earliest notAfter and nextUpdate of everything that was used.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }
    /// Whether every certificate of the path but the anchor is known not to be revoked.
    #[must_use]
    pub fn revocation_checked(&self) -> bool {
        self.revocation_checked
    }
    /// How it was found.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Invalid {
    /// Why.
    pub reason: Reason,
    /// How it was found.
    pub trace: Trace,
}

/// More is needed to tell.
#[derive(Clone, Debug)]
pub struct Incomplete {
    /// What to fetch and add to the evidence, or to mark unavailable, before asking again.
    pub needs: Vec<Need>,
    /// The refusal if it cannot be had.
    pub reason: Reason,
    /// How far it went.
    pub trace: Trace,
}

/// Says whether the leaf is good, for this name and purpose, at this time, under these anchors.
#[must_use]
pub fn verify(_request: &Request<'_>) -> Outcome {
    todo!()
}
