//! Where everything of a sandbox is: files, ports, addresses, names.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// The files and addresses of one sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    dir: PathBuf,
    port_base: u16,
}

/// A port and who listens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) actor: &'static str,
}

/// One of the two communities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Community {
    /// The one most steps are about.
    One,
    /// The one beside it: nothing of it may count in the first.
    Two,
}

impl Community {
    pub(crate) const BOTH: [Self; 2] = [Self::One, Self::Two];

    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// A name and no address, so it has no port: it stays when the ports move.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::One => "https://localhost/community-1",
            Self::Two => "https://localhost/community-2",
        }
    }

    pub(crate) const fn actor(self) -> &'static str {
        match self {
            Self::One => "ca-1",
            Self::Two => "ca-2",
        }
    }
}

impl Layout {
    /// `dir` is absolute.
    pub(crate) const fn new(dir: PathBuf, port_base: u16) -> Self {
        Self { dir, port_base }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn log(&self, actor: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{actor}.log"))
    }

    pub(crate) fn ca_dir(&self, community: Community) -> PathBuf {
        self.dir
            .join(format!("community-{}", community.number()))
            .join("ca")
    }

    pub(crate) fn anchor(&self, community: Community) -> PathBuf {
        self.path(&format!("community-{}/anchor.pem", community.number()))
    }

    pub(crate) fn issuing_ca(&self, community: Community) -> PathBuf {
        self.path(&format!("community-{}/issuing-ca.pem", community.number()))
    }

    pub(crate) fn tls_root(&self) -> PathBuf {
        self.path("tls-root.pem")
    }

    pub(crate) fn data_holder_config(&self) -> PathBuf {
        self.path("data-holder/udap.toml")
    }

    pub(crate) fn phisher_config(&self) -> PathBuf {
        self.path("phisher/udap.toml")
    }

    /// The chain and the key of an app.
    pub(crate) fn app(&self, name: &str) -> (PathBuf, PathBuf) {
        let apps = self.dir.join("apps");
        (
            apps.join(format!("{name}.pem")),
            apps.join(format!("{name}.key")),
        )
    }

    /// What an app is called by its certificate.
    pub(crate) fn app_uri(name: &str) -> String {
        format!("https://localhost/apps/{name}")
    }

    pub(crate) const fn data_holder_port(&self) -> u16 {
        self.port_base
    }

    pub(crate) const fn ca_port(&self, community: Community) -> u16 {
        self.port_base + community.number()
    }

    pub(crate) const fn fhir_port(&self) -> u16 {
        self.port_base + 3
    }

    pub(crate) const fn phisher_port(&self) -> u16 {
        self.port_base + 4
    }

    /// Where community 1 says by https whether a certification still holds.
    pub(crate) const fn status_port(&self) -> u16 {
        self.port_base + 5
    }

    pub(crate) fn status_url(&self) -> String {
        format!(
            "https://localhost:{}/certifications/status",
            self.status_port()
        )
    }

    /// The data holder's administration.
    pub(crate) const fn admin_port(&self) -> u16 {
        self.port_base + 6
    }

    pub(crate) fn admin_url(&self) -> String {
        format!("http://localhost:{}", self.admin_port())
    }

    /// Its metrics. The port before is that of benchmarks' bare handlers.
    pub(crate) const fn metrics_port(&self) -> u16 {
        self.port_base + 8
    }

    pub(crate) fn metrics_url(&self) -> String {
        format!("http://localhost:{}/metrics", self.metrics_port())
    }

    pub(crate) fn data_holder_url(&self) -> String {
        format!("https://localhost:{}/fhir", self.data_holder_port())
    }

    pub(crate) fn phisher_url(&self) -> String {
        format!("https://localhost:{}/fhir", self.phisher_port())
    }

    pub(crate) fn ca_url(&self, community: Community) -> String {
        format!("http://localhost:{}", self.ca_port(community))
    }

    pub(crate) fn fhir_url(&self) -> String {
        format!("http://localhost:{}/fhir", self.fhir_port())
    }

    /// Every host that a client of the sandbox has to reach although it is not public.
    pub(crate) fn hosts(&self) -> Vec<String> {
        [
            self.data_holder_port(),
            self.phisher_port(),
            self.ca_port(Community::One),
            self.ca_port(Community::Two),
            self.status_port(),
        ]
        .into_iter()
        .map(|port| format!("localhost:{port}"))
        .collect()
    }
}

/// How many ports in a row a sandbox takes.
pub(crate) const PORTS: u16 = 9;
/// The first of them: below, only the administrator may listen; above, there are not enough.
pub(crate) const PORT_BASES: RangeInclusive<u16> = 1024..=u16::MAX - (PORTS - 1);
