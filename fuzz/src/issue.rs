//! What a CA is sent: OCSP requests by anybody, certification requests by applicants. Nothing here may panic, and what
//! the CA then writes of it is read as what was asked.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use udap_pki::issue::{
    self, CATALOGUE, CertId, CertificateSpec, CertificationRequest, CsrError, Issuer, Names,
    OcspAnswer, OcspRequest, OcspSpec, OcspStatus, Profile, SignatureAlgorithm, Subject, Urls,
};
use udap_pki::{Certificate, OcspResponse, PublicKey, UnixTime, pem};

const NOW: UnixTime = UnixTime(1_795_536_000);

/// A request to an OCSP responder: read, written anew, and answered.
pub fn ocsp_request(data: &[u8]) {
    let request = match OcspRequest::from_der(data) {
        Ok(request) => request,
        Err(error) => return refused(error.code(), &error.to_string()),
    };
    let ids = request.cert_ids();
    assert!((1..=16).contains(&ids.len()) && data.len() <= 16 * 1024);
    assert!(
        request
            .nonce()
            .is_none_or(|nonce| (1..=128).contains(&nonce.len()))
    );
    let again = OcspRequest::from_der(&written(ids, request.nonce()));
    assert_eq!(
        again.as_ref(),
        Ok(&request),
        "what is echoed reads the same"
    );

    let ca = certificate(include_bytes!("../seeds/ca.der"));
    for id in ids {
        assert_ne!(id.serial().first(), Some(&0), "one number, one name");
        let usual = CertId::new(&ca, id.serial(), id.hash()).expect("its serial number was read");
        assert!(usual.is_issued_by(&ca) && usual.serial() == id.serial());
        // The store of signed answers is searched by the name.
        assert!(usual != *id || id.is_issued_by(&ca));
    }
    answered(&ca, &request);
}

/// The answer repeats the asker's own words under the CA's signature, so they must be such that it can be read.
fn answered(ca: &Certificate, request: &OcspRequest) {
    let answers: Vec<OcspAnswer> = request
        .cert_ids()
        .iter()
        .map(|id| OcspAnswer {
            cert_id: id.clone(),
            status: OcspStatus::Good,
            this_update: NOW,
            next_update: NOW.plus_secs(3600),
        })
        .collect();
    let answer = issue::ocsp_answer(&OcspSpec {
        responder: ca,
        certificates: std::slice::from_ref(ca),
        answers: &answers,
        produced_at: NOW,
        nonce: request.nonce(),
        algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    });
    let answer = answer.and_then(|answer| answer.finish(b"a signature"));
    let answer = answer.expect("each request can be answered");
    let answer = OcspResponse::from_der(&answer).expect("each answer can be read");
    assert_eq!(answer.nonce(), request.nonce());
    assert_eq!(answer.responses().len(), request.cert_ids().len());
    for (said, asked) in answer.responses().iter().zip(request.cert_ids()) {
        let zeros = said.serial().iter().take_while(|byte| **byte == 0).count();
        assert_eq!(said.serial().get(zeros..), Some(asked.serial()));
    }
}

/// A certification request as it comes, and the input as what an applicant signed: the subject behind its length in two
/// octets, then the attributes. A fuzzer signs nothing itself, so what stands behind the signature's check is reached
/// with a key that is known here.
pub fn csr(data: &[u8]) {
    match CertificationRequest::parse(data) {
        Ok(request) => {
            asked(&request, data.len());
            if data.first() == Some(&0x30) {
                let pem = pem::encode("CERTIFICATE REQUEST", data);
                let again = CertificationRequest::parse(pem.as_bytes()).map_err(|e| e.code());
                let again = again.expect("PEM of what was read");
                assert_eq!(format!("{again:?}"), format!("{request:?}"));
            }
        }
        Err(error) => refused(error.code(), &error.to_string()),
    }
    let [high, low, rest @ ..] = data else { return };
    let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (subject, attributes) = rest.split_at(len);
    match CertificationRequest::parse(&signed(subject, attributes)) {
        Ok(request) => asked(&request, data.len()),
        Err(CsrError::Malformed { .. } | CsrError::TooLarge { .. }) => {}
        Err(error) => panic!("the key is good and it signed: {error}"),
    }
}

