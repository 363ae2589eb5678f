//! A server from outside: its address, its host, its clock, its metadata, what it offers.

use super::report::Report;
use super::time;
use crate::base_url;
use crate::problem::Problem;
use crate::sandbox::Sandbox;
use udap_client::inspect::{Inspection, Mark, RevocationData, inspect};
use udap_client::{Client, ClientError, CommunityTrust, Discovered, FetchPolicy};
use udap_host::when::when;
use udap_pki::{Certificate, UnixTime};
use udap_trust::clock;
use udap_trust::fetch::Fetcher;
use udap_trust::verify::TrustEngine;
use url::Url;

/// How long before its end a certificate is warned of, in seconds.
const SOON_SECS: i64 = 21 * 24 * 3600;

/// A server, and who looks at it.
pub(super) struct Subject<'a> {
    pub(super) base_url: &'a str,
    pub(super) community: Option<&'a str>,
    pub(super) communities: &'a [CommunityTrust],
    pub(super) fetch: &'a FetchPolicy,
    pub(super) client: &'a Client,
    pub(super) sandbox: Option<&'a Sandbox>,
    pub(super) place: Place,
}

/// Where a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the machine that looks at it.
    Here,
    /// With somebody else.
    Elsewhere,
}

impl Subject<'_> {
    /// What stands behind is not looked at when what stands before it fails.
    pub(super) async fn look(&self, report: &mut Report) {
        let plan = match self.client.plan_discover(self.base_url, self.community) {
            Ok(plan) => plan,
            Err(error) => return report.problem("address", &error.into()),
        };
        if self.base_url.ends_with('/') {
            report.warning(
                "address",
                "base-url-slash",
                format!("{} ends with a slash", self.base_url),
            );
        } else {
            report.well("address", self.base_url);
        }
        if !self.host(report).await {
            return report.unknown("metadata", "not asked, since the host is not trusted");
        }
        match self.client.send(&plan).await {
            // This machine's own server has this machine's clock, whatever that says.
            Ok(answer) if self.place == Place::Elsewhere => {
                time::of_server(answer.headers(), clock::now(), report);
            }
            Ok(_) => {}
            Err(error) => return report.problem("metadata", &error.into()),
        }
        if self.communities.is_empty() {
            return report.unknown(
                "metadata",
                "not judged: no community was named that could vouch for it (--community, --anchor)",
            );
        }
        match self.client.discover(self.base_url, self.community).await {
            Ok(server) => offered(&server, report),
            // A server of several communities that we know is asked in each.
            Err(ClientError::CommunityAmbiguous { communities }) => {
                for community in &communities {
                    match self.client.discover(self.base_url, Some(community)).await {
                        Ok(server) => offered(&server, report),
                        Err(error) => report.problem("metadata", &error.into()),
                    }
                }
            }
            Err(error) => {
                report.problem("metadata", &base_url::meant(self.base_url, error.into()));
            }
        }
    }

    /// The app's own certificate, as the server will judge it: its dates, its way to an anchor of the
    /// community, whether it is revoked.
    pub(super) async fn identity(&self, report: &mut Report) -> Result<(), Problem> {
        let Some(identity) = self.client.identity() else {
            let text = "not looked at: no app was named (--cert, --key)";
            report.unknown("identity", text);
            return Ok(());
        };
        let community = &identity.community;
        if self.communities.iter().all(|known| known.uri != *community) {
            let text = format!("not judged: no anchor of {community} was named (--anchor)");
            report.unknown("identity", text);
            return Ok(());
        }
        if let Err(error) = self.client.require_membership().await {
            report.problem("identity", &error.into());
            return Ok(());
        }
        let Some((leaf, intermediates)) = identity.chain.split_first() else {
            return Ok(());
        };
        let fetcher = Fetcher::new(self.fetch.clone())?;
        let engine = TrustEngine::new(Some(fetcher), self.communities.to_vec());
        let verdict = engine.verify(community, leaf, intermediates, clock::now());
        match verdict.await {
            Err(error) => report.problem("identity", &Problem::refusal(&error)),
            Ok(verdict) if !verdict.revocation_checked() => {
                let text = "it is not known whether the app's certificate is revoked";
                report.warning("identity", "revocation-not-checked", text);
            }
            Ok(_) => certificate("identity", leaf, community, report),
        }
        Ok(())
    }

    /// Whether TLS proves the host.
    async fn host(&self, report: &mut Report) -> bool {
        let Some((host, port)) = Url::parse(self.base_url).ok().and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some((host, url.port_or_known_default()?))
        }) else {
            return false;
        };
        let target = match format!("{host}:{port}").parse() {
            Ok(target) => target,
            Err(error) => {
                report.problem("host", &Problem::from(error));
                return false;
            }
        };
        let seen = inspect(&Inspection {
            roots: self.fetch.tls_roots.clone(),
            allow_hosts: self.fetch.allow_hosts.clone(),
            revocation: RevocationData::Stapled,
            bases: vec![self.base_url.to_owned()],
            ..Inspection::of(target)
        })
        .await;
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                let problem = Problem::from(error);
                let problem = match self.sandbox {
                    Some(sandbox) => sandbox.instead(problem),
                    None => problem,
                };
                report.problem("host", &problem);
                return false;
            }
        };
        let chain = seen.chain.iter();
        let findings = chain.flat_map(|c| [&c.issuer, &c.dates, &c.revocation, &c.name, &c.rustls]);
        let failed = findings
            .chain([&seen.hello.answer])
            .find(|finding| finding.mark == Mark::Failed);
        if let Some(failed) = failed.filter(|_| !seen.verdict.trusted) {
            let problem = Problem::new(failed.code.unwrap_or("tls-host-refused"), &failed.text);
            let hint = failed.hint.clone().unwrap_or_default();
            report.problem("host", &problem.hint(hint));
            return false;
        }
        let version = seen
            .negotiated
            .as_ref()
            .map(|agreed| agreed.version.as_str());
        let version = version.unwrap_or("TLS");
        let leaf = seen
            .chain
            .iter()
            .flat_map(|chain| &chain.certificates)
            .next();
        let until = leaf.and_then(|leaf| leaf.not_after.parse().ok());
        match until {
            Some(until) => expiry("host", &format!("{host}, {version}"), until, report),
            None => report.well("host", format!("{host}, {version}")),
        }
        weak(&seen.verdict.weak, report);
        true
    }
}

