//! What a bundle may not do: touch other communities, or loosen what the operator has.

use crate::bundle::{FOLLOW, Hub, REPORT, codes, description, registers, root, round, sign};
use crate::certifications::{self, PRIVACY, privacy};
use crate::support::{DAY, Holder, assertion, world, write_private};
use serde_json::json;
use udap_host::db::sqlx;
use udap_pki::Certificate;

/// Where anchors are not followed, a bundle takes back none of what the operator's description and profile
/// demand, and lets nobody certify who did not; it may demand more.
#[tokio::test]
async fn without_follow_a_bundle_loosens_nothing() {
    let a = &world().a;
    let of_a = "definition = \"a.toml\"\n";
    let mut ruled = description(&[root(a)]);
    ruled["extensions"] = json!({"hl7-b2b": {"use": "supported"}});
    ruled["scopes"] = json!(["system/*.cruds"]);
    ruled["certifications"] = json!({
        "supported": [PRIVACY], "required": [PRIVACY], "self_signed": [PRIVACY],
    });
    for (settings, follow) in [(REPORT, false), (FOLLOW, true)] {
        let hub = Hub::new().await;
        let holder = hub.holder_of(settings, of_a, "").await;
        let said = async || {
            let json = holder.get("/fhir/.well-known/udap").await.json();
            ["udap_authorization_extensions_required", "scopes_supported"]
                .map(|name| json.get(name).cloned())
        };
        let before = said().await;
        assert_eq!(before[0], Some(json!(["hl7-b2b"])));
        hub.publish(&sign(&hub.signer, 1, DAY, &ruled));
        round(&holder).await;
        assert_eq!(holder.server.trouble(), [], "follow: {follow}");
        let [required, scopes] = said().await;
        assert_eq!(required == before[0], !follow, "{required:?}");
        assert_eq!(scopes == before[1], !follow, "{scopes:?}");
        let app = a.app("https://loosens.bundle.example");
        let own = [privacy(&app).sign()];
        let reply = certifications::register(&holder, &app, &own).await;
        match follow {
            true => assert_eq!(reply.status, 201, "{reply}"),
            false => assert_eq!(
                reply.refusal(),
                "400 unapproved_certification certification-self-signed"
            ),
        }
    }
}

/// What a community signs for another's CA counts for nobody: neither without its anchors being followed
/// nor with.
#[tokio::test]
async fn a_bundle_leaves_the_cas_of_other_communities_alone() {
    let (a, b) = (&world().a, &world().b);
    let issuing = &b.issuing.certificate;
    let crossed = a.cross("Community b issuing CA", issuing, "root.crl");
    let member = b.app("https://alone.bundle.example");
    let of_b = "intermediates = \"b.issuing.pem\"\n";
    let named = |anchors: &[&Certificate], intermediates: &[&Certificate]| {
        let mut named = description(anchors);
        let pem = intermediates.iter().map(|ca| ca.to_pem());
        named["intermediates"] = pem.collect::<Vec<_>>().into();
        named
    };

    let hub = Hub::new().await;
    let holder = hub.holder(REPORT).await;
    hub.publish(&sign(&hub.signer, 1, DAY, &named(&[root(a)], &[&crossed])));
    round(&holder).await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(registers(&holder, &member).await, "ok");

    for (of_b, named) in [
        (of_b, named(&[root(a)], &[&crossed])),
        (of_b, named(&[root(a)], &[issuing])),
        (of_b, named(&[root(a), &crossed], &[])),
        (of_b, named(&[root(a), issuing], &[])),
        // Of one member alone.
        (of_b, named(&[root(a), member.leaf()], &[])),
        // Its root is known, and that it issued this one.
        ("", named(&[root(a), issuing], &[])),
        ("", named(&[root(a)], &[issuing])),
    ] {
        let holder = hub.holder_of(FOLLOW, "", of_b).await;
        hub.publish(&sign(&hub.signer, 1, DAY, &named));
        round(&holder).await;
        assert_eq!(codes(&holder), ["config-shared-anchor"]);
        assert_eq!(registers(&holder, &member).await, "ok");
        // Nothing of it was taken.
        hub.publish(&hub.bundle(1, &[root(a)]));
        round(&holder).await;
        assert_eq!(codes(&holder), [""; 0]);
        let own = a.app("https://alone.bundle.example");
        assert_eq!(registers(&holder, &own).await, "ok");
    }
}

/// What is no CA is one member, of whichever community: the operator alone may say that it counts.
#[tokio::test]
async fn an_anchor_that_is_no_ca_is_the_operators_to_name() {
    let (a, b) = (&world().a, &world().b);
    let member = b.app("https://leaf.bundle.example");
    let hub = Hub::new().await;
    hub.publish(&hub.bundle(1, &[root(a), member.leaf()]));
    // The CA that issued it is not known to be another community's.
    let holder = hub.holder(FOLLOW).await;
    round(&holder).await;
    assert_eq!(codes(&holder), ["bundle-anchors-proposed"]);
    assert_eq!(registers(&holder, &member).await, "ok");

    let leaf = world().rogue.app("https://pinned.bundle.example");
    hub.publish(&hub.bundle(2, &[root(a), leaf.leaf()]));
    round(&holder).await;
    let refused = "400 unapproved_software_statement chain-not-trusted";
    assert_eq!(registers(&holder, &leaf).await, refused);
    let pem = leaf.leaf().to_pem();
    write_private(&holder.directory().join("leaf.pem"), pem.as_bytes());
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "anchors = [\"a.anchor.pem\", \"leaf.pem\"]";
    std::fs::write(&path, text.replace("anchors = \"a.anchor.pem\"", own)).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(codes(&holder), [""; 0]);
    assert_eq!(registers(&holder, &leaf).await, "ok");
}

/// A community named a root before the one whose it is: what the operator configures decides.
#[tokio::test]
async fn a_configured_anchor_counts_more_than_one_of_a_bundle() {
    let (a, rogue) = (&world().a, &world().rogue);
    let hub = Hub::new().await;
    let holder = hub.holder(FOLLOW).await;
    hub.publish(&hub.bundle(1, &[root(a), root(rogue)]));
    round(&holder).await;
    let newcomer = rogue.app("https://squat.bundle.example");
    let id = holder.registered(&newcomer).await;
    let token = holder.token(&assertion(&newcomer, &id).sign()).await;
    assert_eq!(token.status, 200);
    let path = holder.directory().join("udap.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let both = "anchors = [\"b.anchor.pem\", \"nobody.pem\"]";
    let text = text.replace("anchors = \"b.anchor.pem\"", both);
    std::fs::write(&path, &text).unwrap();
    let of_b = async |holder: &Holder| {
        assert_eq!(codes(holder), ["config-shared-anchor"]);
        assert_eq!(registers(holder, &newcomer).await, "ok");
        let own = a.app("https://squatting.bundle.example");
        assert_eq!(registers(holder, &own).await, "ok");
        let mut database = holder.database().await;
        sqlx::query_scalar::<_, String>(
            "SELECT community FROM registration WHERE uri = 'https://squat.bundle.example' ORDER BY community DESC",
        )
        .fetch_one(&mut database)
        .await
        .unwrap()
    };
    holder.server.reload_communities().await;
    assert_eq!(of_b(&holder).await, world().b.uri);
    let holder = holder.killed_and_started_as_configured().await;
    assert_eq!(of_b(&holder).await, world().b.uri);
    // The operator changes their mind.
    std::fs::write(&path, text.replace(both, "anchors = \"b.anchor.pem\"")).unwrap();
    holder.server.reload_communities().await;
    assert_eq!(codes(&holder), [""; 0]);
}
