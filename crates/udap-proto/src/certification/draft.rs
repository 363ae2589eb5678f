//! A certification before it is signed. Nothing is drafted that a reader would refuse.

use super::definition::{Definition, Need, SignedBy};
use super::restrictions::TEXTS;
use super::{About, CertificationError, Kind, MAX_LIFETIME_SECS, Restrictions};
use crate::claims::ClaimError;
use crate::error::Refusal;
use crate::jws::{JwsAlg, Unsigned};
use crate::registration::Grant;
use serde_json::{Map, Value};
use udap_pki::{Certificate, UnixTime};

/// What is to be certified, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The programme.
    pub definition: &'a Definition,
    /// The app's URI.
    pub app: &'a str,
    /// Who certifies; `None` is the app itself.
    pub certifier: Option<Certifier<'a>>,
    /// How the app gets its tokens.
    pub grant: Grant,
    /// The registration endpoints it is meant for; none is all of them.
    pub audience: &'a [String],
    /// Answers to the questions of the definition.
    pub answers: &'a Map<String, Value>,
    /// Claims that limit what the app may register, or tell of it.
    pub restrictions: &'a Map<String, Value>,
    /// How long it shall hold, in seconds; never beyond the signer's certificate.
    pub lifetime_secs: i64,
}

/// Somebody who certifies others.
#[derive(Debug, Clone, Copy)]
pub struct Certifier<'a> {
    /// A URI name of its certificate.
    pub uri: &'a str,
    /// Its name for people.
    pub name: &'a str,
    /// Where it answers whether the certification still holds.
    pub status_endpoint: Option<&'a str>,
}

/// Why nothing is drafted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum DraftError {
    #[error("`{uri}` is signed by {by}")]
    Signer { uri: String, by: &'static str },
    #[error("answer `{name}` {problem}")]
    Answer { name: String, problem: String },
    #[error("`{claim}` is no claim that limits an app")]
    Restriction { claim: String },
    #[error(transparent)]
    Certification(#[from] CertificationError),
}

impl Refusal for DraftError {
    fn code(&self) -> &'static str {
        match self {
            Self::Signer { .. } => "definition-signer",
            Self::Answer { .. } => "definition-answers",
            Self::Restriction { .. } => "restriction-unknown",
            Self::Certification(e) => e.code(),
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Certification(e) => e.hint(),
            _ => None,
        }
    }
}

/// Claims that limit or describe an app besides those of [`TEXTS`]. `grant_types` and
/// `response_types` follow from the grant.
const OTHER: [&str; 8] = [
    "contacts",
    "developer_address",
    "developer_name",
    "ip_allowed",
    "jwks",
    "launch_uri",
    "redirect_uris",
    "scope",
];

impl Draft<'_> {
    /// The certification, ready to be signed.
    ///
    /// # Errors
    /// [`DraftError`]
    pub fn unsigned(
        &self,
        alg: JwsAlg,
        chain: &[Certificate],
        now: UnixTime,
        jti: &str,
    ) -> Result<Unsigned, DraftError> {
        let definition = self.definition;
        match (definition.signed_by, &self.certifier) {
            (SignedBy::App, None) | (SignedBy::Certifier, Some(_)) => {}
            (by, _) => {
                return Err(DraftError::Signer {
                    uri: definition.uri.clone(),
                    by: match by {
                        SignedBy::App => "the app itself",
                        SignedBy::Certifier => "a certifier, not by the app itself",
                    },
                });
            }
        }
        self.check_answers()?;
        let iss = self.certifier.map_or(self.app, |certifier| certifier.uri);
        let names = chain
            .first()
            .map(Certificate::uri_names)
            .unwrap_or_default();
        if !names.iter().any(|name| name == iss) {
            return Err(CertificationError::NotInCertificate {
                iss: iss.to_owned(),
                names: names.to_vec(),
            }
            .into());
        }
        let claims = self.claims(iss, chain, now, jti)?;
        About::read(&claims, self.certifier.is_none())?;
        Restrictions::read(&claims)?;
        Ok(Unsigned::with_x5c(alg, chain, &claims))
    }

    fn claims(
        &self,
        iss: &str,
        chain: &[Certificate],
        now: UnixTime,
        jti: &str,
    ) -> Result<Map<String, Value>, DraftError> {
        let definition = self.definition;
        let max = MAX_LIFETIME_SECS.min(definition.max_days.saturating_mul(86_400));
        if self.lifetime_secs > max {
            return Err(CertificationError::from(ClaimError::Lifetime {
                secs: self.lifetime_secs,
                max,
            })
            .into());
        }
        let not_after = chain.first().map_or(now, Certificate::not_after);
        let exp = now.plus_secs(self.lifetime_secs).min(not_after);
        if exp <= now {
            return Err(
                CertificationError::from(ClaimError::ExpBeforeIat { iat: now, exp }).into(),
            );
        }
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        for (name, value) in self.restrictions {
            if !TEXTS.contains(&name.as_str()) && !OTHER.contains(&name.as_str()) {
                return Err(DraftError::Restriction {
                    claim: name.clone(),
                });
            }
            put(name, value.clone());
        }
        put("iss", iss.into());
        put("sub", self.app.into());
        if !self.audience.is_empty() {
            put("aud", self.audience.into());
        }
        put("iat", now.0.into());
        put("exp", exp.0.into());
        put("jti", jti.into());
        put("certification_name", definition.name.as_str().into());
        put(
            "certification_description",
            definition.description.as_str().into(),
        );
        put(
            "certification_uris",
            [definition.uri.as_str()].as_slice().into(),
        );
        if definition.kind == Kind::Endorsement {
            put("is_endorsement", true.into());
        }
        if let Some(certifier) = self.certifier {
            put("certification_issuer", certifier.name.into());
            if let Some(endpoint) = certifier.status_endpoint {
                put("certification_status_endpoint", endpoint.into());
            }
        }
        put("grant_types", self.grant.types().into());
        if self.grant.with_code() {
            put("response_types", ["code"].as_slice().into());
        }
        if !self.answers.is_empty() {
            let mut extensions = Map::new();
            extensions.insert(
                definition.extension.clone(),
                Value::Object(self.answers.clone()),
            );
            put("extensions", Value::Object(extensions));
        }
        Ok(claims)
    }

    fn check_answers(&self) -> Result<(), DraftError> {
        let refused = |name: &str, problem: String| DraftError::Answer {
            name: name.to_owned(),
            problem,
        };
        let questions = &self.definition.questions;
        for question in questions {
            match self.answers.get(&question.name) {
                None if question.need == Need::Optional => {}
                None => {
                    let problem = format!("is missing: {}", question.text);
                    return Err(refused(&question.name, problem));
                }
                Some(answer) if question.answer.fits(answer) => {}
                Some(_) => {
                    let problem = format!("must be {}", question.answer.expected());
                    return Err(refused(&question.name, problem));
                }
            }
        }
        let asked = |name: &String| questions.iter().any(|question| question.name == *name);
        match self.answers.keys().find(|name| !asked(name)) {
            Some(stray) => Err(refused(stray, "is not asked for".to_owned())),
            None => Ok(()),
        }
    }
}
