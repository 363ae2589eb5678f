use const_oid::db::rfc5280;
use der::Encode as _;

use super::*;
use crate::issue::{CertificateSpec, Extension, Issuer, Names, Subject, certificate, testing::*};

/// The codes found in a leaf that is made as `profile`, changed, and linted as `judged`.
fn codes_as(
    profile: Profile,
    judged: Profile,
    change: impl Fn(&mut CertificateSpec<'_>),
) -> Vec<LintCode> {
    let hierarchy = Hierarchy::new();
    let key = if profile == Profile::DataHolder {
        Key::rsa()
    } else {
        Key::p256()
    };
    let (subject, spki) = (Subject::named("Test member"), key.spki());
    let mut spec = spec(
        profile,
        &subject,
        &spki,
        Some((&hierarchy.issuing, &hierarchy.issuing_key)),
    );
    change(&mut spec);
    let leaf = issue(&spec, &hierarchy.issuing_key);
    lint(&leaf, judged, Some(&hierarchy.issuing))
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

fn codes(profile: Profile, change: impl Fn(&mut CertificateSpec<'_>)) -> Vec<LintCode> {
    codes_as(profile, profile, change)
}

fn with_extension(profile: Profile, extension: Extension) -> Vec<LintCode> {
    codes(profile, |spec| {
        spec.extensions = Box::leak(Box::new([extension.clone()]))
    })
}

fn ext(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Extension {
    Extension {
        oid,
        critical,
        value: value.to_vec(),
    }
}

#[test]
fn every_profile_is_clean() {
    let hierarchy = Hierarchy::new();
    assert_eq!(lint(&hierarchy.root, Profile::Root, None), []);
    assert_eq!(
        lint(
            &hierarchy.issuing,
            Profile::IssuingCa,
            Some(&hierarchy.root)
        ),
        []
    );
    for profile in Profile::ALL.into_iter().filter(|profile| !profile.is_ca()) {
        assert_eq!(codes(profile, |_| {}), [], "{profile}");
    }
}

/// What one rule finds when the second parser sees `parsed`: for what the builder would refuse.
fn findings<'a>(
    leaf: &'a Certificate,
    parsed: &'a x509_cert::Certificate,
    rule: fn(&mut Lint<'a>),
) -> Vec<LintCode> {
    let mut lint = Lint {
        certificate: leaf,
        profile: Profile::App,
        issuer: None,
        parsed,
        findings: Vec::new(),
    };
    rule(&mut lint);
    lint.findings
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

/// The certificate with another content of its to-be-signed part; the signature stays as it was.
fn rebuilt(leaf: &Certificate, change: impl Fn(&[u8]) -> Vec<u8>) -> x509_cert::Certificate {
    let sequence = |content: Vec<u8>| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82], &length[..], &content].concat()
    };
    let parsed = x509_cert::Certificate::from_der(leaf.der()).unwrap();
    let tbs = parsed.tbs_certificate().to_der().unwrap();
    let algorithm = parsed.signature_algorithm().to_der().unwrap();
    let signature = parsed.signature().to_der().unwrap();
    let whole = sequence([sequence(change(&tbs[4..])), algorithm, signature].concat());
    x509_cert::Certificate::from_der(&whole).unwrap()
}

#[test]
fn what_the_second_parser_cannot_read() {
    // 1969: one parser takes UTCTime back to 1950, as RFC 5280 has it, the other to 1970 only.
    let mut der = Hierarchy::new()
        .leaf(Profile::App, &Key::p256())
        .der()
        .to_vec();
    let at = der.windows(2).position(|w| w == [0x17, 13]).unwrap();
    der[at + 2..at + 15].copy_from_slice(b"690101000000Z");
    let old = Certificate::from_der(&der).unwrap();
    let found = lint(&old, Profile::App, None);
    assert_eq!(found[0].code, LintCode::Unreadable);
}

#[test]
fn serial_numbers() {
    let leaf = Hierarchy::new().leaf(Profile::App, &Key::p256());
    let judge = |serial: &[u8]| {
        // Behind the version: tag, length and 16 octets of the serial number.
        let integer = [&[2, u8::try_from(serial.len()).unwrap()], serial].concat();
        let parsed = rebuilt(&leaf, |tbs| [&tbs[..5], &integer, &tbs[5 + 18..]].concat());
        findings(&leaf, &parsed, Lint::serial)
    };
    assert_eq!(judge(&[0x11; 16]), []);
    assert_eq!(judge(&[0x91; 16]), [LintCode::SerialNotPositive]);
    assert_eq!(judge(&[0]), [LintCode::SerialNotPositive]);
    assert_eq!(judge(&[0x11; 8]), [LintCode::SerialTooShort]);
    assert_eq!(judge(&[0x11; 21]), [LintCode::SerialTooLong]);
}

#[test]
fn validity() {
    assert_eq!(
        codes(Profile::App, |s| s.not_after =
            s.not_before.plus_secs(399 * DAY)),
        [LintCode::ValidityTooLong]
    );
    assert_eq!(
        codes(Profile::App, |s| s.not_after =
            s.not_before.plus_secs(398 * DAY)),
        []
    );
    assert_eq!(
        codes(Profile::TlsServer, |s| s.not_after =
            s.not_before.plus_secs(201 * DAY)),
        [LintCode::ValidityTooLong]
    );
    assert_eq!(
        codes(Profile::OcspSigner, |s| s.not_after =
            s.not_before.plus_secs(32 * DAY)),
        [LintCode::ValidityTooLong]
    );
    let beyond = codes(Profile::App, |s| {
        s.not_before = NOW.plus_secs(1800 * DAY);
        s.not_after = NOW.plus_secs(1826 * DAY);
    });
    assert_eq!(beyond, [LintCode::OutlivesIssuer]);

    let hierarchy = Hierarchy::new();
    let parsed = x509_cert::Certificate::from_der(hierarchy.root.der()).unwrap();
    // notAfter becomes notBefore: two UTCTimes stand one behind the other.
    let mut turned = hierarchy.leaf(Profile::App, &Key::p256()).der().to_vec();
    let at = turned.windows(2).position(|w| w == [0x17, 13]).unwrap();
    turned[at..at + 30].rotate_left(15);
    let turned = Certificate::from_der(&turned).unwrap();
    assert_eq!(
        findings(&turned, &parsed, Lint::validity),
        [LintCode::ValidityOrder]
    );
}

#[test]
fn issuer_and_subject() {
    let hierarchy = Hierarchy::new();
    let leaf = hierarchy.leaf(Profile::App, &Key::p256());
    let found: Vec<_> = lint(&leaf, Profile::App, Some(&hierarchy.root))
        .into_iter()
        .map(|f| f.code)
        .collect();
    assert_eq!(found, [LintCode::IssuerName, LintCode::AuthorityKeyId]);

    let key = Key::p256();
    let (subject, spki) = (Subject::named("Test issuing CA"), key.spki());
    let spec = spec(
        Profile::App,
        &subject,
        &spki,
        Some((&hierarchy.issuing, &hierarchy.issuing_key)),
    );
    let same_name = issue(&spec, &hierarchy.issuing_key);
    let found: Vec<_> = lint(&same_name, Profile::App, Some(&hierarchy.issuing))
        .into_iter()
        .map(|f| f.code)
        .collect();
    assert_eq!(found, [LintCode::SelfIssued]);
}

#[test]
fn an_empty_subject() {
    let leaf = Hierarchy::new().leaf(Profile::App, &Key::p256());
    let parsed = x509_cert::Certificate::from_der(leaf.der()).unwrap();
    let subject = parsed.tbs_certificate().subject().to_der().unwrap();
    let parsed = rebuilt(&leaf, |tbs| {
        let at = tbs
            .windows(subject.len())
            .rposition(|w| w == subject)
            .unwrap();
        [&tbs[..at], &[0x30, 0], &tbs[at + subject.len()..]].concat()
    });
    let found = findings(&leaf, &parsed, Lint::subject_and_issuer);
    assert!(found.contains(&LintCode::SubjectEmpty), "{found:?}");
}

#[test]
fn keys() {
    // A data holder with an EC key, made as an app.
    assert_eq!(
        codes_as(Profile::App, Profile::DataHolder, |s| s.names.uris =
            vec!["https://dh.example/fhir".to_owned()]),
        [LintCode::KeyKind]
    );
    // RSA with 8192 bits: verified, but not certified here.
    let modulus = [&[0x02, 0x82, 4, 1, 0][..], &[0xc3; 1024]].concat();
    let key = [&[0, 0x30, 0x82, 4, 10][..], &modulus, &[2, 3, 1, 0, 1]].concat();
    let rsa_encryption = [
        0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0,
    ];
    let large = [
        &[0x30, 0x82, 4, 34][..],
        &rsa_encryption,
        &[3, 0x82, 4, 15],
        &key,
    ]
    .concat();
    let large: &'static [u8] = Box::leak(large.into_boxed_slice());
    assert_eq!(codes(Profile::App, |s| s.spki_der = large), [LintCode::Key]);
    // An algorithm that is verified, but not certified here.
    let ed25519 = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ][..],
        &[
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64,
            0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68,
            0xf7, 0x07, 0x51, 0x1a,
        ],
    ]
    .concat();
    let ed25519: &'static [u8] = Box::leak(ed25519.into_boxed_slice());
    assert_eq!(
        codes(Profile::App, |s| s.spki_der = ed25519),
        [LintCode::Key]
    );
}

