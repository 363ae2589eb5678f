//! `hl7-b2b`: which organization asks, on behalf of whom, and for what purpose (HL7 SSRAA §5.2.1.1).

use super::ExtensionError;
use serde_json::{Map, Value};

/// Its key in `extensions`.
pub const KEY: &str = "hl7-b2b";

/// The object, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hl7B2b {
    /// Name of the person or software on whose behalf the request is made.
    pub subject_name: Option<String>,
    /// Identifier of that person, `system#value`; absent for software.
    pub subject_id: Option<String>,
    /// Role of that person, `system#code`.
    pub subject_role: Option<String>,
    /// Name of the organization that asks.
    pub organization_name: Option<String>,
    /// Identifier of the organization that asks, a URI.
    pub organization_id: String,
    /// Purposes, `system#code`, at least one.
    pub purpose_of_use: Vec<String>,
    /// Consent policies asserted, URIs.
    pub consent_policy: Vec<String>,
    /// Where consent can be read, absolute URLs.
    pub consent_reference: Vec<String>,
}

impl Hl7B2b {
    /// Reads and checks the object. Members it does not know are ignored.
    ///
    /// # Errors
    /// [`ExtensionError`], naming the member and what it should be.
    pub fn read(value: &Value) -> Result<Self, ExtensionError> {
        let Value::Object(map) = value else {
            return Err(wrong("(the object itself)", "a JSON object"));
        };
        match map.get("version") {
            None => {
                return Err(ExtensionError::MemberMissing {
                    name: KEY,
                    member: "version",
                });
            }
            Some(Value::String(v)) if v == "1" => {}
            Some(_) => return Err(wrong("version", "the string \"1\"")),
        }
        let object = Self {
            subject_name: text(map, "subject_name")?,
            subject_id: text(map, "subject_id")?,
            subject_role: text(map, "subject_role")?,
            organization_name: text(map, "organization_name")?,
            organization_id: text(map, "organization_id")?.ok_or(
                ExtensionError::MemberMissing {
                    name: KEY,
                    member: "organization_id",
                },
            )?,
            purpose_of_use: texts(map, "purpose_of_use")?.ok_or(ExtensionError::MemberMissing {
                name: KEY,
                member: "purpose_of_use",
            })?,
            consent_policy: texts(map, "consent_policy")?.unwrap_or_default(),
            consent_reference: texts(map, "consent_reference")?.unwrap_or_default(),
        };
        if !is_absolute(&object.organization_id) {
            return Err(wrong("organization_id", "an absolute URI"));
        }
        if object.purpose_of_use.is_empty() {
            return Err(wrong("purpose_of_use", "an array of at least one code"));
        }
        if object.consent_policy.iter().any(|uri| !is_absolute(uri)) {
            return Err(wrong("consent_policy", "an array of absolute URIs"));
        }
        if object.consent_reference.iter().any(|uri| !is_absolute(uri)) {
            return Err(wrong("consent_reference", "an array of absolute URLs"));
        }
        if !object.consent_reference.is_empty() && object.consent_policy.is_empty() {
            return Err(wrong(
                "consent_reference",
                "absent, as it must be without `consent_policy`",
            ));
        }
        Ok(object)
    }

    /// The JSON form, without absent members.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("version".into(), "1".into());
        for (member, text) in [
            ("subject_name", self.subject_name.as_deref()),
            ("subject_id", self.subject_id.as_deref()),
            ("subject_role", self.subject_role.as_deref()),
            ("organization_name", self.organization_name.as_deref()),
            ("organization_id", Some(self.organization_id.as_str())),
        ] {
            if let Some(text) = text {
                map.insert(member.into(), text.into());
            }
        }
        map.insert("purpose_of_use".into(), self.purpose_of_use.clone().into());
        for (member, list) in [
            ("consent_policy", &self.consent_policy),
            ("consent_reference", &self.consent_reference),
        ] {
            if !list.is_empty() {
                map.insert(member.into(), list.clone().into());
            }
        }
        Value::Object(map)
    }
}

const fn wrong(member: &'static str, expected: &'static str) -> ExtensionError {
    ExtensionError::Member {
        name: KEY,
        member,
        expected,
    }
}

fn text(map: &Map<String, Value>, member: &'static str) -> Result<Option<String>, ExtensionError> {
    match map.get(member) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(wrong(member, "a non-empty string")),
    }
}

fn texts(
    map: &Map<String, Value>,
    member: &'static str,
) -> Result<Option<Vec<String>>, ExtensionError> {
    let expected = "an array of non-empty strings";
    match map.get(member) {
        None => Ok(None),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| match item {
                Value::String(text) if !text.is_empty() => Ok(text.clone()),
                _ => Err(wrong(member, expected)),
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some),
        Some(_) => Err(wrong(member, expected)),
    }
}

fn is_absolute(uri: &str) -> bool {
    url::Url::parse(uri).is_ok()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use crate::error::Refusal as _;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "version": "1",
            "subject_name": "Dr. Ada Example",
            "subject_id": "urn:oid:2.16.840.1.113883.4.6#1234567893",
            "organization_id": "https://clinic.example/Organization/1",
            "organization_name": "Example Clinic",
            "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
        })
    }

    #[test]
    fn it_goes_around() {
        let object = Hl7B2b::read(&good()).unwrap();
        assert_eq!(Hl7B2b::read(&object.to_json()).unwrap(), object);
    }

    #[test]
    fn each_rule_refuses() {
        let refused = |member: &str, value: Value| {
            let mut object = good();
            if value.is_null() {
                object.as_object_mut().unwrap().remove(member);
            } else {
                object[member] = value;
            }
            Hl7B2b::read(&object).unwrap_err().code()
        };
        for member in ["version", "organization_id", "purpose_of_use"] {
            assert_eq!(
                refused(member, Value::Null),
                "extension-member-missing",
                "{member}"
            );
        }
        for (member, value) in [
            ("version", json!(1)),
            ("version", json!("2")),
            ("subject_name", json!("")),
            ("organization_id", json!("Organization/1")),
            ("purpose_of_use", json!([])),
            ("purpose_of_use", json!("TREAT")),
            ("purpose_of_use", json!([1])),
            ("consent_policy", json!(["no uri"])),
            (
                "consent_reference",
                json!(["https://consent.example/Consent/1"]),
            ),
        ] {
            assert_eq!(
                refused(member, value.clone()),
                "extension-member-malformed",
                "{member} {value}"
            );
        }
        assert_eq!(
            Hl7B2b::read(&json!([])).unwrap_err().code(),
            "extension-member-malformed"
        );
    }
}
