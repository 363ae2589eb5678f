use std::{fmt, path::PathBuf, str::FromStr};

use url::Url;
use zeroize::Zeroizing;

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// SQLite in this file: one process.
    File(PathBuf),
    /// PostgreSQL: as many processes as there are.
    Server(PostgresUrl),
}

/// Without the password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => url.fmt(f),
        }
    }
}

/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…`: a secret, which is shown without user, password
/// and parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    url: Zeroizing<String>,
    shown: String,
}

impl PostgresUrl {
    pub(super) fn expose(&self) -> &str {
        &self.url
    }
}

/// The error is a reason that repeats nothing of the text.
impl FromStr for PostgresUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = Url::parse(text).map_err(|_| "it is not a URL")?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err("it must begin with postgres://");
        }
        let mut host = url.host_str().unwrap_or_default().to_owned();
        let mut tls = false;
        for (key, value) in url.query_pairs() {
            match &*key {
                "host" | "hostaddr" => host = value.into_owned(),
                "sslmode" => tls = true,
                known if PARAMETERS.contains(&known) => {}
                _ => return Err("it has a parameter that is not known here"),
            }
        }
        if host.is_empty() {
            return Err("it names no host; a socket is named by `?host=/var/run/postgresql`");
        }
        let shown = match host.starts_with('/') {
            true => format!("postgres://{}?host={host}", url.path()),
            false => {
                let port = url.port().map(|port| format!(":{port}"));
                format!(
                    "postgres://{host}{}{}",
                    port.unwrap_or_default(),
                    url.path()
                )
            }
        };
        // Over a network the server proves who it is, unless the operator says otherwise: whoever
        // answers in its place would be told every registration and every JWT.
        if !tls && !is_local(&host) {
            url.query_pairs_mut().append_pair("sslmode", "verify-full");
        }
        Ok(Self {
            url: Zeroizing::new(url.into()),
            shown,
        })
    }
}

fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.to_ascii_lowercase().starts_with("%2f")
        || host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// What else a URL may say; a parameter with a slip would otherwise be left out without a word.
const PARAMETERS: &[&str] = &[
    "sslrootcert",
    "sslcert",
    "sslkey",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn a_server_over_a_network_has_to_prove_who_it_is_and_secrets_are_not_shown() {
        let verified = "sslmode=verify-full";
        for (text, shown, demanded) in [
            (
                "postgres://u:geheim@db.example/udap",
                "postgres://db.example/udap",
                true,
            ),
            (
                "postgresql://u:geheim@db.example:6432/udap?sslrootcert=ca.pem",
                "postgres://db.example:6432/udap",
                true,
            ),
            (
                "postgres://u:geheim@10.0.0.7/udap",
                "postgres://10.0.0.7/udap",
                true,
            ),
            (
                "postgres://u:geheim@localhost.example/udap",
                "postgres://localhost.example/udap",
                true,
            ),
            (
                "postgres://db.example/udap?sslmode=require&password=geheim",
                "postgres://db.example/udap",
                false,
            ),
            (
                "postgres://u:geheim@127.0.0.1:5433/udap",
                "postgres://127.0.0.1:5433/udap",
                false,
            ),
            (
                "postgres://u:geheim@[::1]/udap",
                "postgres://[::1]/udap",
                false,
            ),
            (
                "postgres://localhost/udap?host=db.example&user=geheim",
                "postgres://db.example/udap",
                true,
            ),
            (
                "postgres:///udap?host=/var/run/postgresql&user=geheim",
                "postgres:///udap?host=/var/run/postgresql",
                false,
            ),
        ] {
            let url: PostgresUrl = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.expose().contains(verified), demanded, "{text}");
            let printed = format!("{url} {url:?} {}", Location::Server(url.clone()));
            assert!(!printed.contains("geheim"), "{printed}");
        }
        for text in [
            "udap.db",
            "mysql://u:geheim@db.example/udap",
            "postgres:///udap",
            "postgres://u:geheim@db.example/udap?sslmod=disable",
        ] {
            let reason = text.parse::<PostgresUrl>().unwrap_err();
            assert!(!reason.contains("geheim") && !reason.contains("db.example"));
        }
    }
}
