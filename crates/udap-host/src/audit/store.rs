//! The table of the audit trail.

use std::{
    net::IpAddr,
    pin::pin,
    sync::{Arc, LazyLock},
};

use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use sqlx::{
    Any, AssertSqlSafe, Row, Transaction,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use super::{event::Data, writer::Entry};
use crate::db::{Db, DbError, Migration};

/// Schema of the audit trail; a role puts it among its own migrations, or gives the trail a
/// database of its own.
pub const fn migration(version: i64) -> Migration {
    Migration {
        version,
        name: "audit trail",
        sql: SCHEMA,
    }
}

/// Which entries are wanted. Each member narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From that time on, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before that time.
    pub until: Option<i64>,
    /// Of that kind; see [`super::Event::name`].
    pub event: Option<String>,
    /// About that client.
    pub client_id: Option<String>,
    /// With that code.
    pub code: Option<String>,
    /// Of the request of that name; see [`crate::request_id`].
    pub request_id: Option<String>,
    /// Refusals and other trouble only: what has a code.
    pub refusals: bool,
}

/// Entries, and how far back they were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    pub records: Vec<Record>,
    /// Entries before that time were not looked at, and there are some: ask for them with
    /// [`Filter::until`].
    pub searched_to: Option<i64>,
}

/// The newest of the entries that are wanted, newest first, among the [`MOST_EXAMINED`] newest: what
/// nobody did is not looked for in the trail of years while others wait.
pub async fn recent(db: &Db, filter: &Filter, limit: u32) -> Result<Recent, DbError> {
    let searched_to = match filter.is_selective() {
        true => floor(db, filter).await?,
        false => None,
    };
    let sql = format!("{SELECT}{} ORDER BY at DESC LIMIT $7", filter.refusals());
    let within = Filter {
        since: filter.since.max(searched_to),
        ..filter.clone()
    };
    let rows = within
        .bind(sqlx::query(AssertSqlSafe(sql)))
        .bind(i64::from(limit))
        .fetch_all(db.reader())
        .await?;
    Ok(Recent {
        records: rows.iter().map(record).collect::<Result<_, _>>()?,
        searched_to: searched_to.filter(|_| rows.len() < limit as usize),
    })
}

/// When the last of the [`MOST_EXAMINED`] newest entries of a span was, if there are more; by an index.
async fn floor(db: &Db, filter: &Filter) -> Result<Option<i64>, DbError> {
    let sql = format!(
        "SELECT at FROM audit WHERE at >= $1 AND at < $2{} ORDER BY at DESC LIMIT 1 OFFSET {}",
        filter.refusals(),
        MOST_EXAMINED - 1
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(filter.since.unwrap_or(i64::MIN))
        .bind(filter.until.unwrap_or(i64::MAX))
        .fetch_optional(db.reader())
        .await?;
    Ok(row.map(|row| row.try_get("at")).transpose()?)
}

/// Entries that one question looks at: some 100 ms.
pub const MOST_EXAMINED: u32 = 50_000;

/// The entries that are wanted, oldest first, as they are read.
pub fn entries(db: &Db, filter: &Filter) -> impl Stream<Item = Result<Record, DbError>> {
    let sql = format!("{SELECT}{} ORDER BY at", filter.refusals());
    filter
        .bind(sqlx::query(AssertSqlSafe(sql)))
        .fetch(db.reader())
        .map(|row| record(&row?))
}

/// Deletes the entries from before a time, in microseconds since 1970, some at a time, so that a server beside
/// goes on writing. Says how many there were; where it fails, those that are gone are the oldest.
pub async fn prune(db: &Db, until: i64) -> Result<u64, DbError> {
    let mut pruned = 0;
    loop {
        let mut write = db.write().await?;
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(at) FROM (SELECT at FROM audit WHERE at < $1 ORDER BY at LIMIT $2) AS oldest",
        )
        .bind(until)
        .bind(PRUNED_AT_ONCE)
        .fetch_one(&mut *write)
        .await?;
        let Some(last) = last else {
            return Ok(pruned);
        };
        let deleted = sqlx::query("DELETE FROM audit WHERE at <= $1")
            .bind(last)
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        pruned += deleted.rows_affected();
    }
}

/// How often something was refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeCount {
    pub code: String,
    pub count: i64,
    /// When last, in microseconds since 1970.
    pub last: i64,
}

