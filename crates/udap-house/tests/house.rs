//! The rules of the house, over this workspace.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use udap_house::words::{Lines, Rule};
use udap_house::{
    Graph, Source, arrows, catalogues, dependencies, length, manifests, matrix, words,
};

#[test]
fn arrows_between_crates_point_down_only() {
    none(arrows::wrong(&graph()));
}

#[test]
fn udap_pki_and_udap_proto_are_pure() {
    none(dependencies::impure(&graph()));
}

#[test]
fn there_is_one_cryptographic_library() {
    none(dependencies::forbidden(&graph()));
}

#[test]
fn every_crate_takes_lints_licence_and_rust_version_from_the_workspace() {
    none(manifests::wrong(&sources()));
    none(manifests::toolchain_files(&sources()));
}

#[test]
fn no_file_is_longer_than_it_should_be() {
    none(length::too_long(&sources()));
}

#[test]
fn every_error_code_is_in_words_and_there_once() {
    none(catalogues::wrong(&sources()));
}

#[test]
fn every_error_code_is_shown_by_a_test() {
    none(catalogues::untested(&sources(), EXCUSED));
}

#[test]
fn the_matrix_names_tests_that_are_there() {
    let rows = matrix::read(matrix::DATA).unwrap();
    none(matrix::wrong(&rows, &sources()));
}

#[test]
fn architecture_is_read_in_one_sitting() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(
        text.lines().count() < 150,
        "ARCHITECTURE.md has {} lines",
        text.lines().count()
    );
    for (member, _) in arrows::TABLE {
        assert!(
            text.contains(member),
            "ARCHITECTURE.md does not name {member}"
        );
    }
}

#[test]
fn words_are_only_where_they_belong() {
    let sources = sources();
    none(
        RULES
            .iter()
            .flat_map(|rule| words::broken(rule, &sources))
            .collect(),
    );
}

/// Codes that a test does not name, with the reason.
const EXCUSED: &[(&str, &str)] = &[
    (
        "lint-",
        "the lint's tests compare the variants, whose codes are listed beside them",
    ),
    (
        "address-forbidden",
        "needs a process without the privilege; tests may run as root",
    ),
    (
        "listen-failed",
        "the system's answer to nothing a test can ask for",
    ),
    (
        "system-resources",
        "needs a system out of file descriptors or threads",
    ),
    ("disk-failing", "needs a disk that fails"),
    (
        "database-overloaded",
        "needs every connection held for the whole time-out",
    ),
    ("tls-setup", "the library refusing its own defaults"),
    (
        "temporarily-unavailable",
        "the wire form of what is excused above",
    ),
    ("tls-roots-missing", "needs a system without TLS roots"),
    ("key-generation", "the library failing at its own work"),
    ("signing-failed", "the library failing at its own work"),
    (
        "upstream-connect-timeout",
        "needs a host that lets packets fall; tests aim at loopback, which answers",
    ),
    (
        "upstream-busy",
        "needs more open requests than this process may have descriptors",
    ),
    (
        "password-hashing",
        "needs a machine without 19 MiB of memory",
    ),
    ("ca-damaged", "a row that no version of ours ever wrote"),
    ("key-kind", "the library failing at its own work"),
    (
        "ca-self-check",
        "a certificate of ours that our own lint or verification refuses",
    ),
];

