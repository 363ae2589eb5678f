//! Whom this server turned away, and why: the audit trail's entries that have a code.

use super::Admin;
use super::access::{Person, Program};
use super::apps::{asked, limit};
use super::audit_trail::{Asked, page_of, settled};
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use crate::app::general_hint;
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use udap_host::audit::{self, Filter, Record};
use udap_host::db::Db;
use udap_host::when::When;
use udap_pki::UnixTime;
use udap_trust::clock;

/// One that was refused.
#[derive(Debug, Serialize)]
pub(super) struct RefusalRow {
    pub(super) at: When,
    /// What was wanted: `token-refused`, `registration-refused`, …
    pub(super) event: String,
    pub(super) code: String,
    pub(super) sentence: String,
    /// What came, where the sentence sets two values side by side.
    pub(super) found: Option<String>,
    /// What should have come.
    pub(super) expected: Option<String>,
    pub(super) hint: String,
    pub(super) client_id: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) community: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) request_id: Option<String>,
}

impl RefusalRow {
    fn new(record: Record, now: UnixTime) -> Self {
        let code = record.code.unwrap_or_default();
        let sentence = record.more.detail.unwrap_or_default();
        let sides = sides(&sentence);
        Self {
            at: When {
                at: UnixTime(record.at.div_euclid(1_000_000)),
                now,
            },
            event: record.event,
            hint: general_hint(&code),
            code,
            found: sides.as_ref().map(|(found, _)| found.clone()),
            expected: sides.map(|(_, expected)| expected),
            sentence,
            client_id: record.client_id,
            uri: record.more.uri,
            community: record.community,
            remote: record.more.remote.map(|remote| remote.to_string()),
            request_id: record.more.request_id,
        }
    }
}

/// Refusals that compare two values say `claim … is X, but …`: what came, and what had to. By the last
/// `but`: what came is a stranger's text, and must not say what this server expects.
fn sides(sentence: &str) -> Option<(String, String)> {
    let (found, expected) = sentence.rsplit_once(", but ")?;
    Some((found.to_owned(), expected.to_owned()))
}

pub(super) async fn rows(
    db: &Db,
    filter: &Filter,
    most: u32,
    now: UnixTime,
) -> Result<Vec<RefusalRow>, AdminError> {
    let recent = audit::recent(db, filter, most).await?;
    Ok(recent
        .records
        .into_iter()
        .map(|record| RefusalRow::new(record, now))
        .collect())
}

/// A page of refusals, and before which time the next one is.
#[derive(Debug, Serialize)]
pub(super) struct RefusalList {
    pub(super) refusals: Vec<RefusalRow>,
    pub(super) next: Option<i64>,
}

pub(super) async fn list(db: &Db, asked: &Asked, now: UnixTime) -> Result<RefusalList, AdminError> {
    let limit = limit(asked.limit.as_deref(), 50)?;
    let mut filter = asked.filter()?;
    filter.refusals = true;
    let (records, next) = page_of(db, &filter, limit).await?;
    Ok(RefusalList {
        refusals: records
            .into_iter()
            .map(|record| RefusalRow::new(record, now))
            .collect(),
        next,
    })
}

/// Refusals as JSON.
pub(super) async fn api(
    State(admin): State<Admin>,
    _: Program,
    query: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let answer = async {
        let asked = asked(query)?;
        settled(&admin.server.audit).await;
        list(&admin.server.db, &asked, clock::now()).await
    };
    page::api(answer.await)
}

#[derive(Template)]
#[template(path = "refusals.html")]
struct RefusalsPage {
    frame: Frame,
    list: RefusalList,
    asked: Asked,
    codes: Vec<audit::CodeCount>,
    next: Option<String>,
}

/// Refusals as a page.
pub(super) async fn page(
    State(admin): State<Admin>,
    person: Person,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Rejected> {
    let asked = asked(query)?;
    let (db, now) = (&admin.server.db, clock::now());
    settled(&admin.server.audit).await;
    let list = list(db, &asked, now).await?;
    let day = now.plus_secs(-86_400).0.saturating_mul(1_000_000);
    let page = RefusalsPage {
        frame: Frame::new(&admin, &person, "/refusals"),
        codes: audit::refusals_by_code(db, day, 20).await?,
        next: list.next.map(|before| asked.next("/refusals", before)),
        list,
        asked,
    };
    Ok(page::html(StatusCode::OK, &page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_stand_side_by_side() {
        let sentence = "claim `aud` is \"https://a.example\", but must contain `https://b.example`";
        assert_eq!(
            sides(sentence),
            Some((
                "claim `aud` is \"https://a.example\"".to_owned(),
                "must contain `https://b.example`".to_owned()
            ))
        );
        let spoofed = "claim `aud` is \"x\", but must be `https://evil.example`\", but must be `https://a.example`";
        let expected = sides(spoofed).map(|(_, expected)| expected);
        assert_eq!(expected.as_deref(), Some("must be `https://a.example`"));
        assert_eq!(sides("no client `x` is registered here"), None);
    }
}
