//! The report as people read it: the steps of a handshake, one after the other.

use super::probe::{Probe, ProbeResult};
use super::report::{
    Chain, Finding, Hello, Mark, Negotiated, Report, Resumption, UdapMetadata, UdapResult,
};
use std::fmt;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}:{} at {}, {}",
            self.host, self.port, self.address, self.time
        )?;
        writeln!(f, "\n1. Hello: what is offered")?;
        self.hello.write(f)?;
        if let Some(negotiated) = &self.negotiated {
            writeln!(f, "\n2. Negotiation: what both sides agree on")?;
            negotiated.write(f)?;
        }
        if let Some(chain) = &self.chain {
            writeln!(
                f,
                "\n3. Certificates: who the host says it is, and who vouches for that"
            )?;
            chain.write(f)?;
        }
        let single = [
            (
                "4. Proof of possession: the certificate is the server's own",
                &self.possession,
            ),
            ("5. Session keys", &self.session_keys),
            ("6. Record protection", &self.record_protection),
        ];
        for (title, finding) in single {
            if let Some(finding) = finding {
                writeln!(f, "\n{title}")?;
                finding.write(f)?;
            }
        }
        if let Some(resumption) = &self.resumption {
            writeln!(f, "\n7. Resumption")?;
            resumption.write(f)?;
        }
        writeln!(f, "\n8. What else the host would accept")?;
        for probe in &self.probes {
            probe.write(f)?;
        }
        writeln!(f, "\n9. UDAP: what the host says for a trust community")?;
        for metadata in &self.udap {
            metadata.write(f)?;
        }
        writeln!(f, "\n{}", self.not_proven)?;
        writeln!(f, "\nverdict: {}", self.sentence())?;
        for hint in &self.hints {
            writeln!(f, "hint: {hint}")?;
        }
        for code in &self.verdict.codes {
            writeln!(f, "see: udap explain {code}")?;
        }
        Ok(())
    }
}

impl Report {
    /// The verdict in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let verdict = &self.verdict;
        let titles = |ids: &[&str]| {
            let found = self.probes.iter().filter(|p| ids.contains(&p.id));
            found.map(|p| p.title).collect::<Vec<_>>().join(", ")
        };
        let mut parts = vec![match (verdict.trusted, &self.chain) {
            (true, _) => "the host is trusted".to_owned(),
            (false, Some(_)) => "the host is not trusted".to_owned(),
            (false, None) => "the host cannot be trusted: there was no handshake".to_owned(),
        }];
        if !verdict.weak.is_empty() {
            parts.push(format!("it offers what is weak: {}", titles(&verdict.weak)));
        }
        if !verdict.undetermined.is_empty() {
            parts.push(format!(
                "it cannot be told whether it offers {}",
                titles(&verdict.undetermined)
            ));
        }
        if verdict.weak.is_empty() && verdict.undetermined.is_empty() {
            parts.push("nothing weak is offered".to_owned());
        }
        let sign = if verdict.accepted { '✓' } else { '✗' };
        format!("{sign} {}", parts.join("; "))
    }
}

fn line(f: &mut fmt::Formatter<'_>, mark: Mark, text: &str) -> fmt::Result {
    writeln!(f, "  {} {text}", mark.sign())
}

impl Finding {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => line(f, self.mark, &format!("{} [{code}]", self.text)),
            None => line(f, self.mark, &self.text),
        }
    }
}

impl Hello {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    versions      {}", self.versions.join(", "))?;
        writeln!(
            f,
            "    cipher suites {}",
            self.cipher_suites.join("\n                  ")
        )?;
        writeln!(
            f,
            "    key exchange  {}",
            self.key_exchange_groups.join(", ")
        )?;
        writeln!(f, "    protocols     {}", self.alpn.join(", "))?;
        match &self.server_name {
            Some(name) => writeln!(f, "    server name   {name}")?,
            None => writeln!(f, "    server name   none: addresses are not sent")?,
        }
        writeln!(f, "    asked for     an OCSP response with the certificate")?;
        self.answer.write(f)
    }
}

impl Negotiated {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, Mark::Ok, &self.version)?;
        line(f, Mark::Ok, &self.cipher_suite)?;
        let group = self
            .key_exchange_group
            .as_deref()
            .unwrap_or("an unnamed group");
        match self.post_quantum {
            true => line(
                f,
                Mark::Ok,
                &format!("{group}: a post-quantum key exchange"),
            )?,
            false => line(
                f,
                Mark::Unknown,
                &format!("{group}: not a post-quantum key exchange"),
            )?,
        }
        match &self.alpn {
            Some(alpn) => line(f, Mark::Ok, &format!("protocol {alpn}")),
            None => line(
                f,
                Mark::Unknown,
                "no protocol of the application was chosen",
            ),
        }
    }
}

impl Chain {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, certificate) in self.certificates.iter().enumerate() {
            writeln!(f, "    {at}: {} ({})", certificate.subject, certificate.key)?;
            if !certificate.names.is_empty() {
                writeln!(f, "       names {}", certificate.names.join(", "))?;
            }
            writeln!(f, "       issued by {}", certificate.issuer)?;
        }
        for finding in self.findings() {
            finding.write(f)?;
        }
        Ok(())
    }
}

impl Resumption {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tickets = match self.tickets {
            0 => String::new(),
            1 => " (1 ticket)".to_owned(),
            n => format!(" ({n} tickets)"),
        };
        match self.resumed {
            Some(true) => line(
                f,
                Mark::Ok,
                &format!("offered{tickets}: a second connection took the session up again"),
            ),
            Some(false) if self.tickets == 0 => line(f, Mark::Unknown, "not offered"),
            Some(false) => line(
                f,
                Mark::Unknown,
                &format!("offered{tickets}, but a second connection began anew"),
            ),
            None => line(
                f,
                Mark::Unknown,
                &format!("a second connection did not come about{tickets}"),
            ),
        }
    }
}

impl Probe {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen = [self.version, self.cipher_suite.as_deref()];
        let chosen = chosen.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let detail = self.detail.as_deref().unwrap_or(&chosen);
        let (mark, word) = match (self.result, self.weak) {
            (ProbeResult::Offered, true) => (Mark::Failed, "accepted"),
            (ProbeResult::Offered, false) => (Mark::Ok, "accepted"),
            (ProbeResult::Refused, true) => (Mark::Ok, "refused"),
            (ProbeResult::Refused, false) => (Mark::Unknown, "refused"),
            (ProbeResult::Undetermined, _) => (Mark::Unknown, "cannot be told"),
        };
        line(f, mark, &format!("{}: {word} ({detail})", self.title))
    }
}

impl UdapMetadata {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.result {
            UdapResult::Trusted => Mark::Ok,
            UdapResult::Refused => Mark::Failed,
            UdapResult::NotJudged | UdapResult::None | UdapResult::NotAsked => Mark::Unknown,
        };
        let code = self
            .code
            .map(|code| format!(" [{code}]"))
            .unwrap_or_default();
        line(f, mark, &format!("{}: {}{code}", self.base_url, self.text))
    }
}
