//! `wrong-key`: only the key of `x5c[0]` signs, and only a certificate with the registered URI
//! (UDAP JWT-Based Client Authentication §4).

use serde_json::json;

use super::{
    Failure, Told, World, refusal,
    step::{must_be_ok, must_be_refused},
    told,
    world::ask_by_hand,
};
use crate::dev::{member, setup::TOUR};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let server = world.server()?;
    let app = |name: &str| {
        let (cert, key) = world.layout.app(name);
        Ok::<_, Failure>((member::read_chain(&cert)?, member::read_signer(&key)?))
    };
    let (good_chain, good_key) = app(TOUR)?;
    let (stranger_chain, stranger_key) = app("other-community")?;
    let (other_chain, other_key) = app("good-ec")?;

    // By hand as by the client, what is right is taken: the refusals below are not of the way it is sent.
    let right = ask_by_hand(&world.app, server, &world.client_id, &good_chain, &good_key).await?;
    must_be_ok("an honest assertion", &right)?;

    // The app's own certificate first, that of the key beside it.
    let mut x5c = good_chain;
    x5c.splice(1..1, stranger_chain.first().cloned());
    let answer = ask_by_hand(&world.app, server, &world.client_id, &x5c, &stranger_key).await?;
    must_be_refused(
        "an assertion signed by the key of x5c[1]",
        &answer,
        INVALID_REQUEST,
        SIGNATURE,
    )?;

    // A good certificate of the same community that belongs to somebody else.
    let answer = ask_by_hand(
        &world.app,
        server,
        &world.client_id,
        &other_chain,
        &other_key,
    )
    .await?;
    must_be_refused(
        "an assertion by another app's certificate",
        &answer,
        INVALID_CLIENT,
        OTHER_URI,
    )?;
    told(
        format!("key of x5c[1]: {SIGNATURE}; certificate of another app: {OTHER_URI}"),
        json!({
            "key_of_x5c_1": refusal(INVALID_REQUEST, SIGNATURE),
            "certificate_of_another_app": refusal(INVALID_CLIENT, OTHER_URI),
        }),
    )
}

const INVALID_REQUEST: &str = "invalid_request";
const INVALID_CLIENT: &str = "invalid_client";
const SIGNATURE: &str = "jwt-signature-invalid";
const OTHER_URI: &str = "san-uri-mismatch";
