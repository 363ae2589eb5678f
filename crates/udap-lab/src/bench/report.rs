//! What was measured, as a table or as one object.

use std::io::Write as _;

use serde_json::json;

use super::load::{Measured, as_f64};
use crate::dev::Format;

/// The members that every benchmark prints.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) what: &'static str,
    pub(super) alg: &'static str,
    pub(super) rps: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// CPU time of the server's process for one request, in microseconds.
    pub(super) server_cpu_us: Option<f64>,
    /// What it cannot be below, in microseconds.
    pub(super) floor_us: f64,
    pub(super) errors: u64,
    /// What the floor is made of, for a person.
    pub(super) parts: Vec<(String, f64)>,
    /// What one of the wrong answers was.
    pub(super) example: Option<String>,
}

impl Report {
    pub(super) fn new(
        what: &'static str,
        alg: &'static str,
        measured: &Measured,
        server_cpu_us: Option<f64>,
        parts: Vec<(String, f64)>,
    ) -> Self {
        Self {
            what,
            alg,
            rps: measured.rps(),
            p50_ms: measured.percentile_ms(50),
            p99_ms: measured.percentile_ms(99),
            server_cpu_us,
            floor_us: parts.iter().map(|(_, us)| us).sum(),
            errors: measured.errors,
            parts,
            example: measured.example.clone(),
        }
    }

    fn ratio(&self) -> Option<f64> {
        self.server_cpu_us
            .filter(|_| self.floor_us > 0.0)
            .map(|us| us / self.floor_us)
    }

    pub(super) fn print(&self, format: Format) {
        let mut out = anstream::stdout().lock();
        if format == Format::Json {
            let object = json!({
                "what": self.what,
                "alg": self.alg,
                "rps": tenths(self.rps),
                "p50_ms": thousandths(self.p50_ms),
                "p99_ms": thousandths(self.p99_ms),
                "server_cpu_us": self.server_cpu_us.map(tenths),
                "floor_us": tenths(self.floor_us),
                "ratio": self.ratio().map(thousandths),
                "errors": self.errors,
            });
            let _ = writeln!(out, "{object}");
            return;
        }
        let or_dash = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let _ = writeln!(
            out,
            "{:<8} {:<6} {:>10} {:>8} {:>8} {:>10} {:>9} {:>6} {:>7}",
            "what",
            "alg",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "server µs",
            "floor µs",
            "ratio",
            "errors"
        );
        let _ = writeln!(
            out,
            "{:<8} {:<6} {:>10.0} {:>8.2} {:>8.2} {:>10} {:>9.1} {:>6} {:>7}",
            self.what,
            self.alg,
            self.rps,
            self.p50_ms,
            self.p99_ms,
            or_dash(self.server_cpu_us, 1),
            self.floor_us,
            or_dash(self.ratio(), 2),
            self.errors
        );
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|(part, us)| format!("{part} {us:.1}"))
            .collect();
        let _ = writeln!(
            anstream::stderr(),
            "floor: {}. CPU time of one process; the load and everything else is not counted.",
            parts.join(" + ")
        );
        if let Some(example) = &self.example {
            let _ = writeln!(anstream::stderr(), "one of the errors: {example}");
        }
    }
}

