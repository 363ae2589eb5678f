//! What the guide demands and no other module shows. Each test names its rows of the conformance matrix,
//! `crates/udap-house/data/conformance.tsv`.

use crate::scene::{APP, Scene, code};
use serde_json::json;
use udap_client::{ScopeSet, client_credentials};
use udap_testkit::Answer;

/// D-13.
#[tokio::test]
async fn a_refused_statement_is_not_sent_again() {
    let scene = Scene::new().await;
    let client = scene.client_of(&scene.pki.leaf(APP));
    let refusal = json!({"error": "unapproved_software_statement"});
    scene.serves(scene.good(), move |_| Answer::json(400, &refusal));
    let server = client.discover(&scene.base(), None).await.unwrap();
    let scope = ScopeSet::parse("system/Patient.rs");
    let app = client_credentials("Example app", &scope, &["mailto:ops@app.example"]);
    let refused = code(client.register(&server, &app).await);
    assert_eq!(refused, "registration-refused");
    let asked = scene.server.asked();
    let sent = asked.iter().filter(|asked| asked.path() == "/register");
    assert_eq!(sent.count(), 1);
}
