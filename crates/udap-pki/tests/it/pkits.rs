//! NIST PKITS: every case of `tests/pkits.tsv`, once with the certificates and CRLs it lists and once with the path
//! built from the whole pool; every end-entity certificate whose file name tells its verdict; and the policy cases
//! with each of their stated inputs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, ObjectIdentifier, Outcome, Policy, Purpose, Request,
    Revocation, UnixTime, verify_offline,
};

const TABLE: &str = include_str!("../pkits.tsv");
const HOW_TO_GET: &str = "the PKITS files are missing: `pip install --no-deps --target target/vectors \
    cryptography_vectors` in the workspace puts them where this test looks (or set UDAP_PKITS_DIR to the folder \
    PKITS_data, or UDAP_SKIP_VECTORS=1 to leave this out)";

struct Files {
    certificates: BTreeMap<String, Certificate>,
    crls: BTreeMap<String, Arc<Crl>>,
    anchors: [Anchor; 1],
}

fn files() -> Option<Files> {
    let directory = std::env::var_os("UDAP_PKITS_DIR").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../../target/vectors/cryptography_vectors/x509/PKITS_data")
        },
        PathBuf::from,
    );
    if !directory.join("certs").is_dir() {
        assert!(
            std::env::var_os("UDAP_SKIP_VECTORS").is_some(),
            "{HOW_TO_GET}"
        );
        eprintln!("skipped: {HOW_TO_GET}");
        return None;
    }
    let read = |folder: &str| -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(directory.join(folder))
            .unwrap()
            .map(Result::unwrap);
        entries
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    std::fs::read(entry.path()).unwrap(),
                )
            })
            .collect()
    };
    let certificates: BTreeMap<String, Certificate> = read("certs")
        .into_iter()
        .map(|(name, der)| (name, Certificate::from_der(&der).unwrap()))
        .collect();
    let crls = read("crls")
        .into_iter()
        .map(|(name, der)| (name, Arc::new(Crl::from_der(&der).unwrap())))
        .collect();
    let anchors = [Anchor::new(
        certificates["TrustAnchorRootCertificate.crt"].clone(),
    )];
    Some(Files {
        certificates,
        crls,
        anchors,
    })
}

fn any_purpose(revocation: Revocation) -> Policy {
    Policy {
        purpose: Purpose::Any,
        revocation,
        ..Policy::default()
    }
}

impl Files {
    fn judge(
        &self,
        leaf: &str,
        pool: &[Certificate],
        evidence: &Evidence,
        policy: &Policy,
    ) -> Outcome {
        verify_offline(&Request {
            leaf: &self.certificates[leaf],
            intermediates: pool,
            anchors: &self.anchors,
            evidence,
            now: UnixTime::parse_rfc3339("2018-01-01T00:00:00Z").unwrap(),
            policy,
        })
    }

    fn whole_pool(&self) -> (Vec<Certificate>, Evidence) {
        let mut evidence = Evidence::default();
        self.crls
            .values()
            .for_each(|crl| evidence.add_crl(Arc::clone(crl)));
        (self.certificates.values().cloned().collect(), evidence)
    }
}

fn list(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(',').filter(|name| !name.is_empty())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    Accept,
    Refuse,
}

/// What is wrong with an outcome, if anything. DSA is refused whatever the case says, and with its own code.
fn wrong(case: &str, outcome: &Outcome, expected: Expected) -> Option<String> {
    let fine = match (outcome, expected) {
        (Outcome::Valid(_), Expected::Accept) => !case.to_ascii_lowercase().contains("dsa"),
        (Outcome::Invalid(invalid), Expected::Accept) => {
            case.to_ascii_lowercase().contains("dsa") && invalid.reason.code() == "dsa-refused"
        }
        (Outcome::Invalid(_), Expected::Refuse) => true,
        _ => false,
    };
    (!fine).then(|| format!("{case}: {expected:?} expected\n{}", outcome.trace()))
}

