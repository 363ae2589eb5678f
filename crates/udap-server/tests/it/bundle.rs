//! Bundles that a community publishes about itself: from whom they are taken, and what they may change.

use crate::support::{Community, DAY, Holder, Member, assertion, statement, world, write_private};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, mpsc};
use tokio::sync::oneshot;
use udap_pki::issue::Profile;
use udap_pki::{Certificate, pem};
use udap_proto::bundle::Bundle;
use udap_proto::jws::JwsAlg;
use udap_testkit::{Answer, TestServer};
use udap_trust::clock;

/// Says that it is asked, and waits for word to go on.
type Pause = (oneshot::Sender<()>, mpsc::Receiver<()>);

/// Where a community publishes, and what.
pub(crate) struct Hub {
    server: TestServer,
    published: Arc<Mutex<(u16, String)>>,
    /// Where it waits once when it is asked.
    pause: Arc<Mutex<Option<Pause>>>,
    /// Who signs: with the URI of community a, under a root that nobody but the operator knows.
    pub(crate) signer: Member,
}

impl Hub {
    pub(crate) async fn new() -> Self {
        let published = Arc::new(Mutex::new((404, String::new())));
        let answers = Arc::clone(&published);
        let pause = Arc::<Mutex<Option<Pause>>>::default();
        let pauses = Arc::clone(&pause);
        let server = TestServer::https(move |asked| {
            if let Some((asked, go_on)) = pauses.lock().unwrap().take() {
                asked.send(()).unwrap();
                go_on.recv().unwrap();
            }
            let (status, body) = answers.lock().unwrap().clone();
            let sum = body.bytes().fold(7u64, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
            let etag = format!("\"{sum:x}\"");
            let known = asked.headers.get("if-none-match");
            if status == 200 && known.is_some_and(|known| *known == *etag) {
                return Answer::new(304, "");
            }
            Answer::new(status, body).header("etag", &etag)
        })
        .await;
        let signer = world().auditors.app(&world().a.uri);
        Self {
            server,
            published,
            pause,
            signer,
        }
    }

    /// A data holder that takes its bundles, with these settings of `[community.bundle]`.
    pub(crate) async fn holder(&self, settings: &str) -> Holder {
        self.holder_of(settings, "", "").await
    }

    /// With settings of communities a and b besides.
    pub(crate) async fn holder_of(&self, settings: &str, of_a: &str, of_b: &str) -> Holder {
        let url = self.server.url("/bundle");
        let host = self.server.host();
        let root = pem::encode("CERTIFICATE", &self.server.tls_root());
        Holder::made(|directory, text| {
            write_private(&directory.join("web.pem"), root.as_bytes());
            let described = "profile = \"ssraa-2.0\"\nscopes = [\"system/Patient.rs\"]\n";
            write_private(&directory.join("a.toml"), described.as_bytes());
            write_private(
                &directory.join("b.issuing.pem"),
                world().b.issuing.certificate.to_pem().as_bytes(),
            );
            write_private(
                &directory.join("nobody.pem"),
                world().rogue.root.certificate.to_pem().as_bytes(),
            );
            let second = text.rfind("[[community]]").unwrap();
            let (first, second) = text.split_at(second);
            let table =
                format!("[community.bundle]\nurl = \"{url}\"\nevery = \"60s\"\n{settings}\n");
            format!("{first}{table}{second}")
                .replacen(
                    "anchors = \"a.anchor.pem\"\n",
                    &format!("anchors = \"a.anchor.pem\"\n{of_a}"),
                    1,
                )
                .replacen(
                    "anchors = \"b.anchor.pem\"\n",
                    &format!("anchors = \"b.anchor.pem\"\n{of_b}"),
                    1,
                )
                .replace("tls_roots = \"a.anchor.pem\"", "tls_roots = \"web.pem\"")
                .replace("allow_hosts = [", &format!("allow_hosts = [\"{host}\", "))
        })
        .await
    }

    pub(crate) fn publish(&self, bundle: &str) {
        *self.published.lock().unwrap() = (200, bundle.to_owned());
    }

    /// A bundle of community a by this hub's signer.
    pub(crate) fn bundle(&self, sequence: u64, anchors: &[&Certificate]) -> String {
        sign(&self.signer, sequence, DAY, &description(anchors))
    }
}

pub(crate) fn description(anchors: &[&Certificate]) -> Value {
    let anchors: Vec<_> = anchors.iter().map(|anchor| anchor.to_pem()).collect();
    json!({"uri": world().a.uri, "anchors": anchors})
}

pub(crate) fn sign(by: &Member, sequence: u64, lifetime: i64, description: &Value) -> String {
    let now = clock::now().plus_secs(-10);
    let bundle = Bundle {
        community: description["uri"].as_str().unwrap(),
        sequence,
        iat: now,
        exp: now.plus_secs(lifetime),
        jti: &format!("bundle-{sequence}"),
        description: description.as_object().unwrap(),
    };
    let unsigned = bundle.unsigned(JwsAlg::ES256, &by.chain);
    let signature = by
        .signer
        .sign_now(JwsAlg::ES256.scheme(), unsigned.signing_input());
    unsigned.with_signature(&signature.unwrap())
}

/// A round of the schedule, as if its time had come.
pub(crate) async fn round(holder: &Holder) {
    holder.server.fetch_bundles_now(clock::now()).await;
}

pub(crate) fn codes(holder: &Holder) -> Vec<&'static str> {
    let trouble = holder.server.trouble();
    trouble.iter().map(|trouble| trouble.code).collect()
}

