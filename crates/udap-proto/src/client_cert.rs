//! The certificate of a TLS client as a proxy passes it on, in `Client-Cert` and `Client-Cert-Chain`
//! (RFC 9440): byte sequences of structured fields (RFC 8941 §3.3.5).

use crate::error::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use udap_pki::Certificate;

/// The certificate itself.
pub const HEADER: &str = "client-cert";
/// What came along with it.
pub const CHAIN_HEADER: &str = "client-cert-chain";
/// The most certificates besides the client's own, as in `x5c`.
pub const MAX_CHAIN: usize = 9;

/// Why the headers say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header that passes on the client's certificate is {why}")]
pub struct ClientCertError {
    why: &'static str,
}

impl Refusal for ClientCertError {
    fn code(&self) -> &'static str {
        "client-cert-header-malformed"
    }
}

/// Reads both headers, each value of a line of its own: the client's certificate, and what came along.
///
/// # Errors
/// [`ClientCertError`]
pub fn read<'a>(
    mut certificate: impl Iterator<Item = &'a [u8]>,
    chain: impl Iterator<Item = &'a [u8]>,
) -> Result<(Certificate, Vec<Certificate>), ClientCertError> {
    let refused = |why| Err(ClientCertError { why });
    let (Some(leaf), None) = (certificate.next(), certificate.next()) else {
        return refused("not there exactly once");
    };
    let leaf = item(leaf)?;
    let mut along = Vec::new();
    for line in chain {
        for part in line.split(|b| *b == b',') {
            if along.len() >= MAX_CHAIN {
                return refused("longer than ten certificates in all");
            }
            along.push(item(part)?);
        }
    }
    Ok((leaf, along))
}

fn item(text: &[u8]) -> Result<Certificate, ClientCertError> {
    let encoded = text
        .trim_ascii()
        .strip_prefix(b":")
        .and_then(|text| text.strip_suffix(b":"));
    let der = encoded
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or(ClientCertError {
            why: "not base64 between two colons",
        })?;
    Certificate::from_der(&der).map_err(|_| ClientCertError {
        why: "not a certificate in DER",
    })
}
