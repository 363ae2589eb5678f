use std::{path::Path, sync::Arc};

use udap_host::seal::Passphrase;
use udap_pki::{
    UnixTime,
    issue::{CertificateSpec, Issuer, Names, Profile, Subject, Urls},
};

use crate::{
    Ca, CaError, CaKeyType, Clock,
    authority::{Authority, Role},
    check::{self, StandIn, random_serial},
    directory::Directory,
    issue::record,
    keys::SigningKey,
    publish,
    store::{self, Settings, Store},
};

/// What a CA is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// Members of a trust community: a root, an issuing CA, CRLs and OCSP.
    Community {
        /// The community's URI, by which data holders name it in `?community=`.
        uri: String,
        /// Where [`crate::router`] is reached by everybody: plain `http`, since what it publishes
        /// is signed itself (RFC 5280 §8).
        base_url: String,
    },
    /// TLS servers of a sandbox: a root that issues them itself, trusted nowhere else.
    TlsServers,
}

/// How a CA is made.
#[derive(Clone)]
pub struct InitOptions {
    /// What it is for.
    pub hierarchy: Hierarchy,
    /// The keys of root and issuing CA.
    pub key_type: CaKeyType,
    /// What root and issuing CA are called: `{name} root`, `{name} issuing CA`. At most 50 characters.
    pub name: String,
    /// From when the CA's certificates are valid; an hour ago if not given, for clocks that lag.
    pub not_before: Option<UnixTime>,
    /// How long a CRL may be used; 24 hours. A new one is made after half of it.
    pub crl_seconds: i64,
    /// What the keys of root and issuing CA are sealed under; nothing unless given.
    pub passphrase: Option<Passphrase>,
    /// Where to ask for the time.
    pub clock: Clock,
}

impl InitOptions {
    /// ECDSA P-256, CRLs of 24 hours, named after the community.
    #[must_use]
    pub fn new(hierarchy: Hierarchy) -> Self {
        let name = match &hierarchy {
            Hierarchy::Community { uri, .. } => host(uri).chars().take(MAX_NAME).collect(),
            Hierarchy::TlsServers => "Sandbox TLS".to_owned(),
        };
        Self {
            hierarchy,
            key_type: CaKeyType::default(),
            name,
            not_before: None,
            crl_seconds: CRL_SECONDS,
            passphrase: None,
            clock: Arc::new(udap_host::clock::now),
        }
    }
}

impl std::fmt::Debug for InitOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitOptions")
            .field("hierarchy", &self.hierarchy)
            .field("key_type", &self.key_type)
            .field("name", &self.name)
            .field("not_before", &self.not_before)
            .field("crl_seconds", &self.crl_seconds)
            .finish_non_exhaustive()
    }
}

impl Ca {
    /// Makes a CA in `directory`, or opens the one there if it was made with the same options; name
    /// and dates count the first time only.
    ///
    /// It may be killed at any moment and run again: keys are kept once written, and everything
    /// else is one transaction.
    ///
    /// # Errors
    /// [`CaError::AlreadyInitialised`] when another CA is there, [`CaError::Locked`] when another
    /// process is making one, [`CaError::Directory`] or [`CaError::DiskFull`].
    pub async fn init(directory: &Path, options: InitOptions) -> Result<Self, CaError> {
        check_urls(&options.hierarchy)?;
        if options.crl_seconds < MIN_CRL_SECONDS {
            return Err(CaError::Setting {
                what: "CRL lifetime",
                value: format!("{} s", options.crl_seconds),
                problem: "it is shorter than a minute",
            });
        }
        let directory = Directory::make(directory)?;
        let lock = directory.lock()?;
        directory.remove_leftovers()?;
        let store = Store::open(&directory.database()).await?;
        match store.settings().await? {
            Some(found) => same(&directory, &found, &options)?,
            None => make(&directory, &store, &options).await?,
        }
        store.close().await;
        drop(lock);
        Self::open_sealed(directory.path(), options.clock, options.passphrase.as_ref()).await
    }
}

