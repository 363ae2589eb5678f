//! Why a certification does not count, and what a registration lacks.

use super::status::StatusError;
use udap_proto::Refusal;
use udap_proto::certification::{CertificationError, Mismatch};
use udap_proto::community::PolicyError;
use udap_proto::jws::JwsError;
use udap_trust::verify::TrustError;

/// Why a certification does not count.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Certification(#[from] CertificationError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("`{programme}` must be signed by a certifier, not by the app itself")]
    SelfSigned { programme: String },
    #[error("`{iss}` is not among the certifiers of this community")]
    NotACertifier { iss: String },
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Status(#[from] StatusError),
}

impl From<JwsError> for Refused {
    fn from(error: JwsError) -> Self {
        Self::Certification(error.into())
    }
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Certification(e) => e.code(),
            Self::Trust(e) => e.code(),
            Self::SelfSigned { .. } => "certification-self-signed",
            Self::NotACertifier { .. } => "certifier-unknown",
            Self::Mismatch(e) => e.code(),
            Self::Policy(e) => e.code(),
            Self::Status(e) => e.code(),
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Certification(e) => e.hint(),
            Self::Trust(e) => e.hint(),
            Self::Mismatch(e) => e.hint(),
            _ => None,
        }
    }
    fn told(&self) -> String {
        match self {
            Self::Status(e) => e.told(),
            _ => self.to_string(),
        }
    }
}

/// A registration lacks a certification that its community requires.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.sentence(ToString::to_string))]
pub(crate) struct Lacking {
    pub(crate) programme: String,
    /// Why the one that was sent does not count.
    pub(crate) because: Option<Refused>,
}

impl Lacking {
    fn sentence(&self, why: impl Fn(&Refused) -> String) -> String {
        let because = match &self.because {
            Some(refused) => format!(", and the one that was sent is refused: {}", why(refused)),
            None => String::new(),
        };
        let programme = &self.programme;
        format!("a certification of `{programme}` is required here{because}")
    }

    /// The error code of the answer (UDAP Certifications and Endorsements §4.4): trust and the rest
    /// are kept apart, and what only the registration can mend is the registration's.
    pub(crate) fn error(&self) -> &'static str {
        match &self.because {
            None | Some(Refused::Mismatch(_) | Refused::Policy(_)) => "invalid_client_metadata",
            Some(Refused::Certification(CertificationError::NotInCertificate { .. })) => {
                "unapproved_certification"
            }
            Some(Refused::Certification(_)) => "invalid_certification",
            Some(_) => "unapproved_certification",
        }
    }
}

impl Refusal for Lacking {
    fn code(&self) -> &'static str {
        match &self.because {
            Some(refused) => refused.code(),
            None => "certification-required",
        }
    }
    fn hint(&self) -> Option<String> {
        self.because.as_ref().and_then(Refusal::hint)
    }
    fn told(&self) -> String {
        self.sentence(Refusal::told)
    }
}
