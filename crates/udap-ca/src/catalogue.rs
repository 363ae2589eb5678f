use udap_pki::Explanation;

/// Every code of [`crate::CaError`] that is its own; the others are in the catalogues of the crates
/// they come from.
pub const CATALOGUE: &[Explanation] = &[
    Explanation {
        code: "ca-directory",
        title: "The CA's directory cannot be used",
        meaning: "A file of the certificate authority cannot be read or written.",
        hint: "Check owner, mode and path of the directory; the CA needs it for itself alone (mode 0700).",
        section: "RFC 5280 §1",
    },
    Explanation {
        code: "ca-not-initialised",
        title: "There is no certificate authority in the directory",
        meaning: "The directory holds no complete certificate authority, because none was made there or its making was interrupted.",
        hint: "Run `udap ca init` with this directory; after an interruption, run it again with the same options.",
        section: "RFC 5280 §1",
    },
    Explanation {
        code: "ca-already-initialised",
        title: "Another certificate authority is in the directory",
        meaning: "The directory holds a certificate authority that was made with other options, and it is never replaced.",
        hint: "Use another directory, or the options it was made with.",
        section: "RFC 5280 §1",
    },
    Explanation {
        code: "ca-locked",
        title: "Another process is making the certificate authority",
        meaning: "Only one process at a time may run `init` in a directory.",
        hint: "Wait for it to end.",
        section: "RFC 5280 §1",
    },
    Explanation {
        code: "ca-key",
        title: "A key of the certificate authority cannot be used",
        meaning: "A key file is missing, readable by others, damaged, or does not belong to the certificate beside it.",
        hint: "Restore the key file from a backup and give it mode 0600.",
        section: "RFC 5280 §4.1.2.7",
    },
    Explanation {
        code: "ca-passphrase-missing",
        title: "The authority's keys are under a passphrase",
        meaning: "They were sealed when the authority was made, and open by the same passphrase only.",
        hint: "Name the file that holds it: --passphrase-file FILE.",
        section: "—",
    },
    Explanation {
        code: "ca-passphrase-wrong",
        title: "The passphrase is not the one of the authority's keys",
        meaning: "The key file was sealed under another one, or belongs to another authority.",
        hint: "Look for the file that was given to `udap ca init`; without it the keys are lost.",
        section: "—",
    },
    Explanation {
        code: "ca-key-not-sealed",
        title: "The authority's keys are under no passphrase",
        meaning: "A passphrase was given, and the key lies there in the clear. To go on would let it be believed that it does not.",
        hint: "Leave --passphrase-file out, or make the authority anew with it.",
        section: "—",
    },
    Explanation {
        code: "ca-setting",
        title: "The certificate authority cannot be made with this value",
        meaning: "The community needs an absolute URI, the CA a plain http:// base URL, and a CRL a life of a minute or more.",
        hint: "CRLs, certificates and OCSP answers are signed themselves, so publish them under http://.",
        section: "RFC 5280 §8",
    },
    Explanation {
        code: "ca-profile-not-offered",
        title: "The certificate authority does not issue this kind of certificate",
        meaning: "A community's CA certifies data holders, apps and identity providers; TLS servers are certified apart, and CAs by `init` only.",
        hint: "Choose one of the profiles data-holder, app and identity-provider, or get TLS certificates from a public CA.",
        section: "HL7 SSRAA §1.2",
    },
    Explanation {
        code: "ca-days",
        title: "Not a validity",
        meaning: "A certificate is valid for at least one day.",
        hint: "Give --days between 1 and the limit of the profile (398 for members).",
        section: "RFC 5280 §4.1.2.5",
    },
    Explanation {
        code: "ca-never-valid",
        title: "The certificate would never be valid",
        meaning: "It would end before its issuer's certificate begins.",
        hint: "Choose dates within those of the issuing CA.",
        section: "RFC 5280 §6.1.3",
    },
    Explanation {
        code: "ca-self-check",
        title: "The certificate would not verify",
        meaning: "Signed by a throwaway key, the certificate did not pass the verifier that members use, so it was not signed by the real key.",
        hint: "Report this with the message; it is a fault of this program.",
        section: "RFC 5280 §6.1",
    },
    Explanation {
        code: "ca-sign",
        title: "A key did not sign",
        meaning: "The key could not be made or did not sign, or its signature did not verify.",
        hint: "Try again; if it persists, check the key device and the memory of the machine.",
        section: "RFC 5280 §4.1.1.3",
    },
    Explanation {
        code: "ca-target",
        title: "Not a certificate to revoke",
        meaning: "A serial number in hexadecimal or a certificate file is needed.",
        hint: "`udap ca list` shows the serial numbers.",
        section: "RFC 5280 §4.1.2.2",
    },
    Explanation {
        code: "ca-unknown-serial",
        title: "The certificate authority never issued this certificate",
        meaning: "No certificate with this serial number is recorded.",
        hint: "Check the directory: each community has a CA of its own. `udap ca list` shows what it issued.",
        section: "RFC 5280 §5.1.2.6",
    },
    Explanation {
        code: "ca-root-revocation",
        title: "A root is not revoked but removed",
        meaning: "A root is trusted because members have it as their anchor; a list signed by itself takes nothing back.",
        hint: "Tell the members to remove the anchor, and make a new certificate authority.",
        section: "RFC 5280 §6.1",
    },
    Explanation {
        code: "ca-already-revoked",
        title: "The certificate is revoked already",
        meaning: "A revocation is for good, with the date and reason it was first given.",
        hint: "Nothing needs to be done.",
        section: "RFC 5280 §5.3.1",
    },
    Explanation {
        code: "ca-issuer-unusable",
        title: "The issuing CA cannot issue",
        meaning: "The certificate of the issuing CA is over or revoked, so nothing it signs would be trusted.",
        hint: "Make a new certificate authority and give its root to the members.",
        section: "RFC 5280 §6.1.3",
    },
    Explanation {
        code: "ca-crl-lapsed",
        title: "A published CRL has lapsed",
        meaning: "The serving process could not make a new CRL in time; members that require revocation refuse every certificate of this community.",
        hint: "Look into the log for why it cannot be made: disk, database or key.",
        section: "RFC 5280 §5.1.2.5",
    },
    Explanation {
        code: "ca-unknown-certification",
        title: "No such certification is kept",
        meaning: "Only certifications that were made with this directory can be taken back in it.",
        hint: "Give the `jti` as `udap ca certify` printed it, and the directory it was made with.",
        section: "UDAP Certifications and Endorsements §5",
    },
    Explanation {
        code: "ca-damaged",
        title: "The database of the certificate authority is damaged",
        meaning: "A row holds what this program never writes.",
        hint: "Restore the directory from a backup.",
        section: "RFC 5280 §1",
    },
];

