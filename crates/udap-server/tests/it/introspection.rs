//! `POST {base}/oauth/introspect`: who is told what.

use crate::about_token::{INTROSPECT, REVOKE, about, token};
use crate::support::{BASE, Holder, statement, world};
use serde_json::{Value, json};
use udap_host::db::sqlx;
use udap_proto::access_token;
use udap_trust::clock;

const RESOURCE_SERVER: &str = "https://imaging.introspection.example";

async fn holder() -> Holder {
    let uri = &world().a.uri;
    Holder::edited(|text| {
        let line = format!("uri = \"{uri}\"\n");
        text.replace(
            &line,
            &format!("{line}resource_servers = [\"{RESOURCE_SERVER}\"]\n"),
        )
    })
    .await
}

fn inactive() -> Value {
    json!({"active": false})
}

#[tokio::test]
async fn an_app_is_told_what_its_own_token_says() {
    let holder = holder().await;
    let app = world().a.app("https://own.introspection.example");
    let id = holder.registered(&app).await;
    let token = token(&holder, &app, &id).await;
    let keys = holder.server.keys();
    let claims = access_token::verify(&token, &keys, BASE, BASE, clock::now()).unwrap();
    let reply = about(&holder, INTROSPECT, (&app, &id), &token).await;
    assert_eq!(reply.status, 200, "{reply}");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "no-store");
    let purpose = "urn:oid:2.16.840.1.113883.5.8#TREAT";
    let expected = json!({
        "active": true,
        "token_type": "Bearer",
        "iss": BASE,
        "sub": id,
        "aud": BASE,
        "client_id": id,
        "scope": "system/Patient.rs",
        "iat": claims.claims().iat.0,
        "exp": claims.exp().0,
        "jti": claims.jti(),
        "udap": {
            "community": world().a.uri,
            "uri": "https://own.introspection.example",
            "purpose_of_use": [purpose],
        },
        "extensions": claims.claims().extensions,
    });
    assert_eq!(reply.json(), expected);
    assert_eq!(
        expected["extensions"]["hl7-b2b"]["purpose_of_use"],
        json!([purpose])
    );
}

#[tokio::test]
async fn only_a_resource_server_is_told_about_tokens_of_others() {
    let holder = holder().await;
    let (a, b) = (&world().a, &world().b);
    let app = a.app("https://app.introspection.example");
    let id = holder.registered(&app).await;
    let theirs = token(&holder, &app, &id).await;
    // Named in one community: the same URI in another one is another app.
    let server = a.app(RESOURCE_SERVER);
    let namesake = b.app(RESOURCE_SERVER);
    let peer = a.app("https://peer.introspection.example");
    let in_b = b.app("https://app.introspection.example");
    let server_id = holder.registered(&server).await;
    let reply = about(&holder, INTROSPECT, (&server, &server_id), &theirs).await;
    assert_eq!(reply.json()["client_id"], json!(id));
    for (what, caller) in [
        ("its namesake", &namesake),
        ("another app", &peer),
        ("the app's namesake in another community", &in_b),
    ] {
        let caller_id = holder.registered(caller).await;
        let reply = about(&holder, INTROSPECT, (caller, &caller_id), &theirs).await;
        assert_eq!(reply.status, 200, "{what}");
        assert_eq!(reply.json(), inactive(), "{what}");
    }
    // Of the other community's tokens too: it is this data holder's resource server.
    let other = b.app("https://other.introspection.example");
    let other_id = holder.registered(&other).await;
    let in_b = token(&holder, &other, &other_id).await;
    let reply = about(&holder, INTROSPECT, (&server, &server_id), &in_b).await;
    assert_eq!(reply.json()["udap"]["community"], json!(b.uri));
}

#[tokio::test]
async fn what_does_not_count_is_inactive_and_no_more_is_said() {
    let holder = holder().await;
    let server = world().a.app(RESOURCE_SERVER);
    let server_id = holder.registered(&server).await;
    let app = world().a.app("https://ends.introspection.example");
    let id = holder.registered(&app).await;
    let ask = async |token: &str| {
        let reply = about(&holder, INTROSPECT, (&server, &server_id), token).await;
        assert_eq!(reply.status, 200, "{reply}");
        reply.json()
    };
    let replaced = token(&holder, &app, &id).await;
    assert_eq!(ask(&replaced).await["active"], json!(true));
    assert_eq!(holder.register(&statement(&app).sign()).await.status, 200);
    let revoked = token(&holder, &app, &id).await;
    assert_eq!(
        about(&holder, REVOKE, (&app, &id), &revoked).await.status,
        200
    );
    let cancelled = token(&holder, &app, &id).await;
    let leave = statement(&app).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    let foreign = Holder::new().await;
    let foreign_id = foreign.registered(&app).await;
    let foreign = token(&foreign, &app, &foreign_id).await;
    let (start, end) = cancelled.split_at(cancelled.len() - 10);
    let other = if end.starts_with('A') { "B" } else { "A" };
    let forged = format!("{start}{other}{}", &end[1..]);
    for (what, token) in [
        ("older than the registration", &*replaced),
        ("revoked", &revoked),
        ("of a cancelled registration", &cancelled),
        ("of another server", &foreign),
        ("with another signature", &forged),
        (
            "an authentication token",
            &crate::support::assertion(&server, &server_id).sign(),
        ),
        ("no token", "x"),
        ("no text", "\u{0}"),
    ] {
        assert_eq!(ask(token).await, inactive(), "{what}");
    }

    // The audit trail says why.
    holder.server.audit().flush().await.unwrap();
    let mut db = holder.database().await;
    let entries: Vec<String> =
        sqlx::query_scalar("SELECT more FROM audit WHERE event = 'token-introspected' ORDER BY at")
            .fetch_all(&mut db)
            .await
            .unwrap();
    for (entry, why) in entries.iter().zip([
        None,
        Some("registration-cancelled"),
        Some("token-revoked"),
        Some("registration-cancelled"),
        Some("jwt-key-unknown"),
        Some("jwt-signature-invalid"),
        Some("not-an-access-token"),
        Some("jwt-malformed"),
        Some("jwt-malformed"),
    ]) {
        let entry: Value = serde_json::from_str(entry).unwrap();
        let mut expected = json!({"active": why.is_none()});
        if let Some(why) = why {
            expected["why"] = why.into();
        }
        assert_eq!(entry["data"], expected);
    }
    assert_eq!(entries.len(), 9);
}
