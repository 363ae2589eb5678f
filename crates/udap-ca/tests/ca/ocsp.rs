use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use udap_ca::CaKeyType;
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, OcspResponse, Outcome, Policy, Request,
    issue::{CertId, CertIdHash, Profile, RevocationReason},
    ocsp::{CertStatus, SingleResponse},
};

use crate::fixture::{Answer, Fixture, app, openssl, private_directory};

const TRY_LATER: &[u8] = &[0x30, 3, 0x0a, 1, 3];
const UNAUTHORIZED: &[u8] = &[0x30, 3, 0x0a, 1, 6];
const MALFORMED: &[u8] = &[0x30, 3, 0x0a, 1, 1];

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let header = match u8::try_from(content.len()) {
        Ok(short @ 0..128) => vec![tag, short],
        Ok(byte) => vec![tag, 0x81, byte],
        Err(_) => [
            &[tag, 0x82][..],
            &u16::try_from(content.len()).unwrap().to_be_bytes(),
        ]
        .concat(),
    };
    [header, content.to_vec()].concat()
}

fn request(ids: &[CertId], nonce: Option<&[u8]>) -> Vec<u8> {
    let list = tlv(
        0x30,
        &ids.iter()
            .flat_map(|id| tlv(0x30, id.der()))
            .collect::<Vec<_>>(),
    );
    let nonce = nonce.map_or_else(Vec::new, |nonce| {
        let oid = tlv(
            0x06,
            &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02],
        );
        tlv(
            0xa2,
            &tlv(0x30, &tlv(0x30, &[oid, tlv(4, &tlv(4, nonce))].concat())),
        )
    });
    tlv(0x30, &tlv(0x30, &[list, nonce].concat()))
}

fn id(fixture: &Fixture, certificate: &Certificate) -> CertId {
    CertId::new(
        fixture.ca.issuing_certificate(),
        certificate.serial(),
        CertIdHash::Sha1,
    )
    .unwrap()
}

impl Answer {
    fn response(&self) -> OcspResponse {
        OcspResponse::from_der(&self.body).unwrap()
    }

    /// What is said of each certificate asked about, in the order of the request.
    fn statuses(&self) -> Vec<CertStatus> {
        let response = self.response();
        response
            .responses()
            .iter()
            .map(SingleResponse::status)
            .collect()
    }
}

#[tokio::test]
async fn openssl_believes_good_and_revoked_with_and_without_nonce() {
    for key_type in [CaKeyType::EcdsaP256, CaKeyType::Rsa2048] {
        let fixture = Fixture::of(key_type).await;
        let leaf = fixture.app().await.certificate;
        for nonce in ["-nonce", "-no_nonce"] {
            judged_by_openssl(&fixture, &leaf, nonce, ": good").await;
        }
        fixture
            .ca
            .revoke(&leaf.serial_hex(), RevocationReason::KeyCompromise)
            .await
            .unwrap();
        for nonce in ["-nonce", "-no_nonce"] {
            judged_by_openssl(&fixture, &leaf, nonce, "Reason: keyCompromise").await;
        }
    }
}

async fn judged_by_openssl(fixture: &Fixture, leaf: &Certificate, nonce: &str, expected: &str) {
    let root = fixture.pem("root.pem", fixture.ca.root_certificate());
    let issuing = fixture.pem("issuing.pem", fixture.ca.issuing_certificate());
    let leaf = fixture.pem("leaf.pem", leaf);
    let asked = fixture.file("request.der", "");
    if openssl(&[
        "ocsp", nonce, "-issuer", &issuing, "-cert", &leaf, "-reqout", &asked,
    ])
    .is_none()
    {
        return;
    }
    let request = std::fs::read(&asked).unwrap();
    let by_post = fixture.post("/ocsp", request.clone()).await;
    let encoded = STANDARD
        .encode(&request)
        .replace('+', "%2B")
        .replace('=', "%3D");
    let by_get = fixture.get(&format!("/ocsp/{encoded}")).await;
    let by_get_escaped = fixture
        .get(&format!("/ocsp/{}", encoded.replace('/', "%2F")))
        .await;
    for answer in [by_post, by_get, by_get_escaped] {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/ocsp-response");
        let response = fixture.file("response.der", &answer.body);
        let (good, text) = openssl(&[
            "ocsp",
            "-no_nonce",
            "-issuer",
            &issuing,
            "-cert",
            &leaf,
            "-reqin",
            &asked,
            "-respin",
            &response,
            "-CAfile",
            &root,
            "-verify_other",
            &issuing,
        ])
        .unwrap();
        assert!(
            good && text.contains("Response verify OK") && text.contains(expected),
            "{nonce}: {text}"
        );
        assert!(!text.contains("WARNING") || nonce == "-no_nonce", "{text}");
    }
}