/// Which refusals there were since a time, in microseconds since 1970, the most frequent first; at most
/// the [`MOST_EXAMINED`] newest are counted.
pub async fn refusals_by_code(db: &Db, since: i64, most: u32) -> Result<Vec<CodeCount>, DbError> {
    let refusals = Filter {
        since: Some(since),
        refusals: true,
        ..Filter::default()
    };
    let since = floor(db, &refusals).await?.unwrap_or(since);
    let rows = sqlx::query(
        "SELECT code, COUNT(*) AS count, MAX(at) AS last FROM audit
         WHERE code IS NOT NULL AND event <> $2 AND at >= $1 GROUP BY code",
    )
    .bind(since)
    .bind(COUNTED)
    .fetch_all(db.reader())
    .await?;
    let mut counts: Vec<CodeCount> = rows
        .iter()
        .map(|row| {
            Ok(CodeCount {
                code: row.try_get("code")?,
                count: row.try_get("count")?,
                last: row.try_get("last")?,
            })
        })
        .collect::<Result<_, DbError>>()?;
    // And those that were too many to be written one by one.
    let counted = Filter {
        since: Some(since),
        event: Some(COUNTED.to_owned()),
        ..Filter::default()
    };
    let mut counted = pin!(entries(db, &counted));
    while let Some(record) = counted.next().await {
        let record = record?;
        let (Some(code), Some(data)) = (record.code, &record.more.data) else {
            continue;
        };
        let count = data["count"].as_i64().unwrap_or(1);
        match counts.iter_mut().find(|known| known.code == code) {
            Some(known) => {
                known.count += count;
                known.last = known.last.max(record.at);
            }
            None => counts.push(CodeCount {
                code,
                count,
                last: record.at,
            }),
        }
    }
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.code.cmp(&b.code)));
    counts.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(counts)
}

impl Filter {
    /// Whether it leaves out entries that no index leaves out.
    const fn is_selective(&self) -> bool {
        self.event.is_some()
            || self.client_id.is_some()
            || self.code.is_some()
            || self.request_id.is_some()
    }

    /// In these words, so that the index over refusals serves.
    fn refusals(&self) -> &'static str {
        if self.refusals {
            " AND code IS NOT NULL"
        } else {
            ""
        }
    }

    /// The parameters of [`SELECT`].
    fn bind<'q>(&self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        // As it stands in `more`, which no stranger's text can imitate: its quotes are escaped there.
        let named =
            |id: &String| format!("\"request_id\":{}", serde_json::Value::from(id.as_str()));
        query
            .bind(self.since.unwrap_or(i64::MIN))
            .bind(self.until.unwrap_or(i64::MAX))
            .bind(text(&self.event))
            .bind(text(&self.client_id))
            .bind(text(&self.code))
            .bind(self.request_id.as_ref().map(named).unwrap_or_default())
    }
}

/// An empty text is any.
const SELECT: &str = "
SELECT * FROM audit
WHERE at >= $1 AND at < $2
AND ($3 = '' OR event = $3) AND ($4 = '' OR client_id = $4) AND ($5 = '' OR code = $5)
AND ($6 = '' OR REPLACE(more, $6, '') <> more)";

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Microseconds since 1970, UTC.
    pub at: i64,
    /// See [`super::Event::name`].
    pub event: String,
    pub community: Option<String>,
    pub client_id: Option<String>,
    /// Why not.
    pub code: Option<String>,
    #[serde(flatten)]
    pub more: More,
}

/// What is stored of an entry beside the columns that are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct More {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is particular to the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// SHA-256 in hex; see [`super::jti_hash`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
}

fn record(row: &AnyRow) -> Result<Record, DbError> {
    let more: String = row.try_get("more")?;
    Ok(Record {
        at: row.try_get("at")?,
        event: row.try_get("event")?,
        community: row.try_get("community")?,
        client_id: row.try_get("client_id")?,
        code: row.try_get("code")?,
        more: serde_json::from_str(&more).map_err(|error| DbError::Damaged {
            detail: format!("audit entry: {error}"),
        })?,
    })
}

