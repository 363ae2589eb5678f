//! What strangers send to an authorization server: JWTs, JSON, forms, scopes, metadata. Nothing here may panic, be slow,
//! or be read differently the second time.

use serde_json::Value;
use udap_pki::UnixTime;
use udap_proto::claims::Claims;
use udap_proto::jwk::{Jwk, JwkSet};
use udap_proto::jws::{Jws, JwsAlg};
use udap_proto::registration::{Body, Change};
use udap_proto::scope::{Context, MAX_SCOPES, Permission, ScopeSet};
use udap_proto::token::TokenRequest;
use udap_proto::{
    access_token, assertion, authorization, bundle, certification, client_cert, dpop, event,
    extensions, id_token, json, metadata, smart, statement, vouched,
};

const NOW: UnixTime = UnixTime(1_795_536_000);
const URL: &str = "https://holder.example/token";

/// A compact JWS, offered to every verifier as far as it comes without a verdict.
pub fn jws(data: &[u8]) {
    let Ok(compact) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = Jws::parse(compact);
    let _ = assertion::parse(compact, URL, NOW);
    let stages = [
        statement::verify_signature(compact, &JwsAlg::ALL).is_ok(),
        certification::verify_signature(compact, &JwsAlg::ALL).is_ok(),
        event::verify_signature(compact, &JwsAlg::ALL).is_ok(),
        bundle::verify_signature(compact, &JwsAlg::ALL).is_ok(),
        access_token::verify(compact, &JwkSet::default(), URL, URL, NOW).is_ok(),
        id_token::verify(compact, &JwkSet::default(), &expected(), NOW).is_ok(),
        authorization::verify_signature(compact, URL, &JwsAlg::ALL, NOW).is_ok(),
        smart::parse(compact, &[URL], NOW).is_ok(),
    ];
    let Ok(jws) = parsed else {
        assert_eq!(stages, [false; 8]);
        return;
    };
    assert!(!stages[4] && !stages[5], "no key was given");
    smart_backend(compact, stages[7]);
    let _ = jws.verify_by_leaf(&JwsAlg::ALL);
    if let Ok(statement) = vouched::parse(compact, &issuer()) {
        let refused = statement.verify(&JwkSet::default(), &issuer(), URL, NOW);
        assert!(refused.is_err(), "no key was given");
    }
    claims(jws.payload());
}

/// What has certificates is UDAP's and nobody else's, and without a key nothing is verified.
fn smart_backend(compact: &str, parsed: bool) {
    assert!(!(parsed && smart::names_certificates(compact)));
    if let Ok(parsed) = smart::parse(compact, &[URL], NOW) {
        let _ = parsed.require_jku(None).map_err(|e| format!("{e}"));
        assert!(
            parsed.verify(&JwkSet::default()).is_err(),
            "no key was given"
        );
    }
    if let Ok(parsed) = assertion::parse(compact, URL, NOW) {
        let _ = parsed.require_jku(Some(URL)).map_err(|e| format!("{e}"));
        let signed = parsed.verify_signature_by_keys(&JwkSet::default(), &JwsAlg::ALL);
        assert!(signed.is_err(), "no key was given");
    }
}

/// A DPoP proof, which carries the key that it is verified by.
pub fn dpop(data: &[u8]) {
    let Ok(compact) = std::str::from_utf8(data) else {
        return;
    };
    let judge = |url| {
        let expected = dpop::Expected {
            method: "POST",
            targets: &[url],
            token_sha256: None,
        };
        dpop::verify(compact, &expected, NOW)
    };
    let answer = judge(URL);
    assert_eq!(answer, judge(URL));
    if let Ok(proof) = answer {
        assert!(proof.until() > NOW, "it would be forgotten while it counts");
        assert!(judge("https://other.example/token").is_err());
    }
}

/// `Client-Cert` in the first line, `Client-Cert-Chain` in the others.
pub fn client_cert(data: &[u8]) {
    let mut lines = data.split(|b| *b == b'\n');
    let first: Vec<_> = lines.by_ref().take(1).collect();
    if let Ok((_, chain)) = client_cert::read(first.into_iter(), lines) {
        assert!(chain.len() <= client_cert::MAX_CHAIN);
    }
}

