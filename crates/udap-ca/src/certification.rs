//! Certifications that were signed here or elsewhere and are kept, so that it can be said whether they
//! still hold: `GET /certifications/status` (UDAP Certifications and Endorsements §5).

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::json;
use udap_pki::UnixTime;

use crate::{Ca, CaError, store};

/// A certification that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCertification {
    /// Its `jti`.
    pub jti: String,
    /// Its `exp`.
    pub expires: UnixTime,
    /// Its `sub`: the app.
    pub app: String,
    /// What it is called.
    pub name: String,
}

/// The path of the status endpoint, behind the base URL.
pub(crate) const STATUS_PATH: &str = "/certifications/status";

impl Ca {
    /// Keeps a certification; to be done before anybody gets it, so that there is none that cannot be
    /// taken back.
    ///
    /// # Errors
    /// [`CaError::Database`]
    pub async fn keep_certification(&self, kept: &KeptCertification) -> Result<(), CaError> {
        let mut write = self.store.write().await?;
        store::put_certification(&mut write, kept, self.now()).await?;
        store::commit(write).await
    }

    /// Takes a certification back for good: whoever asks is told so at once. Since when; the first
    /// time stands.
    ///
    /// # Errors
    /// [`CaError::UnknownCertification`]
    pub async fn withdraw_certification(
        &self,
        jti: &str,
    ) -> Result<(KeptCertification, UnixTime), CaError> {
        let mut write = self.store.write().await?;
        let withdrawn = store::withdraw_certification(&mut write, jti, self.now()).await?;
        let withdrawn = withdrawn.ok_or_else(|| CaError::UnknownCertification {
            jti: jti.to_owned(),
        })?;
        store::commit(write).await?;
        Ok(withdrawn)
    }
}

/// `{"valid": true}` only for one that is kept with this very `exp`, was not taken back and has not
/// expired.
pub(crate) async fn status(State(ca): State<Arc<Ca>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let value = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find_map(|(name, value)| (name == wanted).then_some(value))
    };
    let valid = match (value("jti"), value("exp").and_then(|exp| exp.parse().ok())) {
        (Some(jti), Some(exp)) if exp > ca.now().0 => {
            match ca.store.has_certification(&jti, UnixTime(exp)).await {
                Ok(valid) => valid,
                Err(error) => {
                    tracing::error!(code = error.code(), error = %error, "whether a certification holds could not be read");
                    return StatusCode::SERVICE_UNAVAILABLE.into_response();
                }
            }
        }
        _ => false,
    };
    let headers = [
        (CONTENT_TYPE, "application/json"),
        // Somebody else's memory would keep alive what is withdrawn.
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, json!({ "valid": valid }).to_string()).into_response()
}
