//! Communities with everything that can be wrong with a member's certificate, and a web server for
//! their CRLs. They are made once and shared by all tests; a test that revokes revokes its own app.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};
use udap_pki::issue::{
    self, CertificateSpec, CrlEntry, CrlSpec, Issuer, Names, Profile, RevocationReason,
    SignatureAlgorithm, Subject, Urls,
};
use udap_pki::{Certificate, KeyKind, UnixTime, pem};
use udap_trust::clock;
use udap_trust::keys::{KeyType, generate};
use udap_trust::random;
use udap_trust::signer::{KeySigner, Signer as _};

pub(crate) const DAY: i64 = 86_400;

/// Two communities that the data holder serves, and one that nobody knows.
pub(crate) struct World {
    pub(crate) a: Community,
    pub(crate) b: Community,
    pub(crate) rogue: Community,
    /// Those who certify apps, on a root of their own.
    pub(crate) auditors: Community,
    /// `localhost:port` of the web server.
    pub(crate) web: String,
    published: Published,
}

type Published = Arc<Mutex<HashMap<String, Vec<u8>>>>;

pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let published = Published::default();
        let web = serve(Arc::clone(&published));
        let community = |name: &str| Community::new(name, &web, Arc::clone(&published));
        World {
            a: community("a"),
            b: community("b"),
            rogue: community("rogue"),
            auditors: community("auditors"),
            web: web.clone(),
            published,
        }
    })
}

impl World {
    /// Puts something on the web; the URL.
    pub(crate) fn publish(&self, path: &str, bytes: &[u8]) -> String {
        let path = format!("/{path}");
        self.published
            .lock()
            .unwrap()
            .insert(path.clone(), bytes.to_vec());
        format!("http://{}{path}", self.web)
    }
}

/// A root and an issuing CA, both P-256.
pub(crate) struct Community {
    pub(crate) uri: String,
    pub(crate) root: Authority,
    pub(crate) issuing: Authority,
    /// Another one, which publishes no CRL that can be used.
    pub(crate) silent: Authority,
    name: String,
    base: String,
    revoked: Mutex<Vec<CrlEntry>>,
    published: Published,
}

pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    pub(crate) signer: KeySigner,
}

impl Community {
    fn new(name: &str, web: &str, published: Published) -> Self {
        let now = clock::now();
        let base = format!("http://{web}/{name}");
        let root_signer = signer(KeyType::P256);
        let root = sign(
            &CertificateSpec {
                profile: Profile::Root,
                serial: &random::bytes::<18>(),
                subject: &Subject::named(format!("Community {name} root")),
                spki_der: root_signer.public_key().spki_der(),
                issuer: Issuer::SelfSigned,
                not_before: now.plus_secs(-1000 * DAY),
                not_after: now.plus_secs(2000 * DAY),
                names: Names::default(),
                urls: Urls::default(),
                extensions: &[],
                algorithm: algorithm(&root_signer),
            },
            &root_signer,
        );
        let issuing = |name: String| {
            let signer = signer(KeyType::P256);
            let certificate = sign(
                &CertificateSpec {
                    profile: Profile::IssuingCa,
                    serial: &random::bytes::<18>(),
                    subject: &Subject::named(name),
                    spki_der: signer.public_key().spki_der(),
                    issuer: Issuer::Certificate(&root),
                    not_before: now.plus_secs(-900 * DAY),
                    not_after: now.plus_secs(1000 * DAY),
                    names: Names::default(),
                    urls: Urls {
                        crl: vec![format!("{base}/root.crl")],
                        ..Urls::default()
                    },
                    extensions: &[],
                    algorithm: algorithm(&root_signer),
                },
                &root_signer,
            );
            Authority {
                certificate,
                signer,
            }
        };
        let (issuing, silent) = (
            issuing(format!("Community {name} issuing CA")),
            issuing(format!("Community {name} silent CA")),
        );
        let community = Self {
            uri: format!("https://{name}.community.example"),
            root: Authority {
                certificate: root,
                signer: root_signer,
            },
            issuing,
            silent,
            name: name.to_owned(),
            base,
            revoked: Mutex::default(),
            published,
        };
        let put = |path: &str, bytes: Vec<u8>| {
            let path = format!("/{}/{path}", community.name);
            community.published.lock().unwrap().insert(path, bytes);
        };
        put("root.crl", crl(&community.root, &[], -60, DAY));
        put("issuing.crl", crl(&community.issuing, &[], -60, DAY));
        put("lapsed.crl", crl(&community.silent, &[], -2 * DAY, -DAY));
        put("junk.crl", b"<html>not a CRL</html>".to_vec());
        put("issuing.cer", community.issuing.certificate.der().to_vec());
        community
    }

