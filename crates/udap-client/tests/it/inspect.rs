//! `udap tls inspect` against servers with one fault each.

mod corpus;
mod host;
mod openssl;

use crate::scene::COMMUNITY;
use host::{Authority, Leaf, TlsHost};
use rustls::version::TLS12;
use serde_json::{Value, json};
use udap_client::inspect::{
    Inspection, Mark, ProbeResult, Report, RevocationData, UdapResult, inspect,
};
use udap_client::{CommunityTrust, TlsRoots};
use udap_pki::Revocation;
use udap_pki::issue::{OcspStatus, RevocationReason};
use udap_proto::Refusal as _;
use udap_testkit::{Answer, DAY, TestPki, TestServer};
use udap_trust::clock::now;

fn inspection(host: &TlsHost) -> Inspection {
    Inspection {
        roots: TlsRoots::These(vec![host.root.clone()]),
        allow_hosts: vec![host.name()],
        ..Inspection::of(host.name().parse().unwrap())
    }
}

const ONLY_TLS12: &[&rustls::SupportedProtocolVersion] = &[&TLS12];

async fn report(host: &TlsHost) -> Report {
    inspect(&inspection(host)).await.unwrap()
}

fn codes(report: &Report) -> &[&'static str] {
    assert!(!report.verdict.accepted);
    &report.verdict.codes
}

#[tokio::test]
async fn a_current_server_is_accepted_step_by_step() {
    let host = TlsHost::start(&Authority::new(), Leaf::default()).await;
    let report = report(&host).await;
    assert!(report.verdict.accepted, "{report}");
    let negotiated = report.negotiated.as_ref().unwrap();
    assert_eq!(negotiated.version, "TLS 1.3");
    assert_eq!(
        negotiated.key_exchange_group.as_deref(),
        Some("X25519MLKEM768")
    );
    assert!(negotiated.post_quantum);
    let resumption = report.resumption.as_ref().unwrap();
    assert_eq!(resumption.resumed, Some(true));
    assert!(resumption.tickets > 0);
    for probe in &report.probes {
        let expected = if probe.weak {
            ProbeResult::Refused
        } else {
            ProbeResult::Offered
        };
        assert_eq!(probe.result, expected, "{probe:?}");
    }
    insta::assert_snapshot!("current_server", redacted(&report, &host));
    insta::assert_json_snapshot!("schema", shape(&serde_json::to_value(&report).unwrap()));
}

#[tokio::test]
async fn a_server_of_tls_1_2_is_accepted_and_told_about_quantum_computers() {
    let authority = Authority::new();
    let host = TlsHost::start(
        &authority,
        Leaf {
            versions: ONLY_TLS12,
            ..Leaf::default()
        },
    )
    .await;
    let report = report(&host).await;
    assert!(report.verdict.accepted, "{report}");
    assert_eq!(report.negotiated.as_ref().unwrap().version, "TLS 1.2");
    assert_eq!(report.resumption.as_ref().unwrap().resumed, Some(true));
    assert!(
        report
            .session_keys
            .as_ref()
            .unwrap()
            .text
            .contains("ephemeral")
    );
}

