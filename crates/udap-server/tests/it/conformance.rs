//! What the guide demands and no other module shows. Each test names its rows of the conformance matrix,
//! `crates/udap-house/data/conformance.tsv`.

use crate::support::{
    BASE, DAY, Holder, Jwt, Member, REGISTER, Reply, TOKEN, assertion, form, rsa, signer,
    statement, world,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use udap_host::db::sqlx::{self, Row as _};
use udap_pki::{Certificate, Scheme};
use udap_proto::jws::JwsAlg;
use udap_trust::keys::KeyType;

const PATH: &str = "/fhir/.well-known/udap";

/// The metadata of both communities.
async fn metadata(holder: &Holder) -> [Value; 2] {
    let of = async |uri: &str| {
        let target = url::form_urlencoded::Serializer::new(format!("{PATH}?"))
            .append_pair("community", uri)
            .finish();
        let reply = holder.get(&target).await;
        assert_eq!(reply.status, 200, "{reply}");
        reply.json()
    };
    [of(&world().a.uri).await, of(&world().b.uri).await]
}

/// The header (0) or the claims (1) of a JWT, read without any code of ours.
fn part(jwt: &str, at: usize) -> Value {
    let part = jwt.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn texts(json: &Value, member: &str) -> BTreeSet<String> {
    let list = json[member].as_array().into_iter().flatten();
    list.map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn error(reply: &Reply) -> String {
    reply.json()["error"].as_str().unwrap_or("none").to_owned()
}

/// 1.0.0@4, 7, 8, 46 to 55, 58, 59; 2.0@G01, D09, J05; J-9, M-10.
#[tokio::test]
async fn signed_metadata_says_all_that_is_wanted() {
    let holder = Holder::new().await;
    for json in metadata(&holder).await {
        let signed = json["signed_metadata"].as_str().unwrap();
        assert_eq!(signed.split('.').count(), 3);

        let header = part(signed, 0);
        assert_eq!(header["alg"], "RS256");
        assert!(header.get("jku").is_none() && header.get("jwk").is_none());
        let chain = texts(&header, "x5c");
        assert!(chain.iter().all(|der| STANDARD.decode(der).is_ok()));
        let leaf = header["x5c"][0].as_str().unwrap();
        let leaf = Certificate::from_der(&STANDARD.decode(leaf).unwrap()).unwrap();
        assert!(leaf.uri_names().contains(&BASE.to_owned()));
        let (input, signature) = signed.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = leaf.public_key().unwrap();
        key.verify(Scheme::RsaPkcs1Sha256, input.as_bytes(), &signature)
            .unwrap();

        let claims = part(signed, 1);
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&json!(BASE), &json!(BASE))
        );
        let (iat, exp) = (
            claims["iat"].as_i64().unwrap(),
            claims["exp"].as_i64().unwrap(),
        );
        let now = udap_trust::clock::now().0;
        // The guide allows a year; we sign for a day, and again when half of it has passed.
        assert!(iat <= now && now < exp && exp - iat <= DAY);
        assert!(!claims["jti"].as_str().unwrap().is_empty());
        assert_eq!(claims["token_endpoint"], TOKEN);
        assert_eq!(claims["registration_endpoint"], REGISTER);
        for endpoint in [
            "token_endpoint",
            "registration_endpoint",
            "authorization_endpoint",
        ] {
            assert_eq!(json.get(endpoint), claims.get(endpoint), "{endpoint}");
        }
    }
}

/// 1.0.0@4, 18, 32, 42; 2.0@D07, S02; J-3, M-1.
#[tokio::test]
async fn what_metadata_lists_is_what_is_taken() {
    let holder = Holder::new().await;
    let [json, _] = metadata(&holder).await;

    let (for_statements, for_assertions) = (
        texts(
            &json,
            "registration_endpoint_jwt_signing_alg_values_supported",
        ),
        texts(&json, "token_endpoint_auth_signing_alg_values_supported"),
    );
    for (alg, key) in [
        (JwsAlg::RS256, rsa(2).0),
        (JwsAlg::RS384, rsa(2).0),
        (JwsAlg::RS512, rsa(2).0),
        (JwsAlg::PS256, rsa(2).0),
        (JwsAlg::ES256, signer(KeyType::P256)),
        (JwsAlg::ES384, signer(KeyType::P384)),
    ] {
        let uri = format!("https://{}.algorithm.example", alg.as_str());
        let app = world().a.member(&[&uri]).key(&key).issue();
        let id = holder.registered(&app).await;
        let again = holder.register(&statement(&app).alg(alg).sign()).await;
        let listed = for_statements.contains(alg.as_str());
        assert_eq!(again.status.is_success(), listed, "{alg}: {again}");
        let token = holder.token(&assertion(&app, &id).alg(alg).sign()).await;
        let listed = for_assertions.contains(alg.as_str());
        assert_eq!(token.status.is_success(), listed, "{alg}: {token}");
    }

    let app = world().a.app("https://lists.conformance.example");
    let id = holder.registered(&app).await;
    let grants = texts(&json, "grant_types_supported");
    for grant in [
        "client_credentials",
        "authorization_code",
        "refresh_token",
        "password",
    ] {
        let jwt = assertion(&app, &id).sign();
        let mut fields = form(&jwt);
        fields[0].1 = grant;
        let reply = holder.post_form(&fields).await;
        let taken = error(&reply) != "unsupported_grant_type";
        assert_eq!(taken, grants.contains(grant), "{grant}: {reply}");
    }

    for extension in texts(&json, "udap_authorization_extensions_required") {
        let mut jwt = assertion(&app, &id);
        let all = jwt.claims["extensions"].as_object_mut().unwrap();
        all.remove(&extension).unwrap();
        let reply = holder.token(&jwt.sign()).await;
        assert_eq!(error(&reply), "invalid_grant", "{extension}: {reply}");
    }

    let scopes = texts(&json, "scopes_supported");
    assert!(!scopes.is_empty());
    for scope in scopes
        .iter()
        .map(String::as_str)
        .chain(["system/Condition.rs"])
    {
        let jwt = assertion(&app, &id).sign();
        let mut fields = form(&jwt);
        fields[1].1 = scope;
        let reply = holder.post_form(&fields).await;
        let granted = reply.json()["scope"] == scope;
        assert_eq!(granted, scopes.contains(scope), "{scope}: {reply}");
    }
}

/// 1.0.0@18, 2.0@S02.
#[tokio::test]
async fn wildcards_are_listed_where_they_are_granted() {
    let app = world().a.app("https://wildcard.conformance.example");
    let wanted = statement(&app).claim("scope", "system/*.rs");
    let without = Holder::new().await;
    let [json, _] = metadata(&without).await;
    assert!(
        !texts(&json, "scopes_supported")
            .iter()
            .any(|scope| scope.contains('*'))
    );
    assert_eq!(
        without.register(&wanted.sign()).await.refusal(),
        "400 invalid_client_metadata scope-wildcard-unsupported"
    );
    let with = Holder::with("scopes_supported = [\"system/*.rs\"]").await;
    let [json, _] = metadata(&with).await;
    assert_eq!(json["scopes_supported"], json!(["system/*.rs"]));
    let id = with.register(&wanted.sign()).await.text("client_id");
    let jwt = assertion(&app, &id).sign();
    let mut fields = form(&jwt);
    fields[1].1 = "system/*.rs";
    assert_eq!(with.post_form(&fields).await.text("scope"), "system/*.rs");
}

/// 2.0@D03; M-3.
#[tokio::test]
async fn what_is_required_is_supported() {
    let holder = Holder::new().await;
    for json in metadata(&holder).await {
        let supported = texts(&json, "udap_authorization_extensions_supported");
        let required = texts(&json, "udap_authorization_extensions_required");
        assert!(required.contains("hl7-b2b") && required.is_subset(&supported));
    }
}

/// 1.0.0@55, 2.0@G03.
#[tokio::test]
async fn no_jti_of_ours_is_used_twice() {
    let mut holder = Holder::new().await;
    let app = world().a.app("https://jti.conformance.example");
    let id = holder.registered(&app).await;
    let mut seen = BTreeSet::new();
    let mut new = |jwt: &str| seen.insert(part(jwt, 1)["jti"].as_str().unwrap().to_owned());
    // What was signed before a start is still in force after it.
    for _ in 0..2 {
        for json in metadata(&holder).await {
            assert!(new(json["signed_metadata"].as_str().unwrap()));
        }
        for _ in 0..10 {
            let reply = holder.token(&assertion(&app, &id).sign()).await;
            assert!(new(&reply.text("access_token")));
        }
        holder = holder.killed_and_started_again().await;
    }
}

/// 1.0.0@112; D-11.
#[tokio::test]
async fn the_certificate_that_registered_is_kept() {
    let holder = Holder::new().await;
    let uri = "https://kept.conformance.example";
    for app in [world().a.app(uri), world().a.app(uri)] {
        let reply = holder.register(&statement(&app).sign()).await;
        assert!(reply.status.is_success(), "{reply}");
        let mut db = holder.database().await;
        let row = sqlx::query("SELECT certificate FROM registration WHERE uri = $1")
            .bind(uri)
            .fetch_one(&mut db)
            .await
            .unwrap();
        let kept: Vec<u8> = row.try_get("certificate").unwrap();
        assert_eq!(kept, app.leaf().der());
    }
}

/// 1.0.0@113.
#[tokio::test]
async fn every_app_has_an_id_of_its_own() {
    let holder = Holder::new().await;
    let mut ids = BTreeSet::new();
    for at in 0..20 {
        let app = world().a.app(&format!("https://{at}.id.example"));
        assert!(ids.insert(holder.registered(&app).await));
    }
}

/// 1.0.0@116.
#[tokio::test]
async fn an_unknown_certification_is_passed_over() {
    let holder = Holder::new().await;
    let app = world().a.app("https://certified.conformance.example");
    let uri = app.leaf().uri_names()[0].clone();
    let certifier = "https://certifier.conformance.example";
    let signed = |by: &Member| {
        let claims = json!({
            "iss": certifier, "sub": uri, "jti": "c-1", "certification_issuer": "Somebody",
            "certification_name": "A programme that nobody here has heard of",
            "certification_uris": ["https://certifier.conformance.example/unheard-of"],
        });
        Jwt::new(by, claims).times(-60, 10 * DAY).sign()
    };
    for certifier in [world().rogue.app(certifier), world().a.app(certifier)] {
        let body = json!({
            "udap": "1", "software_statement": statement(&app).sign(),
            "certifications": [signed(&certifier)],
        });
        let reply = holder.post_registration(body.to_string()).await;
        assert!(reply.status.is_success(), "{reply}");
        assert_eq!(texts(&reply.json(), "certifications"), BTreeSet::new());
    }
}

/// udap.org/registration-validation.
#[tokio::test]
async fn the_first_thing_wrong_is_told() {
    let holder = Holder::new().await;
    let uri = "https://order.conformance.example";
    let (outsider, member) = (world().rogue.app(uri), world().a.app(uri));
    // Each has everything wrong that those below it have.
    let parameters = |app: &Member| statement(app).without("client_name");
    let claims = |app: &Member| parameters(app).claim("aud", BASE);
    let other = signer(KeyType::P256);
    for (jwt, expected) in [
        (
            claims(&outsider).signed_by(&other),
            "400 invalid_software_statement jwt-signature-invalid",
        ),
        (
            claims(&outsider),
            "400 unapproved_software_statement chain-not-trusted",
        ),
        (
            claims(&member),
            "400 invalid_software_statement aud-mismatch",
        ),
        (
            parameters(&member),
            "400 invalid_client_metadata parameter-missing",
        ),
    ] {
        assert_eq!(holder.register(&jwt.sign()).await.refusal(), expected);
    }
}
