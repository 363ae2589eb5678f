//! Clients that their TLS certificate tells (UDAP Mutual TLS; RFC 8705).

use crate::about_token::{INTROSPECT, REVOKE};
use crate::support::bound::{CERTIFIED, bound, by_certificate, certified, edited, post, shows};
use crate::support::{BASE, Holder, Member, Reply, TOKEN, assertion, form, statement, world};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use udap_host::config::{Config, DpopRule};
use udap_host::listen::{ClientCertificateError, MutualTls};
use udap_host::token_status::{Member as Served, TokenState, TokenStatus as _};
use udap_proto::access_token::{self, VerifiedAccessToken};
use udap_proto::community::{Community, Definition};
use udap_proto::token::JWT_BEARER;
use udap_trust::clock;
use udap_trust::random;

const TARGET: &str = "/fhir/oauth/token";
const OFFERED: &str = "tls_client_auth = true\ncertificate_access = true";

async fn holder() -> Holder {
    bound("", OFFERED).await
}

/// An app of its own for a test, and its `client_id`.
async fn app(holder: &Holder, name: &str) -> (Member, String) {
    let app = world().a.app(&format!("https://{name}.mtls.example"));
    let id = certified(holder, &app).await;
    (app, id)
}

async fn ask(holder: &Holder, id: &str, tls: Option<MutualTls>) -> Reply {
    post(holder, TARGET, &by_certificate(id), tls, &[]).await
}

fn read(holder: &Holder, reply: &Reply) -> VerifiedAccessToken {
    assert_eq!(reply.status, 200, "{reply}");
    let keys = holder.server.keys();
    let token = reply.text("access_token");
    access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap()
}

fn hash(member: &Member) -> String {
    URL_SAFE_NO_PAD.encode(member.leaf().sha256())
}

#[tokio::test]
async fn an_app_registers_to_be_known_by_its_certificate_and_gets_a_bound_token() {
    let holder = holder().await;
    let (app, id) = app(&holder, "first").await;
    let reply = ask(&holder, &id, shows(&app)).await;
    let token = read(&holder, &reply);
    assert_eq!(token.client_id(), id);
    assert_eq!(token.uri(), "https://first.mtls.example");
    assert_eq!(token.cnf().certificate, Some(*app.leaf().sha256()));
    assert_eq!(reply.text("token_type"), "Bearer");
    // Another certificate of the same app, as after a renewal.
    let renewed = world().a.app("https://first.mtls.example");
    let token = read(&holder, &ask(&holder, &id, shows(&renewed)).await);
    assert_eq!(token.cnf().certificate, Some(*renewed.leaf().sha256()));
}

/// UDAP Mutual TLS §2: the guide fixes the method, so a community has this one only where it says so.
#[tokio::test]
async fn it_is_offered_by_the_communities_that_say_so_and_by_no_other() {
    let holder = holder().await;
    let both = json!(["private_key_jwt", "tls_client_auth"]);
    let methods = async |query: &str| {
        let reply = holder.get(&format!("/fhir/.well-known/udap{query}")).await;
        reply.json()["token_endpoint_auth_methods_supported"].clone()
    };
    let other = format!("?community={}", world().b.uri);
    assert_eq!(methods("").await, both);
    assert_eq!(methods(&other).await, json!(["private_key_jwt"]));
    let stranger = world().b.app("https://guide.mtls.example");
    let jwt = statement(&stranger).claim("token_endpoint_auth_method", "tls_client_auth");
    let refused = "400 invalid_client_metadata parameter-invalid";
    assert_eq!(holder.register(&jwt.sign()).await.refusal(), refused);
    let usual = Holder::new().await;
    let app = world().a.app("https://usual.mtls.example");
    for (claim, value) in [
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("tls_client_certificate_bound_access_tokens", json!(true)),
        ("dpop_bound_access_tokens", json!(true)),
    ] {
        let jwt = statement(&app).claim(claim, value);
        assert_eq!(
            usual.register(&jwt.sign()).await.refusal(),
            refused,
            "{claim}"
        );
    }
    let reply = usual
        .get("/fhir/.well-known/smart-configuration")
        .await
        .json();
    assert_eq!(reply.get("mtls_endpoint_aliases"), None);
    assert_eq!(reply.get("dpop_signing_alg_values_supported"), None);
    let methods = &reply["token_endpoint_auth_methods_supported"];
    assert_eq!(*methods, json!(["private_key_jwt"]));
}

