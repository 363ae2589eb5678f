//! The token endpoint's request and answer (RFC 6749 §§4.4, 5; HL7 SSRAA §5.2.2).

use crate::confirmation::Confirmation;
use crate::error::Refusal;
use crate::scope::{self, ScopeSet};
use percent_encoding::percent_decode;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The only client assertion type of UDAP (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The grant whose authorization is a signed assertion (RFC 7523 §2.1; UDAP Authorization Grants §4).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The most parameters that are read.
pub const MAX_PARAMETERS: usize = 32;

/// Why a token request's form was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum FormError {
    #[error("the body is not a form: {why}")]
    Malformed { why: &'static str },
    #[error("parameter `{name}` appears twice")]
    Repeated { name: String },
    #[error("parameter `{name}` is missing")]
    Missing { name: &'static str },
    #[error("parameter `{name}` is `{found}`, but must be {expected}")]
    Wrong {
        name: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("grant type `{grant}` is not supported here")]
    Grant { grant: String },
    #[error("client secrets are not accepted; a client authenticates with a signed assertion")]
    Secret,
}

impl Refusal for FormError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "form-malformed",
            Self::Repeated { .. } => "parameter-repeated",
            Self::Missing { .. } => "parameter-missing",
            Self::Wrong { .. } => "parameter-invalid",
            Self::Grant { .. } => "grant-unsupported",
            Self::Secret => "client-secret-refused",
        }
    }
}

/// What a token is asked for with.
#[derive(Clone, PartialEq, Eq)]
pub enum Grant {
    /// `client_credentials`: the client's own authorization.
    ClientCredentials,
    /// [`JWT_BEARER`]: that of an authorization assertion, in compact form.
    JwtBearer {
        /// `assertion`
        assertion: String,
    },
}

/// Without the assertion.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Grant {
    /// `grant_type`
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer { .. } => JWT_BEARER,
        }
    }
}

/// Whether a request says that it is one of UDAP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `udap=1`
    Udap,
    /// The parameter is left out, as by those who know OAuth or SMART alone.
    Plain,
}

impl Dialect {
    pub(crate) fn read(form: &Form<'_>) -> Result<Self, FormError> {
        if form.get("udap").is_none() {
            return Ok(Self::Plain);
        }
        form.fixed("udap", "1").map(|()| Self::Udap)
    }

    /// Refuses a request that does not say so, which UDAP JWT-Based Client Authentication §5 demands.
    ///
    /// # Errors
    /// [`FormError::Missing`]
    pub const fn require_udap(self) -> Result<(), FormError> {
        match self {
            Self::Udap => Ok(()),
            Self::Plain => Err(FormError::Missing { name: "udap" }),
        }
    }
}

/// A token request by a client that authenticates with an assertion.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest<'a> {
    /// What it asks with.
    pub grant: Grant,
    /// Whether it is one of UDAP's.
    pub dialect: Dialect,
    /// The authentication token in compact form; none of a client that its TLS certificate tells.
    pub client_assertion: Option<Cow<'a, str>>,
    /// `client_id`, if it was sent; must equal the token's `iss`.
    pub client_id: Option<String>,
    /// `scope`; empty where it was left out, which SMART and HL7 SSRAA §5.2.2 since 2.0 do not permit those
    /// who ask for themselves. Then it is a request for whatever the authorization allows.
    pub scope: ScopeSet,
    /// `resource`, if it was sent: the FHIR base URL that the token is for (RFC 8707 §2).
    pub resource: Option<String>,
}

