//! A certification programme as its publisher describes it, read from a data file.

use super::Kind;
use crate::error::Refusal;
use serde_json::{Map, Value};

/// What a certification of one programme says, who signs it, and for how long (HL7 SSRAA §7.4).
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// `certification_uris`
    pub uri: String,
    /// `certification_name`
    pub name: String,
    /// `certification_description`
    pub description: String,
    /// Who has to sign.
    pub signed_by: SignedBy,
    /// `is_endorsement`
    pub kind: Kind,
    /// The longest lifetime, in days.
    pub max_days: i64,
    /// The member of `extensions` that holds the answers.
    pub extension: String,
    /// What has to be answered, in the order of the names.
    pub questions: Vec<Question>,
}

/// Who signs a certification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// The app itself.
    App,
    /// Somebody else.
    Certifier,
}

/// One thing that a certification states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its member of the extension.
    pub name: String,
    /// What is asked.
    pub text: String,
    /// What an answer looks like.
    pub answer: Answer,
    /// Whether it may be left open.
    pub need: Need,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// true or false
    YesNo,
    /// A text that is not empty
    Text,
    /// A list of such texts
    Texts,
}

/// Whether a question may be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must be answered.
    Required,
    /// It may be left open.
    Optional,
}

/// Why a definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` of the definition must be {expected}")]
pub struct DefinitionError {
    /// Which key.
    pub key: String,
    /// What it should be.
    pub expected: &'static str,
}

impl Refusal for DefinitionError {
    fn code(&self) -> &'static str {
        "definition-malformed"
    }
}

const KEYS: [&str; 8] = [
    "uri",
    "name",
    "description",
    "signed_by",
    "kind",
    "max_days",
    "extension",
    "questions",
];
const QUESTION_KEYS: [&str; 3] = ["text", "answer", "required"];

impl Definition {
    /// Reads a definition; a key that is not known is refused.
    ///
    /// # Errors
    /// [`DefinitionError`]
    pub fn read(file: &Map<String, Value>) -> Result<Self, DefinitionError> {
        known("", file, &KEYS)?;
        let uri = text("", file, "uri")?;
        if url::Url::parse(&uri).is_err() || uri.contains(char::is_whitespace) {
            return Err(wrong("uri", "a URI"));
        }
        let signed_by = match text("", file, "signed_by")?.as_str() {
            "app" => SignedBy::App,
            "certifier" => SignedBy::Certifier,
            _ => return Err(wrong("signed_by", "`app` or `certifier`")),
        };
        let kind = match file.get("kind").map(|kind| kind.as_str()) {
            None | Some(Some("certification")) => Kind::Certification,
            Some(Some("endorsement")) => Kind::Endorsement,
            Some(_) => return Err(wrong("kind", "`certification` or `endorsement`")),
        };
        let max_days = file.get("max_days").and_then(Value::as_i64);
        let max_days =
            max_days.filter(|days| (1..=super::MAX_LIFETIME_SECS / 86_400).contains(days));
        let asked = match file.get("questions") {
            None => &Map::new(),
            Some(Value::Object(asked)) => asked,
            Some(_) => return Err(wrong("questions", "a table")),
        };
        Ok(Self {
            uri,
            name: text("", file, "name")?,
            description: text("", file, "description")?,
            signed_by,
            kind,
            max_days: max_days.ok_or_else(|| wrong("max_days", "from 1 to 1096"))?,
            extension: text("", file, "extension")?,
            questions: asked
                .iter()
                .map(|(name, asked)| Question::read(name, asked))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Question {
    fn read(name: &str, asked: &Value) -> Result<Self, DefinitionError> {
        let within = format!("questions.{name}.");
        let Value::Object(asked) = asked else {
            return Err(wrong(within.trim_end_matches('.'), "a table"));
        };
        known(&within, asked, &QUESTION_KEYS)?;
        let answer = match text(&within, asked, "answer")?.as_str() {
            "yes-no" => Answer::YesNo,
            "text" => Answer::Text,
            "texts" => Answer::Texts,
            _ => {
                let key = format!("{within}answer");
                return Err(wrong(&key, "`yes-no`, `text` or `texts`"));
            }
        };
        let need = match asked.get("required") {
            None | Some(Value::Bool(true)) => Need::Required,
            Some(Value::Bool(false)) => Need::Optional,
            Some(_) => return Err(wrong(&format!("{within}required"), "true or false")),
        };
        Ok(Self {
            name: name.to_owned(),
            text: text(&within, asked, "text")?,
            answer,
            need,
        })
    }
}

impl Answer {
    /// Whether a value is such an answer.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        match self {
            Self::YesNo => value.is_boolean(),
            Self::Text => text(value),
            Self::Texts => value
                .as_array()
                .is_some_and(|texts| !texts.is_empty() && texts.iter().all(text)),
        }
    }

    /// What it looks like, in words.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::YesNo => "true or false",
            Self::Text => "a text that is not empty",
            Self::Texts => "a list of texts that are not empty",
        }
    }
}

fn known(within: &str, table: &Map<String, Value>, keys: &[&str]) -> Result<(), DefinitionError> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(stray) => Err(wrong(
            &format!("{within}{stray}"),
            "left out: nobody reads it",
        )),
        None => Ok(()),
    }
}

fn text(within: &str, table: &Map<String, Value>, key: &str) -> Result<String, DefinitionError> {
    let text = table.get(key).and_then(Value::as_str);
    text.filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
        .ok_or_else(|| wrong(&format!("{within}{key}"), "a text that is not empty"))
}

fn wrong(key: &str, expected: &'static str) -> DefinitionError {
    DefinitionError {
        key: key.to_owned(),
        expected,
    }
}