#[tokio::test]
async fn the_trust_engine_believes_good_and_revoked() {
    let fixture = Fixture::new().await;
    let issued = fixture.app().await;
    let judge = async || {
        let ask =
            udap_pki::ocsp::request(&issued.certificate, fixture.ca.issuing_certificate(), None);
        let answer = fixture.post("/ocsp", ask).await;
        let mut evidence = Evidence::default();
        evidence.add_ocsp(OcspResponse::from_der(&answer.body).unwrap().into());
        // The status of the issuing CA itself is in the root's list.
        evidence.add_crl(
            Crl::from_der(&fixture.get("/crl/root.crl").await.body)
                .unwrap()
                .into(),
        );
        udap_pki::verify(&Request {
            leaf: &issued.certificate,
            intermediates: &issued.chain[1..],
            anchors: &[Anchor::new(fixture.ca.root_certificate().clone())],
            evidence: &evidence,
            now: fixture.clock.now(),
            policy: &Policy::default(),
        })
    };
    let good = judge().await;
    let Outcome::Valid(valid) = good else {
        panic!("{good:?}")
    };
    assert!(valid.revocation_checked());
    fixture
        .ca
        .revoke(
            &issued.certificate.serial_hex(),
            RevocationReason::KeyCompromise,
        )
        .await
        .unwrap();
    let revoked = judge().await;
    let Outcome::Invalid(invalid) = revoked else {
        panic!("{revoked:?}")
    };
    assert_eq!(invalid.reason.code(), "certificate-revoked");
}

#[tokio::test]
async fn without_a_nonce_the_answer_is_signed_once_and_cacheable() {
    let fixture = Fixture::new().await;
    let leaf = fixture.app().await.certificate;
    let ask = request(&[id(&fixture, &leaf)], None);
    let first = fixture.post("/ocsp", ask.clone()).await;
    assert_eq!(
        first.header("cache-control"),
        "public, max-age=60, must-revalidate, no-transform"
    );
    // An ECDSA signature is never the same twice, so equal bytes were signed once.
    let again = fixture.post("/ocsp", ask.clone()).await;
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("etag"), again.header("etag"));

    // Half of its life later it is made anew.
    fixture.clock.advance(1801);
    assert_ne!(fixture.post("/ocsp", ask).await.body, first.body);
}

#[tokio::test]
async fn a_revocation_drops_the_signed_answers_at_once() {
    let fixture = Fixture::new().await;
    let leaf = fixture.app().await.certificate;
    let ask = request(&[id(&fixture, &leaf)], None);
    assert_eq!(
        fixture.post("/ocsp", ask.clone()).await.statuses(),
        [CertStatus::Good]
    );
    fixture
        .ca
        .revoke(&leaf.serial_hex(), RevocationReason::Unspecified)
        .await
        .unwrap();
    assert!(matches!(
        fixture.post("/ocsp", ask.clone()).await.statuses()[..],
        [CertStatus::Revoked { .. }]
    ));

    // And so does a revocation by another process, as soon as it is seen.
    let other = fixture.app().await.certificate;
    let ask = request(&[id(&fixture, &other)], None);
    assert_eq!(
        fixture.post("/ocsp", ask.clone()).await.statuses(),
        [CertStatus::Good]
    );
    fixture
        .other_process()
        .await
        .revoke(&other.serial_hex(), RevocationReason::Unspecified)
        .await
        .unwrap();
    fixture.ca.refresh().await.unwrap();
    assert!(matches!(
        fixture.post("/ocsp", ask).await.statuses()[..],
        [CertStatus::Revoked { .. }]
    ));
}

#[tokio::test]
async fn a_nonce_is_echoed_and_the_answer_is_for_this_request_only() {
    let fixture = Fixture::new().await;
    let leaf = fixture.app().await.certificate;
    for length in [1, 16, 32, 128] {
        let nonce = vec![0xa7; length];
        let answer = fixture
            .post("/ocsp", request(&[id(&fixture, &leaf)], Some(&nonce)))
            .await;
        assert_eq!(answer.response().nonce(), Some(&nonce[..]));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let with = request(&[id(&fixture, &leaf)], Some(&[1; 32]));
    assert_ne!(
        fixture.post("/ocsp", with.clone()).await.body,
        fixture.post("/ocsp", with).await.body
    );
    for length in [0, 129] {
        let answer = fixture
            .post(
                "/ocsp",
                request(&[id(&fixture, &leaf)], Some(&vec![1; length])),
            )
            .await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::BAD_REQUEST, MALFORMED)
        );
        assert_eq!(answer.header("udap-code"), "ocsp-request-nonce");
    }
}

#[tokio::test]
async fn signatures_on_the_spot_have_a_rate() {
    let fixture = Fixture::new().await;
    let leaf = fixture.app().await.certificate;
    let live = request(&[id(&fixture, &leaf)], Some(&[1; 32]));
    for _ in 0..200 {
        assert_eq!(
            fixture.post("/ocsp", live.clone()).await.statuses(),
            [CertStatus::Good]
        );
    }
    let answer = fixture.post("/ocsp", live.clone()).await;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::OK, TRY_LATER)
    );
    // Who sends no nonce is served on.
    assert_eq!(
        fixture
            .post("/ocsp", request(&[id(&fixture, &leaf)], None))
            .await
            .statuses(),
        [CertStatus::Good]
    );
    fixture.clock.advance(1);
    assert_eq!(
        fixture.post("/ocsp", live).await.statuses(),
        [CertStatus::Good]
    );
}

