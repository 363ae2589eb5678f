//! What a code means: the page of `udap explain`.

use super::Admin;
use super::access::Person;
use super::apps::named;
use super::error::AdminError;
use super::page::{self, Frame, Rejected};
use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use udap_pki::Explanation;

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    entry: &'static Explanation,
}

pub(super) async fn page(
    State(admin): State<Admin>,
    person: Person,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Rejected> {
    let code = named(path)?;
    let page = ExplainPage {
        entry: (admin.explain)(&code).ok_or(AdminError::NotFound)?,
        frame: Frame::new(&admin, &person, "/refusals"),
    };
    Ok(page::html(StatusCode::OK, &page))
}
