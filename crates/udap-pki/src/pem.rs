//! PEM (RFC 7468) and DER files, as people have them: bundles, text between the blocks, CRLF.

use crate::asn1::{OID, Reader, SEQUENCE, SET, context_constructed};
use crate::{Certificate, CertificateError, Crl, CrlError, DerError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Why a file is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No block of the kind is in the file.
    #[error("there is no {0} in it")]
    Missing(&'static str),
    /// A block has no end, or its content is not base64.
    #[error("block {block} is damaged: {what}")]
    Damaged {
        /// The block's number in the file, from 1.
        block: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A certificate in it cannot be read.
    #[error("certificate {index} cannot be read: {error}")]
    Certificate {
        /// Its number among the certificates of the file, from 1.
        index: usize,
        /// Why.
        error: CertificateError,
    },
    /// A CRL in it cannot be read.
    #[error("CRL {index} cannot be read: {error}")]
    Crl {
        /// Its number among the CRLs of the file, from 1.
        index: usize,
        /// Why.
        error: CrlError,
    },
}

impl PemError {
    /// The stable code in words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Damaged { .. } => "pem-malformed",
            Self::Certificate { error, .. } => error.code(),
            Self::Crl { error, .. } => error.code(),
        }
    }
}

/// Every certificate of a PEM bundle, or of a DER file: one certificate, or a PKCS#7 bundle as caIssuers URLs
/// serve it (RFC 5280 §4.2.2.1, certs-only CMS).
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn certificates(file: &[u8]) -> Result<Vec<Certificate>, PemError> {
    const LABELS: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS"];
    let mut found = Vec::new();
    for der in ders(file, LABELS, "certificate")? {
        let index = found.len() + 1;
        let refused = |error| PemError::Certificate { index, error };
        match bundle(&der).map_err(|error| refused(error.into()))? {
            Some(bundled) => {
                for der in bundled {
                    let index = found.len() + 1;
                    let refused = |error| PemError::Certificate { index, error };
                    found.push(Certificate::from_der(der).map_err(refused)?);
                }
            }
            None => found.push(Certificate::from_der(&der).map_err(refused)?),
        }
    }
    if found.is_empty() {
        Err(PemError::Missing("certificate"))
    } else {
        Ok(found)
    }
}

/// The certificates of a SignedData (RFC 5652 §5.1); `None` when it is something else. Its signatures, if it has
/// any, say nothing here.
fn bundle(der: &[u8]) -> Result<Option<Vec<&[u8]>>, DerError> {
    const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    let mut outer = Reader::new(der, "ContentInfo");
    let mut content = outer.sequence("ContentInfo")?;
    if content
        .optional(OID)?
        .is_none_or(|kind| kind.value != SIGNED_DATA)
    {
        return Ok(None);
    }
    let mut inside = content.inside(context_constructed(0), "SignedData")?;
    let mut signed = inside.sequence("SignedData")?;
    signed.integer()?;
    signed.expect(SET)?;
    signed.expect(SEQUENCE)?;
    let Some(list) = signed.optional(context_constructed(0))? else {
        return Ok(Some(Vec::new()));
    };
    let mut list = Reader::new(list.value, "CertificateSet");
    let mut found = Vec::new();
    while !list.is_empty() {
        if found.len() == MAX_BUNDLED {
            return Err(DerError::TooMany("CertificateSet"));
        }
        found.push(list.expect(SEQUENCE)?.raw);
    }
    Ok(Some(found))
}

/// Every CRL of a PEM bundle, or the one of a DER file.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn crls(file: &[u8]) -> Result<Vec<Crl>, PemError> {
    let ders = ders(file, &["X509 CRL"], "CRL")?;
    let read = |(at, der): (usize, Zeroizing<Vec<u8>>)| {
        Crl::from_der(&der).map_err(|error| PemError::Crl {
            index: at + 1,
            error,
        })
    };
    ders.into_iter().enumerate().map(read).collect()
}

