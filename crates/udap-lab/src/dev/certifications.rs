//! What is said of the sandbox's apps, one certification by each definition that comes with the program:
//! made by the commands that anybody uses for it, `udap certify --self` and `udap ca certify`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::process::Command;
use udap_pki::UnixTime;
use udap_proto::{claims::Claims, jws::Jws};

use super::{
    error::DevError,
    files::{self, Readers},
    layout::{Community, Layout},
    member::read_chain,
    setup,
};

/// A definition, and what is answered to its questions.
#[derive(Debug)]
pub(crate) struct Programme {
    pub(crate) definition: &'static str,
    /// Whether the app signs it itself.
    pub(crate) own: bool,
    details: &'static str,
}

impl Programme {
    /// The URI of the programme in community 1.
    pub(crate) fn uri(&self) -> String {
        format!(
            "{}/certifications/{}",
            Community::One.uri(),
            self.definition
        )
    }

    /// Where an app's certification is.
    pub(crate) fn file(&self, layout: &Layout, app: &str) -> PathBuf {
        layout.path(&format!("apps/{app}.{}.jwt", self.definition))
    }
}

/// One of each kind: an app's own word, an auditor's, and that of whoever holds agreements.
pub(crate) const PROGRAMMES: [Programme; 3] = [
    Programme {
        definition: "privacy-disclosure",
        own: true,
        details: "[answers]\npolicy = \"https://localhost/privacy\"\nfunding = \"by nobody; it is a toy\"\n\
                  storage = \"on this machine\"\ndata_sold = false\n\
                  deletion = \"with the sandbox's directory, at once\"\nbreach_notice = true\n",
    },
    Programme {
        definition: "security-audit",
        own: false,
        details: "[answers]\nstandard = \"Sandbox rules 1\"\nparts = [\"the app\"]\n\
                  examined_on = \"2026-11-01\"\npenetration_tested = false\n",
    },
    Programme {
        definition: "data-use-agreement",
        own: false,
        details: "[answers]\nagreement = \"Sandbox agreement 1\"\nsigned_on = \"2026-11-01\"\n\
                  organization = \"Sandbox clinic\"\npurposes = [\"TREAT\"]\nresearch = false\npassed_on = false\n",
    },
];

/// Whose apps have them.
pub(crate) const CERTIFIED: [&str; 3] = ["good", "good-ec", setup::TOUR];

/// Makes what is missing, is over soon, or was signed by a certificate that was replaced.
pub(crate) async fn make(layout: &Layout, program: &Path, now: UnixTime) -> Result<(), DevError> {
    for programme in &PROGRAMMES {
        let details = layout.path(&format!("auditor/{}.toml", programme.definition));
        files::write(&details, programme.details.as_bytes(), Readers::Everybody)?;
        for app in CERTIFIED {
            let (cert, key) = match programme.own {
                true => layout.app(app),
                false => {
                    let auditor = setup::auditor(layout);
                    (auditor.cert, auditor.key)
                }
            };
            let file = programme.file(layout, app);
            if serves(&file, &cert, app, layout, programme, now).is_some() {
                continue;
            }
            // The command writes over nothing.
            let _ = std::fs::remove_file(&file);
            let mut command = Command::new(program);
            command.arg("actor");
            match programme.own {
                true => command.args(["certify", "--self"]),
                false => command
                    .args(["ca", "certify", "--name", "Sandbox auditor", "--app"])
                    .arg(Layout::app_uri(app))
                    .args(["--status-endpoint", &layout.status_url(), "--dir"])
                    .arg(layout.ca_dir(Community::One)),
            };
            command
                .args(["--definition", programme.definition, "--programme"])
                .arg(programme.uri())
                .args(["--days", "29", "--details"])
                .arg(&details)
                .arg("--cert")
                .arg(cert)
                .arg("--key")
                .arg(key)
                .arg("--out")
                .arg(&file);
            run(command).await?;
        }
    }
    Ok(())
}

async fn run(mut command: Command) -> Result<(), DevError> {
    let failed = |detail: String| DevError::Start {
        actor: "udap certify",
        detail,
    };
    // As an actor, it ends with this process; so its input stays open until it has ended.
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let stdin = child.stdin.take();
    let output = child.wait_with_output().await;
    drop(stdin);
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

/// Whether a certification that is there is the one that is wanted, for some days yet.
fn serves(
    file: &Path,
    cert: &Path,
    app: &str,
    layout: &Layout,
    programme: &Programme,
    now: UnixTime,
) -> Option<()> {
    let compact = std::fs::read_to_string(file).ok()?;
    let jws = Jws::parse(compact.trim()).ok()?;
    let claims = Claims::read(jws.payload()).ok()?;
    let signer = read_chain(cert).ok()?;
    let text = |name: &str| jws.payload().get(name).and_then(Value::as_str);
    let programmes = jws.payload().get("certification_uris")?;
    let wanted = jws.x5c().ok()?.first()? == signer.first()?.der()
        && claims.sub == Layout::app_uri(app)
        && *programmes == Value::from(vec![programme.uri()])
        && (programme.own || text("certification_status_endpoint") == Some(&layout.status_url()))
        && now.plus_secs(RENEW_BEFORE) < claims.exp;
    wanted.then_some(())
}

/// As for certificates: a sandbox may stay up for days.
const RENEW_BEFORE: i64 = 9 * 86_400;
