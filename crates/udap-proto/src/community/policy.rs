//! What a community asks of a registration and of a token request beyond the guide: one purpose for
//! each app, users where there are scopes of users, consent where it has to be shown.

use super::{CodeList, Community, Registration, Standing, UserScopes};
use crate::error::Refusal;
use crate::extensions::{Asserted, hl7_b2b};
use crate::registration::ClientMetadata;
use crate::scope::{Context, Scope};
use serde_json::{Map, Value};
use udap_pki::UnixTime;
use url::Url;

/// Why a community refuses what the guide would let pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum PolicyError {
    #[error(
        "the URI `{uri}` names no purpose; here it ends with `#` and a code, or has one in its path"
    )]
    NoPurpose { uri: String },
    #[error("the URI `{uri}` names more than one purpose: {purposes:?}")]
    SeveralPurposes { uri: String, purposes: Vec<String> },
    #[error("the URI `{uri}` names the purpose `{purpose}`, which {why} at {when}")]
    PurposeNotInForce {
        uri: String,
        purpose: String,
        why: &'static str,
        when: UnixTime,
    },
    #[error("the app is registered for the purpose `{registered}`, and asks for {asserted:?}")]
    OtherPurpose {
        registered: String,
        asserted: Vec<String>,
    },
    #[error("the certification's `{claim}` is {found}, but the app's URI names `{expected}`")]
    CertifiedPurpose {
        claim: String,
        found: String,
        expected: String,
    },
    #[error("the certification's `{claim}` is missing or not a URI")]
    CertifiedHome { claim: String },
    #[error("an app without users asks for the scopes of users `{scopes}`")]
    UserScopes { scopes: String },
    #[error(
        "for the purpose `{purpose}` one of these consent policies has to be asserted: {policies:?}"
    )]
    Consent {
        purpose: String,
        policies: Vec<String>,
        form: Option<String>,
    },
}

impl Refusal for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoPurpose { .. } => "uri-purpose-missing",
            Self::SeveralPurposes { .. } => "uri-purpose-ambiguous",
            Self::PurposeNotInForce { .. } => "uri-purpose-not-in-force",
            Self::OtherPurpose { .. } => "purpose-mismatch",
            Self::CertifiedPurpose { .. } => "certification-purpose-mismatch",
            Self::CertifiedHome { .. } => "certification-home-missing",
            Self::UserScopes { .. } => "scope-without-user",
            Self::Consent { .. } => "consent-required",
        }
    }
}

impl Community {
    /// Whether an app of that URI may register what it asks for.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub fn require_registration(
        &self,
        uri: &str,
        metadata: &ClientMetadata,
        now: UnixTime,
    ) -> Result<(), PolicyError> {
        if let Some(list) = &self.registration.purpose_in_uri {
            purpose_of(uri, list, now)?;
        }
        self.registration.require_users(metadata)
    }

    /// Whether a request of an app of that URI may be made for what it asserts.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub fn require_request(
        &self,
        uri: &str,
        asserted: &Asserted,
        now: UnixTime,
    ) -> Result<(), PolicyError> {
        if let Some(list) = &self.registration.purpose_in_uri {
            let registered = list.written(&purpose_of(uri, list, now)?);
            if *asserted.purposes != [registered.as_str()] {
                return Err(PolicyError::OtherPurpose {
                    registered,
                    asserted: asserted.purposes.iter().take(4).cloned().collect(),
                });
            }
        }
        self.require_consent(asserted)
    }

    /// Whether a certification of one programme says what it says of this app.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub fn require_certified(
        &self,
        programme: &str,
        uri: &str,
        certified: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<(), PolicyError> {
        let Some(claims) = self.certifications.claims.get(programme) else {
            return Ok(());
        };
        if let (Some(claim), Some(list)) = (&claims.purpose, &self.registration.purpose_in_uri) {
            let expected = purpose_of(uri, list, now)?;
            let found = certified.get(claim);
            let same = match found.and_then(Value::as_array).map(Vec::as_slice) {
                Some([Value::String(one)]) => *one == expected,
                _ => false,
            };
            if !same {
                let found = found.map_or("missing".to_owned(), Value::to_string);
                return Err(PolicyError::CertifiedPurpose {
                    claim: claim.clone(),
                    found: found.chars().take(200).collect(),
                    expected,
                });
            }
        }
        if let Some(claim) = &claims.home_community_id {
            let home = certified.get(claim).and_then(Value::as_str);
            if !home.is_some_and(super::table::is_uri) {
                return Err(PolicyError::CertifiedHome {
                    claim: claim.clone(),
                });
            }
        }
        Ok(())
    }

    fn require_consent(&self, asserted: &Asserted) -> Result<(), PolicyError> {
        let object = asserted.carried.get(hl7_b2b::KEY);
        let policies = object
            .and_then(|object| object.get("consent_policy"))
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        for rule in &self.consent {
            let purpose = asserted
                .purposes
                .iter()
                .find(|purpose| rule.purposes.contains(purpose));
            let Some(purpose) = purpose else { continue };
            let has = policies
                .iter()
                .filter_map(Value::as_str)
                .any(|policy| rule.policies.iter().any(|wanted| wanted == policy));
            if !has {
                return Err(PolicyError::Consent {
                    purpose: purpose.clone(),
                    policies: rule.policies.clone(),
                    form: rule.form.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Registration {
    /// Whether scopes of users are asked for by somebody who has some.
    fn require_users(&self, metadata: &ClientMetadata) -> Result<(), PolicyError> {
        if self.user_scopes == UserScopes::LeaveOut || metadata.grant.with_code() {
            return Ok(());
        }
        let of_users = |scope: &&Scope| {
            matches!(
                scope,
                Scope::Resource {
                    context: Context::User,
                    ..
                }
            )
        };
        let scopes: Vec<_> = metadata.scope.iter().filter(of_users).collect();
        if scopes.is_empty() {
            return Ok(());
        }
        let scopes: Vec<_> = scopes.iter().take(8).map(ToString::to_string).collect();
        Err(PolicyError::UserScopes {
            scopes: scopes.join(" "),
        })
    }
}

/// The one purpose that a URI names, in its fragment (`urn:oid:1.2#T-TREAT`) or in a segment of its path.
/// Only whole segments count, letter for letter.
///
/// # Errors
/// [`PolicyError`] for none, for several, and for one that is not in force.
pub fn purpose_of(uri: &str, list: &CodeList, now: UnixTime) -> Result<String, PolicyError> {
    let (before, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let path = Url::parse(before).map(|url| url.path().to_owned());
    let path = path.unwrap_or_default();
    let known = |part: &&str| list.standing(part, now) != Standing::Unknown;
    let mut purposes: Vec<&str> = path.split('/').chain([fragment]).filter(known).collect();
    purposes.sort_unstable();
    purposes.dedup();
    let purpose = match purposes.as_slice() {
        [] => {
            return Err(PolicyError::NoPurpose {
                uri: uri.to_owned(),
            });
        }
        [one] => (*one).to_owned(),
        several => {
            return Err(PolicyError::SeveralPurposes {
                uri: uri.to_owned(),
                purposes: several.iter().map(|p| (*p).to_owned()).collect(),
            });
        }
    };
    let (why, when) = match list.standing(&purpose, now) {
        Standing::NotYet(when) => ("begins", when),
        Standing::Over(when) => ("ended", when),
        Standing::InForce | Standing::Unknown => return Ok(purpose),
    };
    Err(PolicyError::PurposeNotInForce {
        uri: uri.to_owned(),
        purpose,
        why,
        when,
    })
}
