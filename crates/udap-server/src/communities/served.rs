//! One community, and this data holder's metadata in it: signed in advance, for each FHIR base URL.

use super::files::{Cas, has_key};
use super::in_force::{self, InForce};
use crate::app::StartError;
use crate::base::Places;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::Arc;
use udap_host::config::{self, Binding, Certifications};
use udap_pki::{Anchor, Certificate, UnixTime};
use udap_proto::community::{Community, Demand, IdentityChain, Status};
use udap_proto::jws::JwsAlg;
use udap_proto::metadata::Metadata;
use udap_proto::registration::Method;
use udap_proto::scope::ScopeSet;
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _, sign_jws};
use udap_trust::verify::CommunityTrust;

/// How long signed metadata holds, in seconds. It is signed again when half of that has passed.
const METADATA_SECS: i64 = 24 * 3600;

/// One community and this data holder's place in it. It does not change: what changes is replaced as a
/// whole.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) community: Arc<Community>,
    /// Which certifications count here.
    pub(crate) certifications: Certifications,
    /// What it was made of.
    pub(super) configured: config::Community,
    /// Whom it trusts: members, certifiers, and who signs its bundles.
    pub(super) trusts: Vec<CommunityTrust>,
    /// The CAs that the configuration has for its members.
    pub(super) own: Cas,
    /// Those of other communities, which its bundle must leave alone; none where no bundle is followed.
    pub(super) foreign: Cas,
    /// What its bundle names and does not count, since it is theirs.
    pub(super) left_out: Vec<Certificate>,
    /// The community's bundle, if one is in force or was.
    pub(super) bundle: Option<InForce>,
    /// Whether it had ended when this was made.
    pub(super) lapsed: bool,
    /// One for each base URL, in their order.
    faces: Vec<Face>,
}

/// What is said in a community of one base URL.
#[derive(Debug)]
struct Face {
    base_url: String,
    chain: Vec<Certificate>,
    signer: KeySigner,
    metadata: Metadata,
    /// None while the certificate is not valid.
    signed: ArcSwapOption<SignedMetadata>,
}

/// The answer to a metadata request, made in advance.
#[derive(Debug)]
struct SignedMetadata {
    json: Bytes,
    signed_at: UnixTime,
    ends: UnixTime,
}

/// Why there is no metadata: it would rest upon a certificate that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdentityExpired;

impl Served {
    /// Reads the files of a community and signs its metadata.
    pub(super) async fn open(
        configured: &config::Community,
        bundle: Option<InForce>,
        foreign: Cas,
        places: &[Places],
        scopes: &[String],
        now: UnixTime,
    ) -> Result<Self, StartError> {
        // By its bundle's rules, if one is or was in force.
        let by_bundle = bundle.as_ref().map(|bundle| bundle.rules_over(configured));
        let by_bundle = by_bundle.transpose()?;
        let ruled = by_bundle.as_ref().unwrap_or(configured);
        let mut members = super::files::community_trust(ruled)?;
        let mut certifiers = super::files::certifier_trust(ruled, &members)?;
        let signers = super::bundles::signer_trust(configured, &members)?;
        let own = Cas::of(&members);
        let left_out = bundle.as_ref().map(|bundle| {
            let trusts = (&mut members, &mut certifiers);
            in_force::apply(configured, bundle, &foreign, now, trusts.0, trusts.1)
        });
        let community = Arc::clone(&ruled.rules);
        if community.status == Status::Draft {
            let source = community.source.as_deref().unwrap_or_default();
            let community = &configured.uri;
            tracing::warn!(community, source, "the rules of this community are a draft");
        }
        let mut identities = Vec::new();
        for identity in &configured.identities {
            identities.push(super::files::identity(&configured.uri, identity)?);
        }
        let mut faces = Vec::new();
        for place in places {
            let identity = identity_of(&configured.uri, &community, &identities, &place.base_url)?;
            faces.push(Face::new(ruled, &community, place, scopes, identity));
        }
        for face in &faces {
            face.sign_if_due(&configured.uri, now).await?;
        }
        Ok(Self {
            community,
            certifications: ruled.certifications.clone(),
            configured: configured.clone(),
            trusts: [members, certifiers].into_iter().chain(signers).collect(),
            lapsed: bundle.as_ref().is_some_and(|bundle| bundle.has_ended(now)),
            own,
            foreign,
            left_out: left_out.unwrap_or_default(),
            bundle,
            faces,
        })
    }

    /// The CAs of other communities that a bundle of this one must leave alone.
    pub(super) fn foreign(configured: &config::Community, others: &[Arc<Self>]) -> Cas {
        if !in_force::follows(configured) {
            return Cas::default();
        }
        Cas::all(others.iter().map(|other| &other.own))
    }

