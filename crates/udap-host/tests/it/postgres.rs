//! The database over a real PostgreSQL, of which two handles stand for two processes.

use std::time::Duration;

use udap_host::db::{
    Db, DbError, Location, Migrate, Migration, Schema,
    sqlx::{self, AssertSqlSafe, Row},
};
use udap_testkit::postgres::{Fsync, Postgres};

const ONE: Migration = Migration {
    version: 1,
    name: "things",
    sql: "CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, body BLOB);
          /*postgres ALTER TABLE thing ADD COLUMN here BIGINT NOT NULL DEFAULT 7; */",
};
const TWO: Migration = Migration {
    version: 2,
    name: "colours",
    sql: "ALTER TABLE thing ADD COLUMN colour TEXT",
};

fn at(url: &str) -> Location {
    Location::Server(url.parse().unwrap())
}

async fn open(url: &str, migrations: &[Migration]) -> Result<Db, DbError> {
    Db::open_at(&at(url), migrations, Migrate::Apply).await
}

async fn new() -> (Db, String) {
    let url = Postgres::shared().database();
    (open(&url, &[ONE]).await.unwrap(), url)
}

async fn insert(db: &Db, id: &str, size: i64) -> Result<(), DbError> {
    let mut write = db.write().await?;
    sqlx::query("INSERT INTO thing (id, size, body) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(size)
        .bind(vec![0_u8, 255])
        .execute(&mut *write)
        .await?;
    write.commit().await?;
    Ok(())
}

async fn sizes(db: &Db) -> Result<Vec<i64>, DbError> {
    let sizes = sqlx::query_scalar("SELECT size FROM thing ORDER BY id");
    Ok(sizes.fetch_all(db.reader()).await?)
}

#[tokio::test]
async fn the_same_schema_and_the_same_values_as_in_sqlite() {
    let (db, url) = new().await;
    insert(&db, "a", -1).await.unwrap();
    assert!(db.is_shared());
    db.close().await;
    assert_eq!(db.write().await.unwrap_err().code(), "database-closed");

    // What is missing is told, refused or applied, as the configuration says.
    let here = Db::open_existing(&at(&url)).await.unwrap();
    let schema = here.schema(&[ONE, TWO]).await.unwrap();
    let missing = vec!["colours"];
    assert_eq!(
        schema,
        Schema {
            found: 1,
            known: 2,
            missing
        }
    );
    let behind = Db::open_at(&at(&url), &[ONE, TWO], Migrate::Check).await;
    let behind = behind.unwrap_err();
    assert_eq!(behind, DbError::SchemaBehind { found: 1, known: 2 });
    assert_eq!(behind.code(), "database-behind");
    let db = open(&url, &[ONE, TWO]).await.unwrap();
    Db::open_at(&at(&url), &[ONE, TWO], Migrate::Check)
        .await
        .unwrap();
    let row = sqlx::query("SELECT size, body, colour, here FROM thing")
        .fetch_one(db.reader())
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>("size"), -1);
    assert_eq!(row.get::<Vec<u8>, _>("body"), [0, 255]);
    assert_eq!(row.get::<Option<String>, _>("colour"), None);
    assert_eq!(row.get::<i64, _>("here"), 7);

    let newer = open(&url, &[ONE]).await.unwrap_err();
    assert_eq!(newer, DbError::SchemaNewer { found: 2, known: 1 });
    let foreign = Migration {
        name: "certificates",
        ..ONE
    };
    let foreign = open(&url, &[foreign, TWO]).await.unwrap_err();
    assert_eq!(foreign.code(), "database-foreign");
    let broken = Migration {
        version: 3,
        name: "broken",
        sql: "CREATE TABLE half (x BIGINT); NONSENSE",
    };
    let error = open(&url, &[ONE, TWO, broken]).await.unwrap_err();
    assert_eq!(error.code(), "database-migration-failed");
    let half = Postgres::shared().sql(Postgres::name(&url), "SELECT to_regclass('half') IS NULL");
    assert_eq!(half, "t\n");
}

