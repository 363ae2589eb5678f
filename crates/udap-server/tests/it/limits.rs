//! How often one address may do what costs the server more than the sender.

use crate::support::{
    Holder, Reply, assertion, encoded, form, hold, request, statement, until_too_often, world,
};
use futures_util::future::join_all;
use http::Method;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use udap_host::listen::Peer;
use udap_testkit::{Answer, TestServer};

const TOO_MANY_STRANGERS: &str = "429 temporarily_unavailable too-many-strangers";

async fn from(holder: &Holder, address: &str, path: &str, kind: &str, body: String) -> Reply {
    let headers = [("content-type", kind)];
    let mut request = request(Method::POST, path, &headers, body);
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(Peer(address));
    holder.send(request).await
}

async fn register(holder: &Holder, address: &str, statement: &str) -> Reply {
    let body = serde_json::json!({"udap": "1", "software_statement": statement}).to_string();
    from(
        holder,
        address,
        "/fhir/oauth/register",
        "application/json",
        body,
    )
    .await
}

async fn token(holder: &Holder, address: &str, assertion: &str) -> Reply {
    let kind = "application/x-www-form-urlencoded";
    from(
        holder,
        address,
        "/fhir/oauth/token",
        kind,
        encoded(&form(assertion)),
    )
    .await
}

#[tokio::test]
async fn registrations_from_one_network() {
    let holder = Holder::with("[limits]\nregistrations_per_minute = 3").await;
    let app = world().a.app("https://often.limits.example");
    // Good or not: each is counted. One IPv6 network is one address.
    let reply = register(&holder, "[2001:db8::ff]:1", &statement(&app).sign()).await;
    assert_eq!(reply.status, 201, "{reply}");
    let reply = until_too_often(200, (2, 4), async |at| {
        let address = format!("[2001:db8::{at}]:1");
        register(&holder, &address, &statement(&app).sign()).await
    })
    .await;
    assert_eq!(
        reply.refusal(),
        "429 temporarily_unavailable too-many-registrations"
    );
    assert_eq!(reply.header("retry-after"), "60");
    // Nobody else is held up.
    let reply = register(&holder, "192.0.2.1:1", &statement(&app).sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
}

/// Judging a certificate costs fetches and verifications. Strangers have so many for nothing; whoever is
/// known to be good from the same network is served as before.
#[tokio::test]
async fn certificates_that_nobody_vouches_for_from_one_network() {
    let holder = Holder::with("[limits]\nrefusals_per_minute = 3").await;
    let app = world().a.app("https://known.limits.example");
    let cold = world().a.app("https://cold.limits.example");
    let stranger = world().b.app("https://known.limits.example");
    let (id, cold_id) = (
        holder.registered(&app).await,
        holder.registered(&cold).await,
    );
    let (near, far) = ("192.0.2.7:1", "198.51.100.7:1");
    assert_eq!(
        token(&holder, near, &assertion(&app, &id).sign())
            .await
            .status,
        200
    );
    let mut judged = 0;
    let mut rekeyed = None;
    // Some more where a minute ends meanwhile.
    for _ in 0..8 {
        let refused = token(&holder, near, &assertion(&stranger, &id).sign()).await;
        if refused.status == 400 {
            assert_eq!(refused.refusal(), "400 invalid_client chain-not-trusted");
            judged += 1;
            continue;
        }
        assert_eq!(refused.refusal(), TOO_MANY_STRANGERS);
        // With a chain that was not seen yet.
        let unseen = world().a.app("https://cold.limits.example");
        let reply = token(&holder, near, &assertion(&unseen, &cold_id).sign()).await;
        if reply.status != 200 {
            assert_eq!(reply.refusal(), TOO_MANY_STRANGERS);
            rekeyed = Some(unseen);
            break;
        }
    }
    assert!((3..=5).contains(&judged), "{judged}");
    let rekeyed = rekeyed.unwrap();
    assert_eq!(
        token(&holder, near, &assertion(&app, &id).sign())
            .await
            .status,
        200
    );
    assert_eq!(
        token(&holder, far, &assertion(&rekeyed, &cold_id).sign())
            .await
            .status,
        200
    );
}

/// Who hangs up while what it sent is judged, or sends many at once, is counted as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn certificates_that_are_being_judged_are_counted() {
    let wait = Arc::new(AtomicBool::new(true));
    let waits = Arc::clone(&wait);
    let server = TestServer::https(move |_| {
        hold(&waits);
        Answer::new(404, "")
    })
    .await;
    let limits = "[limits]\nrefusals_per_minute = 2\n[fetch]\n";
    let holder = Holder::asking(&server, |text| text.replacen("[fetch]\n", limits, 1)).await;
    let uri = "https://hangs-up.limits.example";
    let id = holder.registered(&world().a.app(uri)).await;
    let send = async |at: usize| {
        let app = world().a.silent(uri, &[server.url(&format!("/{at}"))]);
        token(&holder, "192.0.2.7:1", &assertion(&app, &id).sign()).await
    };
    let mut refused = None;
    // One more where a minute ends meanwhile.
    for at in 0..=4 {
        let fetched = async {
            while server.asked().len() == at {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            reply = send(at) => {
                refused = Some((at, reply.refusal()));
                break;
            }
            () = fetched => {}
        }
    }
    wait.store(false, Ordering::Relaxed);
    let (judged, refusal) = refused.unwrap();
    assert!(judged >= 2, "{judged}");
    assert_eq!(refusal, TOO_MANY_STRANGERS);
}

/// The first requests of a partner, before anything is known of its certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_is_not_held_up_by_its_own_first_requests() {
    let holder = Holder::with("[limits]\nrefusals_per_minute = 100").await;
    let uri = "https://burst.limits.example";
    let id = holder.registered(&world().a.app(uri)).await;
    // Nothing is remembered, not even a CRL.
    let holder = holder.killed_and_started_again().await;
    for _ in 0..3 {
        let renewed = world().a.app(uri);
        let all = (0..100).map(|_| {
            let (holder, jwt) = (holder.clone(), assertion(&renewed, &id).sign());
            tokio::spawn(async move { token(&holder, "192.0.2.7:1", &jwt).await })
        });
        for reply in join_all(all).await {
            let reply = reply.unwrap();
            assert_eq!(reply.status, 200, "{reply}");
        }
    }
}

