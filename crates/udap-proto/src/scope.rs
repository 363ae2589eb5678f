//! SMART on FHIR scopes, versions 1 and 2, and what a set of them permits.
//!
//! Grammar (SMART App Launch 2.2, "Scopes for requesting FHIR Resources"): a context, a slash, a
//! resource type or `*`, a dot, then either `read`, `write`, `*` (version 1) or a non-empty subset
//! of `cruds` in that order (version 2), which `?` and search parameters may narrow. Everything
//! else (`openid`, `udap`, `launch/patient`, …) is kept as it was written and permits nothing here.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// The longest scope string that is taken from a message, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The most scopes that are taken from a message. An app that reads every resource type of US Core
/// with granular queries names some 200; sets are compared pair by pair, so there must be an end.
pub const MAX_SCOPES: usize = 500;
/// The most pairs of scopes that may have something in common when two sets are compared: each of 500 in both
/// versions, with wildcards of both.
const MAX_MET: usize = 4_000;
/// Texts up to here hold so few scopes that each is compared with all.
const FEW_BYTES: usize = 256;
/// The two limits, for the sentence of an error.
pub(crate) const LIMITS: &str = "at most 500 scopes in 16 KiB";

/// On whose behalf a resource is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// One patient's record.
    Patient,
    /// What the signed-in user may see.
    User,
    /// No user: what the app's operator may see.
    System,
}

impl Context {
    /// The word before the slash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// One kind of interaction, by its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `c`: create a resource.
    Create,
    /// `r`: read one resource, its versions and its history.
    Read,
    /// `u`: update a resource.
    Update,
    /// `d`: delete a resource.
    Delete,
    /// `s`: search a type, or its history.
    Search,
}

