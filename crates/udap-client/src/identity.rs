//! Who the app is: a URI, the certificate that says so, and its key.

use crate::error::ClientError;
use std::sync::Arc;
use udap_pki::Certificate;
use udap_trust::signer::Signer;

/// Who the app is in one community.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The app's URI: the `iss` of its software statements, and a URI name of its certificate.
    pub uri: String,
    /// Leaf first, then intermediates; all of them go into `x5c`.
    pub chain: Vec<Certificate>,
    /// Whoever holds the leaf's key.
    pub signer: Arc<dyn Signer>,
    /// The community that issued the certificate.
    pub community: String,
}

impl Identity {
    /// Finds mistakes that every server would refuse: no certificate, a URI that is not one of its
    /// names, a key that is not its key.
    ///
    /// # Errors
    /// [`ClientError::NoCertificate`], [`ClientError::UriNotInCertificate`] or
    /// [`ClientError::OtherKey`].
    pub fn check(&self) -> Result<(), ClientError> {
        let leaf = self.chain.first().ok_or(ClientError::NoCertificate)?;
        if !leaf.uri_names().contains(&self.uri) {
            return Err(ClientError::UriNotInCertificate {
                uri: self.uri.clone(),
                names: leaf.uri_names().to_vec(),
            });
        }
        if self.signer.public_key().spki_der() != leaf.spki_der() {
            return Err(ClientError::OtherKey {
                subject: leaf.subject().to_string(),
            });
        }
        Ok(())
    }
}
