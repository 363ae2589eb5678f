//! `udap.toml`: what is understood, what is shown, and each refusal word by word.

use std::{fs, path::Path};

use udap_host::{
    config::{
        self, AccessTokens, Binding, BundleSigner, Config, ConfigError, DpopRule, Endpoints,
        FollowAnchors, Revocation, Secret, TlsRoots,
    },
    dpop::Nonces,
    listen::ClientCertificates,
};

const PATH: &str = "/etc/udap/udap.toml";

pub(crate) const SMALLEST: &str = r#"
base_url = "https://fhir.example.org/r4"
upstream = "http://10.0.0.5:8080/fhir"
tls = { cert = "tls.pem", key_file = "tls.key" }

[[community]]
uri = "https://community.example"
anchors = "community.pem"
identity = { cert = "server.pem", key_file = "server.key" }
"#;

const FULL: &str = r#"
base_url = "https://localhost:8440/fhir"
upstream = "http://localhost:8443"
tls = "off"
listen = "127.0.0.1:8440"
state_dir = "/var/lib/udap"
database = "postgres://udap:not-to-be-shown@db.example/udap"
migrations = "apart"
secrets_key_file = "secrets.key"
token_lifetime = "1h"
access_token = "opaque"
mtls_listen = "127.0.0.1:8450"
mtls_origin = "https://mtls.localhost"
dpop_nonce = true
forward_token = true
scopes_supported = ["system/Patient.rs", "system/Observation.rs"]
trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]
metrics_listen = "127.0.0.1:9090"
admin_listen = "0.0.0.0:9443"
admin_tls = { cert = "admin.pem", key_file = "admin.key" }
log_format = "json"
workers = 4
registration_grants = ["client_credentials", "authorization_code"]
experimental_jku = true

[fetch]
allow_hosts = ["localhost:8441", "LOCALHOST:8442"]
tls_roots = "roots.pem"

[limits]
max_connections = 500
max_body_bytes = 1_000_000
drain = "5s"

[[community]]
uri = "https://one.example"
anchors = ["one-root.pem", "one-old-root.pem"]
intermediates = ["one-ca.pem"]
revocation = "prefer"
grace = 600
certifications_supported = ["https://one.example/privacy", "https://one.example/audit"]
certifications_required = ["https://one.example/audit"]
certifications_self_signed = ["https://one.example/privacy"]
certifier_anchors = "auditors.pem"
certifiers = ["https://auditor.example"]
resource_servers = ["https://imaging.example/fhir"]
assertion_issuers = ["https://tokens.one.example"]
dpop = "required"
bundle = { url = "https://one.example/bundle", signer_anchors = "bundles.pem" }
[community.identity]
cert = "one.pem"
key = """
-----BEGIN PRIVATE KEY-----
not to be shown
-----END PRIVATE KEY-----
"""

[[community]]
uri = "urn:oid:2.16.840.1.113883.3.7204.1.5"
anchors = "two.pem"
identity = [{ cert = "two.pem", key_file = "/run/secrets/two.key" }, { cert = "r4b.pem", key_file = "r4b.key" }]
revocation = "where-named"

[community.bundle]
url = "https://two.example/bundle"
signer_key_sha256 = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:FF"
anchors = "follow"
every = "15m"

[[data_holder]]
base_url = "https://localhost:8440/r4b"
upstream = "http://localhost:8444/r4b"
endpoints = "shared-registration"

[[data_holder]]
base_url = "https://localhost:8440/fhir2"

[[smart_client]]
client_id = "reporting"
jwks_file = "reporting.jwks.json"
scope = "system/Patient.rs system/Observation.rs"

[[smart_client]]
client_id = "quality measures"
jwks_uri = "https://measures.example/jwks"
scope = "system/*.rs"
"#;

const ADMIN_TLS: &str = "admin_tls = { cert = \"server.pem\", key_file = \"a.key\" }";

fn parse(text: &str) -> Result<Config, ConfigError> {
    config::parse(Path::new(PATH), text)
}

fn show(config: &Config) -> String {
    let line = |row: &config::Row| format!("{:32} {:46} {}\n", row.key, row.text(), row.origin);
    config.rows().iter().map(line).collect()
}

