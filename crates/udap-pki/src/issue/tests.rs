use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{testing::*, *};
use crate::{Certificate, Crl, UnixTime};

/// A directory of its own for the files that openssl reads.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("udap-pki-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn write(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The answer of openssl, or `None` where there is no such program.
pub(super) fn openssl(arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new("openssl").args(arguments).output() else {
        eprintln!("skipped: there is no openssl on this machine");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text))
}

pub(super) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn chain_verifies_with_openssl(
    name: &str,
    hierarchy: &Hierarchy,
    purpose: &str,
    leaf: &Certificate,
) {
    let scratch = Scratch::new(name);
    let root = scratch.write("root.pem", hierarchy.root.to_pem().as_bytes());
    let issuing = scratch.write("issuing.pem", hierarchy.issuing.to_pem().as_bytes());
    let leaf = scratch.write("leaf.pem", leaf.to_pem().as_bytes());
    let now = NOW.0.to_string();
    let arguments = [
        "verify",
        "-x509_strict",
        "-attime",
        &now,
        "-CAfile",
        path(&root),
        "-untrusted",
        path(&issuing),
    ];
    if let Some((good, text)) =
        openssl(&[&arguments[..], &["-purpose", purpose, path(&leaf)]].concat())
    {
        assert!(good, "{text}");
    }
}

#[test]
fn every_profile_is_read_back_as_it_was_asked_for() {
    let hierarchy = Hierarchy::new();
    assert!(hierarchy.root.is_ca() && hierarchy.root.path_len().is_none());
    assert_eq!(hierarchy.issuing.path_len(), Some(0));
    assert_eq!(
        hierarchy.issuing.issuer().der(),
        hierarchy.root.subject().der()
    );
    assert_eq!(
        hierarchy.issuing.authority_key_id(),
        hierarchy.root.subject_key_id()
    );
    assert_eq!(
        hierarchy.issuing.crl_urls(),
        ["http://ca.example/crl/root.crl"]
    );
    let usage = hierarchy.issuing.key_usage().unwrap();
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());

    let key = Key::rsa();
    let leaf = hierarchy.leaf(Profile::DataHolder, &key);
    assert_eq!(leaf.uri_names(), ["https://member.example/fhir"]);
    assert_eq!(leaf.spki_der(), key.spki());
    assert_eq!(leaf.serial(), [0x5a; 16]);
    assert_eq!(
        (leaf.not_before(), leaf.not_after()),
        (NOW.plus_secs(-DAY), NOW.plus_secs(90 * DAY))
    );
    assert_eq!(
        leaf.ca_issuer_urls(),
        ["http://ca.example/certs/issuing.cer"]
    );
    assert_eq!(leaf.ocsp_urls(), ["http://ca.example/ocsp"]);
    assert!(!leaf.is_ca());
    assert!(leaf.key_usage().unwrap().digital_signature());
}

#[test]
fn openssl_verifies_every_profile() {
    let hierarchy = Hierarchy::new();
    let key = Key::rsa();
    for profile in [Profile::DataHolder, Profile::App, Profile::IdentityProvider] {
        chain_verifies_with_openssl(
            profile.as_str(),
            &hierarchy,
            "any",
            &hierarchy.leaf(profile, &key),
        );
    }
    let tls = hierarchy.leaf(Profile::TlsServer, &Key::p256());
    chain_verifies_with_openssl("tls", &hierarchy, "sslserver", &tls);
    let ocsp = hierarchy.leaf(Profile::OcspSigner, &Key::p256());
    chain_verifies_with_openssl("ocsp", &hierarchy, "ocsphelper", &ocsp);
}

#[test]
fn openssl_verifies_every_algorithm() {
    for (name, root, issuing) in [
        ("rsa", Key::rsa(), Key::rsa()),
        ("p256", Key::p256(), Key::p256()),
        ("p384", Key::p384(), Key::p384()),
        ("mixed", Key::p384(), Key::rsa()),
    ] {
        let hierarchy = Hierarchy::of(root, issuing);
        chain_verifies_with_openssl(
            name,
            &hierarchy,
            "any",
            &hierarchy.leaf(Profile::App, &Key::p256()),
        );
    }
}

