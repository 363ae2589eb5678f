//! What is written to stdout and stderr.

use std::io::Write as _;

/// A JSON value on a line of its own.
pub(crate) fn value(value: &serde_json::Value) -> Result<(), anyhow::Error> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(())
}

/// Why a process ends.
pub(crate) fn failure(sentence: &str) {
    // There is nobody to tell when stderr is closed.
    let _ = writeln!(anstream::stderr(), "error: {sentence}");
}