/// What growing cost: five measurements, and what the many take. As objects, one a line, the last of
/// which compares.
pub(super) fn growth(growth: &super::growth::Growth, format: Format) {
    let us = growth.reports().map(|report| report.server_cpu_us);
    let [few, many, uniform, revoked, revoked_uniform] = us;
    let ratio = |before: Option<f64>, after: Option<f64>| {
        let both = before.zip(after).filter(|(before, _)| *before > 0.0);
        both.map(|(before, after)| after / before)
    };
    let of_registrations = ratio(few, many);
    let (of_revoked, of_revoked_uniform) = (ratio(many, revoked), ratio(uniform, revoked_uniform));
    let of_both = ratio(few, revoked);
    let memory_mib = growth.memory.map(mebibytes);
    let (registrations, serials) = (growth.registrations, growth.serials);
    let titles = [
        "active clients among a thousand registrations, 10 serials revoked".to_owned(),
        format!("active clients among {registrations}, 10 revoked"),
        format!("clients that never asked, among {registrations}, 10 revoked"),
        format!("active clients among {registrations}, {serials} revoked"),
        format!("clients that never asked, among {registrations}, {serials} revoked"),
    ];
    for (title, report) in titles.iter().zip(growth.reports()) {
        if format == Format::Human {
            let _ = writeln!(anstream::stdout(), "{title}");
        }
        report.print(format);
    }
    let mut out = anstream::stdout().lock();
    if format == Format::Json {
        let object = json!({
            "what": "growth",
            "registrations": registrations,
            "few_us": few.map(tenths),
            "many_us": many.map(tenths),
            "uniform_us": uniform.map(tenths),
            "ratio": of_registrations.map(thousandths),
            "revoked": serials,
            "revoked_us": revoked.map(tenths),
            "revoked_uniform_us": revoked_uniform.map(tenths),
            "revoked_ratio": of_revoked.map(thousandths),
            "revoked_uniform_ratio": of_revoked_uniform.map(thousandths),
            "both_ratio": of_both.map(thousandths),
            "memory_mib": memory_mib.map(tenths),
            "disk_bytes_each": growth.disk_each,
        });
        let _ = writeln!(out, "{object}");
        return;
    }
    let told =
        |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let _ = writeln!(
        out,
        "a token among {registrations} registrations costs {} times what it costs among a thousand\n\
         with {serials} serials revoked, {} times what it costs with 10; of a client that never asked, {}\n\
         both together, {} times; target 1.2\n\
         {} MiB of memory, {} bytes of disk a registration",
        told(of_registrations),
        told(of_revoked),
        told(of_revoked_uniform),
        told(of_both),
        memory_mib.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0}")),
        growth.disk_each
    );
}

/// What starting took, and what is held in memory afterwards.
pub(super) fn start(start: &super::start::Start, format: Format) {
    let (server, floor) = (&start.data_holder, &start.floor);
    let mib = |bytes: u64| tenths(mebibytes(bytes));
    let resident = |of: &super::start::Process| of.idle.map(|held| mib(held.resident));
    let anonymous = |of: &super::start::Process| of.idle.map(|held| mib(held.anonymous));
    let ratio = server.first_answer_ms / floor.first_answer_ms;
    let mut out = anstream::stdout().lock();
    if format == Format::Json {
        let object = json!({
            "what": "start",
            "first_answer_ms": tenths(server.first_answer_ms),
            "floor_ms": tenths(floor.first_answer_ms),
            "ratio": thousandths(ratio),
            "idle_mib": resident(server),
            "idle_anonymous_mib": anonymous(server),
            "floor_idle_mib": resident(floor),
            "floor_idle_anonymous_mib": anonymous(floor),
        });
        let _ = writeln!(out, "{object}");
        return;
    }
    let told = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.1}"));
    let _ = writeln!(
        out,
        "{:<14} {:>15} {:>9} {:>22}",
        "what", "first answer ms", "idle MiB", "of it in no file MiB"
    );
    for (name, of) in [("data holder", server), ("empty handler", floor)] {
        let _ = writeln!(
            out,
            "{name:<14} {:>15.1} {:>9} {:>22}",
            of.first_answer_ms,
            told(resident(of)),
            told(anonymous(of)),
        );
    }
}

/// CPU time for each request, in microseconds.
pub(super) fn per_request(
    before: Option<std::time::Duration>,
    after: Option<std::time::Duration>,
    measured: &Measured,
) -> Option<f64> {
    let requests = measured.requests + measured.errors;
    let used = after?.checked_sub(before?)?;
    (requests > 0).then(|| used.as_secs_f64() * 1e6 / as_f64(requests))
}

/// What a person who waits wants to know.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

pub(super) fn failure(format: Format, code: &str, sentence: &str, hint: &str) {
    if format == Format::Json {
        let object = json!({ "code": code, "error": sentence, "hint": hint });
        let _ = writeln!(anstream::stdout(), "{object}");
        return;
    }
    let _ = writeln!(anstream::stderr(), "error[{code}]: {sentence}");
    if !hint.is_empty() {
        let _ = writeln!(anstream::stderr(), "  hint: {hint}");
    }
}

fn mebibytes(bytes: u64) -> f64 {
    as_f64(bytes) / 1024.0 / 1024.0
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