#[test]
fn dates_from_2050_are_generalized_time() {
    let key = Key::p256();
    let (subject, spki) = (Subject::named("Test root"), key.spki());
    let mut spec = spec(Profile::Root, &subject, &spki, None);
    spec.not_after = UnixTime::parse_rfc3339("2050-01-01T00:00:00Z").unwrap();
    let root = issue(&spec, &key);
    assert_eq!(root.not_after(), spec.not_after);
    assert!(
        root.der()
            .windows(17)
            .any(|w| w == b"\x18\x0f20500101000000Z")
    );
    assert!(root.der().windows(2).any(|w| w == [0x17, 0x0d]));
}

#[test]
fn what_cannot_be_expressed_is_refused() {
    let key = Key::p256();
    let (subject, spki) = (Subject::named("Test root"), key.spki());
    let base = spec(Profile::Root, &subject, &spki, None);
    let refusal = |change: &dyn Fn(&mut CertificateSpec<'_>)| {
        let mut changed = base.clone();
        change(&mut changed);
        certificate(&changed).unwrap_err().code()
    };

    assert_eq!(refusal(&|s| s.serial = &[1; 8]), "issue-serial");
    assert_eq!(refusal(&|s| s.serial = &[0; 16]), "issue-serial");
    assert_eq!(refusal(&|s| s.serial = &[0x80; 20]), "issue-serial");
    assert_eq!(refusal(&|s| s.serial = &[1; 21]), "issue-serial");
    assert_eq!(refusal(&|s| s.not_after = s.not_before), "issue-validity");
    assert_eq!(refusal(&|s| s.not_before = UnixTime(-1)), "issue-time");
    assert_eq!(refusal(&|s| s.spki_der = b"junk"), "issue-encoding");
    for uri in [
        "",
        "member",
        "https://",
        "https:",
        "https://mémber.example",
        "https://a b",
        "1x://a",
        "https://a|b",
    ] {
        assert_eq!(
            refusal(&|s| s.names.uris = vec![uri.to_owned()]),
            "issue-name",
            "{uri:?}"
        );
    }
    for dns in [
        "",
        "-a.example",
        "a..b",
        "a_b.example",
        "*",
        "a.*.b",
        "\u{e9}.example",
    ] {
        assert_eq!(
            refusal(&|s| s.names.dns = vec![dns.to_owned()]),
            "issue-name",
            "{dns:?}"
        );
    }
    for subject in [
        Subject::named(""),
        Subject::named(" "),
        Subject::named("x".repeat(65)),
        Subject::named("a\nb"),
        Subject::named("a").of_organization(""),
        Subject {
            country: Some("usa".to_owned()),
            ..Subject::named("a")
        },
        Subject {
            country: Some("us".to_owned()),
            ..Subject::named("a")
        },
    ] {
        assert_eq!(
            subject.to_der().unwrap_err().code(),
            "issue-subject",
            "{subject:?}"
        );
    }
}

#[test]
fn an_issuer_without_key_identifier_is_refused() {
    let key = Key::p256();
    let generated = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let stranger = Certificate::from_der(generated.cert.der()).unwrap();
    assert_eq!(stranger.subject_key_id(), None);
    let (subject, spki) = (Subject::named("Test member"), key.spki());
    let mut spec = spec(Profile::App, &subject, &spki, None);
    spec.issuer = Issuer::Certificate(&stranger);
    assert_eq!(certificate(&spec).unwrap_err(), IssueError::IssuerKeyId);
}

#[test]
fn a_fixed_ecdsa_signature_becomes_der() {
    let mut fixed = [0_u8; 64];
    fixed[31] = 0x80;
    fixed[63] = 0x01;
    assert_eq!(
        ecdsa_fixed_to_der(&fixed).unwrap(),
        [0x30, 0x07, 0x02, 0x02, 0x00, 0x80, 0x02, 0x01, 0x01]
    );
    assert_eq!(
        ecdsa_fixed_to_der(&[1; 63]).unwrap_err().code(),
        "issue-signature"
    );
}

fn entry(serial: &[u8], reason: RevocationReason) -> CrlEntry {
    CrlEntry {
        serial: serial.to_vec(),
        revoked_at: NOW.plus_secs(-60),
        reason,
    }
}

