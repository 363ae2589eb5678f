//! The communities this data holder belongs to: whom each trusts, and how fresh what is known of
//! revocation is.

use super::Admin;
use super::access::{Person, Program};
use super::certificate::Shown;
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use crate::app::{Server, StartError};
use crate::communities::{certificates, certifiers_of, community_trust, identity};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use udap_host::config::{self, Config};
use udap_host::when::When;
use udap_pki::{Certificate, Revocation, UnixTime};
use udap_trust::clock;
use udap_trust::verify::CommunityTrust;

/// One community as it is now.
#[derive(Debug, Serialize)]
pub(super) struct CommunityView {
    pub(super) uri: String,
    /// What is asked about revocation: `require`, `where-named`, `prefer` or `off`.
    pub(super) revocation: &'static str,
    /// The data holder's own certificates here; one may be for several base URLs.
    pub(super) identities: Vec<Shown>,
    pub(super) anchors: Vec<Shown>,
    pub(super) certifier_anchors: Vec<Shown>,
    pub(super) certifications_supported: Vec<String>,
    pub(super) certifications_required: Vec<String>,
    /// CRLs and OCSP responses in use; `null` where no server was asked.
    pub(super) revocation_data: Option<Vec<RevocationData>>,
}

/// A CRL or an OCSP response that a server has at hand.
#[derive(Debug, Serialize)]
pub(super) struct RevocationData {
    /// `CRL` or `OCSP`.
    pub(super) kind: &'static str,
    pub(super) url: String,
    /// How many certificates a CRL revokes.
    pub(super) revoked: Option<usize>,
    pub(super) next_update: Option<When>,
    pub(super) fresh: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct CommunityList {
    pub(super) communities: Vec<CommunityView>,
}

/// What is known of one community, from a running server or from its configuration.
struct Facts<'a> {
    uri: &'a str,
    identities: Vec<Certificate>,
    trust: Option<CommunityTrust>,
    certifier_anchors: Vec<Certificate>,
    certifications: &'a config::Certifications,
}

impl Facts<'_> {
    fn view(&self, data: Option<Vec<RevocationData>>, now: UnixTime) -> CommunityView {
        let shown = |certificate: &Certificate| Shown::new(certificate, now);
        let anchors = self.trust.iter().flat_map(|trust| &trust.anchors);
        CommunityView {
            uri: self.uri.to_owned(),
            revocation: match self.trust.as_ref().map(|trust| trust.policy.revocation) {
                Some(Revocation::Off) => "off",
                Some(Revocation::Prefer) => "prefer",
                Some(Revocation::WhereNamed) => "where-named",
                _ => "require",
            },
            identities: self.identities.iter().map(shown).collect(),
            anchors: anchors.map(|anchor| shown(anchor.certificate())).collect(),
            certifier_anchors: self.certifier_anchors.iter().map(shown).collect(),
            certifications_supported: self.certifications.supported.clone(),
            certifications_required: self.certifications.required.clone(),
            revocation_data: data,
        }
    }
}

/// As a running server trusts them at this moment.
pub(super) fn of_server(server: &Server, now: UnixTime) -> CommunityList {
    let engine = server.communities.trust();
    let (crls, responses) = (engine.known_crls(), engine.known_ocsp());
    let when = |at: Option<UnixTime>| at.map(|at| When { at, now });
    let all = server.communities.all();
    let views = all.iter().map(|served| {
        let uri = served.community.uri.as_str();
        let certifiers = certifiers_of(uri);
        let of_this = |community: &str| community == uri || community == certifiers;
        let crls = crls
            .iter()
            .filter(|(community, ..)| of_this(community))
            .map(|(_, url, until, serials)| RevocationData {
                kind: "CRL",
                url: url.clone(),
                revoked: Some(*serials),
                next_update: when(*until),
                fresh: until.is_none_or(|until| now <= until),
            });
        let responses = responses
            .iter()
            .filter(|(community, ..)| of_this(community))
            .map(|(_, url, until)| RevocationData {
                kind: "OCSP",
                url: url.clone(),
                revoked: None,
                next_update: when(*until),
                fresh: until.is_none_or(|until| now <= until),
            });
        let data = once_each(crls.chain(responses).collect());
        let certifier_anchors = engine.community(&certifiers).map(|trust| trust.anchors);
        let facts = Facts {
            uri,
            identities: served.identities().cloned().collect(),
            trust: engine.community(uri),
            certifier_anchors: certifier_anchors
                .unwrap_or_default()
                .iter()
                .map(|anchor| anchor.certificate().clone())
                .collect(),
            certifications: &served.certifications,
        };
        facts.view(Some(data), now)
    });
    CommunityList {
        communities: views.collect(),
    }
}

