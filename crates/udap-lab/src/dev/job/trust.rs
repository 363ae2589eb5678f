//! `trust`: the signed metadata is verified, in each community by that community's certificate
//! (HL7 SSRAA §§2.3, 2.4), and neither vouches for the other's.

use serde_json::json;
use udap_client::ClientError;
use udap_proto::Refusal as _;

use super::{Failure, Told, World, told};
use crate::dev::layout::{Community, Layout};

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let base_url = world.layout.data_holder_url();
    let server = world.app.discover(&base_url, None).await?;
    let verdict = server.verdict();
    let names: Vec<String> = verdict
        .path()
        .iter()
        .map(|certificate| certificate.subject().to_string())
        .collect();
    if !verdict.revocation_checked() {
        return Err(Failure::new(
            "nobody asked whether the certificate is revoked",
        ));
    }

    // The second community sees another certificate.
    let beside = world.client("other-community", &Layout::app_uri("good"), Community::Two)?;
    let other = beside.discover(&base_url, None).await?;
    if other.verdict().leaf() == verdict.leaf() {
        return Err(Failure::new("both communities were shown one certificate"));
    }
    // It is not told that of the first.
    match beside.discover(&base_url, Some(Community::One.uri())).await {
        Err(ClientError::Untrusted { error, .. }) if error.code() == "community-unknown" => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            return Err(Failure::new(
                "a client that only knows the second community trusted the first",
            ));
        }
    }

    let line = format!(
        "{} vouches, not revoked, until {}",
        anchor(&names),
        server.expires()
    );
    let detail = json!({
        "community": server.community,
        "path": names,
        "revocation_checked": true,
        "expires": server.expires().to_string(),
        "other_community": other.community,
    });
    world.server = Some(server);
    told(line, detail)
}

fn anchor(path: &[String]) -> &str {
    path.last().map_or("nobody", String::as_str)
}
