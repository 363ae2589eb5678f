//! The one function that says a certificate is good.

use crate::path::{Built, Engine, Role};
use crate::{Anchor, Certificate, Evidence, Need, ObjectIdentifier, Reason, Trace, UnixTime};
use std::fmt;
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

/// The rules of a verification. The default is that of UDAP: a JWT signer, revocation required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether revocation must be known.
    pub revocation: Revocation,
    /// Seconds that a CRL or OCSP response is still believed after its nextUpdate; taken as 0 to 86,400.
    pub grace_secs: i64,
    /// What the leaf is used for.
    pub purpose: Purpose,
    /// The name the leaf must have.
    pub name: Option<NameCheck>,
    /// RFC 5280 §6.1.1 (c), the policies that are accepted; empty is any-policy.
    pub policies: Vec<ObjectIdentifier>,
    /// RFC 5280 §6.1.1 (f), initial-explicit-policy.
    pub explicit_policy: bool,
    /// RFC 5280 §6.1.1 (e), initial-policy-mapping-inhibit.
    pub inhibit_policy_mapping: bool,
    /// RFC 5280 §6.1.1 (g), initial-any-policy-inhibit.
    pub inhibit_any_policy: bool,
    /// Extended key usages that the leaf must spell out, all of them.
    pub extended_key_usage: Vec<ObjectIdentifier>,
    /// Certificates between leaf and anchor, at most; taken as at most 16.
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
    /// Signs JWTs: digitalSignature, where the key usage is restricted.
    #[default]
    JwtSigner,
    /// Anything.
    Any,
    /// A TLS client: digitalSignature or keyAgreement; clientAuth, where purposes are named.
    TlsClient,
    /// A TLS server: digitalSignature, keyEncipherment or keyAgreement; serverAuth, where purposes are named.
    TlsServer,
    /// A delegated OCSP responder: OCSPSigning, spelled out (RFC 6960 §4.2.2.2).
    OcspSigner,
}

/// The name the leaf must have among its subject alternative names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameCheck {
    /// This URI, byte for byte.
    Uri(String),
    /// This host (RFC 9525): case does not matter, a wildcard stands for one whole first label.
    Dns(String),
    /// This mailbox: case does not matter after the @.
    Email(String),
    /// This address.
    Ip(IpAddr),
}

impl fmt::Display for NameCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(uri) => write!(f, "URI:{uri}"),
            Self::Dns(host) => write!(f, "DNS:{host}"),
            Self::Email(mailbox) => write!(f, "email:{mailbox}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
        }
    }
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

impl Outcome {
    /// The good leaf, or the refusal; what is incomplete is refused with the reason it would be refused for.
    ///
    /// # Errors
    /// When the certificate is refused or cannot be judged with what is at hand.
    pub fn into_result(self) -> Result<Valid, Invalid> {
        match self {
            Self::Valid(valid) => Ok(valid),
            Self::Invalid(invalid) => Err(invalid),
            Self::Incomplete(Incomplete { reason, trace, .. }) => Err(Invalid {
                reason,
                unanchored: false,
                trace,
            }),
        }
    }

    /// How it was found.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        match self {
            Self::Valid(valid) => &valid.trace,
            Self::Invalid(invalid) => &invalid.trace,
            Self::Incomplete(incomplete) => &incomplete.trace,
        }
    }
}

/// A leaf that was found good, and for which path. Only [`verify`] makes one, so holding one is the proof.
#[derive(Clone, Debug)]
pub struct Valid {
    /// Leaf first, anchor last; never empty.
    path: Vec<Certificate>,
    leaf: Certificate,
    anchor: Certificate,
    expires: UnixTime,
    revocation_checked: bool,
    policies: Vec<ObjectIdentifier>,
    trace: Trace,
}

