//! The certificate extensions of RFC 5280 §4.2 and its successors, each read once.

use crate::asn1::{
    BIT_STRING, DerError, OCTET_STRING, OID, Reader, boolean, context, context_constructed,
    named_bits, unsigned,
};
use crate::constraints::NameConstraints;
use crate::general_name::GeneralName;
use const_oid::ObjectIdentifier;

/// Everything the extensions of a certificate say.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) extended_key_usage: Option<Vec<ObjectIdentifier>>,
    pub(crate) alternative_names: Vec<GeneralName>,
    pub(crate) name_constraints: Option<NameConstraints>,
    pub(crate) policies: Option<Vec<ObjectIdentifier>>,
    pub(crate) policy_mappings: Vec<(ObjectIdentifier, ObjectIdentifier)>,
    pub(crate) require_explicit_policy: Option<u32>,
    pub(crate) inhibit_policy_mapping: Option<u32>,
    pub(crate) inhibit_any_policy: Option<u32>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) distribution_points: Vec<DistributionPoint>,
    pub(crate) freshest_crl: Vec<DistributionPoint>,
    pub(crate) ca_issuer_urls: Vec<String>,
    pub(crate) ocsp_urls: Vec<String>,
    /// RFC 6960 §4.2.2.2.1: this responder's certificate need not be checked for revocation.
    pub(crate) ocsp_no_check: bool,
    /// RFC 9608: no revocation information exists for this certificate.
    pub(crate) no_revocation_available: bool,
    pub(crate) unknown_critical: Vec<ObjectIdentifier>,
    /// Every extension in order: its type and whether it is critical.
    pub(crate) seen: Vec<(ObjectIdentifier, bool)>,
}

/// RFC 5280 §4.2.1.9.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    pub(crate) path_len: Option<u32>,
}

/// The bits of the key usage extension (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// digitalSignature.
    #[must_use]
    pub const fn digital_signature(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// keyCertSign.
    #[must_use]
    pub const fn key_cert_sign(self) -> bool {
        self.0 & 0x0400 != 0
    }

    /// cRLSign.
    #[must_use]
    pub const fn crl_sign(self) -> bool {
        self.0 & 0x0200 != 0
    }

    /// keyEncipherment.
    #[must_use]
    pub const fn key_encipherment(self) -> bool {
        self.0 & 0x2000 != 0
    }

    /// keyAgreement.
    #[must_use]
    pub const fn key_agreement(self) -> bool {
        self.0 & 0x0800 != 0
    }

    /// The names of the bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [&str; 9] = [
            "digitalSignature",
            "nonRepudiation",
            "keyEncipherment",
            "dataEncipherment",
            "keyAgreement",
            "keyCertSign",
            "cRLSign",
            "encipherOnly",
            "decipherOnly",
        ];
        NAMES
            .into_iter()
            .enumerate()
            .filter(move |(at, _)| self.0 & (0x8000 >> at) != 0)
            .map(|(_, name)| name)
    }
}

/// RFC 5280 §4.2.1.13.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DistributionPoint {
    pub(crate) name: Option<PointName>,
    /// Reason flags, bit 0 in the highest place; none means all.
    pub(crate) reasons: Option<u16>,
    pub(crate) crl_issuer: Vec<GeneralName>,
}

/// `DistributionPointName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PointName {
    Full(Vec<GeneralName>),
    /// The content of the RDN's SET.
    Relative(Vec<u8>),
}

impl DistributionPoint {
    /// Where it can be fetched from.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        let names = match &self.name {
            Some(PointName::Full(names)) => names.as_slice(),
            _ => &[],
        };
        names.iter().filter_map(|name| match name {
            GeneralName::Uri(url) if fetchable(url) => Some(url.as_str()),
            _ => None,
        })
    }
}

impl PointName {
    pub(crate) fn read(mut reader: Reader<'_>) -> Result<Self, DerError> {
        let tlv = reader.any()?;
        reader.finish()?;
        if tlv.tag == context_constructed(0) {
            Ok(Self::Full(GeneralName::read_all(Reader::new(
                tlv.value,
                "DistributionPointName",
            ))?))
        } else if tlv.tag == context_constructed(1) {
            Ok(Self::Relative(tlv.value.to_vec()))
        } else {
            Err(DerError::Tag {
                what: "DistributionPointName",
                found: tlv.tag,
            })
        }
    }
}

/// Only these are fetched.
pub(crate) fn fetchable(url: &str) -> bool {
    let scheme = |scheme: &str| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    scheme("http://") || scheme("https://")
}

impl Extensions {
    /// Reads `Extensions`; each type may occur once.
    pub(crate) fn read(mut reader: Reader<'_>) -> Result<Self, ExtensionsError> {
        let mut all = Self::default();
        if reader.is_empty() {
            return Err(DerError::Value("Extensions").into());
        }
        while !reader.is_empty() {
            let mut extension = reader.sequence("Extension")?;
            let id = extension.expect(OID)?.value;
            let critical = extension.default_false()?;
            let value = extension.expect(OCTET_STRING)?.value;
            extension.finish()?;
            let oid = crate::asn1::oid(id, "an extension's type")?;
            if all.seen.len() == MAX_EXTENSIONS {
                return Err(DerError::TooMany("Extensions").into());
            }
            if all.seen.iter().any(|(seen, _)| *seen == oid) {
                return Err(ExtensionsError::Duplicate(oid));
            }
            all.seen.push((oid, critical));
            if !all.read_one(id, value)? && critical {
                all.unknown_critical.push(oid);
            }
        }
        Ok(all)
    }

