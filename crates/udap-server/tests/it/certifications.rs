//! `certifications` of a registration: which count, which are left out, and which are demanded.

use crate::support::{
    DAY, Holder, Jwt, Member, REGISTER, Reply, assertion, encoded, form, request, statement, world,
};
use http::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use udap_host::db::sqlx::{self, Row as _};
use udap_host::listen::Peer;
use udap_testkit::{Answer, TestServer};
use udap_trust::{clock, random};

pub(crate) const AUDITOR: &str = "https://auditor.example";
pub(crate) const AUDIT: &str = "https://a.community.example/audit";
pub(crate) const PRIVACY: &str = "https://a.community.example/privacy";

/// Community a looks at two programmes; an app may sign one of them itself.
pub(crate) async fn supporting(more: &str) -> Holder {
    Holder::edited(|text| with(&text, more)).await
}

pub(crate) async fn requiring() -> Holder {
    supporting(&format!("certifications_required = [\"{AUDIT}\"]\n")).await
}

pub(crate) fn with(text: &str, more: &str) -> String {
    let anchors = "anchors = \"a.anchor.pem\"\n";
    assert!(text.contains(anchors));
    let settings = format!(
        "{anchors}certifications_supported = [\"{AUDIT}\", \"{PRIVACY}\"]\n\
         certifications_self_signed = [\"{PRIVACY}\"]\n\
         certifier_anchors = \"auditors.pem\"\n{more}"
    );
    text.replacen(anchors, &settings, 1)
}

pub(crate) fn auditor() -> Member {
    world().auditors.app(AUDITOR)
}

/// A good certification of an app by an auditor.
pub(crate) fn audit(app: &Member) -> Jwt {
    audit_by(&auditor(), app)
}

pub(crate) fn audit_by(auditor: &Member, app: &Member) -> Jwt {
    let claims = json!({
        "iss": AUDITOR,
        "sub": app.leaf().uri_names()[0],
        "jti": random::id(),
        "certification_name": "Security audit",
        "certification_issuer": "The auditor",
        "certification_uris": [AUDIT],
        "grant_types": ["client_credentials"],
    });
    Jwt::new(auditor, claims).times(0, 20 * DAY)
}

/// A good one that the app signs itself.
pub(crate) fn privacy(app: &Member) -> Jwt {
    let uri = &app.leaf().uri_names()[0];
    let claims = json!({
        "iss": uri,
        "sub": uri,
        "jti": random::id(),
        "certification_name": "Privacy disclosure",
        "certification_uris": [PRIVACY],
    });
    Jwt::new(app, claims).times(0, 20 * DAY)
}

pub(crate) async fn register(holder: &Holder, app: &Member, certifications: &[String]) -> Reply {
    register_as(holder, &statement(app), certifications).await
}

async fn register_as(holder: &Holder, statement: &Jwt, certifications: &[String]) -> Reply {
    let body = json!({
        "software_statement": statement.sign(),
        "certifications": certifications,
        "udap": "1",
    });
    holder.post_registration(body.to_string()).await
}

