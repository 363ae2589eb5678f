//! A certificate as it is shown.

use serde::Serialize;
use udap_host::when::When;
use udap_pki::{Certificate, UnixTime};

/// From so many days on it is said that a certificate ends soon: time enough to get another one, as `udap doctor` has it.
pub(super) const SOON_DAYS: i64 = 21;

/// What a person wants to know of a certificate.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shown {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial: String,
    pub(super) uris: Vec<String>,
    pub(super) sha256: String,
    pub(super) not_before: When,
    pub(super) not_after: When,
    pub(super) days_left: i64,
    /// `good`, `soon` or `expired`; `not-yet` before its time.
    pub(super) state: &'static str,
}

impl Shown {
    pub(super) fn new(certificate: &Certificate, now: UnixTime) -> Self {
        let not_after = When {
            at: certificate.not_after(),
            now,
        };
        let days_left = not_after.days();
        let state = if certificate.not_after() < now {
            "expired"
        } else if certificate.not_before() > now {
            "not-yet"
        } else if days_left < SOON_DAYS {
            "soon"
        } else {
            "good"
        };
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: certificate.serial_hex(),
            uris: certificate.uri_names().to_vec(),
            sha256: certificate
                .sha256()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
            not_before: When {
                at: certificate.not_before(),
                now,
            },
            not_after,
            days_left,
            state,
        }
    }

    /// The state in words.
    pub(super) fn words(&self) -> &'static str {
        match self.state {
            "expired" => "expired",
            "not-yet" => "not valid yet",
            "soon" => "ends soon",
            _ => "good",
        }
    }
}
