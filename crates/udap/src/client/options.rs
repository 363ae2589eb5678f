//! Trust and identity, from the command line or from a sandbox.

use crate::files;
use crate::problem::Problem;
use crate::sandbox::Sandbox;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use udap_client::state::StateDir;
use udap_client::{Client, ClientConfig, CommunityTrust, FetchPolicy, Identity, TlsRoots};
use udap_pki::{Certificate, Revocation};
use url::Url;

/// Who asks, and whom it trusts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Trust and identity")]
pub(crate) struct ClientArgs {
    /// The community whose members are trusted, by its URI
    #[arg(long, value_name = "URI", value_parser = absolute_uri)]
    pub(crate) community: Option<String>,
    /// The community's trust anchors, PEM or DER
    #[arg(long, value_name = "FILE", requires = "community")]
    anchor: Vec<PathBuf>,
    /// This app's certificate, then intermediates
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key, PKCS#8
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Which URI of the certificate this app is, where it has several
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// Whether it must be known that a server's certificate is not revoked
    #[arg(long, value_enum, default_value_t = RevocationArg::Require)]
    revocation: RevocationArg,
    /// Who vouches for TLS host names: `system`, or a file of roots
    #[arg(long, value_name = "system|FILE")]
    tls_root: Option<PathBuf>,
    /// A host that may have a private address, `host:port`; repeat for more
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    allow_host: Vec<String>,
    /// A sandbox of `udap dev`; ./udap-sandbox for URLs on localhost
    #[arg(long, alias = "dir", value_name = "DIR")]
    sandbox: Option<PathBuf>,
    /// Which app of the sandbox to be
    #[arg(long, value_name = "NAME", default_value = "good")]
    app: String,
    /// Where servers and registrations are remembered
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Show each check behind the verdict
    #[arg(long)]
    pub(crate) explain: bool,
}

/// `--revocation`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RevocationArg {
    /// Unknown is refused
    Require,
    /// Unknown is accepted, revoked never
    Prefer,
    /// Not looked at
    Off,
}

impl From<RevocationArg> for Revocation {
    fn from(arg: RevocationArg) -> Self {
        match arg {
            RevocationArg::Require => Self::Require,
            RevocationArg::Prefer => Self::Prefer,
            RevocationArg::Off => Self::Off,
        }
    }
}

/// What the options came to.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) client: Client,
    /// Whom the client trusts, and what it may reach.
    pub(crate) communities: Vec<CommunityTrust>,
    pub(crate) fetch: FetchPolicy,
    pub(crate) state: StateDir,
    pub(crate) sandbox: Option<Sandbox>,
    /// The file of TLS roots, for `curl`.
    pub(crate) cacert: Option<PathBuf>,
}

impl ClientArgs {
    /// The file that vouches for host names in place of the system's roots.
    pub(crate) fn tls_root(&self) -> Option<&Path> {
        let file = self.tls_root.as_deref();
        file.filter(|path| *path != Path::new("system"))
    }

    pub(crate) fn setup(&self, url: &str) -> Result<Setup, Problem> {
        self.setup_of(url, true)
    }

    /// The same for whoever reports of an identity that does not fit: without it, and with what is wrong with it.
    pub(crate) fn setup_anyway(&self, url: &str) -> Result<(Setup, Option<Problem>), Problem> {
        match self.setup(url) {
            Err(problem) if problem.code().starts_with("identity-") => {
                Ok((self.setup_of(url, false)?, Some(problem)))
            }
            setup => Ok((setup?, None)),
        }
    }

    fn setup_of(&self, url: &str, as_app: bool) -> Result<Setup, Problem> {
        let sandbox = Sandbox::choose(self.sandbox.as_deref(), url)?;
        let cacert = match &self.tls_root {
            Some(path) if path == Path::new("system") => None,
            Some(path) => Some(path.clone()),
            None => sandbox.as_ref().map(|sandbox| sandbox.tls_root_pem.clone()),
        };
        let tls_roots = match &cacert {
            Some(path) => files::tls_roots(path)?,
            None => TlsRoots::System,
        };
        let mut allow_hosts = self.allow_host.clone();
        if let Some(sandbox) = &sandbox {
            allow_hosts.extend(sandbox.hosts());
        }
        let mut config = ClientConfig::new(self.communities(sandbox.as_ref())?);
        config.fetch = FetchPolicy {
            allow_hosts,
            tls_roots,
        };
        if as_app {
            config.identity = self.identity(sandbox.as_ref())?;
        }
        Ok(Setup {
            communities: config.communities.clone(),
            fetch: config.fetch.clone(),
            client: Client::new(config)?,
            state: self.state(sandbox.as_ref())?,
            sandbox,
            cacert,
        })
    }

