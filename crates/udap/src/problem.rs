//! What went wrong, and how it is told: `error[code]: sentence`, the values, a hint, where to read on.

use crate::catalogue;
use crate::output::{self, Format, NO, UNREADABLE, bold, printable};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use udap_client::inspect::is_no_tls;
use udap_client::{ClientError, Refused};
use udap_host::files::FileError;
use udap_pki::{Explanation, Reason, Trace};
use udap_proto::Refusal;
use udap_proto::claims::ClaimError;
use udap_proto::extensions::ExtensionError;
use udap_proto::metadata::MetadataError;
use udap_proto::registration::ParamError;
use udap_server::StartError;
use udap_trust::fetch::FetchError;
use udap_trust::verify::TrustError;

/// A command that failed.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: String,
    message: String,
    hint: Option<String>,
    compare: Option<Compare>,
    trace: Option<Trace>,
    peer: Option<Refused>,
    exit: u8,
}

/// Two values that should have been equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compare {
    expected: String,
    found: String,
}

impl Problem {
    /// A refusal: exit code 1.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code: code.to_owned(),
            message: message.into(),
            hint: None,
            compare: None,
            trace: None,
            peer: None,
            exit: NO,
        }))
    }

    /// The hint, in place of the catalogue's.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// Input that cannot be read, or wrong usage: exit code 2.
    pub(crate) fn unreadable(mut self) -> Self {
        self.0.exit = UNREADABLE;
        self
    }

    /// The file that it is about, before the sentence.
    pub(crate) fn about(mut self, path: &Path) -> Self {
        self.0.message = format!("{}: {}", path.display(), self.0.message);
        self
    }

    /// Two values to be shown under one another.
    pub(crate) fn compare(mut self, expected: impl Into<String>, found: impl Into<String>) -> Self {
        self.0.compare = Some(Compare {
            expected: expected.into(),
            found: found.into(),
        });
        self
    }

    /// What a server said of its refusal.
    fn peer(mut self, refused: &Refused) -> Self {
        self.0.peer = Some(refused.clone());
        self
    }

    /// The code that says most: the server's, where it is one of ours.
    fn explained(&self) -> Option<&'static Explanation> {
        let of_peer = self
            .0
            .peer
            .as_ref()
            .and_then(|peer| peer.udap_code.as_deref());
        of_peer
            .and_then(catalogue::find)
            .or_else(|| catalogue::find(&self.0.code))
    }

    /// How it was found, for `--explain`.
    pub(crate) fn trace(mut self, trace: Trace) -> Self {
        self.0.trace = Some(trace);
        self
    }

    /// Leaves the trace out unless it was asked for.
    pub(crate) fn without_trace(mut self) -> Self {
        self.0.trace = None;
        self
    }

    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Prints it: for people on stderr, for programs on stdout.
    pub(crate) fn report(&self, format: Format) -> ExitCode {
        match format {
            Format::Human => output::talk(self.to_text().trim_end()),
            Format::Json => {
                // Where even this cannot be written, the exit code has to do.
                let _ = output::json(&self.to_json());
            }
        }
        ExitCode::from(self.0.exit)
    }

    pub(crate) fn hint_or_general(&self) -> Option<String> {
        self.0
            .hint
            .clone()
            .or_else(|| self.explained().map(|entry| entry.hint.to_owned()))
            .filter(|hint| !hint.is_empty())
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({
            "code": self.0.code,
            "message": self.0.message,
            "hint": self.hint_or_general(),
        });
        if let Some(Compare { expected, found }) = &self.0.compare {
            error["expected"] = expected.as_str().into();
            error["found"] = found.as_str().into();
        }
        if let Some(trace) = &self.0.trace {
            error["trace"] = trace.to_string().into();
        }
        if let Some(peer) = &self.0.peer {
            error["peer"] = json!({
                "code": peer.udap_code,
                "error": peer.error,
                "status": peer.status,
                "hint": peer.hint,
                "request_id": peer.request_id,
            });
        }
        json!({ "error": error })
    }

    pub(crate) fn to_text(&self) -> String {
        let (red, plain) = ("\x1b[1;31m", "\x1b[0m");
        let mut text = format!(
            "{red}error[{}]{plain}{}\n",
            printable(&self.0.code),
            bold(&format!(": {}", self.0.message))
        );
        // Writing to a string does not fail.
        if let Some(Compare { expected, found }) = &self.0.compare {
            let (expected, found) = (printable(expected), printable(found));
            let same = expected
                .chars()
                .zip(found.chars())
                .take_while(|(a, b)| a == b)
                .count();
            let mark = " ".repeat(same);
            let _ = writeln!(text, "  expected  {expected}");
            let _ = writeln!(text, "     found  {found}");
            let _ = writeln!(text, "            {mark}{red}^{plain}");
        }
        if let Some(trace) = &self.0.trace {
            for line in trace.to_string().lines() {
                let _ = writeln!(text, "  {}", printable(line));
            }
        }
        if let Some(hint) = self.hint_or_general() {
            let _ = writeln!(text, "  hint: {}", printable(&hint));
        }
        if let Some(entry) = self.explained() {
            let _ = writeln!(text, "  see: udap explain {}", entry.code);
        }
        let peer = self.0.peer.as_ref();
        if let Some(id) = peer.and_then(|peer| peer.request_id.as_deref()) {
            let _ = writeln!(
                text,
                "  request: {} (for the server's operator)",
                printable(id)
            );
        }
        text
    }

    /// A refusal of the inner crates, with its own code and hint.
    pub(crate) fn refusal(refusal: &dyn Refusal) -> Self {
        let problem = Self::new(refusal.code(), refusal.to_string());
        match refusal.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    /// On the command line an exception is an option, where a server has it in its configuration.
    fn about_fetching(mut self, error: &FetchError) -> Self {
        match error {
            FetchError::Tls { host, why } if is_no_tls(why) => {
                self.0.message = format!("`{host}` does not speak TLS (is it http?)");
                self.hint("compare the port with what the operator publishes")
            }
            // What hyper says of a TLS alert.
            FetchError::Broken { url, why }
                if url.starts_with("http:") && why.contains("invalid HTTP version") =>
            {
                self.0.message = format!("what answers at `{url}` does not speak HTTP (is it TLS?)");
                self.hint(format!("try `{}`", url.replacen("http:", "https:", 1)))
            }
            FetchError::Address { host, .. } => self.hint(format!(
                "if you mean to reach a host that is not public, list it: --allow-host {host}"
            )),
            FetchError::Tls { host, .. } => self.hint(format!(
                "look with `udap tls inspect {host}` and the `--allow-host` and `--tls-root` of this command; a private TLS root is named with `--tls-root FILE`"
            )),
            _ => self,
        }
    }

    /// A reason of the trust engine.
    pub(crate) fn reason(reason: &Reason) -> Self {
        let problem = Self::new(reason.code(), reason.to_string()).hint(reason.hint());
        match reason {
            Reason::SanUriMismatch {
                expected,
                near: Some(near),
                ..
            } => problem.compare(expected, &near.found),
            _ => problem,
        }
    }
}

