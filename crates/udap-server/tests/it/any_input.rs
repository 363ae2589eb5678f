//! No input makes the server fail: never a 5xx, never a body that is not JSON.

use crate::support::{Holder, Member, assertion, encoded, form, request, statement, world};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::RefCell;

/// Runs a property against one server.
fn against<S: Strategy>(cases: u32, strategy: S, check: impl AsyncFn(&Holder, S::Value)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let holder = runtime.block_on(Holder::new());
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let runtime = RefCell::new(runtime);
    runner
        .run(&strategy, |value| {
            runtime.borrow_mut().block_on(check(&holder, value));
            Ok(())
        })
        .unwrap();
}

async fn no_fault(holder: &Holder, target: &str, kind: &str, body: impl Into<Body>) {
    let headers = [("content-type", kind)];
    let reply = holder
        .send(request(Method::POST, target, &headers, body))
        .await;
    if reply.status.is_success() {
        reply.json();
    } else {
        // Looks at the whole answer.
        assert!(reply.status.is_client_error(), "{reply}");
        reply.refusal();
    }
}

async fn both(holder: &Holder, body: Vec<u8>) {
    no_fault(
        holder,
        "/fhir/oauth/register",
        "application/json",
        body.clone(),
    )
    .await;
    no_fault(
        holder,
        "/fhir/oauth/token",
        "application/x-www-form-urlencoded",
        body.clone(),
    )
    .await;
    for target in ["/fhir/oauth/introspect", "/fhir/oauth/revoke"] {
        let kind = "application/x-www-form-urlencoded";
        no_fault(holder, target, kind, body.clone()).await;
    }
}

/// Asks as a registered app about what is said to be a token.
async fn about(holder: &Holder, app: &Member, id: &str, token: &str) {
    for (target, status) in [
        ("/fhir/oauth/introspect", "active"),
        ("/fhir/oauth/revoke", ""),
    ] {
        let jwt = assertion(app, id).sign();
        let fields = [
            ("token", token),
            ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
            ("client_assertion", &jwt),
        ];
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = holder
            .send(request(Method::POST, target, &headers, encoded(&fields)))
            .await;
        if token.is_empty() {
            assert_eq!(reply.refusal(), "400 invalid_request parameter-missing");
        } else if status.is_empty() {
            assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
        } else {
            assert_eq!(reply.json(), json!({"active": false}), "{token}");
        }
    }
}

