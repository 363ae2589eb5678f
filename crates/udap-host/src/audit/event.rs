use std::{net::IpAddr, sync::Arc, time::Duration};

use serde::Serialize;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    RegistrationCreated,
    RegistrationModified,
    RegistrationCancelled,
    RegistrationRefused(Refusal),
    /// A certification was left out of a registration that went well without it.
    CertificationRefused(Refusal),
    /// A required certification no longer holds; the registration rests until there is another.
    RegistrationLapsed(Refusal),
    /// It holds again.
    RegistrationRestored,
    TokenIssued {
        scope: Arc<str>,
        purpose_of_use: Arc<[String]>,
    },
    TokenRefused(Refusal),
    /// All access tokens of a client, since the certificate they were asked for with is not good any more.
    TokensEnded(Refusal),
    /// A client ended an access token of its own; `Who::jti` is the token's.
    TokenRevoked,
    /// A revocation that had no effect, also where the client was not told so.
    RevocationRefused(Refusal),
    /// Somebody asked about an access token; `Who::jti` is the token's.
    TokenIntrospected {
        /// Why it was said not to count; none when it counts.
        inactive: Option<&'static str>,
    },
    IntrospectionRefused(Refusal),
    /// `interaction` is `read Patient` or `search Observation`: a type, never an id or a query.
    AccessAllowed {
        interaction: String,
        status: u16,
    },
    AccessRefused {
        interaction: String,
        refusal: Refusal,
        /// Whether the token, or the certificate in its place, had proved to count before the refusal. Who has one
        /// that does not is named as far as it tells, and a stranger all the same.
        token_counts: bool,
    },
    /// Refusals of strangers that were too many to be written one by one.
    RefusalsCounted {
        refusal: Refusal,
        count: u64,
    },
    /// Certificates of this server: expired, about to, unreadable.
    CertificateTrouble(Refusal),
    /// The community's CA issued; `serial` in hex.
    CertificateIssued {
        serial: String,
        profile: String,
    },
    CertificateRevoked {
        serial: String,
        reason: String,
    },
    /// An operator, or a program of theirs, changed something.
    Administered {
        action: Action,
        /// Who: an operator's name, a token's, or whoever used the command line.
        by: Arc<str>,
        /// To whom it was done, where that is not a client: an operator's or a token's name.
        to: Option<String>,
        /// Why, in the operator's words.
        reason: Option<String>,
    },
    /// Somebody wanted in among the operators and was not let in.
    OperatorRefused(Refusal),
    Started {
        version: String,
    },
    Stopped,
}

/// What an operator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Suspended,
    Restored,
    Cancelled,
    LoggedIn,
    LoggedOut,
    OperatorAdded,
    OperatorRemoved,
    PasswordChanged,
    TokenCreated,
    TokenRevoked,
    AuditPruned,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Self::Suspended => "registration-suspended",
            Self::Restored => "registration-restored",
            Self::Cancelled => "registration-cancelled",
            Self::LoggedIn => "operator-logged-in",
            Self::LoggedOut => "operator-logged-out",
            Self::OperatorAdded => "operator-added",
            Self::OperatorRemoved => "operator-removed",
            Self::PasswordChanged => "operator-password-changed",
            Self::TokenCreated => "operator-token-created",
            Self::TokenRevoked => "operator-token-revoked",
            Self::AuditPruned => "audit-pruned",
        }
    }
}

/// Why not: the stable code, and the sentence that the peer also saw, or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub detail: String,
}

/// Who, from where, within which request. All optional: a refusal may know little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    pub community: Option<Arc<str>>,
    pub client_id: Option<Arc<str>>,
    /// The SAN URI registered or claimed.
    pub uri: Option<Arc<str>>,
    /// SHA-256 of the `jti`; see [`jti_hash`].
    pub jti: Option<[u8; 32]>,
    pub remote: Option<IpAddr>,
    pub request_id: Option<Arc<str>>,
    pub duration: Option<Duration>,
}

/// SHA-256 of a `jti`: finds an entry again without telling the value.
pub fn jti_hash(jti: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jti.as_bytes());
    hash.copy_from_slice(digest.as_ref());
    hash
}

