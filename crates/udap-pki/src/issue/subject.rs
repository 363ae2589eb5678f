use const_oid::{
    ObjectIdentifier,
    db::rfc4519::{COMMON_NAME, COUNTRY_NAME, ORGANIZATION_NAME},
};
use der::{
    Encode as _,
    asn1::{Any, PrintableStringRef, SetOfVec, Utf8StringRef},
};
use x509_cert::attr::AttributeTypeAndValue;

use super::IssueError;

/// The subject of a certificate to be issued: country, organization, common name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `CN`, required, 64 characters at most.
    pub common_name: String,
    /// `O`, 64 characters at most.
    pub organization: Option<String>,
    /// `C`, two upper-case letters (ISO 3166).
    pub country: Option<String>,
}

impl Subject {
    /// A subject with nothing but a common name.
    #[must_use]
    pub fn named(common_name: impl Into<String>) -> Self {
        Self {
            common_name: common_name.into(),
            ..Self::default()
        }
    }

    /// The same with an organization.
    #[must_use]
    pub fn of_organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// The DER of the distinguished name: country first, then organization, then common name.
    ///
    /// # Errors
    /// [`IssueError::Subject`] when an attribute is empty, too long or of the wrong alphabet.
    pub fn to_der(&self) -> Result<Vec<u8>, IssueError> {
        let mut rdns: Vec<SetOfVec<AttributeTypeAndValue>> = Vec::with_capacity(3);
        if let Some(country) = &self.country {
            if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(IssueError::Subject {
                    attribute: "countryName",
                    problem: "is not two upper-case letters",
                });
            }
            let value = PrintableStringRef::new(country).and_then(|v| Any::encode_from(&v));
            rdns.push(rdn(COUNTRY_NAME, value)?);
        }
        if let Some(organization) = &self.organization {
            rdns.push(text(ORGANIZATION_NAME, "organizationName", organization)?);
        }
        rdns.push(text(COMMON_NAME, "commonName", &self.common_name)?);
        rdns.to_der().map_err(IssueError::encoding("subject"))
    }
}

/// A UTF8String attribute within its upper bound, RFC 5280 §4.1.2.4 and appendix A.1.
fn text(
    oid: ObjectIdentifier,
    attribute: &'static str,
    value: &str,
) -> Result<SetOfVec<AttributeTypeAndValue>, IssueError> {
    let problem = if value.trim().is_empty() {
        Some("is empty")
    } else if value.chars().count() > UPPER_BOUND {
        Some("is longer than 64 characters")
    } else if value.chars().any(char::is_control) {
        Some("contains a control character")
    } else {
        None
    };
    match problem {
        Some(problem) => Err(IssueError::Subject { attribute, problem }),
        None => rdn(
            oid,
            Utf8StringRef::new(value).and_then(|v| Any::encode_from(&v)),
        ),
    }
}

fn rdn(
    oid: ObjectIdentifier,
    value: der::Result<Any>,
) -> Result<SetOfVec<AttributeTypeAndValue>, IssueError> {
    let encoding = IssueError::encoding("subject");
    let attribute = AttributeTypeAndValue {
        oid,
        value: value.map_err(&encoding)?,
    };
    SetOfVec::try_from([attribute]).map_err(encoding)
}

/// `ub-common-name` and `ub-organization-name` of RFC 5280 appendix A.1.
const UPPER_BOUND: usize = 64;
