//! Algorithms, keys, encodings, names that are asked for, needs and limits.

use super::*;

#[test]
fn algorithms_are_refused_by_name() {
    let null = tlv(5, &[]);
    for (algorithm, expected) in [
        (seq(&[&oid("1.2.840.113549.1.1.5"), &null]), "sha1-refused"),
        (seq(&[&oid("1.2.840.10045.4.1")]), "sha1-refused"),
        (seq(&[&oid("1.2.840.113549.1.1.4"), &null]), "md5-refused"),
        (seq(&[&oid("1.2.840.10040.4.3")]), "dsa-refused"),
        (seq(&[&oid("2.16.840.1.101.3.4.3.2")]), "dsa-refused"),
        (
            seq(&[&oid("1.2.840.113549.1.1.10"), &seq(&[])]),
            "pss-parameters-refused",
        ),
        (
            seq(&[&oid("1.2.840.113549.1.1.10")]),
            "pss-parameters-refused",
        ),
        (
            seq(&[&oid("1.2.840.113549.1.1.14"), &null]),
            "algorithm-refused",
        ),
        (
            seq(&[&oid("1.2.840.10045.4.3.2"), &null]),
            "algorithm-refused",
        ),
        (seq(&[&oid("1.2.3.4")]), "algorithm-refused"),
        (
            seq(&[&oid("1.2.840.113549.1.1.11"), &null]),
            "algorithm-key-mismatch",
        ),
        (seq(&[&oid("1.3.101.112")]), "algorithm-key-mismatch"),
        (ecdsa_sha256(), "accepted"),
    ] {
        for which in 0..2 {
            let verdict = changed(which, |mut spec| {
                spec.algorithm.clone_from(&algorithm);
                spec
            });
            assert_eq!(verdict, expected, "{algorithm:02x?}");
        }
    }
}

#[test]
fn pss_parameters_are_strict() {
    let hash = |id: &str| seq(&[&oid(id), &tlv(5, &[])]);
    let (sha256, sha384, sha1) = (
        "2.16.840.1.101.3.4.2.1",
        "2.16.840.1.101.3.4.2.2",
        "1.3.14.3.2.26",
    );
    let parameters = |of: &str, mask: &str, salt: u64, trailer: Option<u64>| {
        let mgf = seq(&[&oid("1.2.840.113549.1.1.8"), &hash(mask)]);
        let trailer = trailer
            .map(|number| tlv(0xa3, &[&int(number)]))
            .unwrap_or_default();
        let inside = seq(&[
            &tlv(0xa0, &[&hash(of)]),
            &tlv(0xa1, &[&mgf]),
            &tlv(0xa2, &[&int(salt)]),
            &trailer,
        ]);
        udap_pki::Scheme::from_algorithm_identifier(&seq(&[&oid("1.2.840.113549.1.1.10"), &inside]))
    };
    assert_eq!(
        parameters(sha256, sha256, 32, None),
        Ok(udap_pki::Scheme::RsaPssSha256)
    );
    assert_eq!(
        parameters(sha384, sha384, 48, Some(1)),
        Ok(udap_pki::Scheme::RsaPssSha384)
    );
    for refused in [
        parameters(sha256, sha384, 32, None),
        parameters(sha256, sha256, 20, None),
        parameters(sha256, sha256, 32, Some(2)),
        parameters(sha1, sha1, 20, None),
        parameters(sha256, sha1, 32, None),
    ] {
        assert_eq!(refused.unwrap_err().code(), "pss-parameters-refused");
    }
}

