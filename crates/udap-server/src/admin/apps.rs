//! Who is registered.

use super::Admin;
use super::access::{Person, Program};
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use crate::store::{After, Listed, Registrations, State as RegistrationState, Wanted};
use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use udap_host::when::When;
use udap_pki::UnixTime;
use udap_trust::clock;

/// An app in a list.
#[derive(Debug, Serialize)]
pub(super) struct AppRow {
    pub(super) client_id: String,
    pub(super) community: String,
    pub(super) uri: String,
    /// What it calls itself: nobody has verified it.
    pub(super) claimed_name: Option<String>,
    pub(super) state: &'static str,
    pub(super) registered: When,
    pub(super) changed: When,
    /// To the hour.
    pub(super) last_token: Option<When>,
}

impl AppRow {
    pub(super) fn new(listed: &Listed, now: UnixTime) -> Self {
        let when = |at| When { at, now };
        let name = listed.parameters.get("client_name").and_then(Value::as_str);
        Self {
            client_id: listed.client_id.clone(),
            community: listed.community.clone(),
            uri: listed.uri.clone(),
            claimed_name: name.map(str::to_owned),
            state: listed.state.as_str(),
            registered: when(listed.created),
            changed: when(listed.changed),
            last_token: listed.last_token.map(when),
        }
    }
}

/// One page of them, and where the next begins.
#[derive(Debug, Serialize)]
pub(super) struct AppList {
    pub(super) apps: Vec<AppRow>,
    pub(super) next: Option<String>,
}

/// What a list can be asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) state: String,
    pub(super) community: String,
    pub(super) q: String,
    pub(super) after: String,
    pub(super) limit: Option<String>,
}

pub(super) async fn list(
    registrations: &Registrations,
    asked: &Asked,
    now: UnixTime,
) -> Result<AppList, AdminError> {
    let wrong = |parameter, value: &str, expected| AdminError::Parameter {
        parameter,
        value: value.to_owned(),
        expected,
    };
    if !["", "active", "suspended", "lapsed", "cancelled"].contains(&asked.state.as_str()) {
        let expected = "it is active, suspended, lapsed or cancelled";
        return Err(wrong("state", &asked.state, expected));
    }
    for (parameter, text) in [("q", &asked.q), ("community", &asked.community)] {
        if text.len() > MAX_TEXT || text.contains('\0') {
            return Err(wrong(parameter, "…", "it has at most 500 bytes and no NUL"));
        }
    }
    let limit = limit(asked.limit.as_deref(), 50)?;
    let after = match asked.after.as_str() {
        "" => None,
        text => {
            let after = text.split_once('.').and_then(|(created, client_id)| {
                Some(After {
                    created: created.parse().ok()?,
                    client_id: client_id.to_owned(),
                })
            });
            let expected = "it is `next` of the page before";
            let fits =
                |after: &After| after.client_id.len() <= 100 && !after.client_id.contains('\0');
            Some(
                after
                    .filter(fits)
                    .ok_or_else(|| wrong("after", text, expected))?,
            )
        }
    };
    let wanted = Wanted {
        state: asked.state.clone(),
        community: asked.community.clone(),
        search: asked.q.trim().to_owned(),
    };
    // One more than is shown says whether there is a next page.
    let mut listed = registrations
        .list(&wanted, after.as_ref(), limit + 1)
        .await?;
    let more = listed.len() > limit as usize;
    listed.truncate(limit as usize);
    let next = listed
        .last()
        .filter(|_| more)
        .map(|last| format!("{}.{}", last.created.0, last.client_id));
    Ok(AppList {
        apps: listed.iter().map(|one| AppRow::new(one, now)).collect(),
        next,
    })
}

/// How many a page shows, at most.
pub(super) fn limit(text: Option<&str>, usual: u32) -> Result<u32, AdminError> {
    let Some(text) = text else {
        return Ok(usual);
    };
    text.parse()
        .ok()
        .filter(|limit| (1..=500).contains(limit))
        .ok_or_else(|| AdminError::Parameter {
            parameter: "limit",
            value: text.to_owned(),
            expected: "it is a number from 1 to 500",
        })
}

/// A query as it should be.
pub(super) fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, AdminError> {
    query
        .map(|Query(asked)| asked)
        .map_err(|error| AdminError::Parameter {
            parameter: "query",
            value: "…".to_owned(),
            expected: match error.status().as_u16() {
                400 => "each parameter is there once, and is one that is known here",
                _ => "it is a query string",
            },
        })
}

/// What a path names. What is no text names nothing.
pub(super) fn named<T>(path: Result<Path<T>, PathRejection>) -> Result<T, AdminError> {
    path.map(|Path(named)| named)
        .map_err(|_| AdminError::NotFound)
}

/// The list as JSON.
pub(super) async fn api(
    State(admin): State<Admin>,
    _: Program,
    query: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let answer = async {
        let asked = asked(query)?;
        list(&admin.server.registrations, &asked, clock::now()).await
    };
    page::api(answer.await)
}

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    frame: Frame,
    list: AppList,
    asked: Asked,
    communities: Vec<String>,
    states: [&'static str; 4],
    filtered: bool,
    next: Option<String>,
}

/// The list as a page.
pub(super) async fn page(
    State(admin): State<Admin>,
    person: Person,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Rejected> {
    let asked = asked(query)?;
    let list = list(&admin.server.registrations, &asked, clock::now()).await?;
    let next = list.next.as_ref().map(|after| {
        let mut query = url::form_urlencoded::Serializer::new("/apps?".to_owned());
        query.append_pair("after", after);
        for (name, value) in [
            ("state", &asked.state),
            ("community", &asked.community),
            ("q", &asked.q),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    });
    let communities = admin.server.communities.all();
    let page = AppsPage {
        frame: Frame::new(&admin, &person, "/apps"),
        filtered: !(asked.state.is_empty() && asked.community.is_empty() && asked.q.is_empty()),
        communities: communities
            .iter()
            .map(|served| served.community.uri.as_str().to_owned())
            .collect(),
        states: [
            RegistrationState::Active,
            RegistrationState::Suspended,
            RegistrationState::Lapsed,
            RegistrationState::Cancelled,
        ]
        .map(RegistrationState::as_str),
        next,
        list,
        asked,
    };
    Ok(page::html(StatusCode::OK, &page))
}

const MAX_TEXT: usize = 500;
