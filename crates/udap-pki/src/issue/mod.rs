//! Issuing: certificates, CRLs, OCSP answers and certification requests as bytes to be signed.
//!
//! Two steps, so that this crate needs no key: a builder returns a [`ToBeSigned`], any signer
//! signs [`ToBeSigned::bytes`], and [`ToBeSigned::finish`] puts the signature in its place.
//!
//! ```
//! use udap_pki::{UnixTime, issue::{self, CertificateSpec, Issuer, Names, Profile, SignatureAlgorithm, Subject, Urls}};
//! # fn key_of_the_root() -> Vec<u8> {
//! #     use aws_lc_rs::signature::KeyPair as _;
//! #     let pkcs8 = aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
//! #     aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pkcs8.public_key()).unwrap().as_ref().to_vec()
//! # }
//! let spki = key_of_the_root();
//! let to_be_signed = issue::certificate(&CertificateSpec {
//!     profile: Profile::Root,
//!     serial: &[7; 16],
//!     subject: &Subject::named("Example community root"),
//!     spki_der: &spki,
//!     issuer: Issuer::SelfSigned,
//!     not_before: UnixTime(1_790_000_000),
//!     not_after: UnixTime(2_100_000_000),
//!     names: Names::default(),
//!     urls: Urls::default(),
//!     extensions: &[],
//!     algorithm: SignatureAlgorithm::EcdsaP256Sha256,
//! })?;
//! let signature = b"what the signer made of to_be_signed.bytes()";
//! let der = to_be_signed.finish(signature)?;
//! # assert!(der.len() > 200);
//! # Ok::<(), issue::IssueError>(())
//! ```
//!
//! Not here: keys, randomness, the clock (all arguments), and judging the result
//! ([`crate::lint`] for a CA's own profile, [`crate::verify()`] for trust).

mod catalogue;
mod certificate;
mod crl;
mod csr;
mod error;
mod extension;
mod ocsp;
mod ocsp_request;
mod signature;
mod subject;
mod to_be_signed;

pub use catalogue::CATALOGUE;
pub use certificate::{
    CertificateSpec, Issuer, Names, Profile, Urls, certificate, key_id, stand_in,
};
pub use crl::{CrlEntry, CrlSpec, RevocationReason, crl};
pub use csr::{CertificationRequest, CsrError, CsrSpec, certification_request};
pub use error::IssueError;
pub use extension::Extension;
pub use ocsp::{
    OcspAnswer, OcspSpec, OcspStatus, OcspUnsigned, ocsp_answer, ocsp_unsigned, responder_key_hash,
};
pub use ocsp_request::{CertId, CertIdHash, OcspRequest, OcspRequestError};
pub use signature::{SignatureAlgorithm, ecdsa_fixed_to_der};
pub use subject::Subject;
pub use to_be_signed::ToBeSigned;

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and builds short DER by hand"
)]
mod ocsp_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) mod testing;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says when it skips"
)]
mod tests;
