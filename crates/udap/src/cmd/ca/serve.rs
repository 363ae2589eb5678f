//! `udap ca serve`

use super::DirArgs;
use crate::problem::Problem;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use udap_host::config::LogFormat;
use udap_host::listen::{self, Listen, Shutdown, TlsFiles};
use udap_host::telemetry;

/// Publish CRLs, OCSP answers, the issuers' certificates and the status of certifications over HTTP.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen; plain HTTP, since what is published is signed itself
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8441")]
    listen: SocketAddr,
    /// Where to listen by https besides: the status of certifications (/certifications/status) is not
    /// signed, and asked for by https only; leave out where a proxy offers that
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["tls_cert", "tls_key"])]
    tls_listen: Option<SocketAddr>,
    /// The TLS certificate, PEM, with those of its issuers; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    dir: DirArgs,
}

impl Args {
    fn tls(&self) -> Option<Listen> {
        let (addr, cert, key) = (
            self.tls_listen?,
            self.tls_cert.clone()?,
            self.tls_key.clone()?,
        );
        Some(Listen::tls(addr, TlsFiles { cert, key }))
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    telemetry::init(LogFormat::Auto)?;
    let shutdown = Shutdown::on_signals()?;
    let background = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("udap-ca")
        .enable_all()
        .build()
        .map_err(|error| crate::cmd::unavailable(&error))?;
    let ca = Arc::new(background.block_on(args.dir.open())?);
    let renewing = {
        let (ca, shutdown) = (Arc::clone(&ca), shutdown.clone());
        background.spawn(async move { ca.run_background(shutdown).await })
    };
    let start = |listen: Listen| {
        let published = Arc::clone(&ca);
        let router = move || udap_ca::router(Arc::clone(&published));
        listen::start(listen, 1, router, shutdown.clone())
    };
    let running = start(Listen::plain(args.listen))?;
    let by_https = args.tls().map(&start).transpose()?;
    tracing::info!(addr = %running.addr(), dir = %ca.directory().display(), "publishing");
    if let Some(by_https) = &by_https {
        tracing::info!(addr = %by_https.addr(), "publishing by https");
    }
    let served = running.join();
    shutdown.trigger();
    let served = by_https.map_or(Ok(()), listen::Running::join).and(served);
    background.block_on(async {
        if let Err(error) = renewing.await {
            tracing::error!(%error, "the background work ended early");
        }
        ca.close().await;
    });
    served?;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
EXAMPLES
  udap ca serve --listen 0.0.0.0:80
  udap ca serve --listen 0.0.0.0:80 --tls-listen 0.0.0.0:443 --tls-cert web.pem --tls-key web.key
  udap ca serve --dir udap-sandbox/community-1/ca --listen 127.0.0.1:8441";
