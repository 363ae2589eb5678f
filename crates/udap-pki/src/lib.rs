//! X.509 trust, pure: certificates, evidence and a time in, a verdict with its trace out.
//!
//! ```
//! use udap_pki::{Anchor, Evidence, NameCheck, Outcome, Policy, Request, UnixTime, pem, verify};
//!
//! # fn files() -> (Vec<u8>, Vec<u8>) {
//! #     use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
//! #     let (root_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
//! #     let mut root = CertificateParams::default();
//! #     root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
//! #     root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
//! #     root.distinguished_name.push(rcgen::DnType::CommonName, "Root");
//! #     let mut leaf = CertificateParams::default();
//! #     leaf.subject_alt_names = vec![SanType::URI("https://app.example.com".try_into().unwrap())];
//! #     let anchor = root.self_signed(&root_key).unwrap().pem();
//! #     let leaf = leaf.signed_by(&leaf_key, &Issuer::from_params(&root, &root_key)).unwrap().pem();
//! #     (leaf.into_bytes(), anchor.into_bytes())
//! # }
//! # let (leaf_pem, anchor_pem) = files();
//! let leaf = &pem::certificates(&leaf_pem)?[0];
//! let anchors: Vec<Anchor> = pem::certificates(&anchor_pem)?.into_iter().map(Anchor::new).collect();
//! let policy = Policy {
//!     name: Some(NameCheck::Uri("https://app.example.com".to_owned())),
//!     ..Policy::default() // signs JWTs, revocation required
//! };
//! let outcome = verify(&Request {
//!     leaf,
//!     intermediates: &[],
//!     anchors: &anchors,
//!     evidence: &Evidence::default(),
//!     now: UnixTime::parse_rfc3339("2026-11-24T16:00:00Z")?,
//!     policy: &policy,
//! });
//! match outcome {
//!     Outcome::Valid(valid) => println!("{} is good until {}", valid.leaf().subject(), valid.expires()),
//!     Outcome::Incomplete(more) => println!("fetch {:?} and ask again", more.needs),
//!     Outcome::Invalid(no) => println!("{} [{}]\n{}\n{}", no.reason, no.reason.code(), no.reason.hint(), no.trace),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is where: [`Certificate`], [`Crl`] and [`OcspResponse`] are read once and remember whose key signed them;
//! [`verify()`] builds every path (RFC 4158), judges it (RFC 5280 §6, RFC 9618), looks at revocation (RFC 5280 §6.3,
//! RFC 6960) and says what it still needs; [`Reason`] is why not, [`Trace`] is how it was found, [`CATALOGUE`] explains
//! every code; [`issue`] builds what a CA signs, [`lint`] says what a certificate should be.
//!
//! Not here: input and output, a clock, randomness (all of them are arguments), private keys, and any other opinion
//! about trust. All work is bounded, see [`limits`].

mod anchor;
mod asn1;
mod catalogue;
mod cert;
mod constraints;
mod crl;
mod error;
mod evidence;
mod extensions;
mod general_name;
pub mod issue;
mod key;
pub mod lint;
mod names;
pub mod ocsp;
mod path;
pub mod pem;
mod policies;
mod purpose;
mod revocation;
mod time;
mod trace;
mod validate;
mod verify;

pub use anchor::Anchor;
pub use asn1::DerError;
pub use catalogue::{CATALOGUE, Explanation, explanation};
pub use cert::{Certificate, CertificateError};
pub use const_oid::ObjectIdentifier;
pub use crl::{Crl, CrlError, RevocationReason, Revoked};
pub use error::{NearMiss, Reason, RevocationGap, RevocationSource, WorkLimit, uri_name_mismatch};
pub use evidence::{Evidence, Need};
pub use extensions::KeyUsage;
pub use general_name::{Form, GeneralName};
pub use key::{AlgorithmError, Beginning, KeyError, KeyKind, PublicKey, Scheme, SignatureError};
pub use names::{Name, is_bidi_control};
pub use ocsp::{OcspError, OcspResponse};
pub use time::{Civil, TimeError, UnixTime};
pub use trace::{Mark, Step, Trace};
pub use verify::{
    Incomplete, Invalid, NameCheck, Outcome, Policy, Purpose, Request, Revocation, Valid, limits,
    verify, verify_offline,
};
