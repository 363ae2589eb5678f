//! `tls`: a handshake that is verified against the sandbox's TLS root and no other.

use serde_json::json;

use super::{Failure, Told, World, told};
use crate::wire::Address;

pub(super) async fn run(world: &mut World<'_>) -> Result<Told, Failure> {
    let address = Address::of(&world.layout.data_holder_url(), &world.tls)?;
    let stream = address.handshake(&world.tls).await?;
    let (_, connection) = stream.get_ref();
    let missing = |what: &str| Failure::new(format!("the handshake negotiated no {what}"));
    let version = connection
        .protocol_version()
        .ok_or_else(|| missing("version"))?;
    let suite = connection
        .negotiated_cipher_suite()
        .ok_or_else(|| missing("cipher suite"))?;
    let group = connection
        .negotiated_key_exchange_group()
        .ok_or_else(|| missing("key exchange group"))?;
    let version = readable(version.as_str().unwrap_or("an unnamed version"));
    let suite = suite
        .suite()
        .as_str()
        .unwrap_or("an unnamed suite")
        .trim_start_matches("TLS13_")
        .to_owned();
    let group = group.name().as_str().unwrap_or("an unnamed group");
    told(
        format!("{version}, {suite}, {group}, verified"),
        json!({ "version": version, "cipher_suite": suite, "key_exchange_group": group }),
    )
}

/// `TLSv1_3` is `TLS 1.3`.
fn readable(version: &str) -> String {
    version.replace("TLSv", "TLS ").replace('_', ".")
}
