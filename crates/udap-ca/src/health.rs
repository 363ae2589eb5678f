//! `GET /healthz`: whether what is published can be used by members now.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;

use crate::{Ca, authority::Role};

pub(crate) async fn healthz(State(ca): State<Arc<Ca>>) -> Response {
    let published = ca.published.load();
    let now = ca.now();
    let lapsed = [Role::Root, Role::Issuing].into_iter().find(|role| {
        published
            .crl(*role)
            .is_some_and(|crl| crl.next_update <= now)
    });
    match lapsed {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(role) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the CRL of the {role} has lapsed\n"),
        )
            .into_response(),
    }
}
