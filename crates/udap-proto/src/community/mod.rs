//! A trust community as data: who it is, which version of the guide it pins, and its rules. A new
//! community is a file and no code.
//!
//! ```
//! use udap_proto::community::{Community, Definition, Guide};
//!
//! let text = r#"
//! profile = "ssraa-2.0"
//! uri = "https://community.example"
//! scopes = ["system/Patient.rs"]
//! "#;
//! let community = Community::read(Definition::from_toml(text)?)?;
//! assert_eq!(community.guide, Guide::V2_0);
//! assert_eq!(community.extensions.required(), ["hl7-b2b"]);
//! # Ok::<(), udap_proto::community::CommunityError>(())
//! ```
//!
//! Not here: certificates and their keys (`udap-trust`), and where a description comes from.

pub(crate) mod catalogue;
mod codes;
mod definition;
mod error;
mod guide;
mod policy;
mod profiles;
mod read;
pub(crate) mod table;

pub use codes::{CodeList, Standing};
pub use definition::{Definition, MAX_BYTES};
pub use error::CommunityError;
pub use guide::{Demand, Guide, UnknownCommunity};
pub use policy::{PolicyError, purpose_of};
pub use profiles::{PROFILES, Profile, find as profile};
pub use table::{MAX_ITEMS, MAX_TEXT};

/// The extension objects that come with the program, by name.
pub(crate) fn shipped_objects() -> impl Iterator<Item = (&'static str, &'static str)> {
    profiles::OBJECTS.into_iter()
}

use crate::extensions::Extensions;
use crate::ids::CommunityUri;
use crate::jws::JwsAlg;
use crate::scope::ScopeSet;
use std::collections::BTreeMap;
use udap_pki::Revocation;

/// What a data holder knows about a community apart from its own place in it. Only [`Self::read`]
/// makes one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Community {
    /// Its name, as it stands in `?community=`.
    pub uri: CommunityUri,
    /// What people call it.
    pub title: Option<String>,
    /// Which document its rules are from.
    pub source: Option<String>,
    /// Whether that document is finished.
    pub status: Status,
    /// Which version of the guide it pins.
    pub guide: Guide,
    /// The signature algorithms its members may use.
    pub algorithms: Vec<JwsAlg>,
    /// How revocation is asked about.
    pub revocation: Revocation,
    /// How long an out-of-date CRL or OCSP answer still counts, in seconds.
    pub grace_secs: i64,
    /// The most that any app may have here; `None` leaves it to the data holder.
    pub scopes: Option<ScopeSet>,
    /// Whom it trusts to vouch for members.
    pub anchors: Vec<Pem>,
    /// Certificates to build paths with, not trusted by themselves.
    pub intermediates: Vec<Pem>,
    /// Whom it trusts to certify apps.
    pub certifier_anchors: Vec<Pem>,
    /// What it makes of certifications.
    pub certifications: Certifications,
    /// What it asks of registrations besides.
    pub registration: Registration,
    /// The authorization extension objects, and their rules.
    pub extensions: Extensions,
    /// Whose ID tokens count in an extension object: issuers, as their discovery documents name them.
    pub credential_providers: Vec<String>,
    /// Where consent has to be shown.
    pub consent: Vec<Consent>,
}

/// Whether a community's rules are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In force.
    Final,
    /// May change with every version of its document.
    Draft,
}

/// Where certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pem {
    /// In the description.
    Text(String),
    /// In a file; a relative path begins at the description's own file.
    Path(String),
}

/// Which certifications count; their programmes are told apart by URI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certifications {
    /// Those that are looked at; any other is ignored.
    pub supported: Vec<String>,
    /// Those without which no app is registered; all of them supported.
    pub required: Vec<String>,
    /// Those for which an app's own signature is enough; all of them supported.
    pub self_signed: Vec<String>,
    /// The URIs of the certifiers; none is whoever the anchors for certifiers vouch for.
    pub certifiers: Vec<String>,
    /// What the claims of a programme's own mean here.
    pub claims: BTreeMap<String, CertificationClaims>,
}

/// Names of claims with which the certifications of one programme say more than any other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificationClaims {
    /// Holds a list of the one purpose of the app, a code without its system; it must be the one that
    /// the app's URI names.
    pub purpose: Option<String>,
    /// Holds the URI of the node that answers for the app.
    pub home_community_id: Option<String>,
}

/// What a registration must be like beyond what the guide says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// What becomes of `user/…` scopes that an app without users asks for.
    pub user_scopes: UserScopes,
    /// Each app is for one purpose, a code of this list, which its URI names in the fragment or in a
    /// segment of the path.
    pub purpose_in_uri: Option<CodeList>,
    /// Which certificates a data holder's own signatures carry here.
    pub identity: IdentityChain,
}

/// Which certificates a data holder's own signatures carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdentityChain {
    /// The leaf, and whatever comes behind it.
    #[default]
    Leaf,
    /// The leaf, and its issuer next.
    LeafAndIssuer,
}

/// What becomes of `user/…` scopes that an app without users asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserScopes {
    /// They are left out of what is registered, as any scope that cannot be granted (HL7 SSRAA §7.3).
    #[default]
    LeaveOut,
    /// The registration is refused.
    Refuse,
}

/// For which purposes a request has to name a consent policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Purposes, `system#code`.
    pub purposes: Vec<String>,
    /// Policies of which one has to be asserted.
    pub policies: Vec<String>,
    /// Where a patient can give it.
    pub form: Option<String>,
}