/// What members and certifiers are both judged by is there for each of them: shown is the one that lapses first.
fn once_each(mut data: Vec<RevocationData>) -> Vec<RevocationData> {
    data.sort_by(|a, b| {
        let of = |one: &RevocationData| one.next_update.map_or(i64::MAX, |next| next.at.0);
        (a.kind, &a.url, of(a)).cmp(&(b.kind, &b.url, of(b)))
    });
    data.dedup_by(|b, a| (a.kind, &a.url) == (b.kind, &b.url));
    data
}

/// As a configuration says that they are to be trusted; whether revocation data is fresh only a running
/// server knows.
pub(super) fn of_config(config: &Config, now: UnixTime) -> Result<CommunityList, StartError> {
    let views = config.communities.iter().map(|configured| {
        let mut identities = Vec::new();
        for configured_identity in &configured.identities {
            let (chain, _) = identity(&configured.uri, configured_identity)?;
            identities.extend(chain.first().cloned());
        }
        let facts = Facts {
            uri: &configured.uri,
            identities,
            trust: Some(community_trust(configured)?),
            certifier_anchors: certificates(&configured.certifications.anchors)?,
            certifications: &configured.certifications,
        };
        Ok(facts.view(None, now))
    });
    Ok(CommunityList {
        communities: views.collect::<Result<_, StartError>>()?,
    })
}

/// Communities as JSON.
pub(super) async fn api(State(admin): State<Admin>, _: Program) -> Response {
    page::api(Ok::<_, AdminError>(of_server(&admin.server, clock::now())))
}

#[derive(Template)]
#[template(path = "communities.html")]
struct CommunitiesPage {
    frame: Frame,
    communities: Vec<CommunityView>,
}

/// Communities as a page.
pub(super) async fn page(State(admin): State<Admin>, person: Person) -> Result<Response, Rejected> {
    let page = CommunitiesPage {
        frame: Frame::new(&admin, &person, "/communities"),
        communities: of_server(&admin.server, clock::now()).communities,
    };
    Ok(page::html(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_two_are_judged_by_is_shown_once_and_as_it_lapses_first() {
        let now = UnixTime(1_795_536_000);
        let data = |kind, url: &str, secs: Option<i64>| RevocationData {
            kind,
            url: url.to_owned(),
            revoked: None,
            next_update: secs.map(|secs| When {
                at: now.plus_secs(secs),
                now,
            }),
            fresh: true,
        };
        let shown = once_each(vec![
            data("CRL", "http://ca.example/b.crl", Some(60)),
            data("CRL", "http://ca.example/a.crl", Some(60)),
            data("CRL", "http://ca.example/a.crl", Some(30)),
            data("CRL", "http://ca.example/a.crl", None),
            data("OCSP", "http://ca.example/a.crl", None),
        ]);
        let shown: Vec<_> = shown
            .iter()
            .map(|one| {
                (
                    one.kind,
                    one.url.as_str(),
                    one.next_update.map(|next| next.at),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("CRL", "http://ca.example/a.crl", Some(now.plus_secs(30))),
                ("CRL", "http://ca.example/b.crl", Some(now.plus_secs(60))),
                ("OCSP", "http://ca.example/a.crl", None),
            ]
        );
    }
}
