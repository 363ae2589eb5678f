//! A TEFCA data holder: registration and tokens in the shape of Facilitated FHIR, and every refusal.

use crate::support::{BASE, DAY, Holder, Jwt, Member, Reply, assertion, rsa, statement, world};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use udap_proto::access_token;
use udap_proto::jwk::Jwk;
use udap_proto::jws::JwsAlg;
use udap_testkit::{Answer, Asked, TestServer};
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::{clock, random};

const COMMUNITY: &str = "urn:oid:2.16.840.1.113883.3.7204.1.5";
const BASIC: &str = "https://rce.sequoiaproject.org/udap/profiles/basic-app-certification";
const XP: &str = "urn:oid:2.16.840.1.113883.3.7204.1.5.2.1";
const HOME: &str = "urn:oid:2.16.840.1.113883.3.7204.99";
const GRANT: &str = "400 invalid_grant";

/// Community a of the tests' world is TEFCA here, with further settings.
fn tefca(text: &str, more: &str) -> String {
    let uri = format!("uri = \"{}\"\n", world().a.uri);
    assert!(text.contains(&uri));
    text.replacen(&uri, &format!("profile = \"tefca-ff-2.0\"\n{more}"), 1)
}

async fn holder(more: &str) -> Holder {
    Holder::edited(|text| tefca(&text, more)).await
}

/// What the app says of itself.
fn basic(app: &Member, purpose: &str) -> Jwt {
    let uri = &app.leaf().uri_names()[0];
    let claims = json!({
        "iss": uri,
        "sub": uri,
        "jti": random::id(),
        "certification_name": "TEFCA Basic App Certification",
        "certification_uris": [BASIC],
        "exchange_purposes": [purpose],
        "home_community_id": HOME,
    });
    Jwt::new(app, claims).times(0, 20 * DAY)
}

async fn register_with(holder: &Holder, statement: &Jwt, certifications: &[String]) -> Reply {
    let body = json!({
        "software_statement": statement.sign(),
        "certifications": certifications,
        "udap": "1",
    });
    holder.post_registration(body.to_string()).await
}

async fn register(holder: &Holder, app: &Member, purpose: &str) -> Reply {
    let certification = basic(app, purpose).sign();
    register_with(holder, &statement(app), &[certification]).await
}

fn b2b(purpose: &str) -> Value {
    json!({
        "version": "1",
        "organization_id": "Organization/1.2.3",
        "organization_name": "Example Clinic 1234567893",
        "purpose_of_use": [format!("{XP}#{purpose}")],
    })
}

fn asks(app: &Member, id: &str, extensions: Value) -> Jwt {
    assertion(app, id).claim("extensions", extensions)
}

fn claims(holder: &Holder, reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply}");
    let token = reply.text("access_token");
    let now = clock::now();
    let verified = access_token::verify(&token, &holder.server.keys(), BASE, BASE, now).unwrap();
    Value::Object((*verified.claims().extensions).clone())
}

