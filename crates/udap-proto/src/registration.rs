//! Registration: the request's body, the parameters of a statement, and the answer
//! (HL7 SSRAA §3; UDAP Dynamic Client Registration §§3–5; RFC 7591).

mod authentication;

pub use authentication::{Authentication, Method, Offered};

mod uris;

use crate::claims::text;
use crate::error::Refusal;
use crate::json::{self, JsonError};
use crate::scope::{self, ScopeSet};
use crate::token::JWT_BEARER;
use serde_json::{Map, Value};
use uris::{jku, logo, redirect_uri};
use url::Url;

/// The most certifications of one request that are read.
pub const MAX_CERTIFICATIONS: usize = 16;
/// The most redirect URIs, contacts or other items of one list.
pub const MAX_ITEMS: usize = 64;

/// Why the body of a registration request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum BodyError {
    #[error("the body is {0}")]
    Json(#[from] JsonError),
    #[error("`udap` is {found}, but must be the string \"1\"")]
    Version { found: String },
    #[error("`software_statement` is missing or not a string")]
    NoStatement,
    #[error("`certifications` is not an array of at most {MAX_CERTIFICATIONS} strings")]
    Certifications,
}

impl Refusal for BodyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "body-malformed",
            Self::Version { .. } => "udap-version",
            Self::NoStatement => "statement-missing",
            Self::Certifications => "certifications-malformed",
        }
    }
}

/// The body of a registration request. Parameters beside the statement are not read: they are not
/// signed (UDAP Dynamic Client Registration §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The software statement in compact form.
    pub software_statement: String,
    /// Certifications and endorsements in compact form.
    pub certifications: Vec<String>,
}

impl Body {
    /// Reads the body.
    ///
    /// # Errors
    /// [`BodyError`]
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        let map = json::object(body)?;
        match map.get("udap") {
            Some(Value::String(version)) if version == "1" => {}
            Some(other) => {
                return Err(BodyError::Version {
                    found: short(&other.to_string()),
                });
            }
            None => {
                return Err(BodyError::Version {
                    found: "missing".into(),
                });
            }
        }
        let Some(Value::String(statement)) = map.get("software_statement") else {
            return Err(BodyError::NoStatement);
        };
        let certifications = match map.get("certifications") {
            None => Vec::new(),
            Some(Value::Array(items)) if items.len() <= MAX_CERTIFICATIONS => items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map(str::to_owned)
                        .ok_or(BodyError::Certifications)
                })
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(BodyError::Certifications),
        };
        Ok(Self {
            software_statement: statement.clone(),
            certifications,
        })
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert(
            "software_statement".into(),
            self.software_statement.as_str().into(),
        );
        if !self.certifications.is_empty() {
            map.insert("certifications".into(), self.certifications.clone().into());
        }
        map.insert("udap".into(), "1".into());
        Value::Object(map)
    }
}

/// Why a parameter of a statement was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum ParamError {
    #[error("`{param}` is missing")]
    Missing { param: &'static str },
    #[error("`{param}` is {found}, but must be {expected}")]
    Wrong {
        param: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("redirect URI `{uri}` is refused: {why}")]
    RedirectUri { uri: String, why: &'static str },
}

impl Refusal for ParamError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "parameter-missing",
            Self::Wrong { .. } => "parameter-invalid",
            Self::RedirectUri { .. } => "redirect-uri-invalid",
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { param } | Self::Wrong { param, .. } => Some(format!(
                "change `{param}` in the software statement and sign it again"
            )),
            Self::RedirectUri { .. } => None,
        }
    }
}

/// What the app asks for with its statement.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, and each lives for one request"
)]
pub enum Change {
    /// To be registered, or its registration replaced.
    Register(ClientMetadata),
    /// To have its registration cancelled: empty `grant_types` (HL7 SSRAA §3.4).
    Cancel,
}

impl Change {
    /// Reads the parameters of a statement.
    ///
    /// # Errors
    /// [`ParamError`]
    pub fn read(payload: &Map<String, Value>) -> Result<Self, ParamError> {
        match payload.get("grant_types") {
            // Nothing else is demanded of an app that leaves.
            Some(Value::Array(grants)) if grants.is_empty() => Ok(Self::Cancel),
            _ => ClientMetadata::read(payload).map(Self::Register),
        }
    }
}

/// How an app gets its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    /// `client_credentials`
    ClientCredentials,
    /// `authorization_code`
    AuthorizationCode,
    /// `authorization_code` and `refresh_token`
    AuthorizationCodeWithRefresh,
    /// By assertions of others alone (UDAP Authorization Grants §4)
    JwtBearer,
    /// By its own authorization and by assertions of others
    ClientCredentialsAndJwtBearer,
}

