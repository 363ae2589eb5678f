//! Who asks: a person with a session, or a program with a token. Handlers take [`Person`] or [`Program`],
//! which only the checks here make.

use super::Admin;
use super::error::AdminError;
use super::page::Rejected;
use axum::extract::FromRequestParts;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderMap, header};
use std::fmt;
use std::sync::Arc;
use udap_trust::clock;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sees everything and changes nothing.
    Viewer,
    /// Also suspends, restores and cancels.
    Operator,
}

impl Role {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    /// What is not understood may do the least.
    pub(crate) fn read(text: &str) -> Self {
        match text {
            "operator" => Self::Operator,
            _ => Self::Viewer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody who may be here.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) name: Arc<str>,
    pub(super) role: Role,
}

impl Caller {
    pub(super) fn must_operate(&self) -> Result<(), AdminError> {
        match self.role {
            Role::Operator => Ok(()),
            Role::Viewer => Err(AdminError::Role {
                name: self.name.to_string(),
            }),
        }
    }
}

/// A program, by its bearer token.
#[derive(Debug)]
pub(super) struct Program(pub(super) Caller);

impl FromRequestParts<Admin> for Program {
    type Rejection = axum::response::Response;

    async fn from_request_parts(
        parts: &mut Parts,
        admin: &Admin,
    ) -> Result<Self, axum::response::Response> {
        program(admin, &parts.headers)
            .await
            .map_err(|error| error.to_json().into_response())
    }
}

async fn program(admin: &Admin, headers: &HeaderMap) -> Result<Program, AdminError> {
    let mut values = headers.get_all(header::AUTHORIZATION).into_iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(AdminError::NoToken);
    };
    let secret = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, secret)| secret.trim())
        .ok_or(AdminError::NoToken)?;
    let token = admin.operators.token(secret, clock::now()).await?;
    let token = token.ok_or(AdminError::TokenInvalid)?;
    Ok(Program(Caller {
        name: format!("token {}", token.name).into(),
        role: token.role,
    }))
}

/// A person, by the session of their browser.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) caller: Caller,
    /// What forms of this session carry.
    pub(super) csrf: String,
    pub(super) session: String,
}

impl FromRequestParts<Admin> for Person {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, admin: &Admin) -> Result<Self, Rejected> {
        person(admin, &parts.headers).await.map_err(Rejected)
    }
}

async fn person(admin: &Admin, headers: &HeaderMap) -> Result<Person, AdminError> {
    let id = cookie(headers).ok_or(AdminError::NoSession)?;
    let session = admin.operators.session(&id, clock::now()).await?;
    let session = session.ok_or(AdminError::NoSession)?;
    Ok(Person {
        caller: Caller {
            name: session.operator.into(),
            role: session.role,
        },
        csrf: csrf(&id),
        session: id,
    })
}

impl Person {
    /// That a form is of this session: whoever sends it has seen a page of it.
    pub(super) fn must_have_seen(&self, sent: &str) -> Result<(), AdminError> {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.csrf.as_bytes(), sent.as_bytes())
            .map_err(|_| AdminError::Forged {
                why: "the form is of no session or of another one",
            })
    }
}

/// The session's cookie. The prefix keeps any other host and any plain connection from setting one.
pub(super) const COOKIE: &str = "__Host-udap-admin";

/// The id in the cookie; none where there are two, since only one can be ours.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let mut found = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(id), None) => Some(id.to_owned()),
        _ => None,
    }
}

/// What forms carry: it follows from the session's id and tells nothing of it.
fn csrf(session: &str) -> String {
    let text = format!("form of {session}");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// That a request which changes something comes from a page of this server, by what browsers say of
/// themselves and no page can change: a second lock beside the token of the form, and the only one of
/// the login form, which has no session yet.
#[derive(Debug)]
pub(super) struct SameOrigin;

impl<S: Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejected> {
        // With HTTP/2 the host stands in the URI.
        let host = match parts.headers.get(header::HOST) {
            Some(host) => host.to_str().unwrap_or(""),
            None => parts.uri.authority().map_or("", |host| host.as_str()),
        };
        same_origin(&parts.headers, host)
            .map(|()| Self)
            .map_err(Rejected)
    }
}

fn same_origin(headers: &HeaderMap, host: &str) -> Result<(), AdminError> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let forged = |why| Err(AdminError::Forged { why });
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    if site.is_some_and(|site| site != "same-origin") {
        return forged("the browser says that it is of another site");
    }
    match (origin, site) {
        (Some(origin), _) => {
            let same = ["https://", "http://"]
                .iter()
                .any(|scheme| origin.strip_prefix(scheme) == Some(host));
            if host.is_empty() || !same {
                return forged("its origin is another one");
            }
            Ok(())
        }
        (None, Some(_)) => Ok(()),
        (None, None) => forged("the browser does not say from where it comes"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn from(headers: &[(&'static str, &str)]) -> bool {
        let host = headers.iter().find(|(name, _)| *name == "host");
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        same_origin(&headers.collect(), host.map_or("", |(_, host)| host)).is_ok()
    }

    #[test]
    fn only_this_origin_changes_anything() {
        let host = ("host", "127.0.0.1:9443");
        assert!(from(&[host, ("origin", "https://127.0.0.1:9443")]));
        assert!(from(&[
            host,
            ("origin", "http://127.0.0.1:9443"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(from(&[host, ("sec-fetch-site", "same-origin")]));
        for wrong in [
            vec![host],
            vec![host, ("origin", "null")],
            vec![host, ("origin", "https://127.0.0.1")],
            vec![host, ("origin", "https://127.0.0.1:9443.evil.example")],
            vec![host, ("origin", "ftp://127.0.0.1:9443")],
            vec![host, ("sec-fetch-site", "same-site")],
            vec![host, ("sec-fetch-site", "none")],
            vec![
                host,
                ("origin", "https://127.0.0.1:9443"),
                ("sec-fetch-site", "cross-site"),
            ],
            vec![("origin", "https://"), ("host", "")],
            vec![("origin", "https://x")],
        ] {
            assert!(!from(&wrong), "{wrong:?}");
        }
    }

    #[test]
    fn two_cookies_are_none() {
        let of = |text: &str| {
            let headers = [(header::COOKIE, text.parse().unwrap())];
            cookie(&headers.into_iter().collect())
        };
        assert_eq!(of("__Host-udap-admin=a; x=y").as_deref(), Some("a"));
        assert_eq!(of("__Host-udap-admin=a; __Host-udap-admin=b"), None);
        assert_eq!(of("udap-admin=a"), None);
    }
}