    /// No member of this community may be one of another, and no member a certifier unless that is said:
    /// as when the configuration is read, and on the very certificates that will count. What is configured
    /// never gives way to another community's bundle.
    pub(super) fn unambiguous(&self, others: &[Arc<Self>]) -> Result<(), StartError> {
        let [members, certifiers, ..] = self.trusts.as_slice() else {
            return Ok(());
        };
        let failed = |code, problem: String| StartError::Identity {
            community: self.configured.uri.clone(),
            code,
            problem,
        };
        let shared = |ca: &Certificate, with: &dyn Fn(&Self) -> bool| {
            let Some(other) = others.iter().find(|other| with(other)) else {
                return Ok(());
            };
            let (ca, other) = (ca.subject(), &other.configured.uri);
            let problem = format!("its CA {ca} is also that of `{other}`");
            Err(failed("config-shared-anchor", problem))
        };
        for anchor in members.anchors.iter().map(Anchor::certificate) {
            if has_key(&self.own.anchors, anchor) {
                shared(anchor, &|other| has_key(&other.own.anchors, anchor))?;
            } else {
                shared(anchor, &|other| other.counts(anchor))?;
            }
            let certifiers = certifiers.anchors.iter().map(Anchor::certificate);
            if self.certifications.certifiers.is_empty() && has_key(certifiers, anchor) {
                let anchor = anchor.subject();
                let problem = format!(
                    "{anchor} vouches for members and for certifiers, and the certifiers are not named"
                );
                return Err(failed("config-certifiers-unnamed", problem));
            }
        }
        for intermediate in &members.intermediates {
            if !has_key(&self.own.intermediates, intermediate) {
                shared(intermediate, &|other| other.counts(intermediate))?;
            }
        }
        Ok(())
    }

    /// Whether the key of a certificate is one by which members of this community are known.
    fn counts(&self, ca: &Certificate) -> bool {
        self.trusts.first().is_some_and(|members| {
            has_key(members.anchors.iter().map(Anchor::certificate), ca)
                || has_key(&members.intermediates, ca)
        })
    }

    /// The metadata of one base URL.
    pub(crate) fn metadata(&self, base: usize, now: UnixTime) -> Result<Bytes, IdentityExpired> {
        let face = self.faces.get(base).ok_or(IdentityExpired)?;
        match &*face.signed.load() {
            Some(signed) if now.0 < signed.ends.0 => Ok(signed.json.clone()),
            _ => Err(IdentityExpired),
        }
    }

    /// What its tokens may or must be bound to.
    pub(crate) const fn binding(&self) -> Binding {
        self.configured.binding
    }

    /// The data holder's certificates here, each once.
    pub(crate) fn identities(&self) -> impl Iterator<Item = &Certificate> {
        let leaf = |at: usize| self.faces.get(at).and_then(|face| face.chain.first());
        let before = move |at: usize| (0..at).filter_map(leaf);
        (0..self.faces.len())
            .filter_map(move |at| leaf(at).filter(|one| before(at).all(|other| other != *one)))
    }

    /// URIs of members that are told about every access token (RFC 7662 §4).
    pub(crate) fn resource_servers(&self) -> &[String] {
        &self.configured.resource_servers
    }

    /// URIs of members whose authorization assertions count; mostly nobody's.
    pub(crate) fn assertion_issuers(&self) -> &[String] {
        &self.configured.assertion_issuers
    }

    /// Signs metadata again when half its time has passed.
    pub(super) async fn sign_again(&self, now: UnixTime) {
        let community = &self.configured.uri;
        for face in &self.faces {
            if let Err(error) = face.sign_if_due(community, now).await {
                tracing::error!(%error, community, "metadata could not be signed");
            }
        }
    }

    /// The base URL for which there is no metadata, if there is one.
    pub(super) fn without_metadata(&self, now: UnixTime) -> Option<&str> {
        let faces = self.faces.iter().enumerate();
        let mut without = faces.filter(|(at, _)| self.metadata(*at, now).is_err());
        without.next().map(|(_, face)| face.base_url.as_str())
    }
}

