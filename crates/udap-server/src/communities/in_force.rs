//! What a bundle in force does to its community, and what the operator has to know of it.
//!
//! `docs/decisions/bundles.md` says what a bundle may change and what it may not.

use super::Served;
use super::files::Cas;
use super::reload::Trouble;
use crate::app::{StartError, short};
use serde_json::Value;
use std::sync::Arc;
use udap_host::config::{self, BundleSigner, FollowAnchors, Layers};
use udap_pki::{Anchor, Certificate, Revocation, UnixTime};
use udap_proto::Refusal as _;
use udap_proto::bundle::Verified;
use udap_proto::community::{Community, CommunityError, Definition};
use udap_trust::verify::CommunityTrust;

/// A bundle in force, and until when it counts.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    pub(super) bundle: Arc<Verified>,
    pub(super) ends: UnixTime,
    /// By what it was taken.
    pub(super) signer: BundleSigner,
}

impl PartialEq for InForce {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bundle, &other.bundle) && self.ends == other.ends
    }
}

impl InForce {
    pub(super) fn new(
        bundle: Verified,
        settings: &config::Bundle,
        ended: Option<UnixTime>,
    ) -> Self {
        let exp = bundle.exp();
        Self {
            ends: ended.map_or(exp, |ended| ended.min(exp)),
            bundle: Arc::new(bundle),
            signer: settings.signer.clone(),
        }
    }

    /// A community's settings with the bundle's rules between what the operator set, which wins, and what
    /// stands under it. They stay in force when the bundle has ended: rules are not trust.
    ///
    /// What makes trust wider is not taken from a bundle: revocation is asked about as strictly as before
    /// or more so, and no list counts for longer after its end. Where anchors are not followed, neither is
    /// whose certifications and ID tokens count; rules of extension objects that are known here, and
    /// whatever else the operator's own description or the profile demands, stay as they are ([`held`]).
    pub(super) fn rules_over(
        &self,
        configured: &config::Community,
    ) -> Result<config::Community, StartError> {
        let unusable = |error: CommunityError| StartError::Identity {
            community: configured.uri.clone(),
            code: error.code(),
            problem: format!("the rules of its bundle cannot be used: {error}"),
        };
        let Layers { own, base } = &configured.layers;
        let rules = Definition::from_map(self.bundle.rules());
        let mut rules = rules.on_its_profile().map_err(unusable)?;
        if !follows(configured) {
            without_known_objects(&mut rules, &configured.layers);
        }
        let mut rules = rules.over(base.clone());
        if !follows(configured) {
            rules = held(configured).over(rules);
        }
        let rules = own.clone().over(rules);
        let mut rules = Community::read(rules).map_err(unusable)?;
        let mut ruled = configured.clone();
        rules.revocation = stricter(rules.revocation, configured.revocation);
        rules.grace_secs = rules.grace_secs.min(configured.grace_secs);
        if !follows(configured) {
            rules
                .credential_providers
                .clone_from(&configured.rules.credential_providers);
            let (known, new) = (&configured.rules.certifications, &mut rules.certifications);
            new.self_signed.clone_from(&known.self_signed);
            new.certifiers.clone_from(&known.certifiers);
            new.claims.clone_from(&known.claims);
            for (known, new) in [
                (&known.supported, &mut new.supported),
                (&known.required, &mut new.required),
            ] {
                let missing = known.iter().filter(|uri| !new.contains(uri));
                let missing: Vec<_> = missing.cloned().collect();
                new.extend(missing);
            }
        }
        ruled.revocation = rules.revocation;
        ruled.grace_secs = rules.grace_secs;
        let certifications = rules.certifications.clone();
        ruled.certifications.supported = certifications.supported;
        ruled.certifications.required = certifications.required;
        ruled.certifications.self_signed = certifications.self_signed;
        ruled.certifications.certifiers = certifications.certifiers;
        ruled.rules = Arc::new(rules);
        Ok(ruled)
    }

    /// The same, ended.
    pub(super) fn ended(self, now: UnixTime) -> Self {
        Self { ends: now, ..self }
    }

    pub(super) fn has_ended(&self, now: UnixTime) -> bool {
        now >= self.ends
    }
}

/// Whether certificates that the community names count.
pub(super) fn follows(configured: &config::Community) -> bool {
    let follow = configured.bundle.as_ref().map(|settings| settings.anchors);
    follow == Some(FollowAnchors::Follow)
}

