//! OCSP: the issuer itself and its delegates, freshness, nonces, and what is no response.

use super::*;
use udap_pki::ocsp::{CertStatus, SingleResponse};

fn with_responses(
    chain: &Chain,
    responses: impl IntoIterator<Item = Arc<OcspResponse>>,
) -> Evidence {
    let [root_crl, _] = chain.crls();
    let mut evidence = evidence([root_crl]);
    responses
        .into_iter()
        .for_each(|response| evidence.add_ocsp(response));
    evidence
}

fn judge_ocsp(chain: &Chain, response: Arc<OcspResponse>) -> Outcome {
    chain.judge(&require(), &with_responses(chain, [response]))
}

#[test]
fn ocsp_by_the_issuer_itself() {
    let chain = Chain::new();
    for spec in [OcspSpec::by_name("CA"), OcspSpec::by_key(&chain.ca_key)] {
        let says = |says| {
            spec.clone()
                .says(&chain.leaf, &chain.ca, says)
                .sign(&chain.ca_key)
        };
        let Outcome::Valid(valid) = judge_ocsp(&chain, says(Says::Good)) else {
            panic!("refused")
        };
        assert!(valid.revocation_checked());
        assert_eq!(valid.expires(), NOW.plus_secs(DAY));
        assert_eq!(
            code(&judge_ocsp(&chain, says(Says::Revoked(1)))),
            "certificate-revoked"
        );
        assert_eq!(
            gap(&judge_ocsp(&chain, says(Says::Unknown))),
            RevocationGap::OcspUnknown
        );
        let forged = spec
            .clone()
            .says(&chain.leaf, &chain.ca, Says::Good)
            .sign(&chain.leaf_key);
        let source_kind = RevocationSource::Ocsp;
        assert_eq!(
            gap(&judge_ocsp(&chain, forged)),
            RevocationGap::SignatureInvalid { source_kind }
        );
    }
    // Signed by the issuer, in the name of somebody else.
    let odd = OcspSpec::by_name("Somebody")
        .says(&chain.leaf, &chain.ca, Says::Good)
        .sign(&chain.ca_key);
    assert_eq!(code(&judge_ocsp(&chain, odd)), "revocation-unavailable");
}

#[test]
fn an_ocsp_response_about_others_says_nothing() {
    let chain = Chain::new();
    let other = Chain::new();
    let about = |leaf, issuer| {
        OcspSpec::by_name("CA")
            .says(leaf, issuer, Says::Revoked(1))
            .sign(&chain.ca_key)
    };
    assert_eq!(
        code(&judge_ocsp(&chain, about(&other.leaf, &chain.ca))),
        "revocation-unavailable"
    );
    assert_eq!(
        code(&judge_ocsp(&chain, about(&chain.leaf, &other.ca))),
        "revocation-unavailable"
    );
    let both = OcspSpec::by_name("CA")
        .says(&other.leaf, &chain.ca, Says::Revoked(1))
        .says(&chain.leaf, &chain.ca, Says::Good)
        .sign(&chain.ca_key);
    assert_eq!(code(&judge_ocsp(&chain, both)), "accepted");
}

#[test]
fn ocsp_freshness() {
    let chain = Chain::new();
    let at = |from: i64, to: Option<i64>, says| {
        let to = to.map(|secs| NOW.plus_secs(secs));
        let spec =
            OcspSpec::by_name("CA").says_at(&chain.leaf, &chain.ca, says, NOW.plus_secs(from), to);
        judge_ocsp(&chain, spec.sign(&chain.ca_key))
    };
    let source_kind = RevocationSource::Ocsp;
    assert_eq!(code(&at(-600, Some(0), Says::Good)), "accepted");
    let stale = RevocationGap::Stale {
        source_kind,
        next_update: NOW.plus_secs(-1),
    };
    assert_eq!(gap(&at(-600, Some(-1), Says::Good)), stale);
    let early = RevocationGap::NotYetValid {
        source_kind,
        this_update: NOW.plus_secs(31),
    };
    assert_eq!(gap(&at(31, Some(600), Says::Good)), early);
    // Without nextUpdate it is believed for five minutes.
    assert_eq!(code(&at(-300, None, Says::Good)), "accepted");
    assert_eq!(code(&at(-301, None, Says::Good)), "revocation-unavailable");
    // Revoked is for good, save a hold.
    assert_eq!(
        code(&at(-600, Some(-1), Says::Revoked(1))),
        "certificate-revoked"
    );
    assert_eq!(
        code(&at(-600, Some(-1), Says::Revoked(6))),
        "revocation-unavailable"
    );
    assert_eq!(
        code(&at(-600, Some(600), Says::Revoked(6))),
        "certificate-revoked"
    );
}

