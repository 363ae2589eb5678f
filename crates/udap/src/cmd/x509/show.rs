//! `udap x509 show`

use crate::input;
use crate::output::{self, Format};
use crate::problem::Problem;
use serde_json::{Value, json};
use std::process::ExitCode;
use udap_host::when::when;
use udap_pki::{Certificate, UnixTime, pem};
use udap_trust::clock;
use udap_trust::fetch::Kind;

/// What is in a certificate, or in each of a chain.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    source: input::Source,
}

pub(crate) fn run(args: &Args, format: Format) -> Result<ExitCode, Problem> {
    let bytes = args.source.read(Kind::Issuer)?;
    let certificates = pem::certificates(&bytes)
        .map_err(|error| input::unreadable(error.code(), &args.source, &error))?;
    let now = clock::now();
    match format {
        Format::Human => {
            let texts: Vec<String> = certificates.iter().map(|c| to_text(c, now)).collect();
            output::data(&texts.join("\n\n"))?;
        }
        Format::Json => {
            let values: Vec<Value> = certificates.iter().map(to_json).collect();
            output::json(&json!({ "certificates": values }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything about a certificate that has a name, in the order it is shown.
fn fields(certificate: &Certificate) -> Vec<(&'static str, Vec<String>)> {
    let hex = |id: Option<&[u8]>| id.map(output::hex).into_iter().collect::<Vec<_>>();
    let texts = |list: &[String]| list.to_vec();
    let key = match certificate.public_key() {
        Ok(key) => key.kind().to_string(),
        Err(error) => format!("cannot be used: {error}"),
    };
    let signature = match certificate.signature_scheme() {
        Ok(scheme) => scheme.to_string(),
        Err(error) => format!("cannot be verified: {error}"),
    };
    let ca = certificate.is_ca().then(|| match certificate.path_len() {
        Some(length) => format!("yes, path length {length}"),
        None => "yes".to_owned(),
    });
    let usage = certificate
        .key_usage()
        .map(|usage| usage.names().map(str::to_owned).collect())
        .unwrap_or_default();
    let oids = |list: Option<&[udap_pki::ObjectIdentifier]>| {
        let list = list.unwrap_or_default();
        list.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let critical = certificate
        .extension_ids()
        .iter()
        .filter(|(_, critical)| *critical)
        .map(|(oid, _)| oid.to_string())
        .collect();
    vec![
        ("serial", vec![certificate.serial_hex()]),
        ("key", vec![key]),
        ("signature", vec![signature]),
        ("uri", texts(certificate.uri_names())),
        ("dns", texts(certificate.dns_names())),
        ("email", texts(certificate.email_names())),
        (
            "ip",
            certificate
                .ip_names()
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        ("ca", ca.into_iter().collect()),
        ("key_usage", usage),
        ("extended_key_usage", oids(certificate.extended_key_usage())),
        ("policies", oids(certificate.policies())),
        ("crl", texts(certificate.crl_urls())),
        ("issuer_certificate", texts(certificate.ca_issuer_urls())),
        ("ocsp", texts(certificate.ocsp_urls())),
        ("subject_key_id", hex(certificate.subject_key_id())),
        ("authority_key_id", hex(certificate.authority_key_id())),
        ("critical_extensions", critical),
        ("sha256", vec![output::hex(certificate.sha256())]),
    ]
}

fn to_text(certificate: &Certificate, now: UnixTime) -> String {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let (holds, validity) = if now > until {
        (false, format!("expired {}", when(until, now)))
    } else if now < from {
        (false, format!("begins {}", when(from, now)))
    } else {
        (true, format!("expires {}", when(until, now)))
    };
    let mut rows = vec![
        ("subject", certificate.subject().to_string()),
        ("issuer", certificate.issuer().to_string()),
        ("validity", format!("{from} to {until}\n{validity}")),
    ];
    let named = fields(certificate)
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name, values.join("\n")));
    rows.extend(named);
    // Coloured last: in a value no colour would be left of it.
    let text = output::pairs(&rows);
    match holds {
        true => text,
        false => text.replacen(&validity, &format!("\x1b[1;31m{validity}\x1b[0m"), 1),
    }
}

fn to_json(certificate: &Certificate) -> Value {
    let mut value = json!({
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "not_before": certificate.not_before().to_string(),
        "not_after": certificate.not_after().to_string(),
        "is_ca": certificate.is_ca(),
        "path_len": certificate.path_len(),
    });
    const SINGLE: [&str; 6] = [
        "serial",
        "key",
        "signature",
        "subject_key_id",
        "authority_key_id",
        "sha256",
    ];
    for (name, mut values) in fields(certificate) {
        match name {
            "ca" => {}
            _ if SINGLE.contains(&name) => value[name] = values.pop().into(),
            _ => value[name] = values.into(),
        }
    }
    value
}

const EXAMPLES: &str = "\
EXAMPLES
  udap x509 show app.pem
  udap x509 show http://localhost:8441/certs/issuing.cer --allow-host localhost:8441
  udap x509 show - --json";