/// How an option is written, by the parameter or member that it gives; of others nothing is said.
fn option_hint(name: &str) -> &'static str {
    match name {
        "contacts" => "`--contact mailto:ops@app.example`; others beside it are URIs",
        "organization_id" => {
            "`--organization-id` is an absolute URI, such as https://clinic.example, or a reference"
        }
        "subject_id" => {
            "`--subject-id` is `system#value`, whose system is an absolute URI: http://hl7.org/fhir/sid/us-npi#1234567890"
        }
        "subject_role" => {
            "`--subject-role` is `system#code`, whose system is an absolute URI: http://nucc.org/provider-taxonomy#207R00000X"
        }
        "purpose_of_use" => {
            "`--purpose` is a code such as TREAT, or `system#code`, whose system is an absolute URI"
        }
        _ => "",
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let mut problem = Self::refusal(&error);
        match &error {
            ClientError::Refused(refused) => {
                problem = problem.peer(refused);
                let explained = problem.explained().map(|entry| entry.code);
                if refused.hint.is_none() && explained == refused.udap_code.as_deref() {
                    // That of the server's code says more than that of the status.
                    problem = problem.hint("");
                }
            }
            ClientError::Fetch(error) => problem = problem.about_fetching(error),
            ClientError::Untrusted { error, .. } => {
                problem = match error.as_ref() {
                    TrustError::Refused { trace, .. } => problem.trace((**trace).clone()),
                    TrustError::UnknownCommunity { .. } => problem
                        .hint("name the community's anchor: `--anchor FILE`")
                        .unreadable(),
                };
            }
            ClientError::Metadata(MetadataError::Claim(ClaimError::Issuer { expected, found })) => {
                problem = problem.compare(expected, found)
            }
            ClientError::Metadata(MetadataError::NotInCertificate { iss, names }) => {
                if let [only] = names.as_slice() {
                    problem = problem.compare(only, iss);
                }
            }
            ClientError::UriNotInCertificate { uri, names } => {
                problem = problem.unreadable();
                if let [only] = names.as_slice() {
                    problem = problem.compare(only, uri);
                }
            }
            ClientError::BaseUrl { .. }
            | ClientError::OutsideBase { .. }
            | ClientError::NoCommunity
            | ClientError::NoIdentity
            | ClientError::NoCertificate
            | ClientError::OtherKey { .. } => {
                problem = problem.unreadable();
            }
            // What they name was given by an option.
            ClientError::Param(error) => {
                problem = problem.unreadable();
                if let ParamError::Missing { param } | ParamError::Wrong { param, .. } = error {
                    problem = problem.hint(option_hint(param));
                }
            }
            ClientError::Extension(error) => {
                problem = problem.unreadable();
                if let ExtensionError::Member { member, .. } = error {
                    problem = problem.hint(option_hint(member));
                }
            }
            _ => {}
        }
        problem
    }
}

