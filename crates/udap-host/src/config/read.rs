//! The settings of a data holder, one after the other, in the order of the documentation.

use std::{
    cell::RefCell,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::de::DeTable;
use udap_proto::suggest::suggest;

use super::{
    AdminListen, Config, ConfigError, DataHolder, Endpoints, Fetch, LogFormat, Problem, Rates,
    RegistrationGrant, Secret, TlsRoots, binding, check, clients,
    community::communities,
    section::{CREDENTIALS, Field, Section, Source},
};
use crate::{
    client_ip::TrustedProxies,
    db::{Migrate, PostgresUrl},
    limits::HttpLimits,
    listen::TlsFiles,
};

pub(super) fn config(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source {
        path,
        text,
        rows: RefCell::default(),
    };
    let document = DeTable::parse(text).map_err(|error| ConfigError {
        at: error.span().map(|span| source.at(&span)),
        problem: Problem::Syntax {
            detail: error.message().to_owned(),
        },
    })?;
    let top = Section::new(&source, "", document.get_ref(), 0..0, TOP)?;

    let base_url = top.need(
        "base_url",
        "base_url = \"https://fhir.example.org/r4\"",
        base_url,
    )?;
    let upstream = top.get("upstream", None, |field| upstream(field).map(Some))?;
    let tls = tls(&top)?;
    // Behind a proxy on this machine nobody else needs to reach the plain port.
    let default = if tls.is_some() {
        LISTEN_TLS
    } else {
        LISTEN_PLAIN
    };
    let listen = top.get("listen", default, address)?;
    let state_dir = path.parent().unwrap_or(Path::new("")).join("state");
    let state_dir = top.get("state_dir", state_dir, Field::path)?;
    let database = database(&top)?;
    let migrations = top.get("migrations", Shown("at-start", Migrate::Apply), |field| {
        choice(
            field,
            &[
                ("at-start", Shown("at-start", Migrate::Apply)),
                ("apart", Shown("apart", Migrate::Check)),
            ],
        )
    })?;
    let secrets_key_file = top.get("secrets_key_file", None, |field| field.path().map(Some))?;
    let token_lifetime_secs = top
        .get("token_lifetime", Seconds(TOKEN_LIFETIME), |field| {
            seconds(field, 60, 3600)
        })?
        .0;
    let access_token = binding::access_tokens(&top)?;
    let forward_token = top.get("forward_token", false, Field::boolean)?;
    let scopes = SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
    let scopes_supported = top.get("scopes_supported", scopes, scopes_supported)?;
    let trusted_proxies = top.get(
        "trusted_proxies",
        TrustedProxies::default(),
        trusted_proxies,
    )?;
    let mutual_tls = binding::mutual_tls(&top, tls.is_some(), &base_url, &trusted_proxies)?;
    let dpop_nonces = binding::nonces(&top)?;
    let metrics_listen = top.get("metrics_listen", None, |field| address(field).map(Some))?;
    let admin = admin(&top)?;
    let log_format = top.get("log_format", LogFormat::Auto, |field| {
        choice(
            field,
            &[
                ("auto", LogFormat::Auto),
                ("human", LogFormat::Human),
                ("json", LogFormat::Json),
            ],
        )
    })?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = top.get("workers", cores, |field| {
        Ok(to_usize(field.integer(1, 1024)?))
    })?;
    let fetch = fetch(&source, &top)?;
    let (limits, rates) = limits(&source, &top)?;
    let more_data_holders = data_holders(&top, &base_url)?;
    let registration_grants = top.get(
        "registration_grants",
        vec![RegistrationGrant::ClientCredentials],
        clients::grants,
    )?;
    let experimental_jku = top.get("experimental_jku", false, Field::boolean)?;
    let smart_clients = clients::smart_clients(&top)?;
    let communities = communities(&top, mutual_tls.as_ref())?;
    let statement_issuers = clients::statement_issuers(&top, &communities)?;
    let admin_tls = admin.as_ref().and_then(|admin| admin.tls.as_ref());
    for tls in tls.iter().chain(admin_tls) {
        check::unambiguous(tls, &communities)?;
    }

    let rows = source.rows.take();
    Ok(Config {
        path: path.to_owned(),
        base_url,
        upstream,
        listen,
        tls,
        state_dir,
        database,
        migrations: migrations.1,
        secrets_key_file,
        token_lifetime_secs,
        access_token,
        mutual_tls,
        dpop_nonces,
        forward_token,
        scopes_supported,
        trusted_proxies,
        metrics_listen,
        admin,
        log_format,
        workers,
        fetch,
        limits,
        rates,
        more_data_holders,
        registration_grants,
        experimental_jku,
        smart_clients,
        statement_issuers,
        communities,
        rows,
    })
}

/// The URL of a database server; without one it is SQLite in the state directory.
fn database(top: &Section<'_>) -> Result<Option<Secret>, ConfigError> {
    match (top.find("database"), top.find("database_file")) {
        (None, None) => top.get("database", None, |_| Ok(None)),
        (Some(inline), None) => {
            // Nothing of it is repeated: it may hold a password.
            let url: Result<PostgresUrl, _> = inline.text()?.parse();
            url.map_err(|reason| inline.invalid("(redacted)", reason))?;
            secret(top, "database", "database_file", "").map(Some)
        }
        _ => secret(top, "database", "database_file", "").map(Some),
    }
}

fn tls(top: &Section<'_>) -> Result<Option<TlsFiles>, ConfigError> {
    let field = top
        .find("tls")
        .ok_or_else(|| top.missing("tls", TLS_EXAMPLE))?;
    if field.is_text() {
        choice(&field, &[("off", ())])?;
        return field.show("off").map(|_| None);
    }
    tls_files(&field, "a table with `cert` and `key_file`, or \"off\"").map(Some)
}

/// Operators log in with passwords: what they send crosses no network in the clear.
fn admin(top: &Section<'_>) -> Result<Option<AdminListen>, ConfigError> {
    let addr = top.get("admin_listen", None, |field| address(field).map(Some))?;
    let tls = match top.find("admin_tls") {
        Some(field) => Some(tls_files(&field, "a table with `cert` and `key_file`")?),
        None => None,
    };
    match (addr, tls, top.find("admin_listen"), top.find("admin_tls")) {
        (Some(addr), None, Some(field), _) if !addr.ip().is_loopback() => Err(field.invalid(
            &addr.to_string(),
            "others than this machine reach it, so it needs `admin_tls = { cert = \"admin.pem\", key_file = \"admin.key\" }`",
        )),
        (None, Some(_), _, Some(field)) => {
            Err(field.invalid("{ … }", "there is no `admin_listen` for which it could be"))
        }
        (addr, tls, ..) => Ok(addr.map(|addr| AdminListen { addr, tls })),
    }
}

fn tls_files(field: &Field<'_>, expected: &'static str) -> Result<TlsFiles, ConfigError> {
    let table = field.table(expected, &["cert", "key_file"])?;
    let cert = table.need("cert", "cert = \"tls.pem\"", Field::path)?;
    // Only as a file: it is watched, so that a renewed pair is taken while running.
    let key = table.need("key_file", "key_file = \"tls.key\"", Field::path)?;
    Ok(TlsFiles { cert, key })
}

fn fetch(source: &Source<'_>, top: &Section<'_>) -> Result<Fetch, ConfigError> {
    let section = match top.find("fetch") {
        Some(field) => field.table("a table", &["allow_hosts", "tls_roots"])?,
        None => Section::absent(source, "fetch."),
    };
    let allow_hosts = section.get("allow_hosts", Vec::new(), |field| {
        field
            .list("a list of \"host:port\"")?
            .iter()
            .map(host_and_port)
            .collect()
    })?;
    let tls_roots = section.get("tls_roots", TlsRoots::System, |field| {
        match field.text()? {
            "system" => Ok(TlsRoots::System),
            _ => field.path().map(TlsRoots::File),
        }
    })?;
    Ok(Fetch {
        allow_hosts,
        tls_roots,
    })
}

fn limits(source: &Source<'_>, top: &Section<'_>) -> Result<(HttpLimits, Rates), ConfigError> {
    let section = match top.find("limits") {
        Some(field) => field.table("a table", LIMITS)?,
        None => Section::absent(source, "limits."),
    };
    let usual = HttpLimits::default();
    let max_connections = section.get("max_connections", usual.max_connections, |field| {
        Ok(to_usize(field.integer(1, 1_000_000)?))
    })?;
    let max_body_bytes = section.get("max_body_bytes", usual.max_body_bytes, |field| {
        Ok(to_usize(field.integer(16 * 1024, 64 * 1024 * 1024)?))
    })?;
    let drain = i64::try_from(usual.drain.as_secs()).unwrap_or(i64::MAX);
    let drain = section
        .get("drain", Seconds(drain), |field| seconds(field, 0, 3600))?
        .0;
    let drain = Duration::from_secs(drain.unsigned_abs());
    let rate = |name, usual| {
        section.get(name, usual, |field| {
            let per_minute = field.integer(1, 1_000_000_000)?;
            Ok(u32::try_from(per_minute).unwrap_or(u32::MAX))
        })
    };
    let rates = Rates::default();
    let rates = Rates {
        registrations_per_minute: rate("registrations_per_minute", rates.registrations_per_minute)?,
        refusals_per_minute: rate("refusals_per_minute", rates.refusals_per_minute)?,
    };
    let limits = HttpLimits {
        max_connections,
        max_body_bytes,
        drain,
        ..usual
    };
    Ok((limits, rates))
}

const LIMITS: &[&str] = &[
    "max_connections",
    "max_body_bytes",
    "drain",
    "registrations_per_minute",
    "refusals_per_minute",
];

/// The base URLs beside the first one. Requests are told apart by path alone, whatever host they name,
/// so that no two of them may have one path, nor one lie within another.
fn data_holders(top: &Section<'_>, first: &str) -> Result<Vec<DataHolder>, ConfigError> {
    let Some(field) = top.find("data_holder") else {
        return Ok(Vec::new());
    };
    let mut known = vec![first.to_owned()];
    let mut data_holders = Vec::new();
    for field in field.list("one or more [[data_holder]] tables")? {
        let section = field.table("a [[data_holder]] table", DATA_HOLDER)?;
        let example = "base_url = \"https://fhir.example.org/r4b\"";
        let base_url = section.need("base_url", example, base_url)?;
        if let Some(other) = known.iter().find(|known| check::overlap(known, &base_url)) {
            return Err(field.error(Problem::BasesOverlap {
                first: other.clone(),
                second: base_url,
            }));
        }
        let upstream = section.get("upstream", None, |field| upstream(field).map(Some))?;
        let own = Shown("own", Endpoints::Own);
        let endpoints = section.get("endpoints", own, |field| {
            let known = ENDPOINTS.map(|(name, value)| (name, Shown(name, value)));
            choice(field, &known)
        })?;
        known.push(base_url.clone());
        data_holders.push(DataHolder {
            base_url,
            upstream,
            endpoints: endpoints.1,
        });
    }
    Ok(data_holders)
}

/// `x` or `x_file`, never both, one of them.
pub(super) fn secret(
    section: &Section<'_>,
    key: &str,
    key_file: &str,
    example: &'static str,
) -> Result<Secret, ConfigError> {
    match (section.find(key), section.find(key_file)) {
        (Some(inline), Some(_)) => Err(inline.error(Problem::SecretTwice {
            key: key.to_owned(),
        })),
        (Some(inline), None) => inline.show(Secret::Inline(inline.text()?.to_owned().into())),
        (None, Some(file)) => file.show(Secret::File(file.path()?)),
        (None, None) => Err(section.missing(key_file, example)),
    }
}

/// Partners compare it as a string with `iss`, `aud` and the certificate: one spelling only.
fn base_url(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    let url = web_url(field)?;
    if url.scheme() != "https" {
        let reason =
            "partners reach it by https, also when a proxy in front of this server ends TLS";
        return Err(field.invalid(text, reason));
    }
    Ok(text.to_owned())
}

fn upstream(field: &Field<'_>) -> Result<String, ConfigError> {
    web_url(field)
        .map(|_| ())
        .and_then(|()| field.text())
        .map(str::to_owned)
}

/// An http or https URL that has one spelling and nothing but host, port and path.
pub(super) fn web_url(field: &Field<'_>) -> Result<url::Url, ConfigError> {
    let text = field.text()?;
    // No message repeats what may hold a password, also where it is not much of a URL.
    let told = match text.contains('@') {
        true => CREDENTIALS,
        false => text,
    };
    let url = url::Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => field.invalid(told, SCHEME),
        error => field.invalid(told, error.to_string()),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(field.invalid(told, SCHEME));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(field.invalid(told, "a URL must not hold credentials"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(field.invalid(told, "it must have no query and no fragment"));
    }
    if text.ends_with('/') {
        return Err(field.invalid(told, "it must not end with a slash"));
    }
    let canonical = url.as_str().trim_end_matches('/');
    if canonical != text {
        return Err(field.invalid(told, format!("its one spelling is `{canonical}`")));
    }
    Ok(url)
}

/// A community's name; often a URL, at times `urn:oid:…`.
pub(super) fn absolute_uri(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    match url::Url::parse(text) {
        Ok(_) if !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err(field.invalid(text, "it must be a URI with a scheme")),
    }
}

pub(super) fn address(field: &Field<'_>) -> Result<SocketAddr, ConfigError> {
    let text = field.text()?;
    text.parse().map_err(|_| {
        field.invalid(
            text,
            "it must be an address and a port, such as `0.0.0.0:8443` or `[::]:8443`",
        )
    })
}

fn host_and_port(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        let host = match url::Host::parse(host) {
            Ok(url::Host::Domain(name)) => name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)),
            address => address.is_ok(),
        };
        host && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if valid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(field.invalid(
        text,
        "it must be one host and port, such as `localhost:8441`; no wildcards",
    ))
}

