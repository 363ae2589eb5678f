//! What the app asks for.

use super::{METADATA, good, refused};
use crate::support::{Holder, statement};
use serde_json::{Value, json};

#[tokio::test]
async fn the_parameters() {
    let holder = Holder::new().await;
    let app = good();
    let good = || statement(&app);
    let with_code = || {
        good()
            .claim("grant_types", json!(["authorization_code"]))
            .claim("redirect_uris", json!(["https://good.refused.example/cb"]))
            .claim("response_types", json!(["code"]))
            .claim("logo_uri", "https://good.refused.example/logo.png")
    };
    let mut table = vec![
        (
            "both grants",
            good().claim(
                "grant_types",
                json!(["client_credentials", "authorization_code"]),
            ),
            "parameter-invalid",
        ),
        (
            "a grant twice",
            good().claim(
                "grant_types",
                json!(["client_credentials", "client_credentials"]),
            ),
            "parameter-invalid",
        ),
        (
            "another grant",
            good().claim("grant_types", json!(["password"])),
            "parameter-invalid",
        ),
        (
            "refresh alone",
            good().claim("grant_types", json!(["refresh_token"])),
            "parameter-invalid",
        ),
        (
            "refresh with client credentials",
            good().claim(
                "grant_types",
                json!(["client_credentials", "refresh_token"]),
            ),
            "parameter-invalid",
        ),
        (
            "grants as text",
            good().claim("grant_types", "client_credentials"),
            "parameter-invalid",
        ),
        (
            "grants of numbers",
            good().claim("grant_types", json!([1])),
            "parameter-invalid",
        ),
        (
            "grants null",
            good().claim("grant_types", Value::Null),
            "parameter-invalid",
        ),
        (
            "a client secret",
            good().claim("token_endpoint_auth_method", "client_secret_basic"),
            "parameter-invalid",
        ),
        (
            "redirect URIs without the code flow",
            good().claim("redirect_uris", json!(["https://good.refused.example/cb"])),
            "parameter-invalid",
        ),
        (
            "no redirect URI, in so many words",
            good().claim("redirect_uris", json!([])),
            "parameter-invalid",
        ),
        (
            "response types without the code flow",
            good().claim("response_types", json!(["code"])),
            "parameter-invalid",
        ),
        (
            "contacts that are no URIs",
            good().claim("contacts", json!(["ops@app.example"])),
            "parameter-invalid",
        ),
        (
            "contacts without mail",
            good().claim("contacts", json!(["https://app.example"])),
            "parameter-invalid",
        ),
        (
            "no contact",
            good().claim("contacts", json!([])),
            "parameter-invalid",
        ),
        (
            "65 contacts",
            good().claim("contacts", json!(vec!["mailto:ops@app.example"; 65])),
            "parameter-invalid",
        ),
        (
            "a name that is no text",
            good().claim("client_name", 1),
            "parameter-invalid",
        ),
        (
            "a name of nothing",
            good().claim("client_name", ""),
            "parameter-invalid",
        ),
        (
            "a scope that is no text",
            good().claim("scope", json!(["system/Patient.rs"])),
            "parameter-invalid",
        ),
        (
            "a scope of 17 KiB",
            good().claim("scope", "x".repeat(17 * 1024)),
            "parameter-invalid",
        ),
        (
            "a logo that is no image",
            good().claim("logo_uri", "https://good.refused.example/logo.svg"),
            "parameter-invalid",
        ),
        (
            "a logo without https",
            good().claim("logo_uri", "http://good.refused.example/logo.png"),
            "parameter-invalid",
        ),
        (
            "terms that are no text",
            good().claim("tos_uri", json!({})),
            "parameter-invalid",
        ),
        (
            "wildcards",
            good().claim("scope", "system/*.rs"),
            "scope-wildcard-unsupported",
        ),
        (
            "a wildcard among others",
            good().claim("scope", "system/Patient.rs system/*.read"),
            "scope-wildcard-unsupported",
        ),
        (
            "scopes of others only",
            good().claim("scope", "system/Condition.rs"),
            "scope-none-granted",
        ),
        (
            "scopes of users only",
            good().claim("scope", "user/Patient.rs openid udap"),
            "scope-none-granted",
        ),
        (
            "a scope of blanks",
            good().claim("scope", "  "),
            "scope-none-granted",
        ),
        (
            "the code flow, which is not here yet",
            with_code(),
            "grant-unsupported",
        ),
        (
            "the code flow without response types",
            with_code().without("response_types"),
            "parameter-missing",
        ),
        (
            "the code flow without a logo",
            with_code().without("logo_uri"),
            "parameter-missing",
        ),
        (
            "the code flow without redirect URIs",
            with_code().without("redirect_uris"),
            "parameter-missing",
        ),
        (
            "the implicit flow",
            with_code().claim("response_types", json!(["token"])),
            "parameter-invalid",
        ),
    ];
    for param in [
        "client_name",
        "grant_types",
        "token_endpoint_auth_method",
        "contacts",
        "scope",
    ] {
        table.push((param, good().without(param), "parameter-missing"));
    }
    let table = table
        .into_iter()
        .map(|(what, jwt, code)| (what, jwt, METADATA, code));
    refused(&holder, table.collect()).await;

    for uri in [
        "http://good.refused.example/cb",
        "good.refused.example",
        "https://u@good.refused.example/cb",
        "https://good.refused.example/cb#x",
        "https://*.refused.example/cb",
        "javascript:alert(1)",
    ] {
        let jwt = with_code().claim(
            "redirect_uris",
            json!(["https://good.refused.example/cb", uri]),
        );
        refused(
            &holder,
            vec![(uri, jwt, "400 invalid_redirect_uri", "redirect-uri-invalid")],
        )
        .await;
    }
    // Not one of them left anything behind.
    let leave = good().claim("grant_types", json!([]));
    refused(
        &holder,
        vec![("nothing to cancel", leave, METADATA, "registration-unknown")],
    )
    .await;
}
