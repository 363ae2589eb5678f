use const_oid::{ObjectIdentifier, db};
use der::{
    Encode, Sequence,
    asn1::{Ia5String, OctetString, OctetStringRef},
    flagset::FlagSet,
};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    crl::dp::DistributionPoint,
    name::{DistributionPointName, GeneralName},
};

use super::IssueError;

/// One extension: its identifier, whether it is critical, and the DER of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Which extension.
    pub oid: ObjectIdentifier,
    /// RFC 5280 §4.2: an unknown critical extension makes a certificate unusable.
    pub critical: bool,
    /// The DER inside the OCTET STRING.
    pub value: Vec<u8>,
}

impl From<&x509_cert::ext::Extension> for Extension {
    fn from(parsed: &x509_cert::ext::Extension) -> Self {
        Self {
            oid: parsed.extn_id,
            critical: parsed.critical,
            value: parsed.extn_value.as_bytes().to_vec(),
        }
    }
}

/// The DER of `Extensions`; `None` when there are none, as the list may not be empty.
pub(super) fn encode_all(extensions: &[Extension]) -> Result<Vec<Encoded<'_>>, IssueError> {
    extensions
        .iter()
        .map(|extension| {
            Ok(Encoded {
                oid: extension.oid,
                critical: extension.critical,
                value: OctetStringRef::new(&extension.value)
                    .map_err(IssueError::encoding("extension"))?,
            })
        })
        .collect()
}

#[derive(Sequence)]
pub(super) struct Encoded<'a> {
    oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

pub(super) fn extension(
    oid: ObjectIdentifier,
    critical: bool,
    what: &'static str,
    value: &impl Encode,
) -> Result<Extension, IssueError> {
    Ok(Extension {
        oid,
        critical,
        value: value.to_der().map_err(IssueError::encoding(what))?,
    })
}

/// RFC 5280 §4.2.1.9, critical in CA certificates.
pub(super) fn basic_constraints(ca: bool, path_len: Option<u8>) -> Result<Extension, IssueError> {
    let value = BasicConstraints {
        ca,
        path_len_constraint: path_len,
    };
    extension(
        db::rfc5280::ID_CE_BASIC_CONSTRAINTS,
        true,
        "basic constraints",
        &value,
    )
}

/// RFC 5280 §4.2.1.3, always critical here.
pub(super) fn key_usage(usages: impl Into<FlagSet<KeyUsages>>) -> Result<Extension, IssueError> {
    extension(
        db::rfc5280::ID_CE_KEY_USAGE,
        true,
        "key usage",
        &KeyUsage(usages.into()),
    )
}

/// RFC 5280 §4.2.1.12.
pub(super) fn extended_key_usage(purposes: Vec<ObjectIdentifier>) -> Result<Extension, IssueError> {
    extension(
        db::rfc5280::ID_CE_EXT_KEY_USAGE,
        false,
        "extended key usage",
        &ExtendedKeyUsage(purposes),
    )
}

/// RFC 5280 §4.2.1.2.
pub(super) fn subject_key_id(id: &[u8]) -> Result<Extension, IssueError> {
    let value = OctetStringRef::new(id).map_err(IssueError::encoding("subject key identifier"))?;
    extension(
        db::rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
        false,
        "subject key identifier",
        &value,
    )
}

/// RFC 5280 §4.2.1.1 (certificates) and §5.2.1 (CRLs).
pub(super) fn authority_key_id(id: &[u8]) -> Result<Extension, IssueError> {
    let what = "authority key identifier";
    let key_identifier = Some(OctetString::new(id).map_err(IssueError::encoding(what))?);
    let value = AuthorityKeyIdentifier {
        key_identifier,
        ..AuthorityKeyIdentifier::default()
    };
    extension(
        db::rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER,
        false,
        what,
        &value,
    )
}

/// RFC 5280 §4.2.1.6; not critical, as the subject is never empty here.
pub(super) fn subject_alt_name(names: &Vec<GeneralName>) -> Result<Extension, IssueError> {
    extension(
        db::rfc5280::ID_CE_SUBJECT_ALT_NAME,
        false,
        "subject alternative name",
        names,
    )
}