#[test]
fn keys_are_refused_by_name() {
    let rsa = |bits: usize| {
        let mut modulus = vec![0xff; bits / 8];
        modulus.insert(0, 0);
        let key = seq(&[&tlv(2, &[&modulus]), &int(65_537)]);
        seq(&[
            &seq(&[&oid("1.2.840.113549.1.1.1"), &tlv(5, &[])]),
            &tlv(3, &[&[0], &key]),
        ])
    };
    let ec = |curve: &[u8], point: &[u8]| {
        seq(&[
            &seq(&[&oid("1.2.840.10045.2.1"), curve]),
            &tlv(3, &[&[0], point]),
        ])
    };
    let k256 = oid("1.3.132.0.10");
    let p256 = oid("1.2.840.10045.3.1.7");
    for (spki, expected) in [
        (rsa(1024), "rsa-key-size"),
        (rsa(2040), "rsa-key-size"),
        (rsa(8200), "rsa-key-size"),
        (rsa(16_384), "rsa-key-size"),
        (ec(&k256, &[4; 65]), "curve-refused"),
        (ec(&seq(&[&int(1)]), &[4; 65]), "curve-refused"),
        (ec(&p256, &[4; 64]), "key-malformed"),
        (ec(&p256, &[6; 65]), "key-malformed"),
        (
            seq(&[&seq(&[&oid("1.2.840.10040.4.1")]), &tlv(3, &[&[0, 1]])]),
            "dsa-refused",
        ),
        (
            seq(&[&seq(&[&oid("1.3.101.113")]), &tlv(3, &[&[0; 58]])]),
            "key-algorithm-refused",
        ),
        (
            seq(&[&seq(&[&oid("1.3.101.112")]), &tlv(3, &[&[0; 32]])]),
            "key-malformed",
        ),
    ] {
        for which in 0..2 {
            let verdict = changed(which, |mut spec| {
                spec.spki.clone_from(&spki);
                spec
            });
            assert_eq!(verdict, expected);
        }
    }
    // A point that is not on its curve is found when the key is used.
    let verdict = changed(1, |mut spec| {
        spec.spki = ec(&p256, &[&[4_u8][..], &[7; 64]].concat());
        spec
    });
    assert_eq!(verdict, "key-malformed");
}

#[test]
fn what_makes_a_certificate_ambiguous_is_no_certificate() {
    let key = Key::new();
    let refused = |spec: &Spec| {
        let error = Certificate::from_der(&spec.der(&key)).unwrap_err();
        assert_eq!(error.code(), "certificate-malformed");
        error.to_string()
    };
    let spec = Spec::leaf("Leaf", "CA", &key);
    assert!(refused(&spec.clone().with(key_usage(&[1]))).contains("twice"));
    refused(&spec.clone().with(extension("2.5.29.17", false, &[0x30, 0])));
    refused(&spec.clone().with(extension(
        "2.5.29.19",
        false,
        &seq(&[&tlv(1, &[&[0xff]]), &tlv(2, &[&[0x80]])]),
    )));
    refused(
        &spec
            .clone()
            .without_extensions()
            .with(san(&[tlv(0x86, &[b"https://a\0b"])])),
    );
    refused(
        &spec
            .clone()
            .without_extensions()
            .with(san(&[ip(&[1, 2, 3])])),
    );
    let der = spec.der(&key);
    for bad in [
        &der[..der.len() - 1],
        &[&der[..], &[0]].concat(),
        &[],
        &[0x30, 0x80, 0, 0],
    ] {
        assert!(Certificate::from_der(bad).is_err());
    }
    // Two algorithms: the outer one is changed, from ecdsa-with-SHA256 to ecdsa-with-SHA384.
    let mut der = spec.der(&key);
    let outer = der
        .windows(10)
        .rposition(|ten| *ten == ecdsa_sha256()[2..])
        .unwrap();
    der[outer + 9] = 3;
    assert_eq!(
        Certificate::from_der(&der),
        Err(udap_pki::CertificateError::AlgorithmMismatch)
    );
}