pub(super) fn paths(field: &Field<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    if field.is_text() {
        return field.path().map(|path| vec![path]);
    }
    field
        .list("a path or a list of paths")?
        .iter()
        .map(Field::path)
        .collect()
}

pub(super) fn uris(field: &Field<'_>) -> Result<Vec<String>, ConfigError> {
    field
        .list("a list of URIs")?
        .iter()
        .map(absolute_uri)
        .collect()
}

fn scopes_supported(field: &Field<'_>) -> Result<Vec<String>, ConfigError> {
    field
        .list("a list of scopes")?
        .iter()
        .map(|field| {
            let text = field.text()?;
            // RFC 6749 §3.3: a scope is printable ASCII but space, quote and backslash.
            let valid = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if text.is_empty() || !text.bytes().all(valid) {
                return Err(field.invalid(text, "it is not one scope"));
            }
            Ok(text.to_owned())
        })
        .collect()
}

fn trusted_proxies(field: &Field<'_>) -> Result<TrustedProxies, ConfigError> {
    let mut proxies = TrustedProxies::default();
    for field in field.list("a list of addresses or networks")? {
        let text = field.text()?;
        proxies
            .add(text)
            .map_err(|reason| field.invalid(text, reason))?;
    }
    Ok(proxies)
}

pub(super) fn choice<T: Clone>(field: &Field<'_>, known: &[(&str, T)]) -> Result<T, ConfigError> {
    let text = field.text()?;
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(value.clone());
    }
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    let reason = match (suggest(text, &names), names.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, [only]) => format!("as a string it can only be `{only}`"),
        (None, _) => format!("it must be one of {}", names.join(", ")),
    };
    Err(field.invalid(text, reason))
}