/// Without the assertions.
impl std::fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest")
            .field("grant", &self.grant)
            .field("dialect", &self.dialect)
            .field("client_id", &self.client_id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl<'a> TokenRequest<'a> {
    /// Reads the form.
    ///
    /// # Errors
    /// [`FormError`]
    pub fn read(body: &'a [u8]) -> Result<Self, FormError> {
        let mut form = Form::read(body)?;
        if form.get("client_secret").is_some() {
            return Err(FormError::Secret);
        }
        let grant = match form.need("grant_type")? {
            "client_credentials" => Grant::ClientCredentials,
            JWT_BEARER => Grant::JwtBearer {
                assertion: form.need("assertion")?.to_owned(),
            },
            other => {
                return Err(FormError::Grant {
                    grant: other.chars().take(80).collect(),
                });
            }
        };
        let client_assertion = form.assertion()?;
        let dialect = Dialect::read(&form)?;
        let scope = match form.get("scope") {
            None => ScopeSet::default(),
            Some(text) => {
                let scope = ScopeSet::read(text).ok_or_else(|| FormError::Wrong {
                    name: "scope",
                    found: text.chars().take(80).collect(),
                    expected: scope::LIMITS,
                })?;
                // Blanks alone are as good as nothing.
                if scope.is_empty() {
                    return Err(FormError::Missing { name: "scope" });
                }
                scope
            }
        };
        Ok(Self {
            grant,
            dialect,
            client_assertion,
            client_id: form.get("client_id").map(str::to_owned),
            scope,
            resource: form.get("resource").map(str::to_owned),
        })
    }

    /// Refuses a request that asks for no scope.
    ///
    /// # Errors
    /// [`FormError::Missing`]
    pub fn require_scope(&self) -> Result<(), FormError> {
        if self.scope.is_empty() {
            return Err(FormError::Missing { name: "scope" });
        }
        Ok(())
    }

    /// The form, encoded.
    #[must_use]
    pub fn to_form(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", self.grant.as_str());
        if let Grant::JwtBearer { assertion } = &self.grant {
            form.append_pair("assertion", assertion);
        }
        if !self.scope.is_empty() {
            form.append_pair("scope", &self.scope.to_string());
        }
        if let Some(assertion) = &self.client_assertion {
            form.append_pair("client_assertion_type", ASSERTION_TYPE)
                .append_pair("client_assertion", assertion);
        }
        if self.dialect == Dialect::Udap {
            form.append_pair("udap", "1");
        }
        if let Some(client_id) = &self.client_id {
            form.append_pair("client_id", client_id);
        }
        if let Some(resource) = &self.resource {
            form.append_pair("resource", resource);
        }
        form.finish()
    }
}

/// The parameters of an `application/x-www-form-urlencoded` body, each at most once (RFC 6749 §3.2).
#[derive(Debug)]
pub(crate) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, FormError> {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for part in Split(body).filter(|part| !part.is_empty()) {
            let at = memchr::memchr(b'=', part).unwrap_or(part.len());
            let (name, value) = part.split_at(at);
            let name = decode(name)?;
            let value = decode(value.get(1..).unwrap_or_default())?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(FormError::Repeated {
                    name: name.chars().take(40).collect(),
                });
            }
            if pairs.len() >= MAX_PARAMETERS {
                return Err(FormError::Malformed {
                    why: "it has more than 32 parameters",
                });
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// A parameter; one that is empty counts as absent (RFC 6749 §3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// The assertion by which a client authenticates. Without any trace of one the client is known by
    /// other means, or not at all. It is taken out, and not copied.
    pub(crate) fn assertion(&mut self) -> Result<Option<Cow<'a, str>>, FormError> {
        if self.get("client_assertion_type").is_none() && self.get("client_assertion").is_none() {
            return Ok(None);
        }
        self.fixed("client_assertion_type", ASSERTION_TYPE)?;
        let name = "client_assertion";
        self.need(name)?;
        let sent = self.0.iter_mut().find(|(known, _)| known == name);
        Ok(sent.map(|(_, text)| std::mem::take(text)))
    }

    pub(crate) fn need(&self, name: &'static str) -> Result<&str, FormError> {
        self.get(name).ok_or(FormError::Missing { name })
    }

    pub(crate) fn fixed(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<(), FormError> {
        let found = self.need(name)?;
        if found == expected {
            return Ok(());
        }
        Err(FormError::Wrong {
            name,
            found: found.chars().take(80).collect(),
            expected,
        })
    }
}

/// The parts of a body between `&`.
struct Split<'a>(&'a [u8]);

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let at = memchr::memchr(b'&', self.0).unwrap_or(self.0.len());
        let (part, rest) = self.0.split_at(at);
        self.0 = rest.get(1..).unwrap_or_default();
        Some(part)
    }
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FormError> {
    const NOT_UTF8: FormError = FormError::Malformed {
        why: "it is not UTF-8",
    };
    if memchr::memchr2(b'+', b'%', bytes).is_none() {
        return std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|_| NOT_UTF8);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    for (at, word) in bytes.split(|b| *b == b'+').enumerate() {
        if at > 0 {
            decoded.push(b' ');
        }
        decoded.extend(percent_decode(word));
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| NOT_UTF8)
}