#[tokio::test]
async fn refused_token_requests_of_one_client_from_one_address() {
    let holder = Holder::with("[limits]\nrefusals_per_minute = 3").await;
    let app = world().a.app("https://failing.limits.example");
    let other = world().a.app("https://neighbour.limits.example");
    let (id, other_id) = (
        holder.registered(&app).await,
        holder.registered(&other).await,
    );
    // What others send in its name never counts, or anybody could shut it out.
    let forged = assertion(&other, &id).sign();
    let wrong = assertion(&app, &id).claim("sub", "nobody").sign();
    let expired = assertion(&app, &id).times(-900, -600).sign();
    for _ in 0..5 {
        for bad in [&forged, &wrong, &expired] {
            assert_eq!(token(&holder, "192.0.2.1:1", bad).await.status, 400);
        }
    }
    // Good ones do not count, repeated ones do.
    let once = assertion(&app, &id).sign();
    assert_eq!(token(&holder, "192.0.2.1:1", &once).await.status, 200);
    let reply = until_too_often(200, (3, 5), async |_| {
        let good = token(&holder, "192.0.2.1:2", &assertion(&app, &id).sign()).await;
        if good.status == 200 {
            let reply = token(&holder, "192.0.2.1:1", &once).await;
            assert_eq!(reply.refusal(), "400 invalid_client jwt-replayed");
        }
        good
    })
    .await;
    assert_eq!(
        reply.refusal(),
        "429 temporarily_unavailable too-many-refusals"
    );
    assert_eq!(reply.header("retry-after"), "60");
    // From elsewhere the client is served, and from there another one is.
    let reply = token(&holder, "192.0.2.2:1", &assertion(&app, &id).sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
    let reply = token(&holder, "192.0.2.1:1", &assertion(&other, &other_id).sign()).await;
    assert_eq!(reply.status, 200, "{reply}");
}
