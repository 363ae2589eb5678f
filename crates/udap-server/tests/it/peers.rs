//! What other servers have let through: whose key verifies, whose name counts, in which community.
//! A member is an attacker here: its certificate is good, for itself.

use crate::support::{
    Community, DAY, Holder, Jwt, Member, TOKEN, assertion, rsa, sign, signer, statement, world,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use udap_pki::Certificate;
use udap_pki::issue::{CertificateSpec, Issuer, Names, Profile, SignatureAlgorithm, Subject, Urls};
use udap_trust::clock;
use udap_trust::keys::KeyType;
use udap_trust::signer::Signer as _;

const FORGED: &str = "400 invalid_request jwt-signature-invalid";
const FORGED_STATEMENT: &str = "400 invalid_software_statement jwt-signature-invalid";
const ANOTHERS: &str = "400 invalid_client san-uri-mismatch";
const STRANGER: &str = "400 invalid_client chain-not-trusted";

const VICTIM: &str = "https://victim.peers.example";

/// A registered victim, and a member of the same community who is somebody else.
async fn cast() -> (Holder, Member, String, Member) {
    let holder = Holder::new().await;
    let victim = world().a.app(VICTIM);
    let id = holder.registered(&victim).await;
    let attacker = world().a.app("https://attacker.peers.example");
    holder.registered(&attacker).await;
    (holder, victim, id, attacker)
}

/// The first error: any certificate of x5c verifies.
#[tokio::test]
async fn only_the_key_of_the_leaf_verifies() {
    let (holder, victim, id, attacker) = cast().await;
    let chain = &victim.chain;
    for at in 1..=chain.len() {
        let mut chain = chain.clone();
        chain.insert(at, attacker.leaf().clone());
        let both = victim.with_chain(chain);
        let jwt = assertion(&both, &id).signed_by(&attacker.signer);
        assert_eq!(holder.token(&jwt.sign()).await.refusal(), FORGED);
        let jwt = statement(&both).signed_by(&attacker.signer);
        assert_eq!(
            holder.register(&jwt.sign()).await.refusal(),
            FORGED_STATEMENT
        );
    }
    // Nor does the CA's own key, which is in x5c in every good request.
    let ca = &world().a.issuing.signer;
    let jwt = assertion(&victim, &id).signed_by(ca);
    assert_eq!(holder.token(&jwt.sign()).await.refusal(), FORGED);
    let jwt = statement(&victim).signed_by(ca);
    assert_eq!(
        holder.register(&jwt.sign()).await.refusal(),
        FORGED_STATEMENT
    );
}

/// The second error: any member may be any client.
#[tokio::test]
async fn only_the_name_of_the_leaf_counts() {
    let (holder, victim, id, attacker) = cast().await;
    assert_eq!(
        holder
            .token(&assertion(&attacker, &id).sign())
            .await
            .refusal(),
        ANOTHERS
    );
    // The victim's certificate somewhere in x5c lends nobody its name.
    for at in 1..=attacker.chain.len() {
        let mut chain = attacker.chain.clone();
        chain.insert(at, victim.leaf().clone());
        let both = attacker.with_chain(chain);
        assert_eq!(
            holder.token(&assertion(&both, &id).sign()).await.refusal(),
            ANOTHERS
        );
        let jwt = statement(&both).claim("iss", VICTIM).claim("sub", VICTIM);
        let refusal = holder.register(&jwt.sign()).await.refusal();
        assert_eq!(
            refusal,
            "400 unapproved_software_statement san-uri-mismatch"
        );
    }
    // Nor does a certificate for the victim's very key under another name.
    let renamed = world()
        .a
        .member(&["https://renamed.peers.example"])
        .key(&victim.signer)
        .issue();
    assert_eq!(
        holder
            .token(&assertion(&renamed, &id).sign())
            .await
            .refusal(),
        ANOTHERS
    );
    // One that has both names may act for both.
    let both = world()
        .a
        .member(&["https://attacker.peers.example", VICTIM])
        .issue();
    assert_eq!(
        holder.token(&assertion(&both, &id).sign()).await.status,
        200
    );
}

/// What is signed names the certificate; a certificate of the same key is not the same.
#[tokio::test]
async fn a_leaf_that_is_changed_after_signing_is_found() {
    let (holder, victim, id, _) = cast().await;
    let renewed = world().a.member(&[VICTIM]).key(&victim.signer).issue();
    let signed = assertion(&victim, &id).sign();
    let parts: Vec<_> = signed.split('.').collect();
    let header = Jwt::new(&renewed, json!({})).header;
    let swapped = format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        parts[1],
        parts[2]
    );
    assert_eq!(holder.token(&swapped).await.refusal(), FORGED);
}