pub(crate) fn root(community: &Community) -> &Certificate {
    &community.root.certificate
}

pub(crate) async fn registers(holder: &Holder, app: &Member) -> String {
    let reply = holder.register(&statement(app).sign()).await;
    match reply.status.as_u16() {
        200 | 201 => "ok".to_owned(),
        _ => reply.refusal(),
    }
}

pub(crate) const FOLLOW: &str = "signer_anchors = \"auditors.pem\"\nanchors = \"follow\"";
pub(crate) const REPORT: &str = "signer_anchors = \"auditors.pem\"";
const NOT_TRUSTED: &str = "400 unapproved_software_statement chain-not-trusted";

#[tokio::test]
async fn anchors_take_effect_only_where_the_operator_follows_them() {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    hub.publish(&hub.bundle(1, &[root(a), root(rogue)]));
    let newcomer = rogue.app("https://newcomer.bundle.example");

    let holder = hub.holder(REPORT).await;
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-anchors-proposed"]);
    let detail = holder.server.trouble()[0].detail.clone();
    assert!(detail.contains("Community rogue root"), "{detail}");
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    assert_eq!(
        registers(&holder, &a.app("https://old.bundle.example")).await,
        "ok"
    );

    let holder = hub.holder(FOLLOW).await;
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(registers(&holder, &newcomer).await, "ok");
    // The other community is what it was.
    let other = world().b.app("https://other.bundle.example");
    assert_eq!(registers(&holder, &other).await, "ok");
    // One that the community takes away is gone, with its tokens, although the operator's file has it.
    let app = a.app("https://dropped.bundle.example");
    let id = holder.registered(&app).await;
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    hub.publish(&hub.bundle(2, &[root(rogue)]));
    round(&holder).await;
    let reply = holder.token(&assertion(&app, &id).sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_client chain-not-trusted");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
}

#[tokio::test]
async fn only_who_is_pinned_is_heard() {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    let wanted = description(&[root(rogue)]);
    let member = world().auditors.app("https://member.bundle.example");
    let both = world()
        .auditors
        .member(&["https://member.bundle.example", &a.uri])
        .issue();
    let of_a = a.app(&a.uri);
    let revoked = world().auditors.app(&a.uri);
    world().auditors.revoke(revoked.leaf());
    let expired = world()
        .auditors
        .member(&[&a.uri])
        .valid(-30 * DAY, -DAY)
        .issue();
    let other = json!({"uri": world().b.uri, "anchors": [root(rogue).to_pem()]});
    let newcomer = rogue.app("https://pinned.bundle.example");

    let holder = hub.holder(FOLLOW).await;
    for (bundle, code) in [
        // A member under the same CA, also one that has the community's name besides.
        (sign(&member, 9, DAY, &wanted), "bundle-signer-mismatch"),
        (sign(&both, 9, DAY, &wanted), "bundle-signer-mismatch"),
        // Under the community's own CA, which is not pinned.
        (sign(&of_a, 9, DAY, &wanted), "chain-not-trusted"),
        (sign(&revoked, 9, DAY, &wanted), "certificate-revoked"),
        (sign(&expired, 9, DAY, &wanted), "certificate-expired"),
        // Of another community.
        (sign(&hub.signer, 9, DAY, &other), "iss-mismatch"),
        (sign(&hub.signer, 9, -5, &wanted), "exp-before-iat"),
        (sign(&hub.signer, 9, 91 * DAY, &wanted), "jwt-lifetime"),
        (statement(&hub.signer).sign(), "not-a-bundle"),
        ("junk".to_owned(), "jwt-malformed"),
        (
            format!("{}A", hub.bundle(9, &[root(rogue)])),
            "jwt-signature-invalid",
        ),
    ] {
        hub.publish(&bundle);
        round(&holder).await;
        assert_eq!(codes(&holder), [code]);
        assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED, "{code}");
    }
    for (status, body) in [(404, ""), (500, "x"), (301, "")] {
        *hub.published.lock().unwrap() = (status, body.to_owned());
        round(&holder).await;
        assert_eq!(codes(&holder), ["bundle-unavailable"]);
    }
    *hub.published.lock().unwrap() = (200, "x".repeat(70_000));
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-unavailable"]);
    // None of it counts as one that was in force: a first one may have any sequence.
    hub.publish(&hub.bundle(1, &[root(rogue)]));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(registers(&holder, &newcomer).await, "ok");
}

