//! What a community's rules decide: the version of the guide that it pins, and its ceiling.

use crate::support::{
    BASE, Holder, assertion, configuration_in, form, request, statement, world, write_private,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use udap_pki::issue::Profile;
use udap_pki::pem;
use udap_server::Server;
use udap_trust::keys::{KeyType, generate};
use udap_trust::signer::KeySigner;

/// Before 1.1 a member may sign its metadata with whatever the community has.
#[tokio::test]
async fn versions_of_the_guide_decide_what_signs_metadata() {
    for (settings, expected) in [
        ("guide = \"1.0\"\n", Ok("ES256")),
        ("guide = \"1.1\"\n", Err("identity-not-rsa")),
        ("guide = \"2.0\"\n", Err("identity-not-rsa")),
        (
            "guide = \"1.0\"\nalgorithms = [\"RS256\", \"ES384\"]\n",
            Err("identity-algorithm"),
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let text = configuration_in(directory.path());
        let der = generate(KeyType::P256).unwrap();
        let key = KeySigner::from_pkcs8(&der).unwrap();
        let member = world().a.member(&[BASE]).profile(Profile::DataHolder);
        let chain: String = member
            .key(&key)
            .issue()
            .chain
            .iter()
            .map(|c| c.to_pem())
            .collect();
        write_private(&directory.path().join("a.cert.pem"), chain.as_bytes());
        let key = pem::encode("PRIVATE KEY", &der);
        write_private(&directory.path().join("a.key.pem"), key.as_bytes());
        let anchors = "anchors = \"a.anchor.pem\"\n";
        let text = text.replacen(anchors, &format!("{anchors}{settings}"), 1);
        let path = directory.path().join("udap.toml");
        let config = udap_host::config::parse(&path, &text).unwrap();
        let server = match (Server::open(&config).await, expected) {
            (Ok(server), Ok(_)) => server,
            (Err(error), Err(code)) => {
                assert_eq!(error.code(), code, "{settings}");
                continue;
            }
            (found, _) => panic!("{settings}: {:?}", found.map(|_| ())),
        };
        let holder = Holder::of(server, config, directory);
        let metadata = holder.get("/fhir/.well-known/udap").await.json();
        let header = metadata["signed_metadata"]
            .as_str()
            .unwrap()
            .split('.')
            .next()
            .unwrap();
        let header: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        assert_eq!(header["alg"], expected.unwrap());
    }
}

#[tokio::test]
async fn versions_of_the_guide_decide_whether_a_scope_must_be_asked_for() {
    let guide = |version: &str| {
        let anchors = "anchors = \"a.anchor.pem\"\n";
        let more = format!("{anchors}guide = \"{version}\"\n");
        move |text: String| text.replacen(anchors, &more, 1)
    };
    let without = |jwt: &str| {
        let mut fields = form(jwt);
        fields.retain(|(name, _)| *name != "scope");
        crate::support::encoded(&fields)
    };
    for (version, expected) in [("1.0", 200), ("1.1", 200), ("2.0", 400)] {
        let holder = Holder::edited(guide(version)).await;
        let app = world().a.app("https://scopeless.app.example");
        let id = holder.registered(&app).await;
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let body = without(&assertion(&app, &id).sign());
        let reply = holder
            .send(request(Method::POST, "/fhir/oauth/token", &kind, body))
            .await;
        assert_eq!(reply.status, expected, "{version}: {reply}");
        if expected == 200 {
            // Without one, what is registered; and the answer says so.
            assert_eq!(reply.text("scope"), crate::support::SCOPES);
        } else {
            assert_eq!(reply.refusal(), "400 invalid_request parameter-missing");
        }
        let unknown = holder
            .get("/fhir/.well-known/udap?community=urn:oid:9.9")
            .await;
        assert_eq!(
            unknown.status,
            if version == "2.0" { 204 } else { 404 },
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_community_may_have_a_ceiling() {
    let holder = Holder::edited(|text| {
        let anchors = "anchors = \"a.anchor.pem\"\n";
        text.replacen(
            anchors,
            &format!("{anchors}scopes = [\"system/Patient.rs\"]\n"),
            1,
        )
    })
    .await;
    let metadata = holder.get("/fhir/.well-known/udap").await.json();
    assert_eq!(metadata["scopes_supported"], json!(["system/Patient.rs"]));
    let app = world().a.app("https://ceiling.app.example");
    let reply = holder.register(&statement(&app).sign()).await;
    assert_eq!(reply.text("scope"), "system/Patient.rs");
    // What was registered before the ceiling came down is not granted either.
    let lowered = holder
        .restarted_with(|config| {
            let rules = Arc::make_mut(&mut config.communities[0].rules);
            rules.scopes = Some(udap_proto::scope::ScopeSet::parse("system/Observation.rs"));
        })
        .await;
    let id = reply.text("client_id");
    let reply = lowered.token(&assertion(&app, &id).sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_scope scope-none-granted");
}

/// What a community does not list it does not take, and nobody is told otherwise.
#[tokio::test]
async fn a_community_may_know_rs256_alone() {
    let holder = Holder::edited(|text| {
        let anchors = "anchors = \"a.anchor.pem\"\n";
        text.replacen(anchors, &format!("{anchors}algorithms = [\"RS256\"]\n"), 1)
    })
    .await;
    let metadata = holder.get("/fhir/.well-known/udap").await.json();
    for list in [
        "token_endpoint_auth_signing_alg_values_supported",
        "registration_endpoint_jwt_signing_alg_values_supported",
    ] {
        assert_eq!(metadata[list], json!(["RS256"]), "{list}");
    }
    let uri = "https://rs256.app.example";
    let (rsa, ec) = (
        world()
            .a
            .member(&[uri])
            .key(&crate::support::rsa(1).0)
            .issue(),
        world().a.app(uri),
    );
    let id = holder.registered(&rsa).await;
    assert_eq!(holder.token(&assertion(&rsa, &id).sign()).await.status, 200);
    // Community b takes ES256, and says nothing for this member.
    let reply = holder.register(&statement(&ec).sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 unapproved_software_statement chain-not-trusted"
    );
    let reply = holder.token(&assertion(&ec, &id).sign()).await;
    assert_eq!(reply.refusal(), "400 invalid_request jwt-alg-refused");
}
