//! X.509 trust, pure: certificates, evidence and a time in, a verdict with its trace out.

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
pub use key::{AlgorithmError, KeyError, KeyKind, PublicKey, Scheme, SignatureError};
pub use names::Name;
pub use ocsp::{OcspError, OcspResponse};
pub use time::{Civil, TimeError, UnixTime};
pub use trace::{Mark, Step, Trace};
pub use verify::{
    Incomplete, Invalid, NameCheck, Outcome, Policy, Purpose, Request, Revocation, Valid, limits, verify, verify_offline,
};