    /// Whether this type is understood, after reading it.
    fn read_one(&mut self, id: &[u8], value: &[u8]) -> Result<bool, DerError> {
        let mut reader = Reader::new(value, "an extension");
        match id {
            [0x55, 0x1d, 14] => {
                self.subject_key_id = Some(reader.expect(OCTET_STRING)?.value.to_vec())
            }
            [0x55, 0x1d, 15] => {
                self.key_usage = Some(KeyUsage(named_bits(
                    reader.expect(BIT_STRING)?.value,
                    "keyUsage",
                )?));
            }
            [0x55, 0x1d, 17] => {
                self.alternative_names = GeneralName::read_all(reader.sequence("subjectAltName")?)?;
            }
            [0x55, 0x1d, 19] => {
                let mut inside = reader.sequence("basicConstraints")?;
                let ca = inside.default_false()?;
                let path_len = if inside.is_empty() {
                    None
                } else {
                    Some(inside.unsigned()?)
                };
                inside.finish()?;
                // A path length without cA means nothing (§4.2.1.9), and some tools write one for every leaf.
                let path_len = path_len.filter(|_| ca);
                self.basic_constraints = Some(BasicConstraints { ca, path_len });
            }
            [0x55, 0x1d, 30] => {
                self.name_constraints =
                    Some(NameConstraints::read(reader.sequence("nameConstraints")?)?);
            }
            [0x55, 0x1d, 31] => {
                self.distribution_points =
                    distribution_points(reader.sequence("cRLDistributionPoints")?)?;
            }
            [0x55, 0x1d, 46] => {
                self.freshest_crl = distribution_points(reader.sequence("freshestCRL")?)?
            }
            [0x55, 0x1d, 32] => {
                self.policies = Some(policies(reader.sequence("certificatePolicies")?)?)
            }
            [0x55, 0x1d, 33] => {
                self.policy_mappings = mappings(reader.sequence("policyMappings")?)?
            }
            [0x55, 0x1d, 36] => {
                let mut inside = reader.sequence("policyConstraints")?;
                if inside.is_empty() {
                    return Err(DerError::Value("policyConstraints"));
                }
                let mut skip = |tag| {
                    inside
                        .optional(context(tag))?
                        .map(|tlv| unsigned(tlv.value, "policyConstraints"))
                        .transpose()
                };
                self.require_explicit_policy = skip(0)?;
                self.inhibit_policy_mapping = skip(1)?;
                inside.finish()?;
            }
            [0x55, 0x1d, 54] => self.inhibit_any_policy = Some(reader.unsigned()?),
            [0x55, 0x1d, 35] => {
                let mut inside = reader.sequence("authorityKeyIdentifier")?;
                self.authority_key_id = inside.optional(context(0))?.map(|tlv| tlv.value.to_vec());
                inside.optional(context_constructed(1))?;
                inside.optional(context(2))?;
                inside.finish()?;
            }
            [0x55, 0x1d, 37] => {
                let mut inside = reader.sequence("extKeyUsage")?;
                self.extended_key_usage = Some(oids(&mut inside, "extKeyUsage")?);
            }
            [0x55, 0x1d, 56] => {
                reader.expect(crate::asn1::NULL)?;
                self.no_revocation_available = true;
            }
            // id-pkix-ocsp-nocheck, 1.3.6.1.5.5.7.48.1.5
            [0x2b, 6, 1, 5, 5, 7, 48, 1, 5] => {
                reader.expect(crate::asn1::NULL)?;
                self.ocsp_no_check = true;
            }
            // id-pe-authorityInfoAccess, 1.3.6.1.5.5.7.1.1
            [0x2b, 6, 1, 5, 5, 7, 1, 1] => {
                self.read_authority_info_access(reader.sequence("authorityInfoAccess")?)?
            }
            _ => return Ok(false),
        }
        reader.finish()?;
        Ok(true)
    }

