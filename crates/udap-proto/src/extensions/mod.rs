//! Authorization extension objects: what an app asserts about a request beyond who it is.
//!
//! They stand under their key names in the claim `extensions` of an authentication token
//! (UDAP JWT Client Authorization Grants §3.1; HL7 SSRAA §5.2.1). Which of them a community takes, and
//! what their members look like, is data; what is particular to one stands in a file of its own.

pub mod hl7_b2b;
pub mod hl7_b2b_user;
pub mod id_token;
mod object;
pub mod tefca_ias;

pub use object::{Object, Use};

use crate::community::{CommunityError, Definition, shipped_objects};
use crate::error::Refusal;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use udap_pki::UnixTime;

/// The most objects that a community describes.
const MAX_OBJECTS: usize = 32;

/// The objects that a community knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions(Vec<Object>);

/// What a request asserts, found good.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asserted {
    /// What the access token says of it: described members of described objects, and nobody's ID token
    /// or FHIR resource.
    pub carried: Arc<Map<String, Value>>,
    /// Its purposes.
    pub purposes: Arc<[String]>,
    /// ID tokens that are still to be verified.
    pub id_tokens: Vec<IdToken>,
}

/// An ID token within an object.
#[derive(Clone, PartialEq, Eq)]
pub struct IdToken {
    /// The object.
    pub object: String,
    /// The token.
    pub compact: String,
    /// What it must be like.
    pub rules: Arc<id_token::Rules>,
}

/// Without the token.
impl std::fmt::Debug for IdToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdToken")
            .field("object", &self.object)
            .finish_non_exhaustive()
    }
}

/// Why an extension object was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the sentence of each variant says what its fields are"
)]
pub enum ExtensionError {
    #[error("claim `extensions` is not a JSON object")]
    NotAnObject,
    #[error("extension object `{name}` is required and missing")]
    Missing { name: String },
    #[error("extension object `{name}` is required with the purpose `{purpose}` and missing")]
    MissingForPurpose { name: String, purpose: String },
    #[error("extension object `{name}` is not supported here, and cannot be passed over")]
    Unsupported { name: String },
    #[error("`{name}` lacks `{member}`")]
    MemberMissing { name: String, member: String },
    #[error("`{member}` of `{name}` is not {expected}")]
    Member {
        name: String,
        member: String,
        expected: String,
    },
    #[error("`{member}` of `{name}` has `{code}`, which is no code of this community")]
    Code {
        name: String,
        member: String,
        code: String,
    },
    #[error("`{member}` of `{name}` has `{code}`, which {why} at {when}")]
    CodeNotInForce {
        name: String,
        member: String,
        code: String,
        why: &'static str,
        when: UnixTime,
    },
}

impl Refusal for ExtensionError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject => "extensions-malformed",
            Self::Missing { .. } | Self::MissingForPurpose { .. } => "extension-missing",
            Self::Unsupported { .. } => "extension-unsupported",
            Self::MemberMissing { .. } => "extension-member-missing",
            Self::Member { .. } => "extension-member-malformed",
            Self::Code { .. } => "extension-code-unknown",
            Self::CodeNotInForce { .. } => "extension-code-not-in-force",
        }
    }
}

impl Extensions {
    /// Reads a community's objects. What comes with the program is described there, and a community
    /// writes only what it wants to be otherwise.
    pub(crate) fn read(
        map: &Map<String, Value>,
        codes: &object::FindCodes<'_>,
        with_providers: bool,
    ) -> Result<Self, CommunityError> {
        if map.len() > MAX_OBJECTS {
            return Err(CommunityError::Wrong {
                key: "extensions".to_owned(),
                expected: format!("a table of at most {MAX_OBJECTS} objects"),
            });
        }
        let mut objects = Vec::new();
        for (name, described) in map {
            let Value::Object(described) = described else {
                return Err(CommunityError::Wrong {
                    key: format!("extensions.{name}"),
                    expected: "a table".to_owned(),
                });
            };
            let own = Definition::from_map(described.clone());
            let whole = match shipped_objects().find(|(known, _)| known == name) {
                Some((_, text)) => own.over(Definition::from_toml(text)?),
                None => own,
            };
            let mut object = Object::read(name, whole.as_map(), codes)?;
            if object.usage == Use::Off {
                continue;
            }
            // Whose ID tokens count is not known: then the object proves nothing, and it does not help
            // to pass over it.
            if object.has_id_token() && !with_providers {
                if object.usage == Use::Required {
                    return Err(CommunityError::Missing {
                        key: "credential_providers".to_owned(),
                    });
                }
                object.usage = Use::Refused;
            }
            objects.push(object);
        }
        Ok(Self(objects))
    }