#[test]
fn genuine_is_what_the_issuer_or_its_delegate_signed() {
    let chain = Chain::new();
    let key = Key::new();
    let about = |response: &OcspResponse| {
        let single = response.genuine(&chain.leaf, &chain.ca, NOW);
        single.map(SingleResponse::status)
    };
    let says = |by: &str| OcspSpec::by_name(by).says(&chain.leaf, &chain.ca, Says::Good);
    assert_eq!(
        about(&says("CA").sign(&chain.ca_key)),
        Some(CertStatus::Good)
    );
    assert_eq!(about(&says("CA").sign(&key)), None);
    assert_eq!(about(&says("Root").sign(&chain.root_key)), None);
    let other = Chain::new();
    let elsewhere = OcspSpec::by_name("CA").says(&other.leaf, &chain.ca, Says::Good);
    assert_eq!(about(&elsewhere.sign(&chain.ca_key)), None);
    let delegate = || {
        Spec::new("Responder", "CA", &key)
            .with(key_usage(&[0]))
            .with(extended_key_usage(&[OCSP_SIGNING]))
    };
    let by = |delegate: &Certificate, signer: &Key| {
        about(&says("Responder").with_certificate(delegate).sign(signer))
    };
    let certified = delegate().sign(&chain.ca_key);
    assert_eq!(by(&certified, &key), Some(CertStatus::Good));
    assert_eq!(by(&certified, &Key::new()), None);
    assert_eq!(by(&delegate().sign(&chain.root_key), &key), None);
    assert_eq!(
        by(&delegate().valid(-9, -1).sign(&chain.ca_key), &key),
        None
    );
    let member = Spec::leaf("Responder", "CA", &key).sign(&chain.ca_key);
    assert_eq!(by(&member, &key), None);
}

#[test]
fn delegated_responders() {
    let chain = Chain::new();
    let key = Key::new();
    let delegate = || {
        Spec::new("Responder", "CA", &key)
            .with(key_usage(&[0]))
            .with(extended_key_usage(&[OCSP_SIGNING]))
    };
    let verdict = |delegate: &Certificate, signer: &Key| {
        let spec = OcspSpec::by_name("Responder").says(&chain.leaf, &chain.ca, Says::Good);
        judge_ocsp(&chain, spec.with_certificate(delegate).sign(signer))
    };
    let refused = |spec: Spec, signer: &Key| match gap(&verdict(&spec.sign(signer), &key)) {
        RevocationGap::SignerNotTrusted {
            code,
            source_kind: RevocationSource::Ocsp,
            ..
        } => code,
        RevocationGap::SignatureInvalid { .. } => "not a delegate",
        other => panic!("{other}"),
    };
    assert_eq!(
        code(&verdict(
            &delegate().with(ocsp_no_check()).sign(&chain.ca_key),
            &key
        )),
        "accepted"
    );
    // Without ocsp-nocheck and with nothing to check by, the CA's decision stands.
    assert_eq!(
        code(&verdict(&delegate().sign(&chain.ca_key), &key)),
        "accepted"
    );
    // Who is not certified by the issuer itself, for this purpose, is no delegate.
    assert_eq!(refused(delegate(), &chain.root_key), "not a delegate");
    assert_eq!(refused(delegate(), &Key::new()), "not a delegate");
    let no_purpose = Spec::new("Responder", "CA", &key).with(key_usage(&[0]));
    assert_eq!(
        refused(no_purpose.clone(), &chain.ca_key),
        "extended-key-usage"
    );
    let any = no_purpose.with(extended_key_usage(&["2.5.29.37.0"]));
    assert_eq!(refused(any, &chain.ca_key), "extended-key-usage");
    assert_eq!(
        refused(delegate().valid(-9, -1), &chain.ca_key),
        "certificate-expired"
    );
    let wrong_usage = Spec::new("Responder", "CA", &key)
        .with(key_usage(&[2]))
        .with(extended_key_usage(&[OCSP_SIGNING]));
    assert_eq!(refused(wrong_usage, &chain.ca_key), "key-usage");
    assert_eq!(
        refused(
            delegate().with(extension("1.2.3.4", true, &[5, 0])),
            &chain.ca_key
        ),
        "unknown-critical-extension"
    );
    let genuine = delegate().sign(&chain.ca_key);
    assert_eq!(
        code(&verdict(&genuine, &chain.leaf_key)),
        "revocation-unavailable"
    );
}

