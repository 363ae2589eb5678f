//! Where the administration is: in the files of this machine's data holder, or behind a URL.

use crate::files;
use crate::problem::Problem;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use udap_host::config;
use udap_host::files::read_private;
use udap_server::LocalAdmin;
use udap_trust::fetch::{FetchPolicy, Fetcher, Kind};
use url::Url;

/// Which data holder.
#[derive(Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// The configuration of this machine's data holder
    #[arg(
        long,
        value_name = "FILE",
        default_value = "udap.toml",
        conflicts_with = "url"
    )]
    config: PathBuf,
    /// Where its administration is served, by https, or by http on this machine
    #[arg(long, value_name = "URL", requires = "token_file")]
    url: Option<String>,
    /// A file with a token of `udap admin token create`, which only its owner can read
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// The TLS root of that address, where the system does not know it
    #[arg(long, value_name = "PEM", requires = "url")]
    tls_root: Option<PathBuf>,
}

/// The administration, wherever it is. Both answer the same.
pub(super) enum Source {
    Local(Box<LocalAdmin>),
    Api(Box<Api>),
}

/// A running server's API.
pub(super) struct Api {
    base: Url,
    fetcher: Fetcher,
    bearer: HeaderValue,
}

impl SourceArgs {
    pub(super) async fn open(&self) -> Result<Source, Problem> {
        match (&self.url, &self.token_file) {
            (Some(url), Some(token)) => {
                let api = Api::new(url, token, self.tls_root.as_deref())?;
                Ok(Source::Api(Box::new(api)))
            }
            _ => local(&self.config).await.map(Box::new).map(Source::Local),
        }
    }
}

/// The files of this machine's data holder.
pub(crate) async fn local(config: &Path) -> Result<LocalAdmin, Problem> {
    let config = config::load(config)?;
    // Who is asked of the kernel: a name in the environment is whatever somebody wrote there.
    let user =
        std::fs::metadata("/proc/self").map_or_else(|_| String::new(), |of| of.uid().to_string());
    Ok(LocalAdmin::open(config, format!("command line, user {user}")).await?)
}

impl Source {
    /// What the API answers there, by either way.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Problem> {
        match self {
            Self::Local(local) => Ok(local.get(path, query).await?),
            Self::Api(api) => {
                let mut url = api.url(path)?;
                for (name, value) in query {
                    url.query_pairs_mut().append_pair(name, value);
                }
                api.send(Method::GET, &url, Bytes::new()).await
            }
        }
    }

    /// Suspends, restores or cancels.
    pub(super) async fn act(
        &self,
        word: &str,
        client_id: &str,
        why: &str,
    ) -> Result<Value, Problem> {
        match self {
            Self::Local(local) => Ok(local.act(word, client_id, why).await?),
            Self::Api(api) => {
                let url = api.url(&format!("apps/{client_id}/{word}"))?;
                let body = json!({ "reason": why }).to_string();
                api.send(Method::POST, &url, body.into()).await
            }
        }
    }

    /// Whether it is a running server that answered.
    pub(super) const fn is_remote(&self) -> bool {
        matches!(self, Self::Api(_))
    }
}

impl Api {
    fn new(url: &str, token: &Path, tls_root: Option<&Path>) -> Result<Self, Problem> {
        let usage = |why: String| Problem::new("usage", why).unreadable();
        let base = Url::parse(url).map_err(|error| usage(format!("`{url}` is no URL: {error}")))?;
        let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default()) else {
            return Err(usage(format!("`{url}` has no host")));
        };
        // The operator named this host, which may well be on a private network.
        let policy = FetchPolicy {
            allow_hosts: vec![format!("{host}:{port}")],
            tls_roots: match tls_root {
                Some(path) => files::tls_roots(path)?,
                None => udap_client::TlsRoots::System,
            },
        };
        let secret = read_private(token)
            .map_err(|error| Problem::from(udap_server::StartError::from(error)).unreadable())?;
        let secret = String::from_utf8_lossy(&secret);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.trim()))
            .map_err(|_| usage(format!("{} does not hold a token", token.display())))?;
        bearer.set_sensitive(true);
        Ok(Self {
            base,
            fetcher: Fetcher::new(policy)?,
            bearer,
        })
    }

    /// An address of the API; each part is one segment, whatever is in it.
    fn url(&self, path: &str) -> Result<Url, Problem> {
        let mut url = self.base.clone();
        url.set_query(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["api", "v1"])
                .extend(path.split('/'));
        }
        Ok(url)
    }

    async fn send(&self, method: Method, url: &Url, body: Bytes) -> Result<Value, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.bearer.clone());
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let sent = self
            .fetcher
            .send(Kind::Administration, method, url.as_str(), headers, body);
        let answer = sent.await?;
        let value: Value = serde_json::from_slice(answer.body()).map_err(|_| {
            let status = answer.status().as_u16();
            Problem::new(
                "admin-not-found",
                format!("{url} answers {status}, and not as an administration does"),
            )
        })?;
        if answer.status() == StatusCode::OK {
            return Ok(value);
        }
        let text = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
        Err(Problem::new(&text("code"), text("detail")).hint(text("hint")))
    }
}