#[tokio::test]
async fn discovery_names_the_port_and_the_handshake_the_anchors() {
    let holder = holder().await;
    for target in [
        "/fhir/.well-known/smart-configuration",
        "/.well-known/oauth-authorization-server/fhir",
    ] {
        let document = holder.get(target).await.json();
        let aliases = json!({
            "token_endpoint": format!("{CERTIFIED}/oauth/token"),
            "introspection_endpoint": format!("{CERTIFIED}/oauth/introspect"),
            "revocation_endpoint": format!("{CERTIFIED}/oauth/revoke"),
        });
        assert_eq!(document["mtls_endpoint_aliases"], aliases, "{target}");
        assert_eq!(document["token_endpoint"], TOKEN);
        let bound = &document["tls_client_certificate_bound_access_tokens"];
        assert_eq!(*bound, Value::Bool(true));
    }
    let name = |c: &crate::support::Community| c.root.certificate.subject().der().to_vec();
    let expected = [name(&world().a), name(&world().b)];
    assert_eq!(holder.server.issuers(), expected);
}

/// UDAP Mutual TLS §3: `client_id`, and neither an assertion nor an Authorization header.
#[tokio::test]
async fn a_request_by_certificate_is_client_id_and_nothing_else() {
    let holder = holder().await;
    let (app, id) = app(&holder, "shape").await;
    let good = by_certificate(&id);
    let without = |name: &str| -> Vec<(&str, &str)> {
        good.iter().copied().filter(|(n, _)| *n != name).collect()
    };
    let jwt = assertion(&app, &id).sign();
    let mut with_assertion = form(&jwt);
    with_assertion.push(("client_id", &id));
    let mut half = good.clone();
    half.push(("client_assertion", &jwt));
    let mut secret = good.clone();
    secret.push(("client_secret", "s"));
    for (form, expected) in [
        (
            without("client_id"),
            "400 invalid_request parameter-missing",
        ),
        (without("udap"), "400 invalid_request parameter-missing"),
        (without("scope"), "400 invalid_request parameter-missing"),
        // Both at once, or the other one: the registration says which.
        (with_assertion, "400 invalid_client auth-method-mismatch"),
        (half, "400 invalid_request parameter-missing"),
        (secret, "400 invalid_request client-secret-refused"),
    ] {
        let reply = post(&holder, TARGET, &form, shows(&app), &[]).await;
        assert_eq!(reply.refusal(), expected, "{form:?}");
    }
    let mut request = crate::support::request(
        http::Method::POST,
        TARGET,
        &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", "Basic eDp5"),
        ],
        crate::support::encoded(&good),
    );
    request.extensions_mut().insert(shows(&app).unwrap());
    let reply = holder.send(request).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_request authorization-header-refused"
    );
}

#[tokio::test]
async fn whoever_is_not_that_client_is_refused() {
    let holder = holder().await;
    let (app, id) = app(&holder, "victim").await;
    let a = &world().a;
    let uri = "https://victim.mtls.example";
    let other = a.app("https://thief.mtls.example");
    let expired = a.member(&[uri]).valid(-3600, -60).issue();
    let revoked = a.app(uri);
    a.revoke(revoked.leaf());
    holder.server.refresh().await;
    let silent = a.silent(uri, &[a.url("lapsed.crl")]);
    let junk = Some(MutualTls::Unusable(ClientCertificateError::UntrustedProxy));
    for (what, tls, expected) in [
        (
            "nothing shown",
            Some(MutualTls::Absent),
            "client-certificate-missing",
        ),
        ("a header by anybody", junk, "client-cert-header-refused"),
        ("another app's", shows(&other), "san-uri-mismatch"),
        (
            "another community's",
            shows(&world().b.app(uri)),
            "chain-not-trusted",
        ),
        (
            "nobody's",
            shows(&world().rogue.app(uri)),
            "chain-not-trusted",
        ),
        ("expired", shows(&expired), "certificate-expired"),
        ("revoked", shows(&revoked), "certificate-revoked"),
        (
            "of unknown revocation",
            shows(&silent),
            "revocation-unavailable",
        ),
    ] {
        let reply = ask(&holder, &id, tls).await;
        assert_eq!(
            reply.refusal(),
            format!("400 invalid_client {expected}"),
            "{what}"
        );
    }
    // At the port that does not ask, what is missing is an assertion.
    let reply = ask(&holder, &id, None).await;
    assert_eq!(reply.refusal(), "400 invalid_request parameter-missing");
    let reply = ask(&holder, "nobody", shows(&app)).await;
    assert_eq!(reply.refusal(), "400 invalid_client client-unknown");
    assert_eq!(ask(&holder, &id, shows(&app)).await.status, 200);
}

