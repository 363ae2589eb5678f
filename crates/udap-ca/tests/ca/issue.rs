use std::collections::HashSet;

use udap_ca::{CaError, IssueOptions, MemberKey, Validity};
use udap_pki::{Anchor, Crl, Evidence, KeyKind, Outcome, Policy, Request, issue::Profile};
use udap_trust::keys::KeyType;

use crate::fixture::{BASE_URL, DAY, Fixture, app, openssl};

const MEMBERS: [Profile; 3] = [Profile::DataHolder, Profile::App, Profile::IdentityProvider];

fn member(profile: Profile) -> IssueOptions {
    IssueOptions::new(profile, "Example member").uri("https://member.example/fhir")
}

#[tokio::test]
async fn every_profile_verifies_with_its_crls() {
    let fixture = Fixture::new().await;
    let mut evidence = Evidence::default();
    for path in ["/crl/issuing.crl", "/crl/root.crl"] {
        evidence.add_crl(Crl::from_der(&fixture.get(path).await.body).unwrap().into());
    }
    for profile in MEMBERS {
        let issued = fixture.ca.issue(member(profile)).await.unwrap();
        let outcome = udap_pki::verify(&Request {
            leaf: &issued.certificate,
            intermediates: &issued.chain[1..],
            anchors: &[Anchor::new(fixture.ca.root_certificate().clone())],
            evidence: &evidence,
            now: fixture.clock.now(),
            policy: &Policy::default(),
        });
        let Outcome::Valid(valid) = outcome else {
            panic!("{profile}: {outcome:?}")
        };
        assert!(valid.revocation_checked());
    }
}

#[tokio::test]
async fn every_profile_verifies_with_openssl_and_its_crls() {
    let fixture = Fixture::new().await;
    let root = fixture.pem("root.pem", fixture.ca.root_certificate());
    let issuing = fixture.pem("issuing.pem", fixture.ca.issuing_certificate());
    let mut crls = String::new();
    for path in ["/crl/issuing.crl", "/crl/root.crl"] {
        crls += &udap_pki::pem::encode("X509 CRL", &fixture.get(path).await.body);
    }
    let crls = fixture.file("crls.pem", crls);
    for profile in MEMBERS {
        let issued = fixture.ca.issue(member(profile)).await.unwrap();
        let leaf = fixture.pem("leaf.pem", &issued.certificate);
        let verified = openssl(&[
            "verify",
            "-x509_strict",
            "-crl_check_all",
            "-CRLfile",
            &crls,
            "-CAfile",
            &root,
            "-untrusted",
            &issuing,
            &leaf,
        ]);
        if let Some((good, text)) = verified {
            assert!(good, "{profile}: {text}");
        }
        let key = fixture.file("leaf.key", issued.key_pem().unwrap().as_bytes());
        let (certified, held) = (
            openssl(&["x509", "-in", &leaf, "-noout", "-pubkey"]),
            openssl(&["pkey", "-in", &key, "-pubout"]),
        );
        assert_eq!(certified, held);
    }
}

#[tokio::test]
async fn a_certificate_is_as_asked_for() {
    let fixture = Fixture::new().await;
    let options = member(Profile::DataHolder).uri("https://member.example/other#T-IAS");
    let issued = fixture.ca.issue(options).await.unwrap();
    let certificate = &issued.certificate;
    assert_eq!(
        certificate.uri_names(),
        [
            "https://member.example/fhir",
            "https://member.example/other#T-IAS"
        ]
    );
    assert_eq!(certificate.subject().to_string(), "CN=Example member");
    assert_eq!(
        certificate.crl_urls(),
        [format!("{BASE_URL}/crl/issuing.crl")]
    );
    assert_eq!(
        certificate.ca_issuer_urls(),
        [format!("{BASE_URL}/certs/issuing.cer")]
    );
    assert_eq!(certificate.ocsp_urls(), [format!("{BASE_URL}/ocsp")]);
    assert_eq!(
        certificate.public_key().unwrap().kind(),
        KeyKind::Rsa { bits: 2048 }
    );
    assert_eq!(
        certificate.not_after(),
        fixture.clock.now().plus_secs(90 * DAY)
    );
    assert!(certificate.not_before() < fixture.clock.now());
    assert_eq!(issued.chain.len(), 2);
    assert_eq!(issued.chain_pem().matches("BEGIN CERTIFICATE").count(), 2);

    let listed = fixture.ca.list().await.unwrap();
    let row = listed
        .iter()
        .find(|row| row.profile == Profile::DataHolder)
        .unwrap();
    assert_eq!(row.names, certificate.uri_names());
    assert_eq!(row.revoked, None);
    // The CA keeps no copy of the key.
    for entry in std::fs::read_dir(fixture.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            matches!(
                path.file_name().unwrap().to_str().unwrap(),
                "ca.db"
                    | "ca.db-wal"
                    | "ca.db-shm"
                    | "init.lock"
                    | "root.key"
                    | "root.pem"
                    | "issuing.key"
                    | "issuing.pem"
            ),
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn serial_numbers_differ_and_have_sixteen_octets() {
    let fixture = Fixture::new().await;
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let serial = fixture.app().await.certificate.serial().to_vec();
        assert_eq!(serial.len(), 16);
        assert!(seen.insert(serial));
    }
}

#[tokio::test]
async fn dates_can_be_given_for_an_expired_certificate() {
    let fixture = Fixture::new().await;
    let now = fixture.clock.now();
    let expired = Validity::Between {
        not_before: now.plus_secs(-1800),
        not_after: now.plus_secs(-600),
    };
    let issued = fixture.ca.issue(app().validity(expired)).await.unwrap();
    assert_eq!(issued.certificate.not_after(), now.plus_secs(-600));

    let before_the_ca = Validity::Between {
        not_before: now.plus_secs(-9000),
        not_after: now.plus_secs(-8000),
    };
    let refused = fixture
        .ca
        .issue(app().validity(before_the_ca))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "ca-never-valid");
    let turned = Validity::Between {
        not_before: now,
        not_after: now.plus_secs(-1),
    };
    assert_eq!(
        fixture
            .ca
            .issue(app().validity(turned))
            .await
            .unwrap_err()
            .code(),
        "issue-validity"
    );
}

