//! Whether the scopes of a token permit an interaction.

use udap_proto::scope::{Context, Permission, ScopeSet};

use crate::interaction::Interaction;

/// Decides by SMART scopes of the system context (SMART App Launch 2.2 §3.0.2): `r` for a read, `s`
/// for a search of that type. Everybody may read the capabilities.
///
/// # Errors
/// [`ScopeError`], which says what would have permitted it.
pub fn decide(scopes: &ScopeSet, interaction: &Interaction) -> Result<(), ScopeError> {
    let (resource_type, permission) = match interaction {
        Interaction::Capabilities { .. } => return Ok(()),
        Interaction::Read { resource_type, .. } => (*resource_type, Permission::Read),
        Interaction::Search { resource_type, .. }
        | Interaction::SearchByForm { resource_type, .. } => (*resource_type, Permission::Search),
    };
    if scopes.permits(Context::System, resource_type, permission) {
        return Ok(());
    }
    let letter = if permission == Permission::Read {
        'r'
    } else {
        's'
    };
    let needed = format!("system/{resource_type}.{letter}");
    let any = |context| {
        scopes
            .matching(context, resource_type, permission)
            .next()
            .is_some()
    };
    if any(Context::System) {
        return Err(ScopeError::Narrowed { needed });
    }
    if any(Context::Patient) || any(Context::User) {
        return Err(ScopeError::OtherContext { needed });
    }
    Err(ScopeError::Insufficient { needed })
}

/// Why the scopes of a token do not permit an interaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    #[error("the access token does not have the scope `{needed}`")]
    Insufficient { needed: String },
    #[error(
        "the only scopes that permit this are narrowed by a query, which this gateway cannot enforce yet; `{needed}` without a query would do"
    )]
    Narrowed { needed: String },
    #[error(
        "the only scopes that permit this are for a patient or a user, whom this gateway does not know yet; `{needed}` would do"
    )]
    OtherContext { needed: String },
}

impl ScopeError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "insufficient-scope",
            Self::Narrowed { .. } => "scope-query-undecided",
            Self::OtherContext { .. } => "scope-context-undecided",
        }
    }

    /// The scope that would have permitted it (RFC 6750 §3, `scope`).
    #[must_use]
    pub fn needed(&self) -> &str {
        match self {
            Self::Insufficient { needed }
            | Self::Narrowed { needed }
            | Self::OtherContext { needed } => needed,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn scopes_decide_by_context_type_and_letter() {
        for (scope, read, search) in [
            ("system/Patient.rs", "permitted", "permitted"),
            ("system/Patient.read", "permitted", "permitted"),
            ("system/*.read", "permitted", "permitted"),
            ("system/*.*", "permitted", "permitted"),
            ("system/Patient.cruds", "permitted", "permitted"),
            ("system/Patient.r", "permitted", "insufficient-scope"),
            ("system/Patient.s", "insufficient-scope", "permitted"),
            (
                "system/Patient.write",
                "insufficient-scope",
                "insufficient-scope",
            ),
            (
                "system/Observation.rs",
                "insufficient-scope",
                "insufficient-scope",
            ),
            (
                "system/patient.rs",
                "insufficient-scope",
                "insufficient-scope",
            ),
            ("", "insufficient-scope", "insufficient-scope"),
            ("openid udap", "insufficient-scope", "insufficient-scope"),
            (
                "patient/Patient.rs",
                "scope-context-undecided",
                "scope-context-undecided",
            ),
            (
                "user/*.read",
                "scope-context-undecided",
                "scope-context-undecided",
            ),
            (
                "system/Patient.rs?active=true",
                "scope-query-undecided",
                "scope-query-undecided",
            ),
            (
                "system/Patient.rs?active=true user/*.rs",
                "scope-query-undecided",
                "scope-query-undecided",
            ),
            (
                "system/Patient.rs?active=true system/*.r",
                "permitted",
                "scope-query-undecided",
            ),
        ] {
            for (target, expected) in [("/Patient/1", read), ("/Patient", search)] {
                let interaction = Interaction::of(&Method::GET, &[], target, None).unwrap();
                let code = decide(&ScopeSet::parse(scope), &interaction)
                    .map_or_else(|e| e.code(), |()| "permitted");
                assert_eq!(code, expected, "{scope:?} {target}");
            }
        }
    }

    #[test]
    fn the_needed_scope_is_named() {
        let search = Interaction::of(&Method::POST, &[], "/Observation/_search", None).unwrap();
        assert_eq!(
            decide(&ScopeSet::default(), &search).unwrap_err().needed(),
            "system/Observation.s"
        );
    }
}
