//! How strict a JWS is read (RFC 7515, RFC 8725) and whose key verifies it.

use crate::keys::{Key, b64, x5c};
use crate::map;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};
use std::sync::Arc;
use udap_proto::Refusal as _;
use udap_proto::jws::{Jws, JwsAlg, MAX_BYTES, MAX_X5C, Signer};

const ALL: &[JwsAlg] = &JwsAlg::ALL;

fn read(compact: &str) -> Result<Jws, &'static str> {
    Jws::parse(compact).map_err(|e| e.code())
}

fn by_leaf(compact: &str, accepted: &[JwsAlg]) -> Result<Signer, &'static str> {
    read(compact)?
        .verify_by_leaf(accepted)
        .map_err(|e| e.code())
}

/// A JWT with these texts as header and payload, and a signature that nobody looks at.
fn raw(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", b64(header), b64(payload), b64([0; 64]))
}

fn signed(key: &Key, alg: JwsAlg, chain: &[&[u8]]) -> String {
    let header = map(json!({"alg": alg.as_str(), "x5c": x5c(chain)}));
    key.jwt(alg, &header, &json!({"iss": "a"}))
}

/// A header that comes again is neither read nor hashed again; all else is looked at as before.
#[test]
fn what_is_kept_of_a_header_lets_no_other_signature_pass() {
    let rsa = Key::rsa();
    for (alg, key, other) in [
        (JwsAlg::RS256, &rsa, &Key::rsa()),
        (JwsAlg::RS384, &rsa, &Key::rsa()),
        (JwsAlg::RS512, &rsa, &Key::rsa()),
        (JwsAlg::PS256, &rsa, &Key::rsa()),
        (JwsAlg::ES256, &Key::p256(), &Key::p256()),
        (JwsAlg::ES384, &Key::p384(), &Key::p384()),
        (JwsAlg::ES512, &Key::p521(), &Key::p521()),
        (JwsAlg::EdDSA, &Key::ed25519(), &Key::ed25519()),
    ] {
        let header = map(json!({"alg": alg.as_str(), "x5c": x5c(&[&key.certificate])}));
        let first = Jws::parse(&key.jwt(alg, &header, &json!({"jti": "1"}))).unwrap();
        first.verify_by_leaf(ALL).unwrap();
        let (text, known) = first.header_read();
        let again = |compact: &str| {
            let jws = Jws::parse_with(compact, |sent| {
                assert_eq!(sent, text);
                Some(Arc::clone(known))
            });
            let jws = jws.unwrap();
            jws.verify_by_leaf(ALL).map_err(|e| e.code())
        };
        // Twice, since the first one makes the hash.
        for jti in ["2", "3"] {
            let good = key.jwt(alg, &header, &json!({ "jti": jti }));
            let signer = again(&good).unwrap();
            assert_eq!(signer.leaf().der(), key.certificate, "{alg}");
            let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
            parts[1] = b64(r#"{"jti":"4"}"#);
            for (what, wrong) in [
                ("another payload", parts.join(".")),
                ("another key", other.jwt(alg, &header, &json!({"jti": "5"}))),
            ] {
                assert_eq!(
                    again(&wrong).unwrap_err(),
                    "jwt-signature-invalid",
                    "{alg} {what}"
                );
            }
        }
        let policy = Jws::parse_with(&key.jwt(alg, &header, &json!({})), |_| {
            Some(Arc::clone(known))
        });
        let refused = policy.unwrap().verify_by_leaf(&[]);
        assert_eq!(refused.unwrap_err().code(), "jwt-alg-refused");
    }
}

#[test]
fn only_a_header_that_takes_little_memory_is_one_to_keep() {
    let many: serde_json::Map<_, _> = (0..20).map(|i| (format!("m{i}"), json!(i))).collect();
    for (more, modest) in [
        (json!({}), true),
        (
            json!({"typ": "JWT", "kid": "k", "n": 1, "x5c": ["a", "b"]}),
            true,
        ),
        (json!({"x5c": vec!["a"; MAX_X5C + 1]}), false),
        (json!({"x": [{}, {}]}), false),
        (json!({"x": {}}), false),
        (json!({"x": []}), false),
        (Value::Object(many), false),
    ] {
        let mut header = map(json!({"alg": "ES256"}));
        header.extend(map(more.clone()));
        let compact = raw(&Value::Object(header).to_string(), "{}");
        let jws = Jws::parse(&compact).unwrap();
        assert_eq!(jws.header_read().1.is_modest(), modest, "{more}");
    }
}

#[test]
fn each_algorithm_verifies_with_its_own_kind_of_key() {
    let rsa = Key::rsa();
    for (alg, key) in [
        (JwsAlg::RS256, &rsa),
        (JwsAlg::RS384, &rsa),
        (JwsAlg::RS512, &rsa),
        (JwsAlg::PS256, &rsa),
        (JwsAlg::ES256, &Key::p256()),
        (JwsAlg::ES384, &Key::p384()),
        (JwsAlg::ES512, &Key::p521()),
        (JwsAlg::EdDSA, &Key::ed25519()),
    ] {
        let compact = signed(key, alg, &[&key.certificate]);
        let signer = by_leaf(&compact, ALL).unwrap();
        assert_eq!(signer.leaf().der(), key.certificate);
        // Only by policy: each is refused where it is not listed.
        let others: Vec<_> = JwsAlg::ALL
            .into_iter()
            .filter(|other| *other != alg)
            .collect();
        assert_eq!(
            by_leaf(&compact, &others).unwrap_err(),
            "jwt-alg-refused",
            "{alg}"
        );
    }
}

#[test]
fn by_default_only_what_the_guide_names_is_accepted() {
    let rsa = Key::rsa();
    for (alg, key) in [
        (JwsAlg::ES512, &Key::p521()),
        (JwsAlg::EdDSA, &Key::ed25519()),
        (JwsAlg::PS256, &rsa),
        (JwsAlg::RS512, &rsa),
    ] {
        let compact = signed(key, alg, &[&key.certificate]);
        assert_eq!(
            by_leaf(&compact, &JwsAlg::SSRAA).unwrap_err(),
            "jwt-alg-refused",
            "{alg}"
        );
    }
}

#[test]
fn ed25519_has_two_names() {
    let key = Key::ed25519();
    let header = map(json!({"alg": "Ed25519", "x5c": x5c(&[&key.certificate])}));
    let compact = key.jwt(JwsAlg::EdDSA, &header, &json!({}));
    assert!(by_leaf(&compact, &[JwsAlg::EdDSA]).is_ok());
}

#[test]
fn an_algorithm_that_does_not_fit_the_key_is_refused() {
    let (rsa, p256, p384, ed) = (Key::rsa(), Key::p256(), Key::p384(), Key::ed25519());
    for (alg, key) in [
        (JwsAlg::ES256, &rsa),
        (JwsAlg::ES256, &p384),
        (JwsAlg::ES384, &p256),
        (JwsAlg::ES512, &p256),
        (JwsAlg::RS256, &p256),
        (JwsAlg::PS256, &ed),
        (JwsAlg::EdDSA, &p256),
    ] {
        let compact = signed(key, alg, &[&key.certificate]);
        assert_eq!(
            by_leaf(&compact, ALL).unwrap_err(),
            "jwt-alg-key-mismatch",
            "{alg}"
        );
    }
}

#[test]
fn a_signature_of_the_same_key_in_another_scheme_is_refused() {
    let key = Key::rsa();
    for (named, made) in [
        (JwsAlg::RS256, JwsAlg::PS256),
        (JwsAlg::PS256, JwsAlg::RS256),
        (JwsAlg::RS384, JwsAlg::RS256),
    ] {
        let header = map(json!({"alg": named.as_str(), "x5c": x5c(&[&key.certificate])}));
        let compact = key.jwt(made, &header, &json!({}));
        assert_eq!(by_leaf(&compact, ALL).unwrap_err(), "jwt-signature-invalid");
    }
}

#[test]
fn none_and_hmac_cannot_be_written_down() {
    for alg in [
        "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "rs256", "RS256 ", "RS1",
        "ES256K", "PS384", "RSA-OAEP", "dir", "",
    ] {
        let header = json!({"alg": alg}).to_string();
        assert_eq!(
            read(&raw(&header, "{}")).unwrap_err(),
            "jwt-alg-refused",
            "{alg}"
        );
        // RFC 7515 appendix A.5: without a signature.
        let bare = format!("{}.{}.", b64(&header), b64("{}"));
        assert_eq!(read(&bare).unwrap_err(), "jwt-alg-refused", "{alg}");
    }
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":256}"#,
    ] {
        assert_eq!(
            read(&raw(header, "{}")).unwrap_err(),
            "jwt-alg-refused",
            "{header}"
        );
    }
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    // The classic confusion: HMAC keyed with the public key.
    let key = Key::rsa();
    let header = json!({"alg": "HS256", "x5c": x5c(&[&key.certificate])}).to_string();
    let input = format!("{}.{}", b64(&header), b64("{}"));
    let public = key.public();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.spki_der());
    let tag = aws_lc_rs::hmac::sign(&secret, input.as_bytes());
    let compact = format!("{input}.{}", b64(tag.as_ref()));
    assert_eq!(by_leaf(&compact, ALL).unwrap_err(), "jwt-alg-refused");
}

