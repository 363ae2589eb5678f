//! Certificate revocation lists (RFC 5280 §5): parsed once, serial numbers indexed once, signature
//! verified once per key. What a list is worth to a certificate is decided in `revocation`.

use crate::asn1::{
    DerError, ENUMERATED, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, UTC_TIME,
    check_integer, context, context_constructed,
};
use crate::cert::within;
use crate::extensions::IssuingDistributionPoint;
use crate::general_name::GeneralName;
use crate::{AlgorithmError, Name, ObjectIdentifier, PublicKey, Scheme, UnixTime};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A CRL, parsed and indexed once (RFC 5280 §5).
pub struct Crl {
    der: Box<[u8]>,
    tbs: Range<usize>,
    signature: Range<usize>,
    scheme: Result<Scheme, AlgorithmError>,
    issuer: Name,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    /// Sorted by serial number.
    entries: Vec<Entry>,
    /// The certificate issuers that entries of an indirect CRL name; entries hold positions, from 1.
    issuers: Vec<Name>,
    extensions: CrlExtensions,
    verified: VerifiedBy,
}

#[derive(Debug, Default)]
struct CrlExtensions {
    number: Option<Vec<u8>>,
    delta_base: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    scope: Option<(IssuingDistributionPoint, Vec<u8>)>,
    /// A critical extension of the list or of an entry that is not understood: the list is useless (§5.2, §5.3).
    unknown_critical: Option<ObjectIdentifier>,
}

/// One revoked certificate in 32 octets.
#[derive(Clone, Copy)]
struct Entry {
    /// The first octets of the serial number, which decide nearly every comparison without touching the DER.
    prefix: u64,
    date: i64,
    offset: u32,
    len: u16,
    issuer: u16,
    reason: RevocationReason,
}

/// What a list says about one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When it was revoked.
    pub at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

/// Why bytes are not an acceptable CRL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// The encoding is not DER, or not that of a CRL.
    #[error("it is not a well-formed CRL: {0}")]
    Malformed(#[from] DerError),
    /// More octets than are accepted.
    #[error("it has {len} octets, and {max} are accepted")]
    TooLarge {
        /// Octets of the value.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The algorithm inside the signed part is not the one outside (RFC 5280 §5.1.1.2).
    #[error("it names two different signature algorithms")]
    AlgorithmMismatch,
    /// Another version than 1 or 2, or extensions in version 1.
    #[error("its version does not fit its content")]
    Version,
}

impl CrlError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "crl-malformed"
    }
}

/// Why a certificate was revoked (RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum RevocationReason {
    #[default]
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    RemoveFromCrl,
    PrivilegeWithdrawn,
    AaCompromise,
}

impl RevocationReason {
    /// From the CRLReason number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            8 => Self::RemoveFromCrl,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return None,
        })
    }

    /// The CRLReason number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        })
    }
}

impl Crl {
    /// Reads and indexes one DER CRL.
    ///
    /// # Errors
    /// When the bytes are not one.
    pub fn from_der(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > MAX_LEN {
            return Err(CrlError::TooLarge {
                len: der.len(),
                max: MAX_LEN,
            });
        }
        let mut outer = Reader::new(der, "CertificateList");
        let mut list = outer.sequence("CertificateList")?;
        outer.finish()?;
        let tbs = list.expect(SEQUENCE)?;
        let algorithm = list.expect(SEQUENCE)?;
        let signature = list.signature()?;
        list.finish()?;

        let mut fields = Reader::new(tbs.value, "TBSCertList");
        let version_2 = match fields.optional(INTEGER)? {
            None => false,
            Some(tlv) => match tlv.value {
                [1] => true,
                _ => return Err(CrlError::Version),
            },
        };
        if fields.expect(SEQUENCE)?.raw != algorithm.raw {
            return Err(CrlError::AlgorithmMismatch);
        }
        let issuer = Name::from_der(fields.expect(SEQUENCE)?.raw)?;
        let this_update = fields.time()?;
        let next_update = if matches!(fields.peek(), Some(UTC_TIME | GENERALIZED_TIME)) {
            Some(fields.time()?)
        } else {
            None
        };
        let revoked = fields.optional(SEQUENCE)?;
        let mut extensions = CrlExtensions::default();
        if let Some(tlv) = fields.optional(context_constructed(0))? {
            if !version_2 {
                return Err(CrlError::Version);
            }
            let mut inside = Reader::new(tlv.value, "crlExtensions");
            extensions.read(inside.sequence("crlExtensions")?)?;
            inside.finish()?;
        }
        fields.finish()?;

        let mut crl = Self {
            tbs: within(der, tbs.raw),
            signature: within(der, signature),
            scheme: Scheme::from_algorithm_identifier(algorithm.raw),
            issuer,
            this_update,
            next_update,
            entries: Vec::new(),
            issuers: Vec::new(),
            extensions,
            verified: VerifiedBy::default(),
            der: der.into(),
        };
        if let Some(tlv) = revoked {
            crl.index(der, tlv.value)?;
        }
        Ok(crl)
    }