/// Over one connection, as a proxy or one app under two names has it.
#[tokio::test]
async fn two_clients_behind_one_certificate_are_two_clients() {
    let holder = holder().await;
    let a = &world().a;
    let (one, two) = ("https://one.mtls.example", "https://two.mtls.example");
    let both = a.member(&[one, two]).issue();
    let first = certified(&holder, &a.app(one)).await;
    let second = certified(&holder, &a.app(two)).await;
    for (id, uri) in [(&first, one), (&second, two)] {
        let token = read(&holder, &ask(&holder, id, shows(&both)).await);
        assert_eq!((token.client_id(), token.uri()), (id.as_str(), uri));
    }
    let only_one = a.app(one);
    let refused = ask(&holder, &second, shows(&only_one)).await.refusal();
    assert_eq!(refused, "400 invalid_client san-uri-mismatch");
}

/// Whoever has only one of a client's credentials cannot choose the other way in.
#[tokio::test]
async fn the_registered_method_is_the_only_one() {
    let holder = holder().await;
    let signing = world().a.app("https://signing.mtls.example");
    let id = holder.registered(&signing).await;
    let refused = "400 invalid_client auth-method-mismatch";
    assert_eq!(ask(&holder, &id, shows(&signing)).await.refusal(), refused);
    let (app, id) = app(&holder, "showing").await;
    let jwt = assertion(&app, &id).sign();
    assert_eq!(holder.token(&jwt).await.refusal(), refused);
    // Registered again the other way, it has changed its way.
    assert_eq!(holder.register(&statement(&app).sign()).await.status, 200);
    assert_eq!(ask(&holder, &id, shows(&app)).await.refusal(), refused);
    assert_eq!(holder.token(&assertion(&app, &id).sign()).await.status, 200);
    // It survives a restart.
    let holder = holder.killed_and_started_again().await;
    assert_eq!(ask(&holder, &id, shows(&app)).await.refusal(), refused);
    // And what is in the database and not understood lets nobody in.
    let mut db = holder.database().await;
    let query = "UPDATE registration SET authentication = 'later' WHERE client_id = $1";
    sqlx::query(query).bind(&id).execute(&mut db).await.unwrap();
    let holder = holder.killed_and_started_again().await;
    let refused = holder.token(&assertion(&app, &id).sign()).await.refusal();
    assert_eq!(refused, "400 invalid_client registration-suspended");
}

#[tokio::test]
async fn a_community_that_no_longer_offers_it_serves_nobody_so() {
    let holder = holder().await;
    let (app, id) = app(&holder, "late").await;
    let holder = holder
        .restarted_with(|config| config.communities[0].binding.tls_client_auth = false)
        .await;
    let refused = ask(&holder, &id, shows(&app)).await.refusal();
    assert_eq!(refused, "400 invalid_client tls-client-auth-not-offered");
}

