use sqlx::Row;

use super::{Db, DbError};

/// One step of a role's schema. Never edited once released; the list only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// 1, 2, 3 … without gaps.
    pub version: i64,
    /// What it does; recorded, so that a database of another role is recognised.
    pub name: &'static str,
    /// One or more statements.
    pub sql: &'static str,
}

pub(super) async fn migrate(db: &Db, migrations: &[Migration]) -> Result<(), DbError> {
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

    let mut write = db.write().await?;
    sqlx::raw_sql(CREATE).execute(&mut *write).await?;
    let rows = sqlx::query("SELECT version, name FROM schema_migrations ORDER BY version")
        .fetch_all(&mut *write)
        .await?;

    // What is recorded must be the beginning of our list.
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
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

    for migration in &migrations[rows.len().min(migrations.len())..] {
        let failed = |error| match DbError::from(error) {
            DbError::Other { detail } => DbError::Migration {
                version: migration.version,
                name: migration.name,
                detail,
            },
            error => error,
        };
        sqlx::raw_sql(migration.sql)
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

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)";

const RECORD: &str =
    "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)";
