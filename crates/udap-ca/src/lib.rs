//! The trust community's certificate authority: a root and an issuing CA in a directory, the
//! certificates they issue, and what they publish over HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use udap_ca::{Ca, Hierarchy, InitOptions, IssueOptions};
//! use udap_pki::issue::Profile;
//!
//! let ca = Ca::init("community".as_ref(), InitOptions::new(Hierarchy::Community {
//!     uri: "https://community.example".to_owned(),
//!     base_url: "http://ca.community.example".to_owned(),
//! })).await?;
//! let issued = ca.issue(IssueOptions::new(Profile::App, "Example app").uri("https://app.example")).await?;
//! std::fs::write("app.pem", issued.chain_pem())?;
//!
//! let router = udap_ca::router(Arc::new(ca));
//! # drop(router);
//! # Ok(())
//! # }
//! ```
//!
//! A certificate is signed with a throwaway key first, linted and verified, and only then with the
//! real key. It is in the database before anybody gets it, so there is none that cannot be
//! revoked; and a revocation and the CRL that tells of it are one transaction.
//!
//! Not here: arguments and printing (`udap`), who may have a certificate (the operator decides),
//! enrolment over HTTP, and trust in anybody (`udap_pki::verify`).

mod authority;
mod bundle;
mod ca;
mod catalogue;
mod certification;
mod check;
mod crl;
mod directory;
mod error;
mod health;
mod init;
mod issue;
mod issuer_certificate;
mod keys;
mod list;
mod ocsp;
mod publication;
mod publish;
mod responder;
mod revoke;
mod router;
mod store;

pub use authority::CaKeyType;
pub use bundle::{BundleOptions, PublishedBundle};
pub use ca::{Ca, Clock};
pub use catalogue::CATALOGUE;
pub use certification::KeptCertification;
pub use error::CaError;
pub use init::{Hierarchy, InitOptions};
pub use issue::{IssueOptions, Issued, MemberKey, Validity};
pub use list::Listed;
pub use revoke::Revoked;
pub use router::router;