async fn make(directory: &Directory, store: &Store, options: &InitOptions) -> Result<(), CaError> {
    let now = (options.clock)();
    let not_before = options
        .not_before
        .unwrap_or_else(|| now.plus_secs(-BACKDATE));
    let (community, base_url) = match &options.hierarchy {
        Hierarchy::Community { uri, base_url } => (Some(uri.clone()), Some(base_url.clone())),
        Hierarchy::TlsServers => (None, None),
    };

    // Keys first: a certificate must never exist without its key. One that an earlier, interrupted
    // run left is used, never overwritten.
    let root_key = key(directory, Role::Root, options).await?;
    let root_subject = subject(options, Role::Root);
    let root = check::sign_root(
        &CertificateSpec {
            profile: Profile::Root,
            serial: &random_serial(),
            subject: &root_subject,
            spki_der: root_key.spki_der(),
            issuer: Issuer::SelfSigned,
            not_before,
            not_after: not_before.plus_secs(ROOT_DAYS * DAY),
            names: Names::default(),
            urls: Urls::default(),
            extensions: &[],
            algorithm: root_key.algorithm(),
        },
        &root_key,
    )
    .await?;
    let root = Authority {
        role: Role::Root,
        certificate: root,
        key: root_key,
    };

    let issuing = match &base_url {
        Some(base_url) => {
            Some(make_issuing(directory, options, &root, base_url, not_before).await?)
        }
        None => None,
    };

    // Then everything else at once.
    let mut write = store.write().await?;
    let settings = Settings {
        community,
        base_url,
        key_type: options.key_type.as_str().to_owned(),
        crl_seconds: options.crl_seconds,
        created_at: now,
    };
    store::put_settings(&mut write, &settings).await?;
    for (authority, profile) in [
        Some((&root, Profile::Root)),
        issuing
            .as_ref()
            .map(|issuing| (issuing, Profile::IssuingCa)),
    ]
    .into_iter()
    .flatten()
    {
        store::put_authority(
            &mut write,
            authority.role.as_str(),
            authority.certificate.der(),
        )
        .await?;
        record(&mut write, &authority.certificate, profile, Role::Root, now).await?;
        if settings.base_url.is_some() {
            publish::issue_crl(&mut write, authority, settings.crl_seconds, now).await?;
        }
    }
    store::commit(write).await
}

async fn make_issuing(
    directory: &Directory,
    options: &InitOptions,
    root: &Authority,
    base_url: &str,
    not_before: UnixTime,
) -> Result<Authority, CaError> {
    let key = key(directory, Role::Issuing, options).await?;
    let stand_in = StandIn::of(&root.certificate, options.key_type).await?;
    let base = base_url.trim_end_matches('/');
    let certificate = check::sign_certificate(
        &CertificateSpec {
            profile: Profile::IssuingCa,
            serial: &random_serial(),
            subject: &subject(options, Role::Issuing),
            spki_der: key.spki_der(),
            issuer: Issuer::Certificate(&root.certificate),
            not_before,
            not_after: not_before.plus_secs(ISSUING_DAYS * DAY),
            names: Names::default(),
            urls: Urls {
                crl: vec![format!("{base}/crl/root.crl")],
                ca_issuers: vec![format!("{base}/certs/root.cer")],
                // The root's key answers no OCSP; its CRL is short and rarely changes.
                ocsp: Vec::new(),
            },
            extensions: &[],
            algorithm: root.key.algorithm(),
        },
        root,
        &stand_in,
    )
    .await?;
    Ok(Authority {
        role: Role::Issuing,
        certificate,
        key,
    })
}

/// Copies of the certificates for the operator; made again if somebody removed them.
pub(crate) fn write_copies(ca: &Ca) -> Result<(), CaError> {
    for authority in [Some(&ca.root), ca.issuing.as_ref()].into_iter().flatten() {
        let name = authority.role.certificate_file();
        let pem = authority.certificate.to_pem();
        let path = ca.directory.file(name);
        match std::fs::read(&path) {
            Ok(found) if found == pem.as_bytes() => {}
            Ok(_) => ca.directory.write(name, pem.as_bytes(), 0o644)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                ca.directory.write(name, pem.as_bytes(), 0o644)?;
            }
            Err(error) => return Err(CaError::io(&path, "read", &error)),
        }
    }
    Ok(())
}