pub(super) async fn insert(db: &Db, entries: &[Entry]) -> Result<(), DbError> {
    let mut write = db.append().await?;
    let [one, eight, sixty_four] = match db.is_shared() {
        true => &*INSERT_POSTGRES,
        false => &*INSERT,
    };
    // Statements of three fixed sizes, so that each is prepared once: each costs two switches between
    // threads, whether it has one row or many.
    let (many, rest) = entries.as_chunks::<MANY>();
    let (some, few) = rest.as_chunks::<SOME>();
    for chunk in many {
        insert_rows(&mut write, chunk, sixty_four).await?;
    }
    for chunk in some {
        insert_rows(&mut write, chunk, eight).await?;
    }
    for entry in few {
        insert_rows(&mut write, std::slice::from_ref(entry), one).await?;
    }
    write.commit().await?;
    Ok(())
}

async fn insert_rows(
    write: &mut Transaction<'static, Any>,
    entries: &[Entry],
    sql: &Arc<str>,
) -> Result<(), DbError> {
    let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
    for entry in entries {
        query = bind(query, entry);
    }
    query.execute(&mut **write).await?;
    Ok(())
}

fn bind<'q>(
    query: Query<'q, Any, AnyArguments>,
    Entry { at, who, event }: &Entry,
) -> Query<'q, Any, AnyArguments> {
    let refusal = event.refusal();
    let more = Borrowed {
        uri: who.uri.as_deref().map(short),
        detail: refusal.map(|refusal| short(&refusal.detail)),
        data: event.data(),
        jti: who.jti.as_ref().map(Hex),
        remote: who.remote,
        request_id: who.request_id.as_deref().map(short),
        duration_us: who
            .duration
            .map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
    };
    // These types serialize always; an entry without its details would still be an entry.
    let more = serde_json::to_string(&more).unwrap_or_else(|_| "{}".to_owned());
    query
        .bind(*at)
        .bind(event.name())
        .bind(who.community.as_deref().map(|text| short(text).to_owned()))
        // A stranger's text; PostgreSQL stores no U+0000, and one entry must not keep the others out.
        .bind(
            who.client_id
                .as_deref()
                .map(|text| short(text).replace('\0', "\u{fffd}")),
        )
        .bind(refusal.map(|refusal| refusal.code))
        .bind(more)
}

/// [`More`] without copies.
#[derive(Serialize)]
struct Borrowed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
}

struct Hex<'a>(&'a [u8; 32]);

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut text = [0; 64];
        for (place, digit) in text.iter_mut().zip(digits) {
            *place = DIGITS[usize::from(digit)];
        }
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A refused peer chose some of the text: it must not choose how much.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

/// `INSERT … VALUES (?, …), (?, …), …`, or `($1, …), ($7, …), …`. Without numbers where that is
/// understood, since SQLite looks for `$n` in a list of all.
fn insert_statement(rows: usize, numbered: bool) -> Arc<str> {
    let columns = COLUMNS.split(',').count();
    let place = |at: usize| match numbered {
        true => format!("${}", at + 1),
        false => "?".to_owned(),
    };
    let row = |row: usize| {
        let places: Vec<_> = (row * columns..(row + 1) * columns).map(place).collect();
        format!("({})", places.join(", "))
    };
    let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO audit ({COLUMNS}) VALUES {rows}").into()
}

static INSERT: LazyLock<[Arc<str>; 3]> =
    LazyLock::new(|| [1, SOME, MANY].map(|rows| insert_statement(rows, false)));
static INSERT_POSTGRES: LazyLock<[Arc<str>; 3]> =
    LazyLock::new(|| [1, SOME, MANY].map(|rows| insert_statement(rows, true)));

const SOME: usize = 8;
const MANY: usize = 64;

/// Entries of one transaction: it holds the write lock for some 10 ms.
const PRUNED_AT_ONCE: i64 = 5_000;

/// See [`super::Event::RefusalsCounted`].
const COUNTED: &str = "refusals-counted";

/// Bytes of a text.
const MAX_TEXT: usize = 1024;

const COLUMNS: &str = "at, event, community, client_id, code, more";

/// `at` in microseconds since 1970; `more` is JSON, since each column that is bound costs a
/// microsecond per entry, and nobody searches by the rest. No key: entries are only ever added,
/// and two processes may add at the same microsecond.
const SCHEMA: &str = "
CREATE TABLE audit (
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    community TEXT,
    client_id TEXT,
    code TEXT,
    more TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
";
