//! The files that say what is where: the servers' configurations and `sandbox.json`.

use serde_json::{Value, json};
use udap_ca::Ca;

use super::{
    certifications::{CERTIFIED, PROGRAMMES},
    layout::{Community, Layout},
    setup::{self, Listed},
    smart,
};

/// For programs: where everything is. Paths are absolute; a stranger's client can use it as it is.
pub(crate) fn sandbox_json(layout: &Layout, authorities: &[&Ca; 2]) -> String {
    let communities: Vec<Value> = Community::BOTH
        .into_iter()
        .zip(authorities)
        .map(|(community, ca)| {
            json!({
                "uri": community.uri(),
                "anchor_pem": layout.anchor(community),
                "issuing_ca_pem": layout.issuing_ca(community),
                "crl_url": ca.crl_url(),
                "ocsp_url": ca.ocsp_url(),
            })
        })
        .collect();
    let apps: Vec<Value> = setup::apps(layout)
        .into_iter()
        .filter(|app| app.listed == Listed::ForEverybody)
        .map(|app| {
            let mut listed = json!({
                "name": app.name,
                "uri": app.uri,
                "community": app.community.uri(),
                "chain_pem": app.wanted.cert,
                "key_pem": app.wanted.key,
            });
            if CERTIFIED.contains(&app.name) {
                let files = PROGRAMMES.iter().map(|p| p.file(layout, app.name));
                listed["certifications"] = files.map(|file| json!(file)).collect();
            }
            listed
        })
        .collect();
    let base_url = layout.data_holder_url();
    let manifest = json!({
        "tls_root_pem": layout.tls_root(),
        "communities": communities,
        "data_holders": [{
            "base_url": base_url,
            "metadata_url": format!("{base_url}{}", udap_proto::metadata::PATH),
            "communities": Community::BOTH.map(Community::uri),
            "admin_url": layout.admin_url(),
            "config": layout.data_holder_config(),
        }],
        "apps": apps,
        "smart_clients": smart::listed(layout),
    });
    format!("{manifest:#}\n")
}

/// The data holder: two communities, in front of `upstream`.
pub(crate) fn data_holder_config(layout: &Layout, upstream: &str) -> String {
    let mut text = server(
        &layout.data_holder_url(),
        layout.data_holder_port(),
        "data-holder",
        upstream,
    );
    text.push_str(&format!(
        "\n# For operators: `udap admin operator add NAME` adds one.\nadmin_listen = \"127.0.0.1:{}\"\n\
         \n# For Prometheus: /metrics.\nmetrics_listen = \"127.0.0.1:{}\"\n",
        layout.admin_port(),
        layout.metrics_port()
    ));
    let [one, two] = Community::BOTH.map(|community| layout.ca_port(community));
    text.push_str(&format!(
        "\n# The two certificate authorities are on this machine, which is nothing that a server fetches from otherwise.\n\
         [fetch]\nallow_hosts = [\"localhost:{one}\", \"localhost:{two}\", \"localhost:{}\"]\ntls_roots = \"../tls-root.pem\"\n",
        layout.status_port()
    ));
    for community in Community::BOTH {
        let number = community.number();
        text.push_str(&format!(
            "\n[[community]]\nuri = \"{}\"\nanchors = \"../community-{number}/anchor.pem\"\n\
             identity = {{ cert = \"community-{number}.pem\", key_file = \"community-{number}.key\" }}\n",
            community.uri()
        ));
        if community == Community::One {
            text.push_str(&certifications());
        }
    }
    text.push_str(&smart::table());
    text
}

/// Which certifications count in community 1, and whose: an app's own word only where it is one.
fn certifications() -> String {
    let quoted = |own: Option<bool>| {
        let all = PROGRAMMES
            .iter()
            .filter(|p| own.is_none_or(|own| p.own == own));
        let all: Vec<_> = all.map(|p| format!("\"{}\"", p.uri())).collect();
        all.join(", ")
    };
    format!(
        "certifications_supported = [{}]\ncertifications_self_signed = [{}]\n\
         certifier_anchors = \"../community-1/anchor.pem\"\ncertifiers = [\"{}\"]\n",
        quoted(None),
        quoted(Some(true)),
        setup::AUDITOR
    )
}

/// The look-alike: an honest TLS certificate, and a community that it made up itself.
pub(crate) fn phisher_config(layout: &Layout) -> String {
    let mut text = server(
        &layout.phisher_url(),
        layout.phisher_port(),
        "phisher",
        &layout.fhir_url(),
    );
    text.push_str(&format!(
        "workers = 1\n\n[[community]]\nuri = \"{}\"\nanchors = \"anchor.pem\"\n\
         identity = {{ cert = \"identity.pem\", key_file = \"identity.key\" }}\n",
        Community::One.uri()
    ));
    text
}

fn server(base_url: &str, port: u16, name: &str, upstream: &str) -> String {
    format!(
        "# Made by `udap dev`, which writes it again at every start.\n\
         base_url = \"{base_url}\"\nupstream = \"{upstream}\"\nlisten = \"127.0.0.1:{port}\"\n\
         tls = {{ cert = \"../tls/{name}.pem\", key_file = \"../tls/{name}.key\" }}\n\
         log_format = \"json\"\n"
    )
}
