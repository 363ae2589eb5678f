//! An extension object by its description: its members, what each looks like, and which of them need
//! others. What is particular to one object beyond that stands in its own file.

use super::id_token::Rules;
use super::{ExtensionError, IdToken};
use crate::community::table::{Table, is_uri};
use crate::community::{CodeList, CommunityError, Standing};
use serde_json::{Map, Value};
use std::sync::Arc;
use udap_pki::UnixTime;
use url::Url;

/// The most members of one object.
const MAX_MEMBERS: usize = 64;
/// The most elements of a list, unless its description says fewer.
const MAX_LIST: usize = 64;

/// Finds a list of codes, by the key where it is named and its name.
pub(crate) type FindCodes<'a> = dyn Fn(&str, &str) -> Result<Arc<CodeList>, CommunityError> + 'a;

/// Whether a community takes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Every request has it.
    Required,
    /// A request may have it.
    Supported,
    /// A request that has it is refused.
    Refused,
    /// It counts as unknown, and is passed over.
    Off,
}

/// One extension object, as a community describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub(super) name: String,
    pub(super) usage: Use,
    /// Purposes, `system#code`, with which it is required.
    pub(super) required_for: Vec<String>,
    members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    name: String,
    form: Form,
    /// The most elements, where it is a list.
    list: Option<usize>,
    required: bool,
    /// Other members, all of which it needs.
    requires: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Any text, or one of these.
    Text(Vec<String>),
    Boolean,
    /// An absolute URI.
    Uri,
    /// An absolute https or http URL.
    Url,
    /// An absolute URI, or a reference within a directory.
    UriReference,
    /// `Type/id`, of this type where it is named (FHIR R4 §2.3.0.1).
    Reference(Option<String>),
    /// `system#code`
    Code(Codes),
    /// A FHIR resource, of this type where it is named.
    Resource(Option<String>),
    /// A JWT by a provider of credentials.
    IdToken(Arc<Rules>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Codes {
    /// The systems that codes may be of, where they are named.
    systems: Vec<String>,
    /// The codes of these systems.
    lists: Vec<Arc<CodeList>>,
    /// Whether codes of other systems than those of the lists count.
    other_systems: bool,
}

impl Object {
    pub(super) fn read(
        name: &str,
        map: &Map<String, Value>,
        codes: &FindCodes<'_>,
    ) -> Result<Self, CommunityError> {
        let prefix = format!("extensions.{name}.");
        let table = Table::new(&prefix, map, &["title", "use", "required_for", "members"])?;
        table.text("title")?;
        let usage = table.choice(
            "use",
            &[
                ("required", Use::Required),
                ("supported", Use::Supported),
                ("refused", Use::Refused),
                ("off", Use::Off),
            ],
        )?;
        let described = table
            .map("members")?
            .ok_or_else(|| table.missing("members"))?;
        if described.is_empty() || described.len() > MAX_MEMBERS {
            return Err(table.wrong("members", format!("1 to {MAX_MEMBERS} members")));
        }
        let mut members = Vec::new();
        for (member, described) in described {
            let Value::Object(described) = described else {
                return Err(table.wrong(&format!("members.{member}"), "a table"));
            };
            members.push(Member::read(
                &format!("{prefix}members.{member}."),
                member,
                described,
                codes,
            )?);
        }
        for member in &members {
            if let Some(stray) = member
                .requires
                .iter()
                .find(|other| !members.iter().any(|m| m.name == **other))
            {
                let key = format!("members.{}.requires", member.name);
                return Err(table.wrong(&key, format!("a list of other members, not `{stray}`")));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            usage: usage.unwrap_or(Use::Supported),
            required_for: table.uris("required_for")?,
            members,
        })
    }

    /// Whether it holds an ID token, and so needs to know whose count.
    pub(super) fn has_id_token(&self) -> bool {
        self.members
            .iter()
            .any(|m| matches!(m.form, Form::IdToken(_)))
    }

    /// When codes of its members begin or end.
    pub(super) fn dates(&self) -> impl Iterator<Item = UnixTime> {
        let lists = self.members.iter().flat_map(|member| match &member.form {
            Form::Code(codes) => codes.lists.as_slice(),
            _ => &[],
        });
        lists.flat_map(|list| list.dates())
    }

    /// Checks an object as it was sent; what of it an access token may carry, and the ID tokens in it.
    /// Members that are not described are passed over.
    pub(super) fn check(
        &self,
        sent: &Value,
        now: UnixTime,
        id_tokens: &mut Vec<IdToken>,
    ) -> Result<Map<String, Value>, ExtensionError> {
        let Value::Object(sent) = sent else {
            return Err(self.wrong("(the object itself)", "a JSON object"));
        };
        let mut carried = Map::new();
        for member in &self.members {
            let Some(value) = sent.get(&member.name) else {
                if member.required {
                    return Err(ExtensionError::MemberMissing {
                        name: self.name.clone(),
                        member: member.name.clone(),
                    });
                }
                continue;
            };
            match (member.list, value) {
                (None, value) => self.check_one(member, value, now)?,
                (Some(max), Value::Array(items)) if (1..=max).contains(&items.len()) => {
                    for item in items {
                        self.check_one(member, item, now)?;
                    }
                }
                (Some(max), _) => {
                    let what = member.form.expected();
                    let expected = match max {
                        1 => format!("an array of exactly one element, {what}"),
                        _ => format!("an array of 1 to {max} elements, each {what}"),
                    };
                    return Err(self.wrong(&member.name, expected));
                }
            }
            if let Some(absent) = member.requires.iter().find(|m| !sent.contains_key(*m)) {
                let expected = format!("absent, as it must be without `{absent}`");
                return Err(self.wrong(&member.name, expected));
            }
            match (&member.form, value) {
                (Form::IdToken(rules), Value::String(compact)) => id_tokens.push(IdToken {
                    object: self.name.clone(),
                    compact: compact.clone(),
                    rules: Arc::clone(rules),
                }),
                // Who somebody is does not travel with each request of an app.
                (Form::IdToken(_) | Form::Resource(_), _) => {}
                _ => {
                    carried.insert(member.name.clone(), value.clone());
                }
            }
        }
        Ok(carried)
    }

    fn check_one(
        &self,
        member: &Member,
        value: &Value,
        now: UnixTime,
    ) -> Result<(), ExtensionError> {
        if let (Form::Code(codes), Value::String(text)) = (&member.form, value) {
            return codes.check(text, now).map_err(|problem| match problem {
                CodeProblem::Form => self.wrong(&member.name, member.form.expected()),
                CodeProblem::Unknown => ExtensionError::Code {
                    name: self.name.clone(),
                    member: member.name.clone(),
                    code: text.chars().take(200).collect(),
                },
                CodeProblem::Dated(why, when) => ExtensionError::CodeNotInForce {
                    name: self.name.clone(),
                    member: member.name.clone(),
                    code: text.chars().take(200).collect(),
                    why,
                    when,
                },
            });
        }
        if member.form.fits(value) {
            return Ok(());
        }
        Err(self.wrong(&member.name, member.form.expected()))
    }

    pub(super) fn wrong(&self, member: &str, expected: impl Into<String>) -> ExtensionError {
        ExtensionError::Member {
            name: self.name.clone(),
            member: member.to_owned(),
            expected: expected.into(),
        }
    }
}

impl Member {
    fn read(
        prefix: &str,
        name: &str,
        map: &Map<String, Value>,
        codes: &FindCodes<'_>,
    ) -> Result<Self, CommunityError> {
        const TYPES: [(&str, &str); 9] = [
            ("text", "text"),
            ("boolean", "boolean"),
            ("uri", "uri"),
            ("url", "url"),
            ("uri-reference", "uri-reference"),
            ("reference", "reference"),
            ("code", "code"),
            ("resource", "resource"),
            ("id-token", "id-token"),
        ];
        let known = &[
            "title",
            "type",
            "list",
            "max",
            "required",
            "requires",
            "values",
            "systems",
            "codes",
            "other_systems",
            "resource",
            "algorithms",
            "audience",
            "claims",
            "max_auth_age_secs",
            "once",
        ];
        let table = Table::new(prefix, map, known)?;
        table.text("title")?;
        let kind = table
            .choice("type", &TYPES)?
            .ok_or_else(|| table.missing("type"))?;
        // A setting that would not be looked at is a mistake of whoever wrote it.
        for (key, kinds) in [
            ("values", &["text"][..]),
            ("systems", &["code"]),
            ("codes", &["code"]),
            ("other_systems", &["code"]),
            ("resource", &["reference", "resource"]),
            ("algorithms", &["id-token"]),
            ("audience", &["id-token"]),
            ("claims", &["id-token"]),
            ("max_auth_age_secs", &["id-token"]),
            ("once", &["id-token"]),
        ] {
            if table.value(key).is_some() && !kinds.contains(&kind) {
                return Err(table.wrong(key, format!("left out: `{kind}` has none")));
            }
        }
        let resource = || table.text("resource").map(|text| text.map(str::to_owned));
        let form = match kind {
            "text" => Form::Text(table.texts("values")?.unwrap_or_default()),
            "boolean" => Form::Boolean,
            "uri" => Form::Uri,
            "url" => Form::Url,
            "uri-reference" => Form::UriReference,
            "reference" => Form::Reference(resource()?),
            "code" => Form::Code(Codes {
                systems: table.uris("systems")?,
                lists: table
                    .texts("codes")?
                    .unwrap_or_default()
                    .iter()
                    .map(|list| codes(&table.name("codes"), list))
                    .collect::<Result<_, _>>()?,
                other_systems: table.boolean("other_systems")?,
            }),
            "resource" => Form::Resource(resource()?),
            _ => Form::IdToken(Arc::new(Rules::read(&table)?)),
        };
        let list = table.boolean("list")?;
        if list && matches!(form, Form::IdToken(_)) {
            return Err(table.wrong("list", "left out: one ID token says who somebody is"));
        }
        let most = i64::try_from(MAX_LIST).unwrap_or(i64::MAX);
        let max = table.integer("max", 1, most)?;
        if max.is_some() && !list {
            return Err(table.wrong("max", "left out: it is no list"));
        }
        let max = max.and_then(|max| usize::try_from(max).ok());
        Ok(Self {
            name: name.to_owned(),
            form,
            list: list.then_some(max.unwrap_or(MAX_LIST)),
            required: table.boolean("required")?,
            requires: table.texts("requires")?.unwrap_or_default(),
        })
    }
}

impl Form {
    fn fits(&self, value: &Value) -> bool {
        let text = value.as_str().unwrap_or_default();
        match self {
            Self::Text(values) => {
                !text.trim().is_empty() && (values.is_empty() || values.iter().any(|v| v == text))
            }
            Self::Boolean => value.is_boolean(),
            Self::Uri => is_uri(text),
            Self::Url => is_web_url(text),
            Self::UriReference => is_uri(text) || is_reference(text, None),
            Self::Reference(resource) => is_reference(text, resource.as_deref()),
            Self::Code(_) => false,
            Self::Resource(resource) => {
                let kind = value.get("resourceType").and_then(Value::as_str);
                kind.is_some_and(|kind| resource.as_ref().is_none_or(|wanted| wanted == kind))
            }
            Self::IdToken(_) => text.split('.').count() == 3,
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Text(values) => match values.as_slice() {
                [] => "a non-empty string".to_owned(),
                [only] => format!("the string \"{only}\""),
                several => format!("one of the strings {several:?}"),
            },
            Self::Boolean => "true or false".to_owned(),
            Self::Uri => "an absolute URI".to_owned(),
            Self::Url => "an absolute https or http URL".to_owned(),
            Self::UriReference => {
                "an absolute URI, or a reference such as `Organization/1`".to_owned()
            }
            Self::Reference(None) => "a relative reference such as `Organization/1`".to_owned(),
            Self::Reference(Some(kind)) => format!("a relative reference such as `{kind}/1`"),
            Self::Code(codes) => match codes.systems.as_slice() {
                [] => "a text `system#code`".to_owned(),
                systems => format!(
                    "a text `system#value` with the system {}",
                    systems.join(" or ")
                ),
            },
            Self::Resource(None) => "a FHIR resource".to_owned(),
            Self::Resource(Some(kind)) => format!("a FHIR {kind}"),
            Self::IdToken(_) => "a signed JWT in compact form".to_owned(),
        }
    }
}

enum CodeProblem {
    Form,
    Unknown,
    Dated(&'static str, UnixTime),
}

impl Codes {
    fn check(&self, text: &str, now: UnixTime) -> Result<(), CodeProblem> {
        let (system, code) = text.split_once('#').ok_or(CodeProblem::Form)?;
        let blank = |c: char| c.is_whitespace() || c.is_control() || c == '#';
        if code.is_empty() || code.contains(blank) {
            return Err(CodeProblem::Form);
        }
        let mut of_system = self
            .lists
            .iter()
            .filter(|list| list.system == system)
            .peekable();
        let listed = of_system.peek().is_some();
        // Systems that the community names were found to be URIs when it was read.
        let fits = match self.systems.as_slice() {
            [] => listed || is_uri(system),
            systems => systems.iter().any(|known| known == system),
        };
        if !fits {
            return Err(CodeProblem::Form);
        }
        if self.lists.is_empty() || (!listed && self.other_systems) {
            return Ok(());
        }
        let mut problem = CodeProblem::Unknown;
        for list in of_system {
            match list.standing(code, now) {
                Standing::InForce => return Ok(()),
                Standing::Over(when) => problem = CodeProblem::Dated("ended", when),
                Standing::NotYet(when) => problem = CodeProblem::Dated("begins", when),
                Standing::Unknown => {}
            }
        }
        Err(problem)
    }
}

fn is_web_url(text: &str) -> bool {
    is_uri(text) && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

/// `Type/id`: letters, and an id of up to 64 letters, digits, dots and dashes (FHIR R4 §2.24.0.1);
/// directories of networks have longer ones, made of dots and digits.
fn is_reference(text: &str, resource: Option<&str>) -> bool {
    let Some((kind, id)) = text.split_once('/') else {
        return false;
    };
    let letters = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphabetic());
    let id = (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    letters && id && resource.is_none_or(|wanted| wanted == kind)
}