/// What is asked for is no more than what was sent, and a certificate of it, if there can be one, has these names.
fn asked(request: &CertificationRequest, sent: usize) {
    let (uris, dns) = (request.uri_names(), request.dns_names());
    let names = uris.iter().chain(dns).map(|name| name.len() + 2);
    assert!(names.sum::<usize>() <= sent);
    let texts = [request.common_name(), request.organization()];
    assert!(texts.iter().flatten().all(|text| text.len() <= sent));
    let key = PublicKey::from_spki_der(request.spki_der()).expect("it was read before");
    assert_eq!(key.sha256(), request.public_key().sha256());

    let mut subject = Subject::named(request.common_name().unwrap_or("nobody"));
    subject.organization = request.organization().map(str::to_owned);
    let certificate = issue::certificate(&CertificateSpec {
        profile: Profile::App,
        serial: &[7; 16],
        subject: &subject,
        spki_der: request.spki_der(),
        issuer: Issuer::Certificate(&certificate(include_bytes!("../seeds/ca.der"))),
        not_before: NOW,
        not_after: NOW.plus_secs(3600),
        names: Names {
            uris: uris.to_vec(),
            dns: dns.to_vec(),
            ips: Vec::new(),
        },
        urls: Urls::default(),
        extensions: &[],
        algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    });
    let Ok(certificate) = certificate else { return };
    let der = certificate.finish(b"a signature").expect("it is small");
    let certificate = Certificate::from_der(&der).expect("what a CA writes is read");
    assert_eq!(
        (certificate.uri_names(), certificate.dns_names()),
        (uris, dns)
    );
    let key = certificate.public_key().expect("the same as above");
    assert_eq!(key.sha256(), request.public_key().sha256());
}

fn refused(code: &str, text: &str) {
    assert!(
        CATALOGUE.iter().any(|known| known.code == code),
        "{code} is not explained"
    );
    assert!(text.len() < 400, "a long refusal: {text}");
}

/// The DER of a request for these certificates.
fn written(ids: &[CertId], nonce: Option<&[u8]>) -> Vec<u8> {
    let each: Vec<u8> = ids.iter().flat_map(|id| tlv(0x30, id.der())).collect();
    let mut parts = tlv(0x30, &each);
    if let Some(nonce) = nonce {
        let value = tlv(0x04, &tlv(0x04, nonce));
        let extension = tlv(0x30, &[NONCE, &value].concat());
        parts.extend(tlv(0xa2, &tlv(0x30, &extension)));
    }
    tlv(0x30, &tlv(0x30, &parts))
}

/// A certification request, signed by its own key.
fn signed(subject: &[u8], attributes: &[u8]) -> Vec<u8> {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 octets");
    let algorithm = tlv(0x30, ED25519);
    let bits = |bits: &[u8]| tlv(0x03, &[&[0], bits].concat());
    let spki = [algorithm.clone(), bits(key.public_key().as_ref())].concat();
    let version = [0x02, 0x01, 0x00];
    let parts = [&version, subject, &tlv(0x30, &spki), &tlv(0xa0, attributes)];
    let info = tlv(0x30, &parts.concat());
    let signature = bits(key.sign(&info).as_ref());
    tlv(0x30, &[info, algorithm, signature].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len().to_be_bytes();
    let zeros = len.iter().take_while(|byte| **byte == 0).count();
    let len = &len[zeros..];
    let header = match *len {
        [] => vec![tag, 0],
        [short @ 0..0x80] => vec![tag, short],
        _ => [
            &[tag, 0x80 + u8::try_from(len.len()).expect("at most 8")],
            len,
        ]
        .concat(),
    };
    [&header, content].concat()
}

fn certificate(der: &[u8]) -> Certificate {
    Certificate::from_der(der).expect("the seeds are certificates")
}

/// id-pkix-ocsp-nonce, RFC 6960 §4.4.1.
const NONCE: &[u8] = &[
    0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02,
];

/// id-Ed25519, RFC 8410 §3.
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
