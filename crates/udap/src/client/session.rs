//! One server, from discovery to a token, with what is remembered of it.

use super::app::{AppArgs, Certified, PurposeArgs};
use super::options::{ClientArgs, Setup};
use super::show::Requests;
use crate::base_url;
use crate::output::{printable, talk};
use crate::problem::Problem;
use crate::spinner;
use serde_json::{Map, Value};
use std::path::Path;
use udap_client::state::State;
use udap_client::{
    AccessToken, Client, ClientError, Discovered, Endpoint, Extensions, Membership, Plan,
    Registered, ScopeSet, Server,
};
use udap_proto::extensions::check_everywhere;
use udap_trust::clock;

/// Stands for an identifier that only a registration would give.
const UNKNOWN_CLIENT: &str = "CLIENT_ID";

/// What is known of a token once a server took the request to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// It counted before, and does not any more.
    Ended,
    /// It does not count for this app, and is not known to have done so.
    Inactive,
    /// The server does not say.
    Unknown,
}

impl Revoked {
    /// Of whether the token counted before and after, as far as the server said so.
    fn of(before: Option<bool>, after: Option<bool>) -> Result<Self, Problem> {
        match (before, after) {
            (_, Some(true)) => Err(Problem::new(
                "token-still-active",
                "the server took the request, and says that the token still counts",
            )),
            (Some(true), Some(false)) => Ok(Self::Ended),
            (_, Some(false)) => Ok(Self::Inactive),
            (_, None) => Ok(Self::Unknown),
        }
    }
}

/// A client and its options.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    args: &'a ClientArgs,
    setup: Setup,
}

impl<'a> Session<'a> {
    pub(crate) fn new(args: &'a ClientArgs, url: &str) -> Result<Self, Problem> {
        let setup = args.setup(url)?;
        if let Some(sandbox) = &setup.sandbox
            && let Some(identity) = setup.client.identity()
        {
            let dir = sandbox.dir.display();
            talk(&format!(
                "sandbox {dir}, as {} of {}",
                identity.uri, identity.community
            ));
        }
        Ok(Self { args, setup })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.setup.client
    }

    pub(crate) fn cacert(&self) -> Option<&Path> {
        self.setup.cacert.as_deref()
    }

    pub(crate) fn sandboxed(&self) -> bool {
        self.setup.sandbox.is_some()
    }

    /// This app's URI.
    pub(crate) fn uri(&self) -> Result<&str, Problem> {
        let identity = self.client().identity().ok_or(ClientError::NoIdentity)?;
        Ok(&identity.uri)
    }

    /// Base URLs that are known already.
    pub(crate) fn known_bases(&self, state: &State) -> Vec<String> {
        let remembered = state.servers.iter().map(|server| &server.base_url);
        let sandboxed = self.setup.sandbox.iter().flat_map(|s| &s.data_holders);
        remembered
            .chain(sandboxed.map(|holder| &holder.base_url))
            .cloned()
            .collect()
    }

    pub(crate) fn state(&self) -> Result<State, Problem> {
        Ok(self.setup.state.load()?)
    }

    /// Finds and verifies the server, and remembers it.
    pub(crate) async fn find(&self, base_url: &str) -> Result<Discovered, Problem> {
        let community = self.args.community.as_deref();
        let work = self.client().discover(base_url, community);
        let found = spinner::wait(&format!("asking {base_url}"), work).await;
        let server = found.map_err(|error| base_url::meant(base_url, self.problem(error)))?;
        self.setup.state.update(|state| state.put_server(&server))?;
        Ok(server)
    }

    /// The same for who will speak to it as this app.
    pub(crate) async fn discover(&self, base_url: &str) -> Result<Discovered, Problem> {
        if self.client().require_membership().await? == Membership::IssuerMissing {
            talk(
                "whether this app's certificate is of the community cannot be told here: \
                put its issuer's certificate behind it",
            );
        }
        self.find(base_url).await
    }

    /// The server as it was verified before.
    pub(crate) fn recall(&self, base_url: &str) -> Result<Server, Problem> {
        let identity = self.client().identity().map(|i| i.community.as_str());
        let community = self.args.community.as_deref().or(identity);
        let state = self.state()?;
        let server = state.server(base_url, community).cloned();
        server.ok_or_else(|| {
            Problem::new(
                "offline-unknown",
                format!("`{base_url}` was never verified before"),
            )
        })
    }

    /// The server to show requests for: verified now, with where questions about tokens go, or as it was.
    pub(crate) async fn server(
        &self,
        base_url: &str,
        requests: Requests,
    ) -> Result<Server, Problem> {
        if requests == Requests::Offline {
            return self.recall(base_url);
        }
        Ok(self.locate(base_url).await?.server().clone())
    }

