//! `other-community`: an app of the second community with the same URI gets a registration of its own
//! and can do nothing to the first one (HL7 SSRAA §3.4).

use serde_json::json;

use super::{
    Failure, Told, World, refusal,
    step::must_refuse,
    told,
    world::{app_metadata, new_token, purpose, scopes},
};
use crate::dev::{
    layout::{Community, Layout},
    setup::{NAMESAKE, TOUR},
};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let base_url = world.layout.data_holder_url();
    let other = world.client(NAMESAKE, &Layout::app_uri(TOUR), Community::Two)?;
    let server = other.discover(&base_url, None).await?;
    let registered = other
        .register(&server, &app_metadata("Namesake in another community"))
        .await?;
    if registered.client_id == world.client_id {
        return Err(Failure::new("two communities share one registration"));
    }
    new_token(&other, &server, &registered.client_id).await?;

    // Its certificate is no key to the first one's registration.
    let taken = other
        .token(&server, &world.client_id, &scopes(), &purpose())
        .await;
    must_refuse(
        "the namesake's token request",
        taken,
        INVALID_CLIENT,
        NOT_TRUSTED,
    )?;

    // What it cancels is its own.
    other.cancel(&server).await?;
    new_token(&world.app, world.server()?, &world.client_id).await?;
    world.read(&format!("{base_url}/Patient?_count=1")).await?;
    told(
        format!(
            "a client id of its own, {}, and no more",
            registered.client_id
        ),
        json!({
            "client_id": registered.client_id,
            "first_client_id": world.client_id,
            "token_for_the_first": refusal(INVALID_CLIENT, NOT_TRUSTED),
        }),
    )
}

const INVALID_CLIENT: &str = "invalid_client";
const NOT_TRUSTED: &str = "chain-not-trusted";
