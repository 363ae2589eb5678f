//! From a request to the one FHIR interaction that it asks for (FHIR R4 §3.1.0).
//!
//! Refuse by default: what is not named here is refused. Each refused kind has its own code, since
//! "you may not" and "this gateway cannot decide it yet" call for different people to act.
//!
//! What is sent to the upstream is written from the [`Interaction`], never copied from the request,
//! so the upstream cannot read anything but what was decided.

use http::Method;

use crate::{path, path::PathError, query::Parameters, query::QueryError, resource_types};

/// What is asked for, in a form that cannot be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interaction {
    /// `GET metadata` (FHIR R4 §3.1.0.9): open to everybody.
    Capabilities { parameters: Parameters },
    /// `GET Type/id` (FHIR R4 §3.1.0.2).
    Read {
        resource_type: &'static str,
        id: String,
        parameters: Parameters,
    },
    /// `GET Type?…` (FHIR R4 §3.1.1).
    Search {
        resource_type: &'static str,
        parameters: Parameters,
    },
    /// `POST Type/_search` (FHIR R4 §3.1.1.4.2); complete only once [`Interaction::with_form`] has
    /// added the form.
    SearchByForm {
        resource_type: &'static str,
        parameters: Parameters,
    },
}

impl Interaction {
    /// Decides what a request asks for. `base` are the decoded segments of the gateway's base path.
    ///
    /// # Errors
    /// [`RequestError`]; the first rule that refuses.
    pub fn of(
        method: &Method,
        base: &[String],
        path: &str,
        query: Option<&str>,
    ) -> Result<Self, RequestError> {
        let segments = path::segments(path)?;
        let below = segments
            .get(..base.len())
            .filter(|start| start.iter().zip(base).all(|(a, b)| a == b))
            .and_then(|_| segments.get(base.len()..))
            .ok_or(RequestError::OutsideBase)?;
        let below: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
        // Discovery documents are the authorization server's; the upstream's own ones would point
        // at the upstream's own authorization server.
        if below.first() == Some(&".well-known") {
            return Err(RequestError::WellKnown);
        }
        let parameters = Parameters::parse(query.unwrap_or_default().as_bytes())?;
        // A server that honours this would see another method than the one that is decided here.
        if parameters
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("_method"))
        {
            return Err(RequestError::MethodOverride);
        }
        // RFC 6750 §2.3 lets a token travel in the query; then it lands in logs and histories.
        if parameters
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("access_token"))
        {
            return Err(RequestError::TokenInQuery);
        }
        match *method {
            Method::GET | Method::HEAD => Self::of_get(&below, parameters),
            Method::POST => Self::of_post(&below, parameters),
            Method::PUT | Method::PATCH | Method::DELETE => Err(Undecided::Write {
                method: method.as_str().to_owned(),
            }
            .into()),
            _ => Err(RequestError::Method {
                method: shorten(method.as_str()),
            }),
        }
    }

    fn of_get(below: &[&str], parameters: Parameters) -> Result<Self, RequestError> {
        match *below {
            ["metadata"] => {
                require_presentation(&parameters, Some("mode"))?;
                Ok(Self::Capabilities { parameters })
            }
            [name] if name.starts_with(char::is_alphanumeric) => {
                let resource_type = known_type(name)?;
                require_plain(&parameters)?;
                Ok(Self::Search {
                    resource_type,
                    parameters,
                })
            }
            [name, id] if !id.starts_with(['_', '$', '*']) => {
                let resource_type = known_type(name)?;
                require_id(id)?;
                require_presentation(&parameters, None)?;
                Ok(Self::Read {
                    resource_type,
                    id: id.to_owned(),
                    parameters,
                })
            }
            _ => Err(undecided_path(below, &parameters)),
        }
    }

    fn of_post(below: &[&str], parameters: Parameters) -> Result<Self, RequestError> {
        match *below {
            [] => Err(Undecided::Batch.into()),
            [name, "_search"] => {
                let resource_type = known_type(name)?;
                require_plain(&parameters)?;
                Ok(Self::SearchByForm {
                    resource_type,
                    parameters,
                })
            }
            [name] if name.starts_with(char::is_alphanumeric) => Err(Undecided::Write {
                method: "POST".to_owned(),
            }
            .into()),
            _ => Err(undecided_path(below, &parameters)),
        }
    }

    /// Adds the form of a `POST Type/_search`; other interactions stay as they are.
    ///
    /// # Errors
    /// [`RequestError`], by the same rules as for parameters in the query.
    pub fn with_form(mut self, form: &[u8]) -> Result<Self, RequestError> {
        if let Self::SearchByForm { parameters, .. } = &mut self {
            parameters.add_form(form)?;
            for (name, _) in parameters.iter() {
                if name.eq_ignore_ascii_case("_method") {
                    return Err(RequestError::MethodOverride);
                }
                if name.eq_ignore_ascii_case("access_token") {
                    return Err(RequestError::TokenInQuery);
                }
            }
            require_plain(parameters)?;
        }
        Ok(self)
    }

    /// The one way to write it: path and query behind a base path, and the form, if there is one.
    /// `value` may exchange a parameter's value on the way.
    pub fn write(
        &self,
        base_path: &str,
        value: impl Fn(&str) -> Option<String>,
    ) -> (String, Option<String>) {
        let mut target = String::with_capacity(base_path.len() + 128);
        target.push_str(base_path);
        target.push('/');
        let (parameters, in_form) = match self {
            Self::Capabilities { parameters } => {
                target.push_str("metadata");
                (parameters, false)
            }
            Self::Read {
                resource_type,
                id,
                parameters,
            } => {
                target.push_str(resource_type);
                target.push('/');
                target.push_str(id);
                (parameters, false)
            }
            Self::Search {
                resource_type,
                parameters,
            } => {
                target.push_str(resource_type);
                (parameters, false)
            }
            Self::SearchByForm {
                resource_type,
                parameters,
            } => {
                target.push_str(resource_type);
                target.push_str("/_search");
                (parameters, true)
            }
        };
        if in_form {
            let mut form = String::new();
            parameters.write(&mut form, value);
            return (target, Some(form));
        }
        if !parameters.is_empty() {
            target.push('?');
            parameters.write(&mut target, value);
        }
        (target, None)
    }

    /// For audit and logs: `read Patient`, never an id or a parameter.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Capabilities { .. } => "capabilities".to_owned(),
            Self::Read { resource_type, .. } => format!("read {resource_type}"),
            Self::Search { resource_type, .. } | Self::SearchByForm { resource_type, .. } => {
                format!("search {resource_type}")
            }
        }
    }

    /// Whether the answer may be of any media type: only a Binary is not FHIR JSON or XML
    /// (FHIR R4 §2.4.2).
    #[must_use]
    pub fn reads_binary(&self) -> bool {
        matches!(
            self,
            Self::Read {
                resource_type: "Binary",
                ..
            }
        )
    }
}