impl Grant {
    /// The values of `grant_types`.
    #[must_use]
    pub const fn types(self) -> &'static [&'static str] {
        match self {
            Self::ClientCredentials => &["client_credentials"],
            Self::AuthorizationCode => &["authorization_code"],
            Self::AuthorizationCodeWithRefresh => &["authorization_code", "refresh_token"],
            Self::JwtBearer => &[JWT_BEARER],
            Self::ClientCredentialsAndJwtBearer => &["client_credentials", JWT_BEARER],
        }
    }

    /// From the values of `grant_types` with blanks between, in any order; `None` when they are none of
    /// these.
    #[must_use]
    pub fn read(types: &str) -> Option<Self> {
        Self::of(types.split(' ').collect())
    }

    fn of(mut types: Vec<&str>) -> Option<Self> {
        types.sort_unstable();
        match types.as_slice() {
            ["client_credentials"] => Some(Self::ClientCredentials),
            ["authorization_code"] => Some(Self::AuthorizationCode),
            ["authorization_code", "refresh_token"] => Some(Self::AuthorizationCodeWithRefresh),
            [JWT_BEARER] => Some(Self::JwtBearer),
            ["client_credentials", JWT_BEARER] => Some(Self::ClientCredentialsAndJwtBearer),
            _ => None,
        }
    }

    /// Whether a user signs in, and is sent back to a redirect URI.
    #[must_use]
    pub const fn with_code(self) -> bool {
        matches!(
            self,
            Self::AuthorizationCode | Self::AuthorizationCodeWithRefresh
        )
    }
}

/// The metadata of an app (RFC 7591 §2), checked by the rules of HL7 SSRAA §3.1.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientMetadata {
    /// `client_name`
    pub client_name: String,
    /// `grant_types`
    pub grant: Grant,
    /// `redirect_uris`, each as it was written
    pub redirect_uris: Vec<String>,
    /// `scope`
    pub scope: ScopeSet,
    /// `contacts`
    pub contacts: Vec<String>,
    /// `logo_uri`
    pub logo_uri: Option<String>,
    /// `jku`: where the app's keys are, with their certificates (HL7 SSRAA §7.6, experimental)
    pub jku: Option<String>,
    /// How it proves who it is, and what its tokens are bound to.
    pub authentication: Authentication,
    /// Other text parameters of RFC 7591 §2 that were sent.
    pub other: Map<String, Value>,
}

/// Parameters that are kept and echoed as they come when they are non-empty strings.
const OTHER_TEXTS: [&str; 5] = [
    "client_uri",
    "tos_uri",
    "policy_uri",
    "software_id",
    "software_version",
];

impl ClientMetadata {
    fn read(payload: &Map<String, Value>) -> Result<Self, ParamError> {
        let client_name = param_text(payload, "client_name")?;
        let grant = grant(payload)?;
        let with_code = grant.with_code();
        let authentication = Authentication::read(payload)?;
        let redirect_uris = list(payload, "redirect_uris")?;
        let response_types = list(payload, "response_types")?;
        let logo_uri = payload
            .contains_key("logo_uri")
            .then(|| logo(payload))
            .transpose()?;
        if with_code {
            let uris = redirect_uris.as_deref().unwrap_or_default();
            if uris.is_empty() {
                return Err(ParamError::Missing {
                    param: "redirect_uris",
                });
            }
            uris.iter().try_for_each(|uri| redirect_uri(uri))?;
            match response_types.as_deref() {
                None => {
                    return Err(ParamError::Missing {
                        param: "response_types",
                    });
                }
                Some([code]) if code == "code" => {}
                Some(other) => {
                    return Err(wrong("response_types", &format!("{other:?}"), "[\"code\"]"));
                }
            }
            if logo_uri.is_none() {
                return Err(ParamError::Missing { param: "logo_uri" });
            }
        } else {
            for (param, given) in [
                ("redirect_uris", &redirect_uris),
                ("response_types", &response_types),
            ] {
                if let Some(given) = given {
                    return Err(wrong(
                        param,
                        &format!("{given:?}"),
                        "absent without `authorization_code`",
                    ));
                }
            }
        }
        let contacts =
            list(payload, "contacts")?.ok_or(ParamError::Missing { param: "contacts" })?;
        if contacts.iter().any(|contact| Url::parse(contact).is_err()) {
            return Err(wrong(
                "contacts",
                &format!("{contacts:?}"),
                "an array of URIs",
            ));
        }
        if !contacts
            .iter()
            .any(|contact| contact.starts_with("mailto:") && contact.contains('@'))
        {
            return Err(wrong(
                "contacts",
                &format!("{contacts:?}"),
                "URIs of which one is a `mailto:` address",
            ));
        }
        let scope = param_text(payload, "scope")?;
        let scope =
            ScopeSet::read(&scope).ok_or_else(|| wrong("scope", &short(&scope), scope::LIMITS))?;
        let mut other = Map::new();
        for name in OTHER_TEXTS {
            if payload.contains_key(name) {
                other.insert(name.into(), param_text(payload, name)?.into());
            }
        }
        Ok(Self {
            client_name,
            grant,
            redirect_uris: redirect_uris.unwrap_or_default(),
            scope,
            contacts,
            logo_uri,
            jku: payload
                .contains_key("jku")
                .then(|| jku(payload))
                .transpose()?,
            authentication,
            other,
        })
    }