#[tokio::test]
async fn metadata_is_found_by_the_urn_and_says_what_is_required() {
    let holder = holder("").await;
    for query in [
        String::new(),
        format!("?community={COMMUNITY}"),
        format!("?community={}", COMMUNITY.replace(':', "%3A")),
    ] {
        let reply = holder.get(&format!("/fhir/.well-known/udap{query}")).await;
        assert_eq!(reply.status, 200, "{query}");
        let json = reply.json();
        assert_eq!(json["udap_certifications_supported"], json!([BASIC]));
        assert_eq!(json["udap_certifications_required"], json!([BASIC]));
        assert_eq!(
            json["udap_authorization_extensions_supported"],
            json!(["hl7-b2b"])
        );
        assert_eq!(
            json["udap_authorization_extensions_required"],
            json!(["hl7-b2b"])
        );
    }
    // Of this holder's two, the first pins 1.1, where a community that is not served is not found.
    let reply = holder
        .get("/fhir/.well-known/udap?community=urn:oid:9.9")
        .await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn an_app_registers_for_one_purpose_and_asks_for_that_one() {
    let holder = holder("").await;
    for (uri, purpose) in [
        ("urn:oid:1.2.3.4#T-TREAT", "T-TREAT"),
        ("https://node.example/apps/T-HCO-CC", "T-HCO-CC"),
        ("https://node.example/T-PYMNT/app#T-PYMNT", "T-PYMNT"),
    ] {
        let app = world().a.app(uri);
        let reply = register(&holder, &app, purpose).await;
        assert_eq!(reply.status, 201, "{reply}");
        let id = reply.text("client_id");
        let reply = holder
            .token(&asks(&app, &id, json!({"hl7-b2b": b2b(purpose)})).sign())
            .await;
        assert_eq!(claims(&holder, &reply), json!({"hl7-b2b": b2b(purpose)}));

        // For no other purpose, and for no two.
        let mut both = b2b(purpose);
        both["purpose_of_use"] = json!([format!("{XP}#{purpose}"), format!("{XP}#T-IAS")]);
        for (what, extensions, code) in [
            (
                "another purpose",
                json!({"hl7-b2b": b2b("T-TRTMNT")}),
                "purpose-mismatch",
            ),
            (
                "two purposes",
                json!({"hl7-b2b": both}),
                "extension-member-malformed",
            ),
            (
                "an old purpose",
                json!({"hl7-b2b": b2b("T-HCO-QM")}),
                "extension-code-not-in-force",
            ),
            (
                "no such purpose",
                json!({"hl7-b2b": b2b("T-X")}),
                "extension-code-unknown",
            ),
            ("nothing", json!({}), "extension-missing"),
        ] {
            let reply = holder.token(&asks(&app, &id, extensions).sign()).await;
            assert_eq!(reply.refusal(), format!("{GRANT} {code}"), "{what}");
        }
        // HL7's own guide has absolute organizations; here they are those of the directory.
        let guide = holder.token(&assertion(&app, &id).sign()).await;
        assert!(guide.refusal().starts_with(GRANT));
    }
    // The same community's other rules: those of HL7's guide, for the app of community b.
    let other = world().b.app("https://plain.example");
    let id = holder.registered(&other).await;
    assert_eq!(
        holder.token(&assertion(&other, &id).sign()).await.status,
        200
    );
}

#[tokio::test]
async fn a_registration_has_one_purpose_a_certification_and_no_users() {
    let holder = holder("").await;
    let unapproved = "400 unapproved_software_statement";
    for (uri, code) in [
        ("https://node.example/app", "uri-purpose-missing"),
        ("urn:oid:1.2.3.4#t-treat", "uri-purpose-missing"),
        ("https://node.example/T-TREATMENT", "uri-purpose-missing"),
        ("https://node.example/app?p=T-TREAT", "uri-purpose-missing"),
        ("https://T-TREAT.example/app", "uri-purpose-missing"),
        (
            "https://node.example/T-TREAT#T-IAS",
            "uri-purpose-ambiguous",
        ),
        (
            "https://node.example/T-TREAT/T-IAS",
            "uri-purpose-ambiguous",
        ),
        ("urn:oid:1.2.3.4#T-HCO-QM", "uri-purpose-not-in-force"),
    ] {
        let app = world().a.app(uri);
        let reply = register(&holder, &app, "T-TREAT").await;
        assert_eq!(reply.refusal(), format!("{unapproved} {code}"), "{uri}");
    }

    let app = world().a.app("urn:oid:1.2.3.5#T-TREAT");
    let reply = holder.register(&statement(&app).sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 invalid_client_metadata certification-required"
    );
    let good = || basic(&app, "T-TREAT");
    for (what, certification, code) in [
        (
            "another purpose",
            basic(&app, "T-IAS"),
            "certification-purpose-mismatch",
        ),
        (
            "two purposes",
            good().claim("exchange_purposes", json!(["T-TREAT", "T-IAS"])),
            "certification-purpose-mismatch",
        ),
        (
            "no purpose",
            good().without("exchange_purposes"),
            "certification-purpose-mismatch",
        ),
        (
            "a purpose as text",
            good().claim("exchange_purposes", "T-TREAT"),
            "certification-purpose-mismatch",
        ),
        (
            "no home",
            good().without("home_community_id"),
            "certification-home-missing",
        ),
        (
            "a home that is no URI",
            good().claim("home_community_id", "home"),
            "certification-home-missing",
        ),
    ] {
        let reply = register_with(&holder, &statement(&app), &[certification.sign()]).await;
        let expected = format!("400 invalid_client_metadata {code}");
        assert_eq!(reply.refusal(), expected, "{what}");
    }
    // What was printed with a blank behind it is the same programme.
    let blank = good().claim("certification_uris", json!([format!("{BASIC} ")]));
    let reply = register_with(&holder, &statement(&app), &[blank.sign()]).await;
    assert_eq!(reply.status, 201, "{reply}");

    // Scopes of users, asked for by an app that has none: refused, and never turned into others.
    for scope in [
        "user/Patient.rs",
        "system/Patient.rs user/Patient.rs",
        "system/Patient.rs user/*.read",
    ] {
        let statement = statement(&app).claim("scope", scope);
        let reply = register_with(&holder, &statement, &[good().sign()]).await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_scope scope-without-user",
            "{scope}"
        );
    }
    // HL7's guide negotiates instead: what cannot be granted is left out.
    let other = world().b.app("https://negotiates.example");
    let reply = holder
        .register(
            &statement(&other)
                .claim("scope", "system/Patient.rs user/Patient.rs")
                .sign(),
        )
        .await;
    assert_eq!(reply.text("scope"), "system/Patient.rs");
}

