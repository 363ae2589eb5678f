//! The communities this data holder belongs to: its certificate in each, its signed metadata, and
//! which community vouches for an app. They are exchanged while requests run (`reload.rs`).

mod bundles;
mod files;
mod in_force;
mod reload;
mod served;

pub use bundles::last_bundle_sequence;
pub(crate) use bundles::required_certifications;
pub(crate) use files::{certificates, certifiers_of};
pub use files::{community_trust, identity};
pub use reload::Trouble;
pub(crate) use served::Served;

use crate::app::StartError;
use crate::base::Places;
use crate::store::Bundles;
use arc_swap::ArcSwap;
use bundles::BundleState;
use files::Cas;
use futures_util::future::join_all;
use reload::Watched;
use std::sync::Arc;
use udap_host::config::Config;
use udap_pki::{Anchor, Certificate, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::certification;
use udap_proto::community::Demand;
use udap_proto::jws::{JwsAlg, Signer as StatementSigner};
use udap_proto::token::JWT_BEARER;
use udap_trust::fetch::Fetcher;
use udap_trust::verify::{TrustEngine, TrustError, Verdict};

#[derive(Debug)]
pub(crate) struct Communities {
    /// In the order of the configuration; the first one signs when nobody asks for another.
    current: ArcSwap<Vec<Arc<Served>>>,
    trust: TrustEngine,
    fetcher: Fetcher,
    /// Where each base URL has its endpoints, which metadata says.
    places: Vec<Places>,
    scopes: Vec<String>,
    watched: Watched,
    /// Which bundle was the last.
    bundles: Bundles,
}

/// The code of a chain that is known and of which nobody can tell whether it is revoked.
const UNDECIDED: &str = "revocation-unavailable";

fn unknown() -> TrustError {
    TrustError::UnknownCommunity {
        community: "any".to_owned(),
    }
}

/// Why no community vouches for an app.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    /// None trusts the certificate; the most telling refusal.
    Refused(TrustError),
    /// More than one does, so it is undecided whose rules count.
    Ambiguous(Vec<String>),
}

impl Communities {
    pub(crate) async fn open(
        config: &Config,
        places: Vec<Places>,
        fetcher: Fetcher,
        bundles: Bundles,
        now: UnixTime,
    ) -> Result<Self, StartError> {
        let in_force = BundleState::open(&bundles, &config.communities, now).await?;
        let watched = Watched::new(config, in_force);
        let scopes = config.scopes_supported.clone();
        let own = config.communities.iter().map(|configured| {
            let files = community_trust(configured)?;
            Ok((&configured.uri, Cas::of(&files)))
        });
        let own: Vec<_> = own.collect::<Result<_, StartError>>()?;
        let mut all: Vec<Arc<Served>> = Vec::new();
        for configured in &config.communities {
            let others = own.iter().filter(|(uri, _)| **uri != configured.uri);
            let foreign = match in_force::follows(configured) {
                true => Cas::all(others.map(|(_, cas)| cas)),
                false => Cas::default(),
            };
            let open = async |bundle| {
                Served::open(configured, bundle, foreign.clone(), &places, &scopes, now).await
            };
            let bundle = watched.bundle(configured).await;
            let mut served = open(bundle.clone()).await?;
            if let Err(error) = served.unambiguous(&all) {
                // What is configured was judged before: it is the bundle, and its trust ends.
                let Some(bundle) = bundle else {
                    return Err(error);
                };
                tracing::error!(code = error.code(), %error, "a bundle that was in force cannot be used");
                served = open(Some(bundle.ended(now))).await?;
            }
            all.push(Arc::new(served));
        }
        let trusted = all
            .iter()
            .flat_map(|served| served.trusts.clone())
            .collect();
        Ok(Self {
            trust: TrustEngine::new(Some(fetcher.clone()), trusted),
            current: ArcSwap::from_pointee(all),
            fetcher,
            places,
            scopes,
            watched,
            bundles,
        })
    }

    pub(crate) const fn trust(&self) -> &TrustEngine {
        &self.trust
    }

