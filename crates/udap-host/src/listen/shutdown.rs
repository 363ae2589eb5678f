use std::{sync::Arc, thread};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::ListenError;

/// A stop signal that any number of parts wait for, on any runtime. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    sender: Arc<watch::Sender<bool>>,
}

impl Shutdown {
    /// Triggered only by [`trigger`](Self::trigger).
    #[expect(
        clippy::new_without_default,
        reason = "a stop signal is made on purpose, once"
    )]
    pub fn new() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Also triggered by SIGTERM and SIGINT. A second signal ends the process at once with the
    /// exit code that shells give it (128 + signal), for whoever cannot wait for the drain.
    pub fn on_signals() -> Result<Self, ListenError> {
        let shutdown = Self::new();
        let failed = |error: std::io::Error| ListenError::Signals {
            detail: error.to_string(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        // Registered here, so that no signal after this call meets the default action.
        let guard = runtime.enter();
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        drop(guard);

        let trigger = shutdown.clone();
        thread::Builder::new()
            .name("udap-signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let mut first = true;
                    loop {
                        let number = tokio::select! {
                            _ = terminate.recv() => SignalKind::terminate(),
                            _ = interrupt.recv() => SignalKind::interrupt(),
                        };
                        if !first {
                            std::process::exit(128 + number.as_raw_value());
                        }
                        first = false;
                        tracing::info!("stopping: requests in flight are answered first");
                        trigger.trigger();
                    }
                });
            })
            .map_err(failed)?;
        Ok(shutdown)
    }

    pub fn trigger(&self) {
        self.sender.send_replace(true);
    }

    pub fn is_triggered(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns when triggered; at once if it already was.
    pub async fn wait(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.sender.subscribe().wait_for(|stop| *stop).await;
    }
}
