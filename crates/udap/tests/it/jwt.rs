//! `udap jws` and `udap jwt`: each kind of token by its own verifier, which takes no other kind.

use crate::community::{Said, udap};
use serde_json::{Value, json};
use std::path::Path;
use udap_proto::jwk::Jwk;
use udap_testkit::{DAY, Member, NOW, TestPki};
use udap_trust::keys::KeyType;
use udap_trust::signer::Signer as _;

const APP: &str = "https://app.example";
const BASE: &str = "https://fhir.example/r4";
const REGISTER: &str = "https://fhir.example/r4/oauth/register";
const TOKEN: &str = "https://fhir.example/r4/oauth/token";

struct Tokens {
    app: Member,
    metadata: String,
    statement: String,
    authn: String,
    certification: String,
}

fn tokens(dir: &Path) -> Tokens {
    let pki = TestPki::new("https://community.example");
    let app = pki.leaf(APP);
    let server = pki.data_holder(BASE);
    let claims = |iss: &str, aud: &str, lifetime: i64, more: Value| {
        let mut claims = json!({
            "iss": iss, "sub": iss, "aud": aud, "iat": NOW.0, "exp": NOW.0 + lifetime, "jti": "j-1",
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    std::fs::write(dir.join("root.pem"), pki.anchor().certificate().to_pem()).unwrap();
    std::fs::write(
        dir.join("other.pem"),
        TestPki::new("https://other.example")
            .anchor()
            .certificate()
            .to_pem(),
    )
    .unwrap();
    Tokens {
        metadata: server.sign(&claims(BASE, BASE, DAY, json!({
            "token_endpoint": TOKEN, "registration_endpoint": REGISTER,
        }))),
        statement: app.sign(&claims(APP, REGISTER, 300, json!({
            "client_name": "App", "grant_types": ["client_credentials"], "scope": "system/Patient.rs",
            "token_endpoint_auth_method": "private_key_jwt", "contacts": ["mailto:a@b.example"],
        }))),
        authn: app.sign(&claims("client-1", TOKEN, 300, json!({}))),
        certification: app.sign(&claims(APP, REGISTER, 300, json!({
            "certification_name": "Privacy", "certification_uris": ["https://c.example/privacy"],
        }))),
        app,
    }
}

fn verify(dir: &Path, profile: &str, aud: &str, token: &str, more: &[&str]) -> Said {
    let now = NOW.to_string();
    let mut args = vec![
        "jwt",
        "verify",
        "--json",
        "--revocation",
        "off",
        "--profile",
        profile,
        "--aud",
        aud,
        "--token",
        token,
    ];
    if !more.contains(&"--anchor") {
        args.extend(["--anchor", "root.pem"]);
    }
    if !more.contains(&"--time") {
        args.extend(["--time", &now]);
    }
    args.extend(more);
    udap(dir, &args)
}

#[test]
fn no_kind_is_taken_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = tokens(dir.path());
    let kinds = [
        ("metadata", BASE, &tokens.metadata),
        ("software-statement", REGISTER, &tokens.statement),
        ("authn", TOKEN, &tokens.authn),
        ("certification", REGISTER, &tokens.certification),
    ];
    for (offered, aud, token) in kinds {
        for (expected, ..) in kinds {
            let said = verify(dir.path(), expected, aud, token, &[]);
            let right = offered == expected;
            // An authentication token may carry whatever else it likes: only what the others demand
            // keeps them apart from it, and its audience, which is another endpoint's.
            if expected == "authn" && !right {
                let said = verify(dir.path(), expected, TOKEN, token, &[]);
                assert_eq!(said.code, 1, "{offered} as {expected} {said:?}");
                continue;
            }
            assert_eq!(
                said.code,
                i32::from(!right),
                "{offered} as {expected} {said:?}"
            );
        }
        let said = verify(dir.path(), "id-token", aud, token, &[]);
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, "jwt-key-unknown"),
            "{offered}"
        );
    }
}

