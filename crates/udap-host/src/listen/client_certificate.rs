//! The certificate of a TLS client: asked for in the handshake, or told by a proxy that ends TLS.
//!
//! The handshake proves that the client holds the key, and nothing more. Whether the certificate is a
//! member's is judged afterwards, in the community of whoever the request says it is from.

use std::{fmt, net::IpAddr, sync::Arc};

use http::HeaderMap;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{self, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use udap_pki::Certificate;
use udap_proto::{
    Refusal as _,
    client_cert::{self, CHAIN_HEADER, ClientCertError, HEADER, MAX_CHAIN},
};

use crate::client_ip::TrustedProxies;

/// Whether a listener wants to know its clients' certificates.
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// No. A browser is not asked for one, and no header is believed.
    #[default]
    Off,
    /// In the handshake, which names these issuers, so that a client knows which of its certificates to
    /// show. It may show none.
    Ask { issuers: Issuers },
    /// By the headers of RFC 9440, from these peers, which end TLS and ask for it.
    FromProxies(TrustedProxies),
}

/// The issuers that a handshake names, each a Name in DER. They are asked for again while the listener runs,
/// since communities come and go.
#[derive(Clone)]
pub struct Issuers(Arc<dyn Fn() -> Vec<Vec<u8>> + Send + Sync>);

impl Issuers {
    /// Those that the function tells at the time.
    pub fn new(now: impl Fn() -> Vec<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> Vec<Vec<u8>> {
        (self.0)()
    }
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.now()).finish()
    }
}

/// What is known of the client's certificate: a request extension, at listeners that want to know and
/// at no others.
#[derive(Clone, Debug)]
pub enum MutualTls {
    /// There is none.
    Absent,
    /// The client holds its key.
    Presented(Arc<ClientCertificate>),
    /// Something that says there is one, and cannot be used.
    Unusable(ClientCertificateError),
}

/// A certificate and what came along with it; nobody has judged it.
#[derive(Debug)]
pub struct ClientCertificate {
    pub leaf: Certificate,
    pub intermediates: Vec<Certificate>,
}

/// Why a certificate that was shown is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientCertificateError {
    #[error("`Client-Cert` came from a peer that is no trusted proxy")]
    UntrustedProxy,
    #[error(transparent)]
    Header(#[from] ClientCertError),
    #[error("the certificate of the TLS client cannot be read")]
    Unreadable,
}

impl ClientCertificateError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UntrustedProxy => "client-cert-header-refused",
            Self::Header(error) => error.code(),
            Self::Unreadable => "client-certificate-unreadable",
        }
    }
}

impl MutualTls {
    /// What a handshake showed.
    pub(super) fn of_handshake(chain: Option<&[CertificateDer<'_>]>) -> Self {
        let Some((leaf, along)) = chain.and_then(<[_]>::split_first) else {
            return Self::Absent;
        };
        let Ok(leaf) = Certificate::from_der(leaf) else {
            return Self::Unusable(ClientCertificateError::Unreadable);
        };
        // As in `x5c`: helpers for building a path, so that junk among them shuts nobody out.
        let intermediates = along.iter().take(MAX_CHAIN);
        let intermediates = intermediates.filter_map(|der| Certificate::from_der(der).ok());
        Self::Presented(Arc::new(ClientCertificate {
            leaf,
            intermediates: intermediates.collect(),
        }))
    }

    /// What a proxy says of its client. Anybody else who says something is refused, not overlooked: it
    /// is an attempt, or a proxy that nobody configured.
    pub(super) fn of_headers(headers: &HeaderMap, peer: IpAddr, proxies: &TrustedProxies) -> Self {
        if !headers.contains_key(HEADER) && !headers.contains_key(CHAIN_HEADER) {
            return Self::Absent;
        }
        if !proxies.contains(peer.to_canonical()) {
            return Self::Unusable(ClientCertificateError::UntrustedProxy);
        }
        let lines = |name| {
            headers
                .get_all(name)
                .into_iter()
                .map(|line| line.as_bytes())
        };
        match client_cert::read(lines(HEADER), lines(CHAIN_HEADER)) {
            Err(error) => Self::Unusable(error.into()),
            Ok((leaf, intermediates)) => Self::Presented(Arc::new(ClientCertificate {
                leaf,
                intermediates,
            })),
        }
    }
}

/// Nobody behind the listener reads the headers, whoever sent them.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(HEADER);
    headers.remove(CHAIN_HEADER);
}

/// Lets in whoever holds the key of the certificate that it shows, and whoever shows none.
#[derive(Debug)]
pub(super) struct Possession {
    pub(super) issuers: Vec<DistinguishedName>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Possession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.issuers
    }

    /// Refusals are told in the answer to a request, where they can say why.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Trust is not decided here, and nothing is taken from here but the certificate's bytes.
    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn told(chain: &[&[u8]]) -> Result<Option<usize>, &'static str> {
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(*der)).collect();
        match MutualTls::of_handshake(Some(&chain)) {
            MutualTls::Absent => Ok(None),
            MutualTls::Presented(shown) => Ok(Some(shown.intermediates.len())),
            MutualTls::Unusable(error) => Err(error.code()),
        }
    }

    #[test]
    fn what_a_handshake_showed_is_read_once_and_bounded() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["app".to_owned()]).unwrap();
        let good = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(told(&[]), Ok(None));
        assert_eq!(told(&[&good]), Ok(Some(0)));
        // Junk beside a good leaf shuts nobody out; junk as the leaf is no certificate.
        assert_eq!(told(&[&good, b"junk", &good]), Ok(Some(1)));
        assert_eq!(
            told(&[b"junk", &good]),
            Err("client-certificate-unreadable")
        );
        let many = vec![good.as_slice(); 40];
        assert_eq!(told(&many), Ok(Some(MAX_CHAIN)));
        assert!(matches!(MutualTls::of_handshake(None), MutualTls::Absent));
    }
}