    /// The parameters by their registered names; those without a value are left out
    /// (HL7 SSRAA §3.2.3). The claims of the statement's JWT are not among them.
    #[must_use]
    pub fn to_params(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("client_name".into(), self.client_name.as_str().into());
        map.insert("grant_types".into(), self.grant.types().into());
        if self.grant.with_code() {
            map.insert("redirect_uris".into(), self.redirect_uris.clone().into());
            map.insert("response_types".into(), ["code"].as_slice().into());
        }
        self.authentication.write(&mut map);
        map.insert("scope".into(), self.scope.to_string().into());
        map.insert("contacts".into(), self.contacts.clone().into());
        if let Some(logo) = &self.logo_uri {
            map.insert("logo_uri".into(), logo.as_str().into());
        }
        if let Some(jku) = &self.jku {
            map.insert("jku".into(), jku.as_str().into());
        }
        map.extend(self.other.clone());
        map
    }
}

/// The answer to a registration that went well: status 201 for a new one, 200 for a changed one.
#[must_use]
pub fn answer(client_id: &str, statement: &str, metadata: &ClientMetadata) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("client_id".into(), client_id.into());
    map.insert("software_statement".into(), statement.into());
    map.extend(metadata.to_params());
    map
}

/// The answer that confirms a cancellation: `grant_types` is empty (HL7 SSRAA §3.4).
#[must_use]
pub fn cancelled(client_id: &str, statement: &str) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("client_id".into(), client_id.into());
    map.insert("software_statement".into(), statement.into());
    map.insert("grant_types".into(), Value::Array(Vec::new()));
    map
}

fn grant(payload: &Map<String, Value>) -> Result<Grant, ParamError> {
    const EXPECTED: &str = "one of [\"client_credentials\"], [\"authorization_code\"], \
         [\"authorization_code\",\"refresh_token\"], [\"urn:ietf:params:oauth:grant-type:jwt-bearer\"] \
         with or without \"client_credentials\", or [] to cancel";
    let types = list(payload, "grant_types")?.ok_or(ParamError::Missing {
        param: "grant_types",
    })?;
    Grant::of(types.iter().map(String::as_str).collect())
        .ok_or_else(|| wrong("grant_types", &format!("{types:?}"), EXPECTED))
}

fn param_text(payload: &Map<String, Value>, param: &'static str) -> Result<String, ParamError> {
    text(payload, param).map_err(|_| match payload.get(param) {
        None | Some(Value::Null) => ParamError::Missing { param },
        Some(other) => wrong(param, &other.to_string(), "a non-empty string"),
    })
}

fn list(
    payload: &Map<String, Value>,
    param: &'static str,
) -> Result<Option<Vec<String>>, ParamError> {
    let refused =
        |value: &Value| wrong(param, &value.to_string(), "an array of at most 64 strings");
    match payload.get(param) {
        None => Ok(None),
        Some(value @ Value::Array(items)) if items.len() <= MAX_ITEMS => items
            .iter()
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| refused(value))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some),
        Some(other) => Err(refused(other)),
    }
}

fn wrong(param: &'static str, found: &str, expected: &'static str) -> ParamError {
    ParamError::Wrong {
        param,
        found: short(found),
        expected,
    }
}

