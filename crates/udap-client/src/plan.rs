//! A request as it would be sent: to look at, to copy as a `curl` command, or to send.

use crate::error::ClientError;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::fmt;
use std::path::Path;

/// A request that has not been sent. `Debug` leaves out what is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Plan {
    /// `GET` or `POST`.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Header fields, in the order they are shown.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent along.
    pub body: PlanBody,
}

/// The body of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum PlanBody {
    /// None.
    Empty,
    /// A JSON object of texts and arrays of texts.
    Json(serde_json::Map<String, serde_json::Value>),
    /// A form, in order.
    Form(Vec<(&'static str, String)>),
}

/// Whether a shown request holds what only its receiver should see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Tokens and assertions are replaced by a word in capitals.
    Redacted,
    /// They stand there.
    Shown,
}

/// The members and header fields that authenticate whoever holds them, and what stands in their place.
const SECRET: [(&str, &str); 4] = [
    ("token", "ACCESS_TOKEN"),
    ("software_statement", "SOFTWARE_STATEMENT"),
    ("client_assertion", "CLIENT_ASSERTION"),
    ("authorization", "Bearer ACCESS_TOKEN"),
];

impl Plan {
    pub(crate) fn get(url: impl Into<String>, accept: &'static str) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: vec![("accept", accept.to_owned())],
            body: PlanBody::Empty,
        }
    }

    pub(crate) fn post(url: impl Into<String>, body: PlanBody) -> Self {
        Self {
            method: Method::POST,
            url: url.into(),
            headers: vec![("accept", "application/json".to_owned())],
            body,
        }
    }

    /// An equivalent `curl` command. `cacert` is the file of TLS roots, where it is not the system's.
    #[must_use]
    pub fn to_curl(&self, secrets: Secrets, cacert: Option<&Path>) -> String {
        let mut command = String::from("curl");
        let mut option = |name: &str, value: &str| {
            command.push_str(" \\\n  ");
            command.push_str(name);
            if !value.is_empty() {
                command.push(' ');
                command.push_str(&quoted(value));
            }
        };
        if let Some(path) = cacert {
            option("--cacert", &path.display().to_string());
        }
        for (name, value) in self.shown_headers(secrets) {
            option("--header", &format!("{name}: {value}"));
        }
        match &self.body {
            PlanBody::Empty => {}
            PlanBody::Json(_) => option("--data-raw", &self.shown_body(secrets)),
            PlanBody::Form(pairs) => {
                for (name, value) in pairs {
                    let value = shown(name, value, secrets);
                    option("--data-urlencode", &format!("{name}={value}"));
                }
            }
        }
        // `--globoff`, or curl would take brackets in a search for a pattern.
        option("--globoff", "");
        option("--url", &self.url);
        command
    }

    /// The request as JSON, for `--json`.
    #[must_use]
    pub fn to_json(&self, secrets: Secrets) -> serde_json::Value {
        let headers: serde_json::Map<_, _> = self
            .shown_headers(secrets)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        serde_json::json!({
            "method": self.method.as_str(),
            "url": self.url,
            "headers": headers,
            "body": self.shown_body(secrets),
        })
    }

    pub(crate) fn header_map(&self) -> Result<HeaderMap, ClientError> {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let mut field =
                HeaderValue::from_str(value).map_err(|_| ClientError::Header { name })?;
            field.set_sensitive(*name == "authorization");
            map.insert(HeaderName::from_static(name), field);
        }
        if let Some(kind) = self.content_type() {
            map.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        Ok(map)
    }

    pub(crate) fn body_bytes(&self) -> Bytes {
        match &self.body {
            PlanBody::Empty => Bytes::new(),
            PlanBody::Json(map) => serde_json::to_vec(map).unwrap_or_default().into(),
            PlanBody::Form(pairs) => url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish()
                .into(),
        }
    }

    const fn content_type(&self) -> Option<&'static str> {
        match self.body {
            PlanBody::Empty => None,
            PlanBody::Json(_) => Some("application/json"),
            PlanBody::Form(_) => Some("application/x-www-form-urlencoded"),
        }
    }

    fn shown_headers(&self, secrets: Secrets) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.headers.iter();
        fields
            .map(move |(name, value)| (*name, shown(name, value, secrets)))
            .chain(self.content_type().map(|kind| ("content-type", kind)))
    }

    fn shown_body(&self, secrets: Secrets) -> String {
        match &self.body {
            PlanBody::Empty => String::new(),
            PlanBody::Json(map) => {
                let mut map = map.clone();
                for (name, value) in &mut map {
                    if let Some(text) = value.as_str().map(str::to_owned) {
                        *value = shown(name, &text, secrets).into();
                    }
                }
                serde_json::Value::Object(map).to_string()
            }
            PlanBody::Form(pairs) => url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(
                    pairs
                        .iter()
                        .map(|(name, value)| (name, shown(name, value, secrets))),
                )
                .finish(),
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json(Secrets::Redacted).to_string())
    }
}

impl fmt::Debug for PlanBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Json(_) => "Json(..)",
            Self::Form(_) => "Form(..)",
        })
    }
}

fn shown<'a>(name: &str, value: &'a str, secrets: Secrets) -> &'a str {
    match (secrets, SECRET.iter().find(|(secret, _)| *secret == name)) {
        (Secrets::Redacted, Some((_, word))) => word,
        _ => value,
    }
}

/// For a POSIX shell: in single quotes, unless it is plain.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_only_when_asked_for() {
        let plan = Plan::post(
            "https://fhir.example/token",
            PlanBody::Form(vec![
                ("scope", "system/Patient.rs".into()),
                ("client_assertion", "a.b.c".into()),
            ]),
        );
        assert_eq!(
            plan.to_curl(Secrets::Redacted, None),
            "curl \\\n  --header 'accept: application/json' \\\n  --header 'content-type: application/x-www-form-urlencoded' \\\n  --data-urlencode scope=system/Patient.rs \\\n  --data-urlencode client_assertion=CLIENT_ASSERTION \\\n  --globoff \\\n  --url https://fhir.example/token"
        );
        assert!(
            plan.to_curl(Secrets::Shown, None)
                .contains("client_assertion=a.b.c")
        );
        assert!(!format!("{plan:?}").contains("a.b.c"));
    }

    #[test]
    fn a_shell_sees_one_word() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted("https://a/b?c=d&e"), "'https://a/b?c=d&e'");
        assert_eq!(quoted(""), "''");
    }
}
