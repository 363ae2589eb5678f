//! What an ID token within an extension object must be like, by the object's description.

use crate::community::CommunityError;
use crate::community::table::Table;
use crate::jws::JwsAlg;

/// The rules for the ID token of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What it may be signed with.
    pub algorithms: Vec<JwsAlg>,
    /// Whom it must be for.
    pub audience: Audience,
    /// Claims that must be there beyond those of every ID token.
    pub claims: Vec<String>,
    /// How long ago the person may have signed in, in seconds.
    pub max_auth_age_secs: Option<i64>,
    /// How often it serves.
    pub uses: Uses,
}

/// Whom an ID token in an extension object must be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The app, by its registered URI or its `client_id`.
    Client,
    /// The node that the app's certification names as its home.
    HomeCommunityId,
}

/// How often an ID token serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    /// In as many requests as it lives.
    Many,
    /// Once, as told by issuer and `jti`.
    Once,
}

/// The longest that a sign-in may be ago where it counts: a day.
const MAX_AGE_SECS: i64 = 86_400;

impl Rules {
    pub(super) fn read(table: &Table<'_>) -> Result<Self, CommunityError> {
        let names = table.texts("algorithms")?.unwrap_or_default();
        // By keys that are fetched, never by a shared secret: the names of others are not known.
        let algorithms: Option<Vec<_>> = names.iter().map(|n| JwsAlg::from_name(n)).collect();
        let audience = table.choice(
            "audience",
            &[
                ("client", Audience::Client),
                ("home-community-id", Audience::HomeCommunityId),
            ],
        )?;
        Ok(Self {
            algorithms: algorithms
                .filter(|algorithms| !algorithms.is_empty())
                .ok_or_else(|| table.wrong("algorithms", "a list of one JWS algorithm at least"))?,
            audience: audience.ok_or_else(|| table.missing("audience"))?,
            claims: table.texts("claims")?.unwrap_or_default(),
            max_auth_age_secs: table.integer("max_auth_age_secs", 1, MAX_AGE_SECS)?,
            uses: if table.boolean("once")? {
                Uses::Once
            } else {
                Uses::Many
            },
        })
    }
}