    /// RFC 5280 §4.2.2.1.
    fn read_authority_info_access(&mut self, mut descriptions: Reader<'_>) -> Result<(), DerError> {
        let mut count = 0;
        while !descriptions.is_empty() {
            count += 1;
            if count > MAX_LOCATIONS {
                return Err(DerError::TooMany("authorityInfoAccess"));
            }
            let mut description = descriptions.sequence("AccessDescription")?;
            let method = description.expect(OID)?.value;
            let location = GeneralName::read(&mut description)?;
            description.finish()?;
            if let GeneralName::Uri(url) = location
                && fetchable(&url)
            {
                match method {
                    [0x2b, 6, 1, 5, 5, 7, 48, 1] => self.ocsp_urls.push(url),
                    [0x2b, 6, 1, 5, 5, 7, 48, 2] => self.ca_issuer_urls.push(url),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Why extensions cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExtensionsError {
    Der(DerError),
    Duplicate(ObjectIdentifier),
}

impl From<DerError> for ExtensionsError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

pub(crate) fn distribution_points(
    mut points: Reader<'_>,
) -> Result<Vec<DistributionPoint>, DerError> {
    if points.is_empty() {
        return Err(DerError::Value("CRLDistributionPoints"));
    }
    let mut found = Vec::new();
    while !points.is_empty() {
        if found.len() == MAX_LOCATIONS {
            return Err(DerError::TooMany("CRLDistributionPoints"));
        }
        let mut point = points.sequence("DistributionPoint")?;
        let name = point.optional(context_constructed(0))?;
        let name = name
            .map(|tlv| PointName::read(Reader::new(tlv.value, "DistributionPointName")))
            .transpose()?;
        let reasons = point
            .optional(context(1))?
            .map(|tlv| named_bits(tlv.value, "ReasonFlags"))
            .transpose()?;
        let crl_issuer = match point.optional(context_constructed(2))? {
            Some(tlv) => GeneralName::read_all(Reader::new(tlv.value, "cRLIssuer"))?,
            None => Vec::new(),
        };
        point.finish()?;
        if name.is_none() && crl_issuer.is_empty() {
            return Err(DerError::Value("DistributionPoint"));
        }
        found.push(DistributionPoint {
            name,
            reasons,
            crl_issuer,
        });
    }
    Ok(found)
}

/// RFC 5280 §4.2.1.4; qualifiers are for people and are passed over.
fn policies(mut informations: Reader<'_>) -> Result<Vec<ObjectIdentifier>, DerError> {
    let mut found: Vec<ObjectIdentifier> = Vec::new();
    while !informations.is_empty() {
        let mut information = informations.sequence("PolicyInformation")?;
        let oid = information.oid()?;
        information.optional(crate::asn1::SEQUENCE)?;
        information.finish()?;
        if found.contains(&oid) {
            return Err(DerError::Value("certificatePolicies"));
        }
        if found.len() == MAX_POLICIES {
            return Err(DerError::TooMany("certificatePolicies"));
        }
        found.push(oid);
    }
    if found.is_empty() {
        Err(DerError::Value("certificatePolicies"))
    } else {
        Ok(found)
    }
}

/// RFC 5280 §4.2.1.5.
fn mappings(mut pairs: Reader<'_>) -> Result<Vec<(ObjectIdentifier, ObjectIdentifier)>, DerError> {
    let mut found = Vec::new();
    while !pairs.is_empty() {
        let mut pair = pairs.sequence("policyMappings")?;
        if found.len() == MAX_POLICIES {
            return Err(DerError::TooMany("policyMappings"));
        }
        found.push((pair.oid()?, pair.oid()?));
        pair.finish()?;
    }
    if found.is_empty() {
        Err(DerError::Value("policyMappings"))
    } else {
        Ok(found)
    }
}

fn oids(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<ObjectIdentifier>, DerError> {
    let mut found = Vec::new();
    while !reader.is_empty() {
        if found.len() == MAX_POLICIES {
            return Err(DerError::TooMany(what));
        }
        found.push(reader.oid()?);
    }
    if found.is_empty() {
        Err(DerError::Value(what))
    } else {
        Ok(found)
    }
}

/// `IssuingDistributionPoint` (RFC 5280 §5.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IssuingDistributionPoint {
    pub(crate) name: Option<PointName>,
    pub(crate) only_user: bool,
    pub(crate) only_ca: bool,
    pub(crate) reasons: Option<u16>,
    pub(crate) indirect: bool,
    pub(crate) only_attribute: bool,
}

impl IssuingDistributionPoint {
    pub(crate) fn read(mut reader: Reader<'_>) -> Result<Self, DerError> {
        let flag = |reader: &mut Reader<'_>, tag| {
            reader.optional(context(tag))?.map_or(Ok(false), |tlv| {
                boolean(tlv.value, "issuingDistributionPoint")
            })
        };
        let name = reader.optional(context_constructed(0))?;
        let name = name
            .map(|tlv| PointName::read(Reader::new(tlv.value, "DistributionPointName")))
            .transpose()?;
        let only_user = flag(&mut reader, 1)?;
        let only_ca = flag(&mut reader, 2)?;
        let reasons = reader
            .optional(context(3))?
            .map(|tlv| named_bits(tlv.value, "ReasonFlags"))
            .transpose()?;
        let indirect = flag(&mut reader, 4)?;
        let only_attribute = flag(&mut reader, 5)?;
        reader.finish()?;
        Ok(Self {
            name,
            only_user,
            only_ca,
            reasons,
            indirect,
            only_attribute,
        })
    }
}

/// More than any certificate has.
const MAX_EXTENSIONS: usize = 64;
/// URLs and distribution points that one extension may name.
const MAX_LOCATIONS: usize = 64;
/// Policies, mappings and purposes that one extension may name; the policy graph's width follows.
const MAX_POLICIES: usize = 128;
