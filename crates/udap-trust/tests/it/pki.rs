//! A root, an issuing CA and leaves that name whichever URLs a test wants.

use udap_pki::issue::{
    self, CertificateSpec, CrlEntry, CrlSpec, Issuer, Names, OcspAnswer, OcspSpec, OcspStatus,
    Profile, RevocationReason, SignatureAlgorithm, Subject, Urls,
};
use udap_pki::{Anchor, Certificate, UnixTime};
use udap_testkit::{DAY, NOW};
use udap_trust::keys::{KeyType, generate};
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _};
use udap_trust::verify::CommunityTrust;

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaP256Sha256;

pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    pub(crate) signer: KeySigner,
}

pub(crate) struct Pki {
    pub(crate) uri: String,
    pub(crate) root: Ca,
    pub(crate) issuing: Ca,
    pub(crate) base: String,
}

impl Pki {
    /// A community whose certificates name `{base}/root.crl` and `{base}/issuing.crl`.
    pub(crate) fn new(base: &str) -> Self {
        let root = Ca::new(
            &format!("Root of {base}"),
            Profile::Root,
            None,
            Urls::default(),
        );
        let urls = Urls {
            crl: vec![format!("{base}/root.crl")],
            ..Urls::default()
        };
        Self {
            uri: "https://community.example".to_owned(),
            issuing: Ca::new(
                &format!("Issuing CA of {base}"),
                Profile::IssuingCa,
                Some(&root),
                urls,
            ),
            root,
            base: base.to_owned(),
        }
    }

    pub(crate) fn trust(&self) -> CommunityTrust {
        let anchor = Anchor::new(self.root.certificate.clone());
        CommunityTrust::new(&self.uri, vec![anchor])
    }

    pub(crate) fn leaf(&self) -> Certificate {
        self.leaf_with(Urls {
            crl: vec![format!("{}/issuing.crl", self.base)],
            ..Urls::default()
        })
    }

    pub(crate) fn leaf_with(&self, urls: Urls) -> Certificate {
        self.issuing
            .issue("App", Profile::App, &signer(), urls, (-DAY, 90 * DAY))
    }
}

impl Ca {
    pub(crate) fn new(name: &str, profile: Profile, issuer: Option<&Self>, urls: Urls) -> Self {
        let signer = signer();
        let valid = (-100 * DAY, 1000 * DAY);
        let certificate = match issuer {
            Some(issuer) => issuer.issue(name, profile, &signer, urls, valid),
            None => sign(name, profile, &signer, None, &signer, urls, valid),
        };
        Self {
            certificate,
            signer,
        }
    }

    pub(crate) fn issue(
        &self,
        name: &str,
        profile: Profile,
        subject: &KeySigner,
        urls: Urls,
        valid: (i64, i64),
    ) -> Certificate {
        sign(
            name,
            profile,
            subject,
            Some(&self.certificate),
            &self.signer,
            urls,
            valid,
        )
    }

    /// A CRL from and until these seconds from [`NOW`].
    pub(crate) fn crl(&self, from: i64, until: i64, revoked: &[&Certificate]) -> Vec<u8> {
        let entries: Vec<_> = revoked
            .iter()
            .map(|certificate| CrlEntry {
                serial: certificate.serial().to_vec(),
                revoked_at: NOW.plus_secs(from),
                reason: RevocationReason::KeyCompromise,
            })
            .collect();
        let unsigned = issue::crl(&CrlSpec {
            issuer: &self.certificate,
            number: u64::try_from(1_000_000 + from).unwrap(),
            this_update: NOW.plus_secs(from),
            next_update: NOW.plus_secs(until),
            entries: &entries,
            algorithm: ALGORITHM,
        })
        .unwrap();
        let signature = self
            .signer
            .sign_now(ALGORITHM.scheme(), unsigned.bytes())
            .unwrap();
        unsigned.finish(&signature).unwrap()
    }

    /// An OCSP response about one certificate of this CA, good for so long.
    pub(crate) fn ocsp(
        &self,
        about: &Certificate,
        status: OcspStatus,
        from: i64,
        until: i64,
    ) -> Vec<u8> {
        let hash = issue::CertIdHash::Sha1;
        let unsigned = issue::ocsp_answer(&OcspSpec {
            responder: &self.certificate,
            certificates: &[],
            answers: &[OcspAnswer {
                cert_id: issue::CertId::new(&self.certificate, about.serial(), hash).unwrap(),
                status,
                this_update: NOW.plus_secs(from),
                next_update: NOW.plus_secs(until),
            }],
            produced_at: NOW.plus_secs(from),
            nonce: None,
            algorithm: ALGORITHM,
        })
        .unwrap();
        let signature = self
            .signer
            .sign_now(ALGORITHM.scheme(), unsigned.bytes())
            .unwrap();
        unsigned.finish(&signature).unwrap()
    }
}

pub(crate) fn signer() -> KeySigner {
    KeySigner::from_pkcs8(&generate(KeyType::P256).unwrap()).unwrap()
}

pub(crate) fn at(secs: i64) -> UnixTime {
    NOW.plus_secs(secs)
}

fn sign(
    name: &str,
    profile: Profile,
    subject: &KeySigner,
    issuer: Option<&Certificate>,
    by: &KeySigner,
    urls: Urls,
    valid: (i64, i64),
) -> Certificate {
    let uris = match profile {
        Profile::App => vec!["https://app.example".to_owned()],
        _ => Vec::new(),
    };
    let unsigned = issue::certificate(&CertificateSpec {
        profile,
        serial: &random::bytes::<18>(),
        subject: &Subject::named(name),
        spki_der: subject.public_key().spki_der(),
        issuer: issuer.map_or(Issuer::SelfSigned, Issuer::Certificate),
        not_before: NOW.plus_secs(valid.0),
        not_after: NOW.plus_secs(valid.1),
        names: Names {
            uris,
            ..Names::default()
        },
        urls,
        extensions: &[],
        algorithm: ALGORITHM,
    })
    .unwrap();
    let signature = by.sign_now(ALGORITHM.scheme(), unsigned.bytes()).unwrap();
    Certificate::from_der(&unsigned.finish(&signature).unwrap()).unwrap()
}
