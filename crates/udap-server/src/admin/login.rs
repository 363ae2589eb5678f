//! Logging in and out.

use super::Admin;
use super::access::{COOKIE, Person, SameOrigin};
use super::error::AdminError;
use super::page::{self, Rejected, see_other, with_headers};
use askama::Template;
use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use udap_host::audit::{Action, Event, Who};
use udap_host::listen::Peer;
use udap_host::rate;
use udap_trust::clock;
use zeroize::Zeroizing;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    base_url: String,
    trouble: Option<String>,
    name: String,
}

/// The form.
pub(super) async fn form(State(admin): State<Admin>) -> Response {
    answer(&admin, StatusCode::OK, None, String::new())
}

fn answer(admin: &Admin, status: StatusCode, trouble: Option<String>, name: String) -> Response {
    let page = LoginPage {
        base_url: admin.base_url.clone(),
        trouble,
        name,
    };
    page::html(status, &page)
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

/// Lets somebody in, or says that name or password is wrong.
pub(super) async fn post(
    State(admin): State<Admin>,
    _: SameOrigin,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    form: Result<Form<Credentials>, FormRejection>,
) -> Result<Response, Rejected> {
    let Form(Credentials { name, password }) = form.map_err(|_| AdminError::Body)?;
    let password = Zeroizing::new(password);
    let name = name.trim().chars().filter(|c| !c.is_control());
    let name: String = name.take(MAX_NAME).collect();
    let who = admin.server.who(peer, &headers);
    match log_in(&admin, &name, password, &who).await {
        Ok(session) => {
            let event = Event::Administered {
                action: Action::LoggedIn,
                by: name.into(),
                to: None,
                reason: None,
            };
            admin.server.audit.record(who, event).await;
            let mut response = see_other("/");
            set_cookie(&mut response, &session, None);
            Ok(response)
        }
        Err(AdminError::Fault(fault)) => Err(fault.into()),
        Err(error) => {
            let told = match error {
                // In any number, and so without a look at who that is; the attempts before tell it.
                AdminError::LoginTooOften { .. } => error.to_string(),
                // A name that nobody has may be a password in the wrong field, and is not written down.
                _ => match admin.operators.account(&name).await? {
                    Some(known) => format!("{}: {error}", known.name),
                    None => format!("a name that nobody has: {error}"),
                },
            };
            let refusal = crate::app::refusal(error.code(), &told);
            let event = Event::OperatorRefused(refusal);
            admin.server.audit.record(who, event).await;
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            let mut response = answer(&admin, status, Some(error.to_string()), name);
            if let AdminError::LoginTooOften { secs } = error {
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
            }
            Ok(response)
        }
    }
}

/// The id of a new session. Each step before the password costs little, so that attempts in any number
/// cost little; a name that nobody has takes as long as one that somebody has.
async fn log_in(
    admin: &Admin,
    name: &str,
    password: Zeroizing<String>,
    who: &Who,
) -> Result<String, AdminError> {
    let now = clock::now();
    let too_often = |rate::TooOften { retry_after_secs }| AdminError::LoginTooOften {
        secs: retry_after_secs,
    };
    if let Some(remote) = who.remote {
        let taken = admin.login_rate.take(rate::network(remote), now);
        taken.map_err(too_often)?;
    }
    // Counted before the password is looked at, and not after: else many attempts at the same time would
    // all be heard.
    let taken = admin.name_rate.take(name.into(), now);
    taken.map_err(too_often)?;
    let account = admin.operators.account(name).await?;
    let hash = account.as_ref().map(|account| account.password.clone());
    let right = admin.passwords.check(password, hash).await;
    match (right, account) {
        (Err(_), _) => Err(AdminError::LoginBusy),
        (Ok(true), Some(account)) => {
            let session = admin.operators.begin_session(&account, now).await?;
            session.ok_or(AdminError::LoginFailed)
        }
        _ => Err(AdminError::LoginFailed),
    }
}

#[derive(Deserialize)]
pub(super) struct LogOut {
    csrf: String,
}

/// Ends the session.
pub(super) async fn logout(
    State(admin): State<Admin>,
    _: SameOrigin,
    person: Person,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    form: Result<Form<LogOut>, FormRejection>,
) -> Result<Response, Rejected> {
    let Form(form) = form.map_err(|_| AdminError::Body)?;
    person.must_have_seen(&form.csrf)?;
    admin.operators.end_session(&person.session).await?;
    let event = Event::Administered {
        action: Action::LoggedOut,
        by: person.caller.name,
        to: None,
        reason: None,
    };
    let who = admin.server.who(peer, &headers);
    admin.server.audit.record(who, event).await;
    let mut response = with_headers(
        see_other("/login").into_response(),
        "text/plain; charset=utf-8",
    );
    set_cookie(&mut response, "", Some(0));
    Ok(response)
}

/// Only for this host, over TLS (or on this very machine), not for scripts, and not with requests that
/// other sites cause.
fn set_cookie(response: &mut Response, id: &str, max_age: Option<u32>) {
    let mut cookie = format!("{COOKIE}={id}; Path=/; Secure; HttpOnly; SameSite=Strict");
    if let Some(max_age) = max_age {
        cookie.push_str(&format!("; Max-Age={max_age}"));
    }
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

/// No operator has a longer name.
const MAX_NAME: usize = 64;
