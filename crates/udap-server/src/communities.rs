//! The communities this data holder belongs to: its certificate in each, its signed metadata, and
//! which community vouches for an app.

use crate::app::StartError;
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::join_all;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use udap_host::config::{self, Certifications, Config};
use udap_pki::{Anchor, Certificate, Policy, UnixTime, pem};
use udap_proto::Refusal as _;
use udap_proto::certification;
use udap_proto::community::Community;
use udap_proto::ids::CommunityUri;
use udap_proto::jws::{JwsAlg, Signer as StatementSigner};
use udap_proto::metadata::Metadata;
use udap_trust::fetch::Fetcher;
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _, sign_jws};
use udap_trust::verify::{CommunityTrust, TrustEngine, TrustError, Verdict};

/// How long signed metadata holds, in seconds. It is signed again when half of that has passed.
const METADATA_SECS: i64 = 24 * 3600;

/// What metadata says, apart from who signs it.
#[derive(Debug)]
pub(crate) struct CommunitySetup {
    pub(crate) base_url: String,
    pub(crate) registration_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) scopes_supported: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Communities {
    /// In the order of the configuration; the first one signs when nobody asks for another.
    all: Vec<Served>,
    trust: TrustEngine,
    fetcher: Fetcher,
}

/// One community and this data holder's place in it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) community: Community,
    /// Which certifications count here.
    pub(crate) certifications: Certifications,
    base_url: String,
    chain: Vec<Certificate>,
    signer: KeySigner,
    metadata: Metadata,
    signed: ArcSwap<SignedMetadata>,
}

