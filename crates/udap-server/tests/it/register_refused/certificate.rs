//! Who signed it.

use super::UNAPPROVED;
use crate::support::{Holder, Member, signer, statement, world};
use udap_pki::issue::Profile;
use udap_trust::keys::KeyType;

#[tokio::test]
async fn the_certificate() {
    let holder = Holder::new().await;
    let world = world();
    let a = &world.a;
    let uri = "https://certificate.refused.example";
    let outsider = world.rogue.app(uri);
    let member = || a.member(&[uri]);
    let leaf_only = {
        let app = a.app(uri);
        app.with_chain(vec![app.leaf().clone()])
    };
    let self_signed_root = {
        let root = &world.rogue.root;
        let chain = vec![root.certificate.clone()];
        Member {
            chain,
            signer: root.signer.clone(),
        }
    };
    let issuing_ca = Member {
        chain: vec![a.issuing.certificate.clone()],
        signer: a.issuing.signer.clone(),
    };
    let root_ca = Member {
        chain: vec![a.root.certificate.clone()],
        signer: a.root.signer.clone(),
    };
    // Of the rogue CA, with the issuing CA of the community beside it.
    let adopted = outsider.with_chain(vec![
        outsider.leaf().clone(),
        a.issuing.certificate.clone(),
        a.root.certificate.clone(),
    ]);
    let with_own_root = outsider.with_chain(
        [
            outsider.chain.clone(),
            vec![world.rogue.root.certificate.clone()],
        ]
        .concat(),
    );
    let ca_says = |member: &Member| statement(member).claim("iss", uri).claim("sub", uri);
    let table = vec![
        ("an outsider", statement(&outsider), "chain-not-trusted"),
        (
            "an outsider who brings a root",
            statement(&with_own_root),
            "chain-not-trusted",
        ),
        (
            "an outsider who brings the community's CA",
            statement(&adopted),
            "chain-not-trusted",
        ),
        (
            "a leaf whose issuer cannot be had",
            statement(&leaf_only),
            "chain-not-trusted",
        ),
        (
            "a root that nobody knows",
            ca_says(&self_signed_root),
            "chain-not-trusted",
        ),
        ("the issuing CA itself", ca_says(&issuing_ca), "key-usage"),
        ("the anchor itself", ca_says(&root_ca), "key-usage"),
        (
            "expired",
            statement(&member().valid(-60 * 86_400, -60).issue()),
            "certificate-expired",
        ),
        (
            "not yet valid",
            statement(&member().valid(3600, 86_400).issue()),
            "certificate-not-yet-valid",
        ),
        (
            "an issuer that is an app",
            {
                // An app's key signs a certificate of its own.
                let app = a.app("https://app.refused.example");
                statement(&issued_by(&app, uri))
            },
            "not-a-ca",
        ),
        (
            "a CRL that lapsed",
            statement(&a.silent(uri, &[a.url("lapsed.crl")])),
            "revocation-unavailable",
        ),
        (
            "a CRL that is not there",
            statement(&a.silent(uri, &[a.url("missing.crl")])),
            "revocation-unavailable",
        ),
        (
            "a CRL that is none",
            statement(&a.silent(uri, &[a.url("junk.crl")])),
            "revocation-unavailable",
        ),
        (
            "another CA's CRL",
            statement(&a.silent(uri, &[world.b.url("issuing.crl")])),
            "revocation-unavailable",
        ),
        (
            "a CRL at an address nobody allowed",
            statement(&a.silent(uri, &["http://127.0.0.1:1/x.crl".to_owned()])),
            "revocation-unavailable",
        ),
        (
            "no CRL named",
            statement(&a.silent(uri, &[])),
            "revocation-unavailable",
        ),
    ];
    for (what, jwt, code) in table {
        let reply = holder.register(&jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{UNAPPROVED} {code}"),
            "{what}: {reply}"
        );
    }
    let revoked = a.app(uri);
    a.revoke(revoked.leaf());
    let reply = Holder::new()
        .await
        .register(&statement(&revoked).sign())
        .await;
    assert_eq!(reply.refusal(), format!("{UNAPPROVED} certificate-revoked"));
    // OCSP signers are no members: they have no URI.
    let ocsp = a.member(&[]).profile(Profile::OcspSigner).issue();
    let reply = holder.register(&ca_says(&ocsp).sign()).await;
    assert_eq!(reply.status, 400, "{reply}");
}

/// A certificate with this name that an app's key has signed.
fn issued_by(app: &Member, uri: &str) -> Member {
    use udap_pki::issue::{CertificateSpec, Issuer, Names, SignatureAlgorithm, Subject, Urls};
    use udap_trust::signer::Signer as _;
    let now = udap_trust::clock::now();
    let key = signer(KeyType::P256);
    let certificate = crate::support::sign(
        &CertificateSpec {
            profile: Profile::App,
            serial: &udap_trust::random::bytes::<18>(),
            subject: &Subject::named("Below an app"),
            spki_der: key.public_key().spki_der(),
            issuer: Issuer::Certificate(app.leaf()),
            not_before: now.plus_secs(-60),
            not_after: now.plus_secs(86_400),
            names: Names {
                uris: vec![uri.to_owned()],
                ..Names::default()
            },
            urls: Urls {
                crl: vec![world().a.url("issuing.crl")],
                ..Urls::default()
            },
            extensions: &[],
            algorithm: SignatureAlgorithm::EcdsaP256Sha256,
        },
        &app.signer,
    );
    Member {
        chain: [vec![certificate], app.chain.clone()].concat(),
        signer: key,
    }
}