#[test]
fn an_empty_or_zero_signature_is_refused() {
    let key = Key::p256();
    let good = signed(&key, JwsAlg::ES256, &[&key.certificate]);
    let input = good.rsplit_once('.').unwrap().0;
    for signature in [&[][..], &[0; 64], &[0; 63], &[0xff; 64], &[0; 128]] {
        let compact = format!("{input}.{}", b64(signature));
        assert_eq!(by_leaf(&compact, ALL).unwrap_err(), "jwt-signature-invalid");
    }
}

#[test]
fn a_der_signature_is_refused() {
    let key = Key::p256();
    let good = signed(&key, JwsAlg::ES256, &[&key.certificate]);
    let input = good.rsplit_once('.').unwrap().0;
    let compact = format!("{input}.{}", b64(key.sign_der(input.as_bytes())));
    assert_eq!(by_leaf(&compact, ALL).unwrap_err(), "jwt-signature-invalid");
}

#[test]
fn base64url_is_strict() {
    let key = Key::p256();
    let good = signed(&key, JwsAlg::ES256, &[&key.certificate]);
    assert!(by_leaf(&good, ALL).is_ok());
    let parts: Vec<_> = good.split('.').collect();
    for at in 0..3 {
        let spoil = |spoil: &dyn Fn(&str) -> String| {
            let mut parts: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
            parts[at] = spoil(&parts[at]);
            parts.join(".")
        };
        for bad in [
            spoil(&|part| format!("{part}=")),
            spoil(&|part| format!("{part}==")),
            spoil(&|part| format!("{part} ")),
            spoil(&|part| format!(" {part}")),
            spoil(&|part| format!("{part}\n")),
            spoil(&|part| format!("{}\r\n{}", &part[..4], &part[4..])),
            spoil(&|part| format!("+{}", &part[1..])),
            spoil(&|part| format!("/{}", &part[1..])),
            spoil(&|part| format!("é{}", &part[1..])),
            spoil(&|part| {
                format!("{part}A")
                    .chars()
                    .take((part.len() / 4) * 4 + 1)
                    .collect()
            }),
        ] {
            assert_eq!(read(&bad).unwrap_err(), "jwt-malformed", "part {at}: {bad}");
        }
    }
}

