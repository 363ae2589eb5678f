//! `register`: the app registers itself, by its certificate and with what others say about it
//! (HL7 SSRAA §3; UDAP Certifications and Endorsements).

use serde_json::{Value, json};
use udap_proto::jws::Jws;

use super::{Failure, Told, World, told, world::app_metadata};
use crate::dev::{certifications::PROGRAMMES, setup::TOUR};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let sent = PROGRAMMES
        .iter()
        .map(|programme| read(&programme.file(world.layout, TOUR)))
        .collect::<Result<Vec<_>, _>>()?;
    let metadata = app_metadata("Sandbox app");
    let registered = world
        .app
        .register_certified(world.server()?, &metadata, &sent)
        .await?;
    let outcome = registered.outcome.as_str();
    let scope = registered.scope.as_ref().map(ToString::to_string);
    // What the data holder accepted, and nothing that it did not.
    let accepted = registered.answer.get("certifications");
    let accepted = accepted.and_then(Value::as_array).into_iter().flatten();
    let accepted: Vec<_> = accepted.filter_map(Value::as_str).collect();
    if accepted != sent {
        return Err(Failure::new(format!(
            "{} of {} certifications were accepted",
            accepted.len(),
            sent.len()
        )));
    }
    let certifications = accepted.iter().map(|compact| certification(compact));
    let certifications = certifications.collect::<Result<Vec<_>, _>>()?;
    world.client_id = registered.client_id;
    told(
        format!(
            "client id {}, {outcome}, with {} certifications",
            world.client_id,
            certifications.len()
        ),
        json!({
            "client_id": world.client_id,
            "outcome": outcome,
            "scope": scope,
            "certifications": certifications,
        }),
    )
}

fn read(file: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// What a certification says, for a program.
fn certification(compact: &str) -> Result<Value, Failure> {
    let jws = Jws::parse(compact).map_err(|error| Failure::new(error.to_string()))?;
    let claim = |name: &str| jws.payload().get(name).cloned().unwrap_or_default();
    Ok(json!({
        "name": claim("certification_name"),
        "programmes": claim("certification_uris"),
        "by": claim("iss"),
        "of": claim("sub"),
        "self_signed": claim("iss") == claim("sub"),
        "status_endpoint": claim("certification_status_endpoint"),
    }))
}