    /// A URL of this community's place on the web.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// An app with a P-256 key.
    pub(crate) fn app(&self, uri: &str) -> Member {
        self.member(&[uri]).issue()
    }

    pub(crate) fn member(&self, uris: &[&str]) -> MemberBuilder<'_> {
        let now = clock::now();
        MemberBuilder {
            issuing: &self.issuing,
            profile: Profile::App,
            uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
            signer: None,
            not_before: now.plus_secs(-DAY),
            not_after: now.plus_secs(30 * DAY),
            crl: vec![self.url("issuing.crl")],
            ca_issuers: Vec::new(),
        }
    }

    /// An app of the silent CA, whose certificate names these CRLs.
    pub(crate) fn silent(&self, uri: &str, crl: &[String]) -> Member {
        let mut member = self.member(&[uri]);
        member.issuing = &self.silent;
        member.crl = crl.to_vec();
        member.issue()
    }

    /// The root certifies the key of another CA.
    pub(crate) fn cross(&self, name: &str, ca: &Certificate, crl: &str) -> Certificate {
        let now = clock::now();
        sign(
            &CertificateSpec {
                profile: Profile::IssuingCa,
                serial: &random::bytes::<18>(),
                subject: &Subject::named(name),
                spki_der: ca.spki_der(),
                issuer: Issuer::Certificate(&self.root.certificate),
                not_before: now.plus_secs(-DAY),
                not_after: now.plus_secs(DAY),
                names: Names::default(),
                urls: Urls {
                    crl: vec![self.url(crl)],
                    ..Urls::default()
                },
                extensions: &[],
                algorithm: SignatureAlgorithm::EcdsaP256Sha256,
            },
            &self.root.signer,
        )
    }

    /// A certificate with the name of the root and another key: of a CA, or of none.
    pub(crate) fn namesake(&self, profile: Profile) -> Certificate {
        let now = clock::now();
        let signer = signer(KeyType::P256);
        let uris = match profile {
            Profile::App => vec!["https://namesake.example".to_owned()],
            _ => Vec::new(),
        };
        sign(
            &CertificateSpec {
                profile,
                serial: &random::bytes::<18>(),
                subject: &Subject::named(format!("Community {} root", self.name)),
                spki_der: signer.public_key().spki_der(),
                issuer: match profile {
                    Profile::Root => Issuer::SelfSigned,
                    _ => Issuer::Certificate(&self.root.certificate),
                },
                not_before: now.plus_secs(-DAY),
                not_after: now.plus_secs(DAY),
                names: Names {
                    uris,
                    ..Names::default()
                },
                urls: Urls::default(),
                extensions: &[],
                algorithm: algorithm(&signer),
            },
            match profile {
                Profile::Root => &signer,
                _ => &self.root.signer,
            },
        )
    }

    /// Publishes a CRL of the silent CA.
    pub(crate) fn silent_crl(&self, path: &str, revoked: &[&Certificate]) {
        let revoked: Vec<_> = revoked
            .iter()
            .map(|certificate| CrlEntry {
                serial: certificate.serial().to_vec(),
                revoked_at: clock::now().plus_secs(-10),
                reason: RevocationReason::KeyCompromise,
            })
            .collect();
        let bytes = crl(&self.silent, &revoked, 0, DAY);
        let path = format!("/{}/{path}", self.name);
        self.published.lock().unwrap().insert(path, bytes);
    }

    /// Revokes a certificate, and publishes the CRL that says so.
    pub(crate) fn revoke(&self, certificate: &Certificate) {
        let mut revoked = self.revoked.lock().unwrap();
        revoked.push(CrlEntry {
            serial: certificate.serial().to_vec(),
            revoked_at: clock::now().plus_secs(-10),
            reason: RevocationReason::KeyCompromise,
        });
        let bytes = crl(&self.issuing, &revoked, 0, DAY);
        let path = format!("/{}/issuing.crl", self.name);
        self.published.lock().unwrap().insert(path, bytes);
    }
}

/// A member that is being described.
pub(crate) struct MemberBuilder<'a> {
    issuing: &'a Authority,
    profile: Profile,
    uris: Vec<String>,
    signer: Option<KeySigner>,
    not_before: UnixTime,
    not_after: UnixTime,
    crl: Vec<String>,
    ca_issuers: Vec<String>,
}