#[test]
fn the_smallest_configuration_has_defaults_for_the_rest() {
    let text = SMALLEST.replace("\n[[", "workers = 2\n\n[[");
    let config = parse(&text).unwrap();
    insta::assert_snapshot!("show_smallest", show(&config));
    assert_eq!(config.listen.port(), 8443);
    assert_eq!(config.communities[0].revocation, Revocation::Require);
    assert_eq!(config.state_dir, Path::new("/etc/udap/state"));
    assert_eq!(config.listen().limits, config.limits);
}

#[test]
fn every_setting_is_read_and_shown_without_secrets() {
    let config = parse(FULL).unwrap();
    insta::assert_snapshot!("show_full", show(&config));
    insta::assert_json_snapshot!("show_full_json", config.rows());
    assert!(!format!("{config:?}").contains("not to be shown"));
    let database = config.database().unwrap();
    let shown = format!("{config:?} {database} {database:?} {}", show(&config));
    assert!(!shown.contains("not-to-be-shown"));
    assert_eq!(database.to_string(), "postgres://db.example/udap");

    assert_eq!(config.tls, None);
    assert_eq!(config.token_lifetime_secs, 3600);
    assert_eq!(
        config.fetch.allow_hosts,
        ["localhost:8441", "localhost:8442"]
    );
    assert_eq!(
        config.fetch.tls_roots,
        TlsRoots::File("/etc/udap/roots.pem".into())
    );
    assert_eq!(config.limits.drain.as_secs(), 5);
    let admin = config.admin.as_ref().unwrap().listen();
    assert_eq!((admin.addr.port(), admin.tls.is_some()), (9443, true));
    let [one, two] = config.communities.as_slice() else {
        panic!("two communities")
    };
    assert_eq!(one.resource_servers, ["https://imaging.example/fhir"]);
    assert!(two.resource_servers.is_empty());
    assert!(
        matches!(&one.identities[0].key, Secret::Inline(key) if key.contains("not to be shown"))
    );
    assert_eq!(
        two.identities[0].key,
        Secret::File("/run/secrets/two.key".into())
    );
    assert_eq!(two.revocation, Revocation::WhereNamed);
    assert_eq!(two.identities[1].cert, Path::new("/etc/udap/r4b.pem"));
    let bundle = one.bundle.as_ref().unwrap();
    assert_eq!(
        (&bundle.signer, bundle.anchors, bundle.every_secs),
        (
            &BundleSigner::Anchors(vec!["/etc/udap/bundles.pem".into()]),
            FollowAnchors::Report,
            3600
        )
    );
    let bundle = two.bundle.as_ref().unwrap();
    assert!(matches!(bundle.signer, BundleSigner::Key(key) if key[1] == 0x11 && key[31] == 0xff));
    assert_eq!(
        (bundle.anchors, bundle.every_secs),
        (FollowAnchors::Follow, 900)
    );
    let holders = config.data_holders();
    let holders: Vec<_> = holders
        .iter()
        .map(|h| (h.base_url.as_str(), h.upstream.as_deref(), h.endpoints))
        .collect();
    assert_eq!(
        holders,
        [
            (
                "https://localhost:8440/fhir",
                Some("http://localhost:8443"),
                Endpoints::Own
            ),
            (
                "https://localhost:8440/r4b",
                Some("http://localhost:8444/r4b"),
                Endpoints::SharedRegistration
            ),
            ("https://localhost:8440/fhir2", None, Endpoints::Own),
        ]
    );
    assert_eq!(config.access_token, AccessTokens::Opaque);
    assert_eq!(config.dpop_nonces, Nonces::Demanded);
    assert_eq!(two.binding, Binding::default());
    let bound = Binding {
        dpop: DpopRule::Required,
        ..Binding::default()
    };
    assert_eq!(one.binding, bound);
    // Behind a proxy it is the proxy that asks.
    let listen = config
        .mutual_tls_listen(udap_host::listen::Issuers::new(Vec::new))
        .unwrap();
    assert_eq!(listen.addr.port(), 8450);
    assert!(matches!(
        listen.client_certificates,
        ClientCertificates::FromProxies(_)
    ));
    assert!(matches!(
        config.listen().client_certificates,
        ClientCertificates::Off
    ));
}

