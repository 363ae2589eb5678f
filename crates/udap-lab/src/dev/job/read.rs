//! `read`: a patient, through the gateway.

use serde_json::{Value, json};

use super::{Failure, Told, World, told};
use crate::{dev::actors::FhirServer, fhir::BENCH_PATIENT};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let base_url = world.layout.data_holder_url();
    let id = match world.fhir {
        FhirServer::BuiltIn => BENCH_PATIENT.to_owned(),
        // Whoever is there.
        FhirServer::Existing => first(&world.read(&format!("{base_url}/Patient?_count=1")).await?)?,
    };
    let url = format!("{base_url}/Patient/{id}");
    let patient = world.read(&url).await?;
    if patient["resourceType"] != "Patient" || patient["id"] != id.as_str() {
        return Err(Failure::new(format!("{url} is not that patient")));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = &patient["name"][0];
    let family = text(&name["family"]);
    let person = format!("{} {family}", text(&name["given"][0]));
    world.family = Some(family).filter(|family| !family.is_empty());
    told(
        format!("Patient/{id}: {}", person.trim()),
        json!({ "url": url, "id": id, "name": person.trim() }),
    )
}

fn first(bundle: &Value) -> Result<String, Failure> {
    let id = bundle["entry"][0]["resource"]["id"].as_str();
    id.map(str::to_owned)
        .ok_or_else(|| Failure::new("the FHIR server behind the gateway has no patient"))
}
