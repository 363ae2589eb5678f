//! Which scopes an app gets (HL7 SSRAA §7.3).

use udap_proto::scope::{Context, MAX_SCOPES, Scope, ScopeSet};

/// Why no scope can be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScopeError {
    #[error("the wildcard scope `{scope}` is not supported here")]
    Wildcard { scope: String },
    #[error("none of the scopes `{requested}` can be granted; there are `{available}`")]
    Nothing {
        requested: String,
        available: String,
    },
    #[error("what can be granted of the scopes are more than {MAX_SCOPES} of them")]
    TooMany,
}

impl ScopeError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Wildcard { .. } => "scope-wildcard-unsupported",
            Self::Nothing { .. } => "scope-none-granted",
            Self::TooMany => "scope-too-many",
        }
    }
}

/// The same for an app whose users sign in: whatever is available, `system` excepted, which is no
/// user's.
pub(crate) fn grant_to_users(
    requested: &ScopeSet,
    available: &ScopeSet,
) -> Result<ScopeSet, ScopeError> {
    negotiate(requested, available, |scope| !system(scope))
}

/// What of the requested scopes is left under what is available, for an app without a user: other
/// contexts than `system` are left out. A wildcard is an error where none is available, and it is
/// one to be left with nothing.
pub(crate) fn grant(requested: &ScopeSet, available: &ScopeSet) -> Result<ScopeSet, ScopeError> {
    negotiate(requested, available, system)
}

fn system(scope: &Scope) -> bool {
    matches!(
        scope,
        Scope::Resource {
            context: Context::System,
            ..
        }
    )
}

fn negotiate(
    requested: &ScopeSet,
    available: &ScopeSet,
    fits: impl Fn(&Scope) -> bool,
) -> Result<ScopeSet, ScopeError> {
    let wildcard_available = |wanted: &Scope| {
        available
            .iter()
            .any(|scope| scope.is_wildcard() && scope.under(wanted).is_some())
    };
    if let Some(wildcard) = requested
        .iter()
        .find(|scope| scope.is_wildcard() && !wildcard_available(scope))
    {
        return Err(ScopeError::Wildcard {
            scope: wildcard.to_string(),
        });
    }
    let mut usable = requested.under(available).ok_or(ScopeError::TooMany)?;
    usable.retain(fits);
    if usable.is_empty() {
        return Err(ScopeError::Nothing {
            requested: requested.to_string(),
            available: available.to_string(),
        });
    }
    Ok(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(requested: &str, available: &str) -> Result<String, &'static str> {
        grant(&ScopeSet::parse(requested), &ScopeSet::parse(available))
            .map(|set| set.to_string())
            .map_err(|e| e.code())
    }

    #[test]
    fn a_subset_is_granted_and_users_are_left_out() {
        let available = "system/Patient.rs system/Observation.rs user/Patient.rs";
        assert_eq!(
            granted("system/Patient.read system/Condition.rs", available),
            Ok("system/Patient.read".into())
        );
        assert_eq!(
            granted("system/Patient.cruds", available),
            Ok("system/Patient.rs".into())
        );
        assert_eq!(
            granted("user/Patient.rs", available),
            Err("scope-none-granted")
        );
        assert_eq!(granted("openid", available), Err("scope-none-granted"));
        assert_eq!(
            granted("system/*.rs system/Patient.rs", available),
            Err("scope-wildcard-unsupported")
        );
        assert_eq!(
            granted("system/*.cruds", "system/*.rs"),
            Ok("system/*.rs".into())
        );
        let users = grant_to_users(
            &ScopeSet::parse("openid user/Patient.rs system/Patient.rs patient/Patient.rs"),
            &ScopeSet::parse(&format!("{available} openid")),
        );
        let users = users.map(|set| set.to_string());
        assert_eq!(users, Ok("openid user/Patient.rs".into()));
        // Each narrowed wildcard would be one scope for each type.
        let narrowed: Vec<_> = (0..30).map(|n| format!("system/*.rs?a={n}")).collect();
        let types: Vec<_> = ('a'..='z')
            .map(|letter| format!("system/Type{letter}.rs"))
            .collect();
        assert_eq!(
            granted(
                &narrowed.join(" "),
                &format!("system/*.rs {}", types.join(" "))
            ),
            Err("scope-too-many")
        );
        // A wildcard for users is none for apps.
        assert_eq!(
            granted("system/*.rs", "system/Patient.rs user/*.rs"),
            Err("scope-wildcard-unsupported")
        );
    }
}
