use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::OnceCell;
use udap_host::listen::Shutdown;
use udap_host::seal::Passphrase;
use udap_pki::{Certificate, UnixTime};

use crate::{
    CaError, CaKeyType, Hierarchy,
    authority::{Authority, Role},
    check::StandIn,
    directory::Directory,
    init,
    keys::SigningKey,
    publish::Published,
    responder::Responder,
    store::{Settings, Store, damaged},
};

/// Where the CA asks for the time; a test gives its own.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// A certificate authority in its directory. Several processes may have the same one open: what
/// one commits, the others see.
pub struct Ca {
    pub(crate) directory: Directory,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) key_type: CaKeyType,
    pub(crate) root: Authority,
    /// `None` in the CA of TLS servers, whose root issues itself.
    pub(crate) issuing: Option<Authority>,
    /// The throwaway key that rehearses the signatures of the issuing authority.
    pub(crate) stand_in: OnceCell<StandIn>,
    /// What the HTTP service hands out, as of the last epoch seen.
    pub(crate) published: ArcSwap<Published>,
    pub(crate) responder: Responder,
    pub(crate) clock: Clock,
}

impl Ca {
    /// Opens the CA in `directory`.
    ///
    /// # Errors
    /// [`CaError::NotInitialised`] when there is none, [`CaError::Key`] when a key is missing or
    /// of somebody else, and whatever directory and database refuse.
    pub async fn open(directory: &Path) -> Result<Self, CaError> {
        Self::open_with_clock(directory, Arc::new(udap_host::clock::now)).await
    }

    /// The same where its keys may be under a passphrase.
    ///
    /// # Errors
    /// As [`Self::open`]; [`CaError::PassphraseMissing`], [`CaError::PassphraseWrong`] or
    /// [`CaError::NotSealed`].
    pub async fn open_with(
        directory: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, CaError> {
        Self::open_sealed(directory, Arc::new(udap_host::clock::now), passphrase).await
    }

    /// Opens the CA with another clock than the system's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with_clock(directory: &Path, clock: Clock) -> Result<Self, CaError> {
        Self::open_sealed(directory, clock, None).await
    }

    pub(crate) async fn open_sealed(
        directory: &Path,
        clock: Clock,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, CaError> {
        let directory = Directory::existing(directory)?;
        let store = Store::open(&directory.database()).await?;
        let settings = store.settings().await?;
        let settings = settings.ok_or_else(|| CaError::NotInitialised {
            path: directory.path().to_owned(),
        })?;
        let key_type = CaKeyType::from_name(&settings.key_type)
            .ok_or_else(|| damaged(format!("there is no key type {:?}", settings.key_type)))?;

        let mut root = None;
        let mut issuing = None;
        for row in store.authorities().await? {
            let role = Role::from_name(&row.role)?;
            let certificate = Certificate::from_der(&row.certificate)?;
            let path = directory.file(role.key_file());
            let key = SigningKey::load(role, &path, key_type, passphrase)?;
            if key.spki_der() != certificate.spki_der() {
                let detail = format!("it does not belong to the {role} certificate");
                return Err(CaError::Key { path, detail });
            }
            let authority = Authority {
                role,
                certificate,
                key,
            };
            match role {
                Role::Root => root = Some(authority),
                Role::Issuing => issuing = Some(authority),
            }
        }
        let root = root.ok_or_else(|| damaged("the root certificate is missing"))?;
        if settings.community.is_some() && issuing.is_none() {
            return Err(damaged("the issuing CA's certificate is missing"));
        }

        let published = Published::load(&store).await?;
        let ca = Self {
            directory,
            store,
            settings,
            key_type,
            root,
            issuing,
            stand_in: OnceCell::new(),
            published: ArcSwap::from_pointee(published),
            responder: Responder::default(),
            clock,
        };
        init::write_copies(&ca)?;
        Ok(ca)
    }

    /// What the CA is for, as it was made.
    #[must_use]
    pub fn hierarchy(&self) -> Hierarchy {
        match (&self.settings.community, &self.settings.base_url) {
            (Some(uri), Some(base_url)) => Hierarchy::Community {
                uri: uri.clone(),
                base_url: base_url.clone(),
            },
            _ => Hierarchy::TlsServers,
        }
    }

    /// The root's certificate: the community's trust anchor.
    #[must_use]
    pub const fn root_certificate(&self) -> &Certificate {
        &self.root.certificate
    }

    /// The certificate that signs members' certificates; the root itself in the CA of TLS servers.
    #[must_use]
    pub fn issuing_certificate(&self) -> &Certificate {
        &self.issuer().certificate
    }

    /// Where the CRL of members' certificates is published.
    #[must_use]
    pub fn crl_url(&self) -> Option<String> {
        self.url("crl/issuing.crl")
    }

    /// Where OCSP is answered.
    #[must_use]
    pub fn ocsp_url(&self) -> Option<String> {
        self.url("ocsp")
    }

    /// The directory that holds all of it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Keeps what is published current until `shutdown`: sees within a quarter of a second what
    /// other processes did, and makes CRLs and the OCSP responder's certificate anew before they
    /// lapse. A failure is logged and tried again; what is published stays as it is meanwhile.
    pub async fn run_background(&self, shutdown: Shutdown) {
        let mut failing = false;
        while !shutdown.is_triggered() {
            match self.refresh().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(code = error.code(), error = %error, "the CA cannot keep its publications current");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = shutdown.wait() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// One round of [`Self::run_background`].
    ///
    /// # Errors
    /// When the database does not serve or a key does not sign.
    pub async fn refresh(&self) -> Result<(), CaError> {
        if self.store.epoch().await? != self.published.load().epoch {
            self.reload().await?;
        }
        self.renew_crls().await?;
        if self.issuing.is_some() {
            self.responder.renew(self).await?;
        }
        Ok(())
    }

    /// Waits for what is being written and closes the database.
    pub async fn close(&self) {
        self.store.close().await;
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Who signs certificates of members or TLS servers.
    pub(crate) fn issuer(&self) -> &Authority {
        self.issuing.as_ref().unwrap_or(&self.root)
    }

    /// The throwaway key is made when it is first needed: reading a list needs none.
    pub(crate) async fn stand_in(&self) -> Result<&StandIn, CaError> {
        self.stand_in
            .get_or_try_init(|| StandIn::of(&self.issuer().certificate, self.key_type))
            .await
    }

    pub(crate) fn url(&self, path: &str) -> Option<String> {
        self.settings
            .base_url
            .as_ref()
            .map(|base| format!("{}/{path}", base.trim_end_matches('/')))
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca")
            .field("directory", &self.directory.path())
            .field("settings", &self.settings)
            .finish()
    }
}

/// How often another process's changes are looked for. One row is read, some 30 µs; a revocation
/// has to be seen within a second.
const POLL: Duration = Duration::from_millis(250);
