//! `phisher`: a data holder that looks right, with a TLS certificate that is right, and no
//! certificate of the community; and an app without one.

use serde_json::json;
use udap_client::ClientError;
use udap_proto::Refusal as _;

use super::{
    Failure, Told, World, refusal,
    step::{must_be_ok, must_refuse},
    told,
    world::app_metadata,
};
use crate::{
    dev::{
        layout::{Community, Layout},
        setup::OUTSIDER,
    },
    wire,
};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    // To the web it is an honest server, and its metadata are signed.
    let base_url = world.layout.phisher_url();
    let url = format!("{base_url}{}", udap_proto::metadata::PATH);
    let metadata = must_be_ok(&url, &wire::get(&url, None, &world.tls).await?)?;
    if !metadata["signed_metadata"].is_string() {
        return Err(Failure::new("the phisher signs no metadata"));
    }
    // To the community it is nobody.
    let code = match world.app.discover(&base_url, None).await {
        Err(ClientError::Untrusted { error, .. }) => error.code(),
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Failure::new("the client trusted the phisher")),
    };
    if code != NOT_TRUSTED {
        return Err(Failure::new(format!(
            "the phisher was refused as {code}, not as {NOT_TRUSTED}"
        )));
    }

    let outsider = world.client(OUTSIDER, &Layout::app_uri(OUTSIDER), Community::One)?;
    let registered = outsider
        .register(world.server()?, &app_metadata("Outsider"))
        .await;
    must_refuse("the outsider's app", registered, UNAPPROVED, NOT_TRUSTED)?;
    told(
        format!("refused by the client, its app by the data holder: {NOT_TRUSTED}"),
        json!({
            "client": { "code": NOT_TRUSTED },
            "registration": refusal(UNAPPROVED, NOT_TRUSTED),
        }),
    )
}

const NOT_TRUSTED: &str = "chain-not-trusted";
const UNAPPROVED: &str = "unapproved_software_statement";
