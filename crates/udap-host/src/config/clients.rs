//! Which clients there may be besides those that register by UDAP as apps without users, and with what
//! they may ask.

use std::path::PathBuf;

use super::{
    Community, ConfigError, Problem,
    read::{absolute_uri, choice},
    section::{Field, Section},
};

/// One `[[smart_client]]`: a client of SMART Backend Services, which has no certificate and is known by
/// the keys that the operator took from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartClient {
    pub client_id: String,
    pub keys: ClientKeys,
    /// The most that it is granted: scopes with blanks between.
    pub scope: String,
}

/// Where a client's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKeys {
    /// `jwks_file`: read at the start.
    File(PathBuf),
    /// `jwks_uri`: fetched, and remembered for five minutes at most.
    Url(String),
}

/// A grant for which an app may be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationGrant {
    ClientCredentials,
    /// Registered, so that apps can be prepared; tokens come with sign-in, and metadata does not offer
    /// them before.
    AuthorizationCode,
}

pub(super) fn grants(field: &Field<'_>) -> Result<Vec<RegistrationGrant>, ConfigError> {
    let known = [
        ("client_credentials", RegistrationGrant::ClientCredentials),
        ("authorization_code", RegistrationGrant::AuthorizationCode),
    ];
    field
        .list("a list of grant types")?
        .iter()
        .map(|field| choice(field, &known))
        .collect()
}

pub(super) fn smart_clients(top: &Section<'_>) -> Result<Vec<SmartClient>, ConfigError> {
    let Some(field) = top.find("smart_client") else {
        return Ok(Vec::new());
    };
    let mut clients: Vec<SmartClient> = Vec::new();
    for field in field.list("one or more [[smart_client]] tables")? {
        let client = smart_client(&field)?;
        if clients.iter().any(|c| c.client_id == client.client_id) {
            let reason = "another [[smart_client]] has this `client_id`";
            return Err(field.invalid(&client.client_id, reason));
        }
        clients.push(client);
    }
    Ok(clients)
}

fn smart_client(field: &Field<'_>) -> Result<SmartClient, ConfigError> {
    let section = field.table(
        "a [[smart_client]] table",
        &["client_id", "jwks_file", "jwks_uri", "scope"],
    )?;
    let client_id = section.need("client_id", "client_id = \"reporting\"", |field| {
        let text = field.text()?;
        // RFC 6749 §A.1: printable ASCII. It is compared with `iss` and stands in logs.
        if text.is_empty() || text.len() > 255 || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(field.invalid(text, "it must be 1 to 255 printable ASCII characters"));
        }
        Ok(text.to_owned())
    })?;
    let keys = keys(&section)?;
    let scope = section.need("scope", "scope = \"system/Patient.rs\"", |field| {
        let text = field.text()?;
        if text.split_ascii_whitespace().next().is_none() {
            return Err(field.invalid(text, "a client without a scope could do nothing"));
        }
        Ok(text.to_owned())
    })?;
    Ok(SmartClient {
        client_id,
        keys,
        scope,
    })
}

/// `jwks_file` or `jwks_uri`.
fn keys(section: &Section<'_>) -> Result<ClientKeys, ConfigError> {
    match (section.find("jwks_file"), section.find("jwks_uri")) {
        (Some(file), None) => Ok(ClientKeys::File(file.show(file.path()?)?)),
        (None, Some(url)) => Ok(ClientKeys::Url(url.show(https_url(&url)?)?)),
        (Some(_), Some(url)) => {
            let text = url.text()?;
            Err(url.invalid(text, "`jwks_file` is set as well, and one of them must go"))
        }
        (None, None) => {
            Err(section.missing("jwks_uri", "jwks_uri = \"https://client.example/jwks\""))
        }
    }
}

/// One `[[statement_issuer]]`: somebody whose word about apps counts, by keys in place of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementIssuer {
    /// Its URI, to which its registrations belong as those of members belong to their community.
    pub uri: String,
    pub keys: ClientKeys,
    /// With what the URIs of apps begin that it may speak of; each ends with a slash.
    pub subjects: Vec<String>,
}

pub(super) fn statement_issuers(
    top: &Section<'_>,
    communities: &[Community],
) -> Result<Vec<StatementIssuer>, ConfigError> {
    let Some(field) = top.find("statement_issuer") else {
        return Ok(Vec::new());
    };
    let mut issuers: Vec<StatementIssuer> = Vec::new();
    for field in field.list("one or more [[statement_issuer]] tables")? {
        let known = &["uri", "jwks_file", "jwks_uri", "subjects"];
        let section = field.table("a [[statement_issuer]] table", known)?;
        let uri = section.need("uri", "uri = \"https://registry.example\"", absolute_uri)?;
        let keys = keys(&section)?;
        let example = "subjects = [\"https://apps.example/\"]";
        let subjects = section.need("subjects", example, subjects)?;
        // A registration belongs to a community and a URI: one name for two would mix their apps.
        if communities.iter().any(|other| other.uri == uri)
            || issuers.iter().any(|other| other.uri == uri)
        {
            return Err(field.error(Problem::CommunityTwice { uri }));
        }
        issuers.push(StatementIssuer {
            uri,
            keys,
            subjects,
        });
    }
    Ok(issuers)
}

fn subjects(field: &Field<'_>) -> Result<Vec<String>, ConfigError> {
    let fields = field.list("a list of URLs that end with a slash")?;
    if fields.is_empty() {
        return Err(field.invalid("[]", "an issuer that may speak of nobody is of no use"));
    }
    let one = |field: &Field<'_>| {
        let text = field.text()?;
        let url = url::Url::parse(text).ok();
        let good = url.is_some_and(|url| {
            url.as_str() == text && url.host().is_some() && url.username().is_empty()
        });
        if good && text.ends_with('/') {
            return Ok(text.to_owned());
        }
        Err(field.invalid(
            text,
            "it must be a URL in its one spelling that ends with a slash",
        ))
    };
    fields.iter().map(one).collect()
}

fn https_url(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = absolute_uri(field)?;
    let url = url::Url::parse(&text).ok();
    let https = url.is_some_and(|url| {
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
    });
    if https {
        return Ok(text);
    }
    Err(field.error(Problem::Invalid {
        key: "jwks_uri".to_owned(),
        // Not repeated: it may hold a password.
        value: "…".to_owned(),
        reason: "it must be an https URL without user and password".to_owned(),
    }))
}