#[tokio::test]
async fn nodes_that_start_at_the_same_time_do_not_collide() {
    let url = Postgres::shared().database();
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = url.clone();
        starts.spawn(async move { open(&url, &[ONE, TWO]).await });
    }
    for started in starts.join_all().await {
        started.unwrap();
    }
    let steps = Postgres::shared().sql(
        Postgres::name(&url),
        "SELECT COUNT(*) FROM schema_migrations",
    );
    assert_eq!(steps, "2\n");
}

#[tokio::test]
async fn what_a_write_read_does_not_change_before_it_commits_on_any_node() {
    let (one, url) = new().await;
    let two = open(&url, &[ONE]).await.unwrap();
    insert(&one, "n", 0).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for db in [&one, &one, &two, &two] {
        let db = db.clone();
        writers.spawn(async move {
            for _ in 0..25 {
                let mut write = db.write().await.unwrap();
                let n: i64 = sqlx::query_scalar("SELECT size FROM thing WHERE id = 'n'")
                    .fetch_one(&mut *write)
                    .await
                    .unwrap();
                sqlx::query("UPDATE thing SET size = $1 WHERE id = 'n'")
                    .bind(n + 1)
                    .execute(&mut *write)
                    .await
                    .unwrap();
                write.commit().await.unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(sizes(&two).await.unwrap(), [100]);

    // Dropped without commit, it is as if it had not been, and the turn is free.
    let mut write = one.write().await.unwrap();
    let gone = sqlx::query("DELETE FROM thing").execute(&mut *write).await;
    assert_eq!(gone.unwrap().rows_affected(), 1);
    assert_eq!(sizes(&one).await.unwrap(), [100]);
    drop(write);
    insert(&two, "m", 1).await.unwrap();
    assert_eq!(sizes(&one).await.unwrap(), [1, 100]);
}

#[tokio::test]
async fn what_only_adds_rows_waits_for_nobody() {
    let (one, url) = new().await;
    let two = open(&url, &[ONE]).await.unwrap();
    let turn = one.write().await.unwrap();
    let mut append = two.append().await.unwrap();
    sqlx::query("INSERT INTO thing (id, size) VALUES ('x', 1)")
        .execute(&mut *append)
        .await
        .unwrap();
    append.commit().await.unwrap();
    drop(turn);
    assert_eq!(sizes(&one).await.unwrap(), [1]);
}

#[tokio::test]
async fn a_node_that_hangs_with_the_turn_is_waited_for_seconds_and_then_put_out() {
    let (one, url) = new().await;
    let two = open(&url, &[ONE]).await.unwrap();
    let mut turn = one.write().await.unwrap();
    let forgotten = sqlx::query("INSERT INTO thing (id, size) VALUES ('forgotten', 1)");
    forgotten.execute(&mut *turn).await.unwrap();
    assert_eq!(two.write().await.unwrap_err(), DbError::Busy);
    assert_eq!(DbError::Busy.code(), "database-busy");
    // No connection was left in the middle of a transaction; what hung is undone and told so.
    for n in 0..4 {
        while insert(&two, &format!("{n}"), n).await == Err(DbError::Busy) {}
    }
    let late = DbError::from(turn.commit().await.unwrap_err());
    assert_eq!(late.code(), "database-unreachable", "{late:?}");
    assert_eq!(sizes(&two).await.unwrap(), [0, 1, 2, 3]);
    insert(&one, "5", 5).await.unwrap();
}

#[tokio::test]
async fn what_the_server_says_has_a_code() {
    let (db, url) = new().await;
    insert(&db, "a", 1).await.unwrap();
    assert_eq!(
        insert(&db, "a", 1).await.unwrap_err().code(),
        "database-conflict"
    );
    assert_eq!(
        insert(&db, "a\0", 1).await.unwrap_err().code(),
        "database-text"
    );
    let through_a_reader = sqlx::query("DELETE FROM thing").execute(db.reader()).await;
    assert_eq!(
        DbError::from(through_a_reader.unwrap_err()),
        DbError::ReadOnly
    );
    // What a disk, a standby or a cluster's load would make the server say.
    for (state, code) in [
        ("53100", "disk-full"),
        ("25006", "database-read-only"),
        ("XX001", "database-damaged"),
        ("58030", "disk-failing"),
        ("40001", "database-busy"),
        ("40P01", "database-busy"),
        ("53300", "database-overloaded"),
        ("57P01", "database-unreachable"),
        ("42501", "database-denied"),
        ("42P01", "database-error"),
    ] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{state}'; END $$");
        let mut write = db.write().await.unwrap();
        let raised = sqlx::raw_sql(AssertSqlSafe(raise))
            .execute(&mut *write)
            .await;
        assert_eq!(DbError::from(raised.unwrap_err()).code(), code, "{state}");
    }
    assert_eq!(sizes(&db).await.unwrap(), [1]);

    // A database that takes no writes, as a standby's.
    let name = Postgres::name(&url);
    Postgres::shared().sql(
        name,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    );
    let standby = open(&url, &[ONE]).await.unwrap();
    assert_eq!(
        insert(&standby, "b", 1).await.unwrap_err().code(),
        "database-read-only"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_or_does_not_let_us_in_is_named_without_the_secret() {
    let url = Postgres::shared().database();
    let name = Postgres::name(&url);
    let secret = "&password=geheim";
    for (url, code) in [
        (url.replace(name, "nobodys"), "database-missing"),
        (url.replace("user=udap", "user=stranger"), "database-denied"),
        (format!("{url}&sslmode=verify-full"), "database-untrusted"),
        (
            "postgres:///udap?host=/nowhere&user=udap".to_owned(),
            "database-unreachable",
        ),
        (
            "postgres://udap@127.0.0.1:1/udap?application_name=x".to_owned(),
            "database-unreachable",
        ),
    ] {
        let error = open(&format!("{url}{secret}"), &[ONE]).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(
            !format!("{error} {error:?}").contains("geheim"),
            "{error:?}"
        );
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_went_away_and_came_back_needs_no_restart() {
    let cluster = Postgres::start(Fsync::Off);
    let url = cluster.database();
    let db = open(&url, &[ONE]).await.unwrap();
    insert(&db, "a", 1).await.unwrap();
    assert_eq!(sizes(&db).await.unwrap(), [1]);

    // In order and in disorder; connections that rested, and such that were just in use.
    for (killed, rested) in [(false, true), (true, false)] {
        if killed {
            cluster.kill()
        } else {
            cluster.stop()
        };
        let begun = std::time::Instant::now();
        for _ in 0..3 {
            assert_eq!(
                insert(&db, "b", 2).await.unwrap_err().code(),
                "database-unreachable"
            );
        }
        for _ in 0..5 {
            assert_eq!(sizes(&db).await.unwrap_err().code(), "database-unreachable");
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        cluster.run();
        if rested {
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        assert_eq!(sizes(&db).await.unwrap(), [1]);
        insert(&db, "b", 2).await.unwrap();
        let mut write = db.write().await.unwrap();
        sqlx::query("DELETE FROM thing WHERE id = 'b'")
            .execute(&mut *write)
            .await
            .unwrap();
        write.commit().await.unwrap();
    }
}

/// It takes no writes, and may be behind in what it tells.
#[tokio::test]
async fn a_server_that_became_a_standby_is_asked_nothing() {
    let cluster = Postgres::start(Fsync::Off);
    let url = cluster.database();
    let db = open(&url, &[ONE]).await.unwrap();
    insert(&db, "a", 1).await.unwrap();
    cluster.stop();
    cluster.demote();
    cluster.run();
    // A connection that was just used is not asked whether it is one still.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // To a pool it is one that lets nobody in; a start is told why.
    let refused = [
        insert(&db, "b", 2).await.unwrap_err().code(),
        sizes(&db).await.unwrap_err().code(),
        open(&url, &[ONE]).await.unwrap_err().code(),
    ];
    assert_eq!(
        refused,
        [
            "database-unreachable",
            "database-unreachable",
            "database-read-only"
        ]
    );
    cluster.promote();
    insert(&db, "b", 2).await.unwrap();
    assert_eq!(sizes(&db).await.unwrap(), [1, 2]);
}

#[test]
fn connections_outlast_the_runtime_that_opened_them() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let db = runtime().block_on(async {
        let (db, _) = new().await;
        insert(&db, "a", 1).await.unwrap();
        sizes(&db).await.unwrap();
        db
    });
    for n in 0..3 {
        runtime().block_on(async {
            insert(&db, &format!("b{n}"), 2).await.unwrap();
            assert_eq!(sizes(&db).await.unwrap().len(), n + 2);
        });
    }
}
