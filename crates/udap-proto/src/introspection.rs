//! Requests about a token: introspection (RFC 7662) and revocation (RFC 7009), whose forms are alike;
//! and what introspection answers.

use crate::access_token::AccessToken;
use crate::confirmation::Confirmation;
use crate::extensions;
use crate::token::{Dialect, Form, FormError, TokenType};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The request (RFC 7009 §2.1, RFC 7662 §2.1) by a client that authenticates with an assertion.
/// `token_type_hint` is not read: there is one kind of token.
#[derive(Clone, PartialEq, Eq)]
pub struct AboutToken {
    /// The token in question.
    pub token: String,
    /// Whether it is one of UDAP's; a UDAP client may leave that out here, for the requests' own
    /// specifications do not know it.
    pub dialect: Dialect,
    /// The authentication token in compact form; none of a client that its TLS certificate tells.
    pub client_assertion: Option<String>,
    /// `client_id`, if it was sent; must equal the assertion's `iss`.
    pub client_id: Option<String>,
}

impl AboutToken {
    /// Reads the form.
    ///
    /// # Errors
    /// [`FormError`]
    pub fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut form = Form::read(body)?;
        if form.get("client_secret").is_some() {
            return Err(FormError::Secret);
        }
        let client_assertion = form.assertion()?.map(Cow::into_owned);
        Ok(Self {
            dialect: Dialect::read(&form)?,
            token: form.need("token")?.to_owned(),
            client_assertion,
            client_id: form.get("client_id").map(str::to_owned),
        })
    }
}

/// Without the token and the assertion.
impl std::fmt::Debug for AboutToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AboutToken")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// What introspection says of a token that counts (RFC 7662 §2.2), with what a resource server of a
/// trust community wants to know besides.
#[derive(Debug, Serialize)]
pub struct Active<'a> {
    active: bool,
    token_type: TokenType,
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: String,
    iat: i64,
    exp: i64,
    jti: &'a str,
    /// Nothing for a client without a community.
    #[serde(skip_serializing_if = "Option::is_none")]
    udap: Option<Udap<'a>>,
    /// As in the token itself: it serves only the subject and purpose that they name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    extensions: &'a Map<String, Value>,
    /// What the resource server must see proved (RFC 8705 §3.2, RFC 9449 §6.2).
    #[serde(skip_serializing_if = "Confirmation::is_unbound")]
    cnf: Confirmation,
}

#[derive(Debug, Serialize)]
struct Udap<'a> {
    community: &'a str,
    uri: &'a str,
    purpose_of_use: Vec<&'a str>,
}

impl<'a> From<&'a AccessToken> for Active<'a> {
    fn from(token: &'a AccessToken) -> Self {
        Self {
            active: true,
            token_type: TokenType::of(&token.cnf),
            iss: &token.iss,
            sub: &token.client_id,
            aud: &token.aud,
            client_id: &token.client_id,
            scope: token.scope.to_string(),
            iat: token.iat.0,
            exp: token.exp.0,
            jti: &token.jti,
            udap: (!token.community.is_empty()).then(|| Udap {
                community: &token.community,
                uri: &token.uri,
                purpose_of_use: extensions::purposes_of_use(&token.extensions),
            }),
            extensions: &token.extensions,
            cnf: token.cnf,
        }
    }
}

/// What introspection says of any other: nothing, not even why (RFC 7662 §2.2).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Inactive {
    active: bool,
}

impl Inactive {
    /// `{"active": false}`
    pub const ANSWER: Self = Self { active: false };
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::error::Refusal as _;
    use crate::scope::ScopeSet;
    use serde_json::json;
    use udap_pki::UnixTime;

    #[test]
    fn each_rule_of_the_form_refuses() {
        let good = "token=t&token_type_hint=refresh_token&client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let read = AboutToken::read(good.as_bytes()).unwrap();
        assert_eq!(
            (&*read.token, read.client_assertion.as_deref()),
            ("t", Some("a.b.c"))
        );
        assert_eq!(format!("{read:?}"), "AboutToken { client_id: None, .. }");
        let with = format!("{good}&udap=1&client_id=c");
        assert_eq!(
            AboutToken::read(with.as_bytes()).unwrap().client_id,
            Some("c".to_owned())
        );
        for (from, to, expected) in [
            ("token=t", "token=", "parameter-missing"),
            ("token=t", "x=t", "parameter-missing"),
            ("token=t", "token=t&token=u", "parameter-repeated"),
            ("token=t", "token=%ff", "form-malformed"),
            ("token=t", "token=t&udap=2", "parameter-invalid"),
            (
                "token=t",
                "token=t&client_secret=s",
                "client-secret-refused",
            ),
            ("client_assertion=", "x=", "parameter-missing"),
            ("client_assertion_type=", "x=", "parameter-missing"),
            ("client-assertion-type", "grant-type", "parameter-invalid"),
        ] {
            let form = good.replacen(from, to, 1);
            let error = AboutToken::read(form.as_bytes()).unwrap_err();
            assert_eq!(error.code(), expected, "{to}");
        }
    }

    #[test]
    fn what_is_said_of_a_token() {
        let extensions = json!({"hl7-b2b": {"purpose_of_use": ["a", "b"]}});
        let mut token = AccessToken {
            iss: "https://holder.example/fhir".into(),
            aud: "https://holder.example/fhir".into(),
            client_id: "c".into(),
            scope: ScopeSet::parse("system/Patient.rs"),
            iat: UnixTime(1000),
            exp: UnixTime(1900),
            jti: "1.x".into(),
            community: "https://community.example".into(),
            uri: "https://app.example".into(),
            extensions: extensions.as_object().cloned().unwrap().into(),
            cnf: Confirmation::default(),
        };
        let said = serde_json::to_value(Active::from(&token)).unwrap();
        let expected = json!({
            "active": true,
            "token_type": "Bearer",
            "iss": "https://holder.example/fhir",
            "sub": "c",
            "aud": "https://holder.example/fhir",
            "client_id": "c",
            "scope": "system/Patient.rs",
            "iat": 1000,
            "exp": 1900,
            "jti": "1.x",
            "udap": {
                "community": "https://community.example",
                "uri": "https://app.example",
                "purpose_of_use": ["a", "b"],
            },
            "extensions": extensions,
        });
        assert_eq!(said, expected);
        token.extensions = Default::default();
        token.cnf.key = Some([0; 32]);
        let said = serde_json::to_value(Active::from(&token)).unwrap();
        assert_eq!(said["token_type"], "DPoP");
        assert_eq!(said["cnf"]["jkt"], "A".repeat(43));
        let said = serde_json::to_value(Active::from(&token)).unwrap();
        assert_eq!(said["udap"]["purpose_of_use"], json!([]));
        assert_eq!(said.get("extensions"), None);
        let said = serde_json::to_string(&Inactive::ANSWER).unwrap();
        assert_eq!(said, r#"{"active":false}"#);
    }
}
