use core::fmt;

use const_oid::db;
use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{AnyRef, Uint, UintRef},
};
use x509_cert::{
    ext::pkix::{CrlNumber, CrlReason},
    time::Time,
};

use super::{
    IssueError, SignatureAlgorithm, ToBeSigned,
    certificate::{serial, time},
    extension::{self, Encoded},
    to_be_signed::Shape,
};
use crate::{Certificate, UnixTime};

/// A complete CRL, RFC 5280 §5: everything an issuer revoked that has not expired yet.
#[derive(Clone, Debug)]
pub struct CrlSpec<'a> {
    /// The CA that issued the certificates and signs the list.
    pub issuer: &'a Certificate,
    /// Grows with every list, RFC 5280 §5.2.3.
    pub number: u64,
    /// When this list was made.
    pub this_update: UnixTime,
    /// When the next one is there at the latest.
    pub next_update: UnixTime,
    /// In any order; the list is sorted by serial number.
    pub entries: &'a [CrlEntry],
    /// What the issuer signs with.
    pub algorithm: SignatureAlgorithm,
}

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub revoked_at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

/// Why a certificate was revoked, RFC 5280 §5.3.1. `certificateHold` is left out on purpose: it
/// can be taken back, and a revocation here is for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RevocationReason {
    /// No reason given; then the entry carries no reason at all, as the RFC prefers.
    #[default]
    Unspecified,
    /// The member's key is, or may be, in other hands.
    KeyCompromise,
    /// The CA's key is, or may be, in other hands.
    CaCompromise,
    /// The member's name or other data changed.
    AffiliationChanged,
    /// Replaced by another certificate.
    Superseded,
    /// The member stopped what the certificate was for.
    CessationOfOperation,
    /// The member lost the right to the certificate.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The name in words, as used on command lines and in the CA's store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::CaCompromise => "ca-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    pub(super) const fn asn1(self) -> Option<CrlReason> {
        Some(match self {
            Self::Unspecified => return None,
            Self::KeyCompromise => CrlReason::KeyCompromise,
            Self::CaCompromise => CrlReason::CaCompromise,
            Self::AffiliationChanged => CrlReason::AffiliationChanged,
            Self::Superseded => CrlReason::Superseded,
            Self::CessationOfOperation => CrlReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        })
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Builds a version 2 CRL to be signed (RFC 5280 §5.1), with CRL number and authority key
/// identifier.
///
/// # Errors
/// [`IssueError::NextUpdate`] when the list would be stale at once, [`IssueError::Serial`] for a
/// serial number that no certificate can have.
pub fn crl(spec: &CrlSpec<'_>) -> Result<ToBeSigned, IssueError> {
    let encoding = IssueError::encoding("CRL");
    if spec.next_update <= spec.this_update {
        return Err(IssueError::NextUpdate {
            this_update: spec.this_update,
            next_update: spec.next_update,
        });
    }
    let extensions = [
        extension::authority_key_id(
            spec.issuer
                .subject_key_id()
                .ok_or(IssueError::IssuerKeyId)?,
        )?,
        extension::extension(
            db::rfc5280::ID_CE_CRL_NUMBER,
            false,
            "CRL number",
            &CrlNumber(Uint::try_from(spec.number).map_err(&encoding)?),
        )?,
    ];

    // One encoding of each reason serves all entries.
    let reasons = RevocationReason::ALL
        .into_iter()
        .map(|reason| match reason.asn1() {
            Some(asn1) => Ok(vec![extension::extension(
                db::rfc5280::ID_CE_CRL_REASONS,
                false,
                "reason",
                &asn1,
            )?]),
            None => Ok(Vec::new()),
        })
        .collect::<Result<Vec<_>, IssueError>>()?;
    let mut entries = spec
        .entries
        .iter()
        .map(|entry| {
            let extensions = &reasons[entry.reason as usize];
            Ok(Entry {
                serial: serial(&entry.serial, 0)?,
                revoked_at: time(entry.revoked_at)?,
                extensions: if extensions.is_empty() {
                    None
                } else {
                    Some(extension::encode_all(extensions)?)
                },
            })
        })
        .collect::<Result<Vec<_>, IssueError>>()?;
    entries.sort_by(|a, b| by_value(a.serial.as_bytes(), b.serial.as_bytes()));
    entries.dedup_by(|a, b| a.serial == b.serial);

    let tbs = TbsCertList {
        version: 1,
        signature: AnyRef::from_der(spec.algorithm.identifier()).map_err(&encoding)?,
        issuer: AnyRef::from_der(spec.issuer.subject().der()).map_err(&encoding)?,
        this_update: time(spec.this_update)?,
        next_update: time(spec.next_update)?,
        // RFC 5280 §5.1.2.6: absent, never empty, when nothing is revoked.
        revoked: if entries.is_empty() {
            None
        } else {
            Some(entries)
        },
        extensions: extension::encode_all(&extensions)?,
    };
    let bytes = tbs.to_der().map_err(encoding)?;
    Ok(ToBeSigned::new(bytes, spec.algorithm, Shape::Signed))
}

/// Big-endian numbers without leading zeros: the longer one is the greater one.
fn by_value(a: &[u8], b: &[u8]) -> core::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[derive(Sequence)]
struct TbsCertList<'a> {
    version: u8,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    this_update: Time,
    next_update: Time,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Entry<'a>>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Encoded<'a>>,
}

#[derive(Sequence)]
struct Entry<'a> {
    serial: UintRef<'a>,
    revoked_at: Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Encoded<'a>>>,
}