#[test]
fn a_delegate_can_be_revoked_unless_its_ca_says_it_need_not_be_checked() {
    let chain = Chain::new();
    let [root_crl, _] = chain.crls();
    let key = Key::new();
    let spec = Spec::new("Responder", "CA", &key)
        .with(key_usage(&[0]))
        .with(extended_key_usage(&[OCSP_SIGNING]));
    let verdict = |delegate: &Certificate, crl: Option<Arc<Crl>>| {
        let response = OcspSpec::by_key(&key)
            .says(&chain.leaf, &chain.ca, Says::Good)
            .with_certificate(delegate);
        let mut evidence = evidence(crl.into_iter().chain([root_crl.clone()]));
        evidence.add_ocsp(response.sign(&key));
        chain.judge(&require(), &evidence)
    };
    let revoking = |delegate: &Certificate| {
        let list = CrlSpec::new("CA", 1)
            .with(issuing_point(&[], &[], Some(&[1])))
            .revoke(Chain::serial(delegate));
        Some(list.sign(&chain.ca_key))
    };
    let plain = spec.clone().sign(&chain.ca_key);
    assert_eq!(code(&verdict(&plain, None)), "accepted");
    assert_eq!(
        code(&verdict(&plain, revoking(&plain))),
        "revocation-unavailable"
    );
    let unchecked = spec.clone().with(ocsp_no_check()).sign(&chain.ca_key);
    assert_eq!(code(&verdict(&unchecked, revoking(&unchecked))), "accepted");
    // One that names a CRL is checked by it.
    let named = spec.with(crl_url(URL)).sign(&chain.ca_key);
    let Outcome::Incomplete(incomplete) = verdict(&named, None) else {
        panic!("the delegate's CRL is missing")
    };
    assert_eq!(
        incomplete.needs,
        [Need::Crl {
            url: URL.to_owned()
        }]
    );
    assert_eq!(
        code(&verdict(
            &named,
            Some(CrlSpec::new("CA", 1).sign(&chain.ca_key))
        )),
        "accepted"
    );
}

#[test]
fn what_one_source_revokes_no_other_redeems() {
    let chain = Chain::new();
    let serial = Chain::serial(&chain.leaf);
    let [root_crl, clean] = chain.crls();
    let revoking = CrlSpec::new("CA", 1).revoke(serial).sign(&chain.ca_key);
    let says = |says| {
        OcspSpec::by_name("CA")
            .says(&chain.leaf, &chain.ca, says)
            .sign(&chain.ca_key)
    };
    let mut one = evidence([root_crl.clone(), revoking]);
    one.add_ocsp(says(Says::Good));
    assert_eq!(code(&chain.judge(&require(), &one)), "certificate-revoked");
    let mut other = evidence([root_crl.clone(), clean.clone()]);
    other.add_ocsp(says(Says::Revoked(0)));
    assert_eq!(
        code(&chain.judge(&require(), &other)),
        "certificate-revoked"
    );
    let mut unknown = evidence([root_crl, clean]);
    unknown.add_ocsp(says(Says::Unknown));
    assert_eq!(code(&chain.judge(&require(), &unknown)), "accepted");
}

