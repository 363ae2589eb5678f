//! The request's body.

use super::{METADATA, STATEMENT, good};
use crate::support::{Holder, request, statement};
use http::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn the_body() {
    let holder = Holder::new().await;
    let good = statement(&good()).sign();
    let with = |name: &str, value: Value| {
        let mut body = json!({"software_statement": good, "udap": "1"});
        body[name] = value;
        body.to_string()
    };
    let table = [
        ("nothing", String::new(), METADATA, "body-malformed"),
        (
            "no JSON",
            "software_statement=x&udap=1".into(),
            METADATA,
            "body-malformed",
        ),
        ("no object", "[]".into(), METADATA, "body-malformed"),
        (
            "something behind it",
            with("x", json!(1)) + "x",
            METADATA,
            "body-malformed",
        ),
        (
            "a member twice",
            r#"{"udap":"1","udap":"1","software_statement":"a.b.c"}"#.into(),
            METADATA,
            "body-malformed",
        ),
        (
            "too deep",
            format!(
                r#"{{"udap":"1","x":{}1{}}}"#,
                "[".repeat(40),
                "]".repeat(40)
            ),
            METADATA,
            "body-malformed",
        ),
        (
            "udap as a number",
            with("udap", json!(1)),
            METADATA,
            "udap-version",
        ),
        ("udap 2", with("udap", json!("2")), METADATA, "udap-version"),
        (
            "udap null",
            with("udap", Value::Null),
            METADATA,
            "udap-version",
        ),
        (
            "no udap",
            json!({"software_statement": good}).to_string(),
            METADATA,
            "udap-version",
        ),
        (
            "no statement",
            json!({"udap": "1"}).to_string(),
            STATEMENT,
            "statement-missing",
        ),
        (
            "a statement that is no text",
            with("software_statement", json!({})),
            STATEMENT,
            "statement-missing",
        ),
        (
            "certifications as text",
            with("certifications", json!("x")),
            METADATA,
            "certifications-malformed",
        ),
        (
            "certifications of numbers",
            with("certifications", json!([1])),
            METADATA,
            "certifications-malformed",
        ),
        (
            "seventeen certifications",
            with("certifications", json!(vec!["x"; 17])),
            METADATA,
            "certifications-malformed",
        ),
        (
            "256 KiB and a byte",
            " ".repeat(256 * 1024 + 1),
            "413 invalid_client_metadata",
            "body-too-large",
        ),
    ];
    for (what, body, error, code) in table {
        let reply = holder.post_registration(body).await;
        assert_eq!(reply.refusal(), format!("{error} {code}"), "{what}");
    }
    // What is not UTF-8.
    let reply = holder.post_registration(vec![b'{', 0xff, b'}']).await;
    assert_eq!(reply.refusal(), format!("{METADATA} body-malformed"));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = holder
            .send(request(method, "/fhir/oauth/register", &[], ""))
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (405, "POST")
        );
    }
}