/// Enough of a sender's text to recognise it by, so that an answer cannot be made large.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn params(grant: &str, changes: &[(&str, Value)]) -> Result<Change, ParamError> {
        let mut value = json!({
            "client_name": "Example", "grant_types": [grant], "token_endpoint_auth_method": "private_key_jwt",
            "scope": "system/Patient.rs", "contacts": ["mailto:ops@app.example"],
        });
        let map = value.as_object_mut().unwrap();
        if grant == "authorization_code" {
            map.insert(
                "redirect_uris".into(),
                json!(["https://app.example/cb?x=1"]),
            );
            map.insert("response_types".into(), json!(["code"]));
            map.insert("logo_uri".into(), json!("https://app.example/logo.PNG"));
        }
        for (name, value) in changes {
            if value.is_null() {
                map.remove(*name);
            } else {
                map.insert((*name).into(), value.clone());
            }
        }
        Change::read(map)
    }

    #[test]
    fn both_kinds_of_app_are_read_and_echoed() {
        for grant in ["client_credentials", "authorization_code"] {
            let Change::Register(metadata) = params(grant, &[]).unwrap() else {
                unreachable!()
            };
            let echoed = metadata.to_params();
            assert_eq!(Change::read(&echoed).unwrap(), Change::Register(metadata));
        }
    }

    #[test]
    fn each_parameter_rule_refuses() {
        let both = ["client_credentials", "authorization_code"];
        for grant in both {
            for param in [
                "client_name",
                "grant_types",
                "token_endpoint_auth_method",
                "scope",
                "contacts",
            ] {
                assert_eq!(
                    params(grant, &[(param, Value::Null)]),
                    Err(ParamError::Missing { param }),
                    "{grant} {param}"
                );
            }
            for (param, value) in [
                ("client_name", json!(7)),
                (
                    "grant_types",
                    json!(["authorization_code", "client_credentials"]),
                ),
                (
                    "grant_types",
                    json!(["client_credentials", "refresh_token"]),
                ),
                ("grant_types", json!(["refresh_token"])),
                ("grant_types", json!(["password"])),
                ("grant_types", json!("client_credentials")),
                ("token_endpoint_auth_method", json!("client_secret_basic")),
                ("scope", json!("")),
                ("contacts", json!(["ops@app.example"])),
                ("contacts", json!(["https://app.example/help"])),
                ("contacts", json!([])),
                ("logo_uri", json!("http://app.example/logo.png")),
                ("logo_uri", json!("https://app.example/logo.svg")),
                ("logo_uri", json!("https://app.example/lo go.png")),
                ("logo_uri", json!("https:app.example/logo.png")),
                ("jku", json!("http://app.example/jwks")),
                ("jku", json!("https://u:p@app.example/jwks")),
                ("jku", json!("https://app.example/jwks#x")),
                ("jku", json!("https://app.example/\n")),
                ("jku", json!(["https://app.example/jwks"])),
            ] {
                let refused = params(grant, &[(param, value.clone())]).unwrap_err();
                assert!(
                    matches!(refused, ParamError::Wrong { param: p, .. } if p == param),
                    "{grant} {value} {refused}"
                );
            }
        }
        for (param, value) in [
            ("redirect_uris", json!(["https://a.example/cb"])),
            ("response_types", json!(["code"])),
        ] {
            let refused = params("client_credentials", &[(param, value)]).unwrap_err();
            assert_eq!(refused.code(), "parameter-invalid");
        }
        for param in ["redirect_uris", "response_types", "logo_uri"] {
            assert_eq!(
                params("authorization_code", &[(param, Value::Null)]),
                Err(ParamError::Missing { param })
            );
        }
        for uri in [
            "http://app.example/cb",
            "https://app.example/cb#f",
            "/cb",
            "https://app.example/*",
            "app:cb",
            "https://u:p@app.example/cb",
            "https:app.example/cb",
            "https:\\\\app.example\\cb",
            "https://app.example/cb\n",
            "https://app.example/c\tb",
            " https://app.example/cb",
            "https://app.example/c b",
            "https://app.example/cb?{x}",
            "https://app.example/über",
            "",
        ] {
            let refused =
                params("authorization_code", &[("redirect_uris", json!([uri]))]).unwrap_err();
            assert_eq!(refused.code(), "redirect-uri-invalid", "{uri}");
        }
    }

    #[test]
    fn empty_grant_types_cancel_and_nothing_else_is_demanded() {
        assert_eq!(
            Change::read(json!({"grant_types": []}).as_object().unwrap()),
            Ok(Change::Cancel)
        );
    }

    #[test]
    fn the_body_is_checked() {
        let code = |v: Value| {
            Body::read(v.to_string().as_bytes())
                .map(|_| ())
                .map_err(|e| e.code())
        };
        assert_eq!(
            code(json!({"udap": "1", "software_statement": "x.y.z"})),
            Ok(())
        );
        assert_eq!(
            code(json!({"udap": 1, "software_statement": "x.y.z"})),
            Err("udap-version")
        );
        assert_eq!(
            code(json!({"software_statement": "x.y.z"})),
            Err("udap-version")
        );
        assert_eq!(code(json!({"udap": "1"})), Err("statement-missing"));
        assert_eq!(
            code(json!({"udap": "1", "software_statement": "x", "certifications": "y"})),
            Err("certifications-malformed")
        );
        assert_eq!(Body::read(b"<xml/>").unwrap_err().code(), "body-malformed");
    }
}
