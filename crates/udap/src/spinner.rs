//! A spinner while something takes long: on a terminal only, and only after 300 ms.

use indicatif::{ProgressBar, ProgressStyle};
use std::future::Future;
use std::io::IsTerminal as _;
use std::time::Duration;

const AFTER: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);

/// Waits for `work`, and says what is being waited for if that takes long.
pub(crate) async fn wait<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    if let Ok(done) = tokio::time::timeout(AFTER, &mut work).await {
        return done;
    }
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    let done = work.await;
    bar.finish_and_clear();
    done
}
