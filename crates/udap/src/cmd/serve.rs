//! `udap serve`: configuration, then the authorization server, then the gateway, then the listener.

use crate::catalogue;
use crate::files;
use crate::problem::Problem;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use udap_gateway::{Gateway, GatewayConfig, TokenKeys, UpstreamToken};
use udap_host::config::{self, Config, DataHolder, Endpoints, TlsRoots};
use udap_host::health::Readiness;
use udap_host::listen::{self, Issuers, Listen, Shutdown};
use udap_host::metrics::Metrics;
use udap_host::telemetry;
use udap_host::token_status::{TokenStatus, UNKNOWN};
use udap_server::Server;

/// Run a data holder: signed metadata, registration, tokens, and the gateway to its FHIR server.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "udap.toml")]
    config: PathBuf,
}

/// Threads for what happens beside requests: CRLs, metadata, audit, database.
const BACKGROUND_THREADS: usize = 1;

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let config = config::load(&args.config)?;
    telemetry::init(config.log_format)?;
    // Before anything is opened: a signal during the start is then a stop and not a kill.
    let shutdown = Shutdown::on_signals()?;
    let background = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("udap-background")
        .enable_all()
        .build()
        .map_err(|error| super::unavailable(&error))?;
    let entered = background.enter();
    let server = background.block_on(Server::open(&config))?;
    let (main, certified) = gateways(&config, &server)?;
    let works = Works::default();
    let refreshing = background.spawn(works.watch(&server, &shutdown));
    let metrics = metrics(&config, &server, &shutdown)?;
    let admin = admin(&config, &server, &shutdown)?;
    drop(entered);

    let running = listen::start(
        config.listen(),
        config.workers,
        routes(&server, &works, main),
        shutdown.clone(),
    )?;
    for holder in config.data_holders() {
        tracing::info!(base_url = holder.base_url, addr = %running.addr(), "serving");
    }
    // The same routes, where TLS clients are asked for their certificate.
    let members = server.clone();
    let issuers = Issuers::new(move || members.issuers());
    let certified = match config.mutual_tls_listen(issuers) {
        Some(listen) => {
            let routes = routes(&server, &works, certified);
            let certified = listen::start(listen, config.workers, routes, shutdown.clone())?;
            tracing::info!(addr = %certified.addr(), "serving those who show a certificate");
            Some(certified)
        }
        None => None,
    };
    let served = running.join();
    // Every request was answered. What runs beside them stops, and what is in memory is written down.
    shutdown.trigger();
    let served = served.and(certified.map_or(Ok(()), listen::Running::join));
    for beside in [metrics, admin].into_iter().flatten() {
        beside.join()?;
    }
    background.block_on(async {
        if let Err(error) = refreshing.await {
            tracing::error!(%error, "the background work ended early");
        }
        server.close().await
    })?;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// The routes of one listener, for each of its workers.
fn routes(
    server: &Server,
    works: &Works,
    gateways: Vec<Gateway>,
) -> impl Fn() -> axum::Router + Send + Sync + Clone + 'static {
    let (server, works) = (server.clone(), works.clone());
    move || {
        let own = server.router().merge(readiness(&server, &works).router());
        own.merge(udap_gateway::router(&gateways))
    }
}

/// What must hold so that requests are better sent here than to another node.
fn readiness(server: &Server, works: &Works) -> Readiness {
    let audit = server.audit().clone();
    let communities = server.clone();
    let (nodes, works) = (server.clone(), works.clone());
    Readiness::new()
        .check("audit", move || {
            audit.trouble().map_or(Ok(()), |error| Err(error.code()))
        })
        .check("background", move || match works.gone() {
            true => Err(UNKNOWN),
            false => Ok(()),
        })
        // What other nodes ended is not known: no token is good here.
        .check("nodes", move || match nodes.is_behind() {
            true => Err(UNKNOWN),
            false => Ok(()),
        })
        // Nothing that another node would do better: it reads the same files.
        .tell("communities", move || {
            let trouble = communities.trouble();
            trouble.first().map_or(Ok(()), |trouble| Err(trouble.code))
        })
}

/// Whether what runs beside requests still does. Without it no revocation would be seen any more.
#[derive(Clone, Default)]
struct Works(Arc<AtomicBool>);

