//! Entries as FHIR AuditEvent resources (R4), for a hospital's audit repository.
//!
//! What an entry does not know is left out. A client is an agent by its `client_id` and its URI, the
//! data holder is the source; of a token the hash of its `jti` is told, never the token.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Record;

/// One resource. `source` is the FHIR base URL of the data holder.
pub fn audit_event(record: &Record, source: &str) -> Value {
    let kind = Kind::of(record);
    let mut event = Map::new();
    event.insert("resourceType".into(), "AuditEvent".into());
    event.insert("type".into(), kind.class);
    event.insert("subtype".into(), Value::Array(kind.subtypes));
    if let Some(action) = kind.action {
        event.insert("action".into(), action.into());
    }
    event.insert("recorded".into(), instant(record.at).into());
    let (outcome, text) = outcome(record);
    event.insert("outcome".into(), outcome.into());
    if let Some(text) = text {
        event.insert("outcomeDesc".into(), text.into());
    }
    let purposes = purposes(record);
    if !purposes.is_empty() {
        event.insert("purposeOfEvent".into(), Value::Array(purposes));
    }
    let mut agents = vec![agent(record)];
    agents.extend(operator(record));
    event.insert("agent".into(), agents.into());
    event.insert(
        "source".into(),
        json!({
            "observer": { "identifier": { "system": URI_SYSTEM, "value": source } },
            "type": [{
                "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                "code": "6",
                "display": "Security Server",
            }],
        }),
    );
    let details = details(record);
    if !details.is_empty() {
        event.insert(
            "entity".into(),
            json!([{ "name": record.event, "detail": details }]),
        );
    }
    Value::Object(event)
}

/// What of the standard's code systems an entry is.
struct Kind {
    class: Value,
    subtypes: Vec<Value>,
    action: Option<&'static str>,
}

impl Kind {
    fn of(record: &Record) -> Self {
        let own = json!({ "code": record.event });
        let of = |class, subtype: Option<Value>, action| Self {
            class,
            subtypes: subtype.into_iter().chain([own.clone()]).collect(),
            action,
        };
        if record.event.starts_with("operator-") {
            let action = match record.event.as_str() {
                "operator-added" | "operator-token-created" => "C",
                "operator-removed" | "operator-token-revoked" => "D",
                "operator-password-changed" => "U",
                _ => "E",
            };
            let (class, subtype) = match record.event.as_str() {
                "operator-logged-in" | "operator-refused" => {
                    (USER_AUTHENTICATION, ("110122", "Login"))
                }
                "operator-logged-out" => (USER_AUTHENTICATION, ("110123", "Logout")),
                _ => (
                    ("110113", "Security Alert"),
                    ("110137", "User Security Attributes Changed"),
                ),
            };
            return of(
                dicom(class.0, class.1),
                Some(dicom(subtype.0, subtype.1)),
                Some(action),
            );
        }
        let (what, how) = record.event.rsplit_once('-').unwrap_or((&record.event, ""));
        match what {
            "token" | "tokens" | "introspection" | "revocation" => of(
                dicom(USER_AUTHENTICATION.0, USER_AUTHENTICATION.1),
                None,
                Some("E"),
            ),
            "access" => {
                let interaction = data(record, "interaction").unwrap_or_default();
                let (code, action) = match interaction.split_once(' ').map_or("", |(verb, _)| verb)
                {
                    "read" => ("read", "R"),
                    "search" => ("search-type", "E"),
                    _ => ("capabilities", "E"),
                };
                let rest = json!({
                    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
                    "code": "rest",
                    "display": "RESTful Operation",
                });
                let restful = json!({
                    "system": "http://hl7.org/fhir/restful-interaction",
                    "code": code,
                });
                of(rest, Some(restful), Some(action))
            }
            "registration" | "certification" => {
                let attributes = dicom("110137", "User Security Attributes Changed");
                let action = match how {
                    "created" => "C",
                    "cancelled" => "D",
                    "modified" | "lapsed" | "restored" | "suspended" => "U",
                    _ => "E",
                };
                of(
                    dicom("110113", "Security Alert"),
                    Some(attributes),
                    Some(action),
                )
            }
            "certificate" => of(
                dicom("110113", "Security Alert"),
                Some(dicom("110129", "Security Configuration")),
                Some("E"),
            ),
            "audit" => of(dicom("110101", "Audit Log Used"), None, Some("D")),
            "started" => of(
                dicom("110100", "Application Activity"),
                Some(dicom("110120", "Application Start")),
                Some("E"),
            ),
            "stopped" => of(
                dicom("110100", "Application Activity"),
                Some(dicom("110121", "Application Stop")),
                Some("E"),
            ),
            _ => of(dicom("110100", "Application Activity"), None, None),
        }
    }
}