#[tokio::test]
async fn a_pinned_key_needs_no_ca() {
    let rogue = &world().rogue;
    let hub = Hub::new().await;
    let key = rogue.app("https://key.bundle.example");
    let sha256: String = key.signer_sha256();
    let holder = hub
        .holder(&format!(
            "signer_key_sha256 = \"{sha256}\"\nanchors = \"follow\""
        ))
        .await;
    hub.publish(&hub.bundle(1, &[root(rogue)]));
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-key-mismatch"]);
    hub.publish(&sign(&key, 1, DAY, &description(&[root(rogue)])));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    let newcomer = rogue.app("https://by-key.bundle.example");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
}

/// The sequence is remembered in the database: neither a restart nor a kill brings an older one back.
#[tokio::test]
async fn never_an_older_one_not_even_after_a_kill() {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    let mut holder = hub.holder(FOLLOW).await;
    let first = hub.bundle(5, &[root(a), root(rogue)]);
    hub.publish(&first);
    round(&holder).await;
    let newcomer = rogue.app("https://older.bundle.example");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
    // The community takes rogue away.
    let last = hub.bundle(6, &[root(a)]);
    hub.publish(&last);
    round(&holder).await;
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);

    for _ in 0..2 {
        for (bundle, code) in [
            (first.clone(), "bundle-older"),
            (hub.bundle(4, &[root(rogue)]), "bundle-older"),
            (hub.bundle(6, &[root(rogue)]), "bundle-sequence-reused"),
        ] {
            hub.publish(&bundle);
            round(&holder).await;
            assert_eq!(codes(&holder), [code]);
            assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED, "{code}");
        }
        holder = holder.killed_and_started_again().await;
        // In force again before anything is fetched.
        assert_eq!(codes(&holder), [""; 0]);
        assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
        assert_eq!(
            registers(&holder, &a.app("https://killed.bundle.example")).await,
            "ok"
        );
    }
    // The very same one is no news, and nobody sends it twice.
    hub.publish(&last);
    round(&holder).await;
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    let asked = hub.server.asked();
    assert!(asked.last().unwrap().headers.contains_key("if-none-match"));
}

#[tokio::test]
async fn trust_that_rests_upon_a_bundle_ends_with_it() {
    // At the same time, since each waits.
    tokio::join!(lapses(FOLLOW, NOT_TRUSTED), lapses(REPORT, "ok"));
}

