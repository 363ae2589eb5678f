//! `POST {base}/oauth/introspect` and `POST {base}/oauth/revoke`: what both ask of their caller.

use crate::support::{
    BASE, Holder, Member, REGISTER, Reply, TOKEN, assertion, encoded, request, world,
};
use http::Method;
use serde_json::json;
use udap_host::db::sqlx;

pub(crate) const INTROSPECT: &str = "https://holder.example/fhir/oauth/introspect";
pub(crate) const REVOKE: &str = "https://holder.example/fhir/oauth/revoke";
const KIND: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Asks one of the endpoints about a token, everything else as it should be.
pub(crate) async fn about(
    holder: &Holder,
    endpoint: &str,
    app: (&Member, &str),
    token: &str,
) -> Reply {
    let jwt = assertion(app.0, app.1).claim("aud", endpoint).sign();
    send(holder, endpoint, encoded(&form(&jwt, token))).await
}

/// An access token of an app.
pub(crate) async fn token(holder: &Holder, app: &Member, client_id: &str) -> String {
    let reply = holder.token(&assertion(app, client_id).sign()).await;
    reply.text("access_token")
}

fn form<'a>(assertion: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("token", token),
        ("token_type_hint", "access_token"),
        ("client_assertion_type", udap_proto::token::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ]
}

async fn send(holder: &Holder, endpoint: &str, body: String) -> Reply {
    let target = endpoint.strip_prefix("https://holder.example").unwrap();
    holder
        .send(request(Method::POST, target, &[KIND], body))
        .await
}

/// RFC 7662 §2.3 wants 401 where RFC 7009 and UDAP have 400.
fn unknown_caller(endpoint: &str) -> &'static str {
    if endpoint == INTROSPECT {
        "401 invalid_client"
    } else {
        "400 invalid_client"
    }
}

#[tokio::test]
async fn the_caller_authenticates_as_at_the_token_endpoint() {
    let holder = Holder::new().await;
    let app = world().a.app("https://caller.app.example");
    let peer = world().a.app("https://peer.caller.example");
    let stranger = world().rogue.app("https://caller.app.example");
    let id = holder.registered(&app).await;
    holder.registered(&peer).await;
    let left = world().a.app("https://left.caller.example");
    let left_id = holder.registered(&left).await;
    let leave = crate::support::statement(&left).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    for endpoint in [INTROSPECT, REVOKE] {
        let other = if endpoint == INTROSPECT {
            REVOKE
        } else {
            INTROSPECT
        };
        let unknown = unknown_caller(endpoint);
        let request = "400 invalid_request";
        let good = || assertion(&app, &id).claim("aud", endpoint);
        for (what, jwt, error, code) in [
            (
                "the other endpoint",
                good().claim("aud", other),
                unknown,
                "aud-mismatch",
            ),
            (
                "the base",
                good().claim("aud", BASE),
                unknown,
                "aud-mismatch",
            ),
            (
                "registration",
                good().claim("aud", REGISTER),
                unknown,
                "aud-mismatch",
            ),
            (
                "no audience",
                good().without("aud"),
                unknown,
                "claim-missing",
            ),
            ("expired", good().times(-600, -301), unknown, "jwt-expired"),
            ("too long", good().times(0, 301), unknown, "jwt-lifetime"),
            (
                "nobody",
                assertion(&app, "nobody").claim("aud", endpoint),
                unknown,
                "client-unknown",
            ),
            (
                "one that left",
                assertion(&left, &left_id).claim("aud", endpoint),
                unknown,
                "registration-cancelled",
            ),
            (
                "another member",
                assertion(&peer, &id).claim("aud", endpoint),
                unknown,
                "san-uri-mismatch",
            ),
            (
                "an outsider",
                assertion(&stranger, &id).claim("aud", endpoint),
                unknown,
                "chain-not-trusted",
            ),
            (
                "another's key",
                good().signed_by(&peer.signer),
                request,
                "jwt-signature-invalid",
            ),
            (
                "no certificate",
                good().without_header("x5c"),
                request,
                "x5c-missing",
            ),
            (
                "another kind",
                good().header("typ", "at+jwt"),
                unknown,
                "jwt-typ",
            ),
        ] {
            let body = encoded(&form(&jwt.sign(), "x"));
            let reply = send(&holder, endpoint, body).await;
            assert_eq!(
                reply.refusal(),
                format!("{error} {code}"),
                "{endpoint}: {what}"
            );
        }
        // Its own address, the token endpoint's, and one among several.
        for aud in [
            json!(endpoint),
            json!(TOKEN),
            json!(["https://x.example", TOKEN]),
        ] {
            let jwt = good().claim("aud", aud.clone()).sign();
            let reply = send(&holder, endpoint, encoded(&form(&jwt, "x"))).await;
            assert_eq!(reply.status, 200, "{endpoint} {aud}: {reply}");
            // It serves once, wherever it is sent.
            for target in [endpoint, TOKEN] {
                if target == TOKEN && aud == json!(endpoint) {
                    continue;
                }
                let again = match target {
                    TOKEN => holder.token(&jwt).await,
                    _ => send(&holder, target, encoded(&form(&jwt, "x"))).await,
                };
                assert!(
                    again.refusal().ends_with(" jwt-replayed"),
                    "{target}: {again}"
                );
            }
        }
        // What is meant for it is no way to a token.
        assert_eq!(
            holder.token(&good().sign()).await.refusal(),
            "400 invalid_client aud-mismatch"
        );
    }
}

