//! What the sandbox's processes have in common, and those of them that no other command is.
//!
//! The sandbox and the benchmarks start the running program again as `udap actor ARGS…`:
//!
//! - `udap actor serve --config FILE`, `udap actor ca serve …`: the ordinary command that follows, in a
//!   process that ends when its parent does. The binary calls [`run`], which knows nothing of it, then
//!   [`end_with_parent`], and goes on with the rest of its arguments.
//! - `udap actor fhir …`, `udap actor floor …`, `udap actor pass …`: one of [`run`]'s own.
//! - `udap actor fhir-bundle`: prints what is in the FHIR server, to load another one with.

use std::{io::Read as _, net::SocketAddr, process::ExitCode, thread, time::Duration};

use udap_host::listen::{self, Listen, Shutdown};
use url::Url;

use crate::{bench, fhir, output};

/// Makes this process end when its parent closes its standard input, which it does by ending,
/// however it ends: a `kill -9` of the sandbox leaves no process behind.
///
/// It ends as it does on SIGTERM, and at once if that takes longer than five seconds.
///
/// # Errors
/// When no thread can be started.
pub fn end_with_parent() -> std::io::Result<()> {
    let watch = || {
        let mut input = std::io::stdin().lock();
        let mut nothing = [0; 64];
        while matches!(input.read(&mut nothing), Ok(1..)) {}
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .is_ok()
        {
            thread::sleep(GRACE);
        }
        std::process::exit(1);
    };
    thread::Builder::new()
        .name("udap-parent".to_owned())
        .spawn(watch)
        .map(drop)
}

/// Runs one of the laboratory's own processes until SIGTERM. `None` when the arguments name none:
/// then they are an ordinary command.
pub fn run(args: &[String]) -> Option<ExitCode> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["fhir", listen, base] => child(|| fhir_server(listen, base)),
        ["floor", listen, cert, key] => child(|| bench::floor_server(listen, cert, key)),
        ["pass", listen, cert, key, upstream] => {
            child(|| bench::pass_server(listen, cert, key, upstream))
        }
        ["fhir-bundle"] => output::value(&fhir::transaction()),
        _ => return None,
    };
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error.to_string());
            ExitCode::FAILURE
        }
    })
}

fn child(serve: impl FnOnce() -> Result<(), anyhow::Error>) -> Result<(), anyhow::Error> {
    end_with_parent()?;
    serve()
}

fn fhir_server(listen: &str, base: &str) -> Result<(), anyhow::Error> {
    let addr: SocketAddr = listen.parse()?;
    let base: Url = base.parse()?;
    let shutdown = Shutdown::on_signals()?;
    listen::run(
        Listen::plain(addr),
        1,
        move || fhir::router(&base),
        shutdown,
    )?;
    Ok(())
}

/// Requests in flight are answered in less; a process that hangs is not waited for.
const GRACE: Duration = Duration::from_secs(5);
