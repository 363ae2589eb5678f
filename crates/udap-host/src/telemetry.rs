//! Log lines on stderr: human on a terminal, JSON otherwise; the level is `UDAP_LOG`.
//!
//! A log line reads alone and never holds a token, an assertion, patient data or a query string:
//! a FHIR search has names and birth dates in it. [`place`] shows a URL without.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Sets the log of this process up, once.
pub fn init(format: LogFormat) -> Result<(), TelemetryError> {
    let filter = filter(std::env::var(VARIABLE).ok().as_deref())?;
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    let human = match format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let done = match human {
        true => lines.with_target(false).try_init(),
        false => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    done.map_err(|_| TelemetryError::AlreadySet)
}

/// A URL or path without its query and fragment.
pub fn place(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

fn filter(value: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let value = value
        .filter(|value| !value.trim().is_empty())
        .unwrap_or(DEFAULT);
    EnvFilter::try_new(value).map_err(|error| TelemetryError::Filter {
        value: value.to_owned(),
        detail: error.to_string(),
    })
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    #[error("{VARIABLE} cannot be `{value}`: {detail}")]
    Filter { value: String, detail: String },
    #[error("the log of this process is set up already")]
    AlreadySet,
}

impl TelemetryError {
    /// The stable name of the refusal; see [`crate::CATALOGUE`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Filter { .. } => "log-filter-invalid",
            Self::AlreadySet => "log-already-set",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        crate::catalogue::hint(self.code()).to_owned()
    }
}

const VARIABLE: &str = "UDAP_LOG";

/// Statements that take long are the database driver's to tell, the rest of it is noise.
const DEFAULT: &str = "info,sqlx=warn";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_filter_is_a_level_or_a_list() {
        for value in [
            None,
            Some(""),
            Some("debug"),
            Some("info,udap_server=trace"),
        ] {
            filter(value).unwrap();
        }
        let error = filter(Some("udap=loud")).unwrap_err();
        assert_eq!(error.code(), "log-filter-invalid");
        assert!(
            error
                .to_string()
                .starts_with("UDAP_LOG cannot be `udap=loud`: "),
            "{error}"
        );
        assert!(!error.hint().is_empty());
    }

    #[test]
    fn the_log_is_set_up_once() {
        init(LogFormat::Json).unwrap();
        assert_eq!(
            init(LogFormat::Human).unwrap_err().code(),
            "log-already-set"
        );
    }

    #[test]
    fn a_place_has_no_query() {
        assert_eq!(place("/fhir/Patient?family=Shaw"), "/fhir/Patient");
        assert_eq!(place("https://x.example/a#b?c"), "https://x.example/a");
        assert_eq!(place("/fhir"), "/fhir");
    }
}
