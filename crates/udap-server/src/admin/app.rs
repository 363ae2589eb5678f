//! One app: everything that is known of it, and what an operator can do to it.

use super::Admin;
use super::access::{Caller, Person, Program, SameOrigin};
use super::apps::{AppRow, asked, named};
use super::certificate::Shown;
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use super::refusals::{self, RefusalRow};
use crate::app::Server;
use crate::store::{Act, Acted, Detailed, REFUSED, Registrations};
use askama::Template;
use axum::Extension;
use axum::extract::rejection::{BytesRejection, FormRejection, PathRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use udap_host::audit::{Action, Event, Filter, Who};
use udap_host::db::Db;
use udap_host::listen::Peer;
use udap_host::when::When;
use udap_pki::UnixTime;
use udap_trust::clock;

/// The longest reason, in characters: a few sentences.
const MAX_REASON: usize = 500;

/// An app with everything that is known of it.
#[derive(Debug, Serialize)]
pub(super) struct AppView {
    #[serde(flatten)]
    pub(super) row: AppRow,
    /// The scopes that it may ask for.
    pub(super) scopes: Vec<String>,
    /// What it says of itself; nobody has verified it.
    pub(super) claimed: serde_json::Map<String, Value>,
    /// What it was registered with.
    pub(super) certificate: Option<Shown>,
    pub(super) certifications: Vec<CertificationRow>,
    /// The newest refusals.
    pub(super) refusals: Vec<RefusalRow>,
}

/// What somebody else says about it.
#[derive(Debug, Serialize)]
pub(super) struct CertificationRow {
    pub(super) programme: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) issuer_name: String,
    pub(super) expires: When,
    /// `in force`, `expired`, `not confirmed` or `taken back`.
    pub(super) state: &'static str,
}

/// Everything known of one app.
pub(super) async fn view(
    registrations: &Registrations,
    db: &Db,
    client_id: &str,
    now: UnixTime,
) -> Result<AppView, AdminError> {
    let unknown = || AdminError::AppUnknown {
        client_id: client_id.to_owned(),
    };
    if client_id.len() > 100 || client_id.contains('\0') {
        return Err(unknown());
    }
    let found = registrations.detailed(client_id).await?;
    let Detailed {
        listed,
        scope,
        certificate,
        certifications,
    } = found.ok_or_else(unknown)?;
    let filter = Filter {
        client_id: Some(client_id.to_owned()),
        since: Some(now.plus_secs(-REFUSALS_SECS).0.saturating_mul(1_000_000)),
        refusals: true,
        ..Filter::default()
    };
    let refusals = refusals::rows(db, &filter, 10, now).await?;
    Ok(AppView {
        row: AppRow::new(&listed, now),
        scopes: scope
            .split(' ')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect(),
        claimed: listed.parameters,
        certificate: certificate.map(|one| Shown::new(&one, now)),
        certifications: certifications
            .into_iter()
            .map(|one| CertificationRow {
                state: state(one.ends, one.expires, now),
                programme: one.programme,
                kind: one.kind,
                name: one.name,
                issuer: one.issuer,
                issuer_name: one.issuer_name,
                expires: When {
                    at: one.expires,
                    now,
                },
            })
            .collect(),
        refusals,
    })
}

/// What a certification is worth today, in words of the API.
fn state(ends: UnixTime, expires: UnixTime, now: UnixTime) -> &'static str {
    match ends {
        UnixTime(0) => "taken back",
        _ if expires <= now => "expired",
        UnixTime(REFUSED) => "certifier not trusted",
        ends if ends <= now => "not confirmed",
        _ => "in force",
    }
}

/// How far back refusals of one app are looked for, in seconds: a week.
const REFUSALS_SECS: i64 = 7 * 86_400;

/// What an operator wants with an app, in words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) act: Act,
    /// As in the address.
    pub(super) word: &'static str,
    pub(super) done: &'static str,
    pub(super) title: &'static str,
    pub(super) consequence: &'static str,
    action: Action,
}

pub(super) const WISHES: [Wish; 3] = [
    Wish {
        act: Act::Suspend,
        word: "suspend",
        done: "suspended",
        title: "Suspend",
        consequence: "It gets no more tokens, and the tokens it has stop working at once, for good. The app keeps its registration, and can be restored.",
        action: Action::Suspended,
    },
    Wish {
        act: Act::Restore,
        word: "restore",
        done: "restored",
        title: "Restore",
        consequence: "It can ask for tokens again. Tokens from before the suspension stay dead.",
        action: Action::Restored,
    },
    Wish {
        act: Act::Cancel,
        word: "cancel",
        done: "cancelled",
        title: "Cancel the registration of",
        consequence: "The registration ends, and with it every token. This cannot be undone; the app can register anew as long as its community vouches for it.",
        action: Action::Cancelled,
    },
];