    /// `udap_authorization_extensions_supported`
    #[must_use]
    pub fn supported(&self) -> Vec<&str> {
        let taken = |object: &&Object| matches!(object.usage, Use::Required | Use::Supported);
        self.0.iter().filter(taken).map(|o| &*o.name).collect()
    }

    /// `udap_authorization_extensions_required`
    #[must_use]
    pub fn required(&self) -> Vec<&str> {
        let required = |object: &&Object| object.usage == Use::Required;
        self.0.iter().filter(required).map(|o| &*o.name).collect()
    }

    /// Checks what a request asserts: every object that is known here, and that each required one is
    /// there. Unknown names are passed over unread (UDAP JWT Client Authorization Grants §3.1), and do
    /// not get into any token.
    ///
    /// # Errors
    /// [`ExtensionError`]
    pub fn check(
        &self,
        sent: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<Asserted, ExtensionError> {
        let (mut carried, mut id_tokens) = (Map::new(), Vec::new());
        for object in &self.0 {
            match (sent.get(&object.name), object.usage) {
                (None, Use::Required) => {
                    return Err(ExtensionError::Missing {
                        name: object.name.clone(),
                    });
                }
                (None, _) | (_, Use::Off) => {}
                (Some(_), Use::Refused) => {
                    return Err(ExtensionError::Unsupported {
                        name: object.name.clone(),
                    });
                }
                (Some(value), Use::Required | Use::Supported) => {
                    let of_it = object.check(value, now, &mut id_tokens)?;
                    carried.insert(object.name.clone(), of_it.into());
                }
            }
        }
        // What is particular to one object.
        hl7_b2b_user::check(&carried)?;
        tefca_ias::check(sent, &carried)?;
        let purposes: Arc<[_]> = purposes_of_use(&carried)
            .into_iter()
            .map(str::to_owned)
            .collect();
        for object in &self.0 {
            if let Some(purpose) = object
                .required_for
                .iter()
                .find(|purpose| purposes.contains(purpose))
                && !carried.contains_key(&object.name)
            {
                return Err(ExtensionError::MissingForPurpose {
                    name: object.name.clone(),
                    purpose: purpose.clone(),
                });
            }
        }
        Ok(Asserted {
            carried: Arc::new(carried),
            purposes,
            id_tokens,
        })
    }

    /// The next time at which a code begins or ends, so that what [`Self::check`] finds may be otherwise
    /// then; `None` when none does any more.
    #[must_use]
    pub fn next_date(&self, now: UnixTime) -> Option<UnixTime> {
        let dates = self.0.iter().flat_map(Object::dates);
        dates.filter(|date| *date > now).min()
    }
}

/// Checks the objects that come with the program by what holds in every community: for an app that
/// is about to send them, and for whoever looks at a token.
///
/// # Errors
/// [`ExtensionError`]
pub fn check_everywhere(sent: &Map<String, Value>) -> Result<(), ExtensionError> {
    static KNOWN: LazyLock<Extensions> = LazyLock::new(|| {
        let all = shipped_objects().map(|(name, _)| (name.to_owned(), Map::new().into()));
        let no_list = |key: &str, _: &str| {
            Err(CommunityError::Missing {
                key: key.to_owned(),
            })
        };
        // They can be read: a test of this file reads them.
        Extensions::read(&all.collect(), &no_list, true).unwrap_or_default()
    });
    KNOWN.check(sent, UnixTime::default()).map(|_| ())
}

/// The purposes of use that objects name which were found good: those of `hl7-b2b` where it is there,
/// since it governs.
#[must_use]
pub fn purposes_of_use(extensions: &Map<String, Value>) -> Vec<&str> {
    let own = |name: &str| extensions.get(name)?.get("purpose_of_use");
    let others = || {
        extensions
            .values()
            .find_map(|object| object.get("purpose_of_use"))
    };
    let found = own(hl7_b2b::KEY)
        .or_else(|| own(hl7_b2b_user::KEY))
        .or_else(others);
    match found {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The claim `extensions` of a payload; empty when absent.
///
/// # Errors
/// [`ExtensionError::NotAnObject`]
pub fn read(payload: &Map<String, Value>) -> Result<Cow<'_, Map<String, Value>>, ExtensionError> {
    match payload.get("extensions") {
        None | Some(Value::Null) => Ok(Cow::default()),
        Some(Value::Object(map)) => Ok(Cow::Borrowed(map)),
        Some(_) => Err(ExtensionError::NotAnObject),
    }
}
