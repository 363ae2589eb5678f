//! Apps whose users sign in: registered where the operator says so, for the day when sign-in is there.

use crate::support::{Holder, Jwt, Member, assertion, statement, world};
use serde_json::{Value, json};

const ON: &str = "registration_grants = [\"client_credentials\", \"authorization_code\"]\n\
     scopes_supported = [\"openid\", \"user/Patient.rs\", \"system/Patient.rs\", \"system/Observation.rs\"]";

fn app_with_code(app: &Member) -> Jwt {
    statement(app)
        .claim("grant_types", json!(["authorization_code"]))
        .claim(
            "redirect_uris",
            json!([
                "https://code.app.example/cb?x=1",
                "https://CODE.app.example/CB"
            ]),
        )
        .claim("response_types", json!(["code"]))
        .claim("logo_uri", "https://code.app.example/logo.png")
        .claim("scope", "openid user/Patient.rs user/Observation.rs")
}

#[tokio::test]
async fn it_is_registered_with_its_redirect_uris_letter_for_letter() {
    let holder = Holder::with(ON).await;
    let app = world().a.app("https://code.app.example");
    let statement = app_with_code(&app);
    let reply = holder.register(&statement.sign()).await;
    assert_eq!(reply.status, 201, "{reply}");
    let json = reply.json();
    for claim in ["redirect_uris", "response_types", "grant_types", "logo_uri"] {
        assert_eq!(json[claim], statement.claims[claim], "{claim}");
    }
    // What is not to be had here is left out, and a user's scopes are not an app's.
    assert_eq!(json["scope"], "openid user/Patient.rs");
    let id = reply.text("client_id");
    let with_refresh = app_with_code(&app)
        .claim(
            "grant_types",
            json!(["refresh_token", "authorization_code"]),
        )
        .sign();
    let reply = holder.register(&with_refresh).await;
    assert_eq!(
        (reply.status.as_u16(), reply.text("client_id")),
        (200, id.clone())
    );
    let grants = reply.json()["grant_types"].clone();
    assert_eq!(grants, json!(["authorization_code", "refresh_token"]));

    // It gets no token by the other grant, and the code flow is neither offered nor there.
    let reply = holder.token(&assertion(&app, &id).sign()).await;
    assert_eq!(
        reply.refusal(),
        "400 unauthorized_client grant-not-registered"
    );
    let jwt = assertion(&app, &id).sign();
    let mut form = crate::support::form(&jwt);
    form[0].1 = "authorization_code";
    form.push(("code", "x"));
    let reply = holder.post_form(&form).await;
    assert_eq!(
        reply.refusal(),
        "400 unsupported_grant_type grant-unsupported"
    );
    for target in [
        "/fhir/.well-known/udap",
        "/fhir/.well-known/smart-configuration",
        "/.well-known/oauth-authorization-server/fhir",
    ] {
        let metadata = holder.get(target).await.json();
        assert_eq!(
            metadata["grant_types_supported"],
            json!(["client_credentials"])
        );
        assert!(metadata.get("authorization_endpoint").is_none(), "{target}");
    }
    // It may leave with nothing but an empty list.
    let leave = crate::support::statement(&app)
        .claim("grant_types", json!([]))
        .sign();
    assert_eq!(holder.register(&leave).await.status, 200);
}

