//! Certificates, chains of them, CRLs and OCSP responses: read, printed, judged. Nothing here may panic or be slow.

use std::sync::Arc;
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, NameCheck, OcspResponse, Outcome, Policy, Purpose, Request,
    Revocation, UnixTime, uri_name_mismatch, verify,
};

/// A certificate by itself: read, shown, and judged as leaf, intermediate and anchor of a plain chain.
pub fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::from_der(data) else {
        return;
    };
    assert_eq!(certificate.der(), data);
    show(&certificate);
    let plain = Plain::new();
    judge(
        &certificate,
        &[plain.ca.clone()],
        &plain.root,
        &Evidence::default(),
    );
    judge(
        &plain.leaf,
        &[certificate.clone()],
        &plain.root,
        &Evidence::default(),
    );
    judge(
        &plain.leaf,
        &[plain.ca.clone()],
        &certificate,
        &Evidence::default(),
    );
    judge(&certificate, &[], &certificate, &Evidence::default());
}

/// Several certificates, each behind its length in two octets: the leaf, the anchor, the rest.
pub fn chain(mut data: &[u8]) {
    let mut certificates = Vec::new();
    while let [high, low, rest @ ..] = data {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (der, next) = rest.split_at(len);
        certificates.extend(Certificate::from_der(der).ok());
        data = next;
    }
    let [leaf, anchor, intermediates @ ..] = certificates.as_slice() else {
        return;
    };
    judge(leaf, intermediates, anchor, &Evidence::default());
}

/// A CRL: read, shown, searched, and taken as evidence about a plain chain.
pub fn crl(data: &[u8]) {
    let Ok(crl) = Crl::from_der(data) else { return };
    assert_eq!(crl.der(), data);
    let _ = format!(
        "{crl:?} {} {:?} {:?}",
        crl.issuer(),
        crl.number(),
        crl.next_update()
    );
    for (serial, _) in crl.entries().take(64) {
        assert!(crl.find(serial, crl.issuer()).is_some() || !crl.contains(serial));
    }
    let plain = Plain::new();
    let mut evidence = Evidence::default();
    evidence.add_crl(Arc::new(crl));
    judge(&plain.leaf, &[plain.ca], &plain.root, &evidence);
}

/// An OCSP response: read, shown, and taken as evidence about a plain chain.
pub fn ocsp(data: &[u8]) {
    let Ok(response) = OcspResponse::from_der(data) else {
        return;
    };
    assert_eq!(response.der(), data);
    let _ = format!("{response:?} {:?}", response.next_update());
    let _ = response.check_nonce(&[0; 32]);
    response.certificates().iter().for_each(show);
    let plain = Plain::new();
    let mut evidence = Evidence::default();
    evidence.add_ocsp(Arc::new(response));
    judge(&plain.leaf, &[plain.ca], &plain.root, &evidence);
}

/// A chain that is good until the year 9999.
struct Plain {
    leaf: Certificate,
    ca: Certificate,
    root: Certificate,
}

impl Plain {
    fn new() -> Self {
        let read = |der: &[u8]| Certificate::from_der(der).expect("the seeds are certificates");
        Self {
            leaf: read(include_bytes!("../seeds/leaf.der")),
            ca: read(include_bytes!("../seeds/ca.der")),
            root: read(include_bytes!("../seeds/root.der")),
        }
    }
}

fn show(certificate: &Certificate) {
    let _ = format!(
        "{certificate:?} {} {} {}",
        certificate.subject(),
        certificate.issuer(),
        certificate.to_pem()
    );
    let _ = format!(
        "{:?} {:?}",
        certificate.alternative_names(),
        certificate.public_key()
    );
    let _ = certificate.subject() == certificate.issuer();
    let _ = uri_name_mismatch("https://app.example.com/", certificate.uri_names());
}

fn judge(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchor: &Certificate,
    evidence: &Evidence,
) {
    let anchors = [Anchor::new(anchor.clone())];
    for (revocation, purpose, name) in [
        (
            Revocation::Require,
            Purpose::JwtSigner,
            Some(NameCheck::Uri("https://app.example.com".to_owned())),
        ),
        (
            Revocation::Prefer,
            Purpose::TlsServer,
            Some(NameCheck::Dns("app.example.com".to_owned())),
        ),
    ] {
        let policy = Policy {
            revocation,
            purpose,
            name,
            ..Policy::default()
        };
        let outcome = verify(&Request {
            leaf,
            intermediates,
            anchors: &anchors,
            evidence,
            now: UnixTime(1_795_536_000),
            policy: &policy,
        });
        let _ = format!("{} {}", outcome.trace(), outcome.trace().steps().len());
        if let Outcome::Invalid(invalid) = outcome {
            assert!(udap_pki::explanation(invalid.reason.code()).is_some());
            let _ = format!("{} {}", invalid.reason, invalid.reason.hint());
        }
    }
}