/// RFC 8705 §3: the client signs its assertion, and shows a certificate besides.
#[tokio::test]
async fn an_assertion_over_such_a_connection_gets_a_bound_token() {
    let holder = holder().await;
    let uri = "https://assertion.mtls.example";
    let (app, shown) = (world().a.app(uri), world().a.app(uri));
    let id = holder.registered(&app).await;
    let sent = async |aud: &str, tls| {
        let jwt = assertion(&app, &id).claim("aud", aud).sign();
        post(&holder, TARGET, &form(&jwt), tls, &[]).await
    };
    let alias = format!("{CERTIFIED}/oauth/token");
    for aud in [TOKEN, &alias] {
        let token = read(&holder, &sent(aud, shows(&shown)).await);
        assert_eq!(token.cnf().certificate, Some(*shown.leaf().sha256()));
    }
    let plain = read(&holder, &sent(TOKEN, Some(MutualTls::Absent)).await);
    assert!(plain.cnf().is_unbound());
    // The alias is a name of that port only.
    let refused = sent(&alias, None).await.refusal();
    assert_eq!(refused, "400 invalid_client aud-mismatch");
    let other = world().a.app("https://beside.mtls.example");
    let refused = sent(TOKEN, shows(&other)).await.refusal();
    assert_eq!(refused, "400 invalid_client san-uri-mismatch");
    let foreign = world().b.app(uri);
    let refused = sent(TOKEN, shows(&foreign)).await.refusal();
    assert_eq!(refused, "400 invalid_client chain-not-trusted");

    // The token ends with the certificate that was shown, too.
    let token = read(&holder, &sent(TOKEN, shows(&shown)).await);
    world().a.revoke(shown.leaf());
    holder.server.refresh().await;
    let ended = holder.server.of(token.client_id(), token.jti()).await;
    let code = "certificate-revoked";
    assert_eq!(ended, TokenState::Ended { code });
}

#[tokio::test]
async fn who_wants_bound_tokens_only_gets_no_other() {
    let holder = holder().await;
    let app = world().a.app("https://only.mtls.example");
    let jwt = statement(&app).claim("tls_client_certificate_bound_access_tokens", true);
    let reply = holder.register(&jwt.sign()).await;
    assert_eq!(
        reply.json()["tls_client_certificate_bound_access_tokens"],
        true
    );
    let id = reply.text("client_id");
    for tls in [None, Some(MutualTls::Absent)] {
        let jwt = assertion(&app, &id).sign();
        let reply = post(&holder, TARGET, &form(&jwt), tls, &[]).await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_client client-certificate-missing"
        );
    }
    let jwt = assertion(&app, &id).sign();
    let reply = post(&holder, TARGET, &form(&jwt), shows(&app), &[]).await;
    assert!(!read(&holder, &reply).cnf().is_unbound());
}

#[tokio::test]
async fn introspection_and_revocation_know_the_client_by_its_certificate() {
    let holder = holder().await;
    let (app, id) = app(&holder, "asking").await;
    let reply = ask(&holder, &id, shows(&app)).await;
    let token = reply.text("access_token");
    let about = [("token", &*token), ("client_id", &*id)];
    let reply = post(&holder, INTROSPECT, &about, shows(&app), &[]).await;
    assert_eq!(reply.json()["active"], true, "{reply}");
    assert_eq!(reply.json()["cnf"], json!({"x5t#S256": hash(&app)}));
    let other = world().a.app("https://nosy.mtls.example");
    let refused = post(&holder, INTROSPECT, &about, shows(&other), &[]).await;
    assert_eq!(refused.refusal(), "401 invalid_client san-uri-mismatch");
    let refused = post(&holder, REVOKE, &about, None, &[]).await;
    assert_eq!(refused.refusal(), "400 invalid_request parameter-missing");
    assert_eq!(
        post(&holder, REVOKE, &about, shows(&app), &[]).await.status,
        200
    );
    let reply = post(&holder, INTROSPECT, &about, shows(&app), &[]).await;
    assert_eq!(reply.json(), json!({"active": false}));
}

/// What a member may do by its certificate alone: its `client_id` and scopes, or the code.
async fn of(holder: &Holder, member: &Member) -> Result<String, &'static str> {
    of_from(holder, member, None).await
}

async fn of_from(
    holder: &Holder,
    member: &Member,
    remote: Option<IpAddr>,
) -> Result<String, &'static str> {
    let Some(MutualTls::Presented(shown)) = shows(member) else {
        return Err("nothing shown");
    };
    match holder.server.member(&shown, remote).await {
        Served::Record(record) => {
            let token = access_token::read_record(&record, BASE, BASE, clock::now()).unwrap();
            assert_eq!(token.cnf().certificate, Some(*member.leaf().sha256()));
            Ok(format!("{} {}", token.client_id(), token.scopes()))
        }
        Served::Refused { code, .. } => Err(code),
        Served::NotOffered => Err("not offered"),
    }
}

