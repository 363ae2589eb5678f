//! What is known about a patient: six observations each, and a condition for every other one.

use serde_json::{Map, Value, json};

use super::meta;

/// Three vital signs and three laboratory results; which ones, and their values, follow from the patient's place.
pub(super) fn observations(position: usize, patient: &Value) -> Vec<Value> {
    let vital_signs = (0..2)
        .map(|nth| (position + nth) % VITAL_SIGNS.len())
        .map(|row| (VITAL, &VITAL_SIGNS[row]));
    let laboratory = (0..3)
        .map(|nth| (position + nth) % LABORATORY.len())
        .map(|row| (LAB, &LABORATORY[row]));
    std::iter::once(blood_pressure(position, patient))
        .chain(vital_signs.chain(laboratory).map(|(category, measure)| {
            let mut observation = observation(
                position,
                patient,
                category,
                measure.slug,
                measure.code,
                measure.display,
            );
            observation.insert("valueQuantity".to_owned(), measure.quantity(position));
            Value::Object(observation)
        }))
        .collect()
}

/// Systolic and diastolic pressure, as components of one observation.
fn blood_pressure(position: usize, patient: &Value) -> Value {
    let mut panel = observation(
        position,
        patient,
        VITAL,
        "blood-pressure",
        "85354-9",
        "Blood pressure panel with all children optional",
    );
    let component = |measure: &Measure| json!({"code": loinc(measure.code, measure.display), "valueQuantity": measure.quantity(position)});
    panel.insert(
        "component".to_owned(),
        json!([component(&SYSTOLIC), component(&DIASTOLIC)]),
    );
    Value::Object(panel)
}

fn observation(
    position: usize,
    patient: &Value,
    (category, category_display): Category,
    slug: &str,
    code: &str,
    display: &str,
) -> Map<String, Value> {
    let id = patient["id"].as_str().unwrap_or_default();
    let taken = format!(
        "2026-{:02}-{:02}T{:02}:15:00Z",
        1 + position % 10,
        1 + position * 5 % 28,
        8 + position % 9
    );
    let mut fields = Map::new();
    fields.insert("resourceType".to_owned(), json!("Observation"));
    fields.insert("id".to_owned(), json!(format!("{id}-{slug}")));
    fields.insert("meta".to_owned(), meta());
    fields.insert("status".to_owned(), json!("final"));
    fields.insert(
        "category".to_owned(),
        json!([{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category, "display": category_display,
        }]}]),
    );
    fields.insert("code".to_owned(), loinc(code, display));
    fields.insert("subject".to_owned(), subject(patient));
    fields.insert("effectiveDateTime".to_owned(), json!(taken));
    fields.insert("issued".to_owned(), json!(taken));
    fields.insert(
        "performer".to_owned(),
        patient["generalPractitioner"].clone(),
    );
    fields
}

pub(super) fn condition(position: usize, patient: &Value) -> Option<Value> {
    if position % 2 == 1 {
        return None;
    }
    let (slug, code, display) = CONDITIONS[position / 2 % CONDITIONS.len()];
    let id = patient["id"].as_str()?;
    let status = if position % 6 == 4 {
        ("resolved", "Resolved")
    } else {
        ("active", "Active")
    };
    let mut condition = json!({
        "resourceType": "Condition",
        "id": format!("{id}-{slug}"),
        "meta": meta(),
        "clinicalStatus": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": status.0, "display": status.1,
        }]},
        "verificationStatus": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed", "display": "Confirmed",
        }]},
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-category",
            "code": "problem-list-item", "display": "Problem List Item",
        }]}],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code, "display": display}], "text": display},
        "subject": subject(patient),
        "onsetDateTime": format!("{}-{:02}", 2022 + position % 4, 1 + position % 12),
        "recordedDate": "2026-01-12",
    });
    // Only a condition that is over may say when it ended (invariant con-4).
    if status.0 == "resolved" {
        condition["abatementDateTime"] = json!("2026-01-10");
    }
    Some(condition)
}