#[tokio::test]
async fn each_claim_rule_refuses() {
    let holder = Holder::with(ON).await;
    let app = world().a.app("https://refused.code.example");
    let good = || app_with_code(&app);
    let uris = |value: Value| good().claim("redirect_uris", value);
    let one = |uri: &str| uris(json!([uri]));
    let grants = |value: Value| good().claim("grant_types", value);
    const REDIRECT: &str = "invalid_redirect_uri redirect-uri-invalid";
    const MISSING: &str = "invalid_client_metadata parameter-missing";
    const INVALID: &str = "invalid_client_metadata parameter-invalid";
    for (what, jwt, expected) in [
        ("no redirect URI", good().without("redirect_uris"), MISSING),
        ("an empty list", uris(json!([])), MISSING),
        ("one as text", uris(json!("https://a.example/cb")), INVALID),
        ("one that is no text", uris(json!([7])), INVALID),
        ("http", one("http://refused.code.example/cb"), REDIRECT),
        ("http on loopback", one("http://127.0.0.1/cb"), REDIRECT),
        ("a scheme of its own", one("refused.code:/cb"), REDIRECT),
        (
            "a fragment",
            one("https://refused.code.example/cb#x"),
            REDIRECT,
        ),
        (
            "an empty fragment",
            one("https://refused.code.example/cb#"),
            REDIRECT,
        ),
        (
            "a wildcard",
            one("https://refused.code.example/*"),
            REDIRECT,
        ),
        (
            "credentials",
            one("https://u:p@refused.code.example/cb"),
            REDIRECT,
        ),
        ("a path", one("/cb"), REDIRECT),
        (
            "a line break",
            one("https://refused.code.example/cb\n"),
            REDIRECT,
        ),
        (
            "backslashes",
            one("https:\\\\refused.code.example\\cb"),
            REDIRECT,
        ),
        (
            "a good and a bad one",
            uris(json!([
                "https://refused.code.example/cb",
                "http://refused.code.example/cb"
            ])),
            REDIRECT,
        ),
        (
            "sixty-five",
            uris(
                (0..65)
                    .map(|i| json!(format!("https://a.example/{i}")))
                    .collect(),
            ),
            INVALID,
        ),
        (
            "no response type",
            good().without("response_types"),
            MISSING,
        ),
        (
            "token",
            good().claim("response_types", json!(["token"])),
            INVALID,
        ),
        (
            "code and token",
            good().claim("response_types", json!(["code", "token"])),
            INVALID,
        ),
        (
            "no response types",
            good().claim("response_types", json!([])),
            INVALID,
        ),
        ("no logo", good().without("logo_uri"), MISSING),
        (
            "a logo by http",
            good().claim("logo_uri", "http://a.example/logo.png"),
            INVALID,
        ),
        (
            "SVG",
            good().claim("logo_uri", "https://a.example/logo.svg"),
            INVALID,
        ),
        (
            "no ending",
            good().claim("logo_uri", "https://a.example/logo"),
            INVALID,
        ),
        (
            "in its query",
            good().claim("logo_uri", "https://a.example/?x=logo.png"),
            INVALID,
        ),
        (
            "data",
            good().claim("logo_uri", "data:image/png;base64,AAAA"),
            INVALID,
        ),
        ("refresh alone", grants(json!(["refresh_token"])), INVALID),
        (
            "both grants",
            grants(json!(["authorization_code", "client_credentials"])),
            INVALID,
        ),
        (
            "all three",
            grants(json!([
                "authorization_code",
                "refresh_token",
                "client_credentials"
            ])),
            INVALID,
        ),
        (
            "and by assertion",
            grants(json!(["authorization_code", udap_proto::token::JWT_BEARER])),
            INVALID,
        ),
        (
            "twice",
            grants(json!(["authorization_code", "authorization_code"])),
            INVALID,
        ),
        ("implicit", grants(json!(["implicit"])), INVALID),
        ("no scope", good().without("scope"), MISSING),
        (
            "an app's scopes alone",
            good().claim("scope", "system/Patient.rs"),
            "invalid_client_metadata scope-none-granted",
        ),
        (
            "a wildcard scope that there is not",
            good().claim("scope", "user/*.rs"),
            "invalid_client_metadata scope-wildcard-unsupported",
        ),
        (
            "another method",
            good().claim("token_endpoint_auth_method", "none"),
            INVALID,
        ),
        ("no contacts", good().without("contacts"), MISSING),
        // What it must not have without a code.
        (
            "a redirect URI without a code",
            statement(&app).claim("redirect_uris", json!(["https://a.example/cb"])),
            INVALID,
        ),
        (
            "a response type without a code",
            statement(&app).claim("response_types", json!(["code"])),
            INVALID,
        ),
    ] {
        let reply = holder.register(&jwt.sign()).await;
        assert_eq!(reply.refusal(), format!("400 {expected}"), "{what}");
    }
    // The logo is looked at by its name alone: nothing was fetched, for there is no such host.
    assert_eq!(holder.register(&good().sign()).await.status, 201);
}

/// What is not switched on cannot be registered, and says so.
#[tokio::test]
async fn a_grant_that_the_operator_does_not_take_is_refused() {
    let app = world().a.app("https://off.code.example");
    let none = "registration_grants = [\"authorization_code\"]";
    for (settings, statement) in [
        ("", app_with_code(&app)),
        (
            "",
            app_with_code(&app).claim(
                "grant_types",
                json!(["authorization_code", "refresh_token"]),
            ),
        ),
        (none, statement(&app)),
    ] {
        let holder = Holder::with(settings).await;
        let reply = holder.register(&statement.sign()).await;
        assert_eq!(
            reply.refusal(),
            "400 invalid_client_metadata grant-unsupported"
        );
    }
}