async fn lapses(settings: &str, of_member: &str) {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    let (member, newcomer) = (
        a.app("https://lapsed.bundle.example"),
        rogue.app("https://lapsed.bundle.example"),
    );
    let holder = hub.holder(settings).await;
    // It ends in 12 seconds.
    hub.publish(&sign(
        &hub.signer,
        1,
        22,
        &description(&[root(a), root(rogue)]),
    ));
    let ended = clock::now().plus_secs(14);
    round(&holder).await;
    assert_eq!(registers(&holder, &member).await, "ok");
    while clock::now() < ended {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    holder.server.reload_communities().await;
    assert_eq!(codes(&holder), ["bundle-lapsed"]);
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    // What the operator trusts by itself goes on, and rules stay as they were.
    assert_eq!(registers(&holder, &member).await, of_member);
    let holder = holder.killed_and_started_again().await;
    assert_eq!(codes(&holder), ["bundle-lapsed"]);
    assert_eq!(registers(&holder, &member).await, of_member);
    // A newer one mends it.
    hub.publish(&hub.bundle(2, &[root(a)]));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(registers(&holder, &member).await, "ok");
}

#[tokio::test]
async fn a_signer_that_is_revoked_later_takes_its_bundle_along() {
    let (a, rogue) = (&world().a, &world().rogue);
    let mut hub = Hub::new().await;
    hub.signer = world().auditors.app(&a.uri);
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(1, &[root(a), root(rogue)]));
    round(&holder).await;
    let newcomer = rogue.app("https://revoked.bundle.example");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
    world().auditors.revoke(hub.signer.leaf());
    holder.server.refresh().await;
    round(&holder).await;
    assert_eq!(codes(&holder), ["certificate-revoked", "bundle-lapsed"]);
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    hub.signer = world().auditors.app(&a.uri);
    hub.publish(&hub.bundle(2, &[root(a)]));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(
        registers(&holder, &a.app("https://mended.bundle.example")).await,
        "ok"
    );
}

const AUDIT: &str = "https://a.community.example/audit";

/// What a community rules applies, and nothing in it makes trust wider; what the operator set wins.
#[tokio::test]
async fn rules_apply_loosen_nothing_and_give_way_to_the_operators() {
    let a = &world().a;
    let hub = Hub::new().await;
    let holder = hub.holder(REPORT).await;
    let mut ruled = description(&[root(a)]);
    ruled["certifications"] = json!({"supported": [AUDIT], "required": [AUDIT]});
    ruled["revocation"] = json!("off");
    ruled["grace_secs"] = json!(86_400);
    hub.publish(&sign(&hub.signer, 1, DAY, &ruled));
    let required = async |holder: &Holder| {
        let json = holder.get("/fhir/.well-known/udap").await.json();
        json.get("udap_certifications_required").cloned()
    };
    assert_eq!(required(&holder).await, None);
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(required(&holder).await, Some(json!([AUDIT])));
    assert_eq!(
        registers(&holder, &a.app("https://ruled.bundle.example")).await,
        "400 invalid_client_metadata certification-required"
    );
    // Whoever cannot be asked about is refused as before.
    let silent = a.silent("https://silent.bundle.example", &[a.url("nowhere.crl")]);
    assert_eq!(
        registers(&holder, &silent).await,
        "400 unapproved_software_statement revocation-unavailable"
    );
    // Rules that cannot be read change nothing.
    let mut broken = description(&[root(a)]);
    broken["guide"] = json!("9.0");
    hub.publish(&sign(&hub.signer, 2, DAY, &broken));
    round(&holder).await;
    assert_eq!(codes(&holder), ["community-wrong-value"]);
    assert_eq!(required(&holder).await, Some(json!([AUDIT])));
    // The operator's own word.
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "anchors = \"a.anchor.pem\"\ncertifications_required = []\n";
    std::fs::write(&path, text.replace("anchors = \"a.anchor.pem\"\n", own)).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(required(&holder).await, Some(json!([])));
    assert_eq!(
        registers(&holder, &a.app("https://own.bundle.example")).await,
        "ok"
    );
    // Without a bundle its rules are gone.
    let start = text.find("[community.bundle]").unwrap();
    let end = text[start..].find("[[community]]").unwrap() + start;
    std::fs::write(&path, format!("{}{}", &text[..start], &text[end..])).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(required(&holder).await, None);
}

