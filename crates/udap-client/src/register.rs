//! Registration, its change and its end (HL7 SSRAA §3; UDAP Dynamic Client Registration §§3–6).

use crate::client::{Client, success};
use crate::discover::{Discovered, REGISTRATION_ALGS, Server};
use crate::error::{ClientError, Endpoint};
use crate::plan::{Plan, PlanBody};
use http::StatusCode;
use serde_json::{Map, Value};
use udap_proto::json;
use udap_proto::registration::{Authentication, Body, Change, ClientMetadata, Grant};
use udap_proto::scope::ScopeSet;
use udap_proto::statement;
use udap_trust::random;
use udap_trust::signer::sign_jws;

/// The metadata of an app that acts for itself, without a user.
#[must_use]
pub fn client_credentials(
    client_name: &str,
    scope: &ScopeSet,
    contacts: &[impl AsRef<str>],
) -> ClientMetadata {
    ClientMetadata {
        client_name: client_name.to_owned(),
        grant: Grant::ClientCredentials,
        redirect_uris: Vec::new(),
        scope: scope.clone(),
        contacts: contacts.iter().map(|c| c.as_ref().to_owned()).collect(),
        logo_uri: None,
        jku: None,
        authentication: Authentication::default(),
        other: Map::new(),
    }
}

/// A registration that the server confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    /// The identifier it assigned.
    pub client_id: String,
    /// Whether it is a new one.
    pub outcome: Outcome,
    /// The scopes it registered, where it says so; it may have changed what was asked for.
    pub scope: Option<ScopeSet>,
    /// Its whole answer.
    pub answer: Map<String, Value>,
}

/// What became of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 201: there was none before.
    New,
    /// 200: it replaces an earlier one.
    Changed,
    /// Empty `grant_types` came back.
    Cancelled,
}

impl Outcome {
    /// `new`, `changed` or `cancelled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Client {
    /// Registers the app, or replaces its registration.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Refused`] with what the server gave as its reason.
    pub async fn register(
        &self,
        server: &Discovered,
        app: &ClientMetadata,
    ) -> Result<Registered, ClientError> {
        self.register_certified(server, app, &[]).await
    }

    /// The same with certifications and endorsements, which replace those sent before. The answer has
    /// the ones that the server accepted.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn register_certified(
        &self,
        server: &Discovered,
        app: &ClientMetadata,
        certifications: &[String],
    ) -> Result<Registered, ClientError> {
        self.require_current(server)?;
        let plan = self
            .plan_register_certified(server, app, certifications)
            .await?;
        let (status, answer) = self.ask(&plan).await?;
        // Those of the registration that this one replaces may have ended with it.
        self.inner().tokens.forget(&server.token_endpoint);
        registered(status, answer)
    }

    /// Cancels the app's registration.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::CancelUnconfirmed`] when the answer does not confirm it.
    pub async fn cancel(&self, server: &Discovered) -> Result<Registered, ClientError> {
        self.require_current(server)?;
        let plan = self.plan_cancel(server).await?;
        let (status, answer) = self.ask(&plan).await?;
        self.inner().tokens.forget(&server.token_endpoint);
        // HL7 SSRAA §3.4: empty `grant_types` in the answer are the confirmation.
        match answer.get("grant_types") {
            Some(Value::Array(grants)) if grants.is_empty() => Ok(Registered {
                outcome: Outcome::Cancelled,
                ..registered(status, answer)?
            }),
            _ => Err(ClientError::CancelUnconfirmed {
                status: status.as_u16(),
            }),
        }
    }

    /// The request that [`Self::register`] sends, signed.
    ///
    /// # Errors
    /// [`ClientError`] for what the server's metadata or the guide already rules out.
    pub async fn plan_register(
        &self,
        server: &Server,
        app: &ClientMetadata,
    ) -> Result<Plan, ClientError> {
        self.plan_register_certified(server, app, &[]).await
    }

    /// The request that [`Self::register_certified`] sends, signed.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn plan_register_certified(
        &self,
        server: &Server,
        app: &ClientMetadata,
        certifications: &[String],
    ) -> Result<Plan, ClientError> {
        let params = app.to_params();
        Change::read(&params)?;
        for grant in app.grant.types() {
            server.require_grant(grant)?;
        }
        self.statement(server, &params, certifications).await
    }

    /// The request that [`Self::cancel`] sends, signed.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn plan_cancel(&self, server: &Server) -> Result<Plan, ClientError> {
        let mut params = Map::new();
        params.insert("grant_types".into(), Value::Array(Vec::new()));
        self.statement(server, &params, &[]).await
    }

    async fn statement(
        &self,
        server: &Server,
        params: &Map<String, Value>,
        certifications: &[String],
    ) -> Result<Plan, ClientError> {
        let identity = self.identity_in(&server.community)?;
        server.require_profile("udap_dcr")?;
        let alg = identity.signer.jws_alg();
        server.require_alg(REGISTRATION_ALGS, alg)?;
        let endpoint = &server.registration_endpoint;
        let unsigned = statement::unsigned(
            alg,
            &identity.chain,
            &identity.uri,
            endpoint,
            self.now(),
            &random::id(),
            params,
        );
        let body = Body {
            software_statement: sign_jws(identity.signer.as_ref(), alg, unsigned).await?,
            certifications: certifications.to_vec(),
        };
        let Value::Object(body) = body.to_json() else {
            return Err(malformed("the request is not an object"));
        };
        Ok(Plan::post(endpoint, PlanBody::Json(body)))
    }

    async fn ask(&self, plan: &Plan) -> Result<(StatusCode, Map<String, Value>), ClientError> {
        let answer = self.send(plan).await?;
        let (status, body) = success(Endpoint::Registration, answer)?;
        let answer = json::object(&body).map_err(|e| malformed(e.to_string()))?;
        Ok((status, answer))
    }
}

fn registered(status: StatusCode, answer: Map<String, Value>) -> Result<Registered, ClientError> {
    let client_id = match answer.get("client_id") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        _ => return Err(malformed("`client_id` is missing")),
    };
    let scope = answer.get("scope").and_then(Value::as_str);
    Ok(Registered {
        client_id,
        outcome: if status == StatusCode::CREATED {
            Outcome::New
        } else {
            Outcome::Changed
        },
        scope: scope.map(ScopeSet::parse),
        answer,
    })
}

fn malformed(why: impl Into<String>) -> ClientError {
    ClientError::Answer {
        endpoint: Endpoint::Registration,
        why: why.into(),
    }
}
