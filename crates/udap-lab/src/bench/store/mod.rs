//! The databases of a data holder and of an authority, filled.

use udap_host::db::{
    Db, DbError,
    sqlx::{self, Row as _},
};

/// Adds so many registrations, each a copy of one that is there but for its names.
pub(super) async fn fill(db: &Db, count: u64, progress: impl Fn(u64)) -> Result<(), DbError> {
    let columns = columns(db).await?;
    let values = columns.iter().map(|column| match column.as_str() {
        "client_id" | "uri" => format!("{column} || '/' || n.i"),
        _ => column.clone(),
    });
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
         INSERT INTO registration ({})
         SELECT {} FROM n CROSS JOIN
            (SELECT * FROM registration WHERE uri NOT LIKE '%/%/%/%' ORDER BY client_id LIMIT 1)",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", ")
    );
    let mut done = 0;
    while done < count {
        let next = (done + STEP).min(count);
        let mut write = db.write().await?;
        sqlx::query(sqlx::AssertSqlSafe(fill.as_str()))
            .bind(i64::try_from(done).unwrap_or_default())
            .bind(i64::try_from(next).unwrap_or_default())
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        done = next;
        if done.is_multiple_of(PROGRESS) {
            progress(done);
        }
    }
    Ok(())
}

/// Adds a certificate of that serial number to an authority, and revoked ones until it has so many. They are
/// copies of one that is revoked, but for their serial numbers and without the certificates themselves.
pub(super) async fn revoke_others(db: &Db, serial: &str, revoked: u64) -> Result<(), DbError> {
    let mut write = db.write().await?;
    let add = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         INSERT INTO certificate (serial, issuer, profile, subject, names, not_before, not_after,
                                  issued_at, der, revoked_at, reason)
         SELECT '5a' || lower(hex(randomblob(17))), issuer, profile, subject, names, not_before, not_after,
                issued_at, x'', revoked_at, reason
         FROM n CROSS JOIN (SELECT * FROM certificate WHERE revoked_at IS NOT NULL LIMIT 1)";
    let count = "SELECT COUNT(*) FROM certificate WHERE revoked_at IS NOT NULL";
    let row = sqlx::query(count).fetch_one(&mut *write).await?;
    let there = u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default();
    if revoked > there {
        sqlx::query(add)
            .bind(i64::try_from(revoked - there).unwrap_or_default())
            .execute(&mut *write)
            .await?;
    }
    sqlx::query(
        "INSERT INTO certificate (serial, issuer, profile, subject, names, not_before, not_after,
                                  issued_at, der)
         SELECT $1, issuer, profile, subject, names, not_before, not_after, issued_at, x''
         FROM certificate WHERE revoked_at IS NOT NULL LIMIT 1",
    )
    .bind(serial)
    .execute(&mut *write)
    .await?;
    write.commit().await?;
    Ok(())
}

/// How large the database is, with what is in its log only.
pub(super) async fn bytes(db: &Db) -> Result<u64, DbError> {
    let row =
        sqlx::query("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            .fetch_one(db.reader())
            .await?;
    Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default())
}

async fn columns(db: &Db) -> Result<Vec<String>, DbError> {
    let rows = sqlx::query("SELECT name FROM pragma_table_info('registration')")
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(|row| Ok(row.try_get("name")?)).collect()
}

/// So few that the server, which writes to the same file, does not wait for long.
const STEP: u64 = 10_000;
const PROGRESS: u64 = 200_000;
