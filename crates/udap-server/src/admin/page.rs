//! How pages are answered: their headers, and the page of a refusal.

use super::Admin;
use super::access::Person;
use super::error::AdminError;
use crate::app::{explained, general_hint, refusal, short};
use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use udap_host::audit::{Event, Refusal};
use udap_host::listen::Peer;
use udap_pki::is_bidi_control;

/// What stands around every page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Whose administration it is.
    pub(super) base_url: String,
    /// Who is logged in.
    pub(super) name: String,
    pub(super) role: &'static str,
    pub(super) may_operate: bool,
    pub(super) csrf: String,
    /// Which part of the navigation this page belongs to.
    pub(super) here: &'static str,
}

impl Frame {
    pub(super) fn new(admin: &Admin, person: &Person, here: &'static str) -> Self {
        Self {
            base_url: admin.base_url.clone(),
            name: person.caller.name.to_string(),
            role: person.caller.role.as_str(),
            may_operate: person.caller.must_operate().is_ok(),
            csrf: person.csrf.clone(),
            here,
        }
    }

    /// Address and name of each part.
    pub(super) const fn parts(&self) -> [(&'static str, &'static str); 6] {
        [
            ("/", "Overview"),
            ("/apps", "Apps"),
            ("/communities", "Communities"),
            ("/refusals", "Refusals"),
            ("/certificates", "Certificates"),
            ("/audit", "Audit"),
        ]
    }
}

/// A page, with the headers that keep it to itself.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let text = text.replace(is_bidi_control, "\u{fffd}");
            with_headers((status, text).into_response(), "text/html; charset=utf-8")
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The one style sheet.
pub(super) async fn style() -> Response {
    with_headers(
        include_str!("../../templates/style.css").into_response(),
        "text/css; charset=utf-8",
    )
}

/// Nothing of a page is kept, framed, or fetched from elsewhere, and nothing in it runs.
pub(super) fn with_headers(mut response: Response, media_type: &'static str) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it browsers send `Origin: null` with forms.
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// To another page, by a request that only shows.
pub(super) fn see_other(to: &str) -> Response {
    with_headers(
        Redirect::to(to).into_response(),
        "text/plain; charset=utf-8",
    )
}

/// A request for a page that was refused.
#[derive(Debug)]
pub(super) struct Rejected(pub(super) AdminError);

impl From<AdminError> for Rejected {
    fn from(error: AdminError) -> Self {
        Self(error)
    }
}

impl From<udap_host::db::DbError> for Rejected {
    fn from(error: udap_host::db::DbError) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    title: String,
    sentence: String,
    hint: String,
    code: &'static str,
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        let error = self.0;
        if let AdminError::NoSession = error {
            return see_other("/login");
        }
        log(&error);
        let code = error.code();
        let page = RefusedPage {
            title: explained(code).map_or_else(String::new, |entry| entry.title.to_owned()),
            sentence: short(&error.to_string()),
            hint: general_hint(code),
            code,
        };
        let response = html(status(&error), &page);
        told(&error, response)
    }
}

impl AdminError {
    /// For programs (RFC 9457).
    pub(super) fn to_json(&self) -> Response {
        log(self);
        let code = self.code();
        let body = json!({
            "title": explained(code).map_or("", |entry| entry.title),
            "status": self.status(),
            "detail": short(&self.to_string()),
            "code": code,
            "hint": general_hint(code),
        });
        let mut response =
            udap_host::problem::json(status(self), "application/problem+json", &body);
        if self.status() == 401 {
            let challenge = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        told(self, response)
    }
}

/// A program's answer: what was asked for, or why not.
pub(super) fn api(result: Result<impl serde::Serialize, AdminError>) -> Response {
    match result {
        Ok(value) => udap_host::problem::json(StatusCode::OK, "application/json", &value),
        Err(error) => error.to_json(),
    }
}

fn status(error: &AdminError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// With when to come again, and with what the audit trail keeps of it.
fn told(error: &AdminError, mut response: Response) -> Response {
    if let AdminError::LoginTooOften { secs } = error {
        let value = HeaderValue::from(*secs);
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    if let AdminError::TokenInvalid | AdminError::Role { .. } | AdminError::Forged { .. } = error {
        let refusal = refusal(error.code(), &error.to_string());
        response.extensions_mut().insert(Attempt(refusal));
    }
    response
}

/// An attempt at what somebody may not do, on its way to the audit trail.
#[derive(Debug, Clone)]
struct Attempt(Refusal);

/// Writes down who tried what they may not do. Whoever goes on is counted by the trail, like any stranger.
pub(super) async fn audited(
    State(admin): State<Admin>,
    peer: Option<Extension<Peer>>,
    request: Request,
    next: Next,
) -> Response {
    let who = admin.server.who(peer, request.headers());
    let mut response = next.run(request).await;
    if let Some(Attempt(refusal)) = response.extensions_mut().remove() {
        let event = Event::OperatorRefused(refusal);
        admin.server.audit.record(who, event).await;
    }
    response
}

/// A fault of ours is for the log: the page does not say what it was.
fn log(error: &AdminError) {
    if let AdminError::Fault(fault) = error {
        tracing::error!(error = %fault, "the administration met a fault");
    }
}
