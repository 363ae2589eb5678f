use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{Db, DbError, Migrate};

/// One step of a role's schema. Never edited once released; the list only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// 1, 2, 3 … without gaps.
    pub version: i64,
    /// What it does; recorded, so that a database of another role is recognised.
    pub name: &'static str,
    /// One or more statements, for both databases. The word BLOB stands for the type of bytes only:
    /// PostgreSQL is told BYTEA instead. What stands in `/*postgres … */` is for PostgreSQL alone, and
    /// a comment to SQLite.
    pub sql: &'static str,
}

/// How far a schema is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The step that was applied last; 0 is none.
    pub found: i64,
    /// The last one that this program has.
    pub known: i64,
    /// The names of those that are missing.
    pub missing: Vec<&'static str>,
}

pub(super) async fn migrate(
    db: &Db,
    migrations: &[Migration],
    migrate: Migrate,
) -> Result<(), DbError> {
    let schema = schema(db, migrations).await?;
    if schema.missing.is_empty() {
        return Ok(());
    }
    if migrate == Migrate::Check {
        let (found, known) = (schema.found, schema.known);
        return Err(DbError::SchemaBehind { found, known });
    }

    let mut write = db.write().await?;
    if db.is_shared() {
        // A step on a large table takes its time.
        sqlx::raw_sql(NO_HURRY).execute(&mut *write).await?;
    }
    sqlx::raw_sql(CREATE).execute(&mut *write).await?;
    // Another process may just have applied some.
    let done = applied(&mut *write, migrations).await?;
    for migration in migrations.get(done..).unwrap_or_default() {
        let failed = |error| match DbError::from(error) {
            DbError::Other { detail } => DbError::Migration {
                version: migration.version,
                name: migration.name,
                detail,
            },
            error => error,
        };
        let sql = match db.is_shared() {
            true => for_postgres(migration.sql),
            false => migration.sql.to_owned(),
        };
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *write)
            .await
            .map_err(failed)?;
        sqlx::query(RECORD)
            .bind(migration.version)
            .bind(migration.name)
            .bind(crate::clock::now().0)
            .execute(&mut *write)
            .await?;
    }
    write.commit().await?;
    Ok(())
}

pub(super) async fn schema(db: &Db, migrations: &[Migration]) -> Result<Schema, DbError> {
    if let Some((index, wrong)) = (1_i64..)
        .zip(migrations)
        .find(|(index, migration)| migration.version != *index)
    {
        let detail = format!(
            "migration {} stands at place {index} of its list",
            wrong.version
        );
        return Err(DbError::Other { detail });
    }
    let table = match db.is_shared() {
        true => TABLE_OF_POSTGRES,
        false => TABLE_OF_SQLITE,
    };
    let done = match sqlx::query(table).fetch_optional(db.reader()).await? {
        Some(_) => applied(db.reader(), migrations).await?,
        None => 0,
    };
    Ok(Schema {
        found: to_i64(done),
        known: to_i64(migrations.len()),
        missing: migrations.iter().skip(done).map(|m| m.name).collect(),
    })
}

/// How many are recorded; these must be the beginning of our list.
async fn applied<'e>(
    executor: impl Executor<'e, Database = Any>,
    migrations: &[Migration],
) -> Result<usize, DbError> {
    let rows = sqlx::query("SELECT version, name FROM schema_migrations ORDER BY version")
        .fetch_all(executor)
        .await?;
    let known = to_i64(migrations.len());
    if let Some(newest) = rows.last() {
        let found: i64 = newest.try_get("version")?;
        if found > known {
            return Err(DbError::SchemaNewer { found, known });
        }
    }
    for (row, migration) in rows.iter().zip(migrations) {
        let found: String = row.try_get("name")?;
        if found != migration.name {
            let (version, expected) = (migration.version, migration.name);
            return Err(DbError::SchemaForeign {
                version,
                found,
                expected,
            });
        }
    }
    Ok(rows.len())
}

fn for_postgres(sql: &str) -> String {
    let mut text = sql.replace("BLOB", "BYTEA");
    while let Some((before, after)) = text.split_once(ONLY_POSTGRES) {
        text = format!("{before}{}", after.replacen("*/", "", 1));
    }
    text
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

const ONLY_POSTGRES: &str = "/*postgres";
const NO_HURRY: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";

const TABLE_OF_SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";
/// Where `search_path` finds it, as the statements do.
const TABLE_OF_POSTGRES: &str = "SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL";

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)";

const RECORD: &str =
    "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)";
