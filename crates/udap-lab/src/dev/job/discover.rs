//! `discover`: the data holder publishes metadata, with everything that HL7 SSRAA §2.2 requires.

use serde_json::{Value, json};

use super::{Failure, Told, World, step::must_be_ok, told};
use crate::dev::layout::Community;

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let base_url = world.layout.data_holder_url();
    let plan = world
        .app
        .plan_discover(&base_url, Some(Community::One.uri()))?;
    let metadata = must_be_ok(&plan.url, &world.app.send(&plan).await?)?;
    if let Some(missing) = REQUIRED
        .into_iter()
        .find(|name| metadata.get(name).is_none())
    {
        return Err(Failure::new(format!("the metadata has no `{missing}`")));
    }
    let list = |name: &str| -> Vec<String> {
        let values = metadata[name].as_array().into_iter().flatten();
        values
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let profiles = list("udap_profiles_supported");
    told(
        format!("{base_url}: {}", profiles.join(", ")),
        json!({
            "metadata_url": plan.url,
            "profiles": profiles,
            "grants": list("grant_types_supported"),
            "token_endpoint": metadata["token_endpoint"],
            "registration_endpoint": metadata["registration_endpoint"],
        }),
    )
}

/// HL7 SSRAA §2.2, of a server that supports client credentials and nothing that is optional.
const REQUIRED: [&str; 13] = [
    "udap_versions_supported",
    "udap_profiles_supported",
    "udap_authorization_extensions_supported",
    "udap_authorization_extensions_required",
    "udap_certifications_supported",
    "grant_types_supported",
    "scopes_supported",
    "token_endpoint",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "registration_endpoint",
    "registration_endpoint_jwt_signing_alg_values_supported",
    "signed_metadata",
];
