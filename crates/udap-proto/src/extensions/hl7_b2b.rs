//! `hl7-b2b`: which organization asks, on behalf of whom, and for what purpose (HL7 SSRAA §5.2.1.1).

use serde_json::{Map, Value};

/// Its key in `extensions`.
pub const KEY: &str = "hl7-b2b";

/// The object, as an app makes it.
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
