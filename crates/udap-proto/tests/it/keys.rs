//! Keys of every kind, with a certificate each, made when a test runs.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use udap_pki::PublicKey;
use udap_proto::jwk::Jwk;
use udap_proto::jws::{JwsAlg, Unsigned};

pub(crate) struct Key {
    pair: Pair,
    pkcs8: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Key {
    pub(crate) fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pkcs8 = der.as_ref().to_vec();
        Self::new(Pair::Rsa(pair), pkcs8)
    }
    pub(crate) fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING)
    }
    pub(crate) fn p384() -> Self {
        Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING)
    }
    pub(crate) fn p521() -> Self {
        Self::ec(&ECDSA_P521_SHA512_FIXED_SIGNING)
    }
    fn ec(alg: &'static signature::EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(alg).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
        Self::new(Pair::Ec(pair), pkcs8)
    }
    pub(crate) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
        Self::new(Pair::Ed(pair), pkcs8)
    }

    fn new(pair: Pair, pkcs8: Vec<u8>) -> Self {
        let key = rcgen::KeyPair::try_from(pkcs8.as_slice()).unwrap();
        let params = rcgen::CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            pair,
            pkcs8,
            certificate,
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        let spki = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap(),
        };
        PublicKey::from_spki_der(spki.as_ref()).unwrap()
    }

    pub(crate) fn jwk(&self, kid: &str) -> Jwk {
        Jwk::from_public_key(&self.public(), Some(kid.to_owned()), None).unwrap()
    }

    /// A signature of this kind, whether or not the key is meant for it.
    pub(crate) fn sign(&self, alg: JwsAlg, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match alg {
                    JwsAlg::RS384 => &signature::RSA_PKCS1_SHA384,
                    JwsAlg::RS512 => &signature::RSA_PKCS1_SHA512,
                    JwsAlg::PS256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &rng, message, &mut bytes).unwrap();
                bytes
            }
            Pair::Ec(pair) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A P-256 signature in the DER form that X.509 uses and JOSE does not.
    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8).unwrap();
        pair.sign(&SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    }

    /// A JWT with this header and these claims, signed by this key.
    pub(crate) fn jwt(&self, alg: JwsAlg, header: &Map<String, Value>, claims: &Value) -> String {
        let unsigned = Unsigned::new(header, claims.as_object().unwrap());
        let signature = self.sign(alg, unsigned.signing_input());
        unsigned.with_signature(&signature)
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn x5c(certificates: &[&[u8]]) -> Value {
    certificates
        .iter()
        .map(|der| Value::String(STANDARD.encode(der)))
        .collect()
}
