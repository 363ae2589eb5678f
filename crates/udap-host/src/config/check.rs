//! What no single setting shows.

use std::collections::HashMap;

use super::{BundleSigner, Certificates, Community, Config, ConfigError, Identity, Problem};
use crate::{
    db::{Location, PostgresUrl},
    files::{self, FileError},
    listen::TlsFiles,
    seal::SecretsKey,
};

/// The web's certificate and the community's are two things: one key for both would let a TLS
/// handshake be asked to sign what a member signs.
pub(super) fn unambiguous(tls: &TlsFiles, communities: &[Community]) -> Result<(), ConfigError> {
    for community in communities {
        let is_tls = |identity: &Identity| {
            identity.cert == tls.cert || identity.key.path() == Some(&tls.key)
        };
        if community.identities.iter().any(is_tls) {
            let (path, community) = (tls.cert.clone(), community.uri.clone());
            return Err(whole(Problem::TlsIsIdentity { path, community }));
        }
    }
    Ok(())
}

/// Whether a request could be meant for either of two base URLs: by its path one lies within the other.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let path = |base: &str| {
        let url = url::Url::parse(base);
        url.map_or_else(
            |_| String::new(),
            |url| url.path().trim_end_matches('/').to_owned(),
        )
    };
    let (one, other) = (path(one), path(other));
    let within = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(&one, &other) || within(&other, &one)
}

/// Which database it is.
pub(super) fn database(config: &Config) -> Result<Location, ConfigError> {
    let Some(secret) = &config.database else {
        return Ok(Location::File(config.state_dir.join(DATABASE)));
    };
    let bytes = secret.read().map_err(private)?;
    let url = std::str::from_utf8(&bytes).map_err(|_| "it is not text");
    let url = url.and_then(|url| url.trim().parse::<PostgresUrl>());
    url.map(Location::Server).map_err(|reason| {
        whole(Problem::Invalid {
            key: "database".to_owned(),
            value: "(redacted)".to_owned(),
            reason: reason.to_owned(),
        })
    })
}

/// The key under which secrets are sealed.
pub(super) fn secrets_key(config: &Config) -> Result<Option<SecretsKey>, ConfigError> {
    let Some(path) = &config.secrets_key_file else {
        return Ok(None);
    };
    let text = files::read_private(path).map_err(private)?;
    SecretsKey::read(&text).map(Some).ok_or_else(|| {
        whole(Problem::SecretsKey {
            path: path.to_owned(),
        })
    })
}

fn private(error: FileError) -> ConfigError {
    whole(match error {
        FileError::Unreadable { path, detail } => Problem::Unreadable { path, detail },
        FileError::Exposed { path, mode } | FileError::Directory { path, mode } => {
            Problem::KeyExposed { path, mode }
        }
    })
}

pub(super) fn files(config: &Config) -> Result<(), ConfigError> {
    let location = database(config)?;
    if secrets_key(config)?.is_none() && matches!(location, Location::Server(_)) {
        return Err(whole(Problem::SecretsKeyMissing));
    }
    let admin = config.admin.as_ref().and_then(|admin| admin.tls.as_ref());
    for tls in config.tls.iter().chain(admin) {
        tls.check().map_err(|error| whole(Problem::Tls(error)))?;
    }
    // Trust is decided within one community: one key that vouches for two would make it a matter
    // of luck which of them a registration falls to.
    let mut owner: HashMap<Vec<u8>, &str> = HashMap::new();
    for community in &config.communities {
        for certificates in &community.anchors {
            for anchor in certificates.read()? {
                let known = owner.insert(anchor.spki_der().to_vec(), &community.uri);
                if let Some(first) = known.filter(|first| *first != community.uri) {
                    return Err(whole(Problem::SharedAnchor {
                        anchor: anchor.subject().to_string(),
                        first: first.to_owned(),
                        second: community.uri.clone(),
                    }));
                }
            }
        }
        for certificates in &community.intermediates {
            certificates.read()?;
        }
        if let Some(BundleSigner::Anchors(paths)) = community.bundle.as_ref().map(|b| &b.signer) {
            for path in paths {
                Certificates::File(path.clone()).read()?;
            }
        }
        certifiers(community)?;
        for identity in &community.identities {
            Certificates::File(identity.cert.clone()).read()?;
            identity.key.read().map_err(private)?;
        }
    }
    Ok(())
}

/// Where one anchor vouches for members and for certifiers, every member would be a certifier unless
/// the certifiers are named.
fn certifiers(community: &Community) -> Result<(), ConfigError> {
    let mut members = Vec::new();
    for certificates in &community.anchors {
        members.extend(certificates.read()?);
    }
    for certificates in &community.certifications.anchors {
        for anchor in certificates.read()? {
            let shared = members
                .iter()
                .any(|member| member.spki_der() == anchor.spki_der());
            if shared && community.certifications.certifiers.is_empty() {
                return Err(whole(Problem::CertifiersUnnamed {
                    anchor: anchor.subject().to_string(),
                    community: community.uri.clone(),
                }));
            }
        }
    }
    Ok(())
}

/// About the configuration as a whole, so without a place.
fn whole(problem: Problem) -> ConfigError {
    ConfigError { at: None, problem }
}

/// The SQLite file in the state directory.
const DATABASE: &str = "udap.db";
