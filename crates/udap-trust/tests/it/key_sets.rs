//! Key sets of others: how often they are asked for, and how long they count.

use crate::fetcher_trusting;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_proto::jwk::Jwk;
use udap_testkit::{Answer, TestServer};
use udap_trust::clock;
use udap_trust::fetch::TlsRoots;
use udap_trust::key_sets::{KeySets, MAX_AGE_SECS, RETRY_SECS};
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::{KeySigner, Signer as _};

/// A client's server, which answers what is put here.
struct Host {
    server: TestServer,
    answer: Arc<Mutex<Answer>>,
    sets: KeySets,
}

impl Host {
    async fn new(answer: Answer) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let give = Arc::clone(&answer);
        let server = TestServer::https(move |_| give.lock().unwrap().clone()).await;
        let roots = TlsRoots::These(vec![server.tls_root()]);
        let sets = KeySets::new(fetcher_trusting(&[server.host()], roots));
        Self {
            server,
            answer,
            sets,
        }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Whether the key was there, or why there is no set; and how often the server was asked so far.
    async fn get(&self, kid: &str, now: UnixTime) -> (Result<bool, &'static str>, usize) {
        let url = self.server.url("/jwks");
        let set = self.sets.get(&url, Some(kid), now).await;
        let found = set
            .map(|set| set.keys().iter().any(|key| key.kid() == Some(kid)))
            .map_err(|e| e.code());
        (found, self.server.asked().len())
    }
}

fn set(kids: &[&str]) -> Value {
    let signer = KeySigner::from_pem(&generate(KeyType::P384).unwrap()).unwrap();
    let keys: Vec<_> = kids
        .iter()
        .map(|kid| {
            let jwk = Jwk::from_public_key(signer.public_key(), Some((*kid).to_owned()), None);
            jwk.unwrap().to_json()
        })
        .collect();
    json!({"keys": keys})
}

fn keys(kids: &[&str]) -> Answer {
    Answer::json(200, &set(kids))
}

#[tokio::test]
async fn a_set_is_remembered_and_a_key_that_was_taken_out_ends_with_it() {
    let host = Host::new(keys(&["one"])).await;
    let now = clock::now();
    assert_eq!(host.get("one", now).await, (Ok(true), 1));
    host.answers(keys(&["two"]));
    let last = now.plus_secs(MAX_AGE_SECS - 1);
    assert_eq!(host.get("one", last).await, (Ok(true), 1));
    let over = now.plus_secs(MAX_AGE_SECS);
    assert_eq!(host.get("one", over).await, (Ok(false), 2));
    // The server may want it shorter, and cannot want it longer.
    for (max_age, lives) in [
        ("max-age=60", 60),
        ("public, max-age=86400", 300),
        ("max-age=0", 30),
    ] {
        let host = Host::new(keys(&["one"]).header("cache-control", max_age)).await;
        assert_eq!(host.get("one", now).await, (Ok(true), 1));
        assert_eq!(
            host.get("one", now.plus_secs(lives - 1)).await,
            (Ok(true), 1)
        );
        assert_eq!(host.get("one", now.plus_secs(lives)).await, (Ok(true), 2));
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_but_not_at_will() {
    let host = Host::new(keys(&["one"])).await;
    let now = clock::now();
    assert_eq!(host.get("one", now).await, (Ok(true), 1));
    // Whoever invents names of keys causes nothing for a while.
    for second in 1..RETRY_SECS {
        let kid = format!("invented-{second}");
        assert_eq!(host.get(&kid, now.plus_secs(second)).await, (Ok(false), 1));
    }
    host.answers(keys(&["one", "two"]));
    let later = now.plus_secs(RETRY_SECS);
    assert_eq!(host.get("two", later).await, (Ok(true), 2));
    // A server that is out of order meanwhile takes nothing away from a set in force.
    host.answers(Answer::new(500, "no"));
    let later = later.plus_secs(RETRY_SECS);
    assert_eq!(host.get("three", later).await, (Ok(false), 3));
    assert_eq!(host.get("one", later.plus_secs(1)).await, (Ok(true), 3));
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let host = Host::new(keys(&["one"])).await;
    let now = clock::now();
    let all = futures_util::future::join_all((0..50).map(|_| host.get("one", now))).await;
    assert!(all.iter().all(|(found, _)| *found == Ok(true)));
    assert_eq!(host.server.asked().len(), 1);
}

#[tokio::test]
async fn what_is_no_key_set_is_refused_and_not_asked_for_again_at_once() {
    let mut private = set(&["one"]);
    private["keys"][0]["d"] = json!("AAAA");
    for (answer, code) in [
        (Answer::new(404, "no"), "key-set-unavailable"),
        (
            Answer::new(302, "").header("location", "https://localhost/"),
            "key-set-unavailable",
        ),
        (Answer::new(200, "<html>"), "key-set-malformed"),
        (Answer::json(200, &json!({"keys": 7})), "key-set-malformed"),
        (Answer::json(200, &private), "key-set-malformed"),
        (
            Answer::new(200, " ".repeat(65 * 1024)),
            "key-set-unavailable",
        ),
    ] {
        let host = Host::new(answer).await;
        let now = clock::now();
        assert_eq!(host.get("one", now).await, (Err(code), 1));
        assert_eq!(host.get("one", now.plus_secs(1)).await, (Err(code), 1));
        host.answers(keys(&["one"]));
        let later = now.plus_secs(RETRY_SECS);
        assert_eq!(host.get("one", later).await, (Ok(true), 2));
    }
}

#[tokio::test]
async fn only_https_and_only_hosts_that_may_be_reached() {
    let host = Host::new(keys(&["one"])).await;
    let plain = host.server.url("/jwks").replacen("https:", "http:", 1);
    for url in [
        plain.as_str(),
        "https://127.0.0.1:1/jwks",
        "file:///etc/passwd",
    ] {
        let refused = host.sets.get(url, None, clock::now()).await.unwrap_err();
        assert_eq!(refused.code(), "key-set-unavailable", "{url}");
    }
    assert_eq!(host.server.asked().len(), 0);
}