/// RFC 5280 §4.2.1.13: one distribution point that names every URL of the same complete CRL.
pub(super) fn crl_distribution_points(urls: &[String]) -> Result<Extension, IssueError> {
    let names = urls
        .iter()
        .map(|url| uri("URL", url))
        .collect::<Result<Vec<_>, _>>()?;
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(names)),
        reasons: None,
        crl_issuer: None,
    };
    let value = CrlDistributionPoints(vec![point]);
    extension(
        db::rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS,
        false,
        "CRL distribution points",
        &value,
    )
}

/// RFC 5280 §4.2.2.1: where the issuer's certificate is, and who answers OCSP.
pub(super) fn authority_info_access(
    ca_issuers: &[String],
    ocsp: &[String],
) -> Result<Extension, IssueError> {
    let ocsp = ocsp.iter().map(|url| (db::rfc5280::ID_AD_OCSP, url));
    let ca_issuers = ca_issuers
        .iter()
        .map(|url| (db::rfc5280::ID_AD_CA_ISSUERS, url));
    let descriptions = ocsp
        .chain(ca_issuers)
        .map(|(access_method, url)| {
            Ok(AccessDescription {
                access_method,
                access_location: uri("URL", url)?,
            })
        })
        .collect::<Result<Vec<_>, IssueError>>()?;
    let value = AuthorityInfoAccessSyntax(descriptions);
    extension(
        db::rfc5280::ID_PE_AUTHORITY_INFO_ACCESS,
        false,
        "authority information access",
        &value,
    )
}

/// RFC 6960 §4.2.2.2.1: the delegate's own certificate need not be checked for revocation.
pub(super) fn ocsp_nocheck() -> Extension {
    Extension {
        oid: db::rfc6960::ID_PKIX_OCSP_NOCHECK,
        critical: false,
        value: vec![0x05, 0x00],
    }
}

/// A URI as RFC 5280 §4.2.1.6 wants it: absolute, with a scheme, ASCII. It is kept byte for byte,
/// since UDAP compares it byte for byte.
pub(super) fn uri(kind: &'static str, value: &str) -> Result<GeneralName, IssueError> {
    let refuse = |problem| IssueError::Name {
        kind,
        value: value.to_owned(),
        problem,
    };
    let (scheme, rest) = value
        .split_once(':')
        .ok_or_else(|| refuse("it has no scheme"))?;
    let scheme_is_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !scheme_is_good {
        return Err(refuse("its scheme is malformed"));
    }
    if rest.is_empty() || rest.bytes().all(|b| b == b'/') {
        return Err(refuse("nothing follows the scheme"));
    }
    if !value.bytes().all(|b| b.is_ascii_graphic())
        || value.contains(['<', '>', '"', '\\', '^', '`', '{', '|', '}'])
    {
        return Err(refuse(
            "it contains a character that must be percent-encoded",
        ));
    }
    let text = Ia5String::new(value).map_err(|_| refuse("it is not ASCII"))?;
    Ok(GeneralName::UniformResourceIdentifier(text))
}

/// A DNS name as RFC 5280 §4.2.1.6 wants it: preferred name syntax, ASCII, a leading `*.` allowed.
pub(super) fn dns(value: &str) -> Result<GeneralName, IssueError> {
    let refuse = |problem| IssueError::Name {
        kind: "DNS name",
        value: value.to_owned(),
        problem,
    };
    let host = value.strip_prefix("*.").unwrap_or(value);
    if host.is_empty() || host.len() > 253 {
        return Err(refuse("it is empty or longer than 253 characters"));
    }
    let label_is_good = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !host.split('.').all(label_is_good) {
        return Err(refuse("a label is malformed"));
    }
    let text = Ia5String::new(value).map_err(|_| refuse("it is not ASCII"))?;
    Ok(GeneralName::DnsName(text))
}
