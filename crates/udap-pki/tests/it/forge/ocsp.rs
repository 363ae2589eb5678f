//! OCSP responses with any content.

use super::*;

/// An OCSP response to be.
#[derive(Clone)]
pub(crate) struct OcspSpec {
    pub(crate) responder: Vec<u8>,
    pub(crate) responses: Vec<Vec<u8>>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) algorithm: Vec<u8>,
}

#[derive(Clone, Copy)]
pub(crate) enum Says {
    Good,
    Revoked(u8),
    Unknown,
}

impl OcspSpec {
    pub(crate) fn by_name(subject: &str) -> Self {
        Self {
            responder: tlv(0xa1, &[&name(subject)]),
            responses: Vec::new(),
            certificates: Vec::new(),
            extensions: Vec::new(),
            algorithm: ecdsa_sha256(),
        }
    }

    pub(crate) fn by_key(key: &Key) -> Self {
        let hash = udap_pki::PublicKey::from_spki_der(&key.spki)
            .unwrap()
            .key_id_sha1();
        Self {
            responder: tlv(0xa2, &[&tlv(4, &[&hash])]),
            ..Self::by_name("")
        }
    }

    pub(crate) fn says(self, leaf: &Certificate, issuer: &Certificate, says: Says) -> Self {
        self.says_at(
            leaf,
            issuer,
            says,
            NOW.plus_secs(-600),
            Some(NOW.plus_secs(DAY)),
        )
    }

    pub(crate) fn says_at(
        mut self,
        leaf: &Certificate,
        issuer: &Certificate,
        says: Says,
        this_update: UnixTime,
        next_update: Option<UnixTime>,
    ) -> Self {
        let status = match says {
            Says::Good => tlv(0x80, &[]),
            Says::Unknown => tlv(0x82, &[]),
            Says::Revoked(reason) => tlv(
                0xa1,
                &[
                    &generalized(NOW.plus_secs(-DAY)),
                    &tlv(0xa0, &[&tlv(0x0a, &[&[reason]])]),
                ],
            ),
        };
        // The CertID as a request has it: OCSPRequest, TBSRequest, requestList, Request, then the CertID.
        let request = udap_pki::ocsp::request(leaf, issuer, None);
        let cert_id = &request[8..];
        let next = next_update
            .map(|time| tlv(0xa0, &[&generalized(time)]))
            .unwrap_or_default();
        self.responses
            .push(seq(&[cert_id, &status, &generalized(this_update), &next]));
        self
    }

    pub(crate) fn with_certificate(mut self, certificate: &Certificate) -> Self {
        self.certificates.push(certificate.der().to_vec());
        self
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn der(&self, signer: &Key) -> Vec<u8> {
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xa1, &[&seq(&[&self.extensions.concat()])])
        };
        let tbs = seq(&[
            &self.responder,
            &generalized(NOW.plus_secs(-600)),
            &seq(&[&self.responses.concat()]),
            &extensions,
        ]);
        let certificates = if self.certificates.is_empty() {
            Vec::new()
        } else {
            tlv(0xa0, &[&seq(&[&self.certificates.concat()])])
        };
        let basic = seq(&[
            &tbs,
            &self.algorithm,
            &tlv(3, &[&[0], &signer.sign(&tbs)]),
            &certificates,
        ]);
        let bytes = seq(&[&oid("1.3.6.1.5.5.7.48.1.1"), &tlv(4, &[&basic])]);
        seq(&[&tlv(0x0a, &[&[0]]), &tlv(0xa0, &[&bytes])])
    }

    pub(crate) fn sign(&self, signer: &Key) -> Arc<OcspResponse> {
        Arc::new(OcspResponse::from_der(&self.der(signer)).unwrap())
    }
}
