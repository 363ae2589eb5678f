use der::{
    Decode as _, Encode as _, Sequence,
    asn1::{AnyRef, BitStringRef},
};

use super::{IssueError, SignatureAlgorithm, ocsp};

/// What a signer has to sign, and how the signed whole will look.
///
/// It may be finished more than once: a CA signs with a throwaway key first, lints the result,
/// and only then asks the real key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToBeSigned {
    bytes: Vec<u8>,
    algorithm: SignatureAlgorithm,
    shape: Shape,
}

/// Certificates, CRLs and certification requests have one shape; an OCSP answer is wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `SEQUENCE { to-be-signed, AlgorithmIdentifier, BIT STRING }`.
    Signed,
    /// The same with certificates behind it, inside `OCSPResponse` (RFC 6960 §4.2.1).
    OcspResponse { certificates: Vec<Vec<u8>> },
}

impl ToBeSigned {
    pub(super) const fn new(bytes: Vec<u8>, algorithm: SignatureAlgorithm, shape: Shape) -> Self {
        Self {
            bytes,
            algorithm,
            shape,
        }
    }

    /// The very bytes to sign.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The algorithm named inside the bytes; the signature must be made with it.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The signed whole as DER. ECDSA signatures come as DER, see [`super::ecdsa_fixed_to_der`].
    ///
    /// The signature is not verified here; who signs with a device verifies what it returned.
    ///
    /// # Errors
    /// [`IssueError::Encoding`] when the parts exceed the encoder's limit of 256 MiB.
    pub fn finish(&self, signature: &[u8]) -> Result<Vec<u8>, IssueError> {
        let encoding = IssueError::encoding("signed object");
        let signed = Signed {
            to_be_signed: AnyRef::from_der(&self.bytes).map_err(&encoding)?,
            algorithm: AnyRef::from_der(self.algorithm.identifier()).map_err(&encoding)?,
            signature: BitStringRef::from_bytes(signature).map_err(&encoding)?,
        };
        match &self.shape {
            Shape::Signed => signed.to_der().map_err(encoding),
            Shape::OcspResponse { certificates } => ocsp::wrap(&signed, certificates),
        }
    }
}

#[derive(Sequence)]
pub(super) struct Signed<'a> {
    pub(super) to_be_signed: AnyRef<'a>,
    pub(super) algorithm: AnyRef<'a>,
    pub(super) signature: BitStringRef<'a>,
}
