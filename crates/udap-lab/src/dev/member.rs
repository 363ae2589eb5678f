//! A certificate and its key, as two files: taken as they are while they serve, made anew otherwise.

use std::path::{Path, PathBuf};

use udap_ca::{Ca, CaError, IssueOptions, Issued, MemberKey, Validity};
use udap_host::files::read_private;
use udap_pki::{
    Certificate, UnixTime,
    issue::{Profile, RevocationReason},
    pem,
};
use udap_trust::{
    keys::KeyType,
    signer::{KeySigner, Signer as _},
};
use zeroize::Zeroizing;

use super::{
    error::DevError,
    files::{self, Readers},
};

/// A certificate that the sandbox wants to have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) profile: Profile,
    pub(crate) name: String,
    pub(crate) uris: Vec<String>,
    pub(crate) dns: Vec<String>,
    pub(crate) key_type: KeyType,
    pub(crate) state: State,
}

/// What is the matter with a certificate of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Good, and renewed before it ends.
    Good,
    /// In its time, and revoked.
    Revoked,
    /// It ended yesterday.
    Expired,
}

impl Wanted {
    /// A good certificate with one URI for its name.
    pub(crate) fn member(
        profile: Profile,
        (cert, key): (PathBuf, PathBuf),
        name: &str,
        uri: impl Into<String>,
        key_type: KeyType,
    ) -> Self {
        Self {
            cert,
            key,
            profile,
            name: name.to_owned(),
            uris: vec![uri.into()],
            dns: Vec::new(),
            key_type,
            state: State::Good,
        }
    }

    /// A certificate for a TLS server on this machine.
    pub(crate) fn tls(cert: PathBuf, key: PathBuf, name: &str) -> Self {
        Self {
            cert,
            key,
            profile: Profile::TlsServer,
            name: name.to_owned(),
            uris: Vec::new(),
            dns: vec!["localhost".to_owned()],
            key_type: KeyType::P256,
            state: State::Good,
        }
    }

    pub(crate) fn in_state(mut self, state: State) -> Self {
        self.state = state;
        self
    }

    /// Leaves the two files as they are if they are what is wanted, and otherwise has a new
    /// certificate issued for a new key.
    ///
    /// The key is written first. Killed in between, the pair does not fit and is made again.
    pub(crate) async fn ensure(&self, ca: &Ca, now: UnixTime) -> Result<Certificate, DevError> {
        let failed = |error: CaError| DevError::Ca {
            authority: format!("the certificate of {}", self.name),
            error,
        };
        let leaf = match self.found(ca, now) {
            Some(leaf) if self.serves(ca, &leaf).await.map_err(failed)? => leaf,
            _ => self.issue(ca, now).await?,
        };
        if self.state == State::Revoked {
            match ca
                .revoke(&hex(&leaf), RevocationReason::KeyCompromise)
                .await
            {
                Ok(_) | Err(CaError::AlreadyRevoked { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(leaf)
    }

    async fn issue(&self, ca: &Ca, now: UnixTime) -> Result<Certificate, DevError> {
        let failed = |error: CaError| DevError::Ca {
            authority: format!("the certificate of {}", self.name),
            error,
        };
        let mut options = IssueOptions::new(self.profile, &self.name)
            .key(MemberKey::Generate(self.key_type))
            .validity(match self.state {
                State::Good | State::Revoked => Validity::Days(LEAF_DAYS),
                State::Expired => Validity::Between {
                    not_before: now.plus_secs(-31 * DAY),
                    not_after: now.plus_secs(-DAY),
                },
            });
        options.uris.clone_from(&self.uris);
        options.dns.clone_from(&self.dns);
        let issued: Issued = ca.issue(options).await.map_err(failed)?;
        let key = issued.key_pem().unwrap_or_default();
        files::write(&self.key, key.as_bytes(), Readers::Owner)?;
        files::write(
            &self.cert,
            issued.chain_pem().as_bytes(),
            Readers::Everybody,
        )?;
        Ok(issued.certificate)
    }

    /// The certificate in the files, if everything but its standing at the CA is as wanted.
    fn found(&self, ca: &Ca, now: UnixTime) -> Option<Certificate> {
        let chain = read_chain(&self.cert).ok()?;
        let signer = read_signer(&self.key).ok()?;
        let leaf = chain.first()?;
        let issuer = ca.issuing_certificate();
        // The root of a TLS hierarchy issues itself and is not sent along.
        let above: &[Certificate] = match ca.root_certificate() == issuer {
            true => &[],
            false => std::slice::from_ref(issuer),
        };
        let issuer_key = issuer.public_key().ok()?;
        let in_time = match self.state {
            State::Good | State::Revoked => {
                leaf.not_before() <= now && now.plus_secs(RENEW_BEFORE) < leaf.not_after()
            }
            State::Expired => leaf.not_after() < now,
        };
        let as_wanted = leaf.spki_der() == signer.public_key().spki_der()
            && is_of_type(&signer, self.key_type)
            && leaf.uri_names() == self.uris
            && leaf.dns_names() == self.dns
            && chain.get(1..) == Some(above)
            && leaf.issuer() == issuer.subject()
            && leaf.verify_signed_by(issuer_key).is_ok()
            && in_time;
        as_wanted.then(|| leaf.clone())
    }

    /// Whether the CA knows the certificate, and has not revoked one that should be good.
    async fn serves(&self, ca: &Ca, leaf: &Certificate) -> Result<bool, CaError> {
        let serial = hex(leaf);
        let known = ca.list().await?;
        let known = known
            .iter()
            .find(|listed| listed.serial.trim_start_matches('0') == serial.trim_start_matches('0'));
        Ok(known.is_some_and(|listed| listed.revoked.is_none() || self.state == State::Revoked))
    }
}

/// The certificates of a PEM file, leaf first.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<Certificate>, DevError> {
    let unreadable = |detail: String| DevError::Unreadable {
        path: path.to_owned(),
        detail,
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    pem::certificates(&bytes).map_err(|error| unreadable(error.to_string()))
}

/// The signer whose key is in a file that only its owner can read.
pub(crate) fn read_signer(path: &Path) -> Result<KeySigner, DevError> {
    let unreadable = |detail: String| DevError::Unreadable {
        path: path.to_owned(),
        detail,
    };
    let pem = read_private(path).map_err(|error| unreadable(error.to_string()))?;
    let pem = Zeroizing::new(pem.to_vec());
    KeySigner::from_pem(&pem).map_err(|error| unreadable(error.to_string()))
}

fn is_of_type(signer: &KeySigner, key_type: KeyType) -> bool {
    use udap_pki::KeyKind;
    match key_type {
        KeyType::Rsa2048 => signer.public_key().kind() == KeyKind::Rsa { bits: 2048 },
        KeyType::Rsa3072 => signer.public_key().kind() == KeyKind::Rsa { bits: 3072 },
        KeyType::P256 => signer.public_key().kind() == KeyKind::P256,
        KeyType::P384 => signer.public_key().kind() == KeyKind::P384,
    }
}

fn hex(certificate: &Certificate) -> String {
    certificate
        .serial()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Short, so that renewal is routine; long enough for a sandbox that is used now and then.
const LEAF_DAYS: u32 = 30;
/// A sandbox may stay up for days and must not end in the middle.
const RENEW_BEFORE: i64 = 10 * DAY;
const DAY: i64 = 86_400;