/// UDAP Mutual TLS §4, without OAuth.
#[tokio::test]
async fn a_member_is_known_by_its_certificate_alone_where_that_is_offered() {
    let holder = holder().await;
    let (member, id) = app(&holder, "member").await;
    let all = format!("{id} {}", crate::support::SCOPES);
    assert_eq!(of(&holder, &member).await, Ok(all));

    let a = &world().a;
    let signing = a.app("https://signing.member.example");
    holder.registered(&signing).await;
    let (one, two) = ("https://one.member.example", "https://two.member.example");
    certified(&holder, &a.app(one)).await;
    certified(&holder, &a.app(two)).await;
    for (what, member, expected) in [
        (
            "of nobody here",
            a.app("https://new.member.example"),
            "certificate-not-registered",
        ),
        ("of a client that signs", signing, "auth-method-mismatch"),
        (
            "of two at once",
            a.member(&[one, two]).issue(),
            "certificate-ambiguous",
        ),
        (
            "of nobody at all",
            world().rogue.app("https://member.mtls.example"),
            "chain-not-trusted",
        ),
        (
            "of a community without",
            world().b.app("https://member.mtls.example"),
            "chain-not-trusted",
        ),
    ] {
        assert_eq!(of(&holder, &member).await, Err(expected), "{what}");
    }
    // The next question after a revocation, or after it left.
    a.revoke(member.leaf());
    holder.server.refresh().await;
    assert_eq!(of(&holder, &member).await, Err("certificate-revoked"));
    let renewed = a.app("https://member.mtls.example");
    assert!(of(&holder, &renewed).await.is_ok());
    let leave = statement(&renewed).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    assert_eq!(
        of(&holder, &renewed).await,
        Err("certificate-not-registered")
    );

    let without = bound("", "tls_client_auth = true").await;
    assert_eq!(of(&without, &renewed).await, Err("not offered"));
}

/// Who sends no token has no more than a token would give it.
#[tokio::test]
async fn a_certificate_alone_gets_no_further_than_a_token_would() {
    let holder = holder().await;
    let (member, id) = app(&holder, "ruled").await;
    let all = format!("{id} {}", crate::support::SCOPES);
    assert_eq!(of(&holder, &member).await, Ok(all));
    let path = holder.directory().join("udap.toml");
    let usual = std::fs::read_to_string(&path).unwrap();
    for (setting, expected) in [
        // The community's ceiling came down since the app registered.
        (
            "scopes = [\"system/Patient.rs\"]\n",
            Ok(format!("{id} system/Patient.rs")),
        ),
        (
            "scopes = [\"system/Condition.rs\"]\n",
            Err("scope-none-granted"),
        ),
    ] {
        let text = usual.replacen(OFFERED, &format!("{OFFERED}\n{setting}"), 1);
        assert_ne!(text, usual);
        std::fs::write(&path, text).unwrap();
        holder.server.reload_communities().await;
        assert_eq!(holder.server.trouble(), [], "{setting}");
        assert_eq!(of(&holder, &member).await, expected, "{setting}");
    }
    // A handshake shows no extension object: where one is required by now, as by the community's bundle,
    // nobody is served so.
    let holder = holder
        .restarted_with(|config| {
            let uri = &world().a.uri;
            let text = format!("profile = \"ssraa-2.0\"\nuri = \"{uri}\"\n");
            let rules = Community::read(Definition::from_toml(&text).unwrap()).unwrap();
            assert_eq!(rules.extensions.required(), ["hl7-b2b"]);
            config.communities[0].rules = Arc::new(rules);
        })
        .await;
    assert_eq!(of(&holder, &member).await, Err("extension-missing"));
}