#[test]
fn any_text_or_changed_token_to_be_asked_about() {
    let app = world().a.app("https://any-token.app.example");
    let client = RefCell::new(None);
    against(
        150,
        (".{0,80}", any::<prop::sample::Index>(), "[A-Za-z0-9_.-]"),
        async |holder, (text, at, with)| {
            if client.borrow().is_none() {
                let id = holder.registered(&app).await;
                let reply = holder.token(&assertion(&app, &id).sign()).await;
                client.replace(Some((id, reply.text("access_token"))));
            }
            let (id, token) = client.borrow().clone().unwrap();
            about(holder, &app, &id, &text).await;
            let at = at.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(at..=at, &with);
            if changed != token {
                about(holder, &app, &id, &changed).await;
            }
        },
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        ".{0,40}".prop_map(Value::from),
        "https://[a-z]{1,8}(:[0-9]{1,6})?/?".prop_map(Value::from),
        "(system|user|patient)/(\\*|[A-Z][a-z]{1,6})\\.[cruds]{0,5}( [a-z/.*]{0,12}){0,3}"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((".{0,12}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn any_bytes() {
    against(300, proptest::collection::vec(any::<u8>(), 0..600), both);
}

#[test]
fn any_text_of_the_right_letters() {
    against(
        300,
        "[a-zA-Z0-9_.=&%+{}\":,\\[\\] -]{0,400}",
        async |holder, text| {
            both(holder, text.into_bytes()).await;
        },
    );
}

#[test]
fn any_json_as_the_body() {
    let names = prop_oneof![
        Just("udap"),
        Just("software_statement"),
        Just("certifications")
    ];
    against(200, (names, any_json()), async |holder, (name, value)| {
        let mut body = json!({"udap": "1", "software_statement": "a.b.c"});
        body[name] = value;
        both(holder, body.to_string().into_bytes()).await;
    });
}

#[test]
fn any_claim_and_any_header_signed_by_a_member() {
    let claims = proptest::sample::select(vec![
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "client_name",
        "grant_types",
        "scope",
        "redirect_uris",
        "response_types",
        "contacts",
        "logo_uri",
        "tos_uri",
        "extensions",
        "token_endpoint_auth_method",
    ]);
    let headers = proptest::sample::select(vec![
        "alg", "x5c", "typ", "crit", "kid", "jwk", "zip", "b64",
    ]);
    let app = world().a.app("https://any-claim.app.example");
    against(
        250,
        (claims, headers, any_json(), any::<bool>()),
        async |holder, (claim, header, value, in_header)| {
            let change = |jwt: crate::support::Jwt| {
                if in_header {
                    jwt.header(header, value.clone())
                } else {
                    jwt.claim(claim, value.clone())
                }
            };
            let body = json!({"udap": "1", "software_statement": change(statement(&app)).sign()});
            no_fault(
                holder,
                "/fhir/oauth/register",
                "application/json",
                body.to_string(),
            )
            .await;
            let jwt = change(assertion(&app, "nobody")).sign();
            let kind = "application/x-www-form-urlencoded";
            no_fault(holder, "/fhir/oauth/token", kind, encoded(&form(&jwt))).await;
        },
    );
}

#[test]
fn any_object_in_the_extensions_of_a_client() {
    let app = world().a.app("https://any-extension.app.example");
    let client = RefCell::new(None);
    let members = proptest::sample::select(vec![
        "version",
        "subject_name",
        "subject_id",
        "subject_role",
        "organization_name",
        "organization_id",
        "purpose_of_use",
        "consent_policy",
        "consent_reference",
        "other",
    ]);
    against(
        150,
        (members, any_json(), ".{0,60}"),
        async |holder, (member, value, scope)| {
            if client.borrow().is_none() {
                let id = holder.registered(&app).await;
                client.replace(Some(id));
            }
            let id = client.borrow().clone().unwrap();
            let mut jwt = assertion(&app, &id);
            jwt.claims["extensions"]["hl7-b2b"][member] = value.clone();
            let jwt = jwt.sign();
            let kind = "application/x-www-form-urlencoded";
            no_fault(holder, "/fhir/oauth/token", kind, encoded(&form(&jwt))).await;
            let jwt = assertion(&app, &id).sign();
            let mut fields = form(&jwt);
            fields[1].1 = &scope;
            no_fault(holder, "/fhir/oauth/token", kind, encoded(&fields)).await;
        },
    );
}

#[test]
fn a_certificate_with_any_byte_changed() {
    let app = world().a.app("https://any-byte.app.example");
    let der = app.leaf().der().to_vec();
    against(
        300,
        (0..der.len(), any::<u8>()),
        async |holder, (at, byte)| {
            let mut changed = der.clone();
            changed[at] ^= byte;
            let text = base64::engine::general_purpose::STANDARD.encode(&changed);
            let jwt = statement(&app).x5c(|mut x5c| {
                x5c[0] = text;
                x5c
            });
            let body = json!({"udap": "1", "software_statement": jwt.sign()});
            let headers = [("content-type", "application/json")];
            let request = request(
                Method::POST,
                "/fhir/oauth/register",
                &headers,
                body.to_string(),
            );
            let reply = holder.send(request).await;
            // Never accepted, unless nothing was changed.
            assert_eq!(reply.status.is_success(), byte == 0, "byte {at}: {reply}");
            if byte != 0 {
                reply.refusal();
            }
        },
    );
}

#[test]
fn a_statement_with_any_character_changed() {
    let app = world().a.app("https://any-character.app.example");
    against(
        300,
        (any::<prop::sample::Index>(), "[A-Za-z0-9_.-]"),
        async |holder, (at, with)| {
            let good = statement(&app).sign();
            let at = at.index(good.len());
            let mut changed = good.clone();
            changed.replace_range(at..=at, &with);
            let reply = holder.register(&changed).await;
            assert_eq!(
                reply.status.is_success(),
                changed == good,
                "character {at}: {reply}"
            );
        },
    );
}

#[test]
fn any_query_for_metadata() {
    against(
        200,
        "(community=)?[a-zA-Z0-9%&=:/?#._-]{0,80}",
        async |holder, query| {
            let target = format!("/fhir/.well-known/udap?{}", query.replace('#', ""));
            let reply = holder.get(&target).await;
            assert!(
                [200, 204].contains(&reply.status.as_u16()),
                "{target}: {reply}"
            );
        },
    );
}

#[tokio::test]
async fn nonsense_that_somebody_thought_of() {
    let holder = Holder::new().await;
    let nul = holder.register("\u{0}").await.refusal();
    assert!(nul.starts_with("400 invalid_client_metadata"), "{nul}");
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let deep = "[".repeat(100_000);
    for jwt in [
        "..".to_owned(),
        "...".to_owned(),
        format!("{}..", encode("{}")),
        format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode("{}")),
        format!(
            "{}.{}.AA",
            encode(r#"{"alg":"ES256","x5c":["MAA="]}"#),
            encode("{}")
        ),
        format!("{}.{}.AA", encode(&deep[..30_000]), encode("{}")),
        "\u{1}".to_owned(),
        "é.é.é".to_owned(),
    ] {
        assert!(
            holder
                .register(&jwt)
                .await
                .refusal()
                .starts_with("400 invalid_software_statement")
        );
        assert!(holder.token(&jwt).await.refusal().starts_with("400 "));
    }
    both(&holder, deep.into_bytes()).await;
    both(&holder, b"\xef\xbb\xbf{}".to_vec()).await;
    for target in [
        "/",
        "/fhir",
        "/oauth/token",
        "/fhir/oauth/token/",
        "/fhir/oauth/TOKEN",
        "/fhir/oauth/%74oken/x",
    ] {
        let reply = holder.send(request(Method::POST, target, &[], "")).await;
        assert_eq!(reply.status, 404, "{target}");
    }
}