#[test]
fn every_case_of_the_table() {
    let Some(files) = files() else { return };
    let (pool, everything) = files.whole_pool();
    let mut failures = Vec::new();
    let mut cases = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let [test, leaf, intermediates, crls, mode, expected] =
            *line.split('\t').collect::<Vec<_>>()
        else {
            panic!("a line of pkits.tsv has not six columns: {line}");
        };
        cases += 1;
        let policy = any_purpose(match mode {
            "require" => Revocation::Require,
            "where-named" => Revocation::WhereNamed,
            other => panic!("unknown revocation mode {other}"),
        });
        let expected = match expected {
            "accept" => Expected::Accept,
            "refuse" => Expected::Refuse,
            other => panic!("unknown verdict {other}"),
        };
        let listed: Vec<Certificate> = list(intermediates)
            .map(|name| files.certificates[name].clone())
            .collect();
        let mut evidence = Evidence::default();
        for name in std::iter::once("TrustAnchorRootCRL.crl").chain(list(crls)) {
            evidence.add_crl(Arc::clone(&files.crls[name]));
        }
        failures.extend(wrong(
            test,
            &files.judge(leaf, &listed, &evidence, &policy),
            expected,
        ));
        failures.extend(wrong(
            test,
            &files.judge(leaf, &pool, &everything, &policy),
            expected,
        ));
    }
    assert_eq!(cases, 172);
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        cases * 2,
        failures.join("\n")
    );
}