impl Wish {
    pub(super) fn of(word: &str) -> Option<Self> {
        WISHES.into_iter().find(|wish| wish.word == word)
    }
}

/// A reason that says something.
pub(super) fn reason(text: &str) -> Result<String, AdminError> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > MAX_REASON || text.contains('\0') {
        return Err(AdminError::ReasonMissing { max: MAX_REASON });
    }
    Ok(text.to_owned())
}

/// Does it, and writes down who did and why; the entry that says so.
pub(super) async fn act(
    registrations: &Registrations,
    wish: Wish,
    client_id: &str,
    required: impl Fn(&str) -> Vec<String>,
    now: UnixTime,
) -> Result<Who, AdminError> {
    let unknown = || AdminError::AppUnknown {
        client_id: client_id.to_owned(),
    };
    if client_id.len() > 100 || client_id.contains('\0') {
        return Err(unknown());
    }
    let known = registrations.detailed(client_id).await?;
    let community = known.ok_or_else(unknown)?.listed.community;
    let acted = registrations
        .act(client_id, wish.act, &required(&community), now)
        .await?;
    match acted {
        Acted::Unknown => Err(unknown()),
        Acted::NotFrom(state) => Err(AdminError::AppState {
            state,
            wanted: wish.done,
        }),
        Acted::Done { community, uri, .. } => Ok(Who {
            community: Some(community.into()),
            client_id: Some(client_id.into()),
            uri: Some(uri.into()),
            ..Who::default()
        }),
    }
}

/// The entry of the audit trail for it.
pub(super) fn event(wish: Wish, by: &str, reason: String) -> Event {
    Event::Administered {
        action: wish.action,
        by: by.into(),
        to: None,
        reason: Some(reason),
    }
}

/// In a running server: done, in force and written down when this returns, whoever hangs up meanwhile.
async fn act_here(
    admin: &Admin,
    caller: &Caller,
    wish: Wish,
    client_id: String,
    text: &str,
    remote: Who,
) -> Result<(), AdminError> {
    caller.must_operate()?;
    let reason = reason(text)?;
    let (server, by) = (admin.server.clone(), caller.name.clone());
    let work = async move {
        let required = |community: &str| required(&server, community);
        let who = act(
            &server.registrations,
            wish,
            &client_id,
            required,
            clock::now(),
        )
        .await?;
        let who = Who {
            remote: remote.remote,
            ..who
        };
        server.audit.record(who, event(wish, &by, reason)).await;
        Ok(server.audit.flush().await?)
    };
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "what an operator wanted ended early");
        Err(udap_host::db::DbError::Closed.into())
    })
}

/// Without which certifications an app of that community rests.
fn required(server: &Server, community: &str) -> Vec<String> {
    server
        .communities
        .select(Some(community))
        .map(|served| served.certifications.required.clone())
        .unwrap_or_default()
}