#[cfg(test)]
mod tests {
    use udap_pki::UnixTime;

    use super::*;
    use crate::CaError;

    #[test]
    fn every_code_of_our_own_is_explained() {
        let path = || "ca".into();
        let text = String::new;
        let errors = [
            CaError::Directory {
                path: path(),
                action: "read",
                detail: text(),
            },
            CaError::DiskFull { path: path() },
            CaError::NotInitialised { path: path() },
            CaError::AlreadyInitialised {
                path: path(),
                what: "base URL",
                found: text(),
                wanted: text(),
            },
            CaError::Locked { path: path() },
            CaError::Key {
                path: path(),
                detail: text(),
            },
            CaError::PassphraseMissing { path: path() },
            CaError::PassphraseWrong { path: path() },
            CaError::NotSealed { path: path() },
            CaError::Setting {
                what: "base URL",
                value: text(),
                problem: "",
            },
            CaError::ProfileNotOffered {
                profile: udap_pki::issue::Profile::Root,
            },
            CaError::Days { days: 0 },
            CaError::NeverValid {
                not_after: UnixTime(0),
                issuer_not_before: UnixTime(0),
            },
            CaError::Lint {
                findings: Vec::new(),
            },
            CaError::SelfCheck { reason: text() },
            CaError::Sign {
                role: "root",
                detail: text(),
            },
            CaError::Target { detail: text() },
            CaError::UnknownSerial { serial: text() },
            CaError::UnknownCertification { jti: text() },
            CaError::RootRevocation,
            CaError::AlreadyRevoked {
                serial: text(),
                at: UnixTime(0),
            },
            CaError::IssuerUnusable { reason: text() },
            CaError::Damaged { detail: text() },
        ];
        for error in errors {
            assert!(!error.hint().is_empty(), "{}", error.code());
            assert!(!error.to_string().is_empty());
        }
        for (at, explanation) in CATALOGUE.iter().enumerate() {
            assert!(
                !CATALOGUE[..at]
                    .iter()
                    .any(|before| before.code == explanation.code),
                "{}",
                explanation.code
            );
        }
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = CaError::io("ca/root.key".as_ref(), "written", &full);
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("disk-full", "the disk that holds ca/root.key is full")
        );
    }
}