impl From<udap_client::state::StateError> for Problem {
    fn from(error: udap_client::state::StateError) -> Self {
        Self::new(error.code(), error.to_string()).unreadable()
    }
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        Self::new(error.code(), error.to_string()).about_fetching(&error)
    }
}

impl From<udap_trust::keys::KeyFileError> for Problem {
    fn from(error: udap_trust::keys::KeyFileError) -> Self {
        Self::new(error.code(), error.to_string()).unreadable()
    }
}

impl From<udap_host::config::ConfigError> for Problem {
    fn from(error: udap_host::config::ConfigError) -> Self {
        Self::new(error.code(), error.to_string())
            .hint(error.hint())
            .unreadable()
    }
}

impl From<udap_host::listen::ListenError> for Problem {
    fn from(error: udap_host::listen::ListenError) -> Self {
        Self::new(error.code(), error.to_string()).hint(error.hint())
    }
}

impl From<udap_host::telemetry::TelemetryError> for Problem {
    fn from(error: udap_host::telemetry::TelemetryError) -> Self {
        Self::new(error.code(), error.to_string())
            .hint(error.hint())
            .unreadable()
    }
}

impl From<udap_host::db::DbError> for Problem {
    fn from(error: udap_host::db::DbError) -> Self {
        Self::new(error.code(), error.to_string()).hint(error.hint())
    }
}

/// What cannot be read is exit code 2, as of `config check`.
impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let problem = Self::new(error.code(), error.to_string());
        match error {
            StartError::Config(error) => error.into(),
            StartError::File(FileError::Unreadable { .. } | FileError::Exposed { .. })
            | StartError::Unusable { .. } => problem.unreadable(),
            _ => problem,
        }
    }
}

