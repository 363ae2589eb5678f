//! The sandbox of `udap dev`, as its `sandbox.json` describes it.

use crate::files;
use crate::problem::Problem;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use url::Url;

/// Where `udap dev` puts it unless told otherwise.
const DEFAULT_DIR: &str = "udap-sandbox";

/// What `sandbox.json` says. Members that are not needed here are not read.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sandbox {
    #[serde(skip)]
    pub(crate) dir: PathBuf,
    pub(crate) tls_root_pem: PathBuf,
    pub(crate) communities: Vec<Community>,
    pub(crate) data_holders: Vec<DataHolder>,
    pub(crate) apps: Vec<App>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Community {
    pub(crate) uri: String,
    pub(crate) anchor_pem: PathBuf,
    pub(crate) crl_url: Option<String>,
    pub(crate) ocsp_url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DataHolder {
    pub(crate) base_url: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) uri: String,
    pub(crate) community: String,
    pub(crate) chain_pem: PathBuf,
    pub(crate) key_pem: PathBuf,
}

impl Sandbox {
    /// The sandbox in that directory.
    pub(crate) fn open(dir: &Path) -> Result<Self, Problem> {
        let path = dir.join("sandbox.json");
        let text = files::read(&path).map_err(|_| {
            Problem::new(
                "sandbox-unusable",
                format!("there is no sandbox in {}", dir.display()),
            )
            .unreadable()
        })?;
        let sandbox: Self = serde_json::from_slice(&text).map_err(|error| {
            Problem::new("sandbox-unusable", format!("{}: {error}", path.display())).unreadable()
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            ..sandbox
        })
    }

    /// The one that was named; otherwise the one in the working directory, if there is one and the
    /// URL is of this machine.
    pub(crate) fn choose(dir: Option<&Path>, url: &str) -> Result<Option<Self>, Problem> {
        if let Some(dir) = dir {
            return Self::open(dir).map(Some);
        }
        let local = Url::parse(url).is_ok_and(|url| url.host_str() == Some("localhost"));
        let default = Path::new(DEFAULT_DIR);
        if local && default.join("sandbox.json").exists() {
            return Self::open(default).map(Some);
        }
        Ok(None)
    }

    pub(crate) fn app(&self, name: &str) -> Result<&App, Problem> {
        self.apps
            .iter()
            .find(|app| app.name == name)
            .ok_or_else(|| {
                let names: Vec<_> = self.apps.iter().map(|app| app.name.as_str()).collect();
                Problem::new(
                    "sandbox-unusable",
                    format!("the sandbox has no app `{name}`"),
                )
                .hint(format!("it has: {}", names.join(", ")))
                .unreadable()
            })
    }

    /// A refusal of an address on this machine that is none of the sandbox's says which are.
    pub(crate) fn instead(&self, problem: Problem) -> Problem {
        if problem.code() != "address-not-public" {
            return problem;
        }
        let holders = self.data_holders.iter();
        let urls: Vec<_> = holders.map(|holder| holder.base_url.as_str()).collect();
        problem.hint(format!(
            "the sandbox in {} is at {}; for another host on this machine give `--allow-host HOST:PORT`",
            self.dir.display(),
            urls.join(", ")
        ))
    }

    /// Every `host:port` of it: it is all on this machine, where a fetcher does not go unasked.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let urls = self
            .data_holders
            .iter()
            .map(|holder| &holder.base_url)
            .chain(
                self.communities
                    .iter()
                    .flat_map(|c| c.crl_url.iter().chain(&c.ocsp_url)),
            );
        let mut hosts: Vec<String> = urls
            .filter_map(|url| {
                let url = Url::parse(url).ok()?;
                Some(format!(
                    "{}:{}",
                    url.host_str()?,
                    url.port_or_known_default()?
                ))
            })
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}
