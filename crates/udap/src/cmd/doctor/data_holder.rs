//! This machine's data holder: what its configuration names, what is behind it, and itself from outside.

use super::partner::{self, Place, Subject};
use super::report::Report;
use super::time;
use crate::cmd::serve;
use crate::files;
use crate::problem::Problem;
use http::{Request, header};
use std::path::Path;
use udap_client::{Client, ClientConfig, ClientError, CommunityTrust, FetchPolicy};
use udap_gateway::GatewayConfig;
use udap_gateway::forward::Upstream;
use udap_host::config::{self, Community, Config, Identity, TlsRoots};
use udap_pki::{Certificate, NameCheck};
use udap_proto::community::{Demand, Status};
use udap_proto::jws::JwsAlg;
use udap_trust::clock;
use udap_trust::fetch::Fetcher;
use udap_trust::signer::Signer as _;
use udap_trust::verify::TrustEngine;
use url::Url;

/// A configuration that cannot be read ends it; everything else is a finding.
pub(super) async fn look(
    path: &Path,
    host_roots: Option<&Path>,
    report: &mut Report,
) -> Result<(), Problem> {
    let config = config::load(path)?;
    match config.check_files() {
        Ok(()) => report.well("configuration", path.display().to_string()),
        Err(error) => {
            report.problem("configuration", &error.into());
            return Ok(());
        }
    }
    let fetch = FetchPolicy {
        allow_hosts: config.fetch.allow_hosts.clone(),
        tls_roots: match &config.fetch.tls_roots {
            TlsRoots::System => udap_client::TlsRoots::System,
            TlsRoots::File(path) => files::tls_roots(path)?,
        },
    };
    let fetcher = Fetcher::new(fetch.clone())?;
    let mut communities = Vec::new();
    for community in &config.communities {
        if community.rules.status == Status::Draft {
            let text = format!("the rules of {} are a draft", community.uri);
            report.warning("community", "community-draft", text);
        }
        let trust = udap_server::community_trust(community)?;
        identity(&config, community, &trust, &fetcher, report).await?;
        communities.push(trust);
    }
    our_clock(&config, &fetcher, report).await?;
    if let Some(tls) = &config.tls
        && let Some(leaf) = files::certificates(&tls.cert)?.first()
    {
        partner::certificate("TLS", leaf, "this host", report);
    }
    upstream(&config, report).await?;
    let host_roots = host_roots.map(files::tls_roots).transpose()?;
    let fetch = FetchPolicy {
        tls_roots: host_roots.unwrap_or(fetch.tls_roots),
        ..fetch
    };
    itself(&config, communities, fetch, report).await
}

/// The certificate with which it signs its metadata, as a partner will judge it.
async fn identity(
    config: &Config,
    community: &Community,
    trust: &CommunityTrust,
    fetcher: &Fetcher,
    report: &mut Report,
) -> Result<(), Problem> {
    for holder in config.data_holders() {
        let mut named = false;
        for identity in &community.identities {
            let chain = files::certificates(&identity.cert)?;
            let of_it = chain
                .first()
                .is_some_and(|leaf| leaf.uri_names().contains(&holder.base_url));
            // One that names no base URL is shown for the first, whose only one it may be.
            if of_it || community.identities.len() == 1 {
                named = true;
                let base_url = &holder.base_url;
                one_identity(
                    base_url, community, identity, &chain, trust, fetcher, report,
                )
                .await;
            }
        }
        if !named {
            report.failed(
                "identity",
                "san-uri-mismatch",
                format!(
                    "no certificate of {} names {}",
                    community.uri, holder.base_url
                ),
            );
        }
    }
    Ok(())
}

