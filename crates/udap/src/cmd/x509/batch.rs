//! `udap x509 verify --batch`: one JSON request a line, one JSON answer a line.

use super::question::{self, Question};
use crate::input;
use crate::output;
use crate::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;
use udap_pki::{
    Anchor, Certificate, Evidence, OcspResponse, Outcome, Policy, Purpose, Revocation, UnixTime,
    pem,
};
use udap_trust::clock;

/// A request: the members are those of the command's options, certificates and CRLs in PEM.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Value,
    anchors: Texts,
    cert: String,
    #[serde(default)]
    untrusted: Texts,
    #[serde(default)]
    crls: Texts,
    #[serde(default)]
    ocsp: Texts,
    time: Option<String>,
    name: Option<String>,
    purpose: Option<String>,
    revocation: Option<String>,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    require_explicit_policy: bool,
    #[serde(default)]
    inhibit_any_policy: bool,
    #[serde(default)]
    inhibit_policy_mapping: bool,
    max_path: Option<u8>,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, several) = match self {
            Self::One(text) => (Some(text.as_str()), &[][..]),
            Self::Several(texts) => (None, texts.as_slice()),
        };
        one.into_iter().chain(several.iter().map(String::as_str))
    }
}

/// The code of a line that cannot be read; what cannot be read is not accepted.
const UNREADABLE: &str = "input-unreadable";

pub(super) fn run() -> Result<ExitCode, Problem> {
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|error| {
            Problem::new(
                UNREADABLE,
                format!("standard input cannot be read: {error}"),
            )
            .unreadable()
        })?;
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        output::data(&output::json_line(&answer(&line)))?;
    }
}

fn answer(line: &[u8]) -> Value {
    let request: Line = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            // The id is echoed if that much can be read.
            let id = serde_json::from_slice::<Value>(line)
                .ok()
                .and_then(|value| value.get("id").cloned())
                .unwrap_or_default();
            return unreadable(&id, &error.to_string());
        }
    };
    let id = request.id.clone();
    let question = match request.question() {
        Ok(question) => question,
        Err(why) => return unreadable(&id, &why),
    };
    let mut value = match question.answer() {
        Outcome::Valid(_) => json!({"id": id, "accepted": true, "code": null, "reason": null}),
        Outcome::Invalid(udap_pki::Invalid { reason, .. })
        | Outcome::Incomplete(udap_pki::Incomplete { reason, .. }) => json!({
            "id": id,
            "accepted": false,
            "code": reason.code(),
            "reason": reason.to_string(),
        }),
    };
    if !question.ignored.is_empty() {
        value["ignored"] = question.ignored.into();
    }
    value
}

fn unreadable(id: &Value, why: &str) -> Value {
    json!({"id": id, "accepted": false, "code": UNREADABLE, "reason": why})
}

