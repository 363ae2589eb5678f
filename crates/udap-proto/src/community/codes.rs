//! Lists of codes with the dates between which each is in force: data, dated, and never code.

use super::CommunityError;
use super::table::{Table, is_uri};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use udap_pki::{Civil, UnixTime};

/// Codes of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeList {
    /// Its name in a description.
    pub name: String,
    /// The system's URI, `urn:oid:2.16.840.1.113883.5.8`.
    pub system: String,
    codes: BTreeMap<String, Period>,
}

/// When a code is in force: from the beginning of one day (UTC) until the beginning of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Period {
    from: Option<UnixTime>,
    until: Option<UnixTime>,
}

/// Whether a code counts at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    InForce,
    /// It will.
    NotYet(UnixTime),
    /// It did.
    Over(UnixTime),
    /// The list does not have it.
    Unknown,
}

impl CodeList {
    pub(super) fn read(name: &str, map: &Map<String, Value>) -> Result<Self, CommunityError> {
        let table = Table::new(
            &format!("codes.{name}."),
            map,
            &["title", "system", "codes"],
        )?;
        table.text("title")?;
        let system = table
            .text("system")?
            .ok_or_else(|| table.missing("system"))?;
        if !is_uri(system) || system.contains('#') {
            return Err(table.wrong("system", "a URI without `#`"));
        }
        let items = table.list("codes")?.ok_or_else(|| table.missing("codes"))?;
        let mut codes = BTreeMap::new();
        for (at, item) in items.iter().enumerate() {
            let (code, period) = one(&table.name(&format!("codes[{at}]")), item)?;
            if code.is_empty() || code.contains(|c: char| c.is_whitespace() || c == '#') {
                return Err(table.wrong(&format!("codes[{at}]"), "a code without blanks and `#`"));
            }
            if codes.insert(code.to_owned(), period).is_some() {
                return Err(table.wrong(&format!("codes[{at}]"), "there only once"));
            }
        }
        if codes.is_empty() {
            return Err(table.wrong("codes", "a list of one code at least"));
        }
        Ok(Self {
            name: name.to_owned(),
            system: system.to_owned(),
            codes,
        })
    }

    /// Whether a code counts at that time.
    #[must_use]
    pub fn standing(&self, code: &str, now: UnixTime) -> Standing {
        match self.codes.get(code) {
            None => Standing::Unknown,
            Some(Period {
                from: Some(from), ..
            }) if now < *from => Standing::NotYet(*from),
            Some(Period {
                until: Some(until), ..
            }) if now >= *until => Standing::Over(*until),
            Some(_) => Standing::InForce,
        }
    }

    /// The codes, in the order of their letters.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.codes.keys().map(String::as_str)
    }

    /// The codes in force at that time.
    pub fn in_force(&self, now: UnixTime) -> impl Iterator<Item = &str> {
        self.codes()
            .filter(move |code| self.standing(code, now) == Standing::InForce)
    }

    /// When codes begin and end.
    pub fn dates(&self) -> impl Iterator<Item = UnixTime> {
        let periods = self.codes.values();
        periods.flat_map(|period| [period.from, period.until].into_iter().flatten())
    }

    /// A code as a request writes it, `system#code`.
    #[must_use]
    pub fn written(&self, code: &str) -> String {
        format!("{}#{code}", self.system)
    }
}

/// `"TREAT"` or `{ code = "T-HCO-QM", from = "2024-01-01", until = "2026-08-03" }`
fn one<'a>(key: &str, item: &'a Value) -> Result<(&'a str, Period), CommunityError> {
    let wrong = |key: String, expected: &str| CommunityError::Wrong {
        key,
        expected: expected.to_owned(),
    };
    let map = match item {
        Value::String(code) => return Ok((code, Period::default())),
        Value::Object(map) => map,
        _ => return Err(wrong(key.to_owned(), "a code, or a table with `code`")),
    };
    let table = Table::new(&format!("{key}."), map, &["code", "title", "from", "until"])?;
    table.text("title")?;
    let code = table.text("code")?.ok_or_else(|| table.missing("code"))?;
    let date = |name: &str| match table.text(name)? {
        None => Ok(None),
        Some(text) => day(text).map(Some).ok_or_else(|| {
            wrong(
                table.name(name),
                "a day in quotes, such as \"2026-08-03\", which begins in UTC",
            )
        }),
    };
    let period = Period {
        from: date("from")?,
        until: date("until")?,
    };
    if let (Some(from), Some(until)) = (period.from, period.until)
        && from >= until
    {
        return Err(wrong(table.name("until"), "a day after `from`"));
    }
    Ok((code, period))
}

/// The beginning of a day, `2026-08-03`.
fn day(text: &str) -> Option<UnixTime> {
    let mut parts = text.split('-');
    let mut part = |digits: usize| {
        let part = parts.next()?;
        let all = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        all.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    UnixTime::from_civil(Civil {
        year: year.into(),
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        hour: 0,
        minute: 0,
        second: 0,
    })
}