#[test]
fn every_kind_of_name_check() {
    let names = || {
        san(&[
            uri("https://a.example.com/x#y"),
            uri("urn:uuid:0"),
            dns("a.example.com"),
            dns("*.b.example.com"),
            email("Ann@Example.com"),
            ip(&[192, 0, 2, 1]),
        ])
    };
    let check = |name| {
        changed_under(&with_name(name), 0, |spec| {
            spec.without_extensions().with(names())
        })
    };
    let of_uri = |text: &str| check(NameCheck::Uri(text.to_owned()));
    let of_dns = |text: &str| check(NameCheck::Dns(text.to_owned()));
    let of_email = |text: &str| check(NameCheck::Email(text.to_owned()));
    assert_eq!(of_uri("https://a.example.com/x#y"), "accepted");
    assert_eq!(of_uri("urn:uuid:0"), "accepted");
    assert_eq!(of_uri("https://a.example.com/x"), "san-uri-mismatch");
    assert_eq!(of_dns("A.example.com"), "accepted");
    assert_eq!(of_dns("c.b.example.com"), "accepted");
    assert_eq!(of_dns("d.c.b.example.com"), "san-dns-mismatch");
    assert_eq!(of_email("Ann@example.COM"), "accepted");
    assert_eq!(of_email("ann@example.com"), "san-email-mismatch");
    assert_eq!(check(NameCheck::Ip([192, 0, 2, 1].into())), "accepted");
    assert_eq!(
        check(NameCheck::Ip([192, 0, 2, 2].into())),
        "san-ip-mismatch"
    );
}

#[test]
fn the_common_name_is_no_name() {
    let policy = with_name(NameCheck::Dns("leaf.example.com".to_owned()));
    let verdict = changed_under(&policy, 0, |_| {
        Spec::leaf("CN=leaf.example.com", "CA", &Key::new()).without_extensions()
    });
    assert_eq!(verdict, "san-dns-mismatch");
}

#[test]
fn trust_comes_before_names() {
    // Whose chain leads nowhere hears that, and not what his certificate says of itself.
    let chain = Chain::new();
    let policy = with_name(NameCheck::Uri("https://other.example.com".to_owned()));
    let outcome = judge(
        &chain.leaf,
        &[],
        &[chain.root],
        &Evidence::default(),
        &policy,
    );
    assert_eq!(code(&outcome), "chain-not-trusted");
}

#[test]
fn an_issuer_is_asked_for_only_when_none_is_known() {
    const URL: &str = "http://ca.example.com/ca.cer";
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(authority_info(Some(URL), None)),
        _ => spec,
    });
    let need = Need::Issuer {
        url: URL.to_owned(),
    };
    let roots = [chain.root.clone()];
    let Outcome::Incomplete(incomplete) =
        judge(&chain.leaf, &[], &roots, &Evidence::default(), &off())
    else {
        panic!("an issuer is missing")
    };
    assert_eq!(incomplete.needs, [need.clone()]);
    assert_eq!(incomplete.reason.code(), "chain-not-trusted");
    // With the issuer, it is good; told that it cannot be had, it is refused.
    let mut with = Evidence::default();
    with.add_certificate(chain.ca.clone());
    assert_eq!(
        code(&judge(&chain.leaf, &[], &roots, &with, &off())),
        "accepted"
    );
    let mut without = Evidence::default();
    without.mark_unavailable(need);
    assert_eq!(
        code(&judge(&chain.leaf, &[], &roots, &without, &off())),
        "chain-not-trusted"
    );
    // Junk of the same name does not keep the question from being asked.
    let junk = Spec::ca("CA", "Root", &Key::new()).sign(&Key::new());
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[junk],
            &roots,
            &Evidence::default(),
            &off()
        )),
        "incomplete"
    );
    // What the leaf lacks, no issuer mends: nothing is asked for.
    let policy = with_name(NameCheck::Uri("https://other.example.com".to_owned()));
    assert_eq!(
        code(&judge(
            &chain.leaf,
            &[],
            &roots,
            &Evidence::default(),
            &policy
        )),
        "chain-not-trusted"
    );
    // A known issuer that leads nowhere is no reason to ask.
    let elsewhere = Spec::ca("Elsewhere", "Elsewhere", &chain.leaf_key).sign(&chain.leaf_key);
    let outcome = judge(
        &chain.leaf,
        &[chain.ca.clone(), chain.root.clone()],
        &[elsewhere],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "chain-not-trusted");
    // Offline, nothing is ever asked for.
    let anchors = [Anchor::new(chain.root.clone())];
    let none = Evidence::default();
    let request = Request {
        leaf: &chain.leaf,
        intermediates: &[],
        anchors: &anchors,
        evidence: &none,
        now: NOW,
        policy: &off(),
    };
    assert_eq!(code(&verify_offline(&request)), "chain-not-trusted");
    assert_eq!(code(&verify(&request)), "incomplete");
}

