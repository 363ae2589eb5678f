//! `revoked`: a revoked certificate neither registers nor gets a token. The app is registered by the
//! certificate that replaced it, so that it is the certificate which is refused and not the app.

use serde_json::json;

use super::{
    Failure, Told, World, refusal,
    step::must_refuse,
    told,
    world::{app_metadata, new_token},
};
use crate::dev::{
    layout::{Community, Layout},
    setup::REPLACEMENT,
};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let uri = Layout::app_uri("revoked");
    let server = world.server()?;
    let revoked = world.client("revoked", &uri, Community::One)?;
    let registered = revoked.register(server, &app_metadata("Revoked app")).await;
    must_refuse(
        "the revoked app's registration",
        registered,
        UNAPPROVED,
        REVOKED,
    )?;

    let replacement = world.client(REPLACEMENT, &uri, Community::One)?;
    let registered = replacement
        .register(server, &app_metadata("Revoked app"))
        .await?;
    new_token(&replacement, server, &registered.client_id).await?;
    let token = new_token(&revoked, server, &registered.client_id).await;
    must_refuse(
        "the revoked app's token request",
        token,
        INVALID_CLIENT,
        REVOKED,
    )?;
    replacement.cancel(server).await?;
    told(
        format!("refused at registration and for a token: {REVOKED}"),
        json!({
            "registration": refusal(UNAPPROVED, REVOKED),
            "token": refusal(INVALID_CLIENT, REVOKED),
        }),
    )
}

const REVOKED: &str = "certificate-revoked";
const UNAPPROVED: &str = "unapproved_software_statement";
const INVALID_CLIENT: &str = "invalid_client";