/// 0 is success, 4 a failure of the request, 8 one of the server behind.
fn outcome(record: &Record) -> (&'static str, Option<String>) {
    let status = record.more.data.as_ref().and_then(|d| d["status"].as_u64());
    match (&record.code, status) {
        (Some(code), _) => {
            let detail = record.more.detail.as_deref().unwrap_or_default();
            ("4", Some(format!("{code}: {detail}")))
        }
        (None, Some(status @ 500..)) => ("8", Some(format!("HTTP status {status}"))),
        (None, Some(status @ 400..)) => ("4", Some(format!("HTTP status {status}"))),
        _ => ("0", None),
    }
}

fn agent(record: &Record) -> Value {
    let mut agent = Map::new();
    if let Some(uri) = &record.more.uri {
        let who = json!({ "identifier": { "system": URI_SYSTEM, "value": uri } });
        agent.insert("who".into(), who);
    }
    if let Some(client_id) = &record.client_id {
        agent.insert("altId".into(), client_id.as_str().into());
    }
    // Nobody asked for it where the server says something of itself.
    let requested = (record.client_id.is_some() || record.more.remote.is_some())
        && data(record, "by").is_none();
    agent.insert("requestor".into(), requested.into());
    if let Some(community) = &record.community {
        agent.insert("policy".into(), json!([community]));
    }
    if let Some(remote) = record.more.remote {
        let network = json!({ "address": remote.to_string(), "type": "2" });
        agent.insert("network".into(), network);
    }
    Value::Object(agent)
}

/// Who of the data holder's own people did it.
fn operator(record: &Record) -> Option<Value> {
    let by = data(record, "by")?;
    Some(json!({ "name": by, "requestor": true }))
}

/// `system#code` as a coding; anything else as text.
fn purposes(record: &Record) -> Vec<Value> {
    let purposes = record.more.data.as_ref().map(|d| &d["purpose_of_use"]);
    let purposes = purposes.and_then(Value::as_array).into_iter().flatten();
    purposes
        .filter_map(Value::as_str)
        .map(|purpose| match purpose.rsplit_once('#') {
            Some((system, code)) => json!({ "coding": [{ "system": system, "code": code }] }),
            None => json!({ "text": purpose }),
        })
        .collect()
}

fn details(record: &Record) -> Vec<Value> {
    let more = &record.more;
    let mut details = Vec::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            details.push(json!({ "type": name, "valueString": value }));
        }
    };
    for name in [
        "scope",
        "interaction",
        "serial",
        "profile",
        "reason",
        "to",
        "version",
    ] {
        put(name, data(record, name).map(str::to_owned));
    }
    put("jti-sha256", more.jti.clone());
    put("request-id", more.request_id.clone());
    put("duration-us", more.duration_us.map(|us| us.to_string()));
    details
}

fn data<'a>(record: &'a Record, member: &str) -> Option<&'a str> {
    record.more.data.as_ref()?.get(member)?.as_str()
}

fn instant(at: i64) -> String {
    Timestamp::from_microsecond(at)
        .unwrap_or_default()
        .to_string()
}

fn dicom(code: &str, display: &str) -> Value {
    json!({
        "system": "http://dicom.nema.org/resources/ontology/DCM",
        "code": code,
        "display": display,
    })
}

const USER_AUTHENTICATION: (&str, &str) = ("110114", "User Authentication");

/// Identifiers that are URIs themselves (FHIR R4, Identifier.system).
const URI_SYSTEM: &str = "urn:ietf:rfc:3986";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::More;

    fn record(event: &str) -> Record {
        Record {
            at: 1_795_000_000_123_456,
            event: event.to_owned(),
            community: Some("https://community.example".to_owned()),
            client_id: Some("c1".to_owned()),
            code: None,
            more: More {
                uri: Some("https://app.example".to_owned()),
                remote: Some([192, 0, 2, 7].into()),
                jti: Some("ab".repeat(32)),
                duration_us: Some(250),
                ..More::default()
            },
        }
    }

    fn with(event: &str, data: Value) -> Record {
        let mut record = record(event);
        record.more.data = Some(data);
        record
    }

    #[test]
    fn each_kind_of_entry_as_a_resource() {
        let mut refused = record("token-refused");
        refused.code = Some("certificate-revoked".to_owned());
        refused.more.detail = Some("revoked since yesterday".to_owned());
        let mut started = with("started", json!({ "version": "0.1.0" }));
        (started.client_id, started.community) = (None, None);
        started.more = More {
            data: started.more.data,
            ..More::default()
        };
        let all: Vec<_> = [
            with(
                "token-issued",
                json!({ "scope": "system/Patient.rs", "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT", "care"] }),
            ),
            refused,
            with("access-allowed", json!({ "interaction": "read Patient", "status": 200 })),
            with("access-allowed", json!({ "interaction": "search Observation", "status": 503 })),
            with("registration-suspended", json!({ "by": "ada", "reason": "asked by the vendor" })),
            with("operator-added", json!({ "by": "ada", "to": "grace" })),
            record("registration-created"),
            record("registration-cancelled"),
            with("certificate-revoked", json!({ "serial": "0a", "reason": "superseded" })),
            started,
        ]
        .iter()
        .map(|record| audit_event(record, "https://fhir.example.org/r4"))
        .collect();
        insta::assert_json_snapshot!(all);
    }
}
