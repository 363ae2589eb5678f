//! `GET {base}/.well-known/udap`

use crate::support::{BASE, Holder, REGISTER, TOKEN, request, world};
use http::Method;
use serde_json::json;
use udap_pki::Anchor;
use udap_proto::jws::JwsAlg;
use udap_proto::metadata;
use udap_trust::clock;
use udap_trust::fetch::{FetchPolicy, Fetcher, TlsRoots};
use udap_trust::verify::{CommunityTrust, TrustEngine};

const PATH: &str = "/fhir/.well-known/udap";

fn query(uri: &str) -> String {
    url::form_urlencoded::Serializer::new(format!("{PATH}?"))
        .append_pair("community", uri)
        .finish()
}

#[tokio::test]
async fn it_has_every_required_element() {
    let holder = Holder::new().await;
    let reply = holder.get(PATH).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    let mut json = reply.json();
    json.as_object_mut().unwrap().remove("signed_metadata");
    let algs = ["RS256", "ES256", "RS384", "ES384"];
    let expected = json!({
        "udap_versions_supported": ["1"],
        "udap_profiles_supported": ["udap_dcr", "udap_authn", "udap_authz"],
        "udap_authorization_extensions_supported": ["hl7-b2b", "hl7-b2b-user"],
        "udap_authorization_extensions_required": ["hl7-b2b"],
        "udap_certifications_supported": [],
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["system/Patient.rs", "system/Observation.rs"],
        "token_endpoint": TOKEN,
        "registration_endpoint": REGISTER,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algs,
        "registration_endpoint_jwt_signing_alg_values_supported": algs,
    });
    assert_eq!(json, expected);
}

#[tokio::test]
async fn each_community_sees_metadata_signed_in_its_own_name() {
    let holder = Holder::new().await;
    let world = world();
    for (community, target) in [
        (&world.a, PATH.to_owned()),
        (&world.a, query(&world.a.uri)),
        (&world.b, query(&world.b.uri)),
    ] {
        let reply = holder.get(&target).await;
        assert_eq!(reply.status, 200, "{target}");
        let signed = metadata::verify_signature(&reply.body, &[JwsAlg::RS256]).unwrap();
        let anchors = vec![Anchor::new(community.root.certificate.clone())];
        let root = community.root.certificate.der().to_vec().into();
        let fetcher = Fetcher::new(FetchPolicy {
            allow_hosts: vec![world.web.clone()],
            tls_roots: TlsRoots::These(vec![root]),
        })
        .unwrap();
        let trust = CommunityTrust::new(&community.uri, anchors);
        let engine = TrustEngine::new(Some(fetcher), vec![trust]);
        let now = clock::now();
        let signer = signed.signer().clone();
        let verdict = engine
            .verify(&community.uri, signer.leaf(), signer.intermediates(), now)
            .await
            .unwrap();
        let verified = signed.verify(&verdict, BASE, now).unwrap();
        assert_eq!(verified.token_endpoint(), TOKEN);
        assert_eq!(verified.registration_endpoint(), REGISTER);
        assert_eq!(verified.authorization_endpoint(), None);
        assert!(verified.exp() > now.plus_secs(3600));
    }
}

#[tokio::test]
async fn a_community_that_is_not_served_has_no_content() {
    let holder = Holder::new().await;
    for target in [
        query("https://rogue.community.example"),
        query(""),
        // Compared byte for byte.
        query(&format!("{}/", world().a.uri)),
        query(&world().a.uri.to_uppercase()),
    ] {
        let reply = holder.get(&target).await;
        assert_eq!(reply.status, 204, "{target}");
        assert!(reply.body.is_empty());
        assert_eq!(reply.header("access-control-allow-origin"), "*");
    }
    // Other parameters are not for us.
    assert_eq!(
        holder.get(&format!("{PATH}?_format=json")).await.status,
        200
    );
}

#[tokio::test]
async fn head_says_the_same_without_a_body() {
    let holder = Holder::new().await;
    let get = holder.get(PATH).await;
    let head = holder.send(request(Method::HEAD, PATH, &[], "")).await;
    assert_eq!((head.status, head.body.len()), (get.status, 0));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
}

#[tokio::test]
async fn the_host_header_changes_nothing() {
    let holder = Holder::new().await;
    let headers = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
    ];
    let reply = holder.send(request(Method::GET, PATH, &headers, "")).await;
    assert_eq!(reply.text("token_endpoint"), TOKEN);
    let post = holder.send(request(Method::POST, PATH, &[], "")).await;
    assert_eq!(
        (post.status.as_u16(), post.header("allow")),
        (405, "GET,HEAD")
    );
}