#[test]
fn trailing_bits_are_refused() {
    // 64 bytes leave four bits over in the last character: 86 characters for 85⅓.
    let key = Key::p256();
    let good = signed(&key, JwsAlg::ES256, &[&key.certificate]);
    let (most, last) = good.split_at(good.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.find(last).unwrap();
    for bits in 1..16 {
        let other = alphabet.get(value + bits..=value + bits).unwrap();
        assert_eq!(
            read(&format!("{most}{other}")).unwrap_err(),
            "jwt-malformed"
        );
    }
}

#[test]
fn three_parts_and_nothing_else() {
    for compact in [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "Bearer a.b.c",
        r#"{"payload":"e30","signatures":[]}"#,
    ] {
        assert_eq!(read(compact).unwrap_err(), "jwt-malformed", "{compact}");
    }
}

#[test]
fn json_is_strict() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
    for bad in [
        r#"{"alg":"ES256","alg":"RS256"}"#,
        r#"{"alg":"ES256","\u0061lg":"none"}"#,
        r#"{"alg":"ES256","x":{"a":1,"a":2}}"#,
        r#"{"alg":"ES256"} "#,
        r#"{"alg":"ES256"}x"#,
        r#"{"alg":"ES256",}"#,
        r#"{'alg':'ES256'}"#,
        "\u{feff}{\"alg\":\"ES256\"}",
        r#"["ES256"]"#,
        "null",
        "",
        &deep,
    ] {
        let refused = read(&raw(bad, "{}"));
        // White space around JSON is JSON.
        if bad.ends_with("} ") {
            assert!(refused.is_ok());
            continue;
        }
        assert_eq!(refused.unwrap_err(), "jwt-malformed", "header {bad}");
        let refused = read(&raw(r#"{"alg":"ES256"}"#, bad));
        assert_eq!(refused.unwrap_err(), "jwt-malformed", "payload {bad}");
    }
    let invalid_utf8 = format!(
        "{}.{}.{}",
        b64(b"{\"alg\":\"ES256\",\"x\":\"\xff\"}"),
        b64("{}"),
        b64("s")
    );
    assert_eq!(read(&invalid_utf8).unwrap_err(), "jwt-malformed");
}

#[test]
fn size_is_bounded() {
    let fits = raw(
        r#"{"alg":"ES256"}"#,
        &format!(r#"{{"x":"{}"}}"#, "y".repeat(40_000)),
    );
    assert!(read(&fits).is_ok());
    assert_eq!(
        read(&"a".repeat(MAX_BYTES + 1)).unwrap_err(),
        "jwt-too-large"
    );
}

#[test]
fn no_critical_extension_is_understood() {
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!([]),
        json!("exp"),
        Value::Null,
    ] {
        let header = json!({"alg": "ES256", "crit": crit}).to_string();
        assert_eq!(
            read(&raw(&header, "{}")).unwrap_err(),
            "jwt-crit",
            "{header}"
        );
    }
}

#[test]
fn no_other_header_member_names_the_key() {
    let (key, thief) = (Key::p256(), Key::p256());
    let extra = |by: &Key| {
        map(json!({
            "alg": "ES256",
            "x5c": x5c(&[&key.certificate]),
            "jwk": thief.jwk("k").to_json(),
            "jku": "https://thief.example/jwks",
            "x5u": "https://thief.example/cert",
            "x5t#S256": b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &by.certificate)),
            "kid": "k",
        }))
    };
    // They change nothing for the right key, and do nothing for another.
    let good = key.jwt(JwsAlg::ES256, &extra(&thief), &json!({}));
    assert!(by_leaf(&good, ALL).is_ok());
    let bad = thief.jwt(JwsAlg::ES256, &extra(&thief), &json!({}));
    assert_eq!(by_leaf(&bad, ALL).unwrap_err(), "jwt-signature-invalid");
    // Without x5c there is no key at all.
    let mut header = extra(&thief);
    header.remove("x5c");
    let bare = thief.jwt(JwsAlg::ES256, &header, &json!({}));
    assert_eq!(by_leaf(&bare, ALL).unwrap_err(), "x5c-missing");
}

