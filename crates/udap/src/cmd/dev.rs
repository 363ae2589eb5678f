//! `udap dev`

use crate::output::Format;
use std::path::PathBuf;
use std::process::ExitCode;
use udap_lab::dev::{self, DevOptions, Stay};
use url::Url;

/// A whole trust community on this machine: make it, start it, and do everything once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where everything is kept; made if missing, used again if not
    #[arg(long, value_name = "DIR", default_value = "udap-sandbox")]
    dir: PathBuf,
    /// Stop when the main job is done, in place of staying up until Ctrl-C
    #[arg(long)]
    once: bool,
    /// The first of nine ports in a row
    #[arg(long, value_name = "PORT", default_value_t = 8440)]
    port_base: u16,
    /// An existing FHIR server to put behind the gateway
    #[arg(long, value_name = "URL")]
    upstream: Option<Url>,
}

pub(crate) fn run(args: Args, format: Format) -> ExitCode {
    dev::run(DevOptions {
        dir: args.dir,
        stay: if args.once {
            Stay::ForTheJob
        } else {
            Stay::UntilInterrupted
        },
        format: lab_format(format),
        port_base: args.port_base,
        upstream: args.upstream,
    })
}

pub(crate) const fn lab_format(format: Format) -> dev::Format {
    match format {
        Format::Human => dev::Format::Human,
        Format::Json => dev::Format::Json,
    }
}

const EXAMPLES: &str = "\
EXAMPLES
  Make a community, do the main job, stop:
    udap dev --once

  Stay up, to try commands against it in another terminal:
    udap dev

  In front of a FHIR server that is there already:
    udap dev --upstream http://localhost:8080/fhir

  One JSON object for each step:
    udap dev --once --json";