#[tokio::test]
async fn what_was_accepted_comes_back_and_is_kept() {
    let holder = supporting("").await;
    let app = world().a.app("https://certified.app.example");
    let audit = audit(&app).claim("is_endorsement", true).sign();
    let privacy = privacy(&app).claim("aud", json!([REGISTER])).sign();
    let unknown = audit_by(&auditor(), &app)
        .claim("certification_uris", json!(["https://elsewhere.example/x"]))
        .sign();
    let sent = [privacy.clone(), unknown, audit.clone(), privacy.clone()];
    let reply = register(&holder, &app, &sent).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.json()["certifications"], json!([privacy, audit]));

    let holder = holder.killed_and_started_again().await;
    let mut db = holder.database().await;
    let rows = sqlx::query(
        "SELECT programme, kind, name, issuer, issuer_name, compact, expires - ends AS rest
         FROM certification WHERE client_id = $1 ORDER BY position",
    )
    .bind(reply.text("client_id"))
    .fetch_all(&mut db)
    .await
    .unwrap();
    let kept: Vec<Vec<String>> = rows
        .iter()
        .map(|row| (0..6).map(|at| row.get::<String, _>(at)).collect())
        .collect();
    let uri = "https://certified.app.example";
    let expected = [
        [
            PRIVACY,
            "certification",
            "Privacy disclosure",
            uri,
            "",
            &privacy,
        ],
        [
            AUDIT,
            "endorsement",
            "Security audit",
            AUDITOR,
            "The auditor",
            &audit,
        ],
    ];
    assert_eq!(kept, expected);

    // Registering without them replaces them by none.
    let without = holder.register(&statement(&app).sign()).await;
    assert_eq!(without.status, 200, "{without}");
    assert!(without.json().get("certifications").is_none());
    let left = sqlx::query("SELECT COUNT(*) FROM certification")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(left.get::<i64, _>(0), 0);
}

/// Where a certification is required, the reason why it does not count is the answer.
#[tokio::test]
async fn a_required_one_that_is_refused_refuses_the_registration() {
    let holder = requiring().await;
    let world = world();
    let app = world.a.app("https://wanting.app.example");
    let missing = "400 invalid_client_metadata certification-required";
    assert_eq!(register(&holder, &app, &[]).await.refusal(), missing);

    let other = world.a.app("https://other.app.example");
    let revoked = auditor();
    world.auditors.revoke(revoked.leaf());
    let expired = world.auditors.member(&[AUDITOR]).valid(-30 * DAY, -DAY);
    let expired = expired.issue();
    let rogue = world.rogue.app(AUDITOR);
    let member = world.a.app(AUDITOR);
    let own = |jwt: Jwt| jwt.claim("certification_uris", json!([AUDIT]));
    let cases = [
        ("nothing that counts", privacy(&app), missing),
        (
            "an endorsement",
            audit(&app).claim("is_endorsement", true),
            missing,
        ),
        (
            "another programme",
            audit(&app).claim("certification_uris", json!([PRIVACY])),
            missing,
        ),
        (
            "the app's own word",
            own(privacy(&app)),
            "400 unapproved_certification certification-self-signed",
        ),
        (
            "a broken signature",
            audit(&app).signed_by(&other.signer),
            "400 invalid_certification jwt-signature-invalid",
        ),
        (
            "no certificates",
            audit(&app).without_header("x5c"),
            "400 invalid_certification x5c-missing",
        ),
        (
            "a certifier of nobody",
            audit_by(&rogue, &app),
            "400 unapproved_certification chain-not-trusted",
        ),
        (
            "a member, whose anchor is not for certifiers",
            audit_by(&member, &app),
            "400 unapproved_certification chain-not-trusted",
        ),
        (
            "a revoked certifier",
            audit_by(&revoked, &app),
            "400 unapproved_certification certificate-revoked",
        ),
        (
            "an expired certifier",
            audit_by(&expired, &app),
            "400 unapproved_certification certificate-expired",
        ),
        (
            "a name that the certifier's certificate has not",
            audit(&app).claim("iss", "https://audit0r.example"),
            "400 unapproved_certification san-uri-mismatch",
        ),
        (
            "about another app",
            audit(&other),
            "400 invalid_certification certification-sub-mismatch",
        ),
        (
            "for another server",
            audit(&app).claim("aud", "https://elsewhere.example/register"),
            "400 invalid_certification aud-mismatch",
        ),
        (
            "expired",
            audit(&app).times(-20 * DAY, -DAY),
            "400 invalid_certification jwt-expired",
        ),
        (
            "for longer than three years",
            audit(&app).times(-4 * 366 * DAY, DAY),
            "400 invalid_certification jwt-lifetime",
        ),
        (
            "beyond its certifier's certificate",
            audit(&app).times(0, 40 * DAY),
            "400 invalid_certification certification-outlives-signer",
        ),
        (
            "without a jti",
            audit(&app).without("jti"),
            "400 invalid_certification claim-missing",
        ),
        (
            "without its issuer's name",
            audit(&app).without("certification_issuer"),
            "400 invalid_certification claim-missing",
        ),
        (
            "a kind that is no yes or no",
            audit(&app).claim("is_endorsement", "yes"),
            "400 invalid_certification claim-malformed",
        ),
        (
            "keys by a URL",
            audit(&app).claim("jwks_uri", "https://app.example/jwks"),
            "400 invalid_certification certification-claim-misplaced",
        ),
        (
            "a status endpoint that cannot be asked",
            audit(&app).claim(
                "certification_status_endpoint",
                "https://127.0.0.1:1/status",
            ),
            "400 unapproved_certification certification-status-unknown",
        ),
        (
            "another grant",
            audit(&app).claim("grant_types", json!(["authorization_code"])),
            "400 invalid_client_metadata certification-mismatch",
        ),
        (
            "less scope",
            audit(&app).claim("scope", "system/Patient.rs"),
            "400 invalid_client_metadata certification-mismatch",
        ),
        (
            "another key",
            audit(&app).claim("jwks", json!({"keys": [jwk(&other)]})),
            "400 invalid_client_metadata certification-mismatch",
        ),
        (
            "another software",
            audit(&app).claim("client_name", "Another app"),
            "400 invalid_client_metadata certification-mismatch",
        ),
    ];
    for (what, certification, expected) in cases {
        let reply = register(&holder, &app, &[certification.sign()]).await;
        assert_eq!(reply.refusal(), expected, "{what}: {reply}");
        assert!(reply.text("error_description").contains(AUDIT), "{what}");
    }
    let junk = register(&holder, &app, &["not.a.jwt".to_owned()]).await;
    assert_eq!(junk.refusal(), "400 invalid_certification jwt-malformed");

    // None of all that left anything, and the right one is enough, whatever comes with it.
    let sent = [
        audit(&other).sign(),
        "not.a.jwt".to_owned(),
        audit(&app).sign(),
    ];
    let reply = register(&holder, &app, &sent).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.json()["certifications"], json!([sent[2]]));
}