/// The scopes of this data holder that a community's ceiling leaves, as they are written.
fn within(scopes: &[String], ceiling: Option<&ScopeSet>) -> Vec<String> {
    let Some(ceiling) = ceiling else {
        return scopes.to_vec();
    };
    // Of one scope no more can be left than the ceiling has.
    let under = |scope: &String| ScopeSet::parse(scope).under(ceiling);
    scopes
        .iter()
        .flat_map(|scope| {
            let left = under(scope).unwrap_or_default();
            left.iter().map(ToString::to_string).collect::<Vec<_>>()
        })
        .collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The identity whose certificate names a base URL; of several, the one that lasts longest.
fn identity_of<'a>(
    community: &str,
    rules: &Community,
    identities: &'a [(Vec<Certificate>, KeySigner)],
    base_url: &str,
) -> Result<&'a (Vec<Certificate>, KeySigner), StartError> {
    let failed = |code, problem: String| StartError::Identity {
        community: community.to_owned(),
        code,
        problem,
    };
    let names = |(chain, _): &&(Vec<Certificate>, KeySigner)| {
        let leaf = chain.first();
        leaf.is_some_and(|leaf| leaf.uri_names().iter().any(|name| name == base_url))
    };
    let ends = |(chain, _): &&(Vec<Certificate>, KeySigner)| {
        chain.first().map_or(UnixTime(0), Certificate::not_after)
    };
    let Some(identity) = identities.iter().filter(names).max_by_key(ends) else {
        let names: Vec<_> = identities
            .iter()
            .filter_map(|(chain, _)| chain.first())
            .map(|leaf| leaf.uri_names().join(", "))
            .collect();
        let names = names.join(", ");
        return Err(failed(
            "san-uri-mismatch",
            format!("the certificate names {names}, not the base URL {base_url}"),
        ));
    };
    // HL7 SSRAA §2.3: signed_metadata shall be signed with RS256, since 1.1.
    let alg = identity.1.jws_alg();
    if alg != JwsAlg::RS256 && rules.guide.metadata_in_rs256() == Demand::Required {
        return Err(failed(
            "identity-not-rsa",
            "signed metadata is signed with RS256, which needs an RSA key".to_owned(),
        ));
    }
    if !rules.algorithms.contains(&alg) {
        return Err(failed(
            "identity-algorithm",
            format!(
                "the key signs with {}, which the community does not have",
                alg.as_str()
            ),
        ));
    }
    let issuer = identity.0.get(1).map(Certificate::subject);
    let issuer_of_leaf = identity.0.first().map(Certificate::issuer);
    if rules.registration.identity == IdentityChain::LeafAndIssuer && issuer != issuer_of_leaf {
        return Err(failed(
            "identity-without-issuer",
            "behind the certificate its issuer's must come, and does not".to_owned(),
        ));
    }
    Ok(identity)
}

impl Face {
    fn new(
        configured: &config::Community,
        community: &Community,
        place: &Places,
        scopes: &[String],
        (chain, signer): &(Vec<Certificate>, KeySigner),
    ) -> Self {
        let certifications = &configured.certifications;
        let metadata = Metadata {
            profiles: vec!["udap_dcr", "udap_authn", "udap_authz"],
            extensions_supported: texts(&community.extensions.supported()),
            extensions_required: texts(&community.extensions.required()),
            certifications_supported: certifications.supported.clone(),
            certifications_required: certifications.required.clone(),
            grant_types: super::grant_types(&configured.assertion_issuers),
            scopes: within(scopes, community.scopes.as_ref()),
            authorization_endpoint: None,
            token_endpoint: place.token_endpoint.clone(),
            registration_endpoint: place.registration_endpoint.clone(),
            auth_methods: Method::offered(configured.binding.tls_client_auth),
            token_algs: community.algorithms.clone(),
            registration_algs: community.algorithms.clone(),
        };
        Self {
            base_url: place.base_url.clone(),
            chain: chain.clone(),
            signer: signer.clone(),
            metadata,
            signed: ArcSwapOption::empty(),
        }
    }

    async fn sign_if_due(&self, community: &str, now: UnixTime) -> Result<(), StartError> {
        if let Some(signed) = &*self.signed.load()
            && now.0 < signed.signed_at.0.saturating_add(METADATA_SECS / 2)
        {
            return Ok(());
        }
        // Never beyond the certificate: the signature would outlive the trust in it.
        let not_after = self.chain.first().map_or(now, Certificate::not_after);
        let ends = now.plus_secs(METADATA_SECS).min(not_after);
        if ends <= now {
            return Ok(());
        }
        let alg = self.signer.jws_alg();
        let unsigned =
            self.metadata
                .unsigned(alg, &self.chain, &self.base_url, now, ends, &random::id());
        let signed =
            sign_jws(&self.signer, alg, unsigned)
                .await
                .map_err(|e| StartError::Identity {
                    community: community.to_owned(),
                    code: e.code(),
                    problem: e.to_string(),
                })?;
        let json = serde_json::Value::Object(self.metadata.to_json(&signed)).to_string();
        self.signed.store(Some(Arc::new(SignedMetadata {
            json: json.into(),
            signed_at: now,
            ends,
        })));
        Ok(())
    }
}
