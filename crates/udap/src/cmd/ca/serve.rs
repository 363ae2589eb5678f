//! `udap ca serve`

use super::DirArgs;
use crate::problem::Problem;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use udap_ca::Ca;
use udap_host::config::LogFormat;
use udap_host::listen::{self, Listen, Shutdown};
use udap_host::telemetry;

/// Publish CRLs, OCSP answers, the issuers' certificates and the status of certifications over HTTP.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to listen; plain HTTP, since what is published is signed itself; the status of
    /// certifications (/certifications/status) needs a proxy that offers it by https
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8441")]
    listen: SocketAddr,
    #[command(flatten)]
    dir: DirArgs,
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
    let ca = Arc::new(background.block_on(Ca::open(&args.dir.dir))?);
    let renewing = {
        let (ca, shutdown) = (Arc::clone(&ca), shutdown.clone());
        background.spawn(async move { ca.run_background(shutdown).await })
    };
    let published = Arc::clone(&ca);
    let running = listen::start(
        Listen::plain(args.listen),
        1,
        move || udap_ca::router(Arc::clone(&published)),
        shutdown.clone(),
    )?;
    tracing::info!(addr = %running.addr(), dir = %ca.directory().display(), "publishing");
    let served = running.join();
    shutdown.trigger();
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
  udap ca serve --dir udap-sandbox/community-1/ca --listen 127.0.0.1:8441";
