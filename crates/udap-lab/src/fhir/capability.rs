//! What this server can do, said by itself (<https://hl7.org/fhir/R4/capabilitystatement.html>).

use serde_json::{Value, json};

use super::data::RELEASED;
use super::parameter::Kind;

pub(super) fn statement(base: &str) -> Value {
    let resources: Vec<Value> = Kind::ALL.into_iter().map(resource).collect();
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": RELEASED,
        "kind": "instance",
        "software": {"name": "udap sandbox", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "A small read-only store of invented people", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "resource": resources}],
    })
}

fn resource(kind: Kind) -> Value {
    let parameters: Vec<Value> = kind
        .parameters()
        .iter()
        .map(|parameter| json!({"name": parameter.name, "type": parameter.compared.code()}))
        .collect();
    json!({
        "type": kind.name(),
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "conditionalRead": "not-match",
        "searchParam": parameters,
    })
}