/// The first PKCS#8 private key of a PEM file, or the one of a DER file. Encrypted keys and the older
/// formats (`RSA PRIVATE KEY`, `EC PRIVATE KEY`) are not read.
///
/// # Errors
/// When there is none.
pub fn private_key_pkcs8(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let mut ders = ders(file, &["PRIVATE KEY"], "PKCS#8 private key")?;
    if ders.is_empty() {
        Err(PemError::Missing("PKCS#8 private key"))
    } else {
        Ok(ders.swap_remove(0))
    }
}

/// The content of every block with one of these labels; a file that does not look like PEM is one DER value.
///
/// # Errors
/// When there is none, or a block is damaged.
pub fn ders(
    file: &[u8],
    labels: &[&str],
    kind: &'static str,
) -> Result<Vec<Zeroizing<Vec<u8>>>, PemError> {
    if file.first() == Some(&0x30) {
        return Ok(vec![Zeroizing::new(file.to_vec())]);
    }
    let mut found = Vec::new();
    let mut rest = file;
    let mut block = 0;
    while let Some(at) = find(rest, b"-----BEGIN ") {
        block += 1;
        let damaged = |what| PemError::Damaged { block, what };
        let after = rest.get(at + b"-----BEGIN ".len()..).unwrap_or_default();
        let label_len =
            find(after, b"-----").ok_or_else(|| damaged("its first line has no end"))?;
        let label = after.get(..label_len).unwrap_or_default();
        let body = after.get(label_len + 5..).unwrap_or_default();
        let end = find(body, b"-----END ").ok_or_else(|| damaged("it has no END line"))?;
        let content = body.get(..end).unwrap_or_default();
        rest = body.get(end + b"-----END ".len()..).unwrap_or_default();
        if !rest.starts_with(label) {
            return Err(damaged("its END line names another kind"));
        }
        if labels.iter().any(|wanted| wanted.as_bytes() == label) {
            let mut compact = Zeroizing::new(Vec::with_capacity(content.len()));
            compact.extend(content.iter().filter(|byte| !byte.is_ascii_whitespace()));
            let der = STANDARD
                .decode(&*compact)
                .map_err(|_| damaged("its content is not base64"))?;
            found.push(Zeroizing::new(der));
        }
    }
    if found.is_empty() {
        Err(PemError::Missing(kind))
    } else {
        Ok(found)
    }
}

/// One PEM block, lines of 64 characters.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = String::with_capacity(body.len() + body.len() / 64 + 2 * label.len() + 40);
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str("-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}

/// Certificates that one bundle may hold.
const MAX_BUNDLED: usize = 256;

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for len in [0, 1, 47, 48, 49, 200] {
            let der = vec![7; len];
            let pem = format!(
                "Bag attributes\r\n{}trailing",
                encode("PRIVATE KEY", &der).replace('\n', "\r\n")
            );
            assert_eq!(*private_key_pkcs8(pem.as_bytes()).unwrap(), der);
        }
    }

    #[test]
    fn damage_is_named() {
        let missing = PemError::Missing("certificate");
        assert_eq!(certificates(b"hello").unwrap_err(), missing);
        assert_eq!(
            certificates(encode("X509 CRL", b"x").as_bytes()).unwrap_err(),
            missing
        );
        let damaged = |what| PemError::Damaged { block: 1, what };
        assert_eq!(
            certificates(b"-----BEGIN CERT").unwrap_err(),
            damaged("its first line has no end")
        );
        assert_eq!(
            certificates(b"-----BEGIN CERTIFICATE-----\nAA").unwrap_err(),
            damaged("it has no END line")
        );
        assert_eq!(
            certificates(b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----").unwrap_err(),
            damaged("its content is not base64")
        );
        assert_eq!(
            certificates(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END X-----").unwrap_err(),
            damaged("its END line names another kind")
        );
    }
}