#[tokio::test]
async fn keys_that_a_header_offers_are_not_looked_at() {
    let (holder, victim, id, attacker) = cast().await;
    let key =
        udap_proto::jwk::Jwk::from_public_key(attacker.signer.public_key(), None, None).unwrap();
    let jwk = udap_proto::jwk::JwkSet::new(vec![key]).to_json()["keys"][0].clone();
    let url = world().publish(
        "attacker/jwks.json",
        json!({"keys": [jwk]}).to_string().as_bytes(),
    );
    let pem = world().publish("attacker/x5u.pem", attacker.leaf().to_pem().as_bytes());
    let forged = || assertion(&victim, &id).signed_by(&attacker.signer);
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!(url)),
        ("x5u", json!(pem)),
        ("kid", json!("attacker")),
        ("x5c2", json!([STANDARD.encode(attacker.leaf().der())])),
    ] {
        let reply = holder.token(&forged().header(name, value).sign()).await;
        assert_eq!(reply.refusal(), FORGED, "{name}");
    }
    let without = forged()
        .without_header("x5c")
        .header("jwk", jwk)
        .header("jku", url);
    assert_eq!(
        holder.token(&without.sign()).await.refusal(),
        "400 invalid_request x5c-missing"
    );
}

/// The third: trust that was reached in one community serves in another.
#[tokio::test]
async fn a_verdict_of_one_community_never_serves_another() {
    let holder = Holder::new().await;
    let uri = "https://both.peers.example";
    let (in_a, in_b) = (world().a.app(uri), world().b.app(uri));
    let (id_a, id_b) = (
        holder.registered(&in_a).await,
        holder.registered(&in_b).await,
    );
    // Each certificate is known and found good by now, and its verdict is remembered.
    for _ in 0..3 {
        assert_eq!(
            holder.token(&assertion(&in_a, &id_a).sign()).await.status,
            200
        );
        assert_eq!(
            holder.token(&assertion(&in_b, &id_b).sign()).await.status,
            200
        );
        assert_eq!(
            holder
                .token(&assertion(&in_a, &id_b).sign())
                .await
                .refusal(),
            STRANGER
        );
        assert_eq!(
            holder
                .token(&assertion(&in_b, &id_a).sign())
                .await
                .refusal(),
            STRANGER
        );
    }
    // With the other community's certificates beside it, and its root.
    let chain = [
        in_b.chain.clone(),
        in_a.chain.clone(),
        vec![
            world().a.root.certificate.clone(),
            world().b.root.certificate.clone(),
        ],
    ];
    let all = in_b.with_chain(chain.concat());
    assert_eq!(
        holder.token(&assertion(&all, &id_a).sign()).await.refusal(),
        STRANGER
    );
    // Cancelling in one community leaves the other's registration alone.
    let leave = statement(&in_b).claim("grant_types", json!([]));
    assert_eq!(holder.register(&leave.sign()).await.status, 200);
    assert_eq!(
        holder.token(&assertion(&in_a, &id_a).sign()).await.status,
        200
    );
    assert_eq!(
        holder
            .token(&assertion(&in_a, &id_b).sign())
            .await
            .refusal(),
        "400 invalid_client registration-cancelled"
    );
}

