//! Keys and a small hierarchy for the tests of `issue` and `lint`.

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};

use super::*;
use crate::{Certificate, UnixTime};

pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, SignatureAlgorithm),
}

impl Key {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::Ec(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            SignatureAlgorithm::EcdsaP256Sha256,
        )
    }

    pub(crate) fn p384() -> Self {
        Self::Ec(
            EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap(),
            SignatureAlgorithm::EcdsaP384Sha384,
        )
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        match self {
            Self::Rsa(_) => SignatureAlgorithm::RsaPkcs1Sha256,
            Self::Ec(_, algorithm) => *algorithm,
        }
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(key) => key.public_key().as_der().unwrap(),
            Self::Ec(key, _) => key.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    pub(crate) fn sign(&self, to_be_signed: &ToBeSigned) -> Vec<u8> {
        assert_eq!(to_be_signed.algorithm(), self.algorithm());
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    to_be_signed.bytes(),
                    &mut signature,
                )
                .unwrap();
                signature
            }
            Self::Ec(key, _) => key
                .sign(&random, to_be_signed.bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
        };
        to_be_signed.finish(&signature).unwrap()
    }
}

pub(crate) const NOW: UnixTime = UnixTime(1_795_536_000); // 2026-11-24T16:00:00Z
pub(crate) const DAY: i64 = 86_400;

/// A specification that lints clean, to be changed by a test.
pub(crate) fn spec<'a>(
    profile: Profile,
    subject: &'a Subject,
    spki: &'a [u8],
    ca: Option<(&'a Certificate, &Key)>,
) -> CertificateSpec<'a> {
    let days = match profile {
        Profile::Root => 3650,
        Profile::IssuingCa => 1825,
        Profile::OcspSigner => 7,
        _ => 90,
    };
    let url = |path: &str| vec![format!("http://ca.example/{path}")];
    CertificateSpec {
        profile,
        serial: &[0x5a; 16],
        subject,
        spki_der: spki,
        issuer: ca.map_or(Issuer::SelfSigned, |(certificate, _)| {
            Issuer::Certificate(certificate)
        }),
        not_before: NOW.plus_secs(-DAY),
        not_after: NOW.plus_secs(days * DAY),
        names: Names {
            uris: if profile.is_member() {
                vec!["https://member.example/fhir".to_owned()]
            } else {
                Vec::new()
            },
            dns: if profile == Profile::TlsServer {
                vec!["localhost".to_owned()]
            } else {
                Vec::new()
            },
            ips: Vec::new(),
        },
        urls: match profile {
            Profile::Root | Profile::TlsServer => Urls::default(),
            Profile::OcspSigner => Urls {
                ca_issuers: url("certs/issuing.cer"),
                ..Urls::default()
            },
            Profile::IssuingCa => Urls {
                crl: url("crl/root.crl"),
                ca_issuers: url("certs/root.cer"),
                ocsp: Vec::new(),
            },
            _ => Urls {
                crl: url("crl/issuing.crl"),
                ca_issuers: url("certs/issuing.cer"),
                ocsp: url("ocsp"),
            },
        },
        extensions: &[],
        algorithm: ca.map_or(SignatureAlgorithm::EcdsaP256Sha256, |(_, key)| {
            key.algorithm()
        }),
    }
}

pub(crate) fn issue(spec: &CertificateSpec<'_>, signer: &Key) -> Certificate {
    Certificate::from_der(&signer.sign(&certificate(spec).unwrap())).unwrap()
}

pub(crate) struct Hierarchy {
    pub(crate) root_key: Key,
    pub(crate) root: Certificate,
    pub(crate) issuing_key: Key,
    pub(crate) issuing: Certificate,
}

impl Hierarchy {
    pub(crate) fn new() -> Self {
        Self::of(Key::p256(), Key::p256())
    }

    pub(crate) fn of(root_key: Key, issuing_key: Key) -> Self {
        let subject = Subject::named("Test root").of_organization("Test");
        let spki = root_key.spki();
        let mut root = spec(Profile::Root, &subject, &spki, None);
        root.algorithm = root_key.algorithm();
        let root = issue(&root, &root_key);
        let subject = Subject::named("Test issuing CA");
        let issuing = issue(
            &spec(
                Profile::IssuingCa,
                &subject,
                &issuing_key.spki(),
                Some((&root, &root_key)),
            ),
            &root_key,
        );
        Self {
            root_key,
            root,
            issuing_key,
            issuing,
        }
    }

    pub(crate) fn leaf(&self, profile: Profile, key: &Key) -> Certificate {
        let subject = Subject::named("Test member");
        issue(
            &spec(
                profile,
                &subject,
                &key.spki(),
                Some((&self.issuing, &self.issuing_key)),
            ),
            &self.issuing_key,
        )
    }
}
