use std::net::IpAddr;

use udap_pki::{
    Certificate, UnixTime,
    issue::{CertificateSpec, CertificationRequest, Issuer, Names, Profile, Subject, Urls},
    pem,
};
use udap_trust::keys::KeyType;
use zeroize::Zeroizing;

use crate::{
    Ca, CaError, Hierarchy,
    authority::Role,
    check::{self, now_is_within, random_serial, serial_hex},
    store::{self, NewCertificate, Write},
};

/// What to certify.
#[derive(Clone, Debug)]
pub struct IssueOptions {
    /// What the certificate is for.
    pub profile: Profile,
    /// Whose it is.
    pub subject: Subject,
    /// URIs the member is known by, byte for byte as it will write them in `iss`.
    pub uris: Vec<String>,
    /// Host names, for TLS servers.
    pub dns: Vec<String>,
    /// Addresses, for TLS servers.
    pub ips: Vec<IpAddr>,
    /// Whose key.
    pub key: MemberKey,
    /// How long.
    pub validity: Validity,
}

/// The key that is certified.
#[derive(Clone, Debug)]
pub enum MemberKey {
    /// Made here and handed over with the certificate; the CA keeps no copy.
    Generate(KeyType),
    /// The member's own: a PKCS#10 request, PEM or DER, that proves possession. Its names are not
    /// taken; the operator says what is certified.
    Request(Vec<u8>),
}

/// How long a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From five minutes ago, so that clocks that lag a little see it as valid.
    Days(u32),
    /// From and until these seconds; a sandbox makes its expired certificate so.
    Between {
        /// First second.
        not_before: UnixTime,
        /// Last second.
        not_after: UnixTime,
    },
}

impl IssueOptions {
    /// A certificate of 90 days (200 for a TLS server) for a new key: RSA for a data holder, since
    /// metadata is signed RS256, P-256 otherwise.
    #[must_use]
    pub fn new(profile: Profile, common_name: impl Into<String>) -> Self {
        let key_type = if profile == Profile::DataHolder {
            KeyType::Rsa2048
        } else {
            KeyType::P256
        };
        Self {
            profile,
            subject: Subject::named(common_name),
            uris: Vec::new(),
            dns: Vec::new(),
            ips: Vec::new(),
            key: MemberKey::Generate(key_type),
            validity: Validity::Days(DEFAULT_DAYS),
        }
    }

    /// The same with a URI name.
    #[must_use]
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uris.push(uri.into());
        self
    }

    /// The same with a host name.
    #[must_use]
    pub fn dns(mut self, name: impl Into<String>) -> Self {
        self.dns.push(name.into());
        self
    }

    /// The same for this key.
    #[must_use]
    pub fn key(mut self, key: MemberKey) -> Self {
        self.key = key;
        self
    }

    /// The same for this time.
    #[must_use]
    pub const fn validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }
}

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// The certificate and its intermediates, without the root: what goes into `x5c`.
    pub chain: Vec<Certificate>,
    /// The private key, PKCS#8 DER, if it was made here.
    pub key: Option<Zeroizing<Vec<u8>>>,
}

impl Issued {
    /// The chain as PEM, leaf first.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::to_pem).collect()
    }

    /// The private key as PEM, if it was made here.
    #[must_use]
    pub fn key_pem(&self) -> Option<Zeroizing<String>> {
        self.key
            .as_ref()
            .map(|der| Zeroizing::new(pem::encode("PRIVATE KEY", der)))
    }
}

impl Ca {
    /// Issues a certificate and records it. It is on disk before it is returned, so that every
    /// certificate there is can be revoked.
    ///
    /// # Errors
    /// [`CaError::ProfileNotOffered`], [`CaError::Csr`], [`CaError::Issue`] for names that cannot be
    /// written, [`CaError::Lint`] for what the profile forbids; nothing is recorded then.
    pub async fn issue(&self, options: IssueOptions) -> Result<Issued, CaError> {
        self.offers(options.profile)?;
        self.issuer_is_usable().await?;
        let (spki_der, key) = match &options.key {
            MemberKey::Generate(key_type) => {
                let (spki_der, key) = crate::keys::generate_member(*key_type).await?;
                (spki_der, Some(key))
            }
            MemberKey::Request(bytes) => (
                CertificationRequest::parse(bytes)?.spki_der().to_vec(),
                None,
            ),
        };
        let names = Names {
            uris: options.uris,
            dns: options.dns,
            ips: options.ips,
        };
        let certificate = self
            .certify(
                options.profile,
                &options.subject,
                &spki_der,
                names,
                self.dates(options.validity)?,
            )
            .await?;
        let mut chain = vec![certificate.clone()];
        chain.extend(
            self.issuing
                .iter()
                .map(|issuing| issuing.certificate.clone()),
        );
        Ok(Issued {
            certificate,
            chain,
            key,
        })
    }