/// A certificate that says of its issuer what a good one says, by a key that calls itself so.
#[tokio::test]
async fn a_ca_of_the_same_name_is_not_the_same() {
    let (holder, victim, id, _) = cast().await;
    let real = &world().a.issuing.certificate;
    let key = signer(KeyType::P256);
    let now = clock::now();
    let fake = sign(
        &CertificateSpec {
            profile: Profile::IssuingCa,
            serial: real.serial(),
            subject: &Subject::named("Community a issuing CA"),
            spki_der: key.public_key().spki_der(),
            issuer: Issuer::SelfSigned,
            not_before: real.not_before(),
            not_after: real.not_after(),
            names: Names::default(),
            urls: Urls::default(),
            extensions: &[],
            algorithm: SignatureAlgorithm::EcdsaP256Sha256,
        },
        &key,
    );
    let mine = signer(KeyType::P256);
    let forged = sign(
        &CertificateSpec {
            profile: Profile::App,
            serial: victim.leaf().serial(),
            subject: &Subject::named("Member"),
            spki_der: mine.public_key().spki_der(),
            // Name and key identifier are the real issuer's; the signature cannot be.
            issuer: Issuer::Certificate(real),
            not_before: now.plus_secs(-DAY),
            not_after: now.plus_secs(DAY),
            names: Names {
                uris: vec![VICTIM.to_owned()],
                ..Names::default()
            },
            urls: Urls {
                crl: vec![world().a.url("issuing.crl")],
                ..Urls::default()
            },
            extensions: &[],
            algorithm: SignatureAlgorithm::EcdsaP256Sha256,
        },
        &key,
    );
    for chain in [
        vec![forged.clone(), fake.clone()],
        vec![forged.clone(), real.clone()],
        vec![
            forged.clone(),
            fake.clone(),
            real.clone(),
            victim.leaf().clone(),
        ],
    ] {
        let member = Member {
            chain,
            signer: mine.clone(),
        };
        let refusal = holder
            .token(&assertion(&member, &id).sign())
            .await
            .refusal();
        assert!(
            [STRANGER, "400 invalid_client signature-invalid"].contains(&&*refusal),
            "{refusal}"
        );
        let refusal = holder.register(&statement(&member).sign()).await.refusal();
        assert!(
            refusal.starts_with("400 unapproved_software_statement "),
            "{refusal}"
        );
    }
    // And the victim is not shut out by it.
    assert_eq!(
        holder.token(&assertion(&victim, &id).sign()).await.status,
        200
    );
}

/// What an outsider makes the server fetch helps neither the outsider nor harms a member.
#[tokio::test]
async fn an_issuer_that_an_outsider_serves_is_of_no_use() {
    let holder = Holder::new().await;
    let rogue = &world().rogue;
    let bait = world().publish("bait.cer", rogue.issuing.certificate.der());
    let outsider = rogue
        .member(&["https://outsider.peers.example"])
        .ca_issuers(bait)
        .issue();
    let alone = outsider.with_chain(vec![outsider.leaf().clone()]);
    for _ in 0..2 {
        let refusal = holder.register(&statement(&alone).sign()).await.refusal();
        assert_eq!(
            refusal,
            "400 unapproved_software_statement chain-not-trusted"
        );
    }
    let member = world().a.app("https://member.peers.example");
    assert_eq!(
        holder.register(&statement(&member).sign()).await.status,
        201
    );
    // Junk in x5c spoils the request it stands in at most, and not the next one.
    let junk = [
        vec![member.leaf().clone()],
        vec![rogue.issuing.certificate.clone(); 8],
    ]
    .concat();
    let refusal = holder
        .register(&statement(&member.with_chain(junk)).sign())
        .await;
    assert!(
        refusal.status == 200 || refusal.refusal().ends_with(" chain-not-trusted"),
        "{refusal}"
    );
    assert_eq!(
        holder.register(&statement(&member).sign()).await.status,
        200
    );
}

/// One CA certified in two communities: whose rules count is undecided.
#[tokio::test]
async fn an_app_that_two_communities_vouch_for_is_refused() {
    let holder = Holder::new().await;
    let (a, b) = (&world().a, &world().b);
    let app = a.app("https://cross.peers.example");
    let crossed = app.with_chain(
        [
            app.chain.clone(),
            vec![cross(b, &a.issuing.certificate, "root.crl")],
        ]
        .concat(),
    );
    assert_eq!(
        holder.register(&statement(&crossed).sign()).await.refusal(),
        "400 unapproved_software_statement community-ambiguous"
    );
    // Without the cross certificate only one does. Then the registration tells which one.
    let id = holder.registered(&app).await;
    assert_eq!(
        holder.token(&assertion(&crossed, &id).sign()).await.status,
        200
    );
}