#[tokio::test]
async fn a_members_own_key_is_certified_and_its_wishes_are_not() {
    let fixture = Fixture::new().await;
    let key = fixture.directory.path().join("member.key");
    let request = fixture.directory.path().join("member.csr");
    let made = openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key.to_str().unwrap(),
        "-out",
        request.to_str().unwrap(),
        "-subj",
        "/CN=Somebody else",
        "-addext",
        "subjectAltName=URI:https://bank.example",
    ]);
    if made.is_none() {
        return;
    }
    let request = std::fs::read(request).unwrap();
    let issued = fixture
        .ca
        .issue(app().key(MemberKey::Request(request.clone())))
        .await
        .unwrap();
    assert!(issued.key.is_none() && issued.key_pem().is_none());
    assert_eq!(issued.certificate.uri_names(), ["https://app.example"]);
    assert_eq!(issued.certificate.subject().to_string(), "CN=Example app");

    // A request that somebody changed on the way.
    let mut der = udap_pki_der(&request);
    let last = der.len() - 1;
    der[last] ^= 1;
    let refused = fixture
        .ca
        .issue(app().key(MemberKey::Request(der)))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "csr-possession");
}

/// The DER inside a PEM file, by openssl's own reading.
fn udap_pki_der(pem: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = std::str::from_utf8(pem).unwrap();
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}

#[tokio::test]
async fn what_the_profile_forbids_is_refused_and_not_recorded() {
    let fixture = Fixture::new().await;
    let before = fixture.ca.list().await.unwrap().len();
    let refusal = async |options: IssueOptions| fixture.ca.issue(options).await.unwrap_err().code();
    let bare = |profile| IssueOptions::new(profile, "Example member");

    assert_eq!(refusal(bare(Profile::App)).await, "lint-uri-name");
    assert_eq!(refusal(app().dns("app.example")).await, "lint-name-kind");
    assert_eq!(
        refusal(bare(Profile::DataHolder).uri("http://dh.example/fhir")).await,
        "lint-uri-scheme"
    );
    assert_eq!(
        refusal(member(Profile::DataHolder).key(MemberKey::Generate(KeyType::P256))).await,
        "lint-key-kind"
    );
    assert_eq!(
        refusal(app().uri("https://app.example")).await,
        "lint-name-twice"
    );
    assert_eq!(
        refusal(app().validity(Validity::Days(399))).await,
        "lint-validity-too-long"
    );
    assert_eq!(refusal(app().validity(Validity::Days(0))).await, "ca-days");
    assert_eq!(
        refusal(app().validity(Validity::Days(u32::MAX))).await,
        "ca-days"
    );
    assert_eq!(
        refusal(bare(Profile::App).uri("not a uri")).await,
        "issue-name"
    );
    assert_eq!(
        refusal(IssueOptions::new(Profile::App, "").uri("https://app.example")).await,
        "issue-subject"
    );
    assert_eq!(
        refusal(app().key(MemberKey::Request(b"hello".to_vec()))).await,
        "csr-malformed"
    );
    for profile in [
        Profile::Root,
        Profile::IssuingCa,
        Profile::OcspSigner,
        Profile::TlsServer,
    ] {
        assert_eq!(refusal(bare(profile)).await, "ca-profile-not-offered");
    }
    assert_eq!(fixture.ca.list().await.unwrap().len(), before);
}

#[tokio::test]
async fn nothing_is_issued_beyond_the_issuers_end() {
    let fixture = Fixture::new().await;
    let end = fixture.ca.issuing_certificate().not_after();
    fixture
        .clock
        .advance(end.secs_since(fixture.clock.now()) - 10 * DAY);
    assert_eq!(fixture.app().await.certificate.not_after(), end);
    fixture.clock.advance(11 * DAY);
    let refused = fixture.ca.issue(app()).await.unwrap_err();
    assert!(
        matches!(refused, CaError::IssuerUnusable { .. }),
        "{refused:?}"
    );
}
