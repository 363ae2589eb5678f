use der::{Encode as _, Sequence, asn1::UintRef};

use super::IssueError;
use crate::Scheme;

/// The algorithms this CA signs with; all others are verified only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// `sha256WithRSAEncryption`, RFC 4055 §5.
    RsaPkcs1Sha256,
    /// `ecdsa-with-SHA256` over P-256, RFC 5758 §3.2.
    EcdsaP256Sha256,
    /// `ecdsa-with-SHA384` over P-384, RFC 5758 §3.2.
    EcdsaP384Sha384,
}

impl SignatureAlgorithm {
    /// The scheme that verifies what this algorithm signed.
    #[must_use]
    pub const fn scheme(self) -> Scheme {
        match self {
            Self::RsaPkcs1Sha256 => Scheme::RsaPkcs1Sha256,
            Self::EcdsaP256Sha256 => Scheme::EcdsaSha256Der,
            Self::EcdsaP384Sha384 => Scheme::EcdsaSha384Der,
        }
    }

    /// The DER of the AlgorithmIdentifier: RSA with NULL parameters (RFC 4055 §5), ECDSA with none
    /// (RFC 5758 §3.2).
    pub(super) const fn identifier(self) -> &'static [u8] {
        match self {
            Self::RsaPkcs1Sha256 => &[
                0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05,
                0x00,
            ],
            Self::EcdsaP256Sha256 => &[
                0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
            ],
            Self::EcdsaP384Sha384 => &[
                0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03,
            ],
        }
    }
}

/// Turns an ECDSA signature of the JOSE form (r ‖ s, RFC 7518 §3.4) into the form X.509 wants
/// (a SEQUENCE of two INTEGERs, RFC 3279 §2.2.3).
///
/// # Errors
/// [`IssueError::Signature`] when the length is neither 64 (P-256) nor 96 (P-384).
pub fn ecdsa_fixed_to_der(fixed: &[u8]) -> Result<Vec<u8>, IssueError> {
    if !matches!(fixed.len(), 64 | 96) {
        return Err(IssueError::Signature {
            found: fixed.len(),
            expected: "64 (P-256) or 96 (P-384) bytes",
        });
    }
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let encoding = IssueError::encoding("ECDSA signature");
    let pair = EcdsaSignature {
        r: UintRef::new(r).map_err(&encoding)?,
        s: UintRef::new(s).map_err(&encoding)?,
    };
    pair.to_der().map_err(encoding)
}

#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}
