//! Who signed it.

use super::{CLIENT, registered};
use crate::support::{Member, assertion, world};

#[tokio::test]
async fn the_certificate() {
    let (holder, _, id) = registered().await;
    let world = world();
    let a = &world.a;
    let uri = "https://app.token-refused.example";
    let member = || a.member(&[uri]);
    let outsider = world.rogue.app(uri);
    let other = a.app("https://other.token-refused.example");
    let issuing_ca = Member {
        chain: vec![a.issuing.certificate.clone()],
        signer: a.issuing.signer.clone(),
    };
    let table = vec![
        ("an outsider", outsider, "chain-not-trusted"),
        (
            "the same URI in the other community",
            world.b.app(uri),
            "chain-not-trusted",
        ),
        ("another app of the community", other, "san-uri-mismatch"),
        (
            "the URI with a fragment",
            a.app(&format!("{uri}#T-TREAT")),
            "san-uri-mismatch",
        ),
        ("no URI at all", a.member(&[]).issue(), "san-uri-mismatch"),
        ("the issuing CA", issuing_ca, "key-usage"),
        (
            "expired",
            member().valid(-60 * 86_400, -60).issue(),
            "certificate-expired",
        ),
        (
            "not yet valid",
            member().valid(3600, 86_400).issue(),
            "certificate-not-yet-valid",
        ),
        (
            "a CRL that lapsed",
            a.silent(uri, &[a.url("lapsed.crl")]),
            "revocation-unavailable",
        ),
        (
            "a CRL that is not there",
            a.silent(uri, &[a.url("missing.crl")]),
            "revocation-unavailable",
        ),
        ("no CRL named", a.silent(uri, &[]), "revocation-unavailable"),
    ];
    for (what, app, code) in table {
        let reply = holder.token(&assertion(&app, &id).sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{CLIENT} {code}"),
            "{what}: {reply}"
        );
    }
    let revoked = member().issue();
    a.revoke(revoked.leaf());
    holder.server.refresh().await;
    let reply = holder.token(&assertion(&revoked, &id).sign()).await;
    assert_eq!(reply.refusal(), format!("{CLIENT} certificate-revoked"));
}
