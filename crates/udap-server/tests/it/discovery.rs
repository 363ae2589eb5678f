//! `GET {base}/.well-known/smart-configuration` and `GET /.well-known/oauth-authorization-server{path}`

use crate::support::{BASE, Holder, REGISTER, TOKEN, request, world};
use http::Method;
use serde_json::{Value, json};

const SMART: &str = "/fhir/.well-known/smart-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server/fhir";

#[tokio::test]
async fn smart_configuration_says_what_there_is_and_no_more() {
    let holder = Holder::new().await;
    let reply = holder.get(SMART).await;
    assert_eq!(reply.status, 200);
    let expected = json!({
        "token_endpoint": TOKEN,
        "registration_endpoint": REGISTER,
        "jwks_uri": format!("{BASE}/oauth/jwks"),
        "introspection_endpoint": format!("{BASE}/oauth/introspect"),
        "revocation_endpoint": format!("{BASE}/oauth/revoke"),
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["system/Patient.rs", "system/Observation.rs"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "ES256", "ES384"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["permission-v1", "permission-v2"],
    });
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn oauth_metadata_says_what_there_is_and_no_more() {
    let holder = Holder::new().await;
    let reply = holder.get(OAUTH).await;
    assert_eq!(reply.status, 200);
    let algs = json!(["RS256", "RS384", "ES256", "ES384"]);
    let expected = json!({
        "issuer": BASE,
        "token_endpoint": TOKEN,
        "registration_endpoint": REGISTER,
        "jwks_uri": format!("{BASE}/oauth/jwks"),
        "introspection_endpoint": format!("{BASE}/oauth/introspect"),
        "revocation_endpoint": format!("{BASE}/oauth/revoke"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": ["system/Patient.rs", "system/Observation.rs"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algs,
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algs,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported": algs,
    });
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn both_agree_with_signed_metadata() {
    let holder = Holder::new().await;
    let udap = holder.get("/fhir/.well-known/udap").await.json();
    for target in [SMART, OAUTH] {
        let json = holder.get(target).await.json();
        for member in [
            "token_endpoint",
            "registration_endpoint",
            "grant_types_supported",
            "scopes_supported",
            "token_endpoint_auth_methods_supported",
        ] {
            assert_eq!(json[member], udap[member], "{target} {member}");
        }
        // Of all communities here, of one there.
        let member = "token_endpoint_auth_signing_alg_values_supported";
        let sorted = |json: &Value| {
            let mut algs: Vec<String> = serde_json::from_value(json[member].clone()).unwrap();
            algs.sort();
            algs
        };
        assert_eq!(sorted(&json), sorted(&udap), "{target}");
    }
}

#[tokio::test]
async fn anybody_may_read_and_keep_them_and_the_host_header_changes_nothing() {
    let holder = Holder::new().await;
    let headers = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
    ];
    for target in [SMART, OAUTH] {
        let plain = holder.get(target).await;
        assert_eq!(plain.header("content-type"), "application/json");
        assert_eq!(plain.header("cache-control"), "public, max-age=300");
        assert_eq!(plain.header("access-control-allow-origin"), "*");
        let other = format!("{target}?community={}", world().b.uri);
        for target in [target, &other] {
            let reply = holder
                .send(request(Method::GET, target, &headers, ""))
                .await;
            assert_eq!((reply.status, &reply.body), (plain.status, &plain.body));
        }
        let head = holder.send(request(Method::HEAD, target, &[], "")).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), plain.body.len().to_string());
        let post = holder.send(request(Method::POST, target, &[], "")).await;
        assert_eq!(
            (post.status.as_u16(), post.header("allow")),
            (405, "GET,HEAD")
        );
    }
}

/// RFC 8414 §3.1: the well-known path comes before the issuer's own, and nowhere else.
#[tokio::test]
async fn each_stands_at_its_own_place() {
    let holder = Holder::new().await;
    for target in [
        "/.well-known/smart-configuration",
        "/.well-known/smart-configuration/fhir",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/fhir/",
        "/.well-known/oauth-authorization-server/other",
        "/fhir/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(holder.get(target).await.status, 404, "{target}");
    }
}