fn jwk(member: &Member) -> Value {
    let spki = member.leaf().spki_der();
    let point = &spki[spki.len() - 64..];
    use base64::Engine as _;
    let encode = |bytes| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "EC", "crv": "P-256", "x": encode(&point[..32]), "y": encode(&point[32..])})
}

/// A certification that nobody requires is left out when it does not count, and the audit says why.
#[tokio::test]
async fn an_optional_one_that_is_refused_is_left_out() {
    let holder = supporting("").await;
    let app = world().a.app("https://optional.app.example");
    let rogue = world().rogue.app(AUDITOR);
    let sent = [audit_by(&rogue, &app).sign(), privacy(&app).sign()];
    let reply = register(&holder, &app, &sent).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.json()["certifications"], json!([sent[1]]));
    let events = audited(&holder).await;
    assert!(
        events.contains(&"certification-refused chain-not-trusted".to_owned()),
        "{events:?}"
    );
}

pub(crate) async fn audited(holder: &Holder) -> Vec<String> {
    holder.server.audit().flush().await.unwrap();
    let mut db = holder.database().await;
    let rows = sqlx::query("SELECT event, code FROM audit")
        .fetch_all(&mut db)
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let code: Option<String> = row.get(1);
            format!("{} {}", row.get::<String, _>(0), code.unwrap_or_default())
        })
        .collect()
}