/// Why a request was refused before anybody's rights were looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("there is nothing at this address: it is outside the FHIR base URL")]
    OutsideBase,
    #[error("this discovery document does not exist here")]
    WellKnown,
    #[error("FHIR R4 has no resource type `{name}`")]
    UnknownType { name: String },
    #[error("a resource id has 1 to 64 letters, digits, `-` and `.`")]
    MalformedId,
    #[error("method {method} is not one of GET, HEAD, POST, PUT, PATCH and DELETE")]
    Method { method: String },
    #[error("parameter `_method` asks for another method than the request has")]
    MethodOverride,
    #[error("the access token is a parameter; it belongs in the Authorization header")]
    TokenInQuery,
    #[error("parameter `_format` asks for `{format}`; answers are FHIR JSON or XML")]
    Format { format: String },
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

impl RequestError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Path(e) => e.code(),
            Self::Query(e) => e.code(),
            Self::OutsideBase => "outside-base",
            Self::WellKnown => "well-known-unknown",
            Self::UnknownType { .. } => "resource-type-unknown",
            Self::MalformedId => "resource-id-malformed",
            Self::Method { .. } => "method-not-supported",
            Self::MethodOverride => "method-override",
            Self::TokenInQuery => "token-in-query",
            Self::Format { .. } => "format-not-supported",
            Self::Undecided(e) => e.code(),
        }
    }
}