fn issuer() -> vouched::Issuer {
    vouched::Issuer {
        uri: URL.to_owned(),
        subjects: vec!["https://app.example/".to_owned()],
        algorithms: JwsAlg::ALL.to_vec(),
    }
}

fn expected() -> id_token::Expected<'static> {
    id_token::Expected {
        issuer: URL,
        algorithms: &JwsAlg::ALL,
        client_id: "c",
        nonce: "n",
    }
}

/// Strict JSON: what it accepts everybody else accepts as well, with the same meaning.
pub fn json(data: &[u8]) {
    let Ok(ours) = json::value(data) else { return };
    let theirs: Value = serde_json::from_slice(data).expect("stricter, never laxer");
    assert_eq!(ours, theirs);
    // Fractions may differ in their last digit: numbers that matter are whole.
    json::value(ours.to_string().as_bytes()).expect("what was written is read");
    if let Value::Object(map) = &ours {
        claims(map);
    }
}

fn claims(map: &serde_json::Map<String, Value>) {
    if let Ok(claims) = Claims::read(map) {
        let _ = claims.require_sub_is_iss();
        let _ = claims.require_audience(URL).map_err(|e| format!("{e}"));
        let _ = claims
            .require_in_force(NOW, 300)
            .map_err(|e| format!("{e}"));
    }
    if let Ok(Change::Register(metadata)) = Change::read(map) {
        let again = Change::read(&metadata.to_params()).expect("what is echoed can be registered");
        assert_eq!(Change::Register(metadata), again);
    }
    if let Ok(extensions) = extensions::read(map) {
        let _ = extensions::check_everywhere(&extensions).map_err(|e| format!("{e}"));
    }
    let _ = Jwk::from_json(map).map(|key| key.thumbprint_input());
    let _ = JwkSet::from_json(map).map(|keys| keys.to_json());
}

/// Two sets of scopes, the second behind the first line break: what is asked for and what is allowed.
pub fn scope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (asked, allowed) = text.split_once('\n').unwrap_or((text, ""));
    let (asked, allowed) = (ScopeSet::parse(asked), ScopeSet::parse(allowed));
    assert_eq!(ScopeSet::parse(&asked.to_string()), asked);
    let Some(granted) = asked.under(&allowed) else {
        return;
    };
    assert!(granted.len() <= MAX_SCOPES);
    for context in [Context::Patient, Context::User, Context::System] {
        for resource in ["Patient", "Observation"] {
            for permission in [Permission::Read, Permission::Search, Permission::Delete] {
                let by = |set: &ScopeSet| set.permits(context, resource, permission);
                assert!(
                    !by(&granted) || by(&asked) && by(&allowed),
                    "more was granted than asked or allowed"
                );
            }
        }
    }
}

/// A token request's form.
pub fn form(data: &[u8]) {
    if let Ok(request) = TokenRequest::read(data) {
        let form = request.to_form();
        let again = TokenRequest::read(form.as_bytes());
        assert_eq!(again, Ok(request));
    }
}

/// A community's bundle: its signature is the one thing that stops a stranger, so what is behind it is read
/// as well.
pub fn bundle(data: &[u8]) {
    let Ok(compact) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(signed) = bundle::verify_signature(compact, &JwsAlg::ALL) else {
        return;
    };
    let Ok(key) = signed.signer().leaf().public_key() else {
        return;
    };
    let pin = *key.sha256();
    let community = "https://community.example";
    match signed.verify(bundle::Pinned::Key(&pin), community, NOW) {
        Ok(bundle) => assert!(bundle.sequence() > 0 && bundle.community() == community),
        Err(error) => assert!(!format!("{error}").is_empty()),
    }
}

/// A metadata document, or the body of a registration request.
pub fn metadata(data: &[u8]) {
    let _ = metadata::verify_signature(data, &JwsAlg::ALL).map_err(|e| format!("{e}"));
    if let Ok(body) = Body::read(data) {
        let again = Body::read(body.to_json().to_string().as_bytes());
        assert_eq!(again, Ok(body));
    }
}