#[tokio::test]
async fn an_expired_certificate_is_said_to_be_expired_and_its_issuer_to_be_trusted() {
    let leaf = Leaf {
        valid: (-30 * DAY, -DAY),
        ..Leaf::default()
    };
    let host = TlsHost::start(&Authority::new(), leaf).await;
    let report = report(&host).await;
    assert_eq!(codes(&report), ["certificate-expired", "tls-host-refused"]);
    let chain = report.chain.as_ref().unwrap();
    assert_eq!(chain.issuer.mark, Mark::Ok);
    assert_eq!(chain.name.mark, Mark::Ok);
    assert!(
        chain.dates.text.contains("expired 24 hours ago"),
        "{}",
        chain.dates.text
    );
    assert_eq!(report.udap[0].result, UdapResult::NotAsked);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_refused() {
    let leaf = Leaf {
        valid: (DAY, 30 * DAY),
        ..Leaf::default()
    };
    let host = TlsHost::start(&Authority::new(), leaf).await;
    let report = report(&host).await;
    assert_eq!(
        codes(&report),
        ["certificate-not-yet-valid", "tls-host-refused"]
    );
}

#[tokio::test]
async fn another_name_is_refused_and_the_near_miss_named() {
    let leaf = Leaf {
        dns: "www.localhost",
        ..Leaf::default()
    };
    let host = TlsHost::start(&Authority::new(), leaf).await;
    let report = report(&host).await;
    assert_eq!(codes(&report), ["san-dns-mismatch", "tls-host-refused"]);
    assert_eq!(
        report.hints[0],
        "www.localhost differs from localhost in `www.`"
    );
    assert_eq!(report.chain.as_ref().unwrap().issuer.mark, Mark::Ok);
}

#[tokio::test]
async fn an_address_that_the_certificate_does_not_name_is_refused() {
    let host = TlsHost::start(&Authority::new(), Leaf::default()).await;
    let name = format!("127.0.0.1:{}", host.port);
    let asked = Inspection {
        target: name.parse().unwrap(),
        allow_hosts: vec![name],
        ..inspection(&host)
    };
    let report = inspect(&asked).await.unwrap();
    assert_eq!(codes(&report), ["san-ip-mismatch", "tls-host-refused"]);
    assert_eq!(report.hello.server_name, None);
}

#[tokio::test]
async fn an_issuer_that_is_no_root_is_refused() {
    let host = TlsHost::start(&Authority::new(), Leaf::default()).await;
    let asked = Inspection {
        roots: TlsRoots::These(vec![Authority::named("Another root").root()]),
        ..inspection(&host)
    };
    let report = inspect(&asked).await.unwrap();
    assert_eq!(codes(&report), ["chain-not-trusted", "tls-host-refused"]);
    assert!(report.hints[0].contains("--tls-root FILE"));
    assert_eq!(report.possession.as_ref().unwrap().mark, Mark::Ok);
}

#[tokio::test]
async fn a_stapled_response_says_whether_it_is_revoked() {
    let authority = Authority::new();
    let good = Leaf {
        staple: Some(OcspStatus::Good),
        ..Leaf::default()
    };
    let told = report(&TlsHost::start(&authority, good).await).await;
    assert!(told.verdict.accepted, "{told}");
    let chain = told.chain.as_ref().unwrap();
    assert!(chain.stapled_ocsp);
    assert_eq!(chain.revocation.mark, Mark::Ok, "{}", chain.revocation.text);

    let status = OcspStatus::Revoked {
        at: now().plus_secs(-60),
        reason: RevocationReason::KeyCompromise,
    };
    let revoked = Leaf {
        staple: Some(status),
        ..Leaf::default()
    };
    let report = report(&TlsHost::start(&authority, revoked).await).await;
    assert_eq!(codes(&report), ["certificate-revoked"]);
}

#[tokio::test]
async fn a_stapled_response_that_is_none_is_refused() {
    let leaf = Leaf {
        garbage_staple: true,
        ..Leaf::default()
    };
    let report = report(&TlsHost::start(&Authority::new(), leaf).await).await;
    assert_eq!(codes(&report), ["tls-staple-unreadable"]);
}

#[tokio::test]
async fn a_server_without_the_certificates_key_proves_nothing() {
    let leaf = Leaf {
        foreign_key: true,
        ..Leaf::default()
    };
    let report = report(&TlsHost::start(&Authority::new(), leaf).await).await;
    assert_eq!(
        codes(&report),
        ["tls-handshake-failed", "tls-possession-unproven"]
    );
    assert!(report.negotiated.is_none() && !report.verdict.trusted);
}

#[tokio::test]
async fn crls_are_fetched_only_when_asked_for() {
    let authority = std::sync::Arc::new(Authority::new());
    let publisher = std::sync::Arc::clone(&authority);
    let crls = TestServer::http(move |asked| match asked.path() {
        "/good.crl" => Answer::new(200, publisher.crl(&[])),
        "/bad.crl" => Answer::new(200, publisher.crl(&publisher.issued())),
        _ => Answer::new(404, ""),
    })
    .await;
    for (path, mark, code) in [
        ("/good.crl", Mark::Ok, None),
        ("/bad.crl", Mark::Failed, Some("certificate-revoked")),
        ("/none.crl", Mark::Failed, Some("revocation-unavailable")),
    ] {
        let leaf = Leaf {
            crl: Some(crls.url(path)),
            ..Leaf::default()
        };
        let host = TlsHost::start(&authority, leaf).await;
        let before = crls.asked().len();
        let quiet = report(&host).await;
        assert_eq!(quiet.chain.as_ref().unwrap().revocation.mark, Mark::Unknown);
        assert!(quiet.verdict.accepted);
        assert_eq!(crls.asked().len(), before, "nothing is fetched unasked");

        let asked = Inspection {
            revocation: RevocationData::Fetched,
            allow_hosts: vec![host.name(), crls.host()],
            ..inspection(&host)
        };
        let revocation = inspect(&asked).await.unwrap().chain.unwrap().revocation;
        assert_eq!(
            (revocation.mark, revocation.code),
            (mark, code),
            "{}",
            revocation.text
        );
    }
}

#[tokio::test]
async fn a_host_that_is_not_public_must_be_listed() {
    let host = TlsHost::start(&Authority::new(), Leaf::default()).await;
    for allow_hosts in [vec![], vec!["localhost:1".to_owned()]] {
        let asked = Inspection {
            allow_hosts,
            ..inspection(&host)
        };
        let error = inspect(&asked).await.unwrap_err();
        assert_eq!(error.code(), "address-not-public");
        assert!(error.hint().unwrap().contains("--allow-host localhost:"));
    }
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn a_host_that_nobody_listens_at_is_unreachable() {
    let host = TlsHost::start(&Authority::new(), Leaf::default()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let name = format!("localhost:{free}");
    let asked = Inspection {
        target: name.parse().unwrap(),
        allow_hosts: vec![name],
        ..inspection(&host)
    };
    assert_eq!(
        inspect(&asked).await.unwrap_err().code(),
        "connection-failed"
    );
}

#[tokio::test]
async fn what_is_not_tls_is_no_host_to_trust() {
    let web = TestServer::http(|_| Answer::new(404, "")).await;
    let asked = Inspection {
        allow_hosts: vec![web.host()],
        ..Inspection::of(web.host().parse().unwrap())
    };
    let report = inspect(&asked).await.unwrap();
    assert_eq!(
        codes(&report),
        ["tls-handshake-failed", "tls-probe-undetermined"]
    );
    assert!(report.negotiated.is_none() && report.chain.is_none());
    assert!(report.hello.answer.text.contains("does not speak TLS"));
    assert!(report.hints[0].contains("Compare the port"));
}

#[tokio::test]
async fn no_more_connections_are_made_than_are_said() {
    let host = TlsHost::start(&Authority::new(), Leaf::default()).await;
    let report = report(&host).await;
    // Two handshakes, the questions, and one connection for metadata that is not kept alive here.
    assert_eq!(
        host.connections(),
        2 + report.probes.len() + report.udap.len()
    );
}

#[tokio::test]
async fn udap_metadata_is_found_and_judged_by_the_community() {
    let pki = TestPki::new(COMMUNITY);
    let authority = Authority::new();
    // The community's time stands still; TLS has to be good then and today.
    let still = udap_testkit::NOW;
    let (from, until) = (
        still.min(now()).plus_secs(-DAY),
        still.max(now()).plus_secs(DAY),
    );
    let valid = (from.0 - now().0, until.0 - now().0);
    let host = TlsHost::start(
        &authority,
        Leaf {
            valid,
            ..Leaf::default()
        },
    )
    .await;
    let base = format!("https://{}/fhir", host.name());
    host.serve("/fhir/.well-known/udap", metadata(&pki, &base));
    let asked = |communities| Inspection {
        communities,
        clock: udap_testkit::clock(),
        ..inspection(&host)
    };
    let told = inspect(&asked(vec![pki.trust()])).await.unwrap();
    assert!(told.verdict.accepted, "{told}");
    let results: Vec<_> = told.udap.iter().map(|found| found.result).collect();
    assert_eq!(
        results,
        [UdapResult::None, UdapResult::Trusted, UdapResult::None]
    );
    assert_eq!(told.udap[1].communities, [COMMUNITY]);

    let mut other: CommunityTrust = TestPki::new("https://other.example").trust();
    other.policy.revocation = Revocation::Off;
    let both = inspect(&asked(vec![other.clone(), pki.trust()]))
        .await
        .unwrap();
    assert_eq!(both.udap[1].communities, [COMMUNITY]);

    let told = inspect(&asked(vec![other])).await.unwrap();
    assert_eq!(told.udap[1].result, UdapResult::Refused);
    assert_eq!(told.udap[1].code, Some("chain-not-trusted"));

    let told = inspect(&asked(vec![])).await.unwrap();
    assert_eq!(told.udap[1].result, UdapResult::NotJudged);
    assert!(told.udap[1].text.contains(&base));
}

fn metadata(pki: &TestPki, base: &str) -> Value {
    let now = udap_testkit::NOW.0;
    let endpoints = json!({"token_endpoint": format!("{base}/token"), "registration_endpoint": format!("{base}/register")});
    let mut claims =
        json!({"iss": base, "sub": base, "iat": now - 60, "exp": now + DAY, "jti": "m-1"});
    let mut all = json!({
        "udap_versions_supported": ["1"],
        "udap_profiles_supported": ["udap_dcr", "udap_authn", "udap_authz"],
        "udap_authorization_extensions_supported": ["hl7-b2b"],
        "udap_authorization_extensions_required": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "registration_endpoint_jwt_signing_alg_values_supported": ["RS256"],
    });
    for (name, value) in endpoints.as_object().unwrap() {
        claims[name] = value.clone();
        all[name] = value.clone();
    }
    all["signed_metadata"] = pki.data_holder(base).sign(&claims).into();
    all
}

/// The report without what differs from run to run.
fn redacted(report: &Report, host: &TlsHost) -> String {
    let text = report.to_string().replace(&host.port.to_string(), "PORT");
    // The second ticket may come a moment later.
    let text = text
        .replace("(1 ticket)", "(TICKETS)")
        .replace("(2 tickets)", "(TICKETS)");
    let redact = |line: &str| match line.split_once("20") {
        Some((before, _)) if line.contains("T") && line.contains('Z') => format!("{before}TIME"),
        _ => line.to_owned(),
    };
    text.lines().map(redact).collect::<Vec<_>>().join("\n")
}

/// The names and types of a JSON value.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => items
            .first()
            .map_or_else(|| json!([]), |first| json!([shape(first)])),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
    }
}
