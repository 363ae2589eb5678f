//! Whether a certifier still stands by what it signed (UDAP Certifications and Endorsements §5).

use udap_pki::UnixTime;
use udap_proto::Refusal;
use udap_proto::json;
use udap_trust::fetch::{Fetcher, Kind};
use url::Url;

/// Why a certification is not known to hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StatusError {
    #[error("its certifier says that it does not hold any more")]
    Ended,
    #[error("whether it still holds could not be learned: {why}")]
    Unknown { why: String },
}

impl Refusal for StatusError {
    fn code(&self) -> &'static str {
        match self {
            Self::Ended => "certification-ended",
            Self::Unknown { .. } => "certification-status-unknown",
        }
    }
    fn told(&self) -> String {
        match self {
            Self::Ended => self.to_string(),
            Self::Unknown { .. } => "whether it still holds could not be learned".to_owned(),
        }
    }
}

/// Asks a status endpoint about a certification. What cannot be learned is not assumed to be good.
pub(super) async fn ask(
    fetcher: &Fetcher,
    endpoint: &str,
    jti: &str,
    expires: UnixTime,
) -> Result<(), StatusError> {
    let unknown = |why: String| StatusError::Unknown { why };
    let mut url = Url::parse(endpoint).map_err(|e| unknown(e.to_string()))?;
    url.query_pairs_mut()
        .append_pair("jti", jti)
        .append_pair("exp", &expires.0.to_string());
    let fetched = fetcher
        .get(Kind::Status, url.as_str())
        .await
        .map_err(|e| unknown(e.to_string()))?;
    let answer = json::object(&fetched.body).map_err(|e| unknown(format!("the answer is {e}")))?;
    match answer.get("valid").and_then(serde_json::Value::as_bool) {
        Some(true) => Ok(()),
        Some(false) => Err(StatusError::Ended),
        None => Err(unknown("the answer has no `valid`".to_owned())),
    }
}