#[test]
fn algorithms() {
    let hierarchy = Hierarchy::new();
    let leaf = hierarchy.leaf(Profile::App, &Key::p256());
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let mut outside = leaf.der().to_vec();
    let at = outside.windows(8).rposition(|w| w == oid).unwrap();
    outside[at + 7] = 0x03;
    let judge = |der: &[u8]| {
        let parsed = x509_cert::Certificate::from_der(der).unwrap();
        findings(&leaf, &parsed, Lint::shape)
    };
    assert_eq!(judge(&outside), [LintCode::AlgorithmMismatch]);
    // ecdsa-with-SHA512 in both places.
    let mut both = leaf.der().to_vec();
    for at in [both.windows(8).position(|w| w == oid).unwrap(), at] {
        both[at + 7] = 0x04;
    }
    assert_eq!(judge(&both), [LintCode::Algorithm]);
    // Version 1 says so by 0 in the explicit tag.
    let mut version = leaf.der().to_vec();
    let at = version
        .windows(5)
        .position(|w| w == [0xa0, 3, 2, 1, 2])
        .unwrap();
    version[at + 4] = 1;
    assert_eq!(judge(&version), [LintCode::Version]);
}

#[test]
fn extensions_twice_or_critical() {
    assert_eq!(
        with_extension(
            Profile::App,
            ext(ObjectIdentifier::new_unwrap("1.2.3.4"), true, &[5, 0])
        ),
        [LintCode::ExtensionCritical]
    );
    assert_eq!(
        with_extension(
            Profile::App,
            ext(ObjectIdentifier::new_unwrap("1.2.3.4"), false, &[5, 0])
        ),
        []
    );
    let hierarchy = Hierarchy::new();
    let leaf = hierarchy.leaf(Profile::App, &Key::p256());
    // basicConstraints renamed to subjectKeyIdentifier, which is there already.
    let mut twice = leaf.der().to_vec();
    let at = twice
        .windows(5)
        .position(|w| w == [6, 3, 0x55, 0x1d, 0x13])
        .unwrap();
    twice[at + 4] = 0x0e;
    let parsed = x509_cert::Certificate::from_der(&twice).unwrap();
    assert!(findings(&leaf, &parsed, Lint::extensions).contains(&LintCode::ExtensionTwice));
}