async fn one_identity(
    base_url: &str,
    community: &Community,
    identity: &Identity,
    chain: &[Certificate],
    trust: &CommunityTrust,
    fetcher: &Fetcher,
    report: &mut Report,
) {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return;
    };
    match udap_server::identity(&community.uri, identity) {
        Err(error) => report.problem("identity", &error.into()),
        Ok((_, signer))
            if signer.jws_alg() != JwsAlg::RS256
                && community.rules.guide.metadata_in_rs256() == Demand::Required =>
        {
            let text = "signed metadata is signed with RS256, which needs an RSA key";
            report.failed("identity", "identity-not-rsa", text);
        }
        Ok(_) => {}
    }
    let mut trust = trust.clone();
    trust.policy.name = Some(NameCheck::Uri(base_url.to_owned()));
    let engine = TrustEngine::new(Some(fetcher.clone()), vec![trust]);
    let verdict = engine
        .verify(&community.uri, leaf, intermediates, clock::now())
        .await;
    match verdict {
        Ok(_) => partner::certificate("identity", leaf, &community.uri, report),
        Err(error) => report.problem(
            "identity",
            &Problem::from(ClientError::Untrusted {
                community: community.uri.clone(),
                error: Box::new(error),
            }),
        ),
    }
}

/// Its clock, beside those of whoever publishes for its communities.
async fn our_clock(config: &Config, fetcher: &Fetcher, report: &mut Report) -> Result<(), Problem> {
    let mut certificates = Vec::new();
    for identity in config.communities.iter().flat_map(|of| &of.identities) {
        certificates.extend(files::certificates(&identity.cert)?);
    }
    let holders = config.data_holders();
    let own = holders.iter().map(|holder| time::host_of(&holder.base_url));
    let own: Vec<String> = own.flatten().collect();
    time::of_this_host(&certificates, &own, fetcher, report).await;
    Ok(())
}

/// Whether each FHIR server answers, asked in the way the gateway asks.
async fn upstream(config: &Config, report: &mut Report) -> Result<(), Problem> {
    for holder in config.data_holders() {
        if holder.upstream.is_none() {
            report.unknown("upstream", "none is configured: no gateway");
        }
    }
    for settings in serve::gateway_configs(config)? {
        one_upstream(&settings, report).await?;
    }
    Ok(())
}

async fn one_upstream(settings: &GatewayConfig, report: &mut Report) -> Result<(), Problem> {
    let url = format!("{}/metadata", settings.upstream);
    let parsed = Url::parse(&url).map_err(|error| Problem::new("usage", error.to_string()))?;
    let host = parsed.authority().to_owned();
    let request = Request::get(parsed.path())
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/fhir+json")
        .body(axum::body::Body::empty());
    let request = request.map_err(|error| Problem::new("usage", error.to_string()))?;
    match Upstream::new(settings)?.send(request).await {
        Ok(answer) => match answer.status().as_u16() {
            200..300 => report.well("upstream", format!("{url} answers")),
            status => report.warning(
                "upstream",
                match status {
                    401 | 403 => "upstream-unauthorized",
                    500.. => "upstream-failed",
                    _ => "upstream-refused",
                },
                format!("{url} answers with {status}"),
            ),
        },
        Err(error) => report.failed("upstream", error.code(), format!("{url}: {error}")),
    }
    Ok(())
}

/// The running server, as partners see it.
async fn itself(
    config: &Config,
    communities: Vec<CommunityTrust>,
    mut fetch: FetchPolicy,
    report: &mut Report,
) -> Result<(), Problem> {
    // Its own host may well have a private address on this machine.
    let holders = config.data_holders();
    for holder in &holders {
        fetch.allow_hosts.extend(time::host_of(&holder.base_url));
    }
    let mut client = ClientConfig::new(communities.clone());
    client.fetch = fetch.clone();
    let client = Client::new(client)?;
    for holder in &holders {
        let subject = Subject {
            base_url: &holder.base_url,
            community: None,
            communities: &communities,
            fetch: &fetch,
            client: &client,
            sandbox: None,
            place: Place::Here,
        };
        subject.look(report).await;
    }
    Ok(())
}
