//! `register`: the app registers itself, by its certificate alone (HL7 SSRAA §3).

use serde_json::json;

use super::{Failure, Told, World, told, world::app_metadata};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let registered = world
        .app
        .register(world.server()?, &app_metadata("Sandbox app"))
        .await?;
    let outcome = registered.outcome.as_str();
    let scope = registered.scope.as_ref().map(ToString::to_string);
    world.client_id = registered.client_id;
    told(
        format!("client id {}, {outcome}", world.client_id),
        json!({ "client_id": world.client_id, "outcome": outcome, "scope": scope }),
    )
}