/// The key an interrupted run left, or a new one, on disk before it is used.
async fn key(
    directory: &Directory,
    role: Role,
    options: &InitOptions,
) -> Result<SigningKey, CaError> {
    let (key_type, passphrase) = (options.key_type, options.passphrase.as_ref());
    let path = directory.file(role.key_file());
    match path.try_exists() {
        Ok(true) => SigningKey::load(role, &path, key_type, passphrase),
        Ok(false) => SigningKey::generate_into(directory, role, key_type, passphrase).await,
        Err(error) => Err(CaError::io(&path, "read", &error)),
    }
}

fn subject(options: &InitOptions, role: Role) -> Subject {
    Subject::named(match role {
        Role::Root => format!("{} root", options.name),
        Role::Issuing => format!("{} issuing CA", options.name),
    })
}

/// The options that would make another CA than the one that is there.
fn same(directory: &Directory, found: &Settings, options: &InitOptions) -> Result<(), CaError> {
    let (community, base_url) = match &options.hierarchy {
        Hierarchy::Community { uri, base_url } => (Some(uri.as_str()), Some(base_url.as_str())),
        Hierarchy::TlsServers => (None, None),
    };
    let seconds = [found.crl_seconds, options.crl_seconds].map(|seconds| format!("{seconds} s"));
    let compare = [
        ("community", found.community.as_deref(), community),
        ("base URL", found.base_url.as_deref(), base_url),
        (
            "key type",
            Some(found.key_type.as_str()),
            Some(options.key_type.as_str()),
        ),
        (
            "CRL lifetime",
            Some(seconds[0].as_str()),
            Some(seconds[1].as_str()),
        ),
    ];
    match compare
        .into_iter()
        .find(|(_, found, wanted)| found != wanted)
    {
        None => Ok(()),
        Some((what, found, wanted)) => Err(CaError::AlreadyInitialised {
            path: directory.path().to_owned(),
            what,
            found: found.unwrap_or("none").to_owned(),
            wanted: wanted.unwrap_or("none").to_owned(),
        }),
    }
}

fn check_urls(hierarchy: &Hierarchy) -> Result<(), CaError> {
    let Hierarchy::Community { uri, base_url } = hierarchy else {
        return Ok(());
    };
    let refuse = |what, value: &str, problem| {
        Err(CaError::Setting {
            what,
            value: value.to_owned(),
            problem,
        })
    };
    if !uri.contains(':') || !uri.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("community URI", uri, "it is not an absolute URI");
    }
    match base_url.parse::<http::Uri>() {
        Ok(parsed) if parsed.query().is_some() || base_url.contains('#') => {
            refuse("base URL", base_url, "it has a query or a fragment")
        }
        Ok(parsed)
            if parsed.scheme_str() == Some("http")
                && parsed.host().is_some_and(|host| !host.is_empty()) =>
        {
            Ok(())
        }
        Ok(_) => refuse(
            "base URL",
            base_url,
            "it is not an http:// URL; CRLs are signed and need no TLS (RFC 5280 §8)",
        ),
        Err(_) => refuse("base URL", base_url, "it is not a URL"),
    }
}

fn host(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', '?', '#'])
        .next()
        .filter(|host| !host.is_empty())
        .unwrap_or("Community")
}

/// An hour: members' clocks that lag must not see a CA from the future.
const BACKDATE: i64 = 3600;

/// Half a CRL's life is left for a member that cannot reach the CA.
const CRL_SECONDS: i64 = 24 * 3600;

/// Below this, members would fetch all the time.
const MIN_CRL_SECONDS: i64 = 60;

/// ` issuing CA` fits behind it within the 64 characters of a common name (RFC 5280 A.1).
const MAX_NAME: usize = 50;

const DAY: i64 = 86_400;
const ROOT_DAYS: i64 = 20 * 365;
const ISSUING_DAYS: i64 = 5 * 365;
