//! The table of the audit trail.

use std::{
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use serde::Serialize;
use sqlx::{Any, AssertSqlSafe, FromRow, Transaction, any::AnyRow, query::Query};

use super::writer::Entry;
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
    let records = sqlx::query_as("SELECT * FROM audit ORDER BY at DESC LIMIT $1");
    Ok(records
        .bind(i64::from(limit))
        .fetch_all(db.reader())
        .await?)
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
    pub uri: Option<String>,
    pub code: Option<String>,
    pub detail: Option<String>,
    /// What is particular to the event, a JSON object.
    pub data: Option<String>,
    /// SHA-256.
    pub jti: Option<Vec<u8>>,
    pub remote: Option<String>,
    pub request_id: Option<String>,
    pub duration_us: Option<i64>,
}

impl FromRow<'_, AnyRow> for Record {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        use sqlx::Row;
        Ok(Self {
            at: row.try_get("at")?,
            event: row.try_get("event")?,
            community: row.try_get("community")?,
            client_id: row.try_get("client_id")?,
            uri: row.try_get("uri")?,
            code: row.try_get("code")?,
            detail: row.try_get("detail")?,
            data: row.try_get("data")?,
            jti: row.try_get("jti")?,
            remote: row.try_get("remote")?,
            request_id: row.try_get("request_id")?,
            duration_us: row.try_get("duration_us")?,
        })
    }
}

pub(super) async fn insert(db: &Db, entries: &[Entry]) -> Result<(), DbError> {
    let mut write = db.write().await?;
    // Statements of a few fixed sizes, so that each is prepared once.
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
    query: Query<'q, Any, sqlx::any::AnyArguments>,
    Entry { at, who, event }: &'q Entry,
) -> Query<'q, Any, sqlx::any::AnyArguments> {
    let refusal = event.refusal();
    query
        .bind(*at)
        .bind(event.name())
        .bind(who.community.as_deref().map(short))
        .bind(who.client_id.as_deref().map(short))
        .bind(who.uri.as_deref().map(short))
        .bind(refusal.map(|refusal| refusal.code))
        .bind(refusal.map(|refusal| short(&refusal.detail)))
        .bind(event.data())
        .bind(who.jti.map(|hash| hash.to_vec()))
        .bind(who.remote.map(|address| address.to_string()))
        .bind(who.request_id.as_deref().map(short))
        .bind(
            who.duration
                .map(|d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        )
}

/// A refused peer chose some of the text: it must not choose how much.
fn short(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

/// `INSERT … VALUES ($1, …), ($13, …), …`
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

/// Rows of a large statement: 384 parameters, far below SQLite's and PostgreSQL's limits.
const MANY: usize = 32;

/// Bytes of a text column.
const MAX_TEXT: usize = 1024;

const COLUMNS: &str = "at, event, community, client_id, uri, code, detail, data, jti, remote, \
                       request_id, duration_us";

/// Times in microseconds since 1970. No key of its own: entries are only ever added, and two
/// processes may add at the same microsecond.
const SCHEMA: &str = "
CREATE TABLE audit (
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    community TEXT,
    client_id TEXT,
    uri TEXT,
    code TEXT,
    detail TEXT,
    data TEXT,
    jti BLOB,
    remote TEXT,
    request_id TEXT,
    duration_us BIGINT
);
CREATE INDEX audit_at ON audit (at);
";