/// UDAP Mutual TLS §2 is not for the guide's communities: nothing there could hold what they demand.
#[test]
fn clients_are_known_by_certificate_in_communities_of_another_kind_only() {
    let directory = tempfile::tempdir().unwrap();
    let described = |hl7_b2b: &str, dpop: &str| {
        let text = format!("profile = \"ssraa-2.0\"\n[extensions.hl7-b2b]\nuse = \"{hl7_b2b}\"\n");
        fs::write(directory.path().join("community.toml"), text).unwrap();
        let text = SMALLEST.replacen('\n', "\nmtls_listen = \"127.0.0.1:8444\"\n", 1);
        let text = text
            + "definition = \"community.toml\"\ntls_client_auth = true\n\
                           certificate_access = true\n"
            + &format!("dpop = \"{dpop}\"\n");
        config::parse(&directory.path().join("udap.toml"), &text)
    };
    let config = described("supported", "supported").unwrap();
    let binding = config.communities[0].binding;
    assert!(binding.tls_client_auth && binding.certificate_access);
    for (hl7_b2b, dpop, reason) in [
        ("required", "off", "`hl7-b2b`"),
        // RFC 9449 §7: a proof goes with a token.
        ("supported", "required", "`dpop = \"required\"`"),
    ] {
        let refused = described(hl7_b2b, dpop).unwrap_err();
        assert_eq!(refused.code(), "config-invalid-value");
        assert!(refused.to_string().contains(reason), "{refused}");
    }
}

#[test]
fn the_port_for_certificates_has_an_address_of_its_own() {
    let with = |line: &str| {
        let text = SMALLEST.replacen('\n', &format!("\n{line}\n"), 1);
        let port = parse(&text).unwrap().mutual_tls.unwrap();
        port.address_of("https://fhir.example.org/r4")
    };
    assert_eq!(
        with("mtls_listen = \"0.0.0.0:8444\""),
        "https://fhir.example.org:8444/r4"
    );
    let origin = "mtls_origin = \"https://mtls.example.org\"";
    assert_eq!(
        with(&format!("mtls_listen = \"0.0.0.0:0\"\n{origin}")),
        "https://mtls.example.org/r4"
    );
    assert_eq!(parse(SMALLEST).unwrap().mutual_tls, None);
}

