use serde_json::{Map, Value, json};
use udap_ca::{
    BundleOptions, Ca, CaError, Hierarchy, InitOptions, IssueOptions, Issued, PublishedBundle,
};
use udap_pki::issue::Profile;
use udap_proto::bundle::{Pinned, verify_signature};
use udap_proto::jws::JwsAlg;
use udap_trust::signer::{KeySigner, Signer as _};

use crate::fixture::{COMMUNITY, DAY, Fixture};

async fn signer(fixture: &Fixture, uris: &[&str]) -> (Issued, KeySigner) {
    let options = IssueOptions::new(Profile::App, "Example community");
    let options = uris.iter().fold(options, |options, uri| options.uri(*uri));
    let issued = fixture.ca.issue(options).await.unwrap();
    let key = KeySigner::from_pkcs8(issued.key.as_ref().unwrap()).unwrap();
    (issued, key)
}

async fn publish(
    ca: &Ca,
    (issued, key): &(Issued, KeySigner),
    description: Value,
    days: i64,
) -> Result<PublishedBundle, CaError> {
    let description: Map<String, Value> = description.as_object().unwrap().clone();
    ca.publish_bundle(BundleOptions {
        description,
        chain: &issued.chain,
        signer: key,
        lifetime_secs: days * DAY,
    })
    .await
}

#[tokio::test]
async fn the_sequence_rises_by_itself_and_the_last_one_is_handed_out() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.get("/bundle").await.status, 404);
    let by = signer(&fixture, &[COMMUNITY]).await;
    let first = publish(&fixture.ca, &by, json!({"profile": "ssraa-2.0"}), 30)
        .await
        .unwrap();
    assert_eq!(first.sequence, 1);
    let answer = fixture.get("/bundle").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/jwt")
    );
    assert_eq!(answer.body, first.compact.as_bytes());

    let pin = *by.1.public_key().sha256();
    let read = verify_signature(&first.compact, &[JwsAlg::ES256]).unwrap();
    let read = read
        .verify(Pinned::Key(&pin), COMMUNITY, fixture.clock.now())
        .unwrap();
    assert_eq!(read.anchors(), [fixture.ca.root_certificate().clone()]);
    assert_eq!(
        read.intermediates(),
        [fixture.ca.issuing_certificate().clone()]
    );
    assert_eq!(read.rules().get("profile"), Some(&json!("ssraa-2.0")));

    // Another process signs the next; whoever has the first one already gets the new one.
    let other = fixture.other_process().await;
    let second = publish(&other, &by, json!({}), 1).await.unwrap();
    assert_eq!(second.sequence, 2);
    fixture.ca.refresh().await.unwrap();
    let request = http::Request::get("/bundle").header("if-none-match", answer.header("etag"));
    let again = fixture
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!(
        (again.status.as_u16(), again.body.as_ref()),
        (200, second.compact.as_bytes())
    );
    let request = http::Request::get("/bundle").header("if-none-match", again.header("etag"));
    let unchanged = fixture
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    // So does one that was killed in between.
    drop(other);
    let third = publish(&fixture.other_process().await, &by, json!({}), 1)
        .await
        .unwrap();
    assert_eq!(third.sequence, 3);
}

#[tokio::test]
async fn what_no_member_would_take_is_not_published() {
    let fixture = Fixture::new().await;
    let by = signer(&fixture, &[COMMUNITY]).await;
    let member = signer(&fixture, &["https://app.example"]).await;
    let both = signer(&fixture, &[COMMUNITY, "https://app.example"]).await;
    let stranger = (by.0.clone(), member.1.clone());
    for (by, description, days, code) in [
        (&member, json!({}), 30, "ca-setting"),
        (&both, json!({}), 30, "ca-setting"),
        (&stranger, json!({}), 30, "ca-sign"),
        (&by, json!({}), 0, "ca-setting"),
        (&by, json!({}), 91, "ca-setting"),
        (
            &by,
            json!({"uri": "https://other.example"}),
            30,
            "bundle-community-mismatch",
        ),
        (
            &by,
            json!({"anchors": ["root.pem"]}),
            30,
            "bundle-certificates",
        ),
    ] {
        let error = publish(&fixture.ca, by, description.clone(), days)
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{description} {days}: {error}");
    }
    assert_eq!(fixture.get("/bundle").await.status, 404);
    // No sequence was spent.
    assert_eq!(
        publish(&fixture.ca, &by, json!({}), 30)
            .await
            .unwrap()
            .sequence,
        1
    );

    let directory = fixture.path().join("tls");
    let tls = Ca::init(&directory, InitOptions::new(Hierarchy::TlsServers))
        .await
        .unwrap();
    let error = publish(&tls, &by, json!({}), 30).await.unwrap_err();
    assert_eq!(error.code(), "ca-setting");
}
