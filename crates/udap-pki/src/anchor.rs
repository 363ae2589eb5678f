//! Trust anchors.

use crate::Certificate;

/// A certificate that is trusted because the operator says so. Any certificate can be one, also an
/// intermediate; its own dates and constraints count (RFC 5937).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor(Certificate);

impl Anchor {
    /// Trusts this certificate.
    #[must_use]
    pub const fn new(certificate: Certificate) -> Self {
        Self(certificate)
    }

    /// The certificate itself.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.0
    }
}