/// The anchors of members may vouch for certifiers too, as long as these are named.
#[tokio::test]
async fn only_named_certifiers_certify_where_they_are_named() {
    let more = format!(
        "certifications_required = [\"{AUDIT}\"]\n\
         certifiers = [\"{AUDITOR}\"]\n"
    );
    let holder = Holder::edited(|text| {
        with(&text, &more).replacen("\"auditors.pem\"", "\"a.anchor.pem\"", 1)
    })
    .await;
    let world = world();
    let app = world.a.app("https://named.app.example");
    let friend = world.a.app("https://friend.app.example");
    let by_friend = audit_by(&friend, &app).claim("iss", "https://friend.app.example");
    assert_eq!(
        register(&holder, &app, &[by_friend.sign()]).await.refusal(),
        "400 unapproved_certification certifier-unknown"
    );
    let member = world.a.app(AUDITOR);
    let reply = register(&holder, &app, &[audit_by(&member, &app).sign()]).await;
    assert_eq!(reply.status, 201, "{reply}");
}

#[tokio::test]
async fn the_metadata_says_what_is_supported_and_required() {
    let holder = requiring().await;
    let json = holder.get("/fhir/.well-known/udap").await.json();
    assert_eq!(
        json["udap_certifications_supported"],
        json!([AUDIT, PRIVACY])
    );
    assert_eq!(json["udap_certifications_required"], json!([AUDIT]));
    // The other community has rules of its own.
    let b = "/fhir/.well-known/udap?community=https%3A%2F%2Fb.community.example";
    let json = holder.get(b).await.json();
    assert_eq!(json["udap_certifications_supported"], json!([]));
    assert!(json.get("udap_certifications_required").is_none());
    let app = world().b.app("https://free.app.example");
    holder.registered(&app).await;
}

/// Keys and addresses are limited for as long as the app is registered so.
#[tokio::test]
async fn tokens_are_issued_only_to_keys_and_addresses_that_are_certified() {
    let holder = supporting("").await;
    let world = world();
    let app = world.a.app("https://bound.app.example");
    let certification = audit(&app)
        .claim("jwks", json!({"keys": [jwk(&app)]}))
        .claim("ip_allowed", json!(["192.0.2.0/24"]));
    let reply = register(&holder, &app, &[certification.sign()]).await;
    assert_eq!(
        reply.json()["certifications"].as_array().map(Vec::len),
        Some(1)
    );
    let client_id = reply.text("client_id");
    let mismatch = "400 invalid_client certification-mismatch";
    let ask = async |app: &Member, from: Option<&str>| {
        let assertion = assertion(app, &client_id).sign();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let form = encoded(&form(&assertion));
        let mut request = request(Method::POST, "/fhir/oauth/token", &kind, form);
        if let Some(from) = from {
            let from: SocketAddr = from.parse().unwrap();
            request.extensions_mut().insert(Peer(from));
        }
        holder.send(request).await
    };
    let inside = Some("192.0.2.7:4000");
    assert_eq!(ask(&app, inside).await.status, 200);
    assert_eq!(
        ask(&app, Some("198.51.100.7:4000")).await.refusal(),
        mismatch
    );
    assert_eq!(ask(&app, None).await.refusal(), mismatch);
    let other_key = world.a.app("https://bound.app.example");
    assert_eq!(ask(&other_key, inside).await.refusal(), mismatch);
}

/// A certifier's server: 1 says yes, 0 no, anything else is its status.
pub(crate) async fn certifier(says: &Arc<AtomicU16>) -> TestServer {
    let says = Arc::clone(says);
    TestServer::https(move |_| match says.load(Ordering::Relaxed) {
        0 => Answer::json(200, &json!({"valid": false})),
        1 => Answer::json(200, &json!({"valid": true})),
        2 => Answer::json(200, &json!({"valid": "true"})),
        status => Answer::new(status, "no"),
    })
    .await
}

pub(crate) async fn watched(server: &TestServer, more: &str) -> Holder {
    let holder = Holder::asking(server, |text| with(&text, more)).await;
    holder.server.watch_certifications(clock::now()).await;
    holder
}

