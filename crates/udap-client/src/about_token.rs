//! Questions about a token that was issued: what the server says of it (RFC 7662), and its end before its
//! time (RFC 7009).

use crate::client::{Client, success};
use crate::discover::{Discovered, Server, TOKEN_ALGS};
use crate::error::{ClientError, Endpoint};
use crate::plan::{Plan, PlanBody};
use http::StatusCode;
use serde_json::{Map, Value};
use udap_proto::discovery::SMART_PATH;
use udap_proto::token::ASSERTION_TYPE;
use udap_proto::{assertion, json};
use udap_trust::fetch::{Kind, check_url};
use udap_trust::random;
use udap_trust::signer::sign_jws;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// What it says, and whether it counts.
    Introspection,
    /// That it end.
    Revocation,
}

impl About {
    /// The member of a server's metadata that says where.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Introspection => "introspection_endpoint",
            Self::Revocation => "revocation_endpoint",
        }
    }

    fn url(self, server: &Server) -> Result<&str, ClientError> {
        let url = match self {
            Self::Introspection => &server.introspection_endpoint,
            Self::Revocation => &server.revocation_endpoint,
        };
        url.as_deref().ok_or_else(|| ClientError::NoEndpoint {
            member: self.member(),
            base_url: server.base_url.clone(),
        })
    }
}

impl Client {
    /// Learns where a server answers questions about tokens. UDAP metadata does not say; SMART's document
    /// does, which nobody signs. So an endpoint is believed only where the signed token endpoint is: a
    /// token and an assertion go to nobody who would not have seen them anyway.
    ///
    /// # Errors
    /// [`ClientError::EndpointElsewhere`] for an endpoint of another host; what the document lacks is an
    /// error only of who needs it.
    pub async fn locate(&self, server: &mut Discovered) -> Result<(), ClientError> {
        let url = format!("{}{SMART_PATH}", server.base_url.trim_end_matches('/'));
        let plan = Plan::get(&url, "application/json");
        let answer = self.send(&plan).await?;
        let (introspection, revocation) = match answer.status() {
            StatusCode::OK => {
                let document = json::object(answer.body())
                    .map_err(|error| malformed(Endpoint::Discovery, &error))?;
                let endpoint = |about: About| beside(server, about.member(), &document);
                (
                    endpoint(About::Introspection)?,
                    endpoint(About::Revocation)?,
                )
            }
            StatusCode::NOT_FOUND => (None, None),
            status => {
                return Err(ClientError::MetadataStatus {
                    url,
                    status: status.as_u16(),
                });
            }
        };
        let known = server.server_mut();
        known.introspection_endpoint = introspection;
        known.revocation_endpoint = revocation;
        Ok(())
    }

    /// What the server says of a token; `active` is true or false.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn introspect(
        &self,
        server: &Discovered,
        client_id: &str,
        token: &str,
    ) -> Result<Map<String, Value>, ClientError> {
        self.require_current(server)?;
        let plan = self
            .plan_about(server, About::Introspection, client_id, token)
            .await?;
        let (_, body) = success(Endpoint::Introspection, self.send(&plan).await?)?;
        let answer =
            json::object(&body).map_err(|error| malformed(Endpoint::Introspection, &error))?;
        match answer.get("active") {
            Some(Value::Bool(_)) => Ok(answer),
            _ => Err(malformed(
                Endpoint::Introspection,
                &"it does not say whether the token is active",
            )),
        }
    }

    /// Ends a token. A server says that all went well of one that it never issued, too (RFC 7009 §2.2).
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn revoke(
        &self,
        server: &Discovered,
        client_id: &str,
        token: &str,
    ) -> Result<(), ClientError> {
        self.require_current(server)?;
        let plan = self
            .plan_about(server, About::Revocation, client_id, token)
            .await?;
        success(Endpoint::Revocation, self.send(&plan).await?)?;
        self.forget_tokens(server);
        Ok(())
    }

    /// The request that [`Self::introspect`] or [`Self::revoke`] sends, signed. The assertion is for that
    /// endpoint alone.
    ///
    /// # Errors
    /// [`ClientError::NoEndpoint`], and what the server's metadata rules out.
    pub async fn plan_about(
        &self,
        server: &Server,
        about: About,
        client_id: &str,
        token: &str,
    ) -> Result<Plan, ClientError> {
        let identity = self.identity_in(&server.community)?;
        let url = about.url(server)?;
        let alg = identity.signer.jws_alg();
        server.require_alg(TOKEN_ALGS, alg)?;
        let (chain, now, jti) = (&identity.chain, self.now(), random::id());
        let unsigned = assertion::unsigned(alg, chain, client_id, url, now, &jti, &Map::new());
        let assertion = sign_jws(identity.signer.as_ref(), alg, unsigned).await?;
        Ok(Plan::post(
            url,
            PlanBody::Form(vec![
                ("token", token.to_owned()),
                ("token_type_hint", "access_token".to_owned()),
                ("client_assertion_type", ASSERTION_TYPE.to_owned()),
                ("client_assertion", assertion),
                ("udap", "1".to_owned()),
            ]),
        ))
    }
}

/// An endpoint of an unsigned document, where the signed token endpoint is.
fn beside(
    server: &Server,
    member: &'static str,
    document: &Map<String, Value>,
) -> Result<Option<String>, ClientError> {
    let Some(Value::String(url)) = document.get(member) else {
        return Ok(None);
    };
    let refused = |error| ClientError::EndpointUrl { member, error };
    let there = check_url(Kind::Api, url).map_err(refused)?;
    let token = check_url(Kind::Api, &server.token_endpoint).map_err(refused)?;
    if there.origin() != token.origin() {
        return Err(ClientError::EndpointElsewhere {
            member,
            url: url.chars().take(200).collect(),
            token_endpoint: server.token_endpoint.clone(),
        });
    }
    Ok(Some(url.clone()))
}

fn malformed(endpoint: Endpoint, why: &dyn std::fmt::Display) -> ClientError {
    ClientError::Answer {
        endpoint,
        why: why.to_string(),
    }
}