/// The same while one of the two cannot look whether the CA is revoked: an outage does not decide.
#[tokio::test]
async fn a_community_that_cannot_tell_leaves_it_undecided() {
    let holder = Holder::new().await;
    let (a, b) = (&world().a, &world().b);
    let app = a.app("https://undecided.peers.example");
    let unreachable = cross(b, &a.issuing.certificate, "no-such.crl");
    let crossed = app.with_chain([app.chain.clone(), vec![unreachable]].concat());
    assert_eq!(
        holder.register(&statement(&crossed).sign()).await.refusal(),
        "400 unapproved_software_statement revocation-unavailable"
    );
    // What only one knows is not held up by it.
    assert_eq!(holder.register(&statement(&app).sign()).await.status, 201);
}

/// The other community's root certifies an issuing CA.
fn cross(by: &Community, ca: &Certificate, crl: &str) -> Certificate {
    by.cross("Community a issuing CA", ca, crl)
}

/// Certificates of the community that are not apps'.
#[tokio::test]
async fn what_other_certificates_of_the_community_may() {
    let (holder, _, id, _) = cast().await;
    let a = &world().a;
    for (what, member, expected) in [
        (
            "a TLS server's",
            a.member(&["https://tls.peers.example"])
                .profile(Profile::TlsServer)
                .issue(),
            ANOTHERS,
        ),
        (
            "an OCSP responder's",
            a.member(&[]).profile(Profile::OcspSigner).issue(),
            ANOTHERS,
        ),
        (
            "a data holder's",
            a.member(&["https://holder.peers.example"])
                .profile(Profile::DataHolder)
                .key(&rsa(2).0)
                .issue(),
            ANOTHERS,
        ),
        (
            "an identity provider's",
            a.member(&["https://idp.peers.example"])
                .profile(Profile::IdentityProvider)
                .issue(),
            ANOTHERS,
        ),
    ] {
        assert_eq!(
            holder
                .token(&assertion(&member, &id).sign())
                .await
                .refusal(),
            expected,
            "{what}"
        );
    }
    // The data holder's own certificate makes it no client.
    let (key, _) = rsa(0);
    let own = a
        .member(&[crate::support::BASE])
        .profile(Profile::DataHolder)
        .key(&key)
        .issue();
    assert_eq!(
        holder.token(&assertion(&own, &id).sign()).await.refusal(),
        ANOTHERS
    );
}

/// An operator's word is not undone by leaving and coming back.
#[tokio::test]
async fn a_suspended_app_stays_suspended() {
    let (holder, victim, id, _) = cast().await;
    let mut db = holder.database().await;
    udap_host::db::sqlx::query("UPDATE registration SET state = 'suspended' WHERE client_id = $1")
        .bind(&id)
        .execute(&mut db)
        .await
        .unwrap();
    let holder = holder.killed_and_started_again().await;
    let suspended = "400 invalid_client registration-suspended";
    assert_eq!(
        holder
            .token(&assertion(&victim, &id).sign())
            .await
            .refusal(),
        suspended
    );
    let leave = statement(&victim).claim("grant_types", json!([]));
    assert_eq!(
        holder.register(&leave.sign()).await.refusal(),
        "400 unapproved_software_statement registration-suspended"
    );
    let again = holder.register(&statement(&victim).sign()).await;
    assert_eq!(
        (again.status.as_u16(), again.text("client_id")),
        (200, id.clone())
    );
    assert_eq!(
        holder
            .token(&assertion(&victim, &id).sign())
            .await
            .refusal(),
        suspended
    );
}

/// One token request is not another server's.
#[tokio::test]
async fn an_assertion_for_another_server_is_refused() {
    let (holder, victim, id, _) = cast().await;
    for aud in [
        "https://other.example/fhir/oauth/token",
        "https://holder.example/oauth/token",
        "http://holder.example/fhir/oauth/token",
    ] {
        assert_ne!(aud, TOKEN);
        let jwt = assertion(&victim, &id).claim("aud", aud);
        assert_eq!(
            holder.token(&jwt.sign()).await.refusal(),
            "400 invalid_client aud-mismatch"
        );
    }
}