#[test]
fn every_file_whose_name_tells_its_verdict() {
    let Some(files) = files() else { return };
    let (pool, everything) = files.whole_pool();
    let mut failures = Vec::new();
    let mut cases = 0;
    for name in files
        .certificates
        .keys()
        .filter(|name| name.ends_with("EE.crt"))
    {
        let expected = match name {
            valid if valid.starts_with("Valid") => Expected::Accept,
            invalid if invalid.starts_with("Invalid") => Expected::Refuse,
            _ => continue,
        };
        cases += 1;
        let outcome = files.judge(name, &pool, &everything, &any_purpose(Revocation::Require));
        failures.extend(wrong(name, &outcome, expected));
    }
    assert_eq!(cases, 203);
    assert!(
        failures.is_empty(),
        "{} of {cases} fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Section 4.8 to 4.12: leaf; accepted policies (P1 to P6); inputs (`e`xplicit, inhibit `m`apping, inhibit `a`ny);
/// verdict.
const POLICY_CASES: &[(&str, &[u8], &str, Expected)] = {
    use Expected::{Accept, Refuse};
    &[
        ("ValidCertificatePathTest1EE.crt", &[], "", Accept),
        ("ValidCertificatePathTest1EE.crt", &[], "e", Accept),
        ("ValidCertificatePathTest1EE.crt", &[1], "e", Accept),
        ("ValidCertificatePathTest1EE.crt", &[2], "e", Refuse),
        ("ValidCertificatePathTest1EE.crt", &[1, 2], "e", Accept),
        ("AllCertificatesNoPoliciesTest2EE.crt", &[], "", Accept),
        ("AllCertificatesNoPoliciesTest2EE.crt", &[], "e", Refuse),
        ("DifferentPoliciesTest3EE.crt", &[], "", Accept),
        ("DifferentPoliciesTest3EE.crt", &[], "e", Refuse),
        ("DifferentPoliciesTest3EE.crt", &[1, 2], "e", Refuse),
        ("DifferentPoliciesTest4EE.crt", &[], "", Refuse),
        ("DifferentPoliciesTest5EE.crt", &[], "", Refuse),
        ("OverlappingPoliciesTest6EE.crt", &[], "", Accept),
        ("OverlappingPoliciesTest6EE.crt", &[1], "", Accept),
        ("OverlappingPoliciesTest6EE.crt", &[2], "", Refuse),
        ("DifferentPoliciesTest7EE.crt", &[], "", Refuse),
        ("DifferentPoliciesTest8EE.crt", &[], "", Refuse),
        ("DifferentPoliciesTest9EE.crt", &[], "", Refuse),
        ("AllCertificatesSamePoliciesTest10EE.crt", &[], "", Accept),
        ("AllCertificatesSamePoliciesTest10EE.crt", &[1], "", Accept),
        ("AllCertificatesSamePoliciesTest10EE.crt", &[2], "", Accept),
        ("AllCertificatesanyPolicyTest11EE.crt", &[], "", Accept),
        ("AllCertificatesanyPolicyTest11EE.crt", &[1], "", Accept),
        ("DifferentPoliciesTest12EE.crt", &[], "", Refuse),
        ("AllCertificatesSamePoliciesTest13EE.crt", &[1], "", Accept),
        ("AllCertificatesSamePoliciesTest13EE.crt", &[2], "", Accept),
        ("AllCertificatesSamePoliciesTest13EE.crt", &[3], "", Accept),
        ("AnyPolicyTest14EE.crt", &[1], "", Accept),
        ("AnyPolicyTest14EE.crt", &[2], "", Refuse),
        ("UserNoticeQualifierTest15EE.crt", &[], "", Accept),
        ("UserNoticeQualifierTest16EE.crt", &[], "", Accept),
        ("UserNoticeQualifierTest17EE.crt", &[], "", Accept),
        ("UserNoticeQualifierTest18EE.crt", &[1], "", Accept),
        ("UserNoticeQualifierTest18EE.crt", &[2], "", Accept),
        ("UserNoticeQualifierTest19EE.crt", &[], "", Accept),
        ("CPSPointerQualifierTest20EE.crt", &[], "e", Accept),
        ("ValidPolicyMappingTest1EE.crt", &[1], "", Accept),
        ("ValidPolicyMappingTest1EE.crt", &[2], "", Refuse),
        ("ValidPolicyMappingTest1EE.crt", &[], "m", Refuse),
        ("InvalidPolicyMappingTest2EE.crt", &[], "", Refuse),
        ("InvalidPolicyMappingTest2EE.crt", &[], "m", Refuse),
        ("ValidPolicyMappingTest3EE.crt", &[1], "", Refuse),
        ("ValidPolicyMappingTest3EE.crt", &[2], "", Accept),
        ("ValidPolicyMappingTest5EE.crt", &[1], "", Accept),
        ("ValidPolicyMappingTest5EE.crt", &[6], "", Refuse),
        ("ValidPolicyMappingTest6EE.crt", &[1], "", Accept),
        ("ValidPolicyMappingTest6EE.crt", &[6], "", Refuse),
        ("ValidPolicyMappingTest12EE.crt", &[1], "", Accept),
        ("ValidPolicyMappingTest12EE.crt", &[2], "", Accept),
        ("inhibitAnyPolicyTest3EE.crt", &[], "", Accept),
        ("inhibitAnyPolicyTest3EE.crt", &[], "a", Refuse),
    ]
};

#[test]
fn policy_cases_with_their_inputs() {
    let Some(files) = files() else { return };
    let (pool, everything) = files.whole_pool();
    let failures: Vec<String> = POLICY_CASES
        .iter()
        .filter_map(|(leaf, accepted, inputs, expected)| {
            let p = |number: &u8| {
                ObjectIdentifier::new_unwrap(&format!("2.16.840.1.101.3.2.1.48.{number}"))
            };
            let policy = Policy {
                policies: accepted.iter().map(p).collect(),
                explicit_policy: inputs.contains('e'),
                inhibit_policy_mapping: inputs.contains('m'),
                inhibit_any_policy: inputs.contains('a'),
                ..any_purpose(Revocation::Require)
            };
            let case = format!("{leaf} {accepted:?} {inputs}");
            wrong(
                &case,
                &files.judge(leaf, &pool, &everything, &policy),
                *expected,
            )
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        POLICY_CASES.len(),
        failures.join("\n")
    );
}
