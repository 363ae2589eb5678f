use super::{
    testing::*,
    tests::{Scratch, openssl, path},
    *,
};
use crate::UnixTime;

fn ocsp_request(cert_ids: &[CertId], extensions: &[u8]) -> Vec<u8> {
    let requests: Vec<u8> = cert_ids.iter().flat_map(|id| tlv(0x30, id.der())).collect();
    tlv(
        0x30,
        &tlv(0x30, &[tlv(0x30, &requests), extensions.to_vec()].concat()),
    )
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, content.to_vec()].concat()
}

/// `[2] EXPLICIT Extensions` with one extension whose value is `value`.
fn extensions(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    tlv(
        0xa2,
        &tlv(
            0x30,
            &tlv(
                0x30,
                &[tlv(0x06, oid), critical.to_vec(), tlv(0x04, value)].concat(),
            ),
        ),
    )
}

const NONCE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];

#[test]
fn an_ocsp_request_is_read() {
    let hierarchy = Hierarchy::new();
    for hash in CertIdHash::ALL {
        let id = CertId::new(&hierarchy.issuing, &[0, 0x80, 7], hash).unwrap();
        let request = OcspRequest::from_der(&ocsp_request(std::slice::from_ref(&id), &[])).unwrap();
        assert_eq!(request.cert_ids(), [id]);
        assert_eq!(request.cert_ids()[0].serial(), [0x80, 7]);
        assert_eq!(request.nonce(), None);
        assert!(request.cert_ids()[0].is_issued_by(&hierarchy.issuing));
        assert!(!request.cert_ids()[0].is_issued_by(&hierarchy.root));
    }
}

#[test]
fn ocsp_nonces_of_1_to_128_octets_are_taken() {
    let hierarchy = Hierarchy::new();
    let id = CertId::new(&hierarchy.issuing, &[5], CertIdHash::Sha1).unwrap();
    let with = |nonce: &[u8]| {
        OcspRequest::from_der(&ocsp_request(
            std::slice::from_ref(&id),
            &extensions(NONCE, false, &tlv(4, nonce)),
        ))
    };
    for length in [1, 16, 32, 128] {
        assert_eq!(
            with(&vec![9; length]).unwrap().nonce(),
            Some(&vec![9; length][..])
        );
    }
    assert_eq!(
        with(&[]).unwrap_err(),
        OcspRequestError::Nonce { found: 0, max: 128 }
    );
    assert_eq!(
        with(&[9; 129]).unwrap_err(),
        OcspRequestError::Nonce {
            found: 129,
            max: 128
        }
    );
}

#[test]
fn bad_ocsp_requests_are_refused_each_with_its_code() {
    let hierarchy = Hierarchy::new();
    let id = CertId::new(&hierarchy.issuing, &[5], CertIdHash::Sha1).unwrap();
    let good = ocsp_request(std::slice::from_ref(&id), &[]);
    let refusal = |bytes: &[u8]| OcspRequest::from_der(bytes).unwrap_err().code();

    assert_eq!(refusal(b""), "ocsp-request-malformed");
    assert_eq!(refusal(b"<html>"), "ocsp-request-malformed");
    assert_eq!(
        refusal(&[&good[..], &[0]].concat()),
        "ocsp-request-malformed"
    );
    assert_eq!(refusal(&vec![0x30; 20_000]), "ocsp-request-too-large");
    assert_eq!(refusal(&ocsp_request(&[], &[])), "ocsp-request-count");
    assert_eq!(
        refusal(&ocsp_request(&vec![id.clone(); 17], &[])),
        "ocsp-request-count"
    );
    assert_eq!(
        refusal(&ocsp_request(
            std::slice::from_ref(&id),
            &extensions(&[0x2a, 3], true, &[5, 0])
        )),
        "ocsp-request-critical-extension"
    );
    assert!(
        OcspRequest::from_der(&ocsp_request(
            std::slice::from_ref(&id),
            &extensions(&[0x2a, 3], false, &[5, 0])
        ))
        .is_ok()
    );
    assert_eq!(
        refusal(&ocsp_request(
            std::slice::from_ref(&id),
            &extensions(NONCE, false, &[9; 16])
        )),
        "ocsp-request-malformed"
    );

    let sha1 = [0x2b, 0x0e, 0x03, 0x02, 0x1a];
    let at = good.windows(5).position(|w| w == sha1).unwrap();
    let mut unknown_hash = good.clone();
    unknown_hash[at + 4] = 0x1b;
    assert_eq!(refusal(&unknown_hash), "ocsp-request-hash");

    let list = tlv(0x30, &tlv(0x30, id.der()));
    let version_2 = tlv(0x30, &tlv(0x30, &[tlv(0xa0, &[2, 1, 1]), list].concat()));
    assert_eq!(refusal(&version_2), "ocsp-request-version");
    for end in 0..good.len() {
        OcspRequest::from_der(&good[..end]).unwrap_err();
    }
}

