//! Two servers on one PostgreSQL, whatever the rest of the suite runs on.

use crate::support::{Holder, assertion, statement, two_nodes, two_nodes_on, world};
use serde_json::json;
use std::cell::Cell;
use std::time::{Duration, Instant};
use udap_host::config::ConfigError;
use udap_host::db::Migrate;
use udap_host::listen::Shutdown;
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_proto::access_token;
use udap_server::Server;
use udap_testkit::postgres::{Fsync, Postgres};
use udap_trust::clock;

const REPLAYED: &str = "400 invalid_client jwt-replayed";
const AWAY: &str = "503 temporarily_unavailable temporarily-unavailable";

/// Client and name of an access token, as another node reads it.
fn read(node: &Holder, token: &str) -> (String, String) {
    let base = crate::support::BASE;
    let token = access_token::verify(token, &node.server.keys(), base, base, clock::now()).unwrap();
    (token.client_id().to_owned(), token.jti().to_owned())
}

async fn state(node: &Holder, token: &str) -> TokenState {
    let (client_id, jti) = read(node, token);
    node.server.of(&client_id, &jti).await
}

const fn ended(code: &'static str) -> TokenState {
    TokenState::Ended { code }
}

#[tokio::test]
async fn what_one_node_accepted_the_other_refuses_also_after_a_kill() {
    let [one, two] = two_nodes().await;
    let app = world().a.app("https://nodes.app.example");
    let once = statement(&app).sign();
    let id = one.register(&once).await.text("client_id");
    let refused = two.register(&once).await.refusal();
    assert_eq!(refused, "400 invalid_software_statement jwt-replayed");

    let (here, there) = (assertion(&app, &id).sign(), assertion(&app, &id).sign());
    assert_eq!(one.token(&here).await.status, 200);
    assert_eq!(two.token(&here).await.refusal(), REPLAYED);
    assert_eq!(two.token(&there).await.status, 200);
    assert_eq!(one.token(&there).await.refusal(), REPLAYED);
    let one = one.killed_and_started_again().await;
    for used in [&here, &there] {
        assert_eq!(one.token(used).await.refusal(), REPLAYED);
    }
    assert_eq!(one.token(&assertion(&app, &id).sign()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_registrations_of_one_app_at_two_nodes_leave_one() {
    let nodes = two_nodes().await;
    let app = world().a.app("https://hundred.nodes.example");
    let all = (0..100).map(|at| {
        let (node, jwt) = (nodes[at % 2].clone(), statement(&app).sign());
        tokio::spawn(async move { node.register(&jwt).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    let mut created = 0;
    for reply in futures_util::future::join_all(all).await {
        let reply = reply.unwrap();
        created += usize::from(reply.status == 201);
        ids.insert(reply.text("client_id"));
    }
    assert_eq!((created, ids.len()), (1, 1));
}

/// The key is in the database, sealed, and each node takes what the others issued.
#[tokio::test]
async fn nodes_take_each_others_tokens_and_nobody_can_read_the_key() {
    let [one, two] = two_nodes().await;
    let app = world().a.app("https://key.nodes.example");
    let id = one.registered(&app).await;
    let token = one
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    assert_eq!(state(&two, &token).await, TokenState::Active);
    for node in [&one, &two] {
        assert!(!node.config.state_dir.join("access-token.key").exists());
    }
    let sql = |sql: &str| one.sql(sql);
    assert_eq!(sql("SELECT name FROM shared_secret"), "access-token.key\n");
    // A PKCS#8 of a P-256 key begins so.
    let clear = "30818702010030130607";
    assert_eq!(
        sql(&format!(
            "SELECT position('{clear}' in encode(sealed, 'hex')) FROM shared_secret"
        )),
        "0\n"
    );

    let start = async |edit: &dyn Fn(&mut udap_host::config::Config)| {
        let mut config = (*one.config).clone();
        edit(&mut config);
        Server::open(&config).await.unwrap_err().code()
    };
    let other = one.directory().join("other.key");
    let text = "HxwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEAAQI=";
    crate::support::write_private(&other, text.as_bytes());
    let wrong = start(&|config| config.secrets_key_file = Some(other.clone())).await;
    assert_eq!(wrong, "secrets-key-wrong");
    assert_eq!(
        start(&|config| config.secrets_key_file = None).await,
        "secrets-key-missing"
    );
    sql("UPDATE shared_secret SET sealed = set_byte(sealed, 40, 255 - get_byte(sealed, 40))");
    assert_eq!(start(&|_| ()).await, "secret-unusable");
}

/// All that ends access at one node ends it at the other within a second, while both work on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_at_one_node_ends_at_the_other_within_a_second() {
    let [one, two] = two_nodes().await;
    let shutdown = Shutdown::new();
    for node in [&one, &two] {
        tokio::spawn(node.server.clone().run_background(shutdown.clone()));
    }
    let app = world().a.app("https://ends.nodes.example");
    let id = one.registered(&app).await;
    let token = async |node: &Holder| {
        node.token(&assertion(&app, &id).sign())
            .await
            .text("access_token")
    };
    let late = Cell::new(0);
    // Remembered by the other node, which is what would be wrong afterwards.
    let until = async |token: &str, code: &'static str| {
        let begun = Instant::now();
        while state(&two, token).await != ended(code) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{code}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        late.set(late.get() + u32::from(begun.elapsed() > Duration::from_secs(1)));
    };

    let (revoked, replaced) = (token(&one).await, token(&two).await);
    assert_eq!(state(&two, &revoked).await, TokenState::Active);
    let jwt = assertion(&app, &id).claim("aud", "https://holder.example/fhir/oauth/revoke");
    let jwt = jwt.sign();
    let fields = [
        ("token", &*revoked),
        ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
        ("client_assertion", &jwt),
    ];
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let request = crate::support::request(
        http::Method::POST,
        "/fhir/oauth/revoke",
        &kind,
        crate::support::encoded(&fields),
    );
    assert_eq!(one.send(request).await.status, 200);
    until(&revoked, "token-revoked").await;
    assert_eq!(state(&two, &replaced).await, TokenState::Active);

    assert_eq!(one.register(&statement(&app).sign()).await.status, 200);
    until(&replaced, "registration-replaced").await;

    // By hand, at the console of the database.
    let suspended = token(&two).await;
    assert_eq!(state(&two, &suspended).await, TokenState::Active);
    let set = |state: &'static str| {
        let id = id.clone();
        let node = one.clone();
        async move {
            udap_host::db::sqlx::query("UPDATE registration SET state = $1 WHERE client_id = $2")
                .bind(state)
                .bind(id)
                .execute(&mut node.database().await)
                .await
                .unwrap();
        }
    };
    set("suspended").await;
    until(&suspended, "registration-suspended").await;
    let refused = two.token(&assertion(&app, &id).sign()).await.refusal();
    assert_eq!(refused, "400 invalid_client registration-suspended");
    set("active").await;

    let cancelled = {
        let begun = Instant::now();
        loop {
            let reply = two.token(&assertion(&app, &id).sign()).await;
            if reply.status == 200 {
                break reply.text("access_token");
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{reply}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(one.register(&leave.sign()).await.status, 200);
    until(&cancelled, "registration-cancelled").await;
    // A machine that has much else to do may be late once.
    assert!(late.get() <= 1, "{late:?}");
    shutdown.trigger();
}

#[tokio::test]
async fn a_node_that_missed_changes_forgets_what_it_remembers() {
    let [one, two] = two_nodes().await;
    let app = world().a.app("https://missed.nodes.example");
    let id = one.registered(&app).await;
    let token = two
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    assert_eq!(state(&two, &token).await, TokenState::Active);
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(one.register(&leave.sign()).await.status, 200);
    // Nothing was followed yet, so the other node still believes it; that shows what would be missed.
    assert_eq!(state(&two, &token).await, TokenState::Active);
    one.sql("DELETE FROM change");
    two.server.follow_changes().await.unwrap();
    assert_eq!(state(&two, &token).await, ended("registration-cancelled"));
    // And what is noted from then on is taken in as ever.
    let back = one.registered(&app).await;
    let token = two
        .token(&assertion(&app, &back).sign())
        .await
        .text("access_token");
    two.server.follow_changes().await.unwrap();
    assert_eq!(state(&two, &token).await, TokenState::Active);
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(one.register(&leave.sign()).await.status, 200);
    two.server.follow_changes().await.unwrap();
    assert_eq!(state(&two, &token).await, ended("registration-cancelled"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_503_and_never_an_acceptance_and_comes_back() {
    let cluster = Postgres::start(Fsync::Off);
    let [one, two] = two_nodes_on(&cluster.database()).await;
    let shutdown = Shutdown::new();
    tokio::spawn(one.server.clone().run_background(shutdown.clone()));
    let app = world().a.app("https://away.nodes.example");
    let id = one.registered(&app).await;
    let used = assertion(&app, &id).sign();
    let token = one.token(&used).await.text("access_token");
    assert_eq!(state(&one, &token).await, TokenState::Active);

    cluster.kill();
    // What it was in the middle of goes on for a moment.
    while one.token(&used).await.status != 503 {}
    let fresh = assertion(&app, &id).sign();
    let asked = Instant::now();
    for jwt in [&used, &fresh] {
        assert_eq!(one.token(jwt).await.refusal(), AWAY);
    }
    assert_eq!(one.register(&statement(&app).sign()).await.refusal(), AWAY);
    assert_eq!(two.register(&statement(&app).sign()).await.refusal(), AWAY);
    assert!(
        asked.elapsed() < Duration::from_secs(30),
        "{:?}",
        asked.elapsed()
    );
    // What it remembers of tokens counts for seconds.
    tokio::time::sleep(Duration::from_secs(5).saturating_sub(asked.elapsed())).await;
    assert_eq!(state(&one, &token).await, ended("temporarily-unavailable"));

    cluster.run();
    let begun = Instant::now();
    while state(&one, &token).await != TokenState::Active {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for node in [&one, &two] {
        assert_eq!(node.token(&used).await.refusal(), REPLAYED);
        assert_eq!(node.token(&assertion(&app, &id).sign()).await.status, 200);
        assert_eq!(node.register(&statement(&app).sign()).await.status, 200);
    }
    shutdown.trigger();
}

/// Whatever became of what follows: a mount that hangs, a panic, a task that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_follows_any_more_nothing_is_taken_from_memory() {
    let [one, two] = two_nodes().await;
    let background = tokio::spawn(one.server.clone().run_background(Shutdown::new()));
    let app = world().a.app("https://deaf.nodes.example");
    let id = one.registered(&app).await;
    let token = one
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    // What the token changed is taken in, and the registration remembered again.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(state(&one, &token).await, TokenState::Active);
    background.abort();
    assert!(background.await.unwrap_err().is_cancelled());
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(two.register(&leave.sign()).await.status, 200);
    let begun = Instant::now();
    while state(&one, &token).await != ended("temporarily-unavailable") {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(one.server.is_behind());
    // Asked of the database, which is there.
    let refused = one.token(&assertion(&app, &id).sign()).await.refusal();
    assert_eq!(refused, "400 invalid_client registration-cancelled");
}

/// Look-ups of tokens that nobody issued cost nobody else the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_present_opaque_tokens_keep_no_node_from_following() {
    let [one, two] = two_nodes().await;
    let mut config = (*one.config).clone();
    config.access_token = udap_host::config::AccessTokens::Opaque;
    let opaque = Server::open(&config).await.unwrap();
    let shutdown = Shutdown::new();
    tokio::spawn(opaque.clone().run_background(shutdown.clone()));
    let app = world().a.app("https://flooded.nodes.example");
    let id = one.registered(&app).await;
    let token = one
        .token(&assertion(&app, &id).sign())
        .await
        .text("access_token");
    let (client_id, jti) = read(&one, &token);
    assert_eq!(opaque.of(&client_id, &jti).await, TokenState::Active);

    // Each look-up takes long, as among many.
    let mut slow = two.database().await;
    let lock = "BEGIN; LOCK TABLE opaque_token IN ACCESS EXCLUSIVE MODE";
    udap_host::db::sqlx::raw_sql(lock)
        .execute(&mut slow)
        .await
        .unwrap();
    for byte in 0..20 {
        let opaque = opaque.clone();
        tokio::spawn(async move { opaque.opaque(&[byte; 32]).await });
    }
    let mut unsure = 0;
    for _ in 0..40 {
        unsure += u32::from(opaque.of(&client_id, &jti).await != TokenState::Active);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A machine that has much else to do may be behind for a moment; a node that does not follow would be from the
    // second second on, which is for twenty times.
    assert!(unsure <= 10, "{unsure}");
    // And there is a connection for other reads.
    let nobody = TokenState::Ended {
        code: "client-unknown",
    };
    assert_eq!(opaque.of("nobody", &jti).await, nobody);
    // Nor does the one wait for ever who has such a token.
    let kept = opaque.opaque(&[99; 32]).await;
    assert_eq!(kept, udap_host::token_status::Kept::Unavailable);
    shutdown.trigger();
}

/// The row by which a token's end is found is one that is there, not one that another node removed.
#[tokio::test]
async fn a_token_after_a_new_registration_has_a_note_of_its_certificate_again() {
    let [one, two] = two_nodes().await;
    let app = world().a.app("https://noted.nodes.example");
    let id = two.registered(&app).await;
    assert_eq!(two.token(&assertion(&app, &id).sign()).await.status, 200);
    let signers = || one.sql("SELECT COUNT(*) FROM signer");
    assert_eq!(signers(), "1\n");
    // As the other node does when it sees a CRL first.
    one.sql("DELETE FROM signer; UPDATE registration SET generation = generation + 1");
    assert_eq!(two.register(&statement(&app).sign()).await.status, 200);
    assert_eq!(two.token(&assertion(&app, &id).sign()).await.status, 200);
    assert_eq!(signers(), "1\n");
    // Nor does a start know of rows that no token of this generation has.
    let two = two.killed_and_started_again().await;
    assert_eq!(two.token(&assertion(&app, &id).sign()).await.status, 200);
    assert_eq!(signers(), "1\n");
}

#[tokio::test]
async fn a_start_that_may_not_migrate_says_that_the_schema_is_behind() {
    let [one, _] = two_nodes().await;
    let mut config = (*one.config).clone();
    config.migrations = Migrate::Check;
    assert!(Server::open(&config).await.is_ok());
    let url = Postgres::shared().database();
    config.database = Some(udap_host::config::Secret::Inline(url.into()));
    let behind = Server::open(&config).await.unwrap_err();
    assert_eq!(behind.code(), "database-behind");
}

/// Nothing is taken for a name that PostgreSQL cannot hold, and nothing fails on it.
#[tokio::test]
async fn a_text_that_postgresql_cannot_hold_is_refused_like_any_other() {
    let [one, _] = two_nodes().await;
    let app = world().a.app("https://nul.nodes.example");
    let refused = one.token(&assertion(&app, "a\0b").sign()).await.refusal();
    assert!(refused.starts_with("400 "), "{refused}");
    let named = statement(&app).claim("client_name", "a\0b").sign();
    let refused = one.register(&named).await.refusal();
    assert!(refused.starts_with("400 "), "{refused}");
    one.server.audit().flush().await.unwrap();
}

#[test]
fn errors_of_the_configuration_keep_the_url_to_themselves() {
    let error: Result<_, ConfigError> = udap_host::config::parse(
        "udap.toml".as_ref(),
        "base_url = \"https://holder.example\"\ntls = \"off\"\ndatabase = \"postgres://u:geheim@\"\n",
    );
    let error = error.unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.hint()).contains("geheim"));
}