/// What verified metadata says, as far as it decides whether an app gets through.
fn offered(server: &Discovered, report: &mut Report) {
    let now = clock::now();
    let anchor = server.verdict().anchor().subject();
    report.well(
        "metadata",
        format!("trusted in {}, by {anchor}", server.community),
    );
    let leaf = server.metadata().signer().leaf();
    certificate("certificate", leaf, &server.community, report);
    if server.verdict().revocation_checked() {
        let until = when(server.verdict().expires(), now);
        report.well("revocation", format!("checked; looked at again {until}"));
    } else {
        report.warning(
            "revocation",
            "revocation-not-checked",
            "it is not known whether the server's certificate is revoked",
        );
    }
    for (thing, list, wanted) in [
        ("registration", "udap_profiles_supported", "udap_dcr"),
        ("tokens", "udap_profiles_supported", "udap_authn"),
        ("grants", "grant_types_supported", "client_credentials"),
    ] {
        match server.list(list) {
            Some(offered) if offered.iter().any(|offer| offer == wanted) => {
                report.well(thing, format!("`{wanted}` in {list}"));
            }
            offered => {
                let said = offered.map_or("nothing".to_owned(), |offered| offered.join(", "));
                report.warning(
                    thing,
                    "not-offered",
                    format!("no `{wanted}` in {list}; it says: {said}"),
                );
            }
        }
    }
    scopes(server.list("scopes_supported"), report);
    for (thing, list) in [
        ("extensions", "udap_authorization_extensions_required"),
        ("certifications", "udap_certifications_required"),
    ] {
        if let Some(required @ [_, ..]) = server.list(list) {
            report.well(thing, format!("required of apps: {}", required.join(", ")));
        }
    }
}

fn scopes(said: Option<&[String]>, report: &mut Report) {
    match said {
        Some([]) | None => {
            let text = "the server does not say which scopes it has";
            report.warning("scopes", "scopes-not-said", text);
        }
        Some(scopes) => report.well("scopes", scopes.join(" ")),
    }
}

/// What TLS of the host should not accept.
fn weak(accepted: &[&str], report: &mut Report) {
    if !accepted.is_empty() {
        let text = format!("it accepts {}", accepted.join(", "));
        report.warning("host", "tls-weak", text);
    }
}

/// Until when a certificate holds, and for what it is.
pub(super) fn certificate(thing: &str, certificate: &Certificate, of: &str, report: &mut Report) {
    let what = format!("{} of {of}", certificate.subject());
    expiry(thing, &what, certificate.not_after(), report);
}

fn expiry(thing: &str, what: &str, until: UnixTime, report: &mut Report) {
    let now = clock::now();
    let text = format!("{what}, expires {}", when(until, now));
    if until <= now {
        report.failed(thing, "certificate-expired", text);
    } else if until.secs_since(now) < SOON_SECS {
        report.warning(thing, "certificate-expires-soon", text);
    } else {
        report.well(thing, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_weak_or_not_said_is_warned_of() {
        let (mut good, mut bad) = (Report::default(), Report::default());
        weak(&[], &mut good);
        weak(&["tls-1.0"], &mut bad);
        scopes(Some(&["system/*.rs".to_owned()]), &mut good);
        scopes(Some(&[]), &mut bad);
        scopes(None, &mut bad);
        assert!(good.to_text().ends_with("0 problems, 0 warnings"));
        let bad = bad.to_text();
        assert!(bad.ends_with("0 problems, 3 warnings"), "{bad}");
        assert!(bad.contains("[tls-weak]") && bad.contains("[scopes-not-said]"));
    }
}
