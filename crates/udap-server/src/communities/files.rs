//! What the files of a community say: whom it trusts, and who this data holder is in it.

use crate::app::StartError;
use std::path::PathBuf;
use udap_host::config::{self, Certificates, Identity};
use udap_pki::{Anchor, Certificate, Policy};
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::verify::CommunityTrust;

/// Whom a community trusts, by its files.
///
/// # Errors
/// [`StartError::Config`]
pub fn community_trust(configured: &config::Community) -> Result<CommunityTrust, StartError> {
    let mut trust = CommunityTrust::new(&configured.uri, Vec::new());
    for certificate in certificates(&configured.anchors)? {
        trust.anchors.push(Anchor::new(certificate));
    }
    trust.intermediates = certificates(&configured.intermediates)?;
    trust.policy = Policy {
        revocation: configured.revocation,
        grace_secs: configured.grace_secs,
        ..Policy::default()
    };
    Ok(trust)
}

/// The CAs that the configuration has for members.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cas {
    pub(super) anchors: Vec<Certificate>,
    pub(super) intermediates: Vec<Certificate>,
}

impl Cas {
    /// Those of one community, by its files.
    pub(super) fn of(files: &CommunityTrust) -> Self {
        let anchors = files.anchors.iter().map(Anchor::certificate);
        Self {
            anchors: anchors.cloned().collect(),
            intermediates: files.intermediates.clone(),
        }
    }

    /// Those of several.
    pub(super) fn all<'a>(several: impl IntoIterator<Item = &'a Self>) -> Self {
        several.into_iter().fold(Self::default(), |mut all, one| {
            all.anchors.extend(one.anchors.iter().cloned());
            all.intermediates.extend(one.intermediates.iter().cloned());
            all
        })
    }

    /// Whether a certificate has the key of one of them, or one of them issued it: who trusts it trusts
    /// whom they vouch for.
    pub(super) fn concern(&self, certificate: &Certificate) -> bool {
        let mut all = self.anchors.iter().chain(&self.intermediates);
        has_key(all.clone(), certificate) || all.any(|ca| has_issued(ca, certificate))
    }
}

/// Whether one of them is about the key of a certificate.
pub(super) fn has_key<'a>(
    known: impl IntoIterator<Item = &'a Certificate>,
    certificate: &Certificate,
) -> bool {
    let mut known = known.into_iter();
    known.any(|known| known.spki_der() == certificate.spki_der())
}

fn has_issued(ca: &Certificate, certificate: &Certificate) -> bool {
    let (Ok(key), Ok(scheme)) = (ca.public_key(), certificate.signature_scheme()) else {
        return false;
    };
    certificate.issuer() == ca.subject()
        && key
            .verify(scheme, certificate.tbs_der(), certificate.signature())
            .is_ok()
}

/// Whom a community trusts to certify: a world of its own, in which no anchor of members counts.
pub(super) fn certifier_trust(
    configured: &config::Community,
    members: &CommunityTrust,
) -> Result<CommunityTrust, StartError> {
    let mut certifiers = CommunityTrust {
        uri: certifiers_of(&configured.uri),
        anchors: Vec::new(),
        ..members.clone()
    };
    for certificate in certificates(&configured.certifications.anchors)? {
        certifiers.anchors.push(Anchor::new(certificate));
    }
    Ok(certifiers)
}

/// The name of a community's certifiers among the worlds of trust. It is no URI, so no community has
/// it.
pub(crate) fn certifiers_of(community: &str) -> String {
    format!("certifiers of {community}")
}

/// The data holder's certificates in a community, leaf first, and the key, which belongs to the leaf.
///
/// # Errors
/// [`StartError`] for files that cannot be used, and for a key of another certificate.
pub fn identity(
    community: &str,
    identity: &Identity,
) -> Result<(Vec<Certificate>, KeySigner), StartError> {
    let failed = |code, problem: String| StartError::Identity {
        community: community.to_owned(),
        code,
        problem,
    };
    let key = identity.key.read()?;
    let signer = KeySigner::from_pem(&key).map_err(|e| failed(e.code(), e.to_string()))?;
    let chain = Certificates::File(identity.cert.clone()).read()?;
    let Some(leaf) = chain.first() else {
        let problem = "the identity has no certificate".to_owned();
        return Err(failed("config-certificate-file", problem));
    };
    if leaf.spki_der() != signer.public_key().spki_der() {
        return Err(failed(
            "community-key-mismatch",
            "the key does not belong to the first certificate".to_owned(),
        ));
    }
    Ok((chain, signer))
}

/// The same of files.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Certificate>, StartError> {
    let files: Vec<_> = paths.iter().cloned().map(Certificates::File).collect();
    certificates(&files)
}

pub(crate) fn certificates(from: &[Certificates]) -> Result<Vec<Certificate>, StartError> {
    let mut all = Vec::new();
    for certificates in from {
        all.extend(certificates.read()?);
    }
    Ok(all)
}