#[test]
fn basic_constraints() {
    let hierarchy = Hierarchy::new();
    let judge = |profile, extension: Extension| {
        let key = Key::p256();
        let (subject, spki) = (Subject::named("Test CA"), key.spki());
        let mut spec = spec(
            profile,
            &subject,
            &spki,
            Some((&hierarchy.root, &hierarchy.root_key)),
        );
        let extensions = [extension];
        spec.extensions = &extensions;
        let made = issue(&spec, &hierarchy.root_key);
        lint(&made, profile, Some(&hierarchy.root))
            .into_iter()
            .map(|f| f.code)
            .collect::<Vec<_>>()
    };
    let oid = rfc5280::ID_CE_BASIC_CONSTRAINTS;
    let (end_entity, ca, ca_0): (&[u8], &[u8], &[u8]) = (
        &[0x30, 0],
        &[0x30, 3, 1, 1, 0xff],
        &[0x30, 6, 1, 1, 0xff, 2, 1, 0],
    );
    assert_eq!(judge(Profile::IssuingCa, ext(oid, true, ca_0)), []);
    assert_eq!(
        judge(Profile::IssuingCa, ext(oid, false, ca_0)),
        [LintCode::CriticalMissing]
    );
    assert_eq!(
        judge(Profile::IssuingCa, ext(oid, true, ca)),
        [LintCode::PathLength]
    );
    assert!(
        judge(Profile::IssuingCa, ext(oid, true, end_entity)).contains(&LintCode::BasicConstraints)
    );
    assert!(with_extension(Profile::App, ext(oid, true, ca)).contains(&LintCode::BasicConstraints));
}

#[test]
fn key_usage() {
    let oid = rfc5280::ID_CE_KEY_USAGE;
    assert_eq!(
        with_extension(Profile::App, ext(oid, true, &[3, 2, 7, 0x80])),
        []
    );
    assert_eq!(
        with_extension(Profile::App, ext(oid, false, &[3, 2, 7, 0x80])),
        [LintCode::CriticalMissing]
    );
    // keyEncipherment beside digitalSignature.
    assert_eq!(
        with_extension(Profile::App, ext(oid, true, &[3, 2, 5, 0xa0])),
        [LintCode::KeyUsage]
    );
    assert_eq!(
        with_extension(Profile::App, ext(oid, true, &[3, 2, 5, 0x20])),
        [LintCode::KeyUsage]
    );
}

