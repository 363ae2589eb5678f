//! What a certificate is used for, and the name it must have.

use crate::{Certificate, NameCheck, ObjectIdentifier, Purpose, Reason, uri_name_mismatch};

/// What a purpose asks of a leaf.
pub(crate) struct Usage {
    bits: fn(crate::KeyUsage) -> bool,
    bits_named: &'static str,
    pub(crate) extended: Option<ObjectIdentifier>,
    /// Whether the extended usage must be spelled out even where nothing is restricted.
    spelled_out: SpelledOut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SpelledOut {
    Yes,
    No,
}

impl Usage {
    pub(crate) const CRL_SIGNER: Self = Self {
        bits: crate::KeyUsage::crl_sign,
        bits_named: "cRLSign",
        extended: None,
        spelled_out: SpelledOut::No,
    };

    pub(crate) const fn of(purpose: Purpose) -> Self {
        use crate::KeyUsage;
        let (bits, bits_named, extended): (fn(KeyUsage) -> bool, _, _) = match purpose {
            Purpose::Any => (|_| true, "", None),
            Purpose::JwtSigner => (KeyUsage::digital_signature, "digitalSignature", None),
            Purpose::TlsClient => (
                |usage| usage.digital_signature() || usage.key_agreement(),
                "digitalSignature or keyAgreement",
                Some(CLIENT_AUTH),
            ),
            Purpose::TlsServer => (
                |usage| {
                    usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
                },
                "digitalSignature, keyEncipherment or keyAgreement",
                Some(SERVER_AUTH),
            ),
            Purpose::OcspSigner => (
                KeyUsage::digital_signature,
                "digitalSignature",
                Some(OCSP_SIGNING),
            ),
        };
        let spelled_out = if matches!(purpose, Purpose::OcspSigner) {
            SpelledOut::Yes
        } else {
            SpelledOut::No
        };
        Self {
            bits,
            bits_named,
            extended,
            spelled_out,
        }
    }

    pub(crate) fn check_key_usage(&self, certificate: &Certificate) -> Result<(), Reason> {
        match certificate.key_usage() {
            Some(usage) if !(self.bits)(usage) => Err(Reason::KeyUsage {
                certificate: certificate.label(),
                needed: self.bits_named,
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_extended(&self, certificate: &Certificate) -> Result<(), Reason> {
        let Some(wanted) = self.extended else {
            return Ok(());
        };
        let fits = match certificate.extended_key_usage() {
            None => self.spelled_out == SpelledOut::No,
            Some(found) if self.spelled_out == SpelledOut::Yes => found.contains(&wanted),
            Some(found) => found.contains(&wanted) || found.contains(&ANY_EXTENDED_KEY_USAGE),
        };
        if fits {
            Ok(())
        } else {
            Err(lacks_extended(certificate, &wanted))
        }
    }
}

pub(crate) fn lacks_extended(certificate: &Certificate, wanted: &ObjectIdentifier) -> Reason {
    let name = match *wanted {
        CLIENT_AUTH => "clientAuth".to_owned(),
        SERVER_AUTH => "serverAuth".to_owned(),
        OCSP_SIGNING => "OCSPSigning".to_owned(),
        other => other.to_string(),
    };
    Reason::ExtendedKeyUsage {
        certificate: certificate.label(),
        needed: name,
    }
}

pub(crate) fn check_name(leaf: &Certificate, expected: &NameCheck) -> Result<(), Reason> {
    match expected {
        NameCheck::Uri(uri) => {
            let found = leaf.uri_names();
            if found.iter().any(|name| name == uri) {
                return Ok(());
            }
            let near = uri_name_mismatch(uri, found);
            Err(Reason::SanUriMismatch {
                expected: uri.clone(),
                found: found.to_vec(),
                near,
            })
        }
        NameCheck::Dns(host) => {
            let found = leaf.dns_names();
            if found.iter().any(|name| host_matches(name, host)) {
                return Ok(());
            }
            Err(Reason::SanDnsMismatch {
                expected: host.clone(),
                found: found.to_vec(),
            })
        }
        NameCheck::Email(mailbox) => {
            let found = leaf.email_names();
            if found.iter().any(|name| mailbox_matches(name, mailbox)) {
                return Ok(());
            }
            Err(Reason::SanEmailMismatch {
                expected: mailbox.clone(),
                found: found.to_vec(),
            })
        }
        NameCheck::Ip(address) => {
            let found = leaf.ip_names();
            if found.contains(address) {
                return Ok(());
            }
            Err(Reason::SanIpMismatch {
                expected: *address,
                found: found.to_vec(),
            })
        }
    }
}

/// RFC 9525 §6.3: a wildcard is the whole first label, stands for one label, and not for a top-level domain.
fn host_matches(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.contains('*') {
        return false;
    }
    match pattern.strip_prefix("*.") {
        None => !pattern.contains('*') && pattern.eq_ignore_ascii_case(host),
        Some(parent) => host.split_once('.').is_some_and(|(first, rest)| {
            !first.is_empty()
                && parent.contains('.')
                && !parent.contains('*')
                && parent.eq_ignore_ascii_case(rest)
        }),
    }
}

/// RFC 5280 §7.5: the local part as it is, the host without regard to case.
fn mailbox_matches(found: &str, expected: &str) -> bool {
    match (found.rsplit_once('@'), expected.rsplit_once('@')) {
        (Some((local, host)), Some((wanted_local, wanted_host))) => {
            local == wanted_local && host.eq_ignore_ascii_case(wanted_host)
        }
        _ => false,
    }
}

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
pub(crate) const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (pattern, host, wanted) in [
            ("a.example.com", "A.Example.com", true),
            ("a.example.com", "a.example.com.", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("*", "com", false),
            ("a*.example.com", "ab.example.com", false),
            ("*.*.com", "a.*.com", false),
            ("*.example.com", ".example.com", false),
        ] {
            assert_eq!(host_matches(pattern, host), wanted, "{pattern} {host}");
        }
    }

    #[test]
    fn mailboxes() {
        assert!(mailbox_matches("a@Example.com", "a@example.COM"));
        assert!(!mailbox_matches("A@example.com", "a@example.com"));
        assert!(!mailbox_matches("example.com", "example.com"));
    }
}