    /// `revokedCertificates`, sorted for the binary search.
    fn index(&mut self, der: &[u8], revoked: &[u8]) -> Result<(), CrlError> {
        let mut reader = Reader::new(revoked, "revokedCertificates");
        self.entries.reserve(revoked.len() / 36);
        let mut issuer = 0;
        let mut known = BTreeMap::new();
        while !reader.is_empty() {
            let mut fields = reader.sequence("a CRL entry")?;
            let serial = check_integer(fields.expect(INTEGER)?.value, "a serial number")?;
            let date = fields.time()?.0;
            let mut reason = RevocationReason::Unspecified;
            if !fields.is_empty() {
                let mut extensions = fields.sequence("crlEntryExtensions")?;
                while !extensions.is_empty() {
                    let Extension {
                        id,
                        critical,
                        value,
                    } = Extension::read(&mut extensions)?;
                    let mut inside = Reader::new(value, "a CRL entry extension");
                    match id {
                        [0x55, 0x1d, 21] => {
                            let number = inside.expect(ENUMERATED)?.value;
                            let bad = DerError::Value("the reason code");
                            let [number] = number else {
                                return Err(bad.into());
                            };
                            reason = RevocationReason::from_number(*number).ok_or(bad)?;
                        }
                        // certificateIssuer: this entry and those after it, until the next (§5.3.3).
                        [0x55, 0x1d, 29] => {
                            let names =
                                GeneralName::read_all(inside.sequence("certificateIssuer")?)?;
                            let name = names.into_iter().find_map(|name| match name {
                                GeneralName::Directory(name) => Some(name),
                                _ => None,
                            });
                            let name = name.ok_or(DerError::Value("certificateIssuer"))?;
                            issuer = self.issuer_position(&mut known, name)?;
                        }
                        // invalidityDate tells when the key was lost; holdInstruction is no more.
                        [0x55, 0x1d, 23 | 24] => {}
                        other if critical && self.extensions.unknown_critical.is_none() => {
                            self.extensions.unknown_critical =
                                Some(crate::asn1::oid(other, "an extension's type")?);
                        }
                        _ => {}
                    }
                }
                fields.finish()?;
            }
            let at = within(der, serial);
            self.entries.push(Entry {
                prefix: prefix(serial),
                date,
                offset: u32::try_from(at.start)
                    .map_err(|_| DerError::TooMany("revokedCertificates"))?,
                len: u16::try_from(serial.len()).map_err(|_| DerError::Value("a serial number"))?,
                issuer,
                reason,
            });
        }
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            a.prefix
                .cmp(&b.prefix)
                .then_with(|| self.serial(a).cmp(self.serial(b)))
        });
        self.entries = entries;
        Ok(())
    }

    fn issuer_position(
        &mut self,
        known: &mut BTreeMap<Box<[u8]>, u16>,
        name: Name,
    ) -> Result<u16, CrlError> {
        if let Some(at) = known.get(name.canonical()) {
            return Ok(*at);
        }
        if self.issuers.len() == MAX_ISSUERS {
            return Err(DerError::TooMany("certificateIssuer").into());
        }
        let at = u16::try_from(self.issuers.len() + 1).unwrap_or(u16::MAX);
        known.insert(name.canonical().into(), at);
        self.issuers.push(name);
        Ok(at)
    }

    /// The DER it was read from.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// When it was issued.
    #[must_use]
    pub fn this_update(&self) -> UnixTime {
        self.this_update
    }

    /// When the next is due at the latest.
    #[must_use]
    pub fn next_update(&self) -> Option<UnixTime> {
        self.next_update
    }

    /// The CRL number, big-endian (§5.2.3).
    #[must_use]
    pub fn number(&self) -> Option<&[u8]> {
        self.extensions.number.as_deref()
    }

    /// For a delta CRL, the number of the CRL it starts from (§5.2.4).
    #[must_use]
    pub fn delta_base(&self) -> Option<&[u8]> {
        self.extensions.delta_base.as_deref()
    }

    /// The algorithm it is signed with.
    ///
    /// # Errors
    /// When the algorithm is refused.
    pub fn signature_scheme(&self) -> Result<Scheme, &AlgorithmError> {
        self.scheme.as_ref().copied()
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether its own issuer revoked this serial number.
    #[must_use]
    pub fn contains(&self, serial: &[u8]) -> bool {
        self.find(serial, &self.issuer)
            .is_some_and(|found| found.reason != RevocationReason::RemoveFromCrl)
    }

    /// What it says about this serial number of this certificate issuer.
    #[must_use]
    pub fn find(&self, serial: &[u8], certificate_issuer: &Name) -> Option<Revoked> {
        let wanted = prefix(serial);
        let order = |entry: &Entry| {
            entry
                .prefix
                .cmp(&wanted)
                .then_with(|| self.serial(entry).cmp(serial))
        };
        let first = self.entries.partition_point(|entry| order(entry).is_lt());
        let same = self
            .entries
            .get(first..)?
            .iter()
            .take_while(|entry| order(entry).is_eq());
        let mut issued = same.filter(|entry| self.entry_issuer(entry) == certificate_issuer);
        issued.next().map(|entry| Revoked {
            at: UnixTime(entry.date),
            reason: entry.reason,
        })
    }

    /// Every entry: serial number, and what it says. In order of the serial numbers' octets.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], Revoked)> {
        self.entries.iter().map(|entry| {
            (
                self.serial(entry),
                Revoked {
                    at: UnixTime(entry.date),
                    reason: entry.reason,
                },
            )
        })
    }

    /// Whether this key signed it; worked out once per key.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.known_signed_by(key).unwrap_or_else(|| {
            let good = self.scheme.as_ref().is_ok_and(|scheme| {
                let slice = |range: &Range<usize>| self.der.get(range.clone()).unwrap_or_default();
                key.verify(*scheme, slice(&self.tbs), slice(&self.signature))
                    .is_ok()
            });
            self.verified.remember(key, good);
            good
        })
    }

    pub(crate) fn known_signed_by(&self, key: &PublicKey) -> Option<bool> {
        self.verified.get(key)
    }

    pub(crate) fn authority_key_id(&self) -> Option<&[u8]> {
        self.extensions.authority_key_id.as_deref()
    }

    pub(crate) fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        self.extensions.unknown_critical
    }

    pub(crate) fn scope(&self) -> Option<&IssuingDistributionPoint> {
        self.extensions.scope.as_ref().map(|(scope, _)| scope)
    }

    /// Whether two lists speak for the same certificates (§5.2.4: a delta has the scope of its base).
    pub(crate) fn same_scope(&self, other: &Self) -> bool {
        let raw = |crl: &Self| crl.extensions.scope.as_ref().map(|(_, raw)| raw.clone());
        self.issuer == other.issuer && raw(self) == raw(other)
    }

    fn entry_issuer(&self, entry: &Entry) -> &Name {
        match entry.issuer {
            0 => &self.issuer,
            at => self
                .issuers
                .get(usize::from(at) - 1)
                .unwrap_or(&self.issuer),
        }
    }

    fn serial(&self, entry: &Entry) -> &[u8] {
        let start = entry.offset as usize;
        self.der
            .get(start..start + usize::from(entry.len))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Crl({}, {} entries, {})",
            self.issuer,
            self.entries.len(),
            self.this_update
        )
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Crl {}

