use std::fmt;

use udap_pki::{Certificate, issue::SignatureAlgorithm};

use crate::{CaError, keys::SigningKey, store};

/// What a CA's keys are. Members' keys are another matter, see [`crate::MemberKey`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CaKeyType {
    /// Small and fast, verified everywhere that matters.
    #[default]
    EcdsaP256,
    /// For communities whose members only verify RSA.
    Rsa2048,
}

impl CaKeyType {
    /// The name used on command lines and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Rsa2048 => "rsa-2048",
        }
    }

    /// The key type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EcdsaP256, Self::Rsa2048]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    pub(crate) const fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::EcdsaP256 => SignatureAlgorithm::EcdsaP256Sha256,
            Self::Rsa2048 => SignatureAlgorithm::RsaPkcs1Sha256,
        }
    }
}

/// The two authorities of a CA: what each is called in files, rows and URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Root,
    Issuing,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
        }
    }

    pub(crate) const fn key_file(self) -> &'static str {
        match self {
            Self::Root => "root.key",
            Self::Issuing => "issuing.key",
        }
    }

    /// A copy for the operator, to be handed to members as anchor or intermediate.
    pub(crate) const fn certificate_file(self) -> &'static str {
        match self {
            Self::Root => "root.pem",
            Self::Issuing => "issuing.pem",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, CaError> {
        [Self::Root, Self::Issuing]
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| store::damaged(format!("there is no authority {name:?}")))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A certificate that signs, and its key.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) role: Role,
    pub(crate) certificate: Certificate,
    pub(crate) key: SigningKey,
}