/// How a token is presented (RFC 6749 §7.1). One that is bound to a certificate is borne like any
/// other (RFC 8705 §3): the connection makes the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "each name is the registered name of the type")]
pub enum TokenType {
    Bearer,
    DPoP,
}

impl TokenType {
    /// The type of a token that is bound so.
    #[must_use]
    pub const fn of(cnf: &Confirmation) -> Self {
        match cnf.key {
            Some(_) => Self::DPoP,
            None => Self::Bearer,
        }
    }
}

/// What a token endpoint answers when all went well (RFC 6749 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The access token.
    pub access_token: String,
    /// How it is presented.
    pub token_type: TokenType,
    /// Its lifetime in seconds.
    pub expires_in: i64,
    /// What it permits, where the answer says so; else what was asked for.
    pub scope: Option<ScopeSet>,
}

/// The JSON form. `scope` is always written: the client then need not remember what it asked for.
impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WithToken(self, &self.access_token).serialize(serializer)
    }
}

/// An answer with this text as the token.
struct WithToken<'a>(&'a Answer, &'a str);

impl Serialize for WithToken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, token) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("access_token", token)?;
        map.serialize_entry("token_type", &answer.token_type)?;
        map.serialize_entry("expires_in", &answer.expires_in)?;
        if let Some(scope) = &answer.scope {
            map.serialize_entry("scope", &scope.to_text())?;
        }
        map.end()
    }
}

