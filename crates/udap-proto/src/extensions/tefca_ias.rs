//! `tefca_ias`: a person asks for their own records, or for somebody's in their care (TEFCA Facilitated
//! FHIR SOP, Individual Access Services).

use super::ExtensionError;
use serde_json::{Map, Value};

/// Its key in `extensions`.
pub const KEY: &str = "tefca_ias";

/// The relationship of a person to themselves, in HL7's RoleCode.
const ONESELF: &str = "ONESELF";

/// Whoever asks for somebody else names the policies by which they may.
pub(super) fn check(
    sent: &Map<String, Value>,
    accepted: &Map<String, Value>,
) -> Result<(), ExtensionError> {
    let (Some(object), Some(accepted)) = (sent.get(KEY), accepted.get(KEY)) else {
        return Ok(());
    };
    if is_oneself(object.get("user_information")) || accepted.get("consent_policy").is_some() {
        return Ok(());
    }
    Err(ExtensionError::MemberMissing {
        name: KEY.to_owned(),
        member: "consent_policy".to_owned(),
    })
}

/// Whether the object and the proof are about one person, as far as the birthdays tell: a person who asks
/// for their own records is the one whom the provider knows. A birthday that either leaves out tells
/// nothing, and then they are not.
#[must_use]
pub fn is_one_person(object: &Value, proved: &Map<String, Value>) -> bool {
    if !is_oneself(object.get("user_information")) {
        return true;
    }
    let patient = object.get("patient_information");
    let born = patient.and_then(|p| p.get("birthDate")?.as_str());
    born.is_some() && proved.get("birthdate").and_then(Value::as_str) == born
}

/// Whether the user is the patient: `relationship` of the RelatedPerson says so.
#[must_use]
pub fn is_oneself(user: Option<&Value>) -> bool {
    let relationships = user
        .and_then(|user| user.get("relationship"))
        .and_then(Value::as_array);
    let codings = relationships
        .into_iter()
        .flatten()
        .filter_map(|r| r.get("coding")?.as_array());
    codings
        .flatten()
        .any(|coding| coding.get("code").and_then(Value::as_str) == Some(ONESELF))
}
