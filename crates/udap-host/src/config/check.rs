//! What no single setting shows.

use std::{collections::HashMap, path::Path};

use super::{Community, Config, ConfigError, Identity, Problem};
use crate::{files::FileError, listen::TlsFiles};

/// The web's certificate and the community's are two things: one key for both would let a TLS
/// handshake be asked to sign what a member signs.
pub(super) fn unambiguous(
    tls: &Option<TlsFiles>,
    communities: &[Community],
) -> Result<(), ConfigError> {
    let Some(tls) = tls else { return Ok(()) };
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

pub(super) fn files(config: &Config) -> Result<(), ConfigError> {
    if let Some(tls) = &config.tls {
        tls.check().map_err(|error| whole(Problem::Tls(error)))?;
    }
    // Trust is decided within one community: one key that vouches for two would make it a matter
    // of luck which of them a registration falls to.
    let mut owner: HashMap<Vec<u8>, &str> = HashMap::new();
    for community in &config.communities {
        for path in &community.anchors {
            for anchor in certificates(path)? {
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
        for path in &community.intermediates {
            certificates(path)?;
        }
        certifiers(community)?;
        for identity in &community.identities {
            certificates(&identity.cert)?;
            identity.key.read().map_err(|error| {
                whole(match error {
                    FileError::Unreadable { path, detail } => Problem::Unreadable { path, detail },
                    FileError::Exposed { path, mode } => Problem::KeyExposed { path, mode },
                })
            })?;
        }
    }
    Ok(())
}

/// Where one anchor vouches for members and for certifiers, every member would be a certifier unless
/// the certifiers are named.
fn certifiers(community: &Community) -> Result<(), ConfigError> {
    let mut members = Vec::new();
    for path in &community.anchors {
        members.extend(certificates(path)?);
    }
    for path in &community.certifications.anchors {
        for anchor in certificates(path)? {
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

fn certificates(path: &Path) -> Result<Vec<udap_pki::Certificate>, ConfigError> {
    let bytes = std::fs::read(path).map_err(|error| {
        whole(Problem::Unreadable {
            path: path.to_owned(),
            detail: error.to_string(),
        })
    })?;
    udap_pki::pem::certificates(&bytes).map_err(|error| {
        whole(Problem::CertificateFile {
            path: path.to_owned(),
            detail: error.to_string(),
        })
    })
}

/// About the configuration as a whole, so without a place.
fn whole(problem: Problem) -> ConfigError {
    ConfigError { at: None, problem }
}