impl CrlExtensions {
    fn read(&mut self, mut list: Reader<'_>) -> Result<(), DerError> {
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let Extension {
                id,
                critical,
                value,
            } = Extension::read(&mut list)?;
            if seen.contains(&id) {
                return Err(DerError::Value("crlExtensions"));
            }
            if seen.len() == MAX_EXTENSIONS {
                return Err(DerError::TooMany("crlExtensions"));
            }
            seen.push(id);
            let mut inside = Reader::new(value, "a CRL extension");
            match id {
                [0x55, 0x1d, 20] => self.number = Some(crl_number(inside.integer()?)?),
                [0x55, 0x1d, 27] => self.delta_base = Some(crl_number(inside.integer()?)?),
                [0x55, 0x1d, 28] => {
                    let scope = IssuingDistributionPoint::read(
                        inside.sequence("issuingDistributionPoint")?,
                    )?;
                    self.scope = Some((scope, value.to_vec()));
                }
                [0x55, 0x1d, 35] => {
                    let mut identifier = inside.sequence("authorityKeyIdentifier")?;
                    self.authority_key_id = identifier
                        .optional(context(0))?
                        .map(|tlv| tlv.value.to_vec());
                    continue;
                }
                other => {
                    if critical && self.unknown_critical.is_none() {
                        self.unknown_critical =
                            Some(crate::asn1::oid(other, "an extension's type")?);
                    }
                    continue;
                }
            }
            inside.finish()?;
        }
        Ok(())
    }
}

