//! One community with a data holder and an app; every part of the server can be changed.

use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use udap_client::{Client, ClientConfig, ClientError, FetchPolicy, Identity, TlsRoots};
use udap_pki::UnixTime;
use udap_proto::Refusal as _;
use udap_testkit::{Answer, Asked, DAY, Member, NOW, TestPki, TestServer, clock};

pub(crate) const COMMUNITY: &str = "https://community.example";
pub(crate) const APP: &str = "https://app.example";

type Handler = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

pub(crate) struct Scene {
    pub(crate) pki: Arc<TestPki>,
    pub(crate) crl: TestServer,
    pub(crate) server: TestServer,
    handler: Arc<Mutex<Handler>>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        // The PKI has to know where its CRLs are, and the server of the CRLs the PKI.
        let slot: Arc<Mutex<Option<Arc<TestPki>>>> = Arc::default();
        let published = Arc::clone(&slot);
        let crl = TestServer::http(move |asked| {
            let pki = published.lock().unwrap();
            pki.as_ref()
                .and_then(|pki| pki.publish(asked.path()))
                .map_or_else(|| Answer::new(404, ""), |crl| Answer::new(200, crl))
        })
        .await;
        let pki = Arc::new(TestPki::publishing_at(COMMUNITY, &crl.url("")));
        *slot.lock().unwrap() = Some(Arc::clone(&pki));
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(|_| Answer::new(404, ""))));
        let current = Arc::clone(&handler);
        let server = TestServer::https(move |asked| (current.lock().unwrap())(asked)).await;
        Self {
            pki,
            crl,
            server,
            handler,
        }
    }

    pub(crate) fn base(&self) -> String {
        self.server.url("/fhir")
    }

    /// From now on the server answers so.
    pub(crate) fn answers(&self, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.handler.lock().unwrap() = Box::new(handler);
    }

    /// From now on the server answers its metadata with this, and everything else with the second.
    pub(crate) fn serves(
        &self,
        metadata: Value,
        other: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) {
        self.answers(move |asked| match asked.path() {
            "/fhir/.well-known/udap" => Answer::json(200, &metadata),
            _ => other(asked),
        });
    }

    pub(crate) fn policy(&self) -> FetchPolicy {
        FetchPolicy {
            allow_hosts: vec![self.server.host(), self.crl.host()],
            tls_roots: TlsRoots::These(vec![self.server.tls_root()]),
        }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig {
            fetch: self.policy(),
            communities: vec![self.pki.trust()],
            identity: None,
            clock: clock(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.config()).unwrap()
    }

    pub(crate) fn client_of(&self, app: &Member) -> Client {
        let config = self.config().with_identity(identity(app));
        Client::new(config).unwrap()
    }

    /// The same, whose clock can be turned.
    pub(crate) fn client_with_clock(&self, app: &Member) -> (Client, Arc<AtomicI64>) {
        let time = Arc::new(AtomicI64::new(NOW.0));
        let clock = Arc::clone(&time);
        let mut config = self.config().with_identity(identity(app));
        config.clock = Arc::new(move || UnixTime(clock.load(Ordering::Relaxed)));
        (Client::new(config).unwrap(), time)
    }

    pub(crate) async fn discover_code(&self) -> &'static str {
        code(self.client().discover(&self.base(), None).await)
    }

    pub(crate) fn endpoints(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("token_endpoint".into(), self.server.url("/token").into());
        map.insert(
            "registration_endpoint".into(),
            self.server.url("/register").into(),
        );
        map
    }

    /// The claims of honest signed metadata.
    pub(crate) fn claims(&self) -> Value {
        let mut claims = self.endpoints();
        for (name, value) in [
            ("iss", json!(self.base())),
            ("sub", json!(self.base())),
            ("iat", json!(NOW.0 - 60)),
            ("exp", json!(NOW.0 + DAY)),
            ("jti", json!("m-1")),
        ] {
            claims.insert(name.into(), value);
        }
        Value::Object(claims)
    }

    /// Metadata with this signed part.
    pub(crate) fn metadata(&self, signed: String) -> Value {
        let mut map = self.endpoints();
        for (name, value) in [
            ("udap_versions_supported", json!(["1"])),
            (
                "udap_profiles_supported",
                json!(["udap_dcr", "udap_authn", "udap_authz"]),
            ),
            (
                "udap_authorization_extensions_supported",
                json!(["hl7-b2b"]),
            ),
            ("udap_authorization_extensions_required", json!(["hl7-b2b"])),
            ("grant_types_supported", json!(["client_credentials"])),
            ("scopes_supported", json!(["system/*.rs"])),
            (
                "token_endpoint_auth_signing_alg_values_supported",
                json!(["RS256", "ES256"]),
            ),
            (
                "registration_endpoint_jwt_signing_alg_values_supported",
                json!(["RS256", "ES256"]),
            ),
            ("signed_metadata", json!(signed)),
        ] {
            map.insert(name.into(), value);
        }
        Value::Object(map)
    }

    /// Honest metadata of an honest data holder.
    pub(crate) fn good(&self) -> Value {
        let holder = self.pki.data_holder(&self.base());
        self.metadata(holder.sign(&self.claims()))
    }
}

pub(crate) fn identity(app: &Member) -> Identity {
    Identity {
        uri: APP.to_owned(),
        chain: app.chain.clone(),
        signer: Arc::new(app.signer.clone()),
        community: COMMUNITY.to_owned(),
    }
}

pub(crate) fn code<T>(result: Result<T, ClientError>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}
