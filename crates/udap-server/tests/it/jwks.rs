//! `GET {base}/oauth/jwks`

use crate::support::Holder;
use udap_proto::jwk::JwkSet;

#[tokio::test]
async fn it_has_the_public_key_that_signs_access_tokens_and_no_private_part() {
    let holder = Holder::new().await;
    let reply = holder.get("/fhir/oauth/jwks").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    let json = reply.json();
    let keys = json["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let key = keys[0].as_object().unwrap();
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&"EC".into(), &"P-256".into(), &"ES256".into())
    );
    for private in ["d", "p", "q", "k"] {
        assert!(!key.contains_key(private));
    }
    let set = JwkSet::from_json(json.as_object().unwrap()).unwrap();
    assert_eq!(set.to_json(), holder.server.keys().to_json());
}

#[tokio::test]
async fn the_key_outlives_the_process() {
    let holder = Holder::new().await;
    let before = holder.get("/fhir/oauth/jwks").await.json();
    let holder = holder.killed_and_started_again().await;
    assert_eq!(holder.get("/fhir/oauth/jwks").await.json(), before);
}