const RULES: &[Rule] = &[
    Rule {
        why: "SQL is only under store/, one file per aggregate",
        words: &[
            "SELECT ",
            "INSERT INTO ",
            "DELETE FROM ",
            "CREATE TABLE ",
            "CREATE INDEX ",
            "UPDATE ",
            "PRAGMA ",
            "sqlx::query",
        ],
        lines: Lines::Compiled,
        within: &[],
        home: &["/store/"],
        except: &[
            (
                "crates/udap-host/src/db/open.rs",
                "how a database is opened",
            ),
            (
                "crates/udap-host/src/db/postgres.rs",
                "how a database server is opened",
            ),
            (
                "crates/udap-host/src/db/migrate.rs",
                "which migrations have run",
            ),
            (
                "crates/udap-host/src/audit/store.rs",
                "the audit trail's store, one file",
            ),
        ],
    },
    Rule {
        why: "the clock is read in one place, and is an argument everywhere else",
        words: &[
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
            "Utc::now",
        ],
        lines: Lines::Compiled,
        within: &[],
        home: &[],
        except: &[
            ("crates/udap-trust/src/clock.rs", "the place"),
            (
                "crates/udap-host/src/audit/writer.rs",
                "audit entries are stamped to the microsecond",
            ),
        ],
    },
    Rule {
        why: "nothing leaves but through the guarded fetcher",
        words: &[
            "TcpStream::connect",
            "TcpSocket::",
            "UdpSocket",
            "lookup_host",
            "to_socket_addrs",
            "legacy::Client",
            "reqwest::",
        ],
        lines: Lines::Compiled,
        within: &[],
        // The lab measures and attacks: its client must be able to misbehave.
        home: &["/udap-lab/src/"],
        except: &[
            ("crates/udap-trust/src/fetch", "the guarded fetcher"),
            (
                "crates/udap-gateway/src/forward/",
                "to the upstream that the operator configured",
            ),
        ],
    },
    Rule {
        why: "the environment is read by the binary alone",
        words: &["env::var", "env::set_var", "env::remove_var"],
        lines: Lines::Compiled,
        within: &[],
        home: &["crates/udap/src/"],
        except: &[
            (
                "crates/udap-host/src/telemetry.rs",
                "the filter of the log, before there is a configuration",
            ),
            (
                "crates/udap-testkit/src/postgres.rs",
                "on which database the suite runs, and where PostgreSQL is",
            ),
        ],
    },
    Rule {
        why: "a member's certificate has one judge, udap_pki::verify, and a host's is rustls",
        words: &[
            "webpki::",
            "EndEntityCert",
            "x509_parser",
            ".dangerous()",
            "ServerCertVerifier for",
        ],
        lines: Lines::Compiled,
        within: &[],
        home: &[],
        except: &[(
            "crates/udap-client/src/inspect/handshake.rs",
            "shows a handshake that fails as well; keeps rustls's verdict and sends nothing",
        )],
    },
    Rule {
        why: "a pure crate takes time, ids and bytes as arguments",
        words: &[
            "std::fs",
            "std::io",
            "std::env",
            "std::process",
            "std::thread",
            "std::net::Tcp",
            "std::net::Udp",
            "Instant::now",
            "SystemTime",
            "SystemRandom",
            "rand::",
            "generate_pkcs8",
            "async ",
        ],
        lines: Lines::Compiled,
        within: &["crates/udap-pki/src/", "crates/udap-proto/src/"],
        home: &[],
        except: &[],
    },
    Rule {
        why: "a lint is expected with a reason, never allowed",
        words: &[concat!("#[", "allow("), concat!("#![", "allow(")],
        lines: Lines::Rust,
        within: &[],
        home: &[],
        except: &[],
    },
    Rule {
        why: "registries are named by the tools that use them",
        words: &[
            concat!("crates", ".io"),
            concat!("pypi", ".org"),
            concat!("pythonhosted", ".org"),
            concat!("registry.npmjs", ".org"),
            concat!("proxy.golang", ".org"),
            concat!("repo1.maven", ".org"),
            concat!("deb.debian", ".org"),
        ],
        lines: Lines::Any,
        within: &[],
        home: &[],
        except: &[
            ("Cargo.lock", "cargo writes where a package is from"),
            (
                "fuzz/Cargo.lock",
                "the same, in the fuzz targets' own workspace",
            ),
        ],
    },
];

fn none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn sources() -> Vec<Source> {
    Source::all(&root()).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn graph() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    if !output.status.success() {
        panic!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Graph::read(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
}
