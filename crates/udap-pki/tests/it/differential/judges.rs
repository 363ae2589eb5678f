//! The three judges, and the disagreements between them that are known.

use super::*;

pub(super) fn ours(family: &Family, leaf: &Leaf) -> Verdict {
    let Ok(certificate) = Certificate::from_der(&leaf.der) else {
        return Verdict::Refuse;
    };
    let Ok(anchor) = Certificate::from_der(&family.anchor) else {
        return Verdict::Refuse;
    };
    let intermediates: Vec<Certificate> = family
        .intermediates
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let policy = Policy {
        purpose: Purpose::Any,
        revocation: Revocation::Off,
        ..Policy::default()
    };
    let outcome = verify_offline(&Request {
        leaf: &certificate,
        intermediates: &intermediates,
        anchors: &[Anchor::new(anchor)],
        evidence: &Evidence::default(),
        now: NOW,
        policy: &policy,
    });
    if matches!(outcome, Outcome::Valid(_)) {
        Verdict::Accept
    } else {
        Verdict::Refuse
    }
}

pub(super) fn by_webpki(family: &Family, leaf: &Leaf) -> Verdict {
    use webpki::aws_lc_rs as algorithms;
    let judge = || -> Result<(), webpki::Error> {
        let anchor = CertificateDer::from(family.anchor.as_slice());
        let anchor = webpki::anchor_from_trusted_cert(&anchor)?;
        let intermediates: Vec<CertificateDer<'_>> = family
            .intermediates
            .iter()
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let leaf = CertificateDer::from(leaf.der.as_slice());
        let leaf = webpki::EndEntityCert::try_from(&leaf)?;
        leaf.verify_for_usage(
            &[
                algorithms::ECDSA_P256_SHA256,
                algorithms::ECDSA_P384_SHA384,
                algorithms::ED25519,
            ],
            &[anchor],
            &intermediates,
            PkiTime::since_unix_epoch(Duration::from_secs(NOW.0.unsigned_abs())),
            webpki::KeyUsage::client_auth(),
            None,
            None,
        )?;
        Ok(())
    };
    if judge().is_ok() {
        Verdict::Accept
    } else {
        Verdict::Refuse
    }
}

pub(super) fn has_openssl() -> bool {
    let found = Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: there is no `openssl` to compare with");
    }
    found
}

/// One process for all leaves of a family.
pub(super) fn by_openssl(family: &Family, folder: &Path) -> Vec<Verdict> {
    let write = |name: &str, ders: &[&[u8]]| {
        let text: String = ders
            .iter()
            .map(|der| pem::encode("CERTIFICATE", der))
            .collect();
        std::fs::write(folder.join(name), text).unwrap();
    };
    write("anchor.pem", &[&family.anchor]);
    let intermediates: Vec<&[u8]> = family.intermediates.iter().map(Vec::as_slice).collect();
    write("untrusted.pem", &intermediates);
    let names: Vec<String> = (0..family.leaves.len())
        .map(|at| format!("leaf{at}.pem"))
        .collect();
    for (name, leaf) in names.iter().zip(&family.leaves) {
        write(name, &[&leaf.der]);
    }
    let mut command = Command::new("openssl");
    command.current_dir(folder).args([
        "verify",
        "-no-CApath",
        "-no-CAstore",
        "-partial_chain",
        "-policy_check",
    ]);
    command.args(["-attime", &NOW.0.to_string(), "-CAfile", "anchor.pem"]);
    if !family.intermediates.is_empty() {
        command.args(["-untrusted", "untrusted.pem"]);
    }
    let output = command.args(&names).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let good: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_suffix(": OK"))
        .collect();
    names
        .iter()
        .map(|name| {
            if good.contains(name.as_str()) {
                Verdict::Accept
            } else {
                Verdict::Refuse
            }
        })
        .collect()
}

// The disagreements that are known.

pub(super) struct Difference {
    pub(super) judge: &'static str,
    pub(super) features: Vec<&'static str>,
    pub(super) ours: Verdict,
}

/// The rows of the table: judge, features (joined by `+`), our verdict, reason.
pub(super) fn differences() -> Vec<Difference> {
    let rows = DIFFERENCES
        .lines()
        .filter(|line| line.starts_with("| webpki") || line.starts_with("| openssl"));
    rows.map(|row| {
        let cells: Vec<&'static str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [judge, features, ours, why] = cells[..] else {
            panic!("not four columns: {row}")
        };
        assert!(why.len() > 20, "no reason is given: {row}");
        let features: Vec<&str> = features.trim_matches('`').split('+').collect();
        for feature in &features {
            let known = CA_FEATURES.contains(feature)
                || LEAF_FEATURES.contains(feature)
                || *feature == MUTATED;
            assert!(known, "no such feature: {feature}");
        }
        let ours = match ours {
            "accept" => Verdict::Accept,
            "refuse" => Verdict::Refuse,
            other => panic!("no such verdict: {other}"),
        };
        Difference {
            judge,
            features,
            ours,
        }
    })
    .collect()
}

pub(super) fn explained(
    known: &[Difference],
    judge: &str,
    features: &[&str],
    ours: Verdict,
) -> bool {
    known.iter().any(|difference| {
        difference.judge == judge
            && difference.ours == ours
            && difference
                .features
                .iter()
                .all(|feature| features.contains(feature))
    })
}