/// The answer to a metadata request, made in advance.
#[derive(Debug)]
pub(crate) struct SignedMetadata {
    pub(crate) json: Bytes,
    signed_at: UnixTime,
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
        setup: &CommunitySetup,
        fetcher: Fetcher,
    ) -> Result<Self, StartError> {
        let mut all = Vec::new();
        let mut trusted = Vec::new();
        for configured in &config.communities {
            let trust = community_trust(configured)?;
            // Whom it trusts to certify is a world of its own: no anchor of members counts in it.
            let mut certifiers = CommunityTrust {
                uri: certifiers_of(&configured.uri),
                anchors: Vec::new(),
                ..trust.clone()
            };
            for certificate in read_all(&configured.certifications.anchors)? {
                certifiers.anchors.push(Anchor::new(certificate));
            }
            trusted.push(trust);
            trusted.push(certifiers);

            let community = Community::ssraa(CommunityUri::new(&configured.uri));
            let (chain, signer) = identity(configured)?;
            let certifications = configured.certifications.clone();
            all.push(Served::new(community, certifications, setup, chain, signer).await?);
        }
        Ok(Self {
            all,
            trust: TrustEngine::new(Some(fetcher.clone()), trusted),
            fetcher,
        })
    }

    pub(crate) const fn trust(&self) -> &TrustEngine {
        &self.trust
    }

    /// What is asked beside evidence for trust: whether certifications still hold.
    pub(crate) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    pub(crate) fn all(&self) -> &[Served] {
        &self.all
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
    pub(crate) fn select(&self, uri: Option<&str>) -> Option<&Served> {
        match uri {
            Some(uri) => self
                .all
                .iter()
                .find(|served| served.community.uri.as_str() == uri),
            None => self.all.first(),
        }
    }

    /// Every algorithm that some community accepts in a software statement.
    pub(crate) fn algorithms(&self) -> Vec<JwsAlg> {
        let mut algorithms: Vec<_> = self
            .all
            .iter()
            .flat_map(|s| s.community.algorithms.iter().copied())
            .collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }

    /// The one community that trusts a signer. Each is asked on its own anchors; a signer whom two
    /// of them trust is refused, since the two may have different rules and registrations.
    pub(crate) async fn accept(
        &self,
        signer: &StatementSigner,
        alg: JwsAlg,
        now: UnixTime,
    ) -> Result<Verdict, NotAccepted> {
        let judged = self
            .all
            .iter()
            .filter(|served| served.community.algorithms.contains(&alg))
            .map(|served| {
                let uri = served.community.uri.as_str();
                self.trust
                    .verify(uri, signer.leaf(), signer.intermediates(), now)
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
        for served in &self.all {
            if now.0
                < served
                    .signed
                    .load()
                    .signed_at
                    .0
                    .saturating_add(METADATA_SECS / 2)
            {
                continue;
            }
            match served.sign(now).await {
                Ok(signed) => served.signed.store(Arc::new(signed)),
                Err(error) => {
                    tracing::error!(%error, community = %served.community.uri, "metadata could not be signed")
                }
            }
        }
    }
}

impl Served {
    async fn new(
        community: Community,
        certifications: Certifications,
        setup: &CommunitySetup,
        chain: Vec<Certificate>,
        signer: KeySigner,
    ) -> Result<Self, StartError> {
        let uri = community.uri.as_str().to_owned();
        let failed = |code, problem: String| StartError::Identity {
            community: uri.clone(),
            code,
            problem,
        };
        let leaf = chain.first().ok_or_else(|| no_certificate(&uri))?;
        if !leaf.uri_names().contains(&setup.base_url) {
            let names = leaf.uri_names().join(", ");
            return Err(failed(
                "san-uri-mismatch",
                format!(
                    "the certificate names {names}, not the base URL {}",
                    setup.base_url
                ),
            ));
        }
        // HL7 SSRAA §2.3: signed_metadata shall be signed with RS256.
        if signer.jws_alg() != JwsAlg::RS256 {
            return Err(failed(
                "identity-not-rsa",
                "signed metadata is signed with RS256, which needs an RSA key".to_owned(),
            ));
        }
        let metadata = Metadata {
            profiles: vec!["udap_dcr", "udap_authn", "udap_authz"],
            extensions_supported: udap_proto::extensions::SUPPORTED
                .map(str::to_owned)
                .to_vec(),
            extensions_required: vec![udap_proto::extensions::hl7_b2b::KEY.to_owned()],
            certifications_supported: certifications.supported.clone(),
            certifications_required: certifications.required.clone(),
            grant_types: vec!["client_credentials"],
            scopes: setup.scopes_supported.clone(),
            authorization_endpoint: None,
            token_endpoint: setup.token_endpoint.clone(),
            registration_endpoint: setup.registration_endpoint.clone(),
            token_algs: community.algorithms.clone(),
            registration_algs: community.algorithms.clone(),
        };
        let unsigned = SignedMetadata {
            json: Bytes::new(),
            signed_at: UnixTime(0),
        };
        let served = Self {
            base_url: setup.base_url.clone(),
            community,
            certifications,
            chain,
            signer,
            metadata,
            signed: ArcSwap::from_pointee(unsigned),
        };
        let signed = served.sign(udap_trust::clock::now()).await?;
        served.signed.store(Arc::new(signed));
        Ok(served)
    }

    pub(crate) fn metadata_json(&self) -> Bytes {
        self.signed.load().json.clone()
    }

    async fn sign(&self, now: UnixTime) -> Result<SignedMetadata, StartError> {
        // Never beyond the certificate: the signature would outlive the trust in it.
        let not_after = self.chain.first().map_or(now, Certificate::not_after);
        let exp = now.plus_secs(METADATA_SECS).min(not_after);
        let unsigned = self.metadata.unsigned(
            JwsAlg::RS256,
            &self.chain,
            &self.base_url,
            now,
            exp,
            &random::id(),
        );
        let signed = sign_jws(&self.signer, JwsAlg::RS256, unsigned)
            .await
            .map_err(|e| StartError::Identity {
                community: self.community.uri.as_str().to_owned(),
                code: e.code(),
                problem: e.to_string(),
            })?;
        let json = serde_json::Value::Object(self.metadata.to_json(&signed)).to_string();
        Ok(SignedMetadata {
            json: json.into(),
            signed_at: now,
        })
    }
}

/// The name of a community's certifiers among the worlds of trust. It is no URI, so no community has
/// it.
fn certifiers_of(community: &str) -> String {
    format!("certifiers of {community}")
}

/// Whom a community trusts, by its files.
///
/// # Errors
/// [`StartError::Unusable`]
pub fn community_trust(configured: &config::Community) -> Result<CommunityTrust, StartError> {
    let mut trust = CommunityTrust::new(&configured.uri, Vec::new());
    for certificate in read_all(&configured.anchors)? {
        trust.anchors.push(Anchor::new(certificate));
    }
    trust.intermediates = read_all(&configured.intermediates)?;
    trust.policy = Policy {
        revocation: configured.revocation,
        grace_secs: configured.grace_secs,
        ..Policy::default()
    };
    Ok(trust)
}

/// The data holder's certificates in a community, leaf first, and the key, which belongs to the leaf.
///
/// # Errors
/// [`StartError`] for files that cannot be used, and for a key of another certificate.
pub fn identity(
    configured: &config::Community,
) -> Result<(Vec<Certificate>, KeySigner), StartError> {
    let failed = |code, problem: String| StartError::Identity {
        community: configured.uri.clone(),
        code,
        problem,
    };
    let key = configured.identity.key.read()?;
    let signer = KeySigner::from_pem(&key).map_err(|e| failed(e.code(), e.to_string()))?;
    let chain = read(&configured.identity.cert)?;
    let leaf = chain
        .first()
        .ok_or_else(|| no_certificate(&configured.uri))?;
    if leaf.spki_der() != signer.public_key().spki_der() {
        return Err(failed(
            "community-key-mismatch",
            "the key does not belong to the first certificate".to_owned(),
        ));
    }
    Ok((chain, signer))
}

fn no_certificate(community: &str) -> StartError {
    StartError::Identity {
        community: community.to_owned(),
        code: "config-certificate-file",
        problem: "the identity has no certificate".to_owned(),
    }
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Certificate>, StartError> {
    paths
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>, _>>()
        .map(|lists| lists.concat())
}

fn read(path: &Path) -> Result<Vec<Certificate>, StartError> {
    let unusable = |code, detail: String| StartError::Unusable {
        path: path.to_owned(),
        code,
        detail,
    };
    let bytes = std::fs::read(path).map_err(|e| unusable("config-unreadable", e.to_string()))?;
    pem::certificates(&bytes).map_err(|e| unusable("config-certificate-file", e.to_string()))
}