/// One extension: type, critical, value.
pub(crate) struct Extension<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub(crate) fn read(list: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut fields = list.sequence("Extension")?;
        let id = fields.expect(OID)?.value;
        let critical = fields.default_false()?;
        let value = fields.expect(OCTET_STRING)?.value;
        fields.finish()?;
        Ok(Self {
            id,
            critical,
            value,
        })
    }
}

/// Which keys were found to have made a signature, and which not. Signed bytes and keys do not change, so
/// the answer is worked out once; only a few are kept, since only issuers are ever asked about.
#[derive(Debug, Default)]
pub(crate) struct VerifiedBy(Mutex<Vec<([u8; 32], bool)>>);

impl VerifiedBy {
    pub(crate) fn get(&self, key: &PublicKey) -> Option<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .find(|(digest, _)| digest == key.sha256())
            .map(|(_, good)| *good)
    }

    pub(crate) fn remember(&self, key: &PublicKey, good: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The good one is never pushed out by bad ones.
        if known.len() < MAX_REMEMBERED {
            known.push((*key.sha256(), good));
        } else if good && let Some(last) = known.last_mut() {
            *last = (*key.sha256(), good);
        }
    }
}

/// Up to 20 octets, not negative (§5.2.3), without leading zeros, so that order is length, then octets.
fn crl_number(value: &[u8]) -> Result<Vec<u8>, DerError> {
    let value = check_integer(value, "the CRL number")?;
    if value.first().is_some_and(|byte| byte & 0x80 != 0) || value.len() > 21 {
        return Err(DerError::Value("the CRL number"));
    }
    Ok(value.strip_prefix(&[0]).unwrap_or(value).to_vec())
}

/// Whether one CRL number is at most another.
pub(crate) fn number_at_most(a: &[u8], b: &[u8]) -> bool {
    (a.len(), a) <= (b.len(), b)
}

fn prefix(serial: &[u8]) -> u64 {
    let mut octets = [0; 8];
    for (place, octet) in octets.iter_mut().zip(serial) {
        *place = *octet;
    }
    u64::from_be_bytes(octets)
}

/// Some 1.7 million entries.
const MAX_LEN: usize = 64 * 1024 * 1024;
/// Certificate issuers that one indirect CRL may speak for.
const MAX_ISSUERS: usize = 1024;
/// More than any CRL has.
const MAX_EXTENSIONS: usize = 64;
/// Keys about which one signature remembers its answer.
const MAX_REMEMBERED: usize = 8;