    /// Builds, rehearses, signs and records.
    pub(crate) async fn certify(
        &self,
        profile: Profile,
        subject: &Subject,
        spki_der: &[u8],
        names: Names,
        (not_before, not_after): (UnixTime, UnixTime),
    ) -> Result<Certificate, CaError> {
        let authority = self.issuer();
        let serial = random_serial();
        let spec = CertificateSpec {
            profile,
            serial: &serial,
            subject,
            spki_der,
            issuer: Issuer::Certificate(&authority.certificate),
            not_before,
            not_after,
            names,
            urls: self.urls(profile),
            extensions: &[],
            algorithm: authority.key.algorithm(),
        };
        let certificate = check::sign_certificate(&spec, authority, self.stand_in().await?).await?;
        let mut write = self.store.write().await?;
        record(
            &mut write,
            &certificate,
            profile,
            authority.role,
            self.now(),
        )
        .await?;
        store::commit(write).await?;
        Ok(certificate)
    }

    /// A community's CA certifies members, and only the CA of TLS servers certifies those: a
    /// community certificate never serves for TLS (HL7 SSRAA has them apart).
    fn offers(&self, profile: Profile) -> Result<(), CaError> {
        let offered = match self.hierarchy() {
            Hierarchy::Community { .. } => profile.is_member(),
            Hierarchy::TlsServers => profile == Profile::TlsServer,
        };
        if offered {
            Ok(())
        } else {
            Err(CaError::ProfileNotOffered { profile })
        }
    }

    /// Nothing is issued under a certificate that no chain can use.
    async fn issuer_is_usable(&self) -> Result<(), CaError> {
        let certificate = &self.issuer().certificate;
        if !now_is_within(certificate, self.now()) {
            return Err(CaError::IssuerUnusable {
                reason: format!("it is over since {}", certificate.not_after()),
            });
        }
        let row = self
            .store
            .certificate(&serial_hex(certificate.serial()))
            .await?;
        match row.and_then(|row| row.revoked) {
            Some((at, reason)) => Err(CaError::IssuerUnusable {
                reason: format!("it is revoked since {at}: {reason}"),
            }),
            None => Ok(()),
        }
    }

    fn dates(&self, validity: Validity) -> Result<(UnixTime, UnixTime), CaError> {
        match validity {
            Validity::Between {
                not_before,
                not_after,
            } => Ok((not_before, not_after)),
            Validity::Days(days) if (1..=MAX_DAYS).contains(&days) => {
                let now = self.now();
                // Never past the issuer's own end: a shorter certificate serves, a broken chain does not.
                let not_after = now
                    .plus_secs(i64::from(days) * DAY)
                    .min(self.issuer().certificate.not_after());
                Ok((now.plus_secs(-BACKDATE), not_after))
            }
            Validity::Days(days) => Err(CaError::Days { days }),
        }
    }

    fn urls(&self, profile: Profile) -> Urls {
        let url = |path| self.url(path).into_iter().collect();
        match profile {
            // Its own revocation is not asked for (ocsp-nocheck).
            Profile::OcspSigner => Urls {
                ca_issuers: url("certs/issuing.cer"),
                ..Urls::default()
            },
            _ => Urls {
                crl: url("crl/issuing.crl"),
                ca_issuers: url("certs/issuing.cer"),
                ocsp: url("ocsp"),
            },
        }
    }
}

/// Writes the row of a certificate that `issuer` signed.
pub(crate) async fn record(
    write: &mut Write,
    certificate: &Certificate,
    profile: Profile,
    issuer: Role,
    now: UnixTime,
) -> Result<(), CaError> {
    let addresses = certificate.ip_names().iter().map(ToString::to_string);
    let names: Vec<String> = certificate
        .uri_names()
        .iter()
        .chain(certificate.dns_names())
        .cloned()
        .chain(addresses)
        .collect();
    store::put_certificate(
        write,
        NewCertificate {
            serial: &serial_hex(certificate.serial()),
            issuer: issuer.as_str(),
            profile,
            subject: &certificate.subject().to_string(),
            names: &names,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            issued_at: now,
            der: certificate.der(),
        },
    )
    .await
}

/// Short, so that renewal is routine and a lost key is of little use.
const DEFAULT_DAYS: u32 = 90;

/// The lint has the profile's own limit; this only keeps the arithmetic sane.
const MAX_DAYS: u32 = 10_000;

/// Members' clocks may lag this much.
const BACKDATE: i64 = 300;

const DAY: i64 = 86_400;
