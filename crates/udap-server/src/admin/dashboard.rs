//! What needs somebody's attention comes first, then how it stands.

use super::Admin;
use super::access::{Person, Program};
use super::audit_trail::settled;
use super::certificates;
use super::communities;
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use super::refusals::{self, RefusalRow};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use udap_host::audit::{self, CodeCount, Filter};
use udap_pki::UnixTime;
use udap_trust::clock;

/// Something to be done.
#[derive(Debug, Serialize)]
pub(super) struct Attention {
    /// `trouble`: partners are refused, or will be. `soon`: they will be unless somebody acts.
    pub(super) level: &'static str,
    pub(super) sentence: String,
    pub(super) cure: &'static str,
    /// The page that shows it.
    pub(super) page: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) base_url: String,
    pub(super) version: &'static str,
    pub(super) attention: Vec<Attention>,
    /// How many registrations there are in each state.
    pub(super) apps: BTreeMap<String, i64>,
    /// Refusals of the last day, the most frequent reason first.
    pub(super) refusals: Vec<CodeCount>,
}

async fn summary(admin: &Admin, now: UnixTime) -> Result<Summary, AdminError> {
    let server = &admin.server;
    settled(&server.audit).await;
    let mut apps: BTreeMap<String, i64> = ["active", "suspended", "lapsed", "cancelled"]
        .map(|state| (state.to_owned(), 0))
        .into();
    apps.extend(server.registrations.counts().await?);
    Ok(Summary {
        base_url: admin.base_url.clone(),
        version: env!("CARGO_PKG_VERSION"),
        attention: attention(admin, now),
        apps,
        refusals: audit::refusals_by_code(&server.db, day_before(now), 10).await?,
    })
}

fn day_before(now: UnixTime) -> i64 {
    now.plus_secs(-86_400).0.saturating_mul(1_000_000)
}

fn attention(admin: &Admin, now: UnixTime) -> Vec<Attention> {
    let mut found = Vec::new();
    let list = certificates::of_server(admin, now);
    for unreadable in &list.unreadable {
        found.push(Attention {
            level: "trouble",
            sentence: format!("No certificate could be read from {unreadable}"),
            cure: "Put the certificate and its key back; they are taken while the server runs.",
            page: "/certificates",
        });
    }
    for row in &list.certificates {
        let shown = &row.certificate;
        let of = row
            .community
            .as_deref()
            .map_or_else(String::new, |uri| format!(" in {uri}"));
        let (level, verb) = match shown.state {
            "expired" => ("trouble", "expired"),
            "not-yet" => ("trouble", "begins"),
            "soon" => ("soon", "expires"),
            _ => continue,
        };
        let when = if shown.state == "not-yet" {
            shown.not_before
        } else {
            shown.not_after
        };
        found.push(Attention {
            level,
            sentence: format!("The {} certificate{of} {verb} {when}", row.used_for),
            cure: match row.used_for {
                "identity" => "Ask the community's CA for a renewed one, and put it in its place.",
                "anchor" | "certifier anchor" => "Ask the community for its new trust anchor.",
                _ => "Renew it; the files are taken while the server runs.",
            },
            page: "/certificates",
        });
    }
    for community in communities::of_server(&admin.server, now).communities {
        let stale = community.revocation_data.iter().flatten();
        for data in stale.filter(|data| !data.fresh) {
            found.push(Attention {
                level: "trouble",
                sentence: format!(
                    "The {} of {} is out of date: {}",
                    data.kind, community.uri, data.url
                ),
                cure: "Whoever it speaks for is refused. See whether that address answers, and ask the community.",
                page: "/communities",
            });
        }
    }
    for trouble in admin.server.trouble() {
        let of = trouble.community.map_or_else(
            || "The configuration".to_owned(),
            |uri| format!("The community {uri}"),
        );
        found.push(Attention {
            level: "trouble",
            sentence: format!("{of} is not as configured [{}]: {}", trouble.code, trouble.detail),
            cure: "What was there before stays in force. Mend the file; it is read again when it changes.",
            page: "/communities",
        });
    }
    if let Some(error) = admin.server.audit.trouble() {
        found.push(Attention {
            level: "trouble",
            sentence: format!("The audit trail cannot be written: {error}"),
            cure: "Make room on the disk. Entries are kept in memory meanwhile.",
            page: "/audit",
        });
    }
    found.sort_by_key(|one| one.level != "trouble");
    found
}

/// The summary as JSON.
pub(super) async fn api(State(admin): State<Admin>, _: Program) -> Response {
    page::api(summary(&admin, clock::now()).await)
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    frame: Frame,
    summary: Summary,
    newest: Vec<RefusalRow>,
}

/// The page that one begins at.
pub(super) async fn page(State(admin): State<Admin>, person: Person) -> Result<Response, Rejected> {
    let now = clock::now();
    let summary = summary(&admin, now).await?;
    let filter = Filter {
        since: Some(day_before(now)),
        refusals: true,
        ..Filter::default()
    };
    let page = DashboardPage {
        frame: Frame::new(&admin, &person, "/"),
        newest: refusals::rows(&admin.server.db, &filter, 5, now).await?,
        summary,
    };
    Ok(page::html(StatusCode::OK, &page))
}
