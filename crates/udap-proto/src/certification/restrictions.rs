//! What a certification is limited to, and whether a registration stays within.

use super::{CertificationError, RedirectPattern, RequestLimits};
use crate::claims::{ClaimError, text};
use crate::error::Refusal;
use crate::registration::{ClientMetadata, MAX_ITEMS};
use crate::scope::{self, ScopeSet};
use serde_json::{Map, Value};

/// The restricting claims of a certification (UDAP Certifications and Endorsements §2). A claim that
/// is absent restricts nothing; of a list, a registration may ask for a part.
#[derive(Debug, Clone, Default)]
pub struct Restrictions {
    /// Parameters that have one value, by name.
    pub texts: Map<String, Value>,
    /// `contacts`
    pub contacts: Option<Vec<String>>,
    /// `redirect_uris`
    pub redirect_uris: Option<Vec<RedirectPattern>>,
    /// `grant_types`
    pub grant_types: Option<Vec<String>>,
    /// `response_types`
    pub response_types: Option<Vec<String>>,
    /// `scope`
    pub scope: Option<ScopeSet>,
    /// `jwks` and `ip_allowed`, which count at each token request
    pub limits: RequestLimits,
}

/// A registration goes beyond a certification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{param}` is {found}, but the certification covers {covered}")]
pub struct Mismatch {
    /// Which parameter.
    pub param: &'static str,
    /// Its value.
    pub found: String,
    /// What the certification allows.
    pub covered: String,
}

impl Refusal for Mismatch {
    fn code(&self) -> &'static str {
        "certification-mismatch"
    }
}

/// Parameters with one value that a registration, where it has them, must have the same.
pub(super) const TEXTS: [&str; 8] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "software_id",
    "software_version",
    "token_endpoint_auth_method",
    "tos_uri",
];

impl Restrictions {
    pub(super) fn read(payload: &Map<String, Value>) -> Result<Self, CertificationError> {
        let misplaced = |claim, why| CertificationError::Misplaced { claim, why };
        let mut fixed = Map::new();
        for claim in TEXTS {
            if payload.contains_key(claim) {
                fixed.insert(claim.into(), text(payload, claim)?.into());
            }
        }
        let contacts = texts(payload, "contacts")?;
        let reachable = |contact: &String| {
            ["mailto:", "https:"]
                .iter()
                .any(|start| contact.starts_with(start))
        };
        if !contacts.iter().flatten().all(reachable) {
            return Err(shape("contacts", "an array of mailto: or https: URIs"));
        }
        let grant_types = texts(payload, "grant_types")?;
        let redirect_uris = texts(payload, "redirect_uris")?;
        let with_code = |grants: &Vec<String>| grants.iter().any(|g| g == "authorization_code");
        if redirect_uris.is_some()
            && grant_types
                .as_ref()
                .is_some_and(|grants| !with_code(grants))
        {
            return Err(misplaced(
                "redirect_uris",
                "there is no `authorization_code` grant",
            ));
        }
        let redirect_uris = redirect_uris
            .map(|uris| uris.iter().map(|uri| RedirectPattern::parse(uri)).collect::<Option<_>>())
            .map(|read| {
                read.ok_or_else(|| {
                    shape(
                        "redirect_uris",
                        "an array of https URLs with `*` only as a whole path segment or query value",
                    )
                })
            })
            .transpose()?;
        let scope = payload
            .contains_key("scope")
            .then(|| {
                ScopeSet::read(&text(payload, "scope")?)
                    .ok_or_else(|| shape("scope", scope::LIMITS))
            })
            .transpose()?;
        let launches = |scope: &ScopeSet| scope.iter().any(|s| s.as_str() == "launch");
        if payload.contains_key("launch_uri") && !scope.as_ref().is_some_and(launches) {
            return Err(misplaced("launch_uri", "`scope` does not have `launch`"));
        }
        if payload.contains_key("jwks_uri") {
            return Err(misplaced(
                "jwks_uri",
                "keys are named in `jwks`, so that they are signed",
            ));
        }
        Ok(Self {
            texts: fixed,
            contacts,
            redirect_uris,
            grant_types,
            response_types: texts(payload, "response_types")?,
            scope,
            limits: RequestLimits::read(payload)?,
        })
    }

    /// Whether a registration stays within.
    ///
    /// # Errors
    /// [`Mismatch`]
    pub fn check(&self, metadata: &ClientMetadata) -> Result<(), Mismatch> {
        let params = metadata.to_params();
        for param in TEXTS {
            let (Some(covered), Some(found)) = (self.texts.get(param), params.get(param)) else {
                continue;
            };
            if covered != found {
                return Err(mismatch(param, found, covered));
            }
        }
        let response_types: &[&str] = match metadata.redirect_uris.as_slice() {
            [] => &[],
            _ => &["code"],
        };
        let contacts: Vec<&str> = metadata.contacts.iter().map(String::as_str).collect();
        for (param, found, covered) in [
            ("contacts", contacts.as_slice(), &self.contacts),
            ("grant_types", metadata.grant.types(), &self.grant_types),
            ("response_types", response_types, &self.response_types),
        ] {
            let Some(covered) = covered else { continue };
            if let Some(beyond) = found
                .iter()
                .find(|item| !covered.iter().any(|c| c == *item))
            {
                return Err(mismatch(param, beyond, format!("{covered:?}")));
            }
        }
        if let Some(patterns) = &self.redirect_uris {
            let fits = |uri: &&String| !patterns.iter().any(|pattern| pattern.matches(uri));
            if let Some(beyond) = metadata.redirect_uris.iter().find(fits) {
                let covered: Vec<_> = patterns.iter().map(RedirectPattern::as_str).collect();
                return Err(mismatch("redirect_uris", beyond, format!("{covered:?}")));
            }
        }
        if let Some(covered) = &self.scope
            && let Some(beyond) = metadata.scope.iter().find(|scope| !covered.covers(scope))
        {
            return Err(mismatch("scope", beyond.as_str(), covered));
        }
        Ok(())
    }
}

/// A claim that is a list of at most so many texts, if it is there.
pub(super) fn texts(
    payload: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<Vec<String>>, ClaimError> {
    let refused = ClaimError::Shape {
        claim,
        expected: "an array of 1 to 64 non-empty strings",
    };
    let text = |item: &Value| item.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    match payload.get(claim) {
        None => Ok(None),
        Some(Value::Array(items)) if (1..=MAX_ITEMS).contains(&items.len()) => items
            .iter()
            .map(text)
            .collect::<Option<_>>()
            .ok_or(refused)
            .map(Some),
        Some(_) => Err(refused),
    }
}

pub(super) fn shape(claim: &'static str, expected: &'static str) -> CertificationError {
    ClaimError::Shape { claim, expected }.into()
}

pub(super) fn mismatch(
    param: &'static str,
    found: impl ToString,
    covered: impl ToString,
) -> Mismatch {
    // Both are a sender's texts: enough to recognise them by.
    let short = |text: String| text.chars().take(200).collect();
    Mismatch {
        param,
        found: short(found.to_string()),
        covered: short(covered.to_string()),
    }
}