const LETTERS: [(Permission, char); 5] = [
    (Permission::Create, 'c'),
    (Permission::Read, 'r'),
    (Permission::Update, 'u'),
    (Permission::Delete, 'd'),
    (Permission::Search, 's'),
];

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);
    /// `cruds`
    pub const ALL: Self = Self(0b1_1111);
    /// `rs`, which version 1 calls `read`.
    pub const READ: Self = Self(0b1_0010);
    /// `cud`, which version 1 calls `write`.
    pub const WRITE: Self = Self(0b0_1101);

    const fn bit(permission: Permission) -> u8 {
        1 << permission as u8
    }
    /// The set with one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | Self::bit(permission))
    }
    /// Whether it is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }
    /// Whether every permission of the other set is in this one.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// What both sets have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads `rs`, `cruds`, … or the version 1 words.
    fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => return Some(Self::READ),
            "write" => return Some(Self::WRITE),
            "*" => return Some(Self::ALL),
            _ => {}
        }
        let mut set = Self::NONE;
        let mut letters = LETTERS.iter();
        for c in text.chars() {
            // Each letter once and in the order of `cruds`: the search goes on behind the last match.
            let (permission, _) = letters.find(|(_, letter)| *letter == c)?;
            set = set.with(*permission);
        }
        (!set.is_empty()).then_some(set)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (permission, letter) in LETTERS {
            if self.contains(permission) {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// One scope. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Access to FHIR resources.
    Resource {
        /// On whose behalf.
        context: Context,
        /// A resource type, or `*`.
        resource: Arc<str>,
        /// What may be done.
        permissions: Permissions,
        /// Search parameters that narrow it, without the `?`.
        query: Option<Arc<str>>,
        /// As it was written, so that a partner finds its own words in the answer.
        written: Arc<str>,
    },
    /// Anything else, as it was written.
    Other(Arc<str>),
}

impl Scope {
    /// Reads one scope; what is not a resource scope is [`Scope::Other`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::resource(text).unwrap_or_else(|| Self::Other(text.into()))
    }

    fn resource(text: &str) -> Option<Self> {
        let (context, rest) = text.split_once('/')?;
        let context = match context {
            "patient" => Context::Patient,
            "user" => Context::User,
            "system" => Context::System,
            _ => return None,
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) if !query.is_empty() => (rest, Some(query.into())),
            Some(_) => return None,
            None => (rest, None),
        };
        let (resource, permissions) = rest.rsplit_once('.')?;
        let is_type = resource.starts_with(|c: char| c.is_ascii_uppercase())
            && resource.chars().all(|c| c.is_ascii_alphabetic());
        if resource != "*" && !is_type {
            return None;
        }
        Some(Self::Resource {
            context,
            resource: resource.into(),
            permissions: Permissions::parse(permissions)?,
            query,
            written: text.into(),
        })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Resource { written, .. } => written,
            Self::Other(text) => text,
        }
    }

    /// Whether its resource type is `*` (a wildcard scope, HL7 SSRAA §7.3).
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Resource { resource, .. } if **resource == *"*")
    }

    /// Whether whoever has this scope has the other one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a == b,
            (
                Self::Resource {
                    context,
                    resource,
                    permissions,
                    query,
                    ..
                },
                Self::Resource {
                    context: their_context,
                    resource: their_resource,
                    permissions: their_permissions,
                    query: their_query,
                    ..
                },
            ) => {
                context == their_context
                    && (**resource == *"*" || resource == their_resource)
                    && permissions.includes(*their_permissions)
                    && (query.is_none() || query == their_query)
            }
            _ => false,
        }
    }

    /// What of this scope is left under a ceiling: `system/*.cruds` under `system/Patient.rs` is
    /// `system/Patient.rs`. `None` when nothing is.
    #[must_use]
    pub fn under(&self, ceiling: &Self) -> Option<Self> {
        if ceiling.covers(self) {
            return Some(self.clone());
        }
        if self.covers(ceiling) {
            return Some(ceiling.clone());
        }
        let (
            Self::Resource {
                context,
                resource,
                permissions,
                query,
                ..
            },
            Self::Resource {
                context: their_context,
                resource: their_resource,
                permissions: their_permissions,
                query: their_query,
                ..
            },
        ) = (self, ceiling)
        else {
            return None;
        };
        let resource = match (&**resource, &**their_resource) {
            (mine, theirs) if mine == theirs => mine,
            ("*", theirs) => theirs,
            (mine, "*") => mine,
            _ => return None,
        };
        let query = match (query, their_query) {
            (None, q) | (q, None) => q.clone(),
            (a, b) if a == b => a.clone(),
            // Two different narrowings: both would have to hold, which one scope cannot say.
            _ => return None,
        };
        let permissions = permissions.and(*their_permissions);
        if context != their_context || permissions.is_empty() {
            return None;
        }
        let narrowed = query.as_ref().map(|q| format!("?{q}")).unwrap_or_default();
        Some(Self::Resource {
            context: *context,
            resource: resource.into(),
            permissions,
            written: format!("{}/{resource}.{permissions}{narrowed}", context.as_str()).into(),
            query,
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes, in the order they were written, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// Reads scopes between blanks (RFC 6749 §3.3). Never fails: what is not understood is kept and
    /// permits nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let words = text.split_ascii_whitespace();
        // A few are looked through faster than hashed.
        if text.len() <= FEW_BYTES {
            let mut few = Self::default();
            for word in words {
                if !few.has(word) {
                    few.0.push(Scope::parse(word));
                }
            }
            return few;
        }
        let mut seen = HashSet::new();
        Self(
            words
                .filter(|word| seen.insert(*word))
                .map(Scope::parse)
                .collect(),
        )
    }

    /// As [`Self::parse`], of a text that somebody sent: `None` beyond [`MAX_BYTES`] or
    /// [`MAX_SCOPES`].
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let set = (text.len() <= MAX_BYTES).then(|| Self::parse(text))?;
        (set.len() <= MAX_SCOPES).then_some(set)
    }

    /// Adds a scope unless it is there.
    pub fn insert(&mut self, scope: Scope) {
        if !self.has(scope.as_str()) {
            self.0.push(scope);
        }
    }

    /// Leaves those scopes of which it is true.
    pub fn retain(&mut self, which: impl FnMut(&Scope) -> bool) {
        self.0.retain(which);
    }

    fn has(&self, written: &str) -> bool {
        self.0.iter().any(|scope| scope.as_str() == written)
    }

    /// The scopes in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }
    /// All of them between blanks, as they go into a message.
    #[must_use]
    pub fn to_text(&self) -> String {
        let bytes = self.0.iter().map(|scope| scope.as_str().len() + 1).sum();
        let mut text = String::with_capacity(bytes);
        for scope in &self.0 {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(scope.as_str());
        }
        text
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one scope of the set, without a narrowing query, permits the interaction.
    #[must_use]
    pub fn permits(&self, context: Context, resource: &str, permission: Permission) -> bool {
        self.matching(context, resource, permission)
            .any(|query| query.is_none())
    }

    /// The queries that narrow each scope which permits the interaction: `None` for one that
    /// permits it without condition.
    pub fn matching<'a>(
        &'a self,
        wanted: Context,
        wanted_resource: &'a str,
        permission: Permission,
    ) -> impl Iterator<Item = Option<&'a str>> {
        self.0.iter().filter_map(move |scope| match scope {
            Scope::Resource {
                context,
                resource,
                permissions,
                query,
                ..
            } if *context == wanted
                && (**resource == *"*" || **resource == *wanted_resource)
                && permissions.contains(permission) =>
            {
                Some(query.as_deref())
            }
            _ => None,
        })
    }

    /// Whether some scope of the set covers that one.
    #[must_use]
    pub fn covers(&self, scope: &Scope) -> bool {
        self.0.iter().any(|mine| mine.covers(scope))
    }

    /// What of the set is left under a ceiling, each scope cut down to what the ceiling has of it. `None` when
    /// those are more than [`MAX_SCOPES`]: narrowed wildcards meet each type of the ceiling in a scope of its own.
    #[must_use]
    pub fn under(&self, ceiling: &Self) -> Option<Self> {
        let mut left = Self::default();
        let mut met = 0;
        for scope in &self.0 {
            for limit in &ceiling.0 {
                let Some(scope) = scope.under(limit) else {
                    continue;
                };
                met += 1;
                left.insert(scope);
                if left.len() > MAX_SCOPES || met > MAX_MET {
                    return None;
                }
            }
        }
        Some(left)
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_versions_are_read() {
        for (text, permissions) in [
            ("system/Patient.read", Permissions::READ),
            ("system/Patient.rs", Permissions::READ),
            ("user/*.write", Permissions::WRITE),
            ("patient/*.*", Permissions::ALL),
            ("patient/Observation.cruds", Permissions::ALL),
        ] {
            assert!(
                matches!(Scope::parse(text), Scope::Resource { permissions: p, .. } if p == permissions),
                "{text}"
            );
        }
        for text in [
            "openid",
            "udap",
            "launch/patient",
            "system/Patient",
            "system/Patient.",
            "system/Patient.sr",
            "system/Patient.rr",
            "system/Patient.readwrite",
            "System/Patient.rs",
            "system/patient.rs",
            "system/Patient/1.rs",
            "system/Pat*.rs",
            "system/Patient.rs?",
            "/Patient.rs",
            "system/.rs",
        ] {
            assert_eq!(Scope::parse(text), Scope::Other(text.into()), "{text}");
        }
    }

    #[test]
    fn permits_is_exact_about_context_type_and_letter() {
        let set = ScopeSet::parse(
            "system/Patient.r system/Observation.rs?category=vital-signs user/*.cruds",
        );
        assert!(set.permits(Context::System, "Patient", Permission::Read));
        assert!(!set.permits(Context::System, "Patient", Permission::Search));
        assert!(
            !set.permits(Context::System, "Observation", Permission::Read),
            "narrowed by a query"
        );
        assert!(!set.permits(Context::System, "Condition", Permission::Read));
        assert!(!set.permits(Context::Patient, "Patient", Permission::Read));
        assert_eq!(
            set.matching(Context::System, "Observation", Permission::Search)
                .collect::<Vec<_>>(),
            [Some("category=vital-signs")]
        );
    }

    #[test]
    fn a_ceiling_cuts_down() {
        let under = |a: &str, b: &str| {
            let left = ScopeSet::parse(a).under(&ScopeSet::parse(b));
            left.unwrap().to_string()
        };
        assert_eq!(
            under("system/*.cruds", "system/Patient.rs system/Observation.rs"),
            "system/Patient.rs system/Observation.rs"
        );
        assert_eq!(
            under("system/Patient.read", "system/*.rs"),
            "system/Patient.read"
        );
        assert_eq!(
            under("system/Patient.cruds", "system/*.rs"),
            "system/Patient.rs"
        );
        assert_eq!(
            under("system/Patient.rs?x=1", "system/Patient.rs"),
            "system/Patient.rs?x=1"
        );
        assert_eq!(
            under("system/Patient.rs", "system/Patient.rs?x=1"),
            "system/Patient.rs?x=1"
        );
        assert_eq!(under("system/Patient.rs?x=1", "system/Patient.rs?x=2"), "");
        assert_eq!(under("user/Patient.rs", "system/*.cruds"), "");
        assert_eq!(under("udap openid", "udap"), "udap");
    }

    /// Each of the one set would meet each of the other in a scope of its own, or all in the same few.
    #[test]
    fn what_is_left_has_an_end() {
        let many = |scope: fn(usize) -> String, n| {
            let texts: Vec<_> = (0..n).map(scope).collect();
            ScopeSet::read(&texts.join(" ")).unwrap()
        };
        let narrowed = many(|n| format!("system/*.rs?a={n}"), 500);
        let types = many(|n| format!("system/Type{}.rs", letters(n)), 500);
        assert_eq!(narrowed.under(&types), None);
        assert_eq!(types.under(&narrowed), None);
        let same = many(|n| format!("system/Patient.cruds?a={n}"), 500);
        assert_eq!(
            same.under(&many(|n| format!("system/Patient.rs?b={n}"), 500)),
            Some(ScopeSet::default())
        );
        assert_eq!(types.under(&types).map(|left| left.len()), Some(500));
        let wildcards = ScopeSet::parse("system/*.rs system/*.read");
        assert_eq!(types.under(&wildcards).as_ref(), Some(&types));
    }

    fn letters(n: usize) -> String {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        [letter(n / 26), letter(n)].iter().collect()
    }

    proptest! {
        #[test]
        fn parsing_and_printing_is_the_identity(text in "[a-zA-Z/*.?= ]{0,60}") {
            let set = ScopeSet::parse(&text);
            prop_assert_eq!(ScopeSet::parse(&set.to_string()), set);
        }

        #[test]
        fn nothing_is_left_that_the_ceiling_does_not_cover(a in arb_set(), b in arb_set()) {
            for scope in &a.under(&b).unwrap() {
                prop_assert!(b.covers(scope), "{} under {}", scope, b);
                prop_assert!(a.covers(scope), "{} of {}", scope, a);
            }
        }
    }

    fn arb_set() -> impl Strategy<Value = ScopeSet> {
        proptest::collection::vec(
            "(system|user)/(Patient|Observation|\\*)\\.(read|write|c?r?u?ds|\\*|r)(\\?a=[12])?",
            0..5,
        )
        .prop_map(|words| ScopeSet::parse(&words.join(" ")))
    }
}