/// What this gateway cannot decide yet, and therefore refuses whatever the token says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    #[error("{method} writes; writes are not decided yet")]
    Write { method: String },
    #[error("a batch or transaction holds many interactions; they are not decided yet")]
    Batch,
    #[error("history and versions are not decided yet")]
    History,
    #[error("operations (`$…`) are not decided yet")]
    Operation,
    #[error("a search in a compartment is not decided yet")]
    Compartment,
    #[error("a search over all types is not decided yet")]
    SystemSearch,
    #[error("a page link at the root names a search that only the FHIR server knows")]
    PageLink,
    #[error("`{name}` brings resources of other types into the answer")]
    Include { name: String },
    #[error("`{name}` brings resources of other types into the answer")]
    ReverseInclude { name: String },
    #[error("`_has` asks about resources of other types")]
    Has,
    #[error("`{name}` is chained: it asks about resources of other types")]
    Chained { name: String },
    #[error("`_filter` is a language of its own; it is not decided yet")]
    Filter,
    #[error("`_query` names a search that only the FHIR server knows")]
    NamedQuery,
    #[error("`_type` asks for several types at once")]
    TypeList,
    #[error("`{name}` asks about the members of another resource")]
    Membership { name: String },
    #[error("`{name}` brings containing resources, of other types, into the answer")]
    Contained { name: String },
    #[error("the modifier of `{name}` may ask about other resources; it is not decided yet")]
    Modifier { name: String },
    #[error("parameter `{name}` is not decided")]
    Parameter { name: String },
    #[error("no interaction of FHIR R4 has this path and method")]
    Path,
}

impl Undecided {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write-undecided",
            Self::Batch => "batch-undecided",
            Self::History => "history-undecided",
            Self::Operation => "operation-undecided",
            Self::Compartment => "compartment-undecided",
            Self::SystemSearch => "system-search-undecided",
            Self::PageLink => "page-link-undecided",
            Self::Include { .. } => "include-undecided",
            Self::ReverseInclude { .. } => "revinclude-undecided",
            Self::Has => "has-undecided",
            Self::Chained { .. } => "chain-undecided",
            Self::Filter => "filter-undecided",
            Self::NamedQuery => "named-query-undecided",
            Self::TypeList => "type-list-undecided",
            Self::Membership { .. } => "membership-undecided",
            Self::Contained { .. } => "contained-undecided",
            Self::Modifier { .. } => "modifier-undecided",
            Self::Parameter { .. } => "parameter-undecided",
            Self::Path => "path-undecided",
        }
    }
}

fn known_type(name: &str) -> Result<&'static str, RequestError> {
    resource_types::find(name).ok_or_else(|| RequestError::UnknownType {
        name: shorten(name),
    })
}

/// FHIR R4 §2.24.0.1, type `id`. Unreserved characters only, so it needs no encoding anywhere.
fn require_id(id: &str) -> Result<(), RequestError> {
    let fits = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if fits {
        Ok(())
    } else {
        Err(RequestError::MalformedId)
    }
}

/// Names the kind of a path that is not decided.
fn undecided_path(below: &[&str], parameters: &Parameters) -> RequestError {
    if below.iter().any(|segment| segment.starts_with('$')) {
        return Undecided::Operation.into();
    }
    if below.contains(&"_history") {
        return Undecided::History.into();
    }
    match below {
        [] | ["_search"] => root_search(parameters).into(),
        [name, _, rest @ ..] if !rest.is_empty() || !name.starts_with('_') => {
            match known_type(name) {
                Err(unknown) => unknown,
                // Type/id/Type, Type/id/*, Type/id/_search, Type/*, Type/Type
                Ok(_) if matches!(below, [_, _, _] | [_, _, _, "_search"]) => {
                    Undecided::Compartment.into()
                }
                Ok(_) => Undecided::Path.into(),
            }
        }
        _ => Undecided::Path.into(),
    }
}

fn root_search(parameters: &Parameters) -> Undecided {
    for (name, _) in parameters.iter() {
        match name {
            "_type" => return Undecided::TypeList,
            "_getpages" => return Undecided::PageLink,
            _ => {}
        }
    }
    Undecided::SystemSearch
}

/// Parameters that change how an answer looks and not what is in it (FHIR R4 §3.1.0.1.11).
fn require_presentation(parameters: &Parameters, also: Option<&str>) -> Result<(), RequestError> {
    for (name, value) in parameters.iter() {
        match name {
            "_format" => require_format(value)?,
            "_pretty" | "_summary" | "_elements" => {}
            _ if Some(name) == also => {}
            _ => {
                return Err(Undecided::Parameter {
                    name: shorten(name),
                }
                .into());
            }
        }
    }
    Ok(())
}

