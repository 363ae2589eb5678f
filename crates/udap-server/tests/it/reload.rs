//! Communities that change while the server runs.

use crate::support::{
    BASE, DAY, Holder, Member, assertion, rsa, statement, world, write_identity, write_private,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use udap_host::metrics::Metrics;
use udap_host::token_status::{TokenState, TokenStatus as _};
use udap_pki::Certificate;
use udap_pki::issue::Profile;
use udap_proto::access_token;
use udap_trust::clock;

const METADATA: &str = "/fhir/.well-known/udap";

/// The leaf that metadata is signed with.
async fn leaf(holder: &Holder) -> Vec<u8> {
    let signed = holder.get(METADATA).await.text("signed_metadata");
    let header = URL_SAFE_NO_PAD
        .decode(signed.split('.').next().unwrap())
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    STANDARD.decode(header["x5c"][0].as_str().unwrap()).unwrap()
}

async fn token(holder: &Holder, app: &Member, client: &str) -> Result<String, String> {
    let reply = holder.token(&assertion(app, client).sign()).await;
    if reply.status != 200 {
        return Err(reply.refusal());
    }
    let keys = holder.server.keys();
    let token = reply.text("access_token");
    let token = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
    Ok(token.jti().to_owned())
}

fn trouble(holder: &Holder) -> Vec<(Option<String>, &'static str)> {
    let trouble = holder.server.trouble().into_iter();
    trouble
        .map(|trouble| (trouble.community, trouble.code))
        .collect()
}

#[tokio::test]
async fn an_anchor_that_is_taken_away_takes_trust_and_tokens_along() {
    let holder = Holder::new().await;
    let (app, other) = (
        world().a.app("https://anchor.reload.example"),
        world().b.app("https://anchor.reload.example"),
    );
    let (id, other_id) = (
        holder.registered(&app).await,
        holder.registered(&other).await,
    );
    let jti = token(&holder, &app, &id).await.unwrap();
    let other_jti = token(&holder, &other, &other_id).await.unwrap();

    let anchor = holder.directory().join("a.anchor.pem");
    let rogue = world().rogue.root.certificate.to_pem();
    write_private(&anchor, rogue.as_bytes());
    holder.server.reload_communities().await;
    assert_eq!(
        token(&holder, &app, &id).await.unwrap_err(),
        "400 invalid_client chain-not-trusted"
    );
    let again = holder.register(&statement(&app).sign()).await;
    assert_eq!(
        again.refusal(),
        "400 unapproved_software_statement chain-not-trusted"
    );
    let ended = TokenState::Ended {
        code: "chain-not-trusted",
    };
    assert_eq!(holder.server.of(&id, &jti).await, ended);
    // The other community and its tokens are as they were.
    assert_eq!(
        holder.server.of(&other_id, &other_jti).await,
        TokenState::Active
    );
    assert!(token(&holder, &other, &other_id).await.is_ok());
    assert_eq!(trouble(&holder), []);
    assert_eq!(holder.server.community_reloads(), (1, 0));

    let good = world().a.root.certificate.to_pem();
    write_private(&anchor, good.as_bytes());
    holder.server.reload_communities().await;
    assert!(token(&holder, &app, &id).await.is_ok());
    // What ended stays ended.
    assert_eq!(holder.server.of(&id, &jti).await, ended);
}

/// What makes a refusal say something else than that the anchor is gone: what was sent along by the app, the
/// anchor in its place, and the code of the refusal.
fn disguises() -> Vec<(Vec<Certificate>, Certificate, &'static str)> {
    let (a, rogue) = (&world().a, &world().rogue.root.certificate);
    let root = || a.namesake(Profile::Root);
    let member = a.namesake(Profile::App);
    vec![
        (vec![], root(), "signature-invalid"),
        (vec![root()], rogue.clone(), "signature-invalid"),
        (vec![member], rogue.clone(), "not-a-ca"),
    ]
}

#[tokio::test]
async fn an_anchor_that_is_gone_takes_tokens_along_whatever_else_has_its_name() {
    for (sent, anchor, code) in disguises() {
        let holder = Holder::new().await;
        let app = world().a.app("https://disguised.reload.example");
        let app = app.with_chain([app.chain.clone(), sent].concat());
        let id = holder.registered(&app).await;
        let jti = token(&holder, &app, &id).await.unwrap();
        let file = holder.directory().join("a.anchor.pem");
        write_private(&file, anchor.to_pem().as_bytes());
        holder.server.reload_communities().await;
        let ended = TokenState::Ended {
            code: "chain-not-trusted",
        };
        assert_eq!(holder.server.of(&id, &jti).await, ended, "{code}");
        // The app is told what is wrong with what it sent.
        let refused = token(&holder, &app, &id).await.unwrap_err();
        assert_eq!(refused, format!("400 invalid_client {code}"));
    }
}

/// Another anchor beside the old one, while nobody can say who is revoked.
#[tokio::test]
async fn an_outage_during_an_exchange_ends_no_tokens() {
    let (holder, a) = (Holder::new().await, &world().a);
    let crl = "outage.reload.crl";
    a.silent_crl(crl, &[]);
    let app = a.silent("https://outage.reload.example", &[a.url(crl)]);
    let id = holder.registered(&app).await;
    let jti = token(&holder, &app, &id).await.unwrap();
    world().publish(&format!("a/{crl}"), b"nothing");
    let anchors = [&a.root.certificate, &world().rogue.root.certificate].map(Certificate::to_pem);
    let file = holder.directory().join("a.anchor.pem");
    write_private(&file, anchors.concat().as_bytes());
    holder.server.reload_communities().await;
    assert_eq!(
        token(&holder, &app, &id).await.unwrap_err(),
        "400 invalid_client revocation-unavailable"
    );
    assert_eq!(holder.server.of(&id, &jti).await, TokenState::Active);
}

#[tokio::test]
async fn a_renewed_identity_signs_metadata_at_once() {
    let holder = Holder::new().await;
    let before = leaf(&holder).await;
    holder.server.reload_communities().await;
    assert_eq!(leaf(&holder).await, before, "nothing changed");
    assert_eq!(holder.server.community_reloads(), (0, 0));
    let epoch = world().a.app("https://identity.reload.example");
    let id = holder.registered(&epoch).await;
    let renewed = write_identity(holder.directory(), "a", world().a.member(&[BASE]), 2);
    holder.server.reload_communities().await;
    assert_eq!(leaf(&holder).await, renewed.leaf().der());
    assert!(token(&holder, &epoch, &id).await.is_ok());
    assert_eq!(holder.server.community_reloads(), (1, 0));
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_reported_until_it_is_mended() {
    let holder = Holder::edited(|text| {
        text.replacen("anchors = \"a.anchor.pem\"", "anchors = \"a.anchor.pem\"\ncertifier_anchors = \"auditors.pem\"\nintermediates = \"auditors.pem\"", 1)
    })
    .await;
    let app = world().a.app("https://broken.reload.example");
    let id = holder.registered(&app).await;
    let before = leaf(&holder).await;
    let a = Some(world().a.uri.clone());
    let other_key = rsa(1).1;
    let shared = world().b.root.certificate.to_pem();
    let own = world().a.root.certificate.to_pem();
    let elsewhere = |name: &str| holder.directory().join(name);
    let kept = std::fs::read(elsewhere("a.cert.pem")).unwrap();
    write_identity(
        holder.directory(),
        "a",
        world().a.member(&["https://other.example"]),
        0,
    );
    let wrong_name = std::fs::read(elsewhere("a.cert.pem")).unwrap();
    write_private(&elsewhere("a.cert.pem"), &kept);
    holder.server.reload_communities().await;

    for (file, bytes, code) in [
        (
            "a.anchor.pem",
            Some(&b"junk"[..]),
            "config-certificate-file",
        ),
        ("a.anchor.pem", Some(b""), "config-certificate-file"),
        ("a.anchor.pem", None, "config-unreadable"),
        (
            "a.anchor.pem",
            Some(shared.as_bytes()),
            "config-shared-anchor",
        ),
        ("auditors.pem", Some(b"junk"), "config-certificate-file"),
        (
            "auditors.pem",
            Some(own.as_bytes()),
            "config-certifiers-unnamed",
        ),
        ("a.cert.pem", Some(b"junk"), "config-certificate-file"),
        ("a.cert.pem", Some(&wrong_name), "san-uri-mismatch"),
        ("a.key.pem", Some(b"junk"), "key-unreadable"),
        (
            "a.key.pem",
            Some(other_key.as_bytes()),
            "community-key-mismatch",
        ),
        ("a.key.pem", None, "config-unreadable"),
    ] {
        let path = holder.directory().join(file);
        let good = std::fs::read(&path).unwrap();
        match bytes {
            Some(bytes) => write_private(&path, bytes),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let failures = holder.server.community_reloads().1;
        for _ in 0..2 {
            holder.server.reload_communities().await;
            assert_eq!(trouble(&holder), [(a.clone(), code)], "{file}");
        }
        // Told once, and looked at again each time.
        assert_eq!(holder.server.community_reloads().1, failures + 1, "{file}");
        assert!(token(&holder, &app, &id).await.is_ok(), "{file}");
        let leaf = leaf(&holder).await;
        write_private(&path, &good);
        holder.server.reload_communities().await;
        assert_eq!(trouble(&holder), [], "{file}");
        assert!(!leaf.is_empty());
    }
    assert_eq!(leaf(&holder).await, before);
    let metrics =
        Metrics::new(|registry| holder.server.register_metrics(&holder.config, registry)).encode();
    for line in [
        "udap_community_reloads_failed_total 11",
        "udap_community_trouble 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_community_that_is_no_longer_configured_is_gone_with_its_tokens() {
    let holder = Holder::edited(|text| text).await;
    let (app, other) = (
        world().a.app("https://gone.reload.example"),
        world().b.app("https://gone.reload.example"),
    );
    let (id, other_id) = (
        holder.registered(&app).await,
        holder.registered(&other).await,
    );
    let jti = token(&holder, &app, &id).await.unwrap();
    let other_jti = token(&holder, &other, &other_id).await.unwrap();
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let second = text.rfind("[[community]]").unwrap();

    std::fs::write(&path, &text[..second]).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(
        token(&holder, &other, &other_id).await.unwrap_err(),
        "400 invalid_client community-unknown"
    );
    let ended = TokenState::Ended {
        code: "community-unknown",
    };
    assert_eq!(holder.server.of(&other_id, &other_jti).await, ended);
    let query = format!("{METADATA}?community={}", world().b.uri);
    assert_eq!(holder.get(&query).await.status, 204);
    assert_eq!(holder.server.of(&id, &jti).await, TokenState::Active);

    // A file that is broken takes nothing away.
    std::fs::write(&path, "base_url = ").unwrap();
    holder.server.reload_communities().await;
    assert_eq!(trouble(&holder), [(None, "config-syntax")]);
    assert!(token(&holder, &app, &id).await.is_ok());
    // It comes back, and so do its clients.
    std::fs::write(&path, &text).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(trouble(&holder), []);
    assert!(token(&holder, &other, &other_id).await.is_ok());
    assert_eq!(holder.get(&query).await.status, 200);
}

#[tokio::test]
async fn metadata_ends_with_the_certificate_that_signed_it() {
    let holder = Holder::made(|directory, text| {
        let expired = world().a.member(&[BASE]).valid(-30 * DAY, -60);
        write_identity(directory, "a", expired, 0);
        text
    })
    .await;
    let a = Some(world().a.uri.clone());
    let reply = holder.get(METADATA).await;
    assert_eq!(
        reply.refusal(),
        "503 temporarily_unavailable identity-expired"
    );
    assert_eq!(trouble(&holder), [(a, "identity-expired")]);
    // Another community's metadata is as good as ever, and so is what is registered already.
    let query = format!("{METADATA}?community={}", world().b.uri);
    assert_eq!(holder.get(&query).await.status, 200);
    let app = world().a.app("https://expired.reload.example");
    let id = holder.registered(&app).await;
    assert!(token(&holder, &app, &id).await.is_ok());

    let renewed = write_identity(holder.directory(), "a", world().a.member(&[BASE]), 2);
    holder.server.reload_communities().await;
    assert_eq!(leaf(&holder).await, renewed.leaf().der());
    assert_eq!(trouble(&holder), []);
}

#[tokio::test]
async fn what_is_required_by_now_is_looked_at_again() {
    let required = "certifications_supported = [\"https://c.example/audit\"]\ncertifications_required = [\"https://c.example/audit\"]\n";
    let holder = Holder::edited(|text| text).await;
    let app = world().b.app("https://required.reload.example");
    let id = holder.registered(&app).await;
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{required}")).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(trouble(&holder), []);
    let json = holder
        .get(&format!("{METADATA}?community={}", world().b.uri))
        .await
        .json();
    assert_eq!(
        json["udap_certifications_required"],
        json!(["https://c.example/audit"])
    );
    holder.server.watch_certifications(clock::now()).await;
    assert_eq!(
        token(&holder, &app, &id).await.unwrap_err(),
        "400 invalid_client certification-lapsed"
    );
}

/// What an app asserted last is remembered, with what its community says of it: no longer than the community
/// says so.
#[tokio::test]
async fn what_was_asserted_before_is_judged_by_the_rules_of_today() {
    let holder = Holder::edited(|text| text).await;
    let app = world().b.app("https://asserted.reload.example");
    let id = holder.registered(&app).await;
    for _ in 0..3 {
        token(&holder, &app, &id).await.unwrap();
    }
    // Another assertion of the same client is another matter, and leaves the first one as it was.
    let mut other = assertion(&app, &id);
    other.claims["extensions"]["hl7-b2b"]["purpose_of_use"] = json!("no code");
    assert_eq!(
        holder.token(&other.sign()).await.refusal(),
        "400 invalid_grant extension-member-malformed"
    );
    token(&holder, &app, &id).await.unwrap();

    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let described = format!(
        "profile = \"ssraa-2.0\"\nuri = \"{}\"\n\
         [extensions.hl7-b2b.members.organization_name]\nrequired = true\n",
        world().b.uri
    );
    std::fs::write(holder.directory().join("b.toml"), described).unwrap();
    std::fs::write(&path, format!("{text}definition = \"b.toml\"\n")).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(trouble(&holder), []);
    assert_eq!(
        token(&holder, &app, &id).await.unwrap_err(),
        "400 invalid_grant extension-member-missing"
    );
    std::fs::write(&path, text).unwrap();
    holder.server.reload_communities().await;
    token(&holder, &app, &id).await.unwrap();
}
