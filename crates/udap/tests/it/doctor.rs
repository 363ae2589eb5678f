//! What stands in a partner's way, found from outside and from the configuration.

use crate::community::{COMMUNITY, Community, Said, until};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use udap_pki::issue::{CrlSpec, SignatureAlgorithm, crl};
use udap_pki::{Certificate, UnixTime};
use udap_trust::clock;
use udap_trust::signer::KeySigner;

/// The findings that are not well, as `thing code`.
fn ailing(said: &Said) -> Vec<String> {
    let report = said.json();
    let findings = report["findings"].as_array().unwrap().iter();
    let ailing = findings.filter(|finding| ["warning", "problem"].contains(&text(finding, "mark")));
    ailing
        .map(|finding| {
            // A problem says what to do about it.
            assert!(!text(finding, "hint").is_empty(), "{finding}");
            format!("{} {}", text(finding, "thing"), text(finding, "code"))
        })
        .collect()
}

/// Those about the certificate that the configuration names. The running server takes what it names within
/// a second, so that others may or may not say the same.
fn of_identity(said: &Said) -> Vec<String> {
    let mut ailing = ailing(said);
    ailing.retain(|finding| finding.starts_with("identity "));
    ailing
}

fn text<'a>(finding: &'a Value, member: &str) -> &'a str {
    finding[member].as_str().unwrap_or_default()
}

fn holder(community: &Community, more: &[&str]) -> Said {
    let mut args = vec!["doctor", "--json", "--tls-root", "tls-root.pem"];
    args.extend(more);
    crate::community::udap(community.dir(), &args)
}