#[tokio::test]
async fn a_certificate_alone_does_not_stand_for_anothers_word() {
    let issuers = "assertion_issuers = [\"https://tokens.mtls.example\"]";
    let holder = bound("", &format!("{OFFERED}\n{issuers}")).await;
    let member = world().a.app("https://others-word.mtls.example");
    let registers = async |grants: Value| {
        let jwt = statement(&member)
            .claim("token_endpoint_auth_method", "tls_client_auth")
            .claim("grant_types", grants);
        let reply = holder.register(&jwt.sign()).await;
        assert!(reply.status.is_success(), "{reply}");
    };
    registers(json!([JWT_BEARER])).await;
    assert_eq!(of(&holder, &member).await, Err("grant-not-registered"));
    registers(json!(["client_credentials", JWT_BEARER])).await;
    assert!(of(&holder, &member).await.is_ok());
}

/// Where a proof of possession is a must, nobody reads without one.
#[tokio::test]
async fn a_certificate_alone_does_not_stand_for_a_dpop_proof() {
    let holder = bound("", &format!("{OFFERED}\ndpop = \"supported\"")).await;
    let bound = world().a.app("https://key-bound.mtls.example");
    let registers = async |key_bound: bool| {
        let jwt = statement(&bound)
            .claim("token_endpoint_auth_method", "tls_client_auth")
            .claim("dpop_bound_access_tokens", key_bound);
        let reply = holder.register(&jwt.sign()).await;
        assert!(reply.status.is_success(), "{reply}");
    };
    registers(true).await;
    assert_eq!(of(&holder, &bound).await, Err("dpop-token-required"));
    registers(false).await;
    assert!(of(&holder, &bound).await.is_ok());
    let required = |config: &mut Config| config.communities[0].binding.dpop = DpopRule::Required;
    let holder = holder.restarted_with(required).await;
    assert_eq!(of(&holder, &bound).await, Err("dpop-token-required"));
}

/// Judging what a handshake showed costs as much as judging an assertion.
#[tokio::test]
async fn certificates_that_nobody_vouches_for_are_counted_without_a_request_for_a_token() {
    let holder = limited().await;
    let (member, _) = app(&holder, "counted").await;
    let near = Some(IpAddr::from([192, 0, 2, 7]));
    assert!(of_from(&holder, &member, near).await.is_ok());
    let stranger = || world().rogue.app("https://counted.mtls.example");
    // A member of the community that is nobody here is none.
    let unknown = || world().a.app("https://uncounted.mtls.example");
    let mut seen = Vec::new();
    // Some more where a minute ends meanwhile.
    while seen.last() != Some(&["too-many-strangers"; 2]) {
        assert!(seen.len() < 6, "{seen:?}");
        let stranger = of_from(&holder, &stranger(), near).await;
        let unknown = of_from(&holder, &unknown(), near).await;
        seen.push([stranger.unwrap_err(), unknown.unwrap_err()]);
    }
    assert_eq!(seen[0], ["chain-not-trusted", "certificate-not-registered"]);
    let judged = seen.iter().filter(|[code, _]| *code == "chain-not-trusted");
    assert!((2..=4).contains(&judged.count()), "{seen:?}");
    assert!(of_from(&holder, &member, near).await.is_ok());
    let far = Some(IpAddr::from([198, 51, 100, 7]));
    assert_eq!(
        of_from(&holder, &stranger(), far).await,
        Err("chain-not-trusted")
    );
}

async fn limited() -> Holder {
    let limits = "[limits]\nrefusals_per_minute = 2\n";
    Holder::edited(|text| {
        let text = edited(&text, "", OFFERED);
        text.replacen("[fetch]\n", &format!("{limits}[fetch]\n"), 1)
    })
    .await
}

/// A stranger's attempts in the name of a client do not shut it out.
#[tokio::test]
async fn others_attempts_do_not_count_against_a_client() {
    let holder = limited().await;
    let (app, id) = app(&holder, &random::id().to_lowercase().replace('_', "x")).await;
    let thief = world().a.app("https://loud.mtls.example");
    for _ in 0..5 {
        let refused = ask(&holder, &id, shows(&thief)).await.refusal();
        assert_eq!(refused, "400 invalid_client san-uri-mismatch");
    }
    assert_eq!(ask(&holder, &id, shows(&app)).await.status, 200);
}