/// Plain parameters: each looks only at the resources of the searched type themselves.
fn require_plain(parameters: &Parameters) -> Result<(), RequestError> {
    for (name, value) in parameters.iter() {
        require_plain_parameter(name, value)?;
    }
    Ok(())
}

fn require_plain_parameter(name: &str, value: &str) -> Result<(), RequestError> {
    let shown = || shorten(name);
    let (bare, modifier) = match name.split_once(':') {
        Some((bare, modifier)) => (bare, Some(modifier)),
        None => (name, None),
    };
    match bare {
        "_include" => return Err(Undecided::Include { name: shown() }.into()),
        "_revinclude" => return Err(Undecided::ReverseInclude { name: shown() }.into()),
        "_has" => return Err(Undecided::Has.into()),
        "_filter" => return Err(Undecided::Filter.into()),
        "_query" => return Err(Undecided::NamedQuery.into()),
        "_type" => return Err(Undecided::TypeList.into()),
        "_list" | "_in" => return Err(Undecided::Membership { name: shown() }.into()),
        "_contained" | "_containedType" => {
            return Err(Undecided::Contained { name: shown() }.into());
        }
        "_getpages" => return Err(Undecided::PageLink.into()),
        _ => {}
    }
    // `subject.name`, `subject:Patient.name` (FHIR R4 §3.1.1.4.10); servers also sort by a chain,
    // and an order tells about the values that were compared.
    if name.contains('.') || (bare == "_sort" && value.contains(['.', ':'])) {
        return Err(Undecided::Chained { name: shown() }.into());
    }
    let plain_name = if bare.starts_with('_') {
        PLAIN_UNDERSCORE.contains(&bare)
    } else {
        bare.starts_with(|c: char| c.is_ascii_alphabetic())
            && bare
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !plain_name {
        return Err(Undecided::Parameter { name: shown() }.into());
    }
    // `subject:Patient=1` says of which type the reference is, and follows nothing.
    if let Some(modifier) = modifier
        && !PLAIN_MODIFIERS.contains(&modifier)
        && resource_types::find(modifier).is_none()
    {
        return Err(Undecided::Modifier { name: shown() }.into());
    }
    if bare == "_format" {
        require_format(value)?;
    }
    Ok(())
}

/// JSON and XML, whose text the gateway can rewrite. A server's HTML view would show its address.
fn require_format(value: &str) -> Result<(), RequestError> {
    let media_type = value.split(';').next().unwrap_or_default().trim();
    // Many clients leave the `+` of `fhir+json` unencoded, which makes it a blank.
    let known = [
        "json",
        "xml",
        "application/json",
        "application/xml",
        "text/json",
        "text/xml",
        "application/fhir+json",
        "application/fhir+xml",
        "application/fhir json",
        "application/fhir xml",
    ];
    if known.iter().any(|k| k.eq_ignore_ascii_case(media_type)) {
        Ok(())
    } else {
        Err(RequestError::Format {
            format: shorten(value),
        })
    }
}

/// Words of a request that are repeated in an answer are kept short.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Parameters beginning with `_` that look at the searched resources alone (FHIR R4 §3.1.1.4), or
/// shape and page the answer. The page parameters are those whose value is a position in the same
/// search; a token that names a search kept by the server (`_getpages`) is none.
const PLAIN_UNDERSCORE: &[&str] = &[
    "_id",
    "_lastUpdated",
    "_tag",
    "_profile",
    "_security",
    "_source",
    "_language",
    "_text",
    "_content",
    "_sort",
    "_count",
    "_total",
    "_summary",
    "_elements",
    "_format",
    "_pretty",
    "_score",
    "_page",
    "_offset",
    "_cursor",
];

/// Modifiers that look at the searched resources alone (FHIR R4 §3.1.1.4.1). Not `in` and `not-in`,
/// which read a value set, group or list; not `above` and `below`, which follow a hierarchy that for
/// references is made of other resources; not a server's own.
const PLAIN_MODIFIERS: &[&str] = &[
    "missing",
    "exact",
    "contains",
    "text",
    "not",
    "identifier",
    "of-type",
    "ofType",
    "code-text",
];

#[cfg(test)]
#[path = "interaction_tests.rs"]
mod tests;