#[test]
fn each_check_has_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = tokens(dir.path());
    let late = NOW.plus_secs(3600).to_string();
    let altered = format!("{}x", tokens.statement);
    for (profile, aud, token, more, code) in [
        (
            "software-statement",
            BASE,
            &tokens.statement,
            &[][..],
            "aud-mismatch",
        ),
        (
            "software-statement",
            REGISTER,
            &tokens.statement,
            &["--time", &late],
            "jwt-expired",
        ),
        (
            "software-statement",
            REGISTER,
            &tokens.statement,
            &["--anchor", "other.pem"],
            "chain-not-trusted",
        ),
        (
            "software-statement",
            REGISTER,
            &tokens.statement,
            &["--iss", "https://b.example"],
            "iss-mismatch",
        ),
        (
            "software-statement",
            REGISTER,
            &altered,
            &[],
            "jwt-malformed",
        ),
        (
            "authn",
            TOKEN,
            &tokens.authn,
            &["--uri", "https://b.example"],
            "san-uri-mismatch",
        ),
        (
            "authn",
            TOKEN,
            &tokens.authn,
            &["--iss", "client-2"],
            "iss-mismatch",
        ),
        (
            "metadata",
            "https://fhir.example/r4/",
            &tokens.metadata,
            &[],
            "iss-mismatch",
        ),
        (
            "certification",
            REGISTER,
            &tokens.certification,
            &["--uri", "https://b.example"],
            "certification-sub-mismatch",
        ),
    ] {
        let said = verify(dir.path(), profile, aud, token, more);
        assert_eq!(
            (said.code, said.error().as_str()),
            (1, code),
            "{profile} {more:?} {said:?}"
        );
    }
    // Revocation is required unless told otherwise, and nothing is fetched here.
    let now = NOW.to_string();
    let said = udap(
        dir.path(),
        &[
            "jwt",
            "verify",
            "--json",
            "--profile",
            "authn",
            "--aud",
            TOKEN,
            "--token",
            &tokens.authn,
            "--anchor",
            "root.pem",
            "--time",
            &now,
        ],
    );
    assert_eq!(
        (said.code, said.error().as_str()),
        (1, "revocation-unavailable")
    );
}

#[test]
fn a_jws_is_verified_by_the_key_of_your_choice() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = tokens(dir.path());
    let jwk = |key: &udap_pki::PublicKey| {
        Jwk::from_public_key(key, Some("k".into()), None)
            .unwrap()
            .to_json()
    };
    let own = jwk(tokens.app.signer.public_key());
    let pki = TestPki::new("https://community.example");
    let other = jwk(pki.leaf(APP).signer.public_key());
    let rsa = jwk(pki
        .member(APP)
        .key(KeyType::Rsa2048)
        .issue()
        .signer
        .public_key());
    for (name, text) in [
        ("own.json", own.to_string()),
        ("set.json", json!({"keys": [other, own]}).to_string()),
        ("other.json", other.to_string()),
        ("rsa.json", rsa.to_string()),
        (
            "private.json",
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}).to_string(),
        ),
        ("twice.json", r#"{"kty":"EC","kty":"RSA"}"#.to_owned()),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let verify = |more: &[&str]| {
        let mut args = vec!["jws", "verify", "--json", "--token", &tokens.statement];
        args.extend(more);
        let said = udap(dir.path(), &args);
        let code = if said.code == 0 {
            String::new()
        } else {
            said.error()
        };
        (said.code, code)
    };
    let code = |number: i32, text: &str| (number, text.to_owned());
    assert_eq!(verify(&["--jwk", "own.json"]), code(0, ""));
    assert_eq!(verify(&["--jwk", "set.json"]), code(0, ""));
    assert_eq!(
        verify(&["--jwk", "own.json", "--alg", "ES256"]),
        code(0, "")
    );
    assert_eq!(verify(&["--x5c"]), code(0, ""));
    assert_eq!(
        verify(&["--jwk", "own.json", "--alg", "RS256"]),
        code(1, "jwt-alg-refused")
    );
    assert_eq!(
        verify(&["--x5c", "--alg", "RS256"]),
        code(1, "jwt-alg-refused")
    );
    assert_eq!(
        verify(&["--jwk", "other.json"]),
        code(1, "jwt-signature-invalid")
    );
    assert_eq!(verify(&["--jwk", "rsa.json"]), code(1, "jwt-key-unknown"));
    assert_eq!(verify(&["--jwk", "private.json"]), code(2, "jwk-invalid"));
    assert_eq!(verify(&["--jwk", "twice.json"]), code(2, "file-unusable"));
    assert_eq!(verify(&["--jwk", "own.json", "--alg", "none"]).0, 2);

    let none = "eyJhbGciOiJub25lIn0.e30.";
    let said = udap(
        dir.path(),
        &[
            "jws", "verify", "--json", "--jwk", "own.json", "--token", none,
        ],
    );
    assert_eq!((said.code, said.error().as_str()), (1, "jwt-alg-refused"));
    let said = udap(dir.path(), &["jws", "show", &tokens.statement, "--json"]);
    assert_eq!(said.json()["payload"]["iss"], APP);
}
