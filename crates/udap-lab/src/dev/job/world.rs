//! What the steps share: the sandbox's addresses, the app that plays the main part, and what earlier
//! steps found.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use rustls::ClientConfig as TlsConfig;
use serde_json::{Map, Value};
use udap_client::{
    AccessToken, Client, ClientConfig, ClientError, ClientMetadata, CommunityTrust, Discovered,
    Extensions, FetchPolicy, Hl7B2b, Identity, Plan, PlanBody, ScopeSet, client_credentials,
};
use udap_pki::Anchor;
use udap_proto::{assertion, extensions::hl7_b2b, token::ASSERTION_TYPE};
use udap_trust::{
    clock, random,
    signer::{KeySigner, Signer as _},
};

use super::step::Failure;
use crate::{
    dev::{
        actors::FhirServer,
        error::DevError,
        layout::{Community, Layout},
        member,
        setup::TOUR,
    },
    wire,
};

/// What the steps share.
pub(crate) struct World<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) tls: Arc<TlsConfig>,
    pub(crate) fhir: FhirServer,
    /// The FHIR server's own address, which must never be seen at the gateway.
    pub(crate) upstream: String,
    /// The app that does the main job.
    pub(crate) app: Client,
    pub(super) server: Option<Discovered>,
    pub(super) client_id: String,
    pub(super) token: Option<AccessToken>,
    pub(super) family: Option<String>,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        layout: &'a Layout,
        tls: Arc<TlsConfig>,
        fhir: FhirServer,
        upstream: String,
    ) -> Result<Self, DevError> {
        Ok(Self {
            app: client(layout, TOUR, &Layout::app_uri(TOUR), Community::One)?,
            layout,
            tls,
            fhir,
            upstream,
            server: None,
            client_id: String::new(),
            token: None,
            family: None,
        })
    }

    /// The data holder, found trustworthy by `trust`.
    pub(super) fn server(&self) -> Result<&Discovered, Failure> {
        self.server
            .as_ref()
            .ok_or_else(|| Failure::new("the data holder was not discovered"))
    }

    /// The token of `token`.
    pub(super) fn token(&self) -> Result<&AccessToken, Failure> {
        self.token
            .as_ref()
            .ok_or_else(|| Failure::new("there is no token"))
    }

    /// An app of the sandbox as a client of its own.
    pub(super) fn client(
        &self,
        name: &str,
        uri: &str,
        community: Community,
    ) -> Result<Client, Failure> {
        Ok(client(self.layout, name, uri, community)?)
    }

    /// What the FHIR server is to blame for, with the address that `--upstream` gave.
    fn of_upstream(&self, failure: Failure) -> Failure {
        if self.fhir == FhirServer::BuiltIn || !failure.code.starts_with("upstream-") {
            return failure;
        }
        let hint = format!(
            "see what answers at {}, which --upstream names",
            self.upstream
        );
        Failure { hint, ..failure }
    }

    /// A FHIR answer at the gateway, as JSON.
    pub(super) async fn read(&self, url: &str) -> Result<Value, Failure> {
        let answer = self.app.get(self.token()?, url).await;
        let answer = answer.map_err(|error| self.of_upstream(error.into()))?;
        let text = String::from_utf8_lossy(&answer.body);
        if text.contains(&self.upstream) {
            return Err(Failure::new(format!(
                "the answer to {url} shows the FHIR server's own address {}",
                self.upstream
            )));
        }
        serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("{url} was answered with no JSON: {error}")))
    }
}

/// An app's client: its identity, its community's anchor, and the sandbox's hosts one by one.
fn client(
    layout: &Layout,
    name: &str,
    uri: &str,
    community: Community,
) -> Result<Client, DevError> {
    let (cert, key) = layout.app(name);
    let anchors = member::read_chain(&layout.anchor(community))?;
    let anchors = anchors.into_iter().map(Anchor::new).collect();
    let tls_roots =
        wire::tls_roots(Some(&layout.tls_root())).map_err(|error| DevError::Unreadable {
            path: layout.tls_root(),
            detail: error.to_string(),
        })?;
    let identity = Identity {
        uri: uri.to_owned(),
        chain: member::read_chain(&cert)?,
        signer: Arc::new(member::read_signer(&key)?),
        community: community.uri().to_owned(),
    };
    let config = ClientConfig {
        fetch: FetchPolicy {
            allow_hosts: layout.hosts(),
            tls_roots,
        },
        ..ClientConfig::new(vec![CommunityTrust::new(community.uri(), anchors)])
    };
    Ok(Client::new(config.with_identity(identity))?)
}

/// What every app of the sandbox asks for.
pub(crate) fn scopes() -> ScopeSet {
    ScopeSet::parse("system/Patient.rs system/Observation.rs")
}

/// What an app says about itself.
pub(crate) fn app_metadata(name: &str) -> ClientMetadata {
    client_credentials(name, &scopes(), &["mailto:sandbox@localhost"])
}

/// Who asks and what for (HL7 SSRAA §5.2.1.1).
pub(crate) fn purpose() -> Extensions {
    let object = Hl7B2b {
        subject_name: None,
        subject_id: None,
        subject_role: None,
        organization_name: Some("Sandbox clinic".to_owned()),
        organization_id: "https://localhost/organizations/clinic".to_owned(),
        purpose_of_use: vec!["urn:oid:2.16.840.1.113883.5.8#TREAT".to_owned()],
        consent_policy: Vec::new(),
        consent_reference: Vec::new(),
    };
    let mut extensions = Map::new();
    extensions.insert(hl7_b2b::KEY.to_owned(), object.to_json());
    extensions
}

/// A token request made by hand, as no honest client would send it: `x5c` and key as they come.
pub(super) async fn ask_by_hand(
    sender: &Client,
    server: &Discovered,
    client_id: &str,
    x5c: &[udap_pki::Certificate],
    key: &KeySigner,
) -> Result<Response<Bytes>, Failure> {
    let alg = key.jws_alg();
    let unsigned = assertion::unsigned(
        alg,
        x5c,
        client_id,
        &server.token_endpoint,
        clock::now(),
        &random::id(),
        &purpose(),
    );
    let signature = key.sign_now(alg.scheme(), unsigned.signing_input())?;
    let plan = Plan {
        method: Method::POST,
        url: server.token_endpoint.clone(),
        headers: Vec::new(),
        body: PlanBody::Form(vec![
            ("grant_type", "client_credentials".to_owned()),
            ("scope", scopes().to_string()),
            ("client_assertion_type", ASSERTION_TYPE.to_owned()),
            ("client_assertion", unsigned.with_signature(&signature)),
            ("udap", "1".to_owned()),
        ]),
    };
    Ok(sender.send(&plan).await?)
}

/// A token that is asked for anew, whatever is remembered.
pub(super) async fn new_token(
    client: &Client,
    server: &Discovered,
    client_id: &str,
) -> Result<AccessToken, ClientError> {
    client.forget_tokens(server);
    client.token(server, client_id, &scopes(), &purpose()).await
}