#[tokio::test]
async fn what_was_never_issued_is_unknown_and_other_issuers_are_not_spoken_for() {
    let fixture = Fixture::new().await;
    let never = CertId::new(
        fixture.ca.issuing_certificate(),
        &[0x51; 16],
        CertIdHash::Sha256,
    )
    .unwrap();
    let answer = fixture
        .post("/ocsp", request(std::slice::from_ref(&never), None))
        .await;
    assert_eq!(answer.statuses(), [CertStatus::Unknown]);
    assert_eq!(answer.header("cache-control"), "no-store");

    // Several at once: one answer each.
    let leaf = fixture.app().await.certificate;
    let both = fixture
        .post("/ocsp", request(&[id(&fixture, &leaf), never], None))
        .await;
    assert_eq!(both.statuses(), [CertStatus::Good, CertStatus::Unknown]);

    let root = CertId::new(
        fixture.ca.root_certificate(),
        fixture.ca.issuing_certificate().serial(),
        CertIdHash::Sha1,
    );
    let other = Fixture::new().await;
    for id in [root.unwrap(), id(&other, &leaf)] {
        let answer = fixture.post("/ocsp", request(&[id], None)).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::OK, UNAUTHORIZED)
        );
    }
}

#[tokio::test]
async fn malformed_requests_are_400_with_their_code() {
    let fixture = Fixture::new().await;
    for body in [&b""[..], b"hello", &[0x30, 0x82, 0xff, 0xff], &[0xff; 1000]] {
        let answer = fixture.post("/ocsp", body.to_vec()).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::BAD_REQUEST, MALFORMED)
        );
        assert_eq!(answer.header("udap-code"), "ocsp-request-malformed");
    }
    for path in [
        "/ocsp/%%%",
        "/ocsp/a",
        "/ocsp/%ff",
        "/ocsp/MAA=",
        "/ocsp/////",
        "/ocsp/aGVsbG8=",
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::BAD_REQUEST, MALFORMED),
            "{path}"
        );
        assert_eq!(answer.header("udap-code"), "ocsp-request-malformed");
    }
    let large = fixture.post("/ocsp", vec![0x30; 20_000]).await;
    assert_eq!(
        (large.status, &large.body[..]),
        (StatusCode::PAYLOAD_TOO_LARGE, MALFORMED)
    );
    assert_eq!(large.header("udap-code"), "ocsp-request-malformed");
    assert_eq!(
        fixture.get("/ocsp").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let leaf = fixture.app().await.certificate;
    let many = request(&vec![id(&fixture, &leaf); 17], None);
    assert_eq!(
        fixture.post("/ocsp", many).await.header("udap-code"),
        "ocsp-request-count"
    );
}

#[tokio::test]
async fn the_delegate_is_short_lived_marked_and_renewed() {
    let fixture = Fixture::new().await;
    fixture.ca.refresh().await.unwrap();
    fixture.ca.refresh().await.unwrap();
    let delegates = async || {
        let listed = fixture.ca.list().await.unwrap();
        listed
            .into_iter()
            .filter(|row| row.profile == Profile::OcspSigner)
            .collect::<Vec<_>>()
    };
    let first = delegates().await;
    assert_eq!(first.len(), 1);
    assert!(first[0].not_after.secs_since(first[0].not_before) <= 8 * 86_400);

    let leaf = fixture.ca.issue(app()).await.unwrap().certificate;
    let ask = request(&[id(&fixture, &leaf)], None);
    let before = fixture.post("/ocsp", ask.clone()).await;
    let signed_by = |answer: &Answer| {
        let response = answer.response();
        let certificates = response.certificates().iter();
        certificates
            .map(Certificate::serial_hex)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        signed_by(&before),
        [first[0].serial.clone()],
        "the delegate's certificate goes with the answer"
    );

    fixture.clock.advance(4 * 86_400);
    fixture.ca.refresh().await.unwrap();
    let second = delegates().await;
    assert_eq!(second.len(), 2);
    let newest = second
        .iter()
        .find(|row| row.serial != first[0].serial)
        .unwrap();
    let after = fixture.post("/ocsp", ask).await;
    assert_eq!(signed_by(&after), std::slice::from_ref(&newest.serial));
}

#[tokio::test]
async fn a_ca_of_tls_servers_answers_unauthorized() {
    use udap_ca::{Ca, Hierarchy, InitOptions};
    let directory = private_directory();
    let ca = Ca::init(directory.path(), InitOptions::new(Hierarchy::TlsServers))
        .await
        .unwrap();
    let issuer = ca.root_certificate().clone();
    let fixture = Fixture {
        directory,
        clock: crate::fixture::Frozen::new(),
        ca: ca.into(),
    };
    let id = CertId::new(&issuer, &[7; 16], CertIdHash::Sha1).unwrap();
    let answer = fixture.post("/ocsp", request(&[id], None)).await;
    assert_eq!(&answer.body[..], UNAUTHORIZED);
    for path in ["/crl/issuing.crl", "/crl/root.crl", "/certs/issuing.cer"] {
        assert_eq!(
            fixture.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