impl From<udap_server::LocalError> for Problem {
    fn from(error: udap_server::LocalError) -> Self {
        match error {
            udap_server::LocalError::Db(error) => error.into(),
            udap_server::LocalError::Config(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<udap_gateway::ConfigError> for Problem {
    fn from(error: udap_gateway::ConfigError) -> Self {
        Self::new(error.code(), error.to_string()).unreadable()
    }
}

impl From<udap_ca::CaError> for Problem {
    fn from(error: udap_ca::CaError) -> Self {
        Self::new(error.code(), error.to_string()).hint(error.hint())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use udap_client::Endpoint;
    use udap_testkit::{NOW, TestPki};

    /// What a pipe gets: without colours.
    fn plain(problem: &Problem) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        std::io::Write::write_all(&mut out, problem.to_text().as_bytes()).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn errors_as_people_see_them() {
        let mismatch = ClientError::Metadata(MetadataError::Claim(ClaimError::Issuer {
            expected: "https://fhir.example/r4/".into(),
            found: "https://fhir.example/r4".into(),
        }));
        let refused = ClientError::Refused(Box::new(Refused {
            endpoint: Endpoint::Registration,
            status: 400,
            error: Some("unapproved_software_statement".into()),
            description: Some("the certificate is revoked".into()),
            udap_code: Some("certificate-revoked".into()),
            hint: Some("ask for a new one".into()),
            request_id: Some("0fd3a1b27c55-1f".into()),
        }));
        let read = ClientError::Refused(Box::new(Refused {
            endpoint: Endpoint::Fhir,
            status: 403,
            error: Some("forbidden".into()),
            description: Some("the token has no scope for this".into()),
            udap_code: Some("scope-none-granted".into()),
            hint: None,
            request_id: None,
        }));
        let private = ClientError::Fetch(FetchError::Address {
            host: "localhost:1".into(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        });
        let unknown = Problem::new("no-such-code", "something of somebody else");
        let all = [
            mismatch.into(),
            refused.into(),
            read.into(),
            private.into(),
            unknown,
        ];
        let text: Vec<String> = all.iter().map(plain).collect();
        insta::assert_snapshot!("text", text.join("\n"));
        let json: Vec<String> = all.iter().map(|p| format!("{:#}", p.to_json())).collect();
        insta::assert_snapshot!("json", json.join("\n"));
    }

    #[test]
    fn what_strangers_wrote_stands_in_its_line() {
        let hostile = "a\u{1b}[2K\r\n\u{9b}8m\u{202e}\u{1b}[1;32m✓";
        let clean = "a\u{fffd}[2K\u{fffd}\u{fffd}\u{fffd}8m\u{fffd}\u{fffd}[1;32m✓";
        let problem = Problem::new(hostile, hostile)
            .hint(hostile)
            .compare(hostile, hostile);
        let (red, plain) = ("\u{1b}[1;31m", "\u{1b}[0m");
        let mark = " ".repeat(clean.chars().count());
        assert_eq!(
            problem.to_text(),
            format!(
                "{red}error[{clean}]{plain}\u{1b}[1m: {clean}{plain}\n  expected  {clean}\n     found  {clean}\n            {mark}{red}^{plain}\n  hint: {clean}\n"
            )
        );
    }

    #[test]
    fn the_trace_is_shown_only_when_asked_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let (here, there) = (
            TestPki::new("https://here.example"),
            TestPki::new("https://there.example"),
        );
        let app = there.leaf("https://app.example");
        let engine = udap_trust::verify::TrustEngine::new(None, vec![here.trust()]);
        let verdict = engine.verify("https://here.example", app.leaf(), &[], NOW);
        let error = runtime.unwrap().block_on(verdict).unwrap_err();
        let problem = Problem::from(ClientError::Untrusted {
            community: "https://here.example".into(),
            error: Box::new(error),
        });
        assert_eq!(problem.code(), "chain-not-trusted");
        assert!(plain(&problem).contains("✗"), "{}", plain(&problem));
        assert!(!plain(&problem.without_trace()).contains("✗"));
    }
}
