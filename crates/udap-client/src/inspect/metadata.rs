//! Which UDAP metadata the host has. Asked through the guarded fetcher, which trusts nobody but
//! hosts that rustls has judged.

use super::Inspection;
use super::report::{UdapMetadata, UdapResult};
use crate::{Client, ClientConfig, ClientError};
use std::sync::Arc;
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::jws::JwsAlg;
use udap_proto::metadata;
use udap_trust::fetch::{FetchPolicy, TlsRoots};

/// The base URLs that are looked at where none is named: where FHIR servers mostly are.
const PATHS: [&str; 3] = ["", "/fhir", "/r4"];
/// The most base URLs of one host.
const MAX_BASES: usize = 8;

pub(super) async fn look(
    inspection: &Inspection,
    roots: &TlsRoots,
    trusted: bool,
    now: UnixTime,
) -> Vec<UdapMetadata> {
    let bases = bases(inspection);
    let found = |base_url: String, result, code, text: String| UdapMetadata {
        base_url,
        result,
        communities: Vec::new(),
        code,
        text,
    };
    if !trusted {
        let text = "not asked, since the host is not trusted";
        let each = |base| found(base, UdapResult::NotAsked, None, text.to_owned());
        return bases.into_iter().map(each).collect();
    }
    let client = Client::new(ClientConfig {
        fetch: FetchPolicy {
            allow_hosts: inspection.allow_hosts.clone(),
            tls_roots: roots.clone(),
        },
        communities: inspection.communities.clone(),
        identity: None,
        clock: Arc::new(move || now),
    });
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            let each = |base| {
                found(
                    base,
                    UdapResult::NotAsked,
                    Some(error.code()),
                    error.to_string(),
                )
            };
            return bases.into_iter().map(each).collect();
        }
    };
    let mut all = Vec::with_capacity(bases.len());
    for base in bases {
        let answer = match inspection.communities.is_empty() {
            true => unjudged(&client, &base).await,
            false => judged(&client, &base, inspection).await,
        };
        all.push(match answer {
            Ok(judged) => UdapMetadata {
                result: match judged.communities.is_empty() {
                    true => UdapResult::NotJudged,
                    false => UdapResult::Trusted,
                },
                communities: judged.communities,
                base_url: base,
                code: None,
                text: judged.text,
            },
            Err(ClientError::NoUdap { .. } | ClientError::Redirected { .. }) => {
                found(base, UdapResult::None, None, "no UDAP metadata".to_owned())
            }
            Err(error @ ClientError::Fetch(_)) => found(
                base,
                UdapResult::NotAsked,
                Some(error.code()),
                error.to_string(),
            ),
            Err(error @ ClientError::MetadataStatus { .. }) => found(
                base,
                UdapResult::None,
                None,
                format!("no UDAP metadata: {error}"),
            ),
            Err(error) => {
                let text = format!("not trusted: {error}");
                found(base, UdapResult::Refused, Some(error.code()), text)
            }
        });
    }
    all
}

struct Judged {
    communities: Vec<String>,
    text: String,
}

/// Each community by itself: a host may well be a member of several.
async fn judged(
    client: &Client,
    base: &str,
    inspection: &Inspection,
) -> Result<Judged, ClientError> {
    let mut communities = Vec::new();
    let mut refusal = ClientError::NoCommunity;
    for community in &inspection.communities {
        match client.discover(base, Some(&community.uri)).await {
            Ok(_) => communities.push(community.uri.clone()),
            Err(error) if error.is_about_one_community() => refusal = error,
            Err(error) => return Err(error),
        }
    }
    match communities.as_slice() {
        [] => Err(refusal),
        [..] => Ok(Judged {
            text: format!("trusted; vouched for by {}", communities.join(", ")),
            communities,
        }),
    }
}

/// Without a community there is nobody to vouch; what can be said is whose key signed it.
async fn unjudged(client: &Client, base: &str) -> Result<Judged, ClientError> {
    let plan = client.plan_discover(base, None)?;
    let answer = client.send(&plan).await?;
    match answer.status().as_u16() {
        200 => {}
        404 | 410 => return Err(ClientError::NoUdap { url: plan.url }),
        status => {
            return Err(ClientError::MetadataStatus {
                url: plan.url,
                status,
            });
        }
    }
    let signed = metadata::verify_signature(answer.body(), &JwsAlg::SSRAA)?;
    let names = signed.signer().leaf().uri_names().join(", ");
    Ok(Judged {
        communities: Vec::new(),
        text: format!(
            "metadata, signed by the certificate of {names}; whether a community vouches for that was not asked (--anchor FILE)"
        ),
    })
}

fn bases(inspection: &Inspection) -> Vec<String> {
    if !inspection.bases.is_empty() {
        return inspection.bases.iter().take(MAX_BASES).cloned().collect();
    }
    let origin = match inspection.target.port {
        443 => format!("https://{}", inspection.target.host),
        port => format!("https://{}:{port}", inspection.target.host),
    };
    PATHS.iter().map(|path| format!("{origin}{path}")).collect()
}