/// Errors are printed and logged. Whatever else is wrong with a URL, what is before the `@` of it is a secret.
#[test]
fn no_error_repeats_a_password() {
    let top = |key: &str, value: &str| {
        let others = SMALLEST.lines().filter(|line| !line.starts_with(key));
        let others = others.collect::<Vec<_>>().join("\n");
        format!("{key} = {value}\n{others}")
    };
    let more = |line: &str| format!("{SMALLEST}\n{line}\n");
    let uri = "\"https://u:hunter2@registry.example:80800\"";
    for text in [
        top("upstream", "\"http://svc:hunter2@10.0.0.5:80800/fhir\""),
        top("upstream", "\"svc:hunter2@10.0.0.5:8080/fhir\""),
        top("upstream", "\"hunter2@10.0.0.5/fhir\""),
        top("upstream", "\"postgres://u:hunter2@10.0.0.5/fhir\""),
        top("upstream", "\"http://u:hun@ter/hunter2@10.0.0.5\""),
        top("base_url", "\"ftp://u:hunter2@fhir.example.org/r4\""),
        top("base_url", "\"https://u:hunter2@fhir.example.org:x/r4\""),
        top("listen", "\"http://u:hunter2@127.0.0.1:8443\""),
        top("tls", "\"https://u:hunter2@127.0.0.1\""),
        top("trusted_proxies", "[\"http://u:hunter2@10.0.0.1\"]"),
        top("fetch.allow_hosts", "[\"http://u:hunter2@10.0.0.1\"]"),
        top("database", "\"mysql://u:hunter2@db.example/udap\""),
        top("database_file", "\"postgres://u:hunter2@db.example/udap\""),
        more(&format!("[[statement_issuer]]\nuri = {uri}")),
        more(&format!(
            "[[statement_issuer]]\nuri = \"a:b\"\njwks_file = \"x\"\nsubjects = [{uri}]"
        )),
        more(&format!(
            "[[smart_client]]\nclient_id = \"a\"\njwks_file = \"x\"\njwks_uri = {uri}"
        )),
    ] {
        let error = parse(&text).expect_err(&text);
        assert_eq!(error.code(), "config-invalid-value", "{error}");
        let told = format!("{error} {error:?} {}", error.hint());
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// One line is changed or added; the answer is code, message and hint.
#[test]
fn each_refusal_says_where_what_and_how_to_mend_it() {
    let base = |url: &str| SMALLEST.replace("https://fhir.example.org/r4", url);
    let top = |line: &str| SMALLEST.replacen('\n', &format!("\n{line}\n"), 1);
    let smart = |line: &str| format!("{SMALLEST}\n[[smart_client]]\nclient_id = \"a\"\n{line}\n");
    let community = |line: &str| format!("{SMALLEST}{line}\n");
    let bundle = |lines: &str| {
        community(&format!(
            "[community.bundle]\nurl = \"https://community.example/bundle\"\n{lines}"
        ))
    };
    let mtls = |url: &str| {
        top(&format!(
            "mtls_listen = \"127.0.0.1:8444\"\nmtls_origin = \"{url}\""
        ))
    };
    let issuer = |uri: &str, subject: &str| {
        community(&format!(
            "[[statement_issuer]]\nuri = \"{uri}\"\njwks_file = \"k\"\nsubjects = [\"{subject}\"]"
        ))
    };
    let without = |key: &str| {
        let keep = |line: &&str| !line.starts_with(key);
        SMALLEST.lines().filter(keep).collect::<Vec<_>>().join("\n")
    };
    let cases = [
        ("config-syntax", top("workers = ")),
        ("config-syntax", top("base_url = \"https://twice.example\"")),
        ("config-unknown-key", top("upstreem = \"http://x\"")),
        ("config-unknown-key", top("token-lifetime = 60")),
        ("config-unknown-key", top("colour = \"blue\"")),
        (
            "config-invalid-value",
            top("database = \"mysql://u:not to be shown@db.example/udap\""),
        ),
        (
            "config-invalid-value",
            top("database = \"postgres://u:not-to-be-shown@db.example/udap?sslmod=disable\""),
        ),
        ("config-invalid-value", top("migrations = \"never\"")),
        (
            "config-secret-twice",
            top(
                "database = \"postgres://u:not-to-be-shown@db.example/udap\"\ndatabase_file = \"db.url\"",
            ),
        ),
        ("config-unknown-key", top("fetch = { allow_host = [] }")),
        ("config-unknown-key", community("anchor = \"x.pem\"")),
        (
            "config-unknown-key",
            SMALLEST.replace("key_file = \"tls.key\"", "key = \"x\""),
        ),
        ("config-missing-key", without("base_url")),
        ("config-missing-key", without("tls")),
        ("config-missing-key", without("anchors")),
        ("config-missing-key", without("identity")),
        (
            "config-missing-key",
            SMALLEST.replace(", key_file = \"server.key\"", ""),
        ),
        (
            "config-missing-key",
            SMALLEST[..SMALLEST.find("[[").unwrap()].to_owned(),
        ),
        (
            "config-missing-key",
            "community = []\n".to_owned() + &SMALLEST[..SMALLEST.find("[[").unwrap()],
        ),
        ("config-wrong-type", top("workers = \"two\"")),
        ("config-wrong-type", top("workers = 1.5")),
        ("config-wrong-type", top("forward_token = \"yes\"")),
        (
            "config-wrong-type",
            top("scopes_supported = \"system/*.rs\""),
        ),
        ("config-wrong-type", top("scopes_supported = [1]")),
        ("config-wrong-type", top("token_lifetime = 1979-05-27")),
        ("config-wrong-type", top("limits = 3")),
        (
            "config-wrong-type",
            SMALLEST.replace("\"community.pem\"", "5"),
        ),
        (
            "config-wrong-type",
            SMALLEST.replace("[[community]]", "[community]"),
        ),
        ("config-wrong-type", top("experimental_jku = \"yes\"")),
        ("config-wrong-type", top("smart_client = 1")),
        (
            "config-wrong-type",
            top("registration_grants = \"authorization_code\""),
        ),
        (
            "config-invalid-value",
            top("registration_grants = [\"refresh_token\"]"),
        ),
        (
            "config-invalid-value",
            community("assertion_issuers = [\"not a URI\"]"),
        ),
        ("config-missing-key", smart("scope = \"system/*.rs\"")),
        ("config-missing-key", smart("jwks_file = \"a.json\"")),
        (
            "config-missing-key",
            smart("").replace("client_id = \"a\"", "jwks_file = \"a.json\""),
        ),
        (
            "config-invalid-value",
            smart(
                "scope = \"system/*.rs\"\njwks_file = \"a.json\"\njwks_uri = \"https://a.example/\"",
            ),
        ),
        (
            "config-invalid-value",
            smart("scope = \"system/*.rs\"\njwks_uri = \"http://a.example/\""),
        ),
        (
            "config-invalid-value",
            smart("scope = \"system/*.rs\"\njwks_uri = \"https://user:hunter2@a.example/\""),
        ),
        (
            "config-invalid-value",
            smart("scope = \" \"\njwks_file = \"a.json\""),
        ),
        (
            "config-invalid-value",
            smart("scope = \"s\"\njwks_file = \"a.json\"").replace("\"a\"", "\"\""),
        ),
        (
            "config-invalid-value",
            smart(
                "scope = \"s\"\njwks_file = \"a.json\"\n[[smart_client]]\nclient_id = \"a\"\n\
                 scope = \"s\"\njwks_file = \"b.json\"",
            ),
        ),
        ("config-out-of-range", top("workers = 0")),
        ("config-out-of-range", top("token_lifetime = \"2h\"")),
        ("config-out-of-range", community("grace = \"2d\"")),
        (
            "config-invalid-value",
            top("workers = 99999999999999999999"),
        ),
        (
            "config-invalid-value",
            top("admin_listen = \"0.0.0.0:9443\""),
        ),
        ("config-invalid-value", top(ADMIN_TLS)),
        (
            "config-tls-is-identity",
            top(&format!("admin_listen = \"127.0.0.1:1\"\n{ADMIN_TLS}")),
        ),
        ("config-invalid-value", base("http://fhir.example.org/r4")),
        ("config-invalid-value", base("ftp://fhir.example.org")),
        ("config-invalid-value", base("fhir.example.org")),
        ("config-invalid-value", base("https://fhir.example.org/r4/")),
        (
            "config-invalid-value",
            base("https://fhir.example.org/r4?a=b"),
        ),
        (
            "config-invalid-value",
            base("https://fhir.example.org/r4#x"),
        ),
        (
            "config-invalid-value",
            base("https://user:hunter2@fhir.example.org/r4"),
        ),
        (
            "config-invalid-value",
            base("https://FHIR.example.org:443/r4"),
        ),
        (
            "config-invalid-value",
            base("https://fhir.example.org/a/../r4"),
        ),
        ("config-invalid-value", top("listen = \"localhost:8443\"")),
        ("config-invalid-value", top("log_format = \"jsno\"")),
        (
            "config-invalid-value",
            top("token_lifetime = \"15 minutes\""),
        ),
        (
            "config-invalid-value",
            top("scopes_supported = [\"system/*.rs user/*.rs\"]"),
        ),
        (
            "config-invalid-value",
            top("trusted_proxies = [\"10.0.0.1/8\"]"),
        ),
        (
            "config-invalid-value",
            top("fetch.allow_hosts = [\"*:8441\"]"),
        ),
        (
            "config-invalid-value",
            top("fetch.allow_hosts = [\"localhost\"]"),
        ),
        (
            "config-invalid-value",
            SMALLEST.replace("{ cert = \"tls.pem\", key_file = \"tls.key\" }", "\"on\""),
        ),
        (
            "config-invalid-value",
            SMALLEST.replace("\"https://community.example\"", "\"my community\""),
        ),
        (
            "config-invalid-value",
            SMALLEST.replace("\"community.pem\"", "[]"),
        ),
        (
            "config-invalid-value",
            SMALLEST.replace("\"community.pem\"", "\"\""),
        ),
        ("config-invalid-value", community("revocation = \"of\"")),
        (
            "config-invalid-value",
            community("certifications_required = [\"https://c.example/audit\"]"),
        ),
        (
            "config-invalid-value",
            community("certifications_self_signed = [\"https://c.example/audit\"]"),
        ),
        (
            "config-invalid-value",
            community("certifications_supported = [\"https://c.example/audit \"]"),
        ),
        ("config-invalid-value", top("access_token = \"opague\"")),
        ("config-wrong-type", top("dpop_nonce = \"yes\"")),
        ("config-invalid-value", top("mtls_listen = \"8444\"")),
        ("config-invalid-value", top("mtls_listen = \"127.0.0.1:0\"")),
        (
            "config-invalid-value",
            top("mtls_origin = \"https://mtls.example.org\""),
        ),
        ("config-invalid-value", mtls("http://mtls.example.org")),
        ("config-invalid-value", mtls("https://mtls.example.org/r4")),
        ("config-invalid-value", mtls("https://fhir.example.org")),
        (
            "config-invalid-value",
            top("mtls_listen = \"127.0.0.1:8444\"")
                .replace("{ cert = \"tls.pem\", key_file = \"tls.key\" }", "\"off\""),
        ),
        ("config-invalid-value", community("dpop = \"on\"")),
        ("config-invalid-value", community("tls_client_auth = true")),
        (
            "config-invalid-value",
            top("mtls_listen = \"127.0.0.1:8444\"") + "tls_client_auth = true\n",
        ),
        (
            "config-invalid-value",
            community("certificate_access = true"),
        ),
        (
            "config-secret-twice",
            SMALLEST.replace("server.pem\",", "server.pem\", key = \"x\","),
        ),
        ("config-missing-key", bundle("")),
        (
            "config-missing-key",
            bundle("signer_anchors = \"b.pem\"").replace("\nurl", "\n#url"),
        ),
        ("config-invalid-value", bundle("signer_anchors = []")),
        (
            "config-invalid-value",
            bundle("signer_anchors = \"b.pem\"\nsigner_key_sha256 = \"ab\""),
        ),
        (
            "config-invalid-value",
            bundle("signer_key_sha256 = \"ab:cd\""),
        ),
        ("config-invalid-value", bundle("signer_key_sha256 = \"aä\"")),
        (
            "config-invalid-value",
            bundle("signer_anchors = \"b.pem\"").replace(
                "https://community.example/bundle",
                "http://community.example/bundle",
            ),
        ),
        (
            "config-invalid-value",
            bundle("signer_anchors = \"b.pem\"\nanchors = \"folow\""),
        ),
        (
            "config-out-of-range",
            bundle("signer_anchors = \"b.pem\"\nevery = 5"),
        ),
        (
            "config-unknown-key",
            bundle("signer_anchors = \"b.pem\"\nfollow = true"),
        ),
        (
            "config-community-twice",
            issuer("https://community.example", "https://apps.example/"),
        ),
        (
            "config-invalid-value",
            issuer("https://registry.example", "https://apps.example"),
        ),
        (
            "config-invalid-value",
            issuer("https://registry.example", "https://apps.example/a/../"),
        ),
        (
            "config-invalid-value",
            issuer("https://registry.example", "x").replace("[\"x\"]", "[]"),
        ),
        (
            "config-missing-key",
            issuer("https://registry.example", "https://apps.example/")
                .replace("jwks_file = \"k\"", ""),
        ),
        (
            "config-bases-overlap",
            community("[[data_holder]]\nbase_url = \"https://other.example/r4\""),
        ),
        (
            "config-bases-overlap",
            community("[[data_holder]]\nbase_url = \"https://fhir.example.org/r4/more\""),
        ),
        (
            "config-bases-overlap",
            community("[[data_holder]]\nbase_url = \"https://fhir.example.org\""),
        ),
        (
            "config-bases-overlap",
            community(
                "[[data_holder]]\nbase_url = \"https://fhir.example.org/a\"\n[[data_holder]]\nbase_url = \"https://fhir.example.org/a\"",
            ),
        ),
        (
            "config-missing-key",
            community("[[data_holder]]\nupstream = \"http://10.0.0.5\""),
        ),
        (
            "config-invalid-value",
            community(
                "[[data_holder]]\nbase_url = \"https://fhir.example.org/r5\"\nendpoints = \"share\"",
            ),
        ),
        (
            "config-invalid-value",
            community("[[data_holder]]\nbase_url = \"http://fhir.example.org/r5\""),
        ),
        (
            "config-unknown-key",
            community("[[data_holder]]\nbase_url = \"https://fhir.example.org/r5\"\nidentity = {}"),
        ),
        ("config-wrong-type", top("data_holder = 1")),
        (
            "config-missing-key",
            SMALLEST.replace("{ cert = \"server.pem\", key_file = \"server.key\" }", "[]"),
        ),
        (
            "config-community-twice",
            SMALLEST.to_owned() + &SMALLEST[SMALLEST.find("[[").unwrap()..],
        ),
        (
            "config-tls-is-identity",
            SMALLEST.replace("server.pem", "tls.pem"),
        ),
        (
            "config-tls-is-identity",
            SMALLEST.replace("server.key", "tls.key"),
        ),
    ];
    let mut report = String::new();
    for (code, text) in cases {
        let error = parse(&text).expect_err(&text);
        assert_eq!(error.code(), code, "{error}");
        report += &format!("error[{code}]: {error}\n    hint: {}\n", error.hint());
    }
    assert!(!report.contains("hunter2"));
    insta::assert_snapshot!("refusals", report);
}
