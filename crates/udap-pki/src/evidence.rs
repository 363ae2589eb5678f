//! What a verification may look at beside the request, and what it still needs.

use crate::{Certificate, Crl, OcspResponse};
use std::sync::Arc;

/// What is known beside the certificates of the request: fetched issuers, CRLs, OCSP responses, and
/// which needs could not be met. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    certificates: Arc<Vec<Certificate>>,
    crls: Arc<Vec<Arc<Crl>>>,
    ocsp: Arc<Vec<Arc<OcspResponse>>>,
    unavailable: Arc<Vec<Need>>,
}

/// Something the core cannot do without and cannot fetch by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The issuer's certificate (RFC 5280 §4.2.2.1 caIssuers): one DER certificate or a PKCS#7 bundle.
    Issuer {
        /// An http or https URL.
        url: String,
    },
    /// A CRL (RFC 5280 §4.2.1.13).
    Crl {
        /// An http or https URL.
        url: String,
    },
    /// An OCSP response (RFC 6960 appendix A) to [`crate::ocsp::request`].
    Ocsp {
        /// An http or https URL.
        url: String,
        /// About whom.
        certificate: Certificate,
        /// Whose word it is, by itself or by a delegate.
        issuer: Certificate,
    },
}

impl Evidence {
    /// Adds a certificate that may serve as an issuer.
    pub fn add_certificate(&mut self, certificate: Certificate) {
        if !self.certificates.contains(&certificate) {
            Arc::make_mut(&mut self.certificates).push(certificate);
        }
    }

    /// Adds a CRL.
    pub fn add_crl(&mut self, crl: Arc<Crl>) {
        Arc::make_mut(&mut self.crls).push(crl);
    }

    /// Adds an OCSP response.
    pub fn add_ocsp(&mut self, response: Arc<OcspResponse>) {
        Arc::make_mut(&mut self.ocsp).push(response);
    }

    /// Says that this need cannot be met, so that it is not asked for again.
    pub fn mark_unavailable(&mut self, need: Need) {
        if !self.unavailable.contains(&need) {
            Arc::make_mut(&mut self.unavailable).push(need);
        }
    }

    /// The certificates added.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The CRLs added.
    #[must_use]
    pub fn crls(&self) -> &[Arc<Crl>] {
        &self.crls
    }

    /// The OCSP responses added.
    #[must_use]
    pub fn ocsp(&self) -> &[Arc<OcspResponse>] {
        &self.ocsp
    }

    /// The needs that cannot be met.
    #[must_use]
    pub fn unavailable(&self) -> &[Need] {
        &self.unavailable
    }
}
