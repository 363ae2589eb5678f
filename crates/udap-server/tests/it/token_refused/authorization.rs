//! What it asks for.

use super::{GRANT, SCOPE, refused, registered};
use crate::support::{assertion, form};
use serde_json::{Value, json};

#[tokio::test]
async fn the_authorization() {
    let (holder, app, id) = registered().await;
    let extensions = |value: Value| assertion(&app, &id).claim("extensions", value);
    let b2b = |name: &str, value: Value| {
        let mut jwt = assertion(&app, &id);
        jwt.claims["extensions"]["hl7-b2b"][name] = value;
        jwt
    };
    let lacks = |name: &str| {
        let mut jwt = assertion(&app, &id);
        let object = jwt.claims["extensions"]["hl7-b2b"].as_object_mut();
        object.unwrap().remove(name);
        jwt
    };
    let table = vec![
        (
            "no extensions",
            assertion(&app, &id).without("extensions"),
            GRANT,
            "extension-missing",
        ),
        (
            "extensions null",
            extensions(Value::Null),
            GRANT,
            "extension-missing",
        ),
        (
            "extensions of others",
            extensions(json!({"x": 1})),
            GRANT,
            "extension-missing",
        ),
        (
            "extensions as a list",
            extensions(json!([])),
            GRANT,
            "extensions-malformed",
        ),
        (
            "hl7-b2b as text",
            extensions(json!({"hl7-b2b": "x"})),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "hl7-b2b null",
            extensions(json!({"hl7-b2b": null})),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "no version",
            lacks("version"),
            GRANT,
            "extension-member-missing",
        ),
        (
            "no organization",
            lacks("organization_id"),
            GRANT,
            "extension-member-missing",
        ),
        (
            "no purpose",
            lacks("purpose_of_use"),
            GRANT,
            "extension-member-missing",
        ),
        (
            "version as a number",
            b2b("version", json!(1)),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "a relative organization",
            b2b("organization_id", json!("Organization/1")),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "no purpose in so many words",
            b2b("purpose_of_use", json!([])),
            GRANT,
            "extension-member-malformed",
        ),
        (
            "consent without a policy",
            b2b("consent_reference", json!(["https://consent.example/1"])),
            GRANT,
            "extension-member-malformed",
        ),
    ];
    refused(&holder, table).await;
    for (scope, code) in [
        ("system/*.rs", "scope-wildcard-unsupported"),
        (
            "system/Patient.rs system/*.read",
            "scope-wildcard-unsupported",
        ),
        ("system/Condition.rs", "scope-none-granted"),
        ("system/Patient.cud", "scope-none-granted"),
        ("user/Patient.rs", "scope-none-granted"),
        ("openid", "scope-none-granted"),
        ("+", "scope-none-granted"),
    ] {
        let jwt = assertion(&app, &id).sign();
        let mut fields = form(&jwt);
        fields[1].1 = scope;
        let reply = holder.post_form(&fields).await;
        assert_eq!(reply.refusal(), format!("{SCOPE} {code}"), "{scope}");
    }
}
