//! A table of the file with its known keys, and a value of it with its place.

use std::{
    cell::RefCell,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Serialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use udap_proto::suggest::suggest;

use super::{At, ConfigError, Origin, Problem, Row};

/// The file being read, and the rows that came of it so far.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) rows: RefCell<Vec<Row>>,
}

impl Source<'_> {
    pub(super) fn at(&self, span: &Range<usize>) -> At {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        At {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn row(&self, key: String, value: &impl Serialize, origin: Origin) {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.rows.borrow_mut().push(Row { key, value, origin });
    }
}

/// One table. Made only from known keys, so a typing error is found before a missing key is.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    /// `community[0].`, or empty at the top.
    prefix: String,
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        prefix: &str,
        table: &'a DeTable<'a>,
        span: Range<usize>,
        known: &'static [&'static str],
    ) -> Result<Self, ConfigError> {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let problem = Problem::UnknownKey {
                    key: format!("{prefix}{}", key.get_ref()),
                    suggestion: suggest(key.get_ref(), known).map(str::to_owned),
                    known,
                };
                return Err(ConfigError {
                    at: Some(source.at(&key.span())),
                    problem,
                });
            }
        }
        Ok(Self {
            source,
            prefix: prefix.to_owned(),
            table: Some(table),
            span,
        })
    }

    /// A section that the file does not have: all defaults.
    pub(super) fn absent(source: &'a Source<'a>, prefix: &str) -> Self {
        Self {
            source,
            prefix: prefix.to_owned(),
            table: None,
            span: 0..0,
        }
    }

    /// A setting as it stands in the file.
    pub(super) fn find(&self, key: &str) -> Option<Field<'a>> {
        let value = self.table?.get(key)?;
        Some(Field {
            source: self.source,
            key: self.name(key),
            value,
        })
    }

    /// A setting with a default.
    pub(super) fn get<T: Serialize>(
        &self,
        key: &str,
        default: T,
        read: impl FnOnce(&Field<'a>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        match self.find(key) {
            Some(field) => field.show(read(&field)?),
            None => {
                self.source.row(self.name(key), &default, Origin::Default);
                Ok(default)
            }
        }
    }

    /// A setting without which nothing works.
    pub(super) fn need<T: Serialize>(
        &self,
        key: &str,
        example: &'static str,
        read: impl FnOnce(&Field<'a>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let field = self.find(key).ok_or_else(|| self.missing(key, example))?;
        field.show(read(&field)?)
    }

    /// A setting that the file does not have, whose value is from elsewhere.
    pub(super) fn inherit<T: Serialize>(&self, key: &str, value: T, origin: &Origin) -> T {
        self.source.row(self.name(key), &value, origin.clone());
        value
    }

    /// About the table as a whole.
    pub(super) fn error(&self, problem: Problem) -> ConfigError {
        ConfigError {
            at: Some(self.source.at(&self.span)),
            problem,
        }
    }

    pub(super) fn missing(&self, key: &str, example: &'static str) -> ConfigError {
        let problem = Problem::Missing {
            key: self.name(key),
            example,
        };
        ConfigError {
            at: Some(self.source.at(&self.span)),
            problem,
        }
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// One value with its full name and its place.
pub(super) struct Field<'a> {
    source: &'a Source<'a>,
    key: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Field<'a> {
    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        self.value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong_type("a string"))
    }

    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    pub(super) fn integer(&self, min: i64, max: i64) -> Result<i64, ConfigError> {
        let integer = self.value.get_ref().as_integer();
        let integer = integer.ok_or_else(|| self.wrong_type("a whole number"))?;
        let value = i64::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| self.invalid(integer.as_str(), "the number is too large"))?;
        self.in_range(value, min, max)
    }

    pub(super) fn in_range(&self, value: i64, min: i64, max: i64) -> Result<i64, ConfigError> {
        if (min..=max).contains(&value) {
            return Ok(value);
        }
        Err(self.error(Problem::OutOfRange {
            key: self.key.clone(),
            value,
            min,
            max,
        }))
    }

    /// The elements of a list, each a field of its own (`scopes_supported[1]`).
    pub(super) fn list(&self, expected: &'static str) -> Result<Vec<Field<'a>>, ConfigError> {
        let array = self
            .value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.wrong_type(expected))?;
        let element = |(index, value)| Field {
            source: self.source,
            key: format!("{}[{index}]", self.key),
            value,
        };
        Ok(array.iter().enumerate().map(element).collect())
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    pub(super) fn table(
        &self,
        expected: &'static str,
        known: &'static [&'static str],
    ) -> Result<Section<'a>, ConfigError> {
        let table = self
            .value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong_type(expected))?;
        let prefix = format!("{}.", self.key);
        Section::new(self.source, &prefix, table, self.value.span(), known)
    }

    /// The value as JSON; a date, which JSON does not have, as its text.
    pub(super) fn json(&self) -> serde_json::Value {
        fn json(value: &DeValue<'_>) -> serde_json::Value {
            match value {
                DeValue::String(text) => text.as_ref().into(),
                DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                    .map_or_else(|_| number.as_str().into(), Into::into),
                DeValue::Float(number) => number.as_str().into(),
                DeValue::Boolean(value) => (*value).into(),
                DeValue::Datetime(date) => date.to_string().into(),
                DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
                DeValue::Table(table) => table
                    .iter()
                    .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
            }
        }
        json(self.value.get_ref())
    }

    /// A path, relative to the configuration file.
    pub(super) fn path(&self) -> Result<PathBuf, ConfigError> {
        let text = self.text()?;
        if text.is_empty() {
            return Err(self.invalid(text, "a path is needed"));
        }
        // Else the error of a file that is not there would repeat it, password and all.
        if text.contains("://") {
            return Err(self.invalid(text, "it must be the path of a file, not a URL"));
        }
        let directory = self.source.path.parent().unwrap_or(Path::new(""));
        Ok(directory.join(text))
    }

    /// Records the effective value.
    pub(super) fn show<T: Serialize>(&self, value: T) -> Result<T, ConfigError> {
        let line = self.source.at(&self.value.span()).line;
        let origin = Origin::File {
            path: self.source.path.to_owned(),
            line,
        };
        self.source.row(self.key.clone(), &value, origin);
        Ok(value)
    }

    /// Repeats the value, unless a password may be in it.
    pub(super) fn invalid(&self, value: &str, reason: impl Into<String>) -> ConfigError {
        let value = match value.rsplit_once('@') {
            Some((before, _)) if before.contains([':', '/']) => CREDENTIALS,
            _ => value,
        };
        let (key, value, reason) = (self.key.clone(), value.to_owned(), reason.into());
        self.error(Problem::Invalid { key, value, reason })
    }

    pub(super) fn wrong_type(&self, expected: &'static str) -> ConfigError {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(Problem::WrongType {
            key: self.key.clone(),
            expected,
            found,
        })
    }

    pub(super) fn error(&self, problem: Problem) -> ConfigError {
        ConfigError {
            at: Some(self.source.at(&self.value.span())),
            problem,
        }
    }
}

/// In place of a text with user and password, and of one that was meant to be a URL with them: then what is which
/// cannot be told.
pub(super) const CREDENTIALS: &str = "(user and password)@…";
