use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, routing};

use crate::{Ca, bundle, certification, crl, health, issuer_certificate, ocsp};

/// Everything a CA answers over HTTP. Plain HTTP: what is published is signed itself, but for the
/// status of certifications, which a proxy has to offer by https.
pub fn router(ca: Arc<Ca>) -> Router {
    Router::new()
        .route("/crl/issuing.crl", routing::get(crl::issuing))
        .route("/crl/root.crl", routing::get(crl::root))
        .route(
            "/certs/issuing.cer",
            routing::get(issuer_certificate::issuing),
        )
        .route("/certs/root.cer", routing::get(issuer_certificate::root))
        .route("/ocsp", routing::post(ocsp::post))
        .route("/ocsp/", routing::post(ocsp::post))
        .route("/ocsp/{*request}", routing::get(ocsp::get))
        .route(
            certification::STATUS_PATH,
            routing::get(certification::status),
        )
        .route(bundle::PATH, routing::get(bundle::get))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::map_request(udap_host::limits::timed))
        .with_state(Arc::clone(&ca))
        // /healthz and /readyz
        .merge(health::readiness(ca).router())
}

/// The only body is an OCSP request, of which the parser takes 16 KiB.
const MAX_BODY: usize = 16 * 1024;