    /// Finds and verifies the server, learns where questions about tokens go, and remembers it.
    pub(crate) async fn locate(&self, base_url: &str) -> Result<Discovered, Problem> {
        let mut server = self.discover(base_url).await?;
        let work = self.client().locate(&mut server);
        let located = spinner::wait(&format!("asking {base_url}"), work).await;
        located.map_err(|error| self.problem(error))?;
        self.setup.state.update(|state| state.put_server(&server))?;
        Ok(server)
    }

    /// What the server calls this app, as it is remembered.
    pub(crate) fn client_id(&self, server: &Server) -> Result<String, Problem> {
        let state = self.state()?;
        let known = state.registration(server, self.uri()?);
        known.map(|known| known.client_id.clone()).ok_or_else(|| {
            Problem::new(
                "not-registered",
                format!(
                    "no registration of this app with `{}` is remembered",
                    server.base_url
                ),
            )
        })
    }

    /// The same for a request that is only shown, after the one that would bring it.
    pub(crate) fn client_id_or_placeholder(&self, server: &Server) -> Result<String, Problem> {
        let state = self.state()?;
        let known = state.registration(server, self.uri()?);
        Ok(known.map_or_else(
            || UNKNOWN_CLIENT.to_owned(),
            |known| known.client_id.clone(),
        ))
    }

    pub(crate) async fn introspect(
        &self,
        server: &Discovered,
        client_id: &str,
        token: &str,
    ) -> Result<Map<String, Value>, Problem> {
        let work = self.client().introspect(server, client_id, token);
        let said = spinner::wait("asking about the token", work).await;
        said.map_err(|error| self.problem(error))
    }

    /// Whether a token of this app counts, where the server says so.
    async fn counts(&self, server: &Discovered, client_id: &str, token: &str) -> Option<bool> {
        server.introspection_endpoint.as_ref()?;
        let said = self.introspect(server, client_id, token).await.ok()?;
        said.get("active").and_then(Value::as_bool)
    }

    /// Asks the server to end a token. It answers the same whatever became of that (RFC 7009 §2.2), so that
    /// before and after it is asked whether the token counts.
    pub(crate) async fn revoke(
        &self,
        server: &Discovered,
        client_id: &str,
        token: &str,
    ) -> Result<Revoked, Problem> {
        let before = self.counts(server, client_id, token).await;
        let work = self.client().revoke(server, client_id, token);
        let done = spinner::wait("ending the token", work).await;
        done.map_err(|error| self.problem(error))?;
        let after = self.counts(server, client_id, token).await;
        Revoked::of(before, after)
    }

    /// The registration, and the certifications that were sent for it.
    pub(crate) async fn register(
        &self,
        server: &Discovered,
        app: &AppArgs,
    ) -> Result<(Registered, Vec<String>), Problem> {
        let uri = self.uri()?;
        let metadata = app.metadata(server, uri, self.sandboxed())?;
        let certifications = app.certifications(uri)?;
        let client = self.client();
        let work = client.register_certified(server, &metadata, &certifications);
        let registered = spinner::wait("registering", work)
            .await
            .map_err(|error| self.problem(error))?;
        let scope = registered.scope.as_ref().unwrap_or(&metadata.scope);
        self.setup.state.update(|state| {
            let scope = scope.to_string();
            state.put_registration(server, uri, &registered.client_id, &scope, clock::now());
        })?;
        Ok((registered, certifications))
    }

    pub(crate) async fn cancel(&self, server: &Discovered) -> Result<Registered, Problem> {
        let uri = self.uri()?;
        let work = self.client().cancel(server);
        let cancelled = spinner::wait("cancelling", work)
            .await
            .map_err(|error| self.problem(error))?;
        self.setup
            .state
            .update(|state| state.remove_registration(server, uri))?;
        Ok(cancelled)
    }

    /// A token, registering first where no registration is remembered, and again where the server no
    /// longer knows the one that is.
    pub(crate) async fn token(
        &self,
        server: &Discovered,
        app: &AppArgs,
        purpose: &PurposeArgs,
        scope: Option<&ScopeSet>,
    ) -> Result<(AccessToken, String), Problem> {
        let uri = self.uri()?;
        let extensions = purpose.extensions(server, uri, self.sandboxed())?;
        // Before a registration is made that would be of no use.
        check_everywhere(&extensions).map_err(ClientError::from)?;
        let remembered = self.state()?.registration(server, uri).cloned();
        if let Some(known) = remembered {
            let registered = ScopeSet::parse(&known.scope);
            let scope = scope.unwrap_or(&registered);
            match self.ask(server, &known.client_id, scope, &extensions).await {
                Ok(token) => return Ok((token, known.client_id)),
                Err(error) if no_longer_known(&error) => {
                    talk(
                        "the server no longer knows this registration as this app's; registering again",
                    );
                }
                Err(error) => {
                    // Not by itself: it may be the server that cannot fetch an issuer for the moment, and a
                    // new registration ends the tokens of the one before.
                    if refused_code(&error) == Some("chain-not-trusted") {
                        talk(
                            "if another certificate of this app was registered, `udap register` registers it with this one",
                        );
                    }
                    return Err(self.problem(error));
                }
            }
        }
        let (registered, sent) = self.register(server, app).await?;
        talk(&printable(&format!(
            "registered as {}",
            registered.client_id
        )));
        let left_out = Certified::of(&registered, &sent).map(|certified| certified.left_out);
        for name in left_out.unwrap_or_default() {
            talk(&printable(&format!("without the certification: {name}")));
        }
        let all = registered.scope.unwrap_or_default();
        let scope = scope.unwrap_or(&all);
        let token = self
            .ask(server, &registered.client_id, scope, &extensions)
            .await;
        let token = token.map_err(|error| self.problem(error))?;
        Ok((token, registered.client_id))
    }