impl MemberBuilder<'_> {
    pub(crate) fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }
    /// An existing key.
    pub(crate) fn key(mut self, signer: &KeySigner) -> Self {
        self.signer = Some(signer.clone());
        self
    }
    /// From and until when it is valid, in seconds from now.
    pub(crate) fn valid(mut self, from: i64, until: i64) -> Self {
        let now = clock::now();
        self.not_before = now.plus_secs(from);
        self.not_after = now.plus_secs(until);
        self
    }
    pub(crate) fn ca_issuers(mut self, url: String) -> Self {
        self.ca_issuers = vec![url];
        self
    }

    pub(crate) fn issue(self) -> Member {
        let signer = self.signer.unwrap_or_else(|| signer(KeyType::P256));
        let issuing = self.issuing;
        let certificate = sign(
            &CertificateSpec {
                profile: self.profile,
                serial: &random::bytes::<18>(),
                subject: &Subject::named("Member"),
                spki_der: signer.public_key().spki_der(),
                issuer: Issuer::Certificate(&issuing.certificate),
                not_before: self.not_before,
                not_after: self.not_after,
                names: Names {
                    uris: self.uris,
                    ..Names::default()
                },
                urls: Urls {
                    crl: self.crl,
                    ca_issuers: self.ca_issuers,
                    ..Urls::default()
                },
                extensions: &[],
                algorithm: algorithm(&issuing.signer),
            },
            &issuing.signer,
        );
        Member {
            chain: vec![certificate, issuing.certificate.clone()],
            signer,
        }
    }
}

/// A certificate of a community, and its key.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Leaf first, then the issuing CA.
    pub(crate) chain: Vec<Certificate>,
    pub(crate) signer: KeySigner,
}

impl Member {
    pub(crate) fn leaf(&self) -> &Certificate {
        &self.chain[0]
    }
    pub(crate) fn with_chain(&self, chain: Vec<Certificate>) -> Self {
        Self {
            chain,
            signer: self.signer.clone(),
        }
    }
}

/// Keys of 2048 bits, made once: they take a while.
pub(crate) fn rsa(at: usize) -> (KeySigner, String) {
    static KEYS: OnceLock<Vec<(KeySigner, String)>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        (0..3)
            .map(|_| {
                let der = generate(KeyType::Rsa2048).unwrap();
                let pem = pem::encode("PRIVATE KEY", &der);
                (KeySigner::from_pkcs8(&der).unwrap(), pem)
            })
            .collect()
    });
    keys[at].clone()
}

pub(crate) fn signer(kind: KeyType) -> KeySigner {
    KeySigner::from_pkcs8(&generate(kind).unwrap()).unwrap()
}

fn algorithm(signer: &KeySigner) -> SignatureAlgorithm {
    match signer.public_key().kind() {
        KeyKind::P256 => SignatureAlgorithm::EcdsaP256Sha256,
        KeyKind::P384 => SignatureAlgorithm::EcdsaP384Sha384,
        _ => SignatureAlgorithm::RsaPkcs1Sha256,
    }
}

pub(crate) fn sign(spec: &CertificateSpec<'_>, signer: &KeySigner) -> Certificate {
    let unsigned = issue::certificate(spec).unwrap();
    let signature = signer
        .sign_now(spec.algorithm.scheme(), unsigned.bytes())
        .unwrap();
    Certificate::from_der(&unsigned.finish(&signature).unwrap()).unwrap()
}

fn crl(authority: &Authority, entries: &[CrlEntry], from: i64, until: i64) -> Vec<u8> {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let now = clock::now();
    let unsigned = issue::crl(&CrlSpec {
        issuer: &authority.certificate,
        number: NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        this_update: now.plus_secs(from),
        next_update: now.plus_secs(until),
        entries,
        algorithm: algorithm(&authority.signer),
    })
    .unwrap();
    let signature = authority
        .signer
        .sign_now(algorithm(&authority.signer).scheme(), unsigned.bytes())
        .unwrap();
    unsigned.finish(&signature).unwrap()
}

/// Answers GET with what is published, on a thread of its own; `localhost:port`.
fn serve(published: Published) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let published = Arc::clone(&published);
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    head.extend_from_slice(&byte);
                }
                let head = String::from_utf8_lossy(&head);
                let path = head.split(' ').nth(1).unwrap_or_default();
                let found = published.lock().unwrap().get(path).cloned();
                let (status, body) =
                    found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            });
        }
    });
    format!("localhost:{port}")
}