#[test]
fn extended_key_usage() {
    let oid = rfc5280::ID_CE_EXT_KEY_USAGE;
    let client_auth = &[0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 2];
    assert_eq!(
        with_extension(Profile::App, ext(oid, false, client_auth)),
        [LintCode::ExtendedKeyUsage]
    );
    assert_eq!(
        with_extension(Profile::TlsServer, ext(oid, false, client_auth)),
        [LintCode::ExtendedKeyUsage]
    );
    assert_eq!(
        with_extension(Profile::OcspSigner, ext(oid, false, client_auth)),
        [LintCode::ExtendedKeyUsage]
    );
    let without = codes_as(Profile::TlsServer, Profile::OcspSigner, |s| {
        s.names = Names::default()
    });
    assert!(without.contains(&LintCode::OcspNocheck), "{without:?}");
}

#[test]
fn key_identifiers() {
    let aki = |value: &[u8]| {
        with_extension(
            Profile::App,
            ext(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, value),
        )
    };
    assert_eq!(aki(&[0x30, 4, 0x80, 2, 1, 2]), [LintCode::AuthorityKeyId]);
    assert_eq!(aki(&[0x30, 0]), [LintCode::AuthorityKeyId]);
    let ski = |value: &[u8]| {
        with_extension(
            Profile::App,
            ext(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, value),
        )
    };
    assert_eq!(ski(&[4, 0]), [LintCode::SubjectKeyId]);
}

#[test]
fn names() {
    assert_eq!(
        codes(Profile::App, |s| s.names.uris.clear()),
        [LintCode::UriName]
    );
    assert_eq!(
        codes(Profile::App, |s| s.names.dns =
            vec!["app.example".to_owned()]),
        [LintCode::NameKind]
    );
    assert_eq!(
        codes(Profile::App, |s| s.names.ips = vec![[127, 0, 0, 1].into()]),
        [LintCode::NameKind]
    );
    assert_eq!(
        codes(Profile::TlsServer, |s| s.names.dns.clear()),
        [LintCode::DnsName]
    );
    assert_eq!(
        codes(Profile::TlsServer, |s| s.names.uris =
            vec!["https://a.example".to_owned()]),
        [LintCode::NameKind]
    );
    assert_eq!(
        codes(Profile::OcspSigner, |s| s.names.dns =
            vec!["a.example".to_owned()]),
        [LintCode::NameKind]
    );
    assert_eq!(
        codes(Profile::DataHolder, |s| s.names.uris =
            vec!["http://a.example/fhir".to_owned()]),
        [LintCode::UriScheme]
    );
    assert_eq!(
        codes(Profile::App, |s| s.names.uris =
            vec!["urn:example:app".to_owned()]),
        []
    );
    let twice = codes(Profile::App, |s| {
        s.names.uris = vec!["https://a.example".to_owned(); 2]
    });
    assert_eq!(twice, [LintCode::NameTwice, LintCode::NameTwice]);
}

#[test]
fn publications() {
    assert_eq!(
        codes(Profile::App, |s| s.urls.crl.clear()),
        [LintCode::CrlUrl]
    );
    assert_eq!(
        codes(Profile::App, |s| s.urls.ca_issuers.clear()),
        [LintCode::CaIssuersUrl]
    );
    assert_eq!(
        codes(Profile::App, |s| s.urls.crl =
            vec!["https://ca.example/crl".to_owned()]),
        [LintCode::UrlScheme]
    );
    let key = Key::p256();
    let (subject, spki) = (Subject::named("Test root"), key.spki());
    let mut spec = spec(Profile::Root, &subject, &spki, None);
    spec.issuer = Issuer::SelfSigned;
    spec.urls.crl = vec!["http://ca.example/crl/root.crl".to_owned()];
    let root = Certificate::from_der(&key.sign(&certificate(&spec).unwrap())).unwrap();
    let found: Vec<_> = lint(&root, Profile::Root, None)
        .into_iter()
        .map(|f| f.code)
        .collect();
    assert_eq!(found, [LintCode::RootUrls]);
}

#[test]
fn every_code_is_explained_and_named_once() {
    let mut codes: Vec<_> = LintCode::ALL.iter().map(|code| code.as_str()).collect();
    for code in &codes {
        assert_eq!(
            CATALOGUE
                .iter()
                .filter(|explanation| explanation.code == *code)
                .count(),
            1,
            "{code}"
        );
    }
    assert_eq!(CATALOGUE.len(), codes.len());
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), LintCode::ALL.len());
}