impl Answer {
    /// The JSON form in bytes. The token, which is most of it, is not looked through letter by letter for what
    /// JSON escapes: it has nothing of the kind (RFC 6750 §2.1).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        const START: &[u8] = b"{\"access_token\":\"";
        let token = self.access_token.as_bytes();
        let escapes = |b: &u8| (*b < b' ') | (*b == b'"') | (*b == b'\\');
        let plain = !token.iter().fold(false, |found, b| found | escapes(b));
        // Strings, numbers and objects of them always serialize.
        let written = |token| serde_json::to_vec(&WithToken(self, token)).unwrap_or_default();
        match written("").strip_prefix(START) {
            Some(rest) if plain => [START, token, rest].concat(),
            _ => written(&self.access_token),
        }
    }

    /// Reads an answer; `None` when it lacks a token or is not a bearer token.
    #[must_use]
    pub fn from_json(map: &Map<String, Value>) -> Option<Self> {
        let kind = map.get("token_type")?.as_str()?;
        if !kind.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Self {
            access_token: map.get("access_token")?.as_str()?.to_owned(),
            token_type: TokenType::Bearer,
            // RFC 6749 §5.1 only recommends it; a guide's token lives an hour at most, so a missing
            // one is taken as a minute.
            expires_in: map.get("expires_in").and_then(Value::as_i64).unwrap_or(60),
            scope: map
                .get("scope")
                .and_then(Value::as_str)
                .map(ScopeSet::parse),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::json;
    use crate::scope::MAX_SCOPES;

    fn code(form: &str) -> Result<TokenRequest<'_>, &'static str> {
        TokenRequest::read(form.as_bytes()).map_err(|e| e.code())
    }

    #[test]
    fn an_answer_is_the_json_that_serde_writes() {
        for token in [
            "a.b-_~+/=c",
            "",
            "quote\"",
            "back\\slash",
            "line\n",
            "\u{7f}é",
        ] {
            for scope in [None, Some(ScopeSet::parse("system/Patient.rs a\"b"))] {
                let answer = Answer {
                    access_token: token.to_owned(),
                    token_type: TokenType::Bearer,
                    expires_in: 300,
                    scope,
                };
                assert_eq!(answer.to_json(), serde_json::to_vec(&answer).unwrap());
                let read = json::object(&answer.to_json()).unwrap();
                assert_eq!(Answer::from_json(&read), Some(answer));
            }
        }
    }

    #[test]
    fn it_goes_around() {
        let scope = ScopeSet::parse("system/Patient.rs system/Observation.rs");
        let bearer = || Grant::JwtBearer {
            assertion: "d.e.f".into(),
        };
        for (grant, dialect, scope) in [
            (Grant::ClientCredentials, Dialect::Udap, scope.clone()),
            (Grant::ClientCredentials, Dialect::Plain, scope.clone()),
            (bearer(), Dialect::Udap, scope),
            (bearer(), Dialect::Udap, ScopeSet::default()),
        ] {
            let request = TokenRequest {
                grant,
                dialect,
                client_assertion: Some("a.b.c".into()),
                client_id: Some("c 1+2".into()),
                scope,
                resource: Some("https://fhir.example/r4".into()),
            };
            assert_eq!(code(&request.to_form()), Ok(request.clone()));
            let shown = format!("{request:?}");
            assert!(
                !shown.contains("a.b.c") && !shown.contains("d.e.f"),
                "{shown}"
            );
            let request = TokenRequest {
                client_assertion: None,
                ..request
            };
            assert_eq!(code(&request.to_form()), Ok(request));
        }
    }

    fn scopes(count: usize) -> String {
        let scopes: Vec<_> = (0..count).map(|i| format!("s{i}")).collect();
        scopes.join("+")
    }

    #[test]
    fn each_rule_refuses() {
        let good = "grant_type=client_credentials&scope=s&client_assertion=a&udap=1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        assert!(code(good).is_ok());
        // Whether it may be left out depends on who asks.
        for none in ["scope=", "x=1"] {
            let form = good.replacen("scope=s", none, 1);
            let request = code(&form).unwrap();
            let refused = request.require_scope().map_err(|e| e.code());
            assert_eq!(refused, Err("parameter-missing"));
        }
        for (from, to, expected) in [
            (
                "grant_type=client_credentials",
                "grant_type=password",
                "grant-unsupported",
            ),
            ("grant_type=client_credentials", "x=1", "parameter-missing"),
            ("scope=s", "scope=+%0a", "parameter-missing"),
            ("scope=s", "scope=s&scope=t", "parameter-repeated"),
            ("udap=1", "udap=2", "parameter-invalid"),
            ("client_assertion=a", "x=1", "parameter-missing"),
            ("client-assertion-type", "grant-type", "parameter-invalid"),
            (
                "scope=s",
                "scope=s&client_secret=s",
                "client-secret-refused",
            ),
            ("scope=s", "scope=%ff", "form-malformed"),
            (
                "grant_type=client_credentials",
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
                "parameter-missing",
            ),
            (
                "grant_type=client_credentials",
                "assertion=&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
                "parameter-missing",
            ),
        ] {
            assert_eq!(
                code(&good.replacen(from, to, 1)).unwrap_err(),
                expected,
                "{to}"
            );
        }
        for (most, one_more) in [(true, scopes(MAX_SCOPES)), (false, scopes(MAX_SCOPES + 1))] {
            let form = good.replacen("scope=s", &format!("scope={one_more}"), 1);
            let found = code(&form).map(|_| ());
            assert_eq!(
                found,
                if most {
                    Ok(())
                } else {
                    Err("parameter-invalid")
                }
            );
        }
        let plain = good.replacen("udap=1", "x=1", 1);
        let plain = code(&plain).unwrap();
        assert_eq!(plain.dialect, Dialect::Plain);
        let missing = plain.dialect.require_udap().unwrap_err();
        assert_eq!(missing.code(), "parameter-missing");
        let many: String = (0..40).map(|i| format!("&p{i}=1")).collect();
        assert_eq!(
            code(&format!("{good}{many}")).unwrap_err(),
            "form-malformed"
        );
    }
}