    /// The requests for a token: a registration where none is remembered, then the token.
    pub(crate) async fn plan_token(
        &self,
        server: &Server,
        app: &AppArgs,
        purpose: &PurposeArgs,
        scope: Option<&ScopeSet>,
    ) -> Result<Vec<(&'static str, Plan)>, Problem> {
        let uri = self.uri()?;
        let extensions = purpose.extensions(server, uri, self.sandboxed())?;
        let mut steps = Vec::new();
        let (client_id, registered) = match self.state()?.registration(server, uri) {
            Some(known) => (known.client_id.clone(), ScopeSet::parse(&known.scope)),
            None => {
                let metadata = app.metadata(server, uri, self.sandboxed())?;
                let certifications = app.certifications(uri)?;
                let plan = self
                    .client()
                    .plan_register_certified(server, &metadata, &certifications)
                    .await?;
                steps.push(("register", plan));
                (UNKNOWN_CLIENT.to_owned(), metadata.scope)
            }
        };
        let scope = scope.unwrap_or(&registered);
        let plan = self
            .client()
            .plan_token(server, &client_id, scope, &extensions)
            .await?;
        steps.push(("token", plan));
        Ok(steps)
    }

    /// With the trace only where it was asked for.
    pub(crate) fn problem(&self, error: ClientError) -> Problem {
        let mut problem = Problem::from(error);
        if let Some(sandbox) = &self.setup.sandbox {
            problem = sandbox.instead(problem);
        }
        if self.args.explain {
            problem
        } else {
            problem.without_trace()
        }
    }

    async fn ask(
        &self,
        server: &Discovered,
        client_id: &str,
        scope: &ScopeSet,
        extensions: &Extensions,
    ) -> Result<AccessToken, ClientError> {
        let work = self.client().token(server, client_id, scope, extensions);
        spinner::wait("asking for a token", work).await
    }
}

/// RFC 6749 §5.2: `invalid_client` is also what a server says of a client it forgot.
fn no_longer_known(error: &ClientError) -> bool {
    let ClientError::Refused(refused) = error else {
        return false;
    };
    // A server that says why is believed: who is suspended stays so, whatever it registers.
    let mended = match refused.udap_code.as_deref() {
        None => true,
        Some(code) => [
            "client-unknown",
            "registration-cancelled",
            "certification-lapsed",
        ]
        .contains(&code),
    };
    mended
        && refused.endpoint == Endpoint::Token
        && refused.error.as_deref() == Some("invalid_client")
}

fn refused_code(error: &ClientError) -> Option<&str> {
    match error {
        ClientError::Refused(refused) => refused.udap_code.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use udap_client::Refused;

    #[test]
    fn a_token_ended_only_if_it_is_known_to_have_counted_before_and_not_after() {
        let said = |before, after| Revoked::of(before, after).map_err(|e| e.code().to_owned());
        assert_eq!(said(Some(true), Some(false)), Ok(Revoked::Ended));
        for before in [None, Some(false)] {
            assert_eq!(said(before, Some(false)), Ok(Revoked::Inactive));
        }
        for before in [None, Some(false), Some(true)] {
            assert_eq!(said(before, None), Ok(Revoked::Unknown));
            let still = Err("token-still-active".to_owned());
            assert_eq!(said(before, Some(true)), still);
        }
    }

    #[test]
    fn what_a_new_registration_mends_is_registered_again() {
        for (code, mended) in [
            (None, true),
            (Some("registration-cancelled"), true),
            (Some("chain-not-trusted"), false),
            (Some("registration-suspended"), false),
            (Some("certificate-revoked"), false),
        ] {
            let error = ClientError::Refused(Box::new(Refused {
                endpoint: Endpoint::Token,
                status: 400,
                error: Some("invalid_client".into()),
                description: None,
                udap_code: code.map(str::to_owned),
                hint: None,
                request_id: None,
            }));
            assert_eq!(no_longer_known(&error), mended, "{code:?}");
        }
    }
}