/// What a bundle does to whom a community trusts; which of its certificates are left out, since they
/// concern other communities, whose CAs those of `foreign` are by configuration.
pub(super) fn apply(
    configured: &config::Community,
    InForce { bundle, ends, .. }: &InForce,
    foreign: &Cas,
    now: UnixTime,
    members: &mut CommunityTrust,
    certifiers: &mut CommunityTrust,
) -> Vec<Certificate> {
    // Intermediates are trusted by nobody, but one for a CA of another community would let its members in
    // here, or make it undecided whose they are.
    if !follows(configured) {
        return Vec::new();
    }
    let own = Cas::of(members);
    let mut left_out = Vec::new();
    let mut own_or_free = |named: &[Certificate], own: &[Certificate]| -> Vec<Certificate> {
        let (free, others): (Vec<_>, Vec<_>) = named
            .iter()
            .cloned()
            .partition(|named| own.contains(named) || !foreign.concern(named));
        left_out.extend(others);
        free
    };
    let mut anchors = own_or_free(bundle.anchors(), &own.anchors);
    // What is no CA is one member, and nobody can tell of which community: only the operator may say so.
    anchors.retain(|named| named.is_ca() || own.anchors.contains(named));
    let intermediates = own_or_free(bundle.intermediates(), &own.intermediates);
    members.intermediates.extend(intermediates);
    certifiers.intermediates.clone_from(&members.intermediates);
    for (trust, named, counts) in [
        (members, bundle.anchors(), anchors.as_slice()),
        (
            certifiers,
            bundle.certifier_anchors(),
            bundle.certifier_anchors(),
        ),
    ] {
        if now >= *ends {
            // Trust that rests upon a bundle ends with it: whoever withholds the next one must not keep an
            // anchor alive that the community took back.
            trust.anchors.clear();
        } else if !named.is_empty() {
            trust.anchors = counts.iter().cloned().map(Anchor::new).collect();
        }
    }
    left_out
}

/// In words, which certificates of a bundle concern other communities.
pub(super) fn of_others(left_out: &[Certificate]) -> String {
    let names: Vec<_> = left_out
        .iter()
        .map(|ca| format!("{} (SHA-256 {})", ca.subject(), hex(ca.sha256())))
        .collect();
    let names = names.join(", ");
    short(&format!(
        "its bundle names CAs of another community: {names}"
    ))
}

/// What the operator has to know of a bundle in force: that it has ended, or that the community names
/// other anchors than those that count.
pub(super) fn notice(served: &Served, now: UnixTime) -> Option<Trouble> {
    let InForce { bundle, ends, .. } = served.bundle.as_ref()?;
    let trouble = |code, detail| {
        Some(Trouble {
            community: Some(served.configured.uri.clone()),
            code,
            detail,
        })
    };
    if now >= *ends {
        let sequence = bundle.sequence();
        return trouble(
            "bundle-lapsed",
            format!("bundle {sequence} ended at {ends}, and there is no newer one"),
        );
    }
    if !served.left_out.is_empty() {
        return trouble("config-shared-anchor", of_others(&served.left_out));
    }
    let missing = |named: &[Certificate], trust: &CommunityTrust| {
        let other: Vec<_> = named
            .iter()
            .filter(|new| {
                !trust
                    .anchors
                    .iter()
                    .any(|known| known.certificate() == *new)
            })
            .map(|new| format!("{} (SHA-256 {})", new.subject(), hex(new.sha256())))
            .collect();
        other.join(", ")
    };
    let [members, certifiers, ..] = served.trusts.as_slice() else {
        return None;
    };
    let proposed = [
        missing(bundle.anchors(), members),
        missing(bundle.certifier_anchors(), certifiers),
    ];
    if proposed.iter().all(String::is_empty) {
        return None;
    }
    let [members, certifiers] = proposed;
    let mut detail = format!(
        "bundle {} names anchors that do not count here",
        bundle.sequence()
    );
    for (of, named) in [("members", members), ("certifiers", certifiers)] {
        if !named.is_empty() {
            detail += &format!("; for {of}: {named}");
        }
    }
    trouble("bundle-anchors-proposed", short(&detail))
}

/// What a bundle that is not followed lies under although the operator did not set it by itself: the
/// description that they named, or what its profile demands. Certifications, revocation and grace are
/// judged one by one.
fn held(configured: &config::Community) -> Definition {
    let mut held = configured.layers.base.clone();
    let free: &[&str] = match configured.definition {
        Some(_) => &["certifications", "revocation", "grace_secs"],
        None => &[
            "certifications",
            "revocation",
            "grace_secs",
            "guide",
            "algorithms",
            "title",
            "source",
            "draft",
        ],
    };
    for key in free {
        held.as_map_mut().remove(*key);
    }
    held
}

/// Not even in part: what is not said of an object has a default, which may be the stricter rule.
fn without_known_objects(rules: &mut Definition, Layers { own, base }: &Layers) {
    let objects = "extensions";
    let known = |name: &str| {
        [own, base].into_iter().any(|layer| {
            let known = layer.as_map().get(objects);
            known.is_some_and(|known| known.get(name).is_some())
        })
    };
    if let Some(Value::Object(named)) = rules.as_map_mut().get_mut(objects) {
        named.retain(|name, _| !known(name));
    }
}

fn stricter(one: Revocation, other: Revocation) -> Revocation {
    let order = |revocation| match revocation {
        Revocation::Off => 0,
        Revocation::Prefer => 1,
        Revocation::WhereNamed => 2,
        Revocation::Require => 3,
    };
    if order(one) >= order(other) {
        one
    } else {
        other
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
