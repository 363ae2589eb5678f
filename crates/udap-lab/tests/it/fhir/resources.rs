//! The invented people: whole, consistent, and the same every time.

use std::collections::HashSet;

use serde_json::Value;
use udap_lab::fhir;

#[test]
fn there_is_what_the_sandbox_promises() {
    let count = |kind| {
        fhir::resources()
            .iter()
            .filter(|resource| resource["resourceType"] == kind)
            .count()
    };
    let counts = [
        "Patient",
        "Observation",
        "Condition",
        "Organization",
        "Practitioner",
    ]
    .map(count);
    assert_eq!(counts, [40, 240, 20, 2, 3]);
}

#[test]
fn ids_are_unique_and_well_formed() {
    let mut seen = HashSet::new();
    for resource in fhir::resources() {
        let id = resource["id"].as_str().unwrap();
        // https://hl7.org/fhir/R4/datatypes.html#id
        assert!(
            id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && (1..=64).contains(&id.len()),
            "{id}"
        );
        assert!(
            seen.insert((resource["resourceType"].as_str().unwrap(), id)),
            "{id} twice"
        );
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let known: HashSet<String> = fhir::resources()
        .iter()
        .map(|r| {
            format!(
                "{}/{}",
                r["resourceType"].as_str().unwrap(),
                r["id"].as_str().unwrap()
            )
        })
        .collect();
    let mut references = 0;
    for resource in fhir::resources() {
        visit(resource, &mut |name, value| {
            if name == "reference" {
                references += 1;
                assert!(known.contains(value.as_str().unwrap()), "{value}");
            }
            // FHIR's JSON has no empty lists, objects or strings, and no nulls here.
            let empty = match value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Object(object) => object.is_empty(),
                _ => false,
            };
            assert!(!empty, "{name}");
        });
    }
    assert!(references > 300);
}

#[test]
fn the_patient_of_the_benchmarks_is_two_kilobytes() {
    let patient = fhir::resources()
        .iter()
        .find(|r| r["id"] == fhir::BENCH_PATIENT && r["resourceType"] == "Patient");
    let length = patient.unwrap().to_string().len();
    assert!((1_950..=2_150).contains(&length), "{length} bytes");
}

#[test]
fn a_transaction_keeps_the_ids() {
    let bundle = fhir::transaction();
    assert_eq!(bundle["type"], "transaction");
    let entries = bundle["entry"].as_array().unwrap();
    assert_eq!(entries.len(), fhir::resources().len());
    for entry in entries {
        let (kind, id) = (
            entry["resource"]["resourceType"].as_str().unwrap(),
            entry["resource"]["id"].as_str().unwrap(),
        );
        assert_eq!(entry["request"]["method"], "PUT");
        assert_eq!(entry["request"]["url"], format!("{kind}/{id}"));
    }
}

fn visit(value: &Value, look: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                look(name, value);
                visit(value, look);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| visit(value, look)),
        _ => {}
    }
}
