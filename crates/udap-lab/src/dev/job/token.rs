//! `token`: an authentication token signed by the app becomes an access token (HL7 SSRAA §5.2), once;
//! then it is taken from memory.

use serde_json::json;

use super::{
    Failure, Told, World, told,
    world::{new_token, purpose, scopes},
};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let server = world.server()?;
    let token = new_token(&world.app, server, &world.client_id).await?;
    let again = world
        .app
        .token(server, &world.client_id, &scopes(), &purpose())
        .await?;
    if again.secret() != token.secret() {
        return Err(Failure::new(
            "a token that had not ended was asked for again",
        ));
    }
    let seconds = token.expires().0 - udap_trust::clock::now().0;
    let scope = token.scope().to_string();
    world.token = Some(token);
    told(
        format!("{scope} for {} minutes", (seconds + 59) / 60),
        json!({ "scope": scope, "expires_in": seconds }),
    )
}