#[test]
fn key_identifiers_are_hints_only() {
    // Wrong ones everywhere: the path is found all the same.
    let chain = Chain::with(|at, spec| {
        spec.with(key_id(&[at; 20]))
            .with(authority_key_id(&[0xee; 20]))
    });
    let decoy = Spec::ca("CA", "Root", &Key::new())
        .with(key_id(&[0xee; 20]))
        .sign(&Key::new());
    let outcome = judge(
        &chain.leaf,
        &[decoy, chain.ca],
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "accepted");
}

#[test]
fn the_reason_is_that_of_the_path_that_came_furthest() {
    // One path fails at an expired cross-certificate, another leads to an unknown root.
    let chain = Chain::with(|at, spec| if at == 1 { spec.valid(-20, -1) } else { spec });
    let stray = Spec::ca("CA", "Unknown root", &chain.ca_key).sign(&Key::new());
    let outcome = judge(
        &chain.leaf,
        &[stray, chain.ca],
        &[chain.root],
        &Evidence::default(),
        &off(),
    );
    assert_eq!(code(&outcome), "certificate-expired");
    let steps = outcome.trace().steps();
    let titles: Vec<&str> = steps.iter().map(|step| step.title.as_str()).collect();
    assert!(
        titles
            .iter()
            .any(|title| title.starts_with("an issuer of CN=CA")),
        "{titles:?}"
    );
    assert!(
        titles.contains(&"a path that reaches an anchor"),
        "{titles:?}"
    );
}

#[test]
fn limits_say_their_names() {
    for limit in [
        WorkLimit::Signatures,
        WorkLimit::Steps,
        WorkLimit::Paths,
        WorkLimit::NameConstraints,
    ] {
        let reason = Reason::WorkLimit(limit);
        assert_eq!(reason.code(), "work-limit");
        assert!(reason.to_string().contains("more than"));
    }
}

#[test]
fn the_grace_is_a_day_at_most() {
    let crl = |chain: &Chain| {
        evidence([
            crate::forge::CrlSpec::new("Root", 1).sign(&chain.root_key),
            crate::forge::CrlSpec::new("CA", 1)
                .dates(-9, -2)
                .sign(&chain.ca_key),
        ])
    };
    let chain = Chain::new();
    let policy = Policy {
        grace_secs: i64::MAX,
        ..Policy::default()
    };
    assert_eq!(
        code(&chain.judge(&policy, &crl(&chain))),
        "revocation-unavailable"
    );
    assert_eq!(UnixTime(i64::MAX).plus_secs(i64::MAX), UnixTime(i64::MAX));
}

#[test]
fn bundles_are_read() {
    let chain = Chain::new();
    let bundle = |certificates: &[&[u8]]| {
        let list = tlv(0xa0, &[&certificates.concat()]);
        let signed = seq(&[
            &int(1),
            &tlv(0x31, &[]),
            &seq(&[&oid("1.2.840.113549.1.7.1")]),
            &list,
            &tlv(0x31, &[]),
        ]);
        seq(&[&oid("1.2.840.113549.1.7.2"), &tlv(0xa0, &[&signed])])
    };
    let both = bundle(&[chain.ca.der(), chain.root.der()]);
    let expected = vec![chain.ca.clone(), chain.root.clone()];
    assert_eq!(udap_pki::pem::certificates(&both), Ok(expected.clone()));
    let pem = udap_pki::pem::encode("PKCS7", &both);
    assert_eq!(udap_pki::pem::certificates(pem.as_bytes()), Ok(expected));
    assert_eq!(
        udap_pki::pem::certificates(chain.ca.der()),
        Ok(vec![chain.ca.clone()])
    );
    assert_eq!(
        udap_pki::pem::certificates(&bundle(&[]))
            .unwrap_err()
            .code(),
        "pem-malformed"
    );
    let broken = bundle(&[chain.ca.der(), &seq(&[])]);
    assert_eq!(
        udap_pki::pem::certificates(&broken).unwrap_err().code(),
        "certificate-malformed"
    );
}