/// Whom the operator pins is no longer who signed: what was taken does not count, and neither does it
/// count after a restart.
#[tokio::test]
async fn another_pin_takes_the_bundle_away() {
    let rogue = &world().rogue;
    let hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(3, &[root(rogue)]));
    round(&holder).await;
    let newcomer = rogue.app("https://pin.bundle.example");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace(
            "signer_anchors = \"auditors.pem\"",
            "signer_anchors = \"nobody.pem\"",
        ),
    )
    .unwrap();
    holder.server.reload_communities().await;
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    round(&holder).await;
    assert_eq!(codes(&holder), ["chain-not-trusted"]);
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    std::fs::write(&path, text).unwrap();
    holder.server.reload_communities().await;
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(registers(&holder, &newcomer).await, "ok");
}

/// The file stays and names another anchor, while something has the name of the one that is gone.
#[tokio::test]
async fn another_anchor_in_the_same_file_takes_the_bundle_away() {
    let (auditors, rogue) = (&world().auditors, &world().rogue);
    let newcomer = rogue.app("https://file.bundle.example");
    let namesake = || auditors.namesake(Profile::Root);
    for (sent, anchor) in [
        (vec![], namesake()),
        (vec![namesake()], root(rogue).clone()),
    ] {
        let mut hub = Hub::new().await;
        hub.signer = hub
            .signer
            .with_chain([hub.signer.chain.clone(), sent].concat());
        let holder = hub.holder(FOLLOW).await;
        hub.publish(&hub.bundle(1, &[root(rogue)]));
        round(&holder).await;
        assert_eq!(registers(&holder, &newcomer).await, "ok");
        let file = holder.directory().join("auditors.pem");
        write_private(&file, anchor.to_pem().as_bytes());
        holder.server.reload_communities().await;
        assert_eq!(codes(&holder), ["bundle-lapsed"]);
        assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
        holder.server.fetch_bundles(clock::now()).await;
        assert_eq!(codes(&holder), ["signature-invalid", "bundle-lapsed"]);
    }
}

/// Whoever had the signer's key used up every sequence: the operator pins another key, and it counts anew.
#[tokio::test]
async fn another_pinned_key_begins_to_count_anew() {
    let (a, rogue) = (&world().a, &world().rogue);
    let mut hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(udap_proto::bundle::MAX_SEQUENCE, &[root(rogue)]));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    // Another certificate under the same anchors is no other pin.
    hub.signer = world().auditors.app(&a.uri);
    hub.publish(&hub.bundle(2, &[root(a)]));
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-older"]);
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let key = format!("signer_key_sha256 = \"{}\"", hub.signer.signer_sha256());
    std::fs::write(
        &path,
        text.replace("signer_anchors = \"auditors.pem\"", &key),
    )
    .unwrap();
    holder.server.reload_communities().await;
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    let (member, newcomer) = (
        a.app("https://anew.bundle.example"),
        rogue.app("https://anew.bundle.example"),
    );
    assert_eq!(registers(&holder, &member).await, "ok");
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    // From here on as ever.
    hub.publish(&hub.bundle(1, &[root(rogue)]));
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-older"]);
    // Back under the anchors as well.
    std::fs::write(&path, text).unwrap();
    holder.server.reload_communities().await;
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-older"]);
}

/// Another node may have written it down, or this one without learning so: what is written down is put in
/// force, and before that nobody is content with "not modified".
#[tokio::test]
async fn what_another_node_wrote_down_is_put_in_force() {
    let (a, rogue) = (&world().a, &world().rogue);
    let newcomer = rogue.app("https://written.bundle.example");
    for reachable in [true, false] {
        let hub = Hub::new().await;
        let holder = hub.holder(FOLLOW).await;
        hub.publish(&hub.bundle(5, &[root(a), root(rogue)]));
        round(&holder).await;
        assert_eq!(registers(&holder, &newcomer).await, "ok");
        // The other node takes the next one, in which the community took rogue away.
        let next = hub.bundle(6, &[root(a)]);
        sqlx::query("UPDATE community_bundle SET sequence = 6, bundle = $1")
            .bind(&next)
            .execute(&mut holder.database().await)
            .await
            .unwrap();
        match reachable {
            true => hub.publish(&next),
            false => *hub.published.lock().unwrap() = (404, String::new()),
        }
        round(&holder).await;
        assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
        let member = a.app("https://written.bundle.example");
        assert_eq!(registers(&holder, &member).await, "ok");
    }
}