#[tokio::test]
async fn consent_that_is_needed_is_named_in_the_answer() {
    let consent = format!(
        "[[community.consent]]\npurposes = [\"{XP}#T-TREAT\"]\n\
         policies = [\"urn:oid:1.2.3.9\", \"https://consent.example/policy\"]\n\
         form = \"https://holder.example/consent\"\n"
    );
    // At the end of the table of community a, which is followed by that of community b.
    let holder = Holder::edited(|text| {
        let text = tefca(&text, "");
        let (a, b) = text.rsplit_once("[[community]]").unwrap();
        format!("{a}{consent}[[community]]{b}")
    })
    .await;
    let app = world().a.app("urn:oid:1.2.3.6#T-TREAT");
    let id = register(&holder, &app, "T-TREAT").await.text("client_id");
    let with = |policy: &[&str]| {
        let mut object = b2b("T-TREAT");
        if !policy.is_empty() {
            object["consent_policy"] = json!(policy);
        }
        asks(&app, &id, json!({ "hl7-b2b": object })).sign()
    };
    for policy in [
        &[][..],
        &["urn:oid:1.2.3.8"],
        &["https://consent.example/policy/"],
    ] {
        let reply = holder.token(&with(policy)).await;
        assert_eq!(reply.status, 400);
        let json = reply.json();
        assert_eq!(json["error"], "invalid_grant");
        assert_eq!(json["udap_code"], "consent-required");
        assert_eq!(
            json["extensions"],
            json!({"hl7-b2b": {
                "consent_required": ["urn:oid:1.2.3.9", "https://consent.example/policy"],
                "consent_form": "https://holder.example/consent",
            }})
        );
    }
    for policy in [
        &["urn:oid:1.2.3.9"][..],
        &["urn:oid:1", "https://consent.example/policy"],
    ] {
        let reply = holder.token(&with(policy)).await;
        let asserted = claims(&holder, &reply);
        assert_eq!(asserted["hl7-b2b"]["consent_policy"], json!(policy));
    }
    // For other purposes nobody is asked.
    let app = world().a.app("urn:oid:1.2.3.6#T-PYMNT");
    let id = register(&holder, &app, "T-PYMNT").await.text("client_id");
    let jwt = asks(&app, &id, json!({"hl7-b2b": b2b("T-PYMNT")}));
    assert_eq!(holder.token(&jwt.sign()).await.status, 200);
}

/// A credential service provider: its discovery document, its keys, and ID tokens by them.
struct Provider {
    server: TestServer,
    key: KeySigner,
    says: Arc<Mutex<Option<Answer>>>,
}