#[tokio::test]
async fn the_request() {
    let holder = Holder::new().await;
    let app = world().a.app("https://request.caller.example");
    let id = holder.registered(&app).await;
    for endpoint in [INTROSPECT, REVOKE] {
        let unknown = unknown_caller(endpoint);
        let target = endpoint.strip_prefix("https://holder.example").unwrap();
        let jwt = assertion(&app, &id).claim("aud", endpoint).sign();
        let good = encoded(&form(&jwt, "x"));
        let replaced = |from: &str, to: &str| {
            assert!(good.contains(from));
            good.replacen(from, to, 1)
        };
        for (what, body, expected) in [
            (
                "nothing",
                String::new(),
                "400 invalid_request parameter-missing".to_owned(),
            ),
            (
                "no token",
                replaced("token=x&", ""),
                "400 invalid_request parameter-missing".to_owned(),
            ),
            (
                "two tokens",
                format!("{good}&token=y"),
                "400 invalid_request parameter-repeated".to_owned(),
            ),
            (
                "a secret",
                format!("{good}&client_secret=s"),
                "400 invalid_request client-secret-refused".to_owned(),
            ),
            (
                "udap 2",
                format!("{good}&udap=2"),
                "400 invalid_request parameter-invalid".to_owned(),
            ),
            (
                "not UTF-8",
                format!("{good}&x=%ff"),
                "400 invalid_request form-malformed".to_owned(),
            ),
            (
                "another client_id",
                format!("{good}&client_id=other"),
                format!("{unknown} client-id-mismatch"),
            ),
            (
                "256 KiB and more",
                format!("{good}&x={}", "x".repeat(256 * 1024)),
                "413 invalid_request body-too-large".to_owned(),
            ),
        ] {
            let reply = send(&holder, endpoint, body).await;
            assert_eq!(reply.refusal(), expected, "{endpoint}: {what}");
        }
        for (headers, code) in [
            (vec![], "media-type"),
            (vec![("content-type", "application/json")], "media-type"),
            (
                vec![KIND, ("authorization", "Bearer x")],
                "authorization-header-refused",
            ),
        ] {
            let reply = holder
                .send(request(Method::POST, target, &headers, good.clone()))
                .await;
            assert_eq!(reply.refusal(), format!("400 invalid_request {code}"));
        }
        let get = holder.get(target).await;
        assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
        // All that did not use up the assertion; `udap` and `client_id` may be there.
        let reply = send(&holder, endpoint, format!("{good}&udap=1&client_id={id}")).await;
        assert_eq!(reply.status, 200, "{reply}");
    }
}

/// The codes of the events of that name in the audit trail.
pub(crate) async fn audited(holder: &Holder, event: &str) -> Vec<Option<String>> {
    holder.server.audit().flush().await.unwrap();
    let mut db = holder.database().await;
    sqlx::query_scalar("SELECT code FROM audit WHERE event = $1 ORDER BY at")
        .bind(event)
        .fetch_all(&mut db)
        .await
        .unwrap()
}
