//! Every route of the administration. A test compares it with the OpenAPI document.

use super::error::AdminError;
use super::page::Rejected;
use super::{
    Admin, api_document, app, apps, audit_trail, certificates, communities, dashboard, explain,
    login, page, refusals,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::Uri;

pub(super) fn routes(admin: Admin) -> Router {
    let api = Router::new()
        .route("/api/v1/summary", get(dashboard::api))
        .route("/api/v1/apps", get(apps::api))
        .route("/api/v1/apps/{client_id}", get(app::api))
        .route("/api/v1/apps/{client_id}/suspend", post(app::api_suspend))
        .route("/api/v1/apps/{client_id}/restore", post(app::api_restore))
        .route("/api/v1/apps/{client_id}/cancel", post(app::api_cancel))
        .route("/api/v1/communities", get(communities::api))
        .route("/api/v1/certificates", get(certificates::api))
        .route("/api/v1/refusals", get(refusals::api))
        .route("/api/v1/audit", get(audit_trail::api))
        .route("/api/v1/openapi.json", get(api_document::admin))
        .route("/api/v1/openapi-public.json", get(api_document::public));
    let pages = Router::new()
        .route("/", get(dashboard::page))
        .route("/login", get(login::form).post(login::post))
        .route("/logout", post(login::logout))
        .route("/apps", get(apps::page))
        .route("/apps/{client_id}", get(app::page))
        .route("/apps/{client_id}/{act}", get(app::confirm).post(app::post))
        .route("/communities", get(communities::page))
        .route("/certificates", get(certificates::page))
        .route("/refusals", get(refusals::page))
        .route("/audit", get(audit_trail::page))
        .route("/explain/{code}", get(explain::page))
        .route("/style.css", get(page::style));
    api.merge(pages)
        .fallback(async |uri: Uri| refuse(&uri, AdminError::NotFound))
        .method_not_allowed_fallback(async |uri: Uri| refuse(&uri, AdminError::Method))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::map_request(udap_host::limits::timed))
        .layer(axum::middleware::from_fn_with_state(
            admin.clone(),
            page::audited,
        ))
        .with_state(admin)
}

/// Bytes of a form or of the API's JSON: a reason has some 2,000.
const MAX_BODY: usize = 64 * 1024;

fn refuse(uri: &Uri, error: AdminError) -> Response {
    if uri.path().starts_with("/api/") {
        return error.to_json();
    }
    Rejected(error).into_response()
}