impl Provider {
    async fn new() -> Self {
        let key = rsa(2).0;
        let jwk = Jwk::from_public_key(key.public_key(), Some("k".to_owned()), None).unwrap();
        let keys = json!({"keys": [jwk.to_json()]});
        let says = Arc::new(Mutex::new(None));
        let answer: Arc<Mutex<Option<Answer>>> = Arc::clone(&says);
        let server = TestServer::https(move |asked: &Asked| {
            if let Some(answer) = answer.lock().unwrap().clone() {
                return answer;
            }
            let host = asked.headers["host"].to_str().unwrap();
            match asked.path() {
                "/.well-known/openid-configuration" => Answer::json(
                    200,
                    &json!({"issuer": format!("https://{host}"), "jwks_uri": format!("https://{host}/jwks")}),
                ),
                "/jwks" => Answer::json(200, &keys),
                _ => Answer::new(404, "no"),
            }
        })
        .await;
        Self { server, key, says }
    }

    fn issuer(&self) -> String {
        self.server.url("").trim_end_matches('/').to_owned()
    }

    /// A good ID token of a person.
    fn id_token(&self) -> Jwt {
        let claims = json!({
            "iss": self.issuer(),
            "sub": "person-1",
            "aud": HOME,
            "jti": random::id(),
            "given_name": "Ada",
            "family_name": "Example",
            "birthdate": "1980-01-02",
            "address": {"locality": "Springfield"},
            "email": "ada@example.com",
        });
        Jwt::by_key(&self.key, JwsAlg::RS256, "k", claims).times(0, 3000)
    }
}

fn ias(id_token: &str) -> Value {
    json!({
        "version": "1",
        "user_information": {
            "resourceType": "RelatedPerson",
            "relationship": [{"coding": [{"code": "ONESELF"}]}],
        },
        "patient_information": {"resourceType": "Patient", "birthDate": "1980-01-02", "name": [{"family": "Secretname"}]},
        "id_token": id_token,
    })
}

async fn ias_holder(provider: &Provider) -> Holder {
    let issuer = provider.issuer();
    Holder::asking(&provider.server, |text| {
        tefca(&text, &format!("credential_providers = [\"{issuer}\"]\n"))
    })
    .await
}