#[tokio::test]
async fn a_certifier_is_asked_before_its_certification_counts() {
    let says = Arc::new(AtomicU16::new(1));
    let server = certifier(&says).await;
    let more = format!("certifications_required = [\"{AUDIT}\"]\n");
    let holder = watched(&server, &more).await;
    let app = world().a.app("https://asked.app.example");
    let certification = audit(&app)
        .claim("jti", "a b&c")
        .claim("certification_status_endpoint", server.url("/status?of=us"));
    let send = async || register(&holder, &app, &[certification.sign()]).await;
    for (answer, expected) in [
        (0, "400 unapproved_certification certification-ended"),
        (
            2,
            "400 unapproved_certification certification-status-unknown",
        ),
        (
            404,
            "400 unapproved_certification certification-status-unknown",
        ),
        (
            500,
            "400 unapproved_certification certification-status-unknown",
        ),
    ] {
        says.store(answer, Ordering::Relaxed);
        assert_eq!(send().await.refusal(), expected);
    }
    says.store(1, Ordering::Relaxed);
    assert_eq!(send().await.status, 201);
    let exp = &certification.claims["exp"];
    let asked = server.asked();
    let target = &asked.last().unwrap().target;
    assert_eq!(target, &format!("/status?of=us&jti=a+b%26c&exp={exp}"));
}

/// What a certifier takes back, or does not confirm for an hour, ends the app's access; its word, or
/// another certification, gives it back.
#[tokio::test]
async fn an_app_rests_while_a_required_certification_is_not_in_force() {
    let says = Arc::new(AtomicU16::new(1));
    let server = certifier(&says).await;
    let more = format!("certifications_required = [\"{AUDIT}\"]\n");
    let holder = watched(&server, &more).await;
    let app = world().a.app("https://lapsing.app.example");
    let certification =
        || audit(&app).claim("certification_status_endpoint", server.url("/status"));
    let reply = register(&holder, &app, &[certification().sign()]).await;
    let client_id = reply.text("client_id");
    let token = async || {
        let reply = holder.token(&assertion(&app, &client_id).sign()).await;
        match reply.status.as_u16() {
            200 => "200".to_owned(),
            _ => reply.refusal(),
        }
    };
    let lapsed = "400 invalid_client certification-lapsed";
    let now = clock::now();
    let watch = async |minutes: i64| {
        let at = now.plus_secs(minutes * 60);
        holder.server.watch_certifications(at).await;
    };
    assert_eq!(token().await, "200");

    // It cannot be reached: for a while its last word counts.
    says.store(500, Ordering::Relaxed);
    watch(20).await;
    watch(40).await;
    assert_eq!(token().await, "200");
    watch(65).await;
    assert_eq!(token().await, lapsed);
    // It can again.
    says.store(1, Ordering::Relaxed);
    watch(85).await;
    assert_eq!(token().await, "200");
    // It takes the certification back, for good.
    says.store(0, Ordering::Relaxed);
    watch(105).await;
    assert_eq!(token().await, lapsed);
    says.store(1, Ordering::Relaxed);
    watch(125).await;
    assert_eq!(token().await, lapsed);
    // Without another one there is no way back; with it, the registration goes on.
    assert_eq!(
        holder.register(&statement(&app).sign()).await.refusal(),
        "400 invalid_client_metadata certification-required"
    );
    assert_eq!(token().await, lapsed);
    let reply = register(&holder, &app, &[certification().sign()]).await;
    assert_eq!(
        (reply.status.as_u16(), reply.text("client_id")),
        (200, client_id.clone())
    );
    assert_eq!(token().await, "200");

    let mut events = audited(&holder).await;
    events.retain(|event| event.starts_with("registration-"));
    assert_eq!(
        events,
        [
            "registration-created ",
            "registration-lapsed certification-lapsed",
            "registration-restored ",
            "registration-lapsed certification-lapsed",
            "registration-refused certification-required",
            "registration-modified ",
        ]
    );
}

