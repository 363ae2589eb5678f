//! `leave`: the app cancels its registration; its token and its certificate open nothing any more
//! (HL7 SSRAA §3.4).

use serde_json::json;
use udap_client::{ClientError, Endpoint};

use super::{Failure, Told, World, refusal, step::must_refuse, told, world::new_token};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    // A token of this moment, which the gateway has seen and taken.
    let url = format!("{}/Patient?_count=1", world.layout.data_holder_url());
    world.token = Some(new_token(&world.app, world.server()?, &world.client_id).await?);
    world.read(&url).await?;

    let server = world.server()?;
    world.app.cancel(server).await?;
    match world.app.get(world.token()?, &url).await {
        Err(ClientError::Refused(refused))
            if refused.endpoint == Endpoint::Fhir
                && refused.status == 401
                && refused.udap_code.as_deref() == Some(CANCELLED) => {}
        Err(error) => {
            return Err(Failure::new(format!(
                "the token was to be refused with 401 [{CANCELLED}]: {error}"
            )));
        }
        Ok(_) => return Err(Failure::new("the token still works after the app has left")),
    }
    let token = new_token(&world.app, server, &world.client_id).await;
    must_refuse(
        "a token request after the end",
        token,
        INVALID_CLIENT,
        CANCELLED,
    )?;
    told(
        format!("cancelled; its token is refused at the gateway: {CANCELLED}"),
        json!({
            "gateway": { "status": 401, "code": CANCELLED },
            "token": refusal(INVALID_CLIENT, CANCELLED),
        }),
    )
}

const INVALID_CLIENT: &str = "invalid_client";
const CANCELLED: &str = "registration-cancelled";