impl Valid {
    /// The leaf that is good.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The anchor it leads to.
    #[must_use]
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }

    /// Leaf first, anchor last. One certificate when the leaf is itself an anchor.
    #[must_use]
    pub fn path(&self) -> &[Certificate] {
        &self.path
    }

    /// The earliest notAfter and nextUpdate (with its grace) of everything that was used: until then this
    /// verdict holds, unless something is revoked meanwhile. Where revocation could not be told
    /// ([`Self::revocation_checked`] is false), whoever keeps the verdict decides when to look again.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Whether every certificate of the path but the anchor is known not to be revoked.
    #[must_use]
    pub fn revocation_checked(&self) -> bool {
        self.revocation_checked
    }

    /// The certificate policies the path is valid for (RFC 5280 §6.1.6); anyPolicy when there is no bound.
    #[must_use]
    pub fn policies(&self) -> &[ObjectIdentifier] {
        &self.policies
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
    /// Why: the reason of the path that came furthest.
    pub reason: Reason,
    /// Whether no signatures of CAs lead from an anchor to the leaf, by the issuers at hand. The reason does not
    /// tell: a candidate of the right name that signed nothing comes further than none. False where it is not
    /// known.
    pub unanchored: bool,
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
///
/// The work is bounded whatever the certificates are: see [`limits`].
#[must_use]
pub fn verify(request: &Request<'_>) -> Outcome {
    judge(request, Asking::ForNeeds)
}

/// The same with what is at hand: never [`Outcome::Incomplete`]. What is missing is judged as unavailable.
#[must_use]
pub fn verify_offline(request: &Request<'_>) -> Outcome {
    judge(request, Asking::Nothing)
}

/// Whether missing data is asked for or judged as unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    ForNeeds,
    Nothing,
}

fn judge(request: &Request<'_>, asking: Asking) -> Outcome {
    let mut engine = Engine::new(request, asking);
    let built = engine.build(0, Role::Member, None, 0);
    let unanchored = matches!(built, Built::Refused(_)) && !engine.is_below_an_anchor();
    let (path, needs, trace) = engine.finish(&built);
    match built {
        Built::Valid(found) => match (path.first().cloned(), path.last().cloned()) {
            (Some(leaf), Some(anchor)) => Outcome::Valid(Valid {
                leaf,
                anchor,
                path,
                expires: found.expires,
                revocation_checked: found.revocation_checked,
                policies: found.policies,
                trace,
            }),
            _ => unreachable_path(request, trace),
        },
        Built::Undecided(reason) => Outcome::Incomplete(Incomplete {
            needs,
            reason,
            trace,
        }),
        Built::Refused(reason) => Outcome::Invalid(Invalid {
            reason,
            unanchored,
            trace,
        }),
    }
}

/// A path always begins with its leaf; were it not so, nothing would be trusted.
fn unreachable_path(request: &Request<'_>, trace: Trace) -> Outcome {
    let reason = Reason::ChainNotTrusted {
        certificate: request.leaf.label(),
        issuer: request.leaf.issuer().to_string(),
    };
    Outcome::Invalid(Invalid {
        reason,
        unanchored: false,
        trace,
    })
}

/// The bounds of one verification. Honest chains stay far below all of them.
pub mod limits {
    /// Signature checks, of certificates, CRLs and OCSP responses together: at P-384's price some 40 ms. As many
    /// again may tell of a refused leaf whether it is below an anchor; they are those made before, as a rule.
    pub const SIGNATURES: u32 = 200;
    /// Candidates that the path builder looks at.
    pub const STEPS: u32 = 4_000;
    /// Paths that reach an anchor and are judged.
    pub const PATHS: u32 = 64;
    /// Certificates that are looked at, anchors included; the rest is ignored and the trace says so.
    pub const POOL: usize = 1_000;
    /// Certificates between leaf and anchor, whatever the policy says.
    pub const INTERMEDIATES: u8 = 16;
    /// Comparisons of a name with a constraint.
    pub const NAME_COMPARISONS: u32 = 100_000;
    /// How often the signer of a CRL may himself need a CRL of another signer.
    pub const NESTING: u8 = 3;
    /// Needs that one answer may name.
    pub const NEEDS: usize = 8;
    /// Seconds by which a CRL or OCSP response may be from the future: clocks differ.
    pub const SKEW_SECS: i64 = 30;
    /// Seconds that an OCSP response without nextUpdate is believed.
    pub const OCSP_WITHOUT_NEXT_UPDATE_SECS: i64 = 300;
    /// The most that [`crate::Policy::grace_secs`] can be.
    pub const GRACE_SECS: i64 = 86_400;
}