impl Line {
    fn question(self) -> Result<Question, String> {
        let mut ignored = Vec::new();
        let mut anchors = Vec::new();
        for text in self.anchors.iter() {
            let found = pem::certificates(text.as_bytes()).map_err(|e| format!("anchors: {e}"))?;
            anchors.extend(found.into_iter().map(Anchor::new));
        }
        let labels = ["CERTIFICATE", "X509 CERTIFICATE"];
        let ders = pem::ders(self.cert.as_bytes(), &labels, "certificate")
            .map_err(|e| format!("cert: {e}"))?;
        let mut ders = ders.iter();
        let first = ders.next().ok_or_else(|| "cert: it is empty".to_owned())?;
        let leaf = Certificate::from_der(first).map_err(|e| format!("cert: {e}"))?;
        let mut intermediates = Vec::new();
        for (at, der) in ders.enumerate() {
            match Certificate::from_der(der) {
                Ok(certificate) => intermediates.push(certificate),
                Err(error) => ignored.push(format!("cert: certificate {}: {error}", at + 2)),
            }
        }
        for (at, text) in self.untrusted.iter().enumerate() {
            match input::readable_certificates(text.as_bytes()) {
                Ok((found, not)) => {
                    intermediates.extend(found);
                    ignored.extend(not.into_iter().map(|why| format!("untrusted[{at}]: {why}")));
                }
                Err(why) => ignored.push(format!("untrusted[{at}]: {why}")),
            }
        }
        let mut evidence = Evidence::default();
        for (at, text) in self.crls.iter().enumerate() {
            let crls = pem::crls(text.as_bytes()).map_err(|e| format!("crls[{at}]: {e}"))?;
            for crl in crls {
                evidence.add_crl(Arc::new(crl));
            }
        }
        for (at, text) in self.ocsp.iter().enumerate() {
            let der = input::ocsp_der(text.as_bytes()).map_err(|e| format!("ocsp[{at}]: {e}"))?;
            let response = OcspResponse::from_der(&der).map_err(|e| format!("ocsp[{at}]: {e}"))?;
            evidence.add_ocsp(Arc::new(response));
        }
        let now = match &self.time {
            None => clock::now(),
            Some(text) => UnixTime::parse_rfc3339(text).map_err(|e| format!("time: {e}"))?,
        };
        let revocation = match self.revocation.as_deref() {
            None | Some("require") => Revocation::Require,
            Some("prefer") => Revocation::Prefer,
            Some("off") => Revocation::Off,
            Some(other) => {
                return Err(format!(
                    "revocation: `{other}` is not require, prefer or off"
                ));
            }
        };
        let purpose = match self.purpose.as_deref() {
            None => Purpose::Any,
            Some(word) => question::purpose(word).ok_or_else(|| {
                format!("purpose: `{word}` is not any, jwt, client, server or ocsp")
            })?,
        };
        let name = self.name.as_deref().map(question::name).transpose();
        let policies: Result<_, _> = self.policies.iter().map(|p| question::oid(p)).collect();
        let default = Policy::default();
        Ok(Question {
            leaf,
            intermediates,
            anchors,
            evidence,
            now,
            policy: Policy {
                revocation,
                purpose,
                name: name.map_err(|why| format!("name: {why}"))?,
                policies: policies.map_err(|why| format!("policies: {why}"))?,
                explicit_policy: self.require_explicit_policy,
                inhibit_policy_mapping: self.inhibit_policy_mapping,
                inhibit_any_policy: self.inhibit_any_policy,
                max_intermediates: self.max_path.unwrap_or(default.max_intermediates),
                ..default
            },
            ignored,
        })
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use udap_testkit::{NOW, TestPki};

    fn request(changes: &[(&str, Value)]) -> Value {
        let pki = TestPki::new("https://community.example");
        let app = pki.leaf("https://app.example");
        let mut request = json!({
            "id": 7,
            "anchors": [pki.anchor().certificate().to_pem()],
            "cert": app.leaf().to_pem(),
            "untrusted": [pki.issuing_ca().to_pem()],
            "time": NOW.to_string(),
            "name": "uri:https://app.example",
            "revocation": "off",
        });
        for (name, value) in changes {
            request[name] = value.clone();
        }
        answer(request.to_string().as_bytes())
    }

    #[test]
    fn one_line_is_one_answer() {
        assert_eq!(
            request(&[]),
            json!({"id": 7, "accepted": true, "code": null, "reason": null})
        );
        let refused = request(&[
            ("id", "x".into()),
            ("name", "uri:https://other.example".into()),
        ]);
        assert_eq!(refused["id"], "x");
        assert_eq!(refused["accepted"], false);
        assert_eq!(refused["code"], "san-uri-mismatch");
        assert_eq!(
            request(&[("revocation", "require".into())])["code"],
            "revocation-unavailable"
        );
        assert_eq!(
            request(&[("untrusted", json!([]))])["code"],
            "chain-not-trusted"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_accepted() {
        for line in ["", "{", "[]", "{\"id\":1}", "\u{0}"] {
            let answer = answer(line.as_bytes());
            assert_eq!(answer["accepted"], false, "{line}");
            assert_eq!(answer["code"], "input-unreadable", "{line}");
        }
        assert_eq!(
            answer(b"{\"id\":1}")["id"],
            1,
            "the id comes back all the same"
        );
        for (member, value) in [
            ("cert", json!("junk")),
            ("anchors", json!(["junk"])),
            ("crls", json!(["junk"])),
            ("ocsp", json!(["junk"])),
            ("time", json!("yesterday")),
            ("name", json!("app.example")),
            ("purpose", json!("fun")),
            ("revocation", json!("maybe")),
            ("policies", json!(["x"])),
            ("colour", json!("blue")),
        ] {
            assert_eq!(
                request(&[(member, value)])["code"],
                "input-unreadable",
                "{member}"
            );
        }
    }

    #[test]
    fn surplus_that_cannot_be_read_is_ignored_and_named() {
        let pki = TestPki::new("https://community.example");
        let app = pki.leaf("https://app.example");
        let answer = answer(
            json!({
                "id": 1,
                "anchors": pki.anchor().certificate().to_pem(),
                "cert": app.chain_pem(),
                "untrusted": ["junk", pem::encode("CERTIFICATE", b"0\x03\x02\x01\x01")],
                "time": NOW.to_string(),
                "revocation": "off",
            })
            .to_string()
            .as_bytes(),
        );
        assert_eq!(answer["accepted"], true, "{answer}");
        assert_eq!(answer["ignored"].as_array().unwrap().len(), 2);
    }
}
