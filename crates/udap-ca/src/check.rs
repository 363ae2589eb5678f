use udap_pki::{
    Anchor, Certificate, Evidence, Outcome, Policy, Purpose, Request, Revocation, UnixTime,
    issue::{self, CertificateSpec, Profile, ToBeSigned},
    lint,
};

use crate::{CaError, CaKeyType, authority::Authority, keys::SigningKey};

/// Signs a certificate that `authority` issues: with a throwaway key first, which is linted and
/// verified, and only then with the real one. A mistake in building never becomes a certificate.
pub(crate) async fn sign_certificate(
    spec: &CertificateSpec<'_>,
    authority: &Authority,
    stand_in: &StandIn,
) -> Result<Certificate, CaError> {
    let to_be_signed = issue::certificate(spec)?;
    let rehearsed = finish(&to_be_signed, &stand_in.key).await?;
    passes_lint(&rehearsed, spec.profile, Some(&authority.certificate))?;
    verifies(&rehearsed, spec.profile, &stand_in.anchor)?;
    finish(&to_be_signed, &authority.key).await
}

/// Signs a root with its own key. Another key cannot rehearse a self-signed certificate, since the
/// key is in it; it is linted and verified before it is kept.
pub(crate) async fn sign_root(
    spec: &CertificateSpec<'_>,
    key: &SigningKey,
) -> Result<Certificate, CaError> {
    let to_be_signed = issue::certificate(spec)?;
    let root = finish(&to_be_signed, key).await?;
    passes_lint(&root, spec.profile, None)?;
    verifies(&root, spec.profile, &root)?;
    Ok(root)
}

/// A throwaway key with a certificate that looks like an authority's: the same name and the same
/// key identifier, so that what it signs verifies as the real thing would.
#[derive(Debug)]
pub(crate) struct StandIn {
    key: SigningKey,
    anchor: Certificate,
}

impl StandIn {
    pub(crate) async fn of(
        certificate: &Certificate,
        key_type: CaKeyType,
    ) -> Result<Self, CaError> {
        let key = SigningKey::generate("throwaway", key_type).await?;
        let anchor = finish(
            &issue::stand_in(certificate, key.spki_der(), key.algorithm())?,
            &key,
        )
        .await?;
        Ok(Self { key, anchor })
    }
}

pub(crate) async fn finish(
    to_be_signed: &ToBeSigned,
    key: &SigningKey,
) -> Result<Certificate, CaError> {
    let signature = key.sign(to_be_signed).await?;
    Ok(Certificate::from_der(&to_be_signed.finish(&signature)?)?)
}

fn passes_lint(
    certificate: &Certificate,
    profile: Profile,
    issuer: Option<&Certificate>,
) -> Result<(), CaError> {
    let findings = lint::lint(certificate, profile, issuer);
    if findings.is_empty() {
        Ok(())
    } else {
        Err(CaError::Lint { findings })
    }
}

/// Asks the one judge of trust. Certificates may be made for the past or the future, so the time is
/// the first at which issuer and certificate are both valid.
fn verifies(
    certificate: &Certificate,
    profile: Profile,
    anchor: &Certificate,
) -> Result<(), CaError> {
    let now = certificate.not_before().max(anchor.not_before());
    if now > certificate.not_after() {
        return Err(CaError::NeverValid {
            not_after: certificate.not_after(),
            issuer_not_before: anchor.not_before(),
        });
    }
    let anchors = [Anchor::new(anchor.clone())];
    let outcome = udap_pki::verify(&Request {
        leaf: certificate,
        intermediates: &[],
        anchors: &anchors,
        evidence: &Evidence::default(),
        now,
        policy: &policy(profile),
    });
    match outcome {
        Outcome::Valid(_) => Ok(()),
        Outcome::Invalid(invalid) => Err(CaError::SelfCheck {
            reason: invalid.reason.to_string(),
        }),
        Outcome::Incomplete(incomplete) => Err(CaError::SelfCheck {
            reason: incomplete.reason.to_string(),
        }),
    }
}

/// A certificate that does not exist yet cannot be revoked.
fn policy(profile: Profile) -> Policy {
    let purpose = match profile {
        Profile::Root | Profile::IssuingCa => Purpose::Any,
        Profile::DataHolder | Profile::App | Profile::IdentityProvider => Purpose::JwtSigner,
        Profile::TlsServer => Purpose::TlsServer,
        Profile::OcspSigner => Purpose::OcspSigner,
    };
    Policy {
        revocation: Revocation::Off,
        purpose,
        ..Policy::default()
    }
}

/// A serial number of 16 random bytes whose first bit is never set and whose first byte is never
/// zero, so that it always has 16 octets.
pub(crate) fn random_serial() -> [u8; 16] {
    let mut serial: [u8; 16] = udap_trust::random::bytes();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

pub(crate) fn serial_hex(serial: &[u8]) -> String {
    use std::fmt::Write as _;
    let significant = serial
        .iter()
        .position(|b| *b != 0)
        .map_or(&[][..], |at| &serial[at..]);
    significant.iter().fold(
        String::with_capacity(2 * significant.len()),
        |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        },
    )
}

/// The bytes of a serial number as the store keeps it.
pub(crate) fn serial_bytes(hex: &str) -> Option<Vec<u8>> {
    let even = if hex.len().is_multiple_of(2) {
        hex.to_owned()
    } else {
        format!("0{hex}")
    };
    if even.is_empty() || !even.is_ascii() {
        return None;
    }
    (0..even.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&even[at..at + 2], 16).ok())
        .collect()
}

pub(crate) fn now_is_within(certificate: &Certificate, now: UnixTime) -> bool {
    certificate.not_before() <= now && now <= certificate.not_after()
}