/// Changes the configuration, looks, and changes it back. The running server keeps the first one.
fn with(community: &Community, from: &str, to: &str) -> Said {
    let path = community.path("udap.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let changed = good.replacen(from, to, 1);
    assert_ne!(good, changed);
    std::fs::write(&path, changed).unwrap();
    let said = holder(community, &[]);
    std::fs::write(&path, good).unwrap();
    said
}

#[test]
fn each_thing_that_would_stop_a_partner_is_named() {
    let community = Community::start();
    let base = community.base_url.clone();

    // All well, from inside and from outside.
    let said = holder(&community, &[]);
    assert_eq!((said.code, ailing(&said)), (0, vec![]), "{said:?}");
    let said = community.client(&["doctor", &base, "--json"]);
    assert_eq!((said.code, ailing(&said)), (0, vec![]), "{said:?}");
    assert_eq!(said.json()["well"], true);
    let said = community.client(&["doctor", &base]);
    assert!(
        said.out.ends_with("\n0 problems, 0 warnings\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("✓ metadata"), "{}", said.out);
    assert!(said.out.contains("✓ identity"), "{}", said.out);

    // From outside.
    let said = community.client(&["doctor", &format!("{base}/"), "--json"]);
    let slash = ["address base-url-slash", "metadata iss-mismatch"];
    assert_eq!(
        (said.code, ailing(&said)),
        (1, slash.map(str::to_owned).to_vec())
    );
    let said = community.client(&["doctor", "http://localhost:1/fhir", "--json"]);
    assert_eq!((said.code, ailing(&said).len()), (1, 1), "{said:?}");
    let said = community.client(&["doctor", &base, "--json", "--revocation", "off"]);
    let unknown = ["revocation", "identity"].map(|thing| format!("{thing} revocation-not-checked"));
    assert_eq!(ailing(&said), unknown);
    let said = crate::community::udap(community.dir(), &["doctor", &base, "--json"]);
    assert_eq!(ailing(&said), ["host address-not-public"]);

    // The app's own certificate: of another community, over soon, revoked.
    let init = ["ca", "init", "--dir", "other", "--community"];
    community.ok(&[
        &init[..],
        &["https://other.example", "--base-url", "http://localhost:1"],
    ]
    .concat());
    for (ca, days, name) in [
        ("other", "90", "outsider"),
        ("ca", "5", "ending"),
        ("ca", "90", "bad"),
    ] {
        let issue = [
            "ca",
            "issue",
            "--profile",
            "app",
            "--uri",
            "https://app.example",
            "--dir",
            ca,
        ];
        community.ok(&[&issue[..], &["--days", days, "--name", name, "--out", name]].concat());
    }
    community.ok(&["ca", "revoke", "--dir", "ca", "bad.pem"]);
    until(|| {
        let said = community.client_as("bad", &["doctor", &base, "--json"]);
        ailing(&said) == ["identity certificate-revoked"]
    });
    for (app, code, found) in [
        ("outsider", 1, "identity identity-other-community"),
        ("ending", 0, "identity certificate-expires-soon"),
        ("bad", 1, "identity certificate-revoked"),
    ] {
        let said = community.client_as(app, &["doctor", &base, "--json"]);
        assert_eq!(
            (said.code, ailing(&said)),
            (code, vec![found.to_owned()]),
            "{said:?}"
        );
    }

    // One that the app is not named by is a finding like any other.
    let other = [
        "doctor",
        &base,
        "--json",
        "--uri",
        "https://other.app.example",
    ];
    let said = community.client_as("bad", &other);
    let found = vec!["identity identity-uri-mismatch".to_owned()];
    assert_eq!((said.code, ailing(&said)), (1, found), "{said:?}");

    // From the configuration.
    let said = crate::community::udap(community.dir(), &["doctor", "--json"]);
    assert_eq!(
        (said.code, ailing(&said)),
        (1, vec!["host chain-not-trusted".to_owned()])
    );
    let said = with(
        &community,
        "upstream = \"http://localhost",
        "upstream = \"http://127.0.0.2",
    );
    assert_eq!(ailing(&said), ["upstream upstream-unreachable"]);
    let said = with(&community, "server.pem", "app.pem");
    let wrong = [
        "identity community-key-mismatch",
        "identity san-uri-mismatch",
    ];
    assert_eq!(ailing(&said), wrong);
    let said = with(&community, "/fhir\"\n", "/r4\"\n");
    assert_eq!(
        ailing(&said),
        ["identity san-uri-mismatch", "metadata udap-not-offered"],
        "{said:?}"
    );
    let said = crate::community::udap(
        community.dir(),
        &["doctor", "--config", "no.toml", "--json"],
    );
    assert_eq!(said.code, 2, "{said:?}");

    // A certificate that ends soon, and one that is revoked.
    let said = community.ok(&[
        "ca",
        "issue",
        "--dir",
        "ca",
        "--profile",
        "data-holder",
        "--name",
        "short",
        "--uri",
        &base,
        "--days",
        "5",
        "--out",
        "short",
    ]);
    drop(said);
    let path = community.path("udap.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, good.replace("server.", "short.")).unwrap();
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, of_identity(&said)),
        (0, vec!["identity certificate-expires-soon".to_owned()])
    );
    assert!(said.out.contains(COMMUNITY));
    community.ok(&["ca", "revoke", "--dir", "ca", "short.pem"]);
    until(|| of_identity(&holder(&community, &[])) == ["identity certificate-revoked"]);
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, of_identity(&said)),
        (1, vec!["identity certificate-revoked".to_owned()]),
        "{said:?}"
    );

    // Rules that may change are said to be such.
    std::fs::write(&path, good).unwrap();
    let draft = "[[community]]\nprofile = \"cms-aligned-0.6\"\n";
    let said = with(&community, "[[community]]\n", draft);
    assert!(ailing(&said).contains(&"community community-draft".to_owned()));
}

#[test]
fn what_cannot_be_known_of_an_authority_that_is_down_is_said() {
    let mut community = Community::start();
    community.without_authority();
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, of_identity(&said)),
        (1, vec!["identity revocation-unavailable".to_owned()]),
        "{said:?}"
    );
    // Nobody else tells the time either, and that is no fault of this machine.
    let clock = finding(&said, "clock");
    assert_eq!(text(&clock, "mark"), "unknown", "{clock}");

    // A partner asks the same authority.
    let said = community.client(&["doctor", &community.base_url, "--json"]);
    assert!(
        ailing(&said).contains(&"identity revocation-unavailable".to_owned()),
        "{said:?}"
    );
    assert_eq!(text(&finding(&said, "clock"), "mark"), "well");
}

