//! The statement's claims.

use super::{STATEMENT, UNAPPROVED, good, refused};
use crate::support::{BASE, Holder, REGISTER, TOKEN, statement, world};
use serde_json::{Value, json};

#[tokio::test]
async fn the_claims() {
    let holder = Holder::new().await;
    let app = good();
    let good = || statement(&app);
    let iss = app.leaf().uri_names()[0].clone();
    let exp = |value: Value| good().claim("exp", value);
    let now = udap_trust::clock::now().0;
    let mut table = vec![
        (
            "sub is not iss",
            good().claim("sub", "https://other.example"),
            STATEMENT,
            "sub-not-iss",
        ),
        (
            "aud is the base URL",
            good().claim("aud", BASE),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud is the token endpoint",
            good().claim("aud", TOKEN),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud with a slash",
            good().claim("aud", format!("{REGISTER}/")),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud in capitals",
            good().claim("aud", REGISTER.to_uppercase()),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud with the default port",
            good().claim("aud", REGISTER.replace(".example/", ".example:443/")),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud of others",
            good().claim("aud", json!(["https://a.example", "https://b.example"])),
            STATEMENT,
            "aud-mismatch",
        ),
        (
            "aud empty",
            good().claim("aud", json!([])),
            STATEMENT,
            "claim-missing",
        ),
        (
            "aud as an object",
            good().claim("aud", json!({})),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "aud of numbers",
            good().claim("aud", json!([1])),
            STATEMENT,
            "claim-malformed",
        ),
        ("no aud", good().without("aud"), STATEMENT, "claim-missing"),
        (
            "exp as text",
            exp(json!((now + 300).to_string())),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp in milliseconds",
            exp(json!(now * 1000)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp below zero",
            exp(json!(-1)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp beyond i64",
            exp(json!(u64::MAX)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp beyond the years",
            exp(json!(1e300)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "exp as a date",
            exp(json!("2030-01-01T00:00:00Z")),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "nbf as text",
            good().claim("nbf", "x"),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "a jti of 257 bytes",
            good().claim("jti", "x".repeat(257)),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "a jti that is a number",
            good().claim("jti", 1),
            STATEMENT,
            "claim-malformed",
        ),
        (
            "a jti of nothing",
            good().claim("jti", ""),
            STATEMENT,
            "claim-malformed",
        ),
        ("301 s", good().times(0, 301), STATEMENT, "jwt-lifetime"),
        ("an hour", good().times(0, 3600), STATEMENT, "jwt-lifetime"),
        (
            "a long life that is nearly over",
            good().times(-3600, 10),
            STATEMENT,
            "jwt-lifetime",
        ),
        (
            "expired",
            good().times(-400, -100),
            STATEMENT,
            "jwt-expired",
        ),
        (
            "expired for longer than clocks differ",
            good().times(-330, -30),
            STATEMENT,
            "jwt-expired",
        ),
        (
            "from the future",
            good().times(40, 340),
            STATEMENT,
            "jwt-from-the-future",
        ),
        (
            "not yet",
            good().claim("nbf", now + 60),
            STATEMENT,
            "jwt-from-the-future",
        ),
        (
            "exp before iat",
            good().times(10, 5),
            STATEMENT,
            "exp-before-iat",
        ),
        (
            "exp is iat",
            good().times(0, 0),
            STATEMENT,
            "exp-before-iat",
        ),
    ];
    for claim in ["iss", "sub", "exp", "iat", "jti"] {
        table.push((claim, good().without(claim), STATEMENT, "claim-missing"));
        table.push((
            claim,
            good().claim(claim, Value::Null),
            STATEMENT,
            "claim-missing",
        ));
        table.push((
            claim,
            good().claim(claim, json!([])),
            STATEMENT,
            "claim-malformed",
        ));
    }
    // Near misses of the name in the certificate.
    for near in [
        format!("{iss}/"),
        iss.to_uppercase(),
        iss.replace(".example", ".example:443"),
        format!("{iss}#T-TREAT"),
        format!("{iss} "),
        format!("{iss}?"),
        iss.replace("https", "http"),
        "https://somebody.else.example".to_owned(),
    ] {
        let jwt = good().claim("iss", near.clone()).claim("sub", near);
        table.push(("a near miss", jwt, UNAPPROVED, "san-uri-mismatch"));
    }
    refused(&holder, table).await;

    let fragment = world().a.app("https://fragment.refused.example#T-TREAT");
    let bare = "https://fragment.refused.example";
    let none = world().a.member(&[]).issue();
    refused(
        &holder,
        vec![
            (
                "without its fragment",
                statement(&fragment).claim("iss", bare).claim("sub", bare),
                UNAPPROVED,
                "san-uri-mismatch",
            ),
            (
                "with another fragment",
                statement(&fragment)
                    .claim("iss", format!("{bare}#T-IAS"))
                    .claim("sub", format!("{bare}#T-IAS")),
                UNAPPROVED,
                "san-uri-mismatch",
            ),
            (
                "a certificate without a URI",
                statement(&none).claim("iss", bare).claim("sub", bare),
                UNAPPROVED,
                "san-uri-mismatch",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_near_miss_is_named() {
    let holder = Holder::new().await;
    let app = good();
    let iss = format!("{}/", app.leaf().uri_names()[0]);
    let reply = holder
        .register(
            &statement(&app)
                .claim("iss", iss.clone())
                .claim("sub", iss.clone())
                .sign(),
        )
        .await;
    assert!(
        reply.text("udap_hint").contains("trailing slash"),
        "{reply}"
    );
    // Both values are there to be compared.
    assert!(reply.text("error_description").contains(&iss), "{reply}");
    assert!(
        reply
            .text("error_description")
            .contains(&app.leaf().uri_names()[0]),
        "{reply}"
    );
}