    /// What is asked beside evidence for trust: whether certifications still hold.
    pub(crate) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// Those that are served now.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<Served>>> {
        self.current.load_full()
    }

    /// Whether none was exchanged since these were the ones served.
    pub(crate) fn are_still(&self, all: &Arc<Vec<Arc<Served>>>) -> bool {
        Arc::ptr_eq(&self.current.load(), all)
    }

    /// Who issues the members' certificates, each a Name in DER.
    pub(crate) fn issuers(&self) -> Vec<Vec<u8>> {
        let mut issuers = Vec::new();
        let all = self.all();
        // Those of certifiers and of who signs bundles are no members'.
        for members in all.iter().filter_map(|served| served.trusts.first()) {
            let anchors = members.anchors.iter().map(Anchor::certificate);
            for issuer in anchors.chain(&members.intermediates) {
                let name = issuer.subject().der().to_vec();
                if !issuers.contains(&name) {
                    issuers.push(name);
                }
            }
        }
        issuers
    }

    /// Whether a community is served now; each request at the gateway asks.
    pub(crate) fn serves(&self, uri: &str) -> bool {
        let all = self.current.load();
        all.iter()
            .any(|served| served.community.uri.as_str() == uri)
    }

    /// Whether a community trusts somebody to certify; in what an app says about itself, whether it
    /// trusts the app.
    pub(crate) async fn certifier(
        &self,
        community: &str,
        signed: &certification::Signed,
        now: UnixTime,
    ) -> Result<Verdict, TrustError> {
        let world = if signed.claims_self_signed() {
            community.to_owned()
        } else {
            certifiers_of(community)
        };
        let signer = signed.signer();
        self.trust
            .verify(&world, signer.leaf(), signer.intermediates(), now)
            .await
    }

    /// The community of that URI, or the first when none is named.
    pub(crate) fn select(&self, uri: Option<&str>) -> Option<Arc<Served>> {
        let all = self.current.load();
        match uri {
            Some(uri) => all
                .iter()
                .find(|served| served.community.uri.as_str() == uri)
                .cloned(),
            None => all.first().cloned(),
        }
    }

    /// Whether some community's version of the guide lets a token request be without a scope.
    pub(crate) fn scope_is_optional(&self) -> bool {
        let all = self.current.load();
        all.iter()
            .any(|served| served.community.guide.token_scope() == Demand::Optional)
    }

    /// Every algorithm that some community accepts in a software statement.
    pub(crate) fn algorithms(&self) -> Vec<JwsAlg> {
        let all = self.all();
        let mut algorithms: Vec<_> = all
            .iter()
            .flat_map(|s| s.community.algorithms.iter().copied())
            .collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }

    /// Every grant that some community offers.
    pub(crate) fn grant_types(&self) -> Vec<&'static str> {
        let all = self.all();
        let some = all
            .iter()
            .find(|served| !served.assertion_issuers().is_empty());
        grant_types(some.map_or(&[], |served| served.assertion_issuers()))
    }

    /// The one community that trusts a signer. Each is asked on its own anchors; a signer whom two
    /// of them trust is refused, since the two may have different rules and registrations.
    pub(crate) async fn accept(
        &self,
        signer: &StatementSigner,
        alg: JwsAlg,
        now: UnixTime,
    ) -> Result<Verdict, NotAccepted> {
        let asked = |served: &Served| served.community.algorithms.contains(&alg);
        self.accept_in(asked, signer.leaf(), signer.intermediates(), now)
            .await
    }

    /// The same for a certificate, among some of the communities.
    pub(crate) async fn accept_in(
        &self,
        asked: impl Fn(&Served) -> bool,
        leaf: &Certificate,
        intermediates: &[Certificate],
        now: UnixTime,
    ) -> Result<Verdict, NotAccepted> {
        let all = self.all();
        let judged = all.iter().filter(|served| asked(served)).map(|served| {
            let uri = served.community.uri.as_str();
            self.trust.verify(uri, leaf, intermediates, now)
        });
        let mut accepted = Vec::new();
        let mut refused: Option<TrustError> = None;
        // At the same time: several whose CRLs cannot be had cost no more than one.
        for judged in join_all(judged).await {
            match judged {
                Ok(verdict) => accepted.push(verdict),
                // A community that knows the chain and has something against it tells more than one
                // that does not know it; most of all one that cannot tell.
                Err(error)
                    if refused
                        .as_ref()
                        .is_none_or(|known| known.code() == "chain-not-trusted")
                        || error.code() == UNDECIDED =>
                {
                    refused = Some(error);
                }
                Err(_) => {}
            }
        }
        match accepted.pop() {
            // Another one knows the chain as well and could not look whether it is revoked. Were that
            // forgotten, an outage would decide which community's rules count.
            Some(_) if refused.as_ref().is_some_and(|e| e.code() == UNDECIDED) => {
                Err(NotAccepted::Refused(refused.unwrap_or_else(unknown)))
            }
            Some(one) if accepted.is_empty() => Ok(one),
            Some(last) => Err(NotAccepted::Ambiguous(
                accepted
                    .iter()
                    .chain([&last])
                    .map(|v| v.community().to_owned())
                    .collect(),
            )),
            None => Err(NotAccepted::Refused(refused.unwrap_or_else(unknown))),
        }
    }

    /// Signs each community's metadata again when half its time has passed.
    pub(crate) async fn sign_again(&self, now: UnixTime) {
        for served in self.all().iter() {
            served.sign_again(now).await;
        }
    }
}

/// What metadata offers: what works, and nothing else.
fn grant_types(assertion_issuers: &[String]) -> Vec<&'static str> {
    let mut grants = vec!["client_credentials"];
    if !assertion_issuers.is_empty() {
        grants.push(JWT_BEARER);
    }
    grants
}
