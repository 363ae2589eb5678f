//! `replay`: what was sent once is refused the second time, at both endpoints (HL7 SSRAA §1.2.2).

use serde_json::json;

use super::{
    Failure, Told, World, refusal,
    step::{must_be_ok, must_be_refused},
    told,
    world::{app_metadata, purpose, scopes},
};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let server = world.server()?;
    let token = world
        .app
        .plan_token(server, &world.client_id, &scopes(), &purpose())
        .await?;
    must_be_ok("an assertion", &world.app.send(&token).await?)?;
    let again = world.app.send(&token).await?;
    must_be_refused("the same assertion again", &again, INVALID_CLIENT, REPLAYED)?;

    let statement = world
        .app
        .plan_register(server, &app_metadata("Sandbox app"))
        .await?;
    must_be_ok("a software statement", &world.app.send(&statement).await?)?;
    let again = world.app.send(&statement).await?;
    must_be_refused(
        "the same software statement again",
        &again,
        INVALID_STATEMENT,
        REPLAYED,
    )?;
    told(
        format!("assertion and software statement: {REPLAYED}"),
        json!({
            "token": refusal(INVALID_CLIENT, REPLAYED),
            "registration": refusal(INVALID_STATEMENT, REPLAYED),
        }),
    )
}

const INVALID_CLIENT: &str = "invalid_client";
const INVALID_STATEMENT: &str = "invalid_software_statement";
const REPLAYED: &str = "jwt-replayed";
