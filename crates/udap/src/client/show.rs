//! Requests that are shown in place of being sent.

use crate::output::{self, Format};
use crate::problem::Problem;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use udap_client::{Plan, Secrets};

/// Whether requests are sent or shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Show, do not send")]
pub(crate) struct ShowArgs {
    /// Show what would be sent as curl commands; metadata is still fetched and verified
    #[arg(long)]
    curl: bool,
    /// The same without any connection, from metadata that was verified before
    #[arg(long)]
    offline: bool,
    /// Show tokens and assertions too; whoever sees them can use them
    #[arg(long)]
    show_secrets: bool,
}

/// What becomes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requests {
    /// They are sent.
    Sent,
    /// They are shown, except that metadata is fetched.
    Shown,
    /// They are shown, and there is no connection at all.
    Offline,
}

impl ShowArgs {
    pub(crate) const fn requests(&self) -> Requests {
        match (self.curl, self.offline) {
            (_, true) => Requests::Offline,
            (true, false) => Requests::Shown,
            (false, false) => Requests::Sent,
        }
    }

    /// Prints requests in their order, each with what it is for.
    pub(crate) fn print(
        &self,
        steps: &[(&str, Plan)],
        cacert: Option<&Path>,
        format: Format,
    ) -> Result<(), Problem> {
        let secrets = if self.show_secrets {
            Secrets::Shown
        } else {
            Secrets::Redacted
        };
        match format {
            Format::Human => {
                for (what, plan) in steps {
                    output::data(&format!("# {what}\n{}", plan.to_curl(secrets, cacert)))?;
                }
                Ok(())
            }
            Format::Json => {
                let requests: Vec<Value> = steps
                    .iter()
                    .map(|(what, plan)| {
                        let mut request = plan.to_json(secrets);
                        request["for"] = (*what).into();
                        request
                    })
                    .collect();
                output::json(&json!({ "requests": requests }))
            }
        }
    }
}
