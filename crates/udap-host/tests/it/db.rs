//! The database over real files.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use udap_host::db::{
    Db, DbError, Migration,
    sqlx::{self, Row},
};

const ONE: Migration = Migration {
    version: 1,
    name: "things",
    sql: "CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, body BLOB);
          CREATE INDEX thing_size ON thing (size);",
};
const TWO: Migration = Migration {
    version: 2,
    name: "colours",
    sql: "ALTER TABLE thing ADD COLUMN colour TEXT",
};

async fn insert(db: &Db, id: &str, size: i64) -> Result<(), DbError> {
    let mut write = db.write().await?;
    sqlx::query("INSERT INTO thing (id, size, body) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(size)
        .bind(vec![1_u8, 2, 3])
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(())
}

async fn count(db: &Db) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM thing")
        .fetch_one(db.reader())
        .await
        .unwrap()
}

async fn pragma(db: &Db, sql: &'static str) -> String {
    let row = sqlx::query(sql).fetch_one(db.reader()).await.unwrap();
    row.try_get::<String, _>(0)
        .or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()))
        .unwrap()
}

#[tokio::test]
async fn is_durable_private_and_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    // A directory name with everything that a URL would misread.
    let path = dir.path().join("state ü %41 #1 ?x").join("udap.db");
    let db = Db::open(&path, &[ONE]).await.unwrap();
    insert(&db, "a", 1).await.unwrap();
    assert_eq!(pragma(&db, "PRAGMA journal_mode").await, "wal");
    assert_eq!(pragma(&db, "PRAGMA synchronous").await, "2");
    assert_eq!(pragma(&db, "PRAGMA foreign_keys").await, "1");
    assert_eq!(pragma(&db, "PRAGMA busy_timeout").await, "5000");

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm"] {
        let file = path.with_file_name(format!("udap.db{suffix}"));
        assert_eq!(mode(&file), 0o600, "{suffix}");
    }
    db.close().await;
    assert_eq!(db.write().await.unwrap_err().code(), "database-closed");

    // Loosened by somebody: tightened again.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let db = Db::open(&path, &[ONE, TWO]).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(count(&db).await, 1);
    let row = sqlx::query("SELECT size, body, colour FROM thing")
        .fetch_one(db.reader())
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>("size"), 1);
    assert_eq!(row.get::<Vec<u8>, _>("body"), [1, 2, 3]);
    assert_eq!(row.get::<Option<String>, _>("colour"), None);
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM schema_migrations ORDER BY version")
            .fetch_all(db.reader())
            .await
            .unwrap();
    assert_eq!(names, ["things", "colours"]);
}

#[tokio::test]
async fn a_newer_or_foreign_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("udap.db");
    Db::open(&path, &[ONE, TWO]).await.unwrap().close().await;

    let error = Db::open(&path, &[ONE]).await.unwrap_err();
    assert_eq!(error, DbError::SchemaNewer { found: 2, known: 1 });
    assert_eq!(error.code(), "database-newer");

    let other = Migration {
        name: "certificates",
        ..ONE
    };
    let error = Db::open(&path, &[other, TWO]).await.unwrap_err();
    let (found, expected) = ("things".to_owned(), "certificates");
    assert_eq!(
        error,
        DbError::SchemaForeign {
            version: 1,
            found,
            expected
        }
    );
    assert_eq!(error.code(), "database-foreign");
}

#[tokio::test]
async fn a_failing_migration_leaves_the_schema_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("udap.db");
    let broken = Migration {
        version: 2,
        name: "broken",
        sql: "CREATE TABLE a (x TEXT); NONSENSE",
    };
    let error = Db::open(&path, &[ONE, broken]).await.unwrap_err();
    assert!(
        matches!(
            error,
            DbError::Migration {
                version: 2,
                name: "broken",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.code(), "database-migration-failed");
    let db = Db::open(&path, &[ONE, TWO]).await.unwrap();
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = 'a'")
        .fetch_one(db.reader())
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn a_write_that_is_dropped_is_rolled_back_and_frees_its_turn() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("udap.db"), &[ONE]).await.unwrap();
    let mut write = db.write().await.unwrap();
    sqlx::query("INSERT INTO thing (id, size) VALUES ('x', 1)")
        .execute(&mut *write)
        .await
        .unwrap();
    // Readers are not blocked and do not see it.
    assert_eq!(count(&db).await, 0);
    drop(write);
    insert(&db, "y", 2).await.unwrap();
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn writes_take_turns_across_runtimes_and_processes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("udap.db");
    let db = Db::open(&path, &[ONE]).await.unwrap();
    // A second handle stands for a second process: SQLite's own lock decides.
    let other = Db::open(&path, &[ONE]).await.unwrap();
    let threads: Vec<_> = [("a", db.clone()), ("b", db.clone()), ("c", other)]
        .into_iter()
        .map(|(name, db)| {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.unwrap().block_on(async {
                    for n in 0..20 {
                        insert(&db, &format!("{name}{n}"), n).await.unwrap();
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        tokio::task::spawn_blocking(|| thread.join())
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(count(&db).await, 60);
}

#[tokio::test]
async fn a_conflict_a_full_disk_and_a_write_through_a_reader_have_codes() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("udap.db"), &[ONE]).await.unwrap();
    insert(&db, "a", 1).await.unwrap();
    let error = insert(&db, "a", 1).await.unwrap_err();
    assert!(matches!(error, DbError::Conflict { .. }), "{error:?}");
    assert_eq!(error.code(), "database-conflict");

    let error = sqlx::query("DELETE FROM thing")
        .execute(db.reader())
        .await
        .unwrap_err();
    assert_eq!(DbError::from(error).code(), "database-read-only");

    let mut write = db.write().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1")
        .fetch_all(&mut *write)
        .await
        .unwrap();
    let error =
        sqlx::query("INSERT INTO thing (id, size, body) VALUES ('big', 1, zeroblob(100000))")
            .execute(&mut *write)
            .await
            .unwrap_err();
    let error = DbError::from(error);
    assert_eq!(error, DbError::DiskFull);
    assert_eq!(error.code(), "disk-full");
    assert_eq!(
        error.to_string(),
        "the disk that holds the database is full"
    );
    drop(write);
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_damaged_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("udap.db");
    let db = Db::open(&path, &[ONE]).await.unwrap();
    db.close().await;
    // The first page says what the file is; behind it, where the tables are, stands nonsense.
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 4096);
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = Db::open(&path, &[ONE]).await.unwrap_err();
    assert_eq!(error.code(), "database-damaged", "{error}");
}

#[tokio::test]
async fn what_is_not_a_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    fs::write(
        &path,
        "this is a text of some length, but surely not a database\n".repeat(100),
    )
    .unwrap();
    let error = Db::open(&path, &[ONE]).await.unwrap_err();
    assert_eq!(error, DbError::NotADatabase { path: path.clone() });
    assert_eq!(error.code(), "database-not-recognised");

    // A directory in its place, and a file in place of its directory.
    for bad in [dir.path().to_owned(), path.join("udap.db")] {
        let error = Db::open(&bad, &[ONE]).await.unwrap_err();
        assert!(
            matches!(&error, DbError::Unwritable { path, .. } if *path == bad),
            "{error:?}"
        );
        assert_eq!(error.code(), "database-unwritable");
    }
}
