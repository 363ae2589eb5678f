//! The resources themselves, made from small tables; the same in every process, on every day.

mod clinical;
mod people;

use std::sync::LazyLock;

use serde_json::{Value, json};

/// The patient whose JSON is close to two kilobytes: what the benchmarks read.
pub const BENCH_PATIENT: &str = "amelia-shaw";

/// Every resource of the store: organizations, practitioners, patients, observations, conditions.
///
/// References between them are relative (`Patient/amelia-shaw`), and nothing refers to a resource that is not here.
pub fn resources() -> &'static [Value] {
    &RESOURCES
}

/// The same resources as a transaction Bundle that keeps their ids (`PUT Patient/amelia-shaw`), to load another FHIR
/// server with (<https://hl7.org/fhir/R4/http.html#transaction>).
pub fn transaction() -> Value {
    let entries: Vec<Value> = resources()
        .iter()
        .map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            let id = resource["id"].as_str().unwrap_or_default();
            json!({"resource": resource, "request": {"method": "PUT", "url": format!("{kind}/{id}")}})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

static RESOURCES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let patients = people::patients();
    let mut all = people::organizations();
    all.extend(people::practitioners());
    let clinical: Vec<Value> = patients
        .iter()
        .enumerate()
        .flat_map(|(position, patient)| clinical::observations(position, patient))
        .chain(
            patients
                .iter()
                .enumerate()
                .filter_map(|(position, patient)| clinical::condition(position, patient)),
        )
        .collect();
    all.extend(patients);
    all.extend(clinical);
    all
});

/// When everything was last changed; there are no writes, so it is one instant, in both spellings.
const LAST_UPDATED: &str = "2026-11-02T09:30:00Z";
pub(super) const LAST_MODIFIED: &str = "Mon, 02 Nov 2026 09:30:00 GMT";
/// When this set of people was made.
pub(super) const RELEASED: &str = "2026-11-02";
/// The version id of everything, as `ETag` spells it.
pub(super) const ETAG: &str = "W/\"1\"";

/// Where the invented identifiers come from; `example.org` belongs to nobody.
const IDENTIFIERS: &str = "https://fhir.example.org/identifiers";

fn meta() -> Value {
    json!({"versionId": "1", "lastUpdated": LAST_UPDATED})
}

/// Lower case, ASCII, at most 64 characters: an id that can be read aloud.
fn id_from(words: &[&str]) -> String {
    super::text::folded(&words.join("-"))
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
