//! The audit trail, newest first.

use super::Admin;
use super::access::{Person, Program};
use super::apps::{asked, limit};
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use udap_host::audit::{self, Audit, Filter, Recent, Record};
use udap_host::db::Db;
use udap_host::when::When;
use udap_pki::UnixTime;
use udap_trust::clock;

/// Which entries are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) event: String,
    pub(super) code: String,
    pub(super) client_id: String,
    pub(super) request_id: String,
    /// From then on: RFC 3339.
    pub(super) since: Option<String>,
    /// Before then, in microseconds since 1970: `next` of the page before.
    pub(super) before: Option<String>,
    pub(super) limit: Option<String>,
}

impl Asked {
    pub(super) fn filter(&self) -> Result<Filter, AdminError> {
        let wrong = |parameter, value: &str, expected| AdminError::Parameter {
            parameter,
            value: value.chars().take(100).collect(),
            expected,
        };
        for (parameter, text) in [
            ("event", &self.event),
            ("code", &self.code),
            ("client_id", &self.client_id),
            ("request_id", &self.request_id),
        ] {
            if text.len() > 200 || text.contains('\0') {
                return Err(wrong(parameter, "…", "it has at most 200 bytes and no NUL"));
            }
        }
        let since = match self.since.as_deref() {
            None => None,
            Some(text) => {
                let time = UnixTime::parse_rfc3339(text).map_err(|_| {
                    wrong("since", text, "it is a time such as 2026-11-24T16:00:00Z")
                })?;
                Some(time.0.saturating_mul(1_000_000))
            }
        };
        let until = match self.before.as_deref() {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| wrong("before", text, "it is `next` of the page before"))?,
            ),
        };
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Filter {
            since,
            until,
            event: some(&self.event),
            client_id: some(&self.client_id),
            code: some(&self.code),
            request_id: some(&self.request_id),
            refusals: false,
        })
    }

    /// Where the next page of the same is.
    pub(super) fn next(&self, path: &str, before: i64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(format!("{path}?"));
        query.append_pair("before", &before.to_string());
        for (name, value) in [
            ("event", &self.event),
            ("code", &self.code),
            ("client_id", &self.client_id),
            ("request_id", &self.request_id),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(since) = &self.since {
            query.append_pair("since", since);
        }
        query.finish()
    }

    fn is_filtered(&self) -> bool {
        let narrowing = [&self.event, &self.code, &self.client_id, &self.request_id];
        narrowing.iter().any(|text| !text.is_empty())
    }
}

/// One page of entries, and before which time the next one is, if there is one. Where there are many, a
/// page may have fewer than were asked for, even none, and there is a next one all the same.
pub(super) async fn page_of(
    db: &Db,
    filter: &Filter,
    limit: u32,
) -> Result<(Vec<Record>, Option<i64>), AdminError> {
    // One more than is shown says whether there is a next page.
    let Recent {
        mut records,
        searched_to,
    } = audit::recent(db, filter, limit + 1).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let last = records.last().filter(|_| more).map(|record| record.at);
    Ok((records, last.or(searched_to)))
}

/// What was recorded just now is shown too. Entries that cannot be written are told of on the overview,
/// and the others are shown all the same.
pub(super) async fn settled(audit: &Audit) {
    if let Err(error) = audit.flush().await {
        tracing::warn!(%error, "the newest audit entries are not shown");
    }
}

#[derive(Debug, Serialize)]
pub(super) struct EntryList {
    pub(super) entries: Vec<Record>,
    pub(super) next: Option<i64>,
}

pub(super) async fn list(db: &Db, asked: &Asked) -> Result<EntryList, AdminError> {
    let limit = limit(asked.limit.as_deref(), 50)?;
    let (entries, next) = page_of(db, &asked.filter()?, limit).await?;
    Ok(EntryList { entries, next })
}

/// Entries as JSON.
pub(super) async fn api(
    State(admin): State<Admin>,
    _: Program,
    query: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let answer = async {
        let asked = asked(query)?;
        settled(&admin.server.audit).await;
        list(&admin.server.db, &asked).await
    };
    page::api(answer.await)
}

/// An entry as it is shown.
#[derive(Debug)]
struct Row {
    at: When,
    event: String,
    who: String,
    client_id: Option<String>,
    code: Option<String>,
    what: String,
    request_id: Option<String>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    rows: Vec<Row>,
    asked: Asked,
    filtered: bool,
    next: Option<String>,
}

/// Entries as a page.
pub(super) async fn page(
    State(admin): State<Admin>,
    person: Person,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Rejected> {
    let asked = asked(query)?;
    settled(&admin.server.audit).await;
    let list = list(&admin.server.db, &asked).await?;
    let now = clock::now();
    let page = AuditPage {
        frame: Frame::new(&admin, &person, "/audit"),
        next: list.next.map(|before| asked.next("/audit", before)),
        rows: list
            .entries
            .into_iter()
            .map(|entry| row(entry, now))
            .collect(),
        filtered: asked.is_filtered(),
        asked,
    };
    Ok(page::html(StatusCode::OK, &page))
}

fn row(record: Record, now: UnixTime) -> Row {
    let data = record.more.data.as_ref();
    let member = |name: &str| data.and_then(|data| data.get(name)).and_then(Value::as_str);
    let told: Vec<String> = data
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "by")
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}"),
            None => format!("{name}: {value}"),
        })
        .collect();
    Row {
        at: When {
            at: UnixTime(record.at.div_euclid(1_000_000)),
            now,
        },
        who: member("by")
            .map(str::to_owned)
            .or(record.more.uri)
            .or(record.client_id.clone())
            .unwrap_or_default(),
        event: record.event,
        what: record.more.detail.unwrap_or_else(|| told.join(", ")),
        client_id: record.client_id,
        code: record.code,
        request_id: record.more.request_id,
    }
}