#[test]
fn our_clock_is_compared_with_those_outside_and_old_crls_are_found() {
    let mut community = Community::start();
    let host = community.ca_host().to_owned();
    let said = holder(&community, &[]);
    let clock = finding(&said, "clock");
    assert_eq!(text(&clock, "mark"), "well", "{clock}");
    assert!(text(&clock, "text").contains(&host), "{clock}");

    // The authority's clock is an hour ahead of this machine's: the data holder's own says nothing of that.
    community.without_authority();
    let authority = Authority::at(&community);
    authority.publish(3600, 86_400);
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, ailing(&said)),
        (1, vec!["clock clock-off".to_owned()]),
        "{said:?}"
    );
    let clock = finding(&said, "clock");
    let said = text(&clock, "text");
    assert!(said.starts_with(&format!("{host} is 3")), "{said}");
    assert!(said.ends_with(" s ahead of ours"), "{said}");

    // Its clock is right, and its CRLs have ended.
    authority.publish(0, -60);
    let said = holder(&community, &[]);
    assert_eq!(
        (said.code, of_identity(&said)),
        (1, vec!["identity revocation-unavailable".to_owned()]),
        "{said:?}"
    );
    assert_eq!(text(&finding(&said, "clock"), "mark"), "well");
}

/// The one finding about a thing.
fn finding(said: &Said, thing: &str) -> Value {
    let report = said.json();
    let all = report["findings"].as_array().unwrap();
    let mut all = all.iter().filter(|finding| text(finding, "thing") == thing);
    let (first, second) = (all.next(), all.next());
    assert!(second.is_none(), "{report}");
    first.unwrap().clone()
}

/// What answers for the community's authority once that is gone: its CRLs and nothing else, with a clock and dates as
/// a test wants them.
struct Authority(Arc<Mutex<Published>>);

#[derive(Clone, Copy)]
struct Published {
    /// How far its clock is ahead, in seconds.
    ahead: i64,
    /// In how many seconds its CRLs end.
    crl_ends_in: i64,
}

impl Authority {
    fn at(community: &Community) -> Self {
        let listener = TcpListener::bind(community.ca_host().replace("localhost", "127.0.0.1"));
        let listener = listener.unwrap();
        let keys = ["root", "issuing"].map(|name| {
            let read = |end: &str| std::fs::read(community.path(&format!("ca/{name}.{end}")));
            let chain = udap_pki::pem::certificates(&read("pem").unwrap()).unwrap();
            let signer = KeySigner::from_pem(&read("key").unwrap()).unwrap();
            (name, chain[0].clone(), signer)
        });
        let published = Published {
            ahead: 0,
            crl_ends_in: 0,
        };
        let published = Arc::new(Mutex::new(published));
        let said = Arc::clone(&published);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let published = *said.lock().unwrap();
                answer(connection.unwrap(), published, &keys);
            }
        });
        Self(published)
    }

    fn publish(&self, ahead: i64, crl_ends_in: i64) {
        *self.0.lock().unwrap() = Published { ahead, crl_ends_in };
    }
}

fn answer(connection: TcpStream, published: Published, keys: &[(&str, Certificate, KeySigner); 2]) {
    let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let asked = keys
        .iter()
        .find(|(name, ..)| first.starts_with("GET") && first.contains(&format!("{name}.crl")));
    let (status, body) = match asked {
        Some((_, certificate, signer)) => ("200 OK", signed(certificate, signer, published)),
        None => ("404 Not Found", Vec::new()),
    };
    let now = clock::now().plus_secs(published.ahead).0;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap());
    let date = httpdate::fmt_http_date(now);
    let head = format!(
        "HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Whoever asked may have gone.
    let _ = (&connection).write_all(&[head.as_bytes(), &body].concat());
}

fn signed(certificate: &Certificate, signer: &KeySigner, published: Published) -> Vec<u8> {
    let now: UnixTime = clock::now();
    let to_be_signed = crl(&CrlSpec {
        issuer: certificate,
        number: 1000,
        this_update: now.plus_secs(-3600),
        next_update: now.plus_secs(published.crl_ends_in),
        entries: &[],
        algorithm: SignatureAlgorithm::EcdsaP256Sha256,
    })
    .unwrap();
    let scheme = to_be_signed.algorithm().scheme();
    let signature = signer.sign_now(scheme, to_be_signed.bytes()).unwrap();
    to_be_signed.finish(&signature).unwrap()
}