#[test]
fn a_crl_is_sorted_numbered_and_verifies_with_openssl() {
    let hierarchy = Hierarchy::new();
    let leaf = hierarchy.leaf(Profile::App, &Key::p256());
    let entries = [
        entry(&[0x80, 1], RevocationReason::Unspecified),
        entry(leaf.serial(), RevocationReason::KeyCompromise),
        entry(&[7], RevocationReason::Superseded),
        entry(&[7], RevocationReason::Superseded),
    ];
    let spec = CrlSpec {
        issuer: &hierarchy.issuing,
        number: 300,
        this_update: NOW,
        next_update: NOW.plus_secs(DAY),
        entries: &entries,
        algorithm: hierarchy.issuing_key.algorithm(),
    };
    let der = hierarchy.issuing_key.sign(&crl(&spec).unwrap());

    let scratch = Scratch::new("crl");
    let file = scratch.write("issuing.crl", &der);
    let issuing = scratch.write("issuing.pem", hierarchy.issuing.to_pem().as_bytes());
    let shown = openssl(&[
        "crl",
        "-inform",
        "DER",
        "-in",
        path(&file),
        "-CAfile",
        path(&issuing),
        "-text",
        "-noout",
    ]);
    if let Some((good, text)) = shown {
        assert!(good && text.contains("verify OK"), "{text}");
        assert!(
            text.contains("X509v3 CRL Number") && text.contains("300"),
            "{text}"
        );
        assert_eq!(text.matches("Serial Number:").count(), 3, "{text}");
        assert!(
            text.contains("Key Compromise") && !text.contains("Unspecified"),
            "{text}"
        );
        let order = [
            "Serial Number: 07",
            "Serial Number: 8001",
            "Serial Number: 5A5A",
        ]
        .map(|s| text.find(s).unwrap());
        assert!(order.is_sorted(), "{text}");
    }
    let crl_pem = scratch.write("crl.pem", crate::pem::encode("X509 CRL", &der).as_bytes());
    let root = scratch.write("root.pem", hierarchy.root.to_pem().as_bytes());
    let leaf = scratch.write("leaf.pem", leaf.to_pem().as_bytes());
    let now = NOW.0.to_string();
    let revoked = openssl(&[
        "verify",
        "-attime",
        &now,
        "-crl_check",
        "-CRLfile",
        path(&crl_pem),
        "-CAfile",
        path(&root),
        "-untrusted",
        path(&issuing),
        path(&leaf),
    ]);
    if let Some((good, text)) = revoked {
        assert!(!good && text.contains("certificate revoked"), "{text}");
    }
}

#[test]
fn a_crl_is_read_back() {
    let hierarchy = Hierarchy::new();
    let spec = |entries: &'static [u8], next: i64| {
        let entries: Vec<_> = entries
            .iter()
            .map(|b| entry(&[*b], RevocationReason::Unspecified))
            .collect();
        crl(&CrlSpec {
            issuer: &hierarchy.root,
            number: 1,
            this_update: NOW,
            next_update: NOW.plus_secs(next),
            entries: &entries,
            algorithm: hierarchy.root_key.algorithm(),
        })
    };
    let parsed = Crl::from_der(&hierarchy.root_key.sign(&spec(&[], DAY).unwrap())).unwrap();
    assert!(parsed.is_empty());
    assert_eq!(
        (parsed.this_update(), parsed.next_update()),
        (NOW, Some(NOW.plus_secs(DAY)))
    );
    let parsed = Crl::from_der(&hierarchy.root_key.sign(&spec(&[3, 1], DAY).unwrap())).unwrap();
    assert_eq!(parsed.len(), 2);
    assert!(parsed.contains(&[3]) && !parsed.contains(&[2]));
    assert_eq!(spec(&[], 0).unwrap_err().code(), "issue-next-update");
    assert_eq!(spec(&[0], DAY).unwrap_err().code(), "issue-serial");
}

fn csr(key: &Key) -> Vec<u8> {
    let spec = CsrSpec {
        subject: &Subject::named("Example app").of_organization("Example"),
        spki_der: &key.spki(),
        uris: &["https://app.example/a#b".to_owned()],
        algorithm: key.algorithm(),
    };
    key.sign(&certification_request(&spec).unwrap())
}

