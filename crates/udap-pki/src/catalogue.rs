//! Every code of this crate, explained: the table that `udap explain` and the documentation are made from.

/// What `udap explain CODE` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The stable code in words.
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub hint: &'static str,
    /// Where the rule is written.
    pub section: &'static str,
}

/// The explanation of one code of this crate.
#[must_use]
pub fn explanation(code: &str) -> Option<&'static Explanation> {
    CATALOGUE.iter().find(|known| known.code == code)
}

macro_rules! catalogue {
    ($($code:literal: $title:literal, $meaning:literal, $hint:literal, $section:literal;)*) => {
        /// Every code that an error of this crate can have.
        pub const CATALOGUE: &[Explanation] = &[
            $(Explanation { code: $code, title: $title, meaning: $meaning, hint: $hint, section: $section },)*
        ];
    };
}

catalogue! {
    "chain-not-trusted":
        "No anchor vouches for the certificate",
        "No path of certificates leads from the certificate to one of the trust anchors that were given. Either it belongs to another community, or an intermediate certificate is missing.",
        "Send the intermediate certificates along (x5c), see that the issuer's certificate can be had from its AIA URL, and compare the root with the community's anchors.",
        "RFC 5280 §6.1";
    "certificate-expired":
        "A certificate of the path is past its end",
        "The notAfter date of a certificate of the path has passed. The whole path counts, the trust anchor included.",
        "Renew the certificate and send the new one. If all of them are current, look at this machine's clock.",
        "RFC 5280 §4.1.2.5";
    "certificate-not-yet-valid":
        "A certificate of the path has not begun",
        "The notBefore date of a certificate of the path is still to come.",
        "Compare the clocks of this machine and of the CA.",
        "RFC 5280 §4.1.2.5";
    "signature-invalid":
        "A signature was not made by that key",
        "The signature does not verify: the signed bytes were changed, or another key made it. For a certificate, a CA of the same name with another key is the usual cause.",
        "Send the certificate of the CA that issued it, not an older or newer one of the same name.",
        "RFC 5280 §6.1.3 (a)(1)";
    "algorithm-key-mismatch":
        "The signature algorithm needs another kind of key",
        "The algorithm that the signature names cannot be used with the key that should have made it, an ECDSA signature and an RSA key for instance.",
        "Send the certificate of the CA that issued it.",
        "RFC 5280 §4.1.1.2";
    "algorithm-refused":
        "The signature algorithm is not accepted",
        "Only these are: RSA PKCS#1 and PSS with SHA-256, SHA-384 or SHA-512; ECDSA on P-256, P-384 or P-521 with one of the same hashes; Ed25519; ML-DSA-44, -65 and -87.",
        "Have the certificate issued again with one of these.",
        "RFC 4055, RFC 5758, RFC 8410, RFC 9881";
    "sha1-refused":
        "SHA-1 in a signature",
        "Two messages with one SHA-1 hash can be made, so a signature over it proves little. SHA-1 lives on only as an identifier.",
        "Have the certificate issued again with SHA-256 or better.",
        "RFC 9155, NIST SP 800-131A";
    "md5-refused":
        "MD5 in a signature",
        "Two messages with one MD5 hash are made in seconds.",
        "Have the certificate issued again with SHA-256 or better.",
        "RFC 6151";
    "dsa-refused":
        "DSA",
        "DSA keys and signatures are not accepted; FIPS 186-5 withdrew them.",
        "Use RSA, ECDSA, Ed25519 or ML-DSA.",
        "FIPS 186-5";
    "pss-parameters-refused":
        "RSASSA-PSS with unusual parameters",
        "One hash (SHA-256, SHA-384 or SHA-512) must serve for message and MGF1, with a salt as long as the hash. What is left out means SHA-1.",
        "Sign with those parameters.",
        "RFC 4055 §3.1";
    "rsa-key-size":
        "An RSA key too short or too long",
        "2048 to 8192 bits are accepted.",
        "Make a new key of 2048 bits or more, or an elliptic curve key.",
        "NIST SP 800-131A";
    "curve-refused":
        "An elliptic curve that is not accepted",
        "Named curves P-256, P-384 and P-521 are accepted, parameters spelled out are not.",
        "Make a new key on P-256 or P-384.",
        "RFC 5480 §2.1.1";
    "key-algorithm-refused":
        "A kind of key that is not accepted",
        "RSA, elliptic curve, Ed25519 and ML-DSA keys are accepted.",
        "Make a new key of one of these kinds.",
        "RFC 5280 §4.1.2.7";
    "key-malformed":
        "A public key that is none",
        "The public key cannot be read, or its point is not on its curve.",
        "Have the certificate issued again; whatever made this key is broken.",
        "RFC 5280 §4.1.2.7";
    "not-a-ca":
        "An issuer that is no CA",
        "A certificate of the path issued another, and its basic constraints do not say that it is a CA.",
        "A member's certificate cannot issue certificates. If it is meant to be a CA, it needs basicConstraints with cA true.",
        "RFC 5280 §6.1.4 (k)";
    "path-length":
        "The path is longer than allowed",
        "A CA certificate limits how many CA certificates may follow below it, or the policy of this verification limits the path, and there are more.",
        "Have the certificate issued by a CA nearer to the root.",
        "RFC 5280 §4.2.1.9, §6.1.4 (l)";
    "key-usage":
        "A key used for what it is not meant for",
        "The key usage extension of a certificate of the path does not allow its use: digitalSignature to sign a JWT or a TLS handshake, keyCertSign to issue certificates, cRLSign to sign CRLs.",
        "Have the certificate issued again with the usage it needs.",
        "RFC 5280 §4.2.1.3";
    "extended-key-usage":
        "A certificate for another purpose",
        "The extended key usage extension leaves out the purpose that was asked for.",
        "Have the certificate issued again with the purpose, or use another certificate.",
        "RFC 5280 §4.2.1.12";
    "name-constraints":
        "A name outside the CA's realm",
        "A CA certificate above allows names only within some realms, or forbids some, and a name of the certificate breaks that.",
        "Ask for a certificate with names inside the realm, or from the CA that serves this name.",
        "RFC 5280 §4.2.1.10";
    "policy":
        "No certificate policy in common",
        "A policy is required, by the verification or by a CA certificate, and no accepted policy runs through all certificates of the path.",
        "See which policies each certificate names, and which are accepted here.",
        "RFC 5280 §6.1.5 (g), RFC 9618";
    "policy-mapping":
        "A mapping of anyPolicy",
        "A certificate maps anyPolicy to a policy or a policy to anyPolicy, which the standard forbids.",
        "Ask the CA for a certificate without that mapping.",
        "RFC 5280 §6.1.4 (a)";
    "unknown-critical-extension":
        "A critical extension that is not understood",
        "The CA says that a certificate must not be used by whoever does not understand this extension.",
        "Have the certificate issued again without it, or not critical.",
        "RFC 5280 §4.2";
    "certificate-revoked":
        "Revoked by its CA",
        "A current CRL or OCSP response of the CA says that a certificate of the path is revoked.",
        "Find out why with the CA, then get a new certificate, with a new key if the old may be known to others.",
        "RFC 5280 §6.3, RFC 6960 §2.2";
    "revocation-unavailable":
        "Whether it is revoked cannot be told",
        "The policy requires to know, and no current, well-signed CRL or OCSP response about a certificate of the path is at hand.",
        "Give the CRL or OCSP response by hand, or see why it cannot be fetched.",
        "RFC 5280 §6.3, RFC 6960 §3.2";
    "san-uri-mismatch":
        "The certificate has another URI",
        "The expected URI is not among the URIs of the certificate's subject alternative names. They are compared byte for byte: a slash, a port, a letter's case or a fragment more make another name.",
        "Make the two the same: change the configured URI, or have the certificate issued with the URI in use.",
        "RFC 5280 §4.2.1.6, UDAP JWT-Based Client Authentication";
    "san-dns-mismatch":
        "The certificate has another host name",
        "The expected host is not among the DNS names of the certificate's subject alternative names, wildcards considered. The common name does not count.",
        "Have the certificate issued with the host name in use.",
        "RFC 9525 §6.3";
    "san-email-mismatch":
        "The certificate has another mailbox",
        "The expected mailbox is not among the e-mail names of the certificate's subject alternative names. Case matters before the @.",
        "Have the certificate issued with the mailbox in use.",
        "RFC 5280 §7.5";
    "san-ip-mismatch":
        "The certificate has another address",
        "The expected address is not among the IP names of the certificate's subject alternative names.",
        "Have the certificate issued with the address in use, or use a name.",
        "RFC 9525 §6.5";
    "work-limit":
        "Too much work",
        "The certificates form a graph in which a path could not be found within the bounds of one verification. Honest chains stay far below.",
        "Send only the certificates of the path: the leaf and its intermediates.",
        "RFC 5280 §8";
    "certificate-malformed":
        "Not a certificate",
        "The bytes are no DER certificate, or break a rule that makes it ambiguous: an extension twice, two signature algorithms, a version without the fields it has.",
        "See that the file is a certificate and was not damaged; have it issued again otherwise.",
        "RFC 5280 §4";
    "crl-malformed":
        "Not a CRL",
        "The bytes are no DER certificate revocation list.",
        "See that the file is a CRL and was not damaged: a web server's error page is the usual cause.",
        "RFC 5280 §5";
    "ocsp-malformed":
        "Not an OCSP response",
        "The bytes are no DER OCSP response.",
        "See that the responder's URL is right: a web server's error page is the usual cause.",
        "RFC 6960 §4.2";
    "ocsp-no-answer":
        "The OCSP responder gave no answer",
        "The responder answered with an error: it did not understand the request, is not responsible for the certificate, or asks to try later.",
        "See that the OCSP URL in the certificate is that of its CA, and try later.",
        "RFC 6960 §4.2.1";
    "ocsp-nonce":
        "An OCSP response to another request",
        "The response does not repeat the nonce that was sent, so it may be an old one.",
        "Ask without a nonce if the responder serves pre-signed answers only.",
        "RFC 9654 §2.1";
    "pem-malformed":
        "Not a PEM file of that kind",
        "The file has no block of the kind that was asked for, or a block in it is damaged.",
        "Look at the BEGIN and END lines of the file.",
        "RFC 7468";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    #[test]
    fn every_code_of_every_error_is_explained() {
        let der = DerError::Value("x");
        let text = String::new;
        let certificate = CertificateError::Version;
        let codes = [
            KeyError::Malformed(der).code(),
            KeyError::Dsa.code(),
            KeyError::RsaSize { bits: 1 }.code(),
            KeyError::CurveRefused(text()).code(),
            KeyError::PssParameters.code(),
            KeyError::Unsupported(text()).code(),
            AlgorithmError::Malformed(der).code(),
            AlgorithmError::Sha1.code(),
            AlgorithmError::Md5.code(),
            AlgorithmError::Dsa.code(),
            AlgorithmError::PssParameters("x").code(),
            AlgorithmError::Unsupported(text()).code(),
            SignatureError::Invalid.code(),
            SignatureError::SchemeDoesNotFit {
                scheme: Scheme::Ed25519,
                kind: KeyKind::P256,
            }
            .code(),
            SignatureError::KeyMalformed.code(),
            certificate.code(),
            CrlError::Version.code(),
            OcspError::Malformed(der).code(),
            OcspError::TooLarge { len: 1, max: 0 }.code(),
            OcspError::NoAnswer("x").code(),
            OcspError::Type.code(),
            OcspError::Certificate(certificate).code(),
            OcspError::Nonce.code(),
            pem::PemError::Missing("x").code(),
        ];
        for code in codes.into_iter().chain(reasons().iter().map(Reason::code)) {
            assert!(explanation(code).is_some(), "{code} is not explained");
        }
    }

    /// One of each variant.
    fn reasons() -> Vec<Reason> {
        let text = String::new;
        let (now, error) = (UnixTime(0), SignatureError::Invalid);
        vec![
            Reason::ChainNotTrusted {
                certificate: text(),
                issuer: text(),
            },
            Reason::CertificateExpired {
                certificate: text(),
                not_after: now,
                now,
            },
            Reason::CertificateNotYetValid {
                certificate: text(),
                not_before: now,
                now,
            },
            Reason::SignatureInvalid {
                certificate: text(),
                issuer: text(),
                error,
            },
            Reason::AlgorithmRefused {
                certificate: text(),
                error: AlgorithmError::Sha1,
            },
            Reason::KeyRefused {
                certificate: text(),
                error: KeyError::Dsa,
            },
            Reason::NotACa {
                certificate: text(),
            },
            Reason::PathLength {
                certificate: text(),
                limit: 0,
            },
            Reason::PathTooLong { limit: 0 },
            Reason::KeyUsage {
                certificate: text(),
                needed: "x",
            },
            Reason::ExtendedKeyUsage {
                certificate: text(),
                needed: text(),
            },
            Reason::NameConstraints {
                certificate: text(),
                constrained_by: text(),
                violation: text(),
            },
            Reason::Policy {
                certificate: text(),
                accepted: Vec::new(),
            },
            Reason::PolicyMapping {
                certificate: text(),
            },
            Reason::UnknownCriticalExtension {
                certificate: text(),
                oid: text(),
            },
            Reason::CertificateRevoked {
                certificate: text(),
                serial: text(),
                at: now,
                reason: RevocationReason::KeyCompromise,
                source_kind: RevocationSource::Crl,
                by: text(),
            },
            Reason::RevocationUnavailable {
                certificate: text(),
                gap: RevocationGap::NotAtHand,
            },
            Reason::SanUriMismatch {
                expected: text(),
                found: Vec::new(),
                near: None,
            },
            Reason::SanDnsMismatch {
                expected: text(),
                found: Vec::new(),
            },
            Reason::SanEmailMismatch {
                expected: text(),
                found: Vec::new(),
            },
            Reason::SanIpMismatch {
                expected: [0, 0, 0, 0].into(),
                found: Vec::new(),
            },
            Reason::WorkLimit(WorkLimit::Steps),
        ]
    }

    #[test]
    fn every_code_is_explained_once() {
        for (at, known) in CATALOGUE.iter().enumerate() {
            assert!(
                known
                    .code
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
            assert!(!known.title.is_empty() && !known.meaning.is_empty() && !known.hint.is_empty());
            assert!(!known.section.is_empty(), "{}", known.code);
            assert!(
                !CATALOGUE[..at].iter().any(|other| other.code == known.code),
                "{} is there twice",
                known.code
            );
        }
    }
}
