//! NIST PKITS: every case of `tests/pkits.tsv`, once with the certificates and CRLs it lists and once with the
//! path built from the whole pool.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use udap_pki::{
    Anchor, Certificate, Crl, Evidence, Outcome, Policy, Purpose, Request, Revocation, UnixTime,
    verify_offline,
};

const TABLE: &str = include_str!("../pkits.tsv");
const HOW_TO_GET: &str = "the PKITS files are missing: `pip install --no-deps --target target/vectors \
    cryptography_vectors` in the workspace puts them where this test looks (or set UDAP_PKITS_DIR to the folder \
    PKITS_data, or UDAP_SKIP_VECTORS=1 to leave this out)";

struct Files {
    certificates: BTreeMap<String, Certificate>,
    crls: BTreeMap<String, Arc<Crl>>,
    unreadable: Vec<String>,
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
    let mut files = Files {
        certificates: BTreeMap::new(),
        crls: BTreeMap::new(),
        unreadable: Vec::new(),
    };
    let read = |folder: &str| {
        std::fs::read_dir(directory.join(folder))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (
                    entry.file_name().into_string().unwrap(),
                    std::fs::read(entry.path()).unwrap(),
                )
            })
    };
    for (name, der) in read("certs") {
        match Certificate::from_der(&der) {
            Ok(certificate) => drop(files.certificates.insert(name, certificate)),
            Err(error) => files.unreadable.push(format!("{name}: {error}")),
        }
    }
    for (name, der) in read("crls") {
        match Crl::from_der(&der) {
            Ok(crl) => drop(files.crls.insert(name, Arc::new(crl))),
            Err(error) => files.unreadable.push(format!("{name}: {error}")),
        }
    }
    Some(files)
}

fn list(cell: &str) -> Vec<&str> {
    cell.split(',').filter(|name| !name.is_empty()).collect()
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Given {
    Listed,
    WholePool,
}

#[test]
fn every_case() {
    let Some(files) = files() else { return };
    assert_eq!(files.unreadable, Vec::<String>::new());
    let anchor = Anchor::new(files.certificates["TrustAnchorRootCertificate.crt"].clone());
    let anchors = [anchor];
    let mut failures = Vec::new();
    let mut cases = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let [test, leaf, intermediates, crls, mode, expected] =
            *line.split('\t').collect::<Vec<_>>()
        else {
            panic!("a line of pkits.tsv has not six columns: {line}");
        };
        cases += 1;
        for given in [Given::Listed, Given::WholePool] {
            let mut evidence = Evidence::default();
            let pool: Vec<Certificate> = match given {
                Given::Listed => list(intermediates)
                    .iter()
                    .map(|name| files.certificates[*name].clone())
                    .collect(),
                Given::WholePool => files.certificates.values().cloned().collect(),
            };
            evidence.add_crl(Arc::clone(&files.crls["TrustAnchorRootCRL.crl"]));
            match given {
                Given::Listed => {
                    for name in list(crls) {
                        evidence.add_crl(Arc::clone(&files.crls[name]));
                    }
                }
                Given::WholePool => files
                    .crls
                    .values()
                    .for_each(|crl| evidence.add_crl(Arc::clone(crl))),
            }
            let policy = Policy {
                purpose: Purpose::Any,
                revocation: match mode {
                    "require" => Revocation::Require,
                    "where-named" => Revocation::WhereNamed,
                    other => panic!("unknown revocation mode {other}"),
                },
                ..Policy::default()
            };
            let request = Request {
                leaf: &files.certificates[leaf],
                intermediates: &pool,
                anchors: &anchors,
                evidence: &evidence,
                now: UnixTime::parse_rfc3339("2018-01-01T00:00:00Z").unwrap(),
                policy: &policy,
            };
            let outcome = verify_offline(&request);
            let fine = match (&outcome, expected) {
                (Outcome::Valid(valid), "accept") => {
                    valid.leaf() == &files.certificates[leaf]
                        && valid.anchor() == anchors[0].certificate()
                }
                (Outcome::Invalid(_), "refuse") => true,
                // DSA is refused whatever the case says, and with its own code.
                (Outcome::Invalid(invalid), "accept") => {
                    test.contains("_dsa_") && invalid.reason.code() == "dsa-refused"
                }
                _ => false,
            };
            if !fine {
                let reason = match &outcome {
                    Outcome::Invalid(invalid) => invalid.reason.to_string(),
                    _ => "accepted".to_owned(),
                };
                failures.push(format!(
                    "{test} ({given:?}): {expected}, but {reason}\n{}",
                    outcome.trace()
                ));
            }
        }
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