impl Works {
    fn gone(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The server's work in the background. However it ends, by a panic too, it is told unless it was to.
    fn watch(&self, server: &Server, shutdown: &Shutdown) -> impl Future<Output = ()> + use<> {
        let end = End(self.clone(), shutdown.clone());
        let work = server.clone().run_background(shutdown.clone());
        async move {
            let _end = end;
            work.await;
        }
    }
}

struct End(Works, Shutdown);

impl Drop for End {
    fn drop(&mut self) {
        if !self.1.is_triggered() {
            self.0.0.store(true, Ordering::Relaxed);
            tracing::error!("the work beside requests ended; this node is no longer ready");
        }
    }
}

/// One gateway for each FHIR server to stand in front of, and another for the address that it has at the
/// port where clients show a certificate. Tokens are for the base URL, whichever they are presented at.
fn gateways(config: &Config, server: &Server) -> Result<(Vec<Gateway>, Vec<Gateway>), Problem> {
    let keys = Arc::new(TokenKeys::new((*server.keys()).clone()));
    let (mut main, mut certified) = (Vec::new(), Vec::new());
    for mut settings in gateway_configs(config)? {
        settings.dpop = Some(server.dpop());
        let status = server.under(&settings.base_url);
        let status = Arc::new(status.unwrap_or_else(|| server.clone()));
        let gateway = |settings| {
            Gateway::new(
                settings,
                Arc::clone(&keys),
                Arc::clone(&status) as Arc<dyn TokenStatus>,
                server.audit().clone(),
                Arc::new(udap_host::clock::now),
            )
        };
        if let Some(port) = &config.mutual_tls {
            let mut settings = settings.clone();
            // Where the FHIR server knows its public address: links lead to where the token serves.
            settings.upstream_aliases.push(settings.base_url.clone());
            settings.base_url = port.address_of(&settings.base_url);
            certified.push(gateway(settings)?);
        }
        main.push(gateway(settings)?);
    }
    Ok((main, certified))
}

/// How each FHIR server is reached.
pub(crate) fn gateway_configs(config: &Config) -> Result<Vec<GatewayConfig>, Problem> {
    let mut all = Vec::new();
    for holder in config.data_holders() {
        if let Some(upstream) = &holder.upstream {
            all.push(gateway_config(config, &holder, upstream)?);
        }
    }
    Ok(all)
}

fn gateway_config(
    config: &Config,
    holder: &DataHolder,
    upstream: &str,
) -> Result<GatewayConfig, Problem> {
    let mut settings = GatewayConfig::new(&holder.base_url, upstream);
    if holder.endpoints == Endpoints::Shared {
        settings.issuer = config.base_url.clone();
    }
    settings.trusted_proxies = config.trusted_proxies.clone();
    settings.upstream_token = if config.forward_token {
        UpstreamToken::Forward
    } else {
        UpstreamToken::Withhold
    };
    if upstream.starts_with("https:") {
        let roots = match &config.fetch.tls_roots {
            TlsRoots::System => udap_client::TlsRoots::System,
            TlsRoots::File(path) => files::tls_roots(path)?,
        };
        settings.upstream_tls = Some(Arc::new(udap_trust::fetch::tls_config(&roots)?));
    }
    Ok(settings)
}

fn metrics(
    config: &Config,
    server: &Server,
    shutdown: &Shutdown,
) -> Result<Option<listen::Running>, Problem> {
    let Some(addr) = config.metrics_listen else {
        return Ok(None);
    };
    let metrics = Metrics::new(|registry| server.register_metrics(config, registry));
    let mut listen = Listen::plain(addr);
    // A few collectors; the places are the partners'.
    listen.limits.max_connections = 64;
    let running = listen::start(listen, 1, move || metrics.router(), shutdown.clone())?;
    Ok(Some(running))
}

/// Operators' pages and API, on a port of their own.
fn admin(
    config: &Config,
    server: &Server,
    shutdown: &Shutdown,
) -> Result<Option<listen::Running>, Problem> {
    let Some(settings) = &config.admin else {
        return Ok(None);
    };
    let admin = udap_server::Admin::new(server, config, catalogue::find);
    let running = listen::start(
        settings.listen(),
        1,
        move || admin.router(),
        shutdown.clone(),
    )?;
    tracing::info!(addr = %running.addr(), "serving operators");
    Ok(Some(running))
}

const EXAMPLES: &str = "\
EXAMPLES
  udap serve --config /etc/udap/udap.toml

  A configuration in a few lines:
    base_url = \"https://fhir.example.org/r4\"
    upstream = \"http://10.0.0.5:8080/fhir\"
    tls = { cert = \"tls.pem\", key_file = \"tls.key\" }

    [[community]]
    uri = \"https://community.example\"
    anchors = \"community.pem\"
    identity = { cert = \"server.pem\", key_file = \"server.key\" }";