#[test]
fn a_request_proves_possession_and_tells_its_wishes() {
    for key in [Key::rsa(), Key::p256(), Key::p384()] {
        let der = csr(&key);
        let pem = crate::pem::encode("CERTIFICATE REQUEST", &der);
        for bytes in [&der[..], pem.as_bytes()] {
            let request = CertificationRequest::parse(bytes).unwrap();
            assert_eq!(request.spki_der(), key.spki());
            assert_eq!(request.common_name(), Some("Example app"));
            assert_eq!(request.organization(), Some("Example"));
            assert_eq!(request.uri_names(), ["https://app.example/a#b"]);
            assert!(request.dns_names().is_empty());
        }
        let scratch = Scratch::new("csr");
        let file = scratch.write("app.csr", pem.as_bytes());
        if let Some((good, text)) = openssl(&["req", "-in", path(&file), "-verify", "-noout"]) {
            assert!(good && text.contains("OK"), "{text}");
        }
    }
}

#[test]
fn a_request_of_openssl_is_read() {
    let scratch = Scratch::new("csr-openssl");
    let (key, file) = (scratch.0.join("k.pem"), scratch.0.join("r.pem"));
    let made = openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        path(&key),
        "-out",
        path(&file),
        "-subj",
        "/O=Example/CN=Example app",
        "-addext",
        "subjectAltName=URI:https://app.example,DNS:app.example",
    ]);
    if let Some((good, text)) = made {
        assert!(good, "{text}");
        let request = CertificationRequest::parse(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(request.uri_names(), ["https://app.example"]);
        assert_eq!(request.dns_names(), ["app.example"]);
        assert_eq!(request.common_name(), Some("Example app"));
    }
}

#[test]
fn bad_requests_are_refused_each_with_its_code() {
    let key = Key::p256();
    let good = csr(&key);
    let refusal = |bytes: &[u8]| CertificationRequest::parse(bytes).unwrap_err().code();

    assert_eq!(refusal(b""), "csr-malformed");
    assert_eq!(refusal(b"hello"), "csr-malformed");
    assert_eq!(refusal(&good[..good.len() - 1]), "csr-malformed");
    assert_eq!(refusal(&[&good[..], &[0]].concat()), "csr-malformed");
    assert_eq!(
        refusal(crate::pem::encode("CERTIFICATE", &good).as_bytes()),
        "csr-malformed"
    );
    assert_eq!(refusal(&vec![0x30; 70_000]), "csr-too-large");
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(refusal(&forged), "csr-possession");

    // The key of somebody else: the signature is good, but of another key.
    let other = Key::p256();
    let spec = CsrSpec {
        subject: &Subject::named("Example app"),
        spki_der: &other.spki(),
        uris: &[],
        algorithm: key.algorithm(),
    };
    assert_eq!(
        refusal(&key.sign(&certification_request(&spec).unwrap())),
        "csr-possession"
    );

    // ecdsa-with-SHA1 in the outer algorithm, which is all that names it.
    let oid = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let at = good.windows(oid.len()).rposition(|w| w == oid).unwrap();
    let mut sha1 = good.clone();
    sha1[at + 9] = 0x01;
    assert_eq!(refusal(&sha1), "csr-algorithm");

    // P-256 replaced by an unknown curve.
    let curve = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let at = good.windows(curve.len()).position(|w| w == curve).unwrap();
    let mut unknown = good;
    unknown[at + 9] = 0x02;
    assert_eq!(refusal(&unknown), "csr-key");
}

#[test]
fn every_prefix_of_a_request_is_refused_without_panic() {
    let good = csr(&Key::p256());
    for end in 0..good.len() {
        CertificationRequest::parse(&good[..end]).unwrap_err();
    }
}

#[test]
fn codes_are_explained_once() {
    let mut codes: Vec<_> = CATALOGUE.iter().map(|e| e.code).collect();
    let seen = [
        "issue-serial",
        "issue-validity",
        "issue-time",
        "issue-subject",
        "issue-name",
        "issue-issuer-key-id",
        "issue-next-update",
        "issue-empty-answer",
        "issue-signature",
        "issue-encoding",
        "csr-too-large",
        "csr-malformed",
        "csr-key",
        "csr-algorithm",
        "csr-possession",
        "ocsp-request-too-large",
        "ocsp-request-malformed",
        "ocsp-request-version",
        "ocsp-request-count",
        "ocsp-request-hash",
        "ocsp-request-nonce",
        "ocsp-request-critical-extension",
    ];
    assert_eq!(codes.len(), seen.len());
    for code in seen {
        assert!(codes.contains(&code), "{code}");
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), seen.len());
}