#[test]
fn only_the_first_certificate_verifies() {
    let (first, second) = (Key::p256(), Key::p256());
    let chain: [&[u8]; 2] = [&first.certificate, &second.certificate];
    assert!(by_leaf(&signed(&first, JwsAlg::ES256, &chain), ALL).is_ok());
    let by_second = signed(&second, JwsAlg::ES256, &chain);
    assert_eq!(
        by_leaf(&by_second, ALL).unwrap_err(),
        "jwt-signature-invalid"
    );
}

#[test]
fn x5c_is_strict_where_the_leaf_is_and_lenient_behind_it() {
    let key = Key::p256();
    let leaf = STANDARD.encode(&key.certificate);
    let refused = |x5c: Value| {
        let header = map(json!({"alg": "ES256", "x5c": x5c}));
        by_leaf(&key.jwt(JwsAlg::ES256, &header, &json!({})), ALL)
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(refused(json!([])), "x5c-invalid");
    assert_eq!(refused(json!(leaf)), "x5c-invalid");
    assert_eq!(refused(json!([7])), "x5c-invalid");
    assert_eq!(
        refused(json!([URL_SAFE.encode(&key.certificate).replace("==", "")])),
        "x5c-invalid"
    );
    assert_eq!(
        refused(json!([format!("{}\n{}", &leaf[..64], &leaf[64..])])),
        "x5c-invalid"
    );
    assert_eq!(
        refused(json!([format!(
            "-----BEGIN CERTIFICATE-----\n{leaf}\n-----END CERTIFICATE-----"
        )])),
        "x5c-invalid"
    );
    assert_eq!(
        refused(json!([STANDARD.encode(b"not a certificate")])),
        "x5c-invalid"
    );
    assert_eq!(
        refused(json!([
            STANDARD.encode([&key.certificate[..], b"x"].concat())
        ])),
        "x5c-invalid"
    );
    assert_eq!(
        refused(json!(vec![leaf.clone(); MAX_X5C + 1])),
        "x5c-too-long"
    );
    // Junk behind a good leaf is left out, and counted.
    let header = map(json!({"alg": "ES256", "x5c": [leaf, STANDARD.encode(b"junk"), leaf]}));
    let signer = by_leaf(&key.jwt(JwsAlg::ES256, &header, &json!({})), ALL).unwrap();
    assert_eq!((signer.intermediates().len(), signer.unreadable()), (1, 1));
}

#[test]
fn a_changed_token_is_refused() {
    let key = Key::p256();
    let good = signed(&key, JwsAlg::ES256, &[&key.certificate]);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let header = input.split('.').next().unwrap();
    for payload in [r#"{"iss":"b"}"#, r#"{"iss":"a" }"#] {
        let changed = format!("{header}.{}.{signature}", b64(payload));
        assert_eq!(by_leaf(&changed, ALL).unwrap_err(), "jwt-signature-invalid");
    }
}