#[tokio::test]
async fn a_person_is_believed_by_a_proof_of_a_listed_provider() {
    let provider = Provider::new().await;
    let holder = ias_holder(&provider).await;
    let metadata = holder.get("/fhir/.well-known/udap").await.json();
    assert_eq!(
        metadata["udap_authorization_extensions_supported"],
        json!(["hl7-b2b", "tefca_ias"])
    );
    let app = world().a.app("urn:oid:1.2.3.7#T-IAS");
    let id = register(&holder, &app, "T-IAS").await.text("client_id");
    let with = |ias: Value| {
        asks(
            &app,
            &id,
            json!({"hl7-b2b": b2b("T-IAS"), "tefca_ias": ias}),
        )
    };

    let reply = holder
        .token(&with(ias(&provider.id_token().sign())).sign())
        .await;
    let asserted = claims(&holder, &reply);
    // Who was proved to ask, and neither the proof nor what is known of the patient.
    assert_eq!(
        asserted["tefca_ias"],
        json!({"version": "1", "proved": {"iss": provider.issuer(), "sub": "person-1"}})
    );
    assert!(!asserted.to_string().contains("Secretname"));
    let asked = provider.server.asked().len();
    let again = holder
        .token(&with(ias(&provider.id_token().sign())).sign())
        .await;
    assert_eq!(again.status, 200, "{again}");
    assert_eq!(provider.server.asked().len(), asked, "keys are remembered");

    let good = || provider.id_token();
    let other = rsa(1).0;
    let mut born = ias(&good().sign());
    born["patient_information"]["birthDate"] = json!("1980-01-03");
    let mut unborn = ias(&good().sign());
    let patient = unborn["patient_information"].as_object_mut().unwrap();
    patient.remove("birthDate");
    for (what, object, code) in [
        (
            "no proof",
            {
                let mut object = ias("");
                object.as_object_mut().unwrap().remove("id_token");
                object
            },
            "extension-member-missing",
        ),
        ("nonsense", ias("a.b.c"), "jwt-malformed"),
        (
            "another's key",
            ias(&good().signed_by(&other).sign()),
            "jwt-signature-invalid",
        ),
        (
            "another algorithm",
            ias(&good().alg(JwsAlg::RS384).sign()),
            "jwt-alg-refused",
        ),
        (
            "no kid",
            ias(&good().without_header("kid").sign()),
            "id-token-key-unnamed",
        ),
        (
            "an unknown key",
            ias(&good().header("kid", "other").sign()),
            "jwt-key-unknown",
        ),
        (
            "an access token",
            ias(&good().header("typ", "at+jwt").sign()),
            "jwt-typ",
        ),
        (
            "a provider of nobody's",
            ias(&good().claim("iss", "https://evil.example").sign()),
            "id-token-issuer-unknown",
        ),
        (
            "the provider with a slash",
            ias(&good()
                .claim("iss", format!("{}/", provider.issuer()))
                .sign()),
            "id-token-issuer-unknown",
        ),
        (
            "another node's",
            ias(&good().claim("aud", "urn:oid:9.9").sign()),
            "id-token-audience",
        ),
        (
            "another's as well",
            ias(&good().claim("aud", json!([HOME, "urn:oid:9.9"])).sign()),
            "id-token-audience",
        ),
        (
            "the app's own",
            ias(&good().claim("aud", id.as_str()).sign()),
            "id-token-audience",
        ),
        (
            "of no audience",
            ias(&good().without("aud").sign()),
            "id-token-audience",
        ),
        (
            "over",
            ias(&good().times(-4000, -400).sign()),
            "jwt-expired",
        ),
        (
            "of tomorrow",
            ias(&good().times(4000, 8000).sign()),
            "jwt-from-the-future",
        ),
        (
            "of nobody",
            ias(&good().without("sub").sign()),
            "claim-missing",
        ),
        (
            "without a name of its own",
            ias(&good().without("jti").sign()),
            "claim-required",
        ),
        (
            "without a birthday",
            ias(&good().without("birthdate").sign()),
            "claim-required",
        ),
        (
            "with an empty address",
            ias(&good().claim("address", json!({})).sign()),
            "claim-required",
        ),
        (
            "of somebody born on another day",
            born,
            "id-token-other-person",
        ),
        (
            "of somebody whose birthday is left out",
            unborn,
            "id-token-other-person",
        ),
    ] {
        let reply = holder.token(&with(object).sign()).await;
        assert_eq!(reply.refusal(), format!("{GRANT} {code}"), "{what}");
    }
    // The purpose needs the object.
    let alone = asks(&app, &id, json!({"hl7-b2b": b2b("T-IAS")}));
    let reply = holder.token(&alone.sign()).await;
    assert_eq!(reply.refusal(), format!("{GRANT} extension-missing"));
    // Keys serve on while their provider is silent.
    *provider.says.lock().unwrap() = Some(Answer::new(500, "no"));
    let reply = holder
        .token(&with(ias(&provider.id_token().sign())).sign())
        .await;
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_proves_nothing() {
    for (answer, code) in [
        (Answer::new(500, "no"), "provider-unavailable"),
        (Answer::new(200, "no"), "provider-malformed"),
        (
            Answer::json(
                200,
                &json!({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/k"}),
            ),
            "provider-malformed",
        ),
    ] {
        let provider = Provider::new().await;
        *provider.says.lock().unwrap() = Some(answer);
        let holder = ias_holder(&provider).await;
        let app = world().a.app("urn:oid:1.2.3.8#T-IAS");
        let id = register(&holder, &app, "T-IAS").await.text("client_id");
        let extensions = json!({
            "hl7-b2b": b2b("T-IAS"),
            "tefca_ias": ias(&provider.id_token().sign()),
        });
        for _ in 0..2 {
            let reply = holder
                .token(&asks(&app, &id, extensions.clone()).sign())
                .await;
            assert_eq!(reply.refusal(), format!("{GRANT} {code}"));
        }
        assert_eq!(provider.server.asked().len(), 1, "a failure is remembered");
        // Nobody is asked for a provider that is not listed.
        let mut evil = extensions.clone();
        let token = provider.id_token().claim("iss", "https://evil.example");
        evil["tefca_ias"]["id_token"] = token.sign().into();
        let reply = holder.token(&asks(&app, &id, evil).sign()).await;
        assert_eq!(reply.refusal(), format!("{GRANT} id-token-issuer-unknown"));
        assert_eq!(provider.server.asked().len(), 1);
    }
    // Where none is listed, the object is refused and not passed over.
    let holder = holder("").await;
    let app = world().a.app("urn:oid:1.2.3.9#T-IAS");
    let id = register(&holder, &app, "T-IAS").await.text("client_id");
    let extensions = json!({"hl7-b2b": b2b("T-IAS"), "tefca_ias": ias("a.b.c")});
    let reply = holder.token(&asks(&app, &id, extensions).sign()).await;
    assert_eq!(reply.refusal(), format!("{GRANT} extension-unsupported"));
}

#[tokio::test]
async fn a_sign_in_counts_once_and_for_five_minutes_by_the_draft() {
    let provider = Provider::new().await;
    let issuer = provider.issuer();
    let holder = Holder::asking(&provider.server, |text| {
        let anchors = "anchors = \"a.anchor.pem\"\n";
        let more = format!(
            "{anchors}profile = \"cms-aligned-0.6\"\ncredential_providers = [\"{issuer}\"]\n"
        );
        text.replacen(anchors, &more, 1)
    })
    .await;
    let app = world().a.app("https://draft.app.example");
    let id = holder.registered(&app).await;
    let with = |id_token: &Jwt| {
        let mut b2b = assertion(&app, &id).claims["extensions"]["hl7-b2b"].clone();
        b2b["purpose_of_use"] = json!(["urn:oid:2.16.840.1.113883.5.8#PATRQT"]);
        let cms = json!({
            "version": "2",
            "purpose_of_use": "PATRQT",
            "consent_reference": {"resourceType": "Bundle", "entry": []},
            "id_token": id_token.sign(),
        });
        asks(&app, &id, json!({"hl7-b2b": b2b, "cms_smart": cms})).sign()
    };
    let token = |aud: &str, ago: i64| {
        let auth_time = clock::now().plus_secs(-ago).0;
        provider
            .id_token()
            .claim("aud", aud)
            .claim("auth_time", auth_time)
    };
    let uri = "https://draft.app.example";
    let first = token(uri, 200);
    assert_eq!(holder.token(&with(&first)).await.status, 200);
    assert_eq!(holder.token(&with(&token(&id, 5))).await.status, 200);
    for (what, id_token, code) in [
        ("again", first, "id-token-repeated"),
        (
            "signed in long ago",
            token(uri, 400),
            "id-token-sign-in-too-old",
        ),
        ("to be signed in", token(uri, -400), "jwt-from-the-future"),
        (
            "for another app",
            token("https://other.example", 5),
            "id-token-audience",
        ),
        (
            "without a sign-in",
            token(uri, 5).without("auth_time"),
            "claim-required",
        ),
    ] {
        let reply = holder.token(&with(&id_token)).await;
        assert_eq!(reply.refusal(), format!("{GRANT} {code}"), "{what}");
    }
}

#[tokio::test]
async fn a_holder_that_does_not_send_its_issuer_along_does_not_start() {
    let (directory, _) = crate::support::prepared("");
    let path = directory.path().join("a.cert.pem");
    let whole = std::fs::read_to_string(&path).unwrap();
    let leaf = whole
        .split_inclusive("-----END CERTIFICATE-----\n")
        .next()
        .unwrap();
    let text = tefca(&crate::support::configuration_in(directory.path()), "");
    std::fs::write(&path, leaf).unwrap();
    let config = udap_host::config::parse(&directory.path().join("udap.toml"), &text).unwrap();
    let error = udap_server::Server::open(&config).await.unwrap_err();
    assert_eq!(error.code(), "identity-without-issuer");
}