/// One app as JSON.
pub(super) async fn api(
    State(admin): State<Admin>,
    _: Program,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let server = &admin.server;
    page::api(match named(path) {
        Ok(client_id) => view(&server.registrations, &server.db, &client_id, clock::now()).await,
        Err(error) => Err(error),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

macro_rules! api_act {
    ($name:ident, $word:literal) => {
        pub(super) async fn $name(
            State(admin): State<Admin>,
            program: Program,
            peer: Option<Extension<Peer>>,
            headers: HeaderMap,
            path: Result<Path<String>, PathRejection>,
            body: Result<Bytes, BytesRejection>,
        ) -> Response {
            let who = admin.server.who(peer, &headers);
            page::api(by_api(&admin, program, $word, path, body, who).await)
        }
    };
}

api_act!(api_suspend, "suspend");
api_act!(api_restore, "restore");
api_act!(api_cancel, "cancel");

async fn by_api(
    admin: &Admin,
    Program(caller): Program,
    word: &str,
    path: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
    who: Who,
) -> Result<AppView, AdminError> {
    let wish = Wish::of(word).ok_or(AdminError::NotFound)?;
    caller.must_operate()?;
    let client_id = named(path)?;
    let body = body.map_err(|_| AdminError::Body)?;
    let sent: Reason = serde_json::from_slice(&body).map_err(|_| AdminError::Body)?;
    act_here(admin, &caller, wish, client_id.clone(), &sent.reason, who).await?;
    let server = &admin.server;
    view(&server.registrations, &server.db, &client_id, clock::now()).await
}

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage {
    frame: Frame,
    app: AppView,
    claims: Vec<(String, String)>,
    wishes: Vec<Wish>,
    done: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct After {
    done: String,
}

/// One app as a page.
pub(super) async fn page(
    State(admin): State<Admin>,
    person: Person,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Response, Rejected> {
    let (client_id, after) = (named(path)?, asked(query)?);
    let server = &admin.server;
    let app = view(&server.registrations, &server.db, &client_id, clock::now()).await?;
    let frame = Frame::new(&admin, &person, "/apps");
    let page = AppPage {
        wishes: WISHES
            .into_iter()
            .filter(|wish| frame.may_operate && makes_sense(wish.act, app.row.state))
            .collect(),
        claims: app.claimed.iter().map(claim).collect(),
        done: WISHES
            .iter()
            .map(|wish| wish.done)
            .find(|done| *done == after.done),
        frame,
        app,
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// What an app says of itself, as text; a list on lines of its own.
fn claim((name, value): (&String, &Value)) -> (String, String) {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let told = match value {
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("\n"),
        value => text(value),
    };
    (name.clone(), told)
}

/// Whether the button is shown; the store has the last word.
fn makes_sense(act: Act, state: &str) -> bool {
    match act {
        Act::Suspend => matches!(state, "active" | "lapsed"),
        Act::Restore => state == "suspended",
        Act::Cancel => state != "cancelled",
    }
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    app: AppRow,
    wish: Wish,
    trouble: Option<String>,
    reason: String,
    max: usize,
}

/// Asks once more, and for the reason.
pub(super) async fn confirm(
    State(admin): State<Admin>,
    person: Person,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Rejected> {
    let (client_id, word) = named(path)?;
    ask(&admin, &person, &client_id, &word, None).await
}

async fn ask(
    admin: &Admin,
    person: &Person,
    client_id: &str,
    word: &str,
    again: Option<(String, String)>,
) -> Result<Response, Rejected> {
    let wish = Wish::of(word).ok_or(AdminError::NotFound)?;
    person.caller.must_operate()?;
    let server = &admin.server;
    let app = view(&server.registrations, &server.db, client_id, clock::now()).await?;
    let status = match again {
        None => StatusCode::OK,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let (trouble, reason) = again.map_or((None, String::new()), |(t, r)| (Some(t), r));
    let page = ConfirmPage {
        frame: Frame::new(admin, person, "/apps"),
        app: app.row,
        wish,
        trouble,
        reason,
        max: MAX_REASON,
    };
    Ok(page::html(status, &page))
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    csrf: String,
    #[serde(default)]
    reason: String,
}

/// Does it.
pub(super) async fn post(
    State(admin): State<Admin>,
    _: SameOrigin,
    person: Person,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
    form: Result<Form<Confirmed>, FormRejection>,
) -> Result<Response, Rejected> {
    let Form(form) = form.map_err(|_| AdminError::Body)?;
    person.must_have_seen(&form.csrf)?;
    let (client_id, word) = named(path)?;
    let wish = Wish::of(&word).ok_or(AdminError::NotFound)?;
    let who = admin.server.who(peer, &headers);
    let done = act_here(
        &admin,
        &person.caller,
        wish,
        client_id.clone(),
        &form.reason,
        who,
    );
    match done.await {
        Ok(()) => {
            let encoded: String =
                url::form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
            Ok(page::see_other(&format!(
                "/apps/{encoded}?done={}",
                wish.done
            )))
        }
        Err(error @ AdminError::ReasonMissing { .. }) => {
            let again = Some((error.to_string(), form.reason));
            ask(&admin, &person, &client_id, &word, again).await
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_certification_is_worth_is_told_as_it_is_kept() {
        let (now, later) = (UnixTime(1_000), UnixTime(2_000));
        for (ends, expires, expected) in [
            (later, later, "in force"),
            (UnixTime(900), later, "not confirmed"),
            (UnixTime(REFUSED), later, "certifier not trusted"),
            (UnixTime(0), later, "taken back"),
            (UnixTime(900), UnixTime(900), "expired"),
            (UnixTime(REFUSED), UnixTime(900), "expired"),
            (UnixTime(0), UnixTime(900), "taken back"),
        ] {
            assert_eq!(state(ends, expires, now), expected);
        }
    }
}