    fn communities(&self, sandbox: Option<&Sandbox>) -> Result<Vec<CommunityTrust>, Problem> {
        let mut communities = Vec::new();
        if let (Some(uri), false) = (&self.community, self.anchor.is_empty()) {
            let mut anchors = Vec::new();
            for path in &self.anchor {
                anchors.extend(files::anchors(path)?);
            }
            communities.push(CommunityTrust::new(uri, anchors));
        }
        for community in sandbox.iter().flat_map(|sandbox| &sandbox.communities) {
            if communities.iter().all(|known| known.uri != community.uri) {
                let anchors = files::anchors(&community.anchor_pem)?;
                communities.push(CommunityTrust::new(&community.uri, anchors));
            }
        }
        for community in &mut communities {
            community.policy.revocation = self.revocation.into();
        }
        Ok(communities)
    }

    fn identity(&self, sandbox: Option<&Sandbox>) -> Result<Option<Identity>, Problem> {
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            let chain = files::certificates(cert)?;
            let community = self.community.clone().ok_or_else(|| {
                missing(
                    "which community issued the certificate is not said",
                    "--community URI",
                )
            })?;
            return Ok(Some(Identity {
                uri: self.uri_of(&chain)?,
                chain,
                signer: Arc::new(files::signer(key)?),
                community,
            }));
        }
        let Some(sandbox) = sandbox else {
            return Ok(None);
        };
        let app = sandbox.app(&self.app)?;
        Ok(Some(Identity {
            uri: self.uri.clone().unwrap_or_else(|| app.uri.clone()),
            chain: files::certificates(&app.chain_pem)?,
            signer: Arc::new(files::signer(&app.key_pem)?),
            community: app.community.clone(),
        }))
    }

    fn uri_of(&self, chain: &[Certificate]) -> Result<String, Problem> {
        if let Some(uri) = &self.uri {
            return Ok(uri.clone());
        }
        match chain.first().map_or(&[][..], Certificate::uri_names) {
            [only] => Ok(only.clone()),
            names => Err(missing(
                &format!(
                    "the certificate has {} URI names, and which of them this app is is not said",
                    names.len()
                ),
                "--uri URI",
            )),
        }
    }

    fn state(&self, sandbox: Option<&Sandbox>) -> Result<StateDir, Problem> {
        if let Some(dir) = &self.state_dir {
            return Ok(StateDir::new(dir));
        }
        if let Some(sandbox) = sandbox {
            // What a sandbox gave goes away with it.
            return Ok(StateDir::new(sandbox.dir.join("client")));
        }
        // XDG Base Directory Specification: relative values are to be ignored.
        let variable = |name: &str| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        variable("XDG_STATE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".local/state")))
            .map(|dir| StateDir::new(dir.join("udap")))
            .ok_or_else(|| {
                missing(
                    "there is no home directory to remember things in",
                    "--state-dir DIR",
                )
            })
    }
}

/// An option that names something by its URI.
pub(crate) fn absolute_uri(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(_) if !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err("it is not an absolute URI, such as https://community.example".to_owned()),
    }
}

/// A host with its port, as hosts are compared.
pub(crate) fn host_port(text: &str) -> Result<String, String> {
    let port = text
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse::<u16>()));
    match port {
        Some((host, Ok(_))) if !host.is_empty() && !host.contains('/') => Ok(text.to_owned()),
        _ => Err("it is not a host with its port, such as fhir.example.org:8443".to_owned()),
    }
}

/// Something that has no safe default.
pub(crate) fn missing(message: &str, option: &str) -> Problem {
    Problem::new("option-missing", message)
        .hint(format!("say it with `{option}`"))
        .unreadable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_its_port() {
        for right in ["localhost:9300", "[::1]:9300", "10.0.0.1:443"] {
            assert_eq!(host_port(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "localhost",
            ":9300",
            "localhost:",
            "localhost:70000",
            "https://localhost:9300",
        ] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }
}