impl Event {
    /// Every name under which one is stored.
    pub const NAMES: [&'static str; 32] = [
        "registration-created",
        "registration-modified",
        "registration-cancelled",
        "registration-refused",
        "certification-refused",
        "registration-lapsed",
        "registration-restored",
        "token-issued",
        "token-refused",
        "tokens-ended",
        "token-revoked",
        "revocation-refused",
        "token-introspected",
        "introspection-refused",
        "access-allowed",
        "access-refused",
        "refusals-counted",
        "certificate-trouble",
        "certificate-issued",
        "certificate-revoked",
        "operator-refused",
        "started",
        "stopped",
        "registration-suspended",
        "operator-logged-in",
        "operator-logged-out",
        "operator-added",
        "operator-removed",
        "operator-password-changed",
        "operator-token-created",
        "operator-token-revoked",
        "audit-pruned",
    ];

    /// The name under which it is stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RegistrationCreated => "registration-created",
            Self::RegistrationModified => "registration-modified",
            Self::RegistrationCancelled => "registration-cancelled",
            Self::RegistrationRefused(_) => "registration-refused",
            Self::CertificationRefused(_) => "certification-refused",
            Self::RegistrationLapsed(_) => "registration-lapsed",
            Self::RegistrationRestored => "registration-restored",
            Self::TokenIssued { .. } => "token-issued",
            Self::TokenRefused(_) => "token-refused",
            Self::TokensEnded(_) => "tokens-ended",
            Self::TokenRevoked => "token-revoked",
            Self::RevocationRefused(_) => "revocation-refused",
            Self::TokenIntrospected { .. } => "token-introspected",
            Self::IntrospectionRefused(_) => "introspection-refused",
            Self::AccessAllowed { .. } => "access-allowed",
            Self::AccessRefused { .. } => "access-refused",
            Self::RefusalsCounted { .. } => "refusals-counted",
            Self::CertificateTrouble(_) => "certificate-trouble",
            Self::CertificateIssued { .. } => "certificate-issued",
            Self::CertificateRevoked { .. } => "certificate-revoked",
            Self::Administered { action, .. } => action.name(),
            Self::OperatorRefused(_) => "operator-refused",
            Self::Started { .. } => "started",
            Self::Stopped => "stopped",
        }
    }

    /// Why not, for those that are refusals.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::RegistrationRefused(refusal)
            | Self::CertificationRefused(refusal)
            | Self::RegistrationLapsed(refusal)
            | Self::TokenRefused(refusal)
            | Self::TokensEnded(refusal)
            | Self::RevocationRefused(refusal)
            | Self::IntrospectionRefused(refusal)
            | Self::AccessRefused { refusal, .. }
            | Self::RefusalsCounted { refusal, .. }
            | Self::OperatorRefused(refusal)
            | Self::CertificateTrouble(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// What is particular to the event.
    pub(super) fn data(&self) -> Option<Data<'_>> {
        Some(match self {
            Self::TokenIssued {
                scope,
                purpose_of_use,
            } => Data::Token {
                scope,
                purpose_of_use,
            },
            Self::TokenIntrospected { inactive } => Data::Introspected {
                active: inactive.is_none(),
                why: *inactive,
            },
            Self::AccessAllowed {
                interaction,
                status,
            } => Data::Access {
                interaction,
                status: Some(*status),
            },
            Self::AccessRefused { interaction, .. } => Data::Access {
                interaction,
                status: None,
            },
            Self::RefusalsCounted { count, .. } => Data::Counted { count: *count },
            Self::CertificateIssued { serial, profile } => Data::Issued { serial, profile },
            Self::CertificateRevoked { serial, reason } => Data::Revoked { serial, reason },
            Self::Administered { by, to, reason, .. } => Data::Administered {
                by,
                to: to.as_deref(),
                reason: reason.as_deref(),
            },
            Self::Started { version } => Data::Started { version },
            _ => return None,
        })
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Data<'a> {
    Token {
        scope: &'a str,
        purpose_of_use: &'a [String],
    },
    Introspected {
        active: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
    },
    Access {
        interaction: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
    Counted {
        count: u64,
    },
    Issued {
        serial: &'a str,
        profile: &'a str,
    },
    Revoked {
        serial: &'a str,
        reason: &'a str,
    },
    Administered {
        by: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    Started {
        version: &'a str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed() {
        let arms = include_str!("event.rs").split("=> \"").skip(1);
        let names = arms.filter_map(|rest| Some(rest.split_once("\",")?.0));
        let names: Vec<_> = names.filter(|name| !name.contains('"')).collect();
        for name in &names {
            assert!(Event::NAMES.contains(name), "{name} is not listed");
        }
        assert!(Event::NAMES.iter().all(|listed| names.contains(listed)));
    }
}