#[test]
fn ocsp_critical_extensions_algorithms_and_nonces() {
    let chain = Chain::new();
    let good = || OcspSpec::by_name("CA").says(&chain.leaf, &chain.ca, Says::Good);
    let odd = good()
        .with(extension("1.2.3.4", true, &[5, 0]))
        .sign(&chain.ca_key);
    let useless = RevocationGap::UnknownCriticalExtension {
        source_kind: RevocationSource::Ocsp,
        oid: "1.2.3.4".to_owned(),
    };
    assert_eq!(gap(&judge_ocsp(&chain, odd)), useless);
    let mut sha1 = good();
    sha1.algorithm = seq(&[&oid("1.2.840.10045.4.1")]);
    assert_eq!(
        code(&judge_ocsp(&chain, sha1.sign(&chain.ca_key))),
        "revocation-unavailable"
    );

    let with_nonce = good()
        .with(extension(
            "1.3.6.1.5.5.7.48.1.2",
            false,
            &tlv(4, &[&[7; 32]]),
        ))
        .sign(&chain.ca_key);
    assert_eq!(with_nonce.nonce(), Some(&[7; 32][..]));
    assert_eq!(with_nonce.check_nonce(&[7; 32]), Ok(()));
    assert_eq!(
        with_nonce.check_nonce(&[8; 32]).unwrap_err().code(),
        "ocsp-nonce"
    );
    assert_eq!(
        good()
            .sign(&chain.ca_key)
            .check_nonce(&[7; 32])
            .unwrap_err()
            .code(),
        "ocsp-nonce"
    );
    assert_eq!(code(&judge_ocsp(&chain, with_nonce)), "accepted");
}

#[test]
fn a_nonce_goes_into_the_request_when_its_length_fits() {
    let chain = Chain::new();
    let plain = ocsp::request(&chain.leaf, &chain.ca, None);
    for (len, goes_in) in [(0, false), (1, true), (32, true), (128, true), (129, false)] {
        let request = ocsp::request(&chain.leaf, &chain.ca, Some(&vec![9; len]));
        assert_eq!(request != plain, goes_in, "{len}");
    }
}

#[test]
fn responses_that_are_none() {
    let no_answer =
        |status: u8| OcspResponse::from_der(&seq(&[&tlv(0x0a, &[&[status]])])).unwrap_err();
    for (status, word) in [
        (1, "malformedRequest"),
        (2, "internalError"),
        (3, "tryLater"),
        (5, "sigRequired"),
        (6, "unauthorized"),
    ] {
        assert_eq!(no_answer(status), udap_pki::OcspError::NoAnswer(word));
        assert_eq!(no_answer(status).code(), "ocsp-no-answer");
    }
    assert_eq!(no_answer(4).code(), "ocsp-malformed");
    let chain = Chain::new();
    let der = OcspSpec::by_name("CA")
        .says(&chain.leaf, &chain.ca, Says::Good)
        .der(&chain.ca_key);
    for cut in 0..der.len() {
        assert!(OcspResponse::from_der(&der[..cut]).is_err());
    }
}

#[test]
fn no_revocation_available() {
    let no_revocation = || extension("2.5.29.56", false, &[5, 0]);
    let chain = Chain::with(|at, spec| {
        if at == 0 {
            spec.with(no_revocation())
        } else {
            spec
        }
    });
    let [root_crl, _] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl.clone()]))),
        "accepted"
    );
    // A CA cannot have it (RFC 9608 §4), nor does it count beside a source that is named.
    let chain = Chain::with(|at, spec| {
        if at == 1 {
            spec.with(no_revocation())
        } else {
            spec
        }
    });
    let [_, ca_crl] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([ca_crl]))),
        "revocation-unavailable"
    );
    let chain = Chain::with(|at, spec| match at {
        0 => spec.with(no_revocation()).with(crl_url(URL)),
        _ => spec,
    });
    let [root_crl, _] = chain.crls();
    assert_eq!(
        code(&chain.judge(&require(), &evidence([root_crl]))),
        "incomplete"
    );
}

#[test]
fn a_relative_distribution_point() {
    // The list's name is the issuer's name and one more RDN (§4.2.1.13 nameRelativeToCRLIssuer).
    let rdn = seq(&[&oid("2.5.4.3"), &tlv(0x0c, &[b"shard 1"])]);
    let relative = seq(&[&tlv(0xa0, &[&tlv(0xa1, &[&rdn])])]);
    let chain = Chain::with(|at, spec| {
        if at == 0 {
            spec.with(crl_points(&[relative.clone()]))
        } else {
            spec
        }
    });
    let [root_crl, _] = chain.crls();
    let verdict = |name: &str| {
        let crl = CrlSpec::new("CA", 1)
            .with(issuing_point(&[directory(name)], &[], None))
            .sign(&chain.ca_key);
        code(&chain.judge(&require(), &evidence([root_crl.clone(), crl])))
    };
    assert_eq!(verdict("CN=CA/CN=Shard 1"), "accepted");
    assert_eq!(verdict("CN=CA/CN=Shard 2"), "revocation-unavailable");
}