#[test]
fn openssl_asks_and_believes_the_answer() {
    let hierarchy = Hierarchy::new();
    let responder_key = Key::p256();
    let responder = hierarchy.leaf(Profile::OcspSigner, &responder_key);
    let leaf = hierarchy.leaf(Profile::App, &Key::p256());

    let scratch = Scratch::new("ocsp-openssl");
    let root = scratch.write("root.pem", hierarchy.root.to_pem().as_bytes());
    let issuing = scratch.write("issuing.pem", hierarchy.issuing.to_pem().as_bytes());
    let leaf_file = scratch.write("leaf.pem", leaf.to_pem().as_bytes());
    let request_file = scratch.0.join("request.der");
    let asked = openssl(&[
        "ocsp",
        "-issuer",
        path(&issuing),
        "-cert",
        path(&leaf_file),
        "-reqout",
        path(&request_file),
        "-nonce",
    ]);
    if asked.is_none() {
        return;
    }
    let request = OcspRequest::from_der(&std::fs::read(&request_file).unwrap()).unwrap();
    assert!(request.nonce().is_some());
    assert_eq!(request.cert_ids()[0].serial(), leaf.serial());
    assert!(request.cert_ids()[0].is_issued_by(&hierarchy.issuing));

    // With -no_nonce openssl adds no second nonce to the request that it reads, and still compares.
    // openssl compares thisUpdate with its own clock; there is no option to give it another.
    let real_now = UnixTime(
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs()
            .cast_signed(),
    );
    let now = NOW.0.to_string();
    for (status, expected) in [
        (OcspStatus::Good, ": good"),
        (
            OcspStatus::Revoked {
                at: NOW,
                reason: RevocationReason::KeyCompromise,
            },
            "Reason: keyCompromise",
        ),
        (
            OcspStatus::Revoked {
                at: NOW,
                reason: RevocationReason::Unspecified,
            },
            ": revoked",
        ),
        (OcspStatus::Unknown, ": unknown"),
    ] {
        let to_be_signed = ocsp_answer(&OcspSpec {
            responder: &responder,
            certificates: std::slice::from_ref(&responder),
            answers: &[OcspAnswer {
                cert_id: request.cert_ids()[0].clone(),
                status,
                this_update: real_now,
                next_update: real_now.plus_secs(3600),
            }],
            produced_at: real_now,
            nonce: request.nonce(),
            algorithm: responder_key.algorithm(),
        })
        .unwrap();
        let response = scratch.write("response.der", &responder_key.sign(&to_be_signed));
        let (good, text) = openssl(&[
            "ocsp",
            "-no_nonce",
            "-issuer",
            path(&issuing),
            "-cert",
            path(&leaf_file),
            "-reqin",
            path(&request_file),
            "-respin",
            path(&response),
            "-CAfile",
            path(&root),
            "-verify_other",
            path(&issuing),
            "-attime",
            &now,
        ])
        .unwrap();
        assert!(
            good && text.contains("Response verify OK") && text.contains(expected),
            "{expected}: {text}"
        );
        assert!(!text.contains("WARNING"), "{text}");
    }
}

#[test]
fn ocsp_answers_that_say_nothing_are_refused() {
    let hierarchy = Hierarchy::new();
    let cert_id = CertId::new(&hierarchy.issuing, &[5], CertIdHash::Sha256).unwrap();
    let answer = OcspAnswer {
        cert_id,
        status: OcspStatus::Good,
        this_update: NOW,
        next_update: NOW,
    };
    let build = |answers: &[OcspAnswer]| {
        ocsp_answer(&OcspSpec {
            responder: &hierarchy.issuing,
            certificates: &[],
            answers,
            produced_at: NOW,
            nonce: None,
            algorithm: SignatureAlgorithm::EcdsaP256Sha256,
        })
    };
    assert_eq!(build(&[]).unwrap_err().code(), "issue-empty-answer");
    assert_eq!(build(&[answer]).unwrap_err().code(), "issue-next-update");
}

#[test]
fn unsigned_ocsp_answers_are_the_five_bytes_of_rfc_6960() {
    assert_eq!(
        ocsp_unsigned(OcspUnsigned::MalformedRequest),
        [0x30, 3, 0x0a, 1, 1]
    );
    assert_eq!(
        ocsp_unsigned(OcspUnsigned::InternalError),
        [0x30, 3, 0x0a, 1, 2]
    );
    assert_eq!(ocsp_unsigned(OcspUnsigned::TryLater), [0x30, 3, 0x0a, 1, 3]);
    assert_eq!(
        ocsp_unsigned(OcspUnsigned::Unauthorized),
        [0x30, 3, 0x0a, 1, 6]
    );
}