/// What is required may be new, and what is held may run out.
#[tokio::test]
async fn an_app_rests_when_its_certification_expires_or_one_becomes_required() {
    let holder = requiring().await;
    let world = world();
    let app = world.a.app("https://expiring.app.example");
    let short = audit(&app).times(0, DAY);
    let client_id = register(&holder, &app, &[short.sign()])
        .await
        .text("client_id");
    let now = clock::now();
    holder.server.watch_certifications(now).await;
    let token = async |holder: &Holder, app: &Member, id: &str| {
        holder.token(&assertion(app, id).sign()).await
    };
    assert_eq!(token(&holder, &app, &client_id).await.status, 200);
    holder.server.watch_certifications(now.plus_secs(DAY)).await;
    let lapsed = "400 invalid_client certification-lapsed";
    assert_eq!(token(&holder, &app, &client_id).await.refusal(), lapsed);
    // One that rests may leave.
    let leave = statement(&app).claim("grant_types", json!([])).sign();
    assert_eq!(holder.register(&leave).await.status, 200);

    let holder = supporting("").await;
    let early = world.a.app("https://early.app.example");
    let certified = world.a.app("https://early-certified.app.example");
    let early_id = holder.registered(&early).await;
    let certified_id = register(&holder, &certified, &[audit(&certified).sign()]).await;
    let certified_id = certified_id.text("client_id");
    let holder = holder
        .restarted_with(|config| {
            config.communities[0].certifications.required = vec![AUDIT.to_owned()];
        })
        .await;
    holder.server.watch_certifications(now).await;
    assert_eq!(token(&holder, &early, &early_id).await.refusal(), lapsed);
    assert_eq!(token(&holder, &certified, &certified_id).await.status, 200);

    // And where it is not required any more, nobody rests for it.
    let holder = holder
        .restarted_with(|config| config.communities[0].certifications.required.clear())
        .await;
    assert_eq!(token(&holder, &early, &early_id).await.refusal(), lapsed);
    holder.server.watch_certifications(now).await;
    assert_eq!(token(&holder, &early, &early_id).await.status, 200);
}

/// One character changed anywhere makes it another certification, which nobody signed.
#[tokio::test]
async fn a_certification_with_any_character_changed_counts_for_nothing() {
    let holder = requiring().await;
    let app = world().a.app("https://changed.app.example");
    let good = audit(&app).sign();
    for at in (0..good.len()).step_by(41) {
        let mut changed = good.clone();
        let other = if &good[at..=at] == "A" { "B" } else { "A" };
        changed.replace_range(at..=at, other);
        let refusal = register(&holder, &app, &[changed]).await.refusal();
        let error = refusal.split(' ').nth(1).unwrap();
        assert!(
            [
                "invalid_certification",
                "unapproved_certification",
                "invalid_client_metadata"
            ]
            .contains(&error),
            "{at}: {refusal}"
        );
    }
    assert_eq!(register(&holder, &app, &[good]).await.status, 201);
}

/// Certifications are written with the registration they came with, however many come at once.
#[tokio::test]
async fn registrations_at_the_same_time_leave_the_certifications_of_one() {
    let holder = requiring().await;
    let app = world().a.app("https://hurried.app.example");
    let at_once = (0..20).map(|_| {
        let (holder, app) = (holder.clone(), app.clone());
        tokio::spawn(async move {
            let sent = [audit(&app).sign(), privacy(&app).sign()];
            let reply = register(&holder, &app, &sent).await;
            assert!(reply.status.is_success(), "{reply}");
            sent.to_vec()
        })
    });
    let mut all = Vec::new();
    for one in at_once.collect::<Vec<_>>() {
        all.push(one.await.unwrap());
    }
    let mut db = holder.database().await;
    let rows = sqlx::query("SELECT compact FROM certification ORDER BY client_id, position")
        .fetch_all(&mut db)
        .await
        .unwrap();
    let kept: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(all.contains(&kept), "{kept:?}");
}