/// Seconds as a number, or a number with a unit: `90`, `"90s"`, `"15m"`, `"1h"`, `"1d"`.
pub(super) fn seconds(field: &Field<'_>, min: i64, max: i64) -> Result<Seconds, ConfigError> {
    if field.is_integer() {
        return field.integer(min, max).map(Seconds);
    }
    if !field.is_text() {
        return Err(field.wrong_type("a duration such as \"15m\""));
    }
    let text = field.text()?;
    let unit = |suffix: char| match suffix {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        _ => None,
    };
    let parsed = text.chars().last().and_then(unit).and_then(|unit| {
        let number: u32 = text[..text.len() - 1].parse().ok()?;
        i64::from(number).checked_mul(unit)
    });
    match parsed {
        Some(value) => field.in_range(value, min, max).map(Seconds),
        None => Err(field.invalid(text, "a duration is a number with s, m, h or d")),
    }
}

fn to_usize(value: i64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Shown with its unit, so that a row reads alone.
pub(super) struct Seconds(pub(super) i64);

impl serde::Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}s", self.0))
    }
}

/// A value of another crate, shown by the name that the file has for it.
#[derive(Clone)]
pub(super) struct Shown<T>(pub(super) &'static str, pub(super) T);

impl<T> serde::Serialize for Shown<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

const TOP: &[&str] = &[
    "base_url",
    "upstream",
    "tls",
    "listen",
    "state_dir",
    "database",
    "database_file",
    "migrations",
    "secrets_key_file",
    "token_lifetime",
    binding::TOP[0],
    "forward_token",
    "scopes_supported",
    "trusted_proxies",
    binding::TOP[1],
    binding::TOP[2],
    binding::TOP[3],
    "metrics_listen",
    "admin_listen",
    "admin_tls",
    "log_format",
    "workers",
    "fetch",
    "limits",
    "data_holder",
    "registration_grants",
    "experimental_jku",
    "smart_client",
    "statement_issuer",
    "community",
];

const DATA_HOLDER: &[&str] = &["base_url", "upstream", "endpoints"];

const ENDPOINTS: [(&str, Endpoints); 3] = [
    ("own", Endpoints::Own),
    ("shared-registration", Endpoints::SharedRegistration),
    ("shared", Endpoints::Shared),
];

const TLS_EXAMPLE: &str =
    "tls = { cert = \"tls.pem\", key_file = \"tls.key\" }`, or behind a proxy `tls = \"off\"";

const SCHEME: &str = "it must begin with https:// or http://";

/// Every IPv4 address (`[::]` fails where IPv6 is off), and a port that needs no privilege.
const LISTEN_TLS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8443);
const LISTEN_PLAIN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Long enough that asking for tokens costs an app nothing, short enough that a token which was
/// lost is soon worth nothing.
const TOKEN_LIFETIME: i64 = 900;

/// What the gateway decides: read and search by a system.
const SCOPES: &[&str] = &["system/*.rs", "system/*.read"];
