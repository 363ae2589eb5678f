//! The command line. Each command's options stand in its own file under `cmd/`.

use crate::cmd;
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Trust for FHIR: every actor of a UDAP community in one program.
#[derive(Debug, Parser)]
#[command(
    name = "udap",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dev(cmd::dev::Args),
    Discover(cmd::discover::Args),
    Register(cmd::register::Args),
    Token(cmd::token::Args),
    Get(cmd::get::Args),
    Introspect(cmd::introspect::Args),
    Revoke(cmd::revoke::Args),
    Unregister(cmd::unregister::Args),
    Serve(cmd::serve::Args),
    Doctor(cmd::doctor::Args),
    #[command(subcommand)]
    Db(cmd::db::Command),
    #[command(subcommand)]
    Admin(cmd::admin::Command),
    #[command(subcommand)]
    Audit(cmd::audit::Command),
    #[command(subcommand)]
    Ca(cmd::ca::Command),
    Certify(cmd::certify::Args),
    #[command(subcommand)]
    Community(cmd::community::Command),
    #[command(subcommand)]
    X509(cmd::x509::Command),
    #[command(subcommand)]
    Crl(cmd::crl::Command),
    #[command(subcommand)]
    Ocsp(cmd::ocsp::Command),
    #[command(subcommand)]
    Jws(cmd::jws::Command),
    #[command(subcommand)]
    Jwt(cmd::jwt::Command),
    #[command(subcommand)]
    Tls(cmd::tls::Command),
    Explain(cmd::explain::Args),
    #[command(subcommand)]
    Config(cmd::config::Command),
    #[command(subcommand)]
    Bench(cmd::bench::Command),
    /// A process of the sandbox or of a benchmark
    #[command(hide = true)]
    Actor {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

const EXAMPLES: &str = "\
EXAMPLES
  A whole community on this machine, with everything that happens in it:
    udap dev --once

  Read a patient from any data holder of the community:
    udap get 'https://localhost:8440/fhir/Patient?family=Shaw'

  What an error code means:
    udap explain san-uri-mismatch

EXIT CODES
  0  yes: done, trusted, accepted
  1  no: refused, failed, or not known where it has to be
  2  unreadable input, or wrong usage";

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// Every command that is not a group of others, by its words.
    fn walk(command: &clap::Command, path: &str, visit: &mut impl FnMut(&str, &clap::Command)) {
        visit(path, command);
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            walk(sub, &format!("{path} {}", sub.get_name()), visit);
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    /// The help of every command, so that a change is seen as a difference.
    #[test]
    fn help() {
        let mut all = String::new();
        walk(&Cli::command(), "udap", &mut |path, command| {
            let help = command
                .clone()
                .name("udap")
                .bin_name(path)
                .render_long_help();
            all.push_str(&format!("$ {path} --help\n{help}\n"));
        });
        insta::assert_snapshot!(all);
    }

    /// No example rots: each is a command line that is understood. `tests/it/examples.rs` runs them.
    #[test]
    fn every_command_has_examples_and_each_is_understood() {
        let mut count = 0;
        walk(&Cli::command(), "udap", &mut |path, command| {
            let group = command.has_subcommands();
            let text = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                group || text.starts_with("EXAMPLES\n"),
                "`{path}` has no examples"
            );
            for line in text.lines() {
                assert!(
                    line.len() <= 100,
                    "would be wrapped, and could not be copied: {line}"
                );
            }
            for line in text.replace("\\\n", "").lines().map(str::trim) {
                for part in line.split(" | ").filter(|part| part.starts_with("udap ")) {
                    let words = words(part);
                    if let Err(error) = Cli::try_parse_from(&words) {
                        panic!("in the help of `{path}`: {part}\n{error}");
                    }
                    count += 1;
                }
            }
        });
        assert!(count > 50, "only {count} examples were found");
    }

    /// Nor does a hint: each command that one names is a command.
    #[test]
    fn every_command_that_a_hint_names_exists() {
        let mut count = 0;
        for entry in crate::catalogue::all() {
            let texts = [entry.meaning, entry.hint];
            for named in texts
                .iter()
                .flat_map(|text| text.split('`').skip(1).step_by(2))
            {
                let mut words = named.split_whitespace();
                if words.next() != Some("udap") {
                    continue;
                }
                count += 1;
                let mut command = Cli::command();
                for word in words.take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase())) {
                    let Some(next) = command.find_subcommand(word).cloned() else {
                        assert!(!command.has_subcommands(), "{}: `{named}`", entry.code);
                        break;
                    };
                    command = next;
                }
            }
        }
        assert!(count > 20, "only {count} commands were found");
    }

    /// What a shell makes of it: single quotes, and redirections are not the command's.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                '<' | '>' if !quoted => break,
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }
}
