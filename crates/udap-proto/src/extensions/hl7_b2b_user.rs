//! `hl7-b2b-user`: the person on whose behalf software asks that has no user of its own on the wire
//! (HL7 Interoperable Digital Identity and Patient Matching).

use super::{ExtensionError, hl7_b2b};
use serde_json::{Map, Value};

/// Its key in `extensions`.
pub const KEY: &str = "hl7-b2b-user";

/// Where both are there, `hl7-b2b` governs and this one may only narrow its purposes.
pub(super) fn check(accepted: &Map<String, Value>) -> Result<(), ExtensionError> {
    let purposes = |key: &str| {
        let listed = accepted.get(key)?.get("purpose_of_use")?.as_array()?;
        Some(listed)
    };
    let (Some(own), Some(governing)) = (purposes(KEY), purposes(hl7_b2b::KEY)) else {
        return Ok(());
    };
    match own.iter().find(|purpose| !governing.contains(purpose)) {
        None => Ok(()),
        Some(_) => Err(ExtensionError::Member {
            name: KEY.to_owned(),
            member: "purpose_of_use".to_owned(),
            expected: "within the purposes of `hl7-b2b`".to_owned(),
        }),
    }
}