fn subject(patient: &Value) -> Value {
    let id = patient["id"].as_str().unwrap_or_default();
    json!({"reference": format!("Patient/{id}"), "display": patient["name"][0]["text"]})
}

fn loinc(code: &str, display: &str) -> Value {
    json!({"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display})
}

/// A LOINC code and its UCUM unit; values are `low..=high` divided by ten to the `decimals`.
struct Measure {
    slug: &'static str,
    code: &'static str,
    display: &'static str,
    unit: &'static str,
    low: u32,
    high: u32,
    decimals: u32,
}

impl Measure {
    fn quantity(&self, position: usize) -> Value {
        // A small multiplicative hash: spread out, and the same every time.
        let spread = (position as u32 + 1)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(self.low * 97)
            >> 8;
        let raw = self.low + spread % (self.high - self.low + 1);
        let value = match self.decimals {
            0 => json!(raw),
            decimals => json!(f64::from(raw) / f64::from(10_u32.pow(decimals))),
        };
        json!({"value": value, "unit": self.unit, "system": "http://unitsofmeasure.org", "code": self.unit})
    }
}

const fn measure(
    slug: &'static str,
    code: &'static str,
    display: &'static str,
    unit: &'static str,
    (low, high, decimals): (u32, u32, u32),
) -> Measure {
    Measure {
        slug,
        code,
        display,
        unit,
        low,
        high,
        decimals,
    }
}

type Category = (&'static str, &'static str);
const VITAL: Category = ("vital-signs", "Vital Signs");
const LAB: Category = ("laboratory", "Laboratory");

const SYSTOLIC: Measure = measure(
    "systolic",
    "8480-6",
    "Systolic blood pressure",
    "mm[Hg]",
    (102, 148, 0),
);
const DIASTOLIC: Measure = measure(
    "diastolic",
    "8462-4",
    "Diastolic blood pressure",
    "mm[Hg]",
    (61, 94, 0),
);

const VITAL_SIGNS: [Measure; 4] = [
    measure("heart-rate", "8867-4", "Heart rate", "/min", (54, 98, 0)),
    measure(
        "body-temperature",
        "8310-5",
        "Body temperature",
        "Cel",
        (361, 379, 1),
    ),
    measure(
        "respiratory-rate",
        "9279-1",
        "Respiratory rate",
        "/min",
        (12, 20, 0),
    ),
    measure(
        "oxygen-saturation",
        "2708-6",
        "Oxygen saturation in Arterial blood",
        "%",
        (93, 99, 0),
    ),
];

const LABORATORY: [Measure; 5] = [
    measure(
        "hemoglobin",
        "718-7",
        "Hemoglobin [Mass/volume] in Blood",
        "g/dL",
        (118, 171, 1),
    ),
    measure(
        "glucose",
        "2345-7",
        "Glucose [Mass/volume] in Serum or Plasma",
        "mg/dL",
        (71, 142, 0),
    ),
    measure(
        "creatinine",
        "2160-0",
        "Creatinine [Mass/volume] in Serum or Plasma",
        "mg/dL",
        (58, 129, 2),
    ),
    measure(
        "cholesterol",
        "2093-3",
        "Cholesterol [Mass/volume] in Serum or Plasma",
        "mg/dL",
        (142, 251, 0),
    ),
    measure(
        "hemoglobin-a1c",
        "4548-4",
        "Hemoglobin A1c/Hemoglobin.total in Blood",
        "%",
        (48, 81, 1),
    ),
];

/// ICD-10-CM, which anybody may use.
const CONDITIONS: [(&str, &str, &str); 4] = [
    ("hypertension", "I10", "Essential (primary) hypertension"),
    ("asthma", "J45.909", "Unspecified asthma, uncomplicated"),
    (
        "diabetes",
        "E11.9",
        "Type 2 diabetes mellitus without complications",
    ),
    ("hyperlipidemia", "E78.5", "Hyperlipidemia, unspecified"),
];