/// A reload while a bundle is under way: it is asked for again, and whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_while_it_is_fetched_loses_no_bundle() {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(1, &[root(a), root(rogue)]));
    round(&holder).await;
    let newcomer = rogue.app("https://meanwhile.bundle.example");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
    hub.publish(&hub.bundle(2, &[root(a)]));
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("every = \"60s\"", "every = \"61s\"");
    let (asked, is_asked) = oneshot::channel();
    let (goes_on, go_on) = mpsc::channel();
    *hub.pause.lock().unwrap() = Some((asked, go_on));
    let reload = async {
        is_asked.await.unwrap();
        std::fs::write(&path, &text).unwrap();
        holder.server.reload_communities().await;
        goes_on.send(()).unwrap();
    };
    tokio::join!(round(&holder), reload);
    // In force is still the first one, and the next round is not content with "not modified".
    assert_eq!(registers(&holder, &newcomer).await, "ok");
    holder.server.fetch_bundles(clock::now()).await;
    assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
}

/// The operator pins another way to know the signer while the same bundle stands there.
#[tokio::test]
async fn the_same_bundle_is_taken_under_another_pin() {
    let rogue = &world().rogue;
    let hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(3, &[root(rogue)]));
    round(&holder).await;
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let key = format!("signer_key_sha256 = \"{}\"", hub.signer.signer_sha256());
    let text = text.replace("signer_anchors = \"auditors.pem\"", &key);
    std::fs::write(&path, text).unwrap();
    holder.server.reload_communities().await;
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    let newcomer = rogue.app("https://same.bundle.example");
    assert_eq!(registers(&holder, &newcomer).await, "ok");
}

/// That its signer was revoked is not forgotten with the process, where nobody can tell any more.
#[tokio::test]
async fn a_revoked_signer_does_not_come_back_with_a_restart() {
    let (a, rogue, auditors) = (&world().a, &world().rogue, &world().auditors);
    let newcomer = rogue.app("https://restart.bundle.example");
    for (crl, revocation) in [("require.crl", "require"), ("prefer.crl", "prefer")] {
        let mut hub = Hub::new().await;
        hub.signer = auditors.silent(&a.uri, &[auditors.url(crl)]);
        auditors.silent_crl(crl, &[]);
        let holder = hub
            .holder_of(FOLLOW, &format!("revocation = \"{revocation}\"\n"), "")
            .await;
        hub.publish(&hub.bundle(1, &[root(a), root(rogue)]));
        round(&holder).await;
        assert_eq!(registers(&holder, &newcomer).await, "ok");
        auditors.silent_crl(crl, &[hub.signer.leaf()]);
        holder.server.refresh().await;
        round(&holder).await;
        assert_eq!(codes(&holder), ["certificate-revoked", "bundle-lapsed"]);
        assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
        world().publish(&format!("auditors/{crl}"), b"nothing");
        let holder = holder.killed_and_started_again().await;
        assert_eq!(codes(&holder), ["bundle-lapsed"]);
        round(&holder).await;
        assert_eq!(registers(&holder, &newcomer).await, NOT_TRUSTED);
    }
}

/// A bundle cannot take another community's anchor for its own.
#[tokio::test]
async fn an_anchor_of_another_community_is_refused() {
    let (a, b) = (&world().a, &world().b);
    let hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(1, &[root(a), root(b)]));
    round(&holder).await;
    assert_eq!(codes(&holder), ["config-shared-anchor"]);
    assert_eq!(
        registers(&holder, &b.app("https://shared.bundle.example")).await,
        "ok"
    );
    hub.publish(&hub.bundle(1, &[root(a)]));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
}

impl Member {
    fn signer_sha256(&self) -> String {
        let sha256 = self.leaf().public_key().unwrap().sha256();
        sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
