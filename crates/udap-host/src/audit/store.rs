//! The table of the audit trail.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
    sync::{Arc, LazyLock},
};

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

/// The newest entries, newest first.
pub async fn recent(db: &Db, limit: u32) -> Result<Vec<Record>, DbError> {
    let rows = sqlx::query("SELECT * FROM audit ORDER BY at DESC LIMIT $1")
        .bind(i64::from(limit))
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(record).collect()
}

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
    let mut write = db.write().await?;
    // Statements of two fixed sizes, so that each is prepared once.
    let (many, few) = entries.as_chunks::<MANY>();
    for chunk in many {
        insert_rows(&mut write, chunk, &INSERT_MANY).await?;
    }
    for entry in few {
        insert_rows(&mut write, std::slice::from_ref(entry), &INSERT_ONE).await?;
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
        .bind(who.client_id.as_deref().map(|text| short(text).to_owned()))
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

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.0.iter().try_for_each(|byte| {
            f.write_char(char::from(DIGITS[usize::from(byte >> 4)]))?;
            f.write_char(char::from(DIGITS[usize::from(byte & 15)]))
        })
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A refused peer chose some of the text: it must not choose how much.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

/// `INSERT … VALUES ($1, …), ($7, …), …`
fn insert_statement(rows: usize) -> Arc<str> {
    let mut sql = format!("INSERT INTO audit ({COLUMNS}) VALUES ");
    let columns = COLUMNS.split(',').count();
    for row in 0..rows {
        let comma = if row == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}(");
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}${}", row * columns + column + 1);
        }
        sql.push(')');
    }
    sql.into()
}

static INSERT_ONE: LazyLock<Arc<str>> = LazyLock::new(|| insert_statement(1));
static INSERT_MANY: LazyLock<Arc<str>> = LazyLock::new(|| insert_statement(MANY));

/// Rows of a large statement. More save calls, but SQLite looks each `$n` up in a list: beyond
/// some fifty parameters that costs more than it saves.
const MANY: usize = 8;

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
