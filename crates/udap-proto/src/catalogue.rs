//! The meaning of every code this crate refuses with.

use crate::community::catalogue as community;
use udap_pki::Explanation;

/// One entry for each code.
pub const CATALOGUE: &[Explanation] = &joined();

/// Those of the rules of communities stand beside them.
const OWN: &[Explanation] = &[
    entry(
        "jwt-too-large",
        "The JWT is larger than is read",
        "A token of this size is not parsed at all, so that nobody can make a server work on something no partner sends.",
        "Send fewer certificates in x5c (leaf and issuing CA are enough), and references in place of inline documents.",
        "RFC 8725 §3.11",
    ),
    entry(
        "jwt-malformed",
        "Not a signed JWT in compact form",
        "A JWT has three parts of base64url without padding between two dots; header and payload are JSON objects in which no member is named twice.",
        "Look at the token with `udap jws show -`. Typical causes: padding (`=`), a line break, standard base64 in place of base64url, a `Bearer ` prefix.",
        "RFC 7515 §3.1",
    ),
    entry(
        "jwt-alg-refused",
        "The signature algorithm is not accepted",
        "Only the algorithms that the community lists are accepted. `none` and HMAC never are: a public key is no shared secret.",
        "Sign with RS256 or ES256, and set `alg` to match. The server's metadata lists what it accepts.",
        "HL7 SSRAA §1.2.4; RFC 8725 §3.1",
    ),
    entry(
        "jwt-alg-key-mismatch",
        "The algorithm does not fit the certificate's key",
        "ES256 needs a P-256 key, ES384 a P-384 key, and the RS and PS algorithms an RSA key.",
        "Choose `alg` by the key in your certificate.",
        "RFC 7518 §3.4",
    ),
    entry(
        "jwt-crit",
        "The JWT demands an extension that is not understood",
        "The header `crit` lists extensions a reader must understand. None is defined for UDAP.",
        "Leave `crit` out.",
        "RFC 7515 §4.1.11",
    ),
    entry(
        "jwt-typ",
        "The JWT declares itself to be of another kind",
        "Software statements, authentication tokens and signed metadata have no `typ`, or `JWT`. A token of another declared kind is never taken in their place.",
        "Send the right token, or leave `typ` out.",
        "RFC 8725 §3.11",
    ),
    entry(
        "not-a-bundle",
        "The JWT does not declare itself to be a community's bundle",
        "A bundle has `typ` `udap-bundle+jwt`, so that nothing else that the community signs is taken for one.",
        "Sign the bundle with `udap ca bundle`.",
        "RFC 8725 §3.11",
    ),
    entry(
        "bundle-signer-mismatch",
        "The bundle was not signed by the community itself",
        "The certificate that signed it is trusted, but it must have the community's URI as its only URI name. A member's certificate under the same CA does not count.",
        "The community signs with the certificate that it has for its own URI; or pin its key in `bundle.signer_key_sha256`.",
        "RFC 5280 §4.2.1.6; udap.toml: community.bundle",
    ),
    entry(
        "bundle-key-mismatch",
        "The bundle was not signed by the pinned key",
        "The configuration names the SHA-256 of the one key from which this community's bundles are taken, and another key signed this one.",
        "If the community changed its key, learn the new one from it by another way than the bundle, and set `bundle.signer_key_sha256`.",
        "udap.toml: community.bundle.signer_key_sha256",
    ),
    entry(
        "bundle-community-mismatch",
        "The bundle describes another community",
        "A bundle touches its own community only: `community.uri` in it is its issuer.",
        "The community has to sign a description with its own URI.",
        "udap.toml: community.bundle",
    ),
    entry(
        "bundle-certificates",
        "The certificates in the bundle cannot be read",
        "Anchors, intermediates and certifiers' anchors are in the bundle itself, each as PEM text, at most 128 of a kind. A bundle names no files: they would be its reader's.",
        "The community has to sign its bundle with the certificates in it; `udap ca bundle` does.",
        "RFC 7468 §5",
    ),
    entry(
        "issuer-outside-subjects",
        "The issuer may not speak of this app",
        "The statement was signed by an issuer whose keys are known, about an app whose URI is not among those that the operator lets it vouch for.",
        "The operator sets `statement_issuer.subjects`; the app's URI has to begin with one of them, in its one spelling.",
        "RFC 7591 §2.3; udap.toml: statement_issuer.subjects",
    ),
    entry(
        "x5c-missing",
        "The JWT does not say which certificate signed it",
        "A UDAP JWT carries its signer's certificate in the header `x5c`; nothing else may name the key.",
        "Put your certificate, and then the issuing CA's, into `x5c`.",
        "HL7 SSRAA §1.2.3",
    ),
    entry(
        "x5c-invalid",
        "The certificates in the JWT's header cannot be read",
        "`x5c` is an array of strings, each one DER certificate in standard base64 with padding and without line breaks or PEM lines; the signer's is first.",
        "Encode with standard base64, not base64url. `openssl x509 -outform der | base64 -w0` makes the right text.",
        "RFC 7515 §4.1.6",
    ),
    entry(
        "x5c-too-long",
        "There are more certificates in the JWT's header than are read",
        "A path from a member to its community's root has three certificates or four. Those beyond the tenth are not looked at, so that nobody can make a server work on something no partner sends.",
        "Send the leaf and the issuing CA's certificate; the root is not needed.",
        "RFC 7515 §4.1.6",
    ),
    entry(
        "jwt-signature-invalid",
        "The signature was not made by the first certificate's key",
        "Only the key of the certificate in x5c[0] may verify the JWT. A signature of an issuing CA's or any other certificate's key is refused, as is a changed token.",
        "Put the certificate that belongs to the signing key first. ECDSA signatures are r and s side by side (64 bytes for ES256), not DER.",
        "HL7 SSRAA §1.2.3; RFC 7518 §3.4",
    ),
    entry(
        "jwt-key-unknown",
        "No key of the issuer fits the token",
        "The token names a key that its issuer does not publish, or an algorithm that none of the issuer's keys is for.",
        "Ask for a new token; the issuer may have changed its keys.",
        "RFC 7517 §4.5",
    ),
    entry(
        "jwk-invalid",
        "A JSON Web Key cannot be used",
        "The key or key set is malformed, of a kind that is not supported, or holds a private key.",
        "Publish public keys only: kty RSA, EC (P-256, P-384, P-521) or OKP (Ed25519).",
        "RFC 7517 §4",
    ),
    entry(
        "claim-missing",
        "A required claim is missing",
        "`iss`, `sub`, `aud`, `exp`, `iat` and `jti` are required in what an app signs; metadata does without `aud`.",
        "Add the claim that the message names.",
        "HL7 SSRAA §1.2.2, §3.1, §4.2",
    ),
    entry(
        "claim-malformed",
        "A claim has the wrong type",
        "Dates are numbers of seconds since 1970, never text or milliseconds; `aud` is a string or an array of strings; the rest are non-empty strings.",
        "Correct the claim that the message names.",
        "RFC 7519 §4.1",
    ),
    entry(
        "sub-not-iss",
        "`sub` and `iss` differ",
        "What an app or a server says about itself has itself as issuer and as subject.",
        "Set both to the same text: the app's URI in a software statement, the client_id in an authentication token.",
        "HL7 SSRAA §3.1, §4.2",
    ),
    entry(
        "x5c-unexpected",
        "The JWT names certificates, but the client has none",
        "A client that is known by its keys (SMART Backend Services) signs with one of them. What has an `x5c` is a UDAP client's, which sends `udap=1` and is registered under its certificate's URI.",
        "Leave `x5c` out, or register by UDAP.",
        "SMART App Launch 2.2, Client Authentication: Asymmetric",
    ),
    entry(
        "kid-missing",
        "The JWT does not say which key signed it",
        "Where keys come from a key set and not from `x5c`, the header `kid` names the key.",
        "Put the `kid` that your key has in the key set into the header.",
        "SMART App Launch 2.2, Client Authentication: Asymmetric; HL7 SSRAA §7.6",
    ),
    entry(
        "jku-mismatch",
        "The JWT names another URL of keys than the registered one",
        "`jku` is compared letter for letter with what was registered for the client; keys are never fetched from anywhere else.",
        "Send the registered URL; a plain SMART client may leave `jku` out. A UDAP app registers its URL as `jku` in its software statement.",
        "SMART App Launch 2.2, Client Authentication: Asymmetric; HL7 SSRAA §7.6",
    ),
    entry(
        "assertion-issuer-unknown",
        "The authorization assertion is by nobody who may authorize here",
        "The operator of this data holder names, for each community, whose authorization assertions count (`assertion_issuers`). A client does not authorize itself so.",
        "Ask the operator to name the issuer. For an app's own authorization use the client_credentials grant.",
        "UDAP Authorization Grants §5",
    ),
    entry(
        "assertion-subject",
        "The authorization assertion is about somebody else",
        "Its `sub` must be the client that brings it, by its client_id here or its URI: no other parties are known here.",
        "Ask the issuer for an assertion about your app.",
        "UDAP Authorization Grants §5",
    ),
    entry(
        "assertion-azp",
        "The authorization was made for another client",
        "Where there is an `azp`, it must be the client that asks, by its client_id here or its URI.",
        "Use an assertion that was made for your app, or leave `azp` out of your own.",
        "UDAP Authorization Grants §3",
    ),
    entry(
        "resources-unsupported",
        "Access to single resources is not supported here",
        "`resources` would limit access to the URLs that it lists. This server cannot keep to that, so it grants nothing instead of more than was meant.",
        "Leave `resources` out, and narrow `scope`.",
        "UDAP Authorization Grants §5",
    ),
    entry(
        "aud-mismatch",
        "The JWT is meant for another endpoint",
        "`aud` must contain, byte for byte, the endpoint's URL as the server's metadata prints it.",
        "Copy the URL from the metadata. Do not add or remove a slash, a port or a letter's case.",
        "HL7 SSRAA §3.1, §4.2, §7.1",
    ),
    entry(
        "iss-mismatch",
        "The JWT is from somebody else",
        "`iss` must be, byte for byte, the base URL from which the metadata was fetched, or the issuer that is configured.",
        "Use the base URL in the very form in which the server's certificate names it.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "jwt-expired",
        "The JWT has expired",
        "`exp` lies in the past by more than the 30 seconds by which clocks may differ.",
        "Sign a fresh one for each request, and keep the clock right (NTP).",
        "RFC 7519 §4.1.4",
    ),
    entry(
        "jwt-from-the-future",
        "The JWT is not valid yet",
        "`iat` or `nbf` lies in the future by more than the 30 seconds by which clocks may differ.",
        "Compare the clocks of both machines.",
        "RFC 7519 §4.1.5",
    ),
    entry(
        "exp-before-iat",
        "The JWT ends before it begins",
        "`exp` must be later than `iat`.",
        "Set `exp` to `iat` plus at most 300 seconds. (The guide's own examples have this mistake.)",
        "RFC 7519 §4.1.4",
    ),
    entry(
        "jwt-lifetime",
        "The JWT is valid for too long",
        "A software statement or authentication token lives 300 seconds at most, signed metadata one year.",
        "Set `exp` to at most `iat` + 300.",
        "HL7 SSRAA §2.3, §3.1, §4.2",
    ),
    entry(
        "verdict-mismatch",
        "A verdict about another certificate was offered",
        "A defect in this program: a message was to be trusted on the strength of a verdict about a certificate that did not sign it. Nothing was accepted.",
        "Please report it.",
        "—",
    ),
    entry(
        "not-an-access-token",
        "This JWT is not an access token",
        "An access token declares the type `at+jwt`. An authentication token, ID token or software statement never opens a resource.",
        "Ask the token endpoint for an access token, and send that.",
        "RFC 9068 §2.1, §4",
    ),
    entry(
        "token-unknown",
        "No such access token",
        "The text has the form of an opaque access token, and none with it is kept here: it was issued elsewhere, has expired, or never was.",
        "Ask this server's token endpoint for a new one.",
        "RFC 6750 §3.1",
    ),
    entry(
        "token-record-unreadable",
        "What is kept of an access token cannot be read",
        "Opaque access tokens are looked up in the database, and the entry of this one is not what was written.",
        "Ask for a new token. If it happens again, report it: something else writes to the database.",
        "udap.toml: access_token",
    ),
    entry(
        "client-cert-header-malformed",
        "The header with the client's certificate cannot be read",
        "A proxy that ends TLS passes on the certificate as `Client-Cert: :base64:`, once, and what came along in `Client-Cert-Chain`, at most nine.",
        "Look at how the proxy writes the header: DER in standard base64 between two colons, not PEM and not percent-encoded.",
        "RFC 9440 §2",
    ),
    entry(
        "dpop-proof-too-large",
        "The DPoP proof is larger than is read",
        "A proof holds one public key and a few claims; 8 KiB are more than any needs.",
        "Leave everything out of the proof that RFC 9449 does not name.",
        "RFC 9449 §4.2",
    ),
    entry(
        "not-a-dpop-proof",
        "This JWT is not a DPoP proof",
        "A proof declares the type `dpop+jwt`, so that no other JWT of its sender passes for one.",
        "Set `typ` to `dpop+jwt`, and `jwk` to the public key that signs.",
        "RFC 9449 §4.2",
    ),
    entry(
        "dpop-htm-mismatch",
        "The DPoP proof is for another method",
        "`htm` is the method of the one request that the proof is for, in capitals.",
        "Make a proof for each request.",
        "RFC 9449 §4.3",
    ),
    entry(
        "dpop-htu-mismatch",
        "The DPoP proof is for another address",
        "`htu` is the address of the one request that the proof is for, as the server publishes it, without query and fragment. Behind a proxy that is the public address and not the one inside.",
        "Make a proof for each request, with the address that it is sent to.",
        "RFC 9449 §4.3",
    ),
    entry(
        "dpop-proof-old",
        "The DPoP proof is too old",
        "A proof is made for one request and serves for a minute, with half a minute for clocks that differ.",
        "Make a proof for each request, and compare the clocks of both machines.",
        "RFC 9449 §11.1",
    ),
    entry(
        "dpop-ath-mismatch",
        "The DPoP proof is for another access token",
        "`ath` is the SHA-256, in base64url, of the access token that is sent along.",
        "Hash the token exactly as it stands in the Authorization header, without the scheme.",
        "RFC 9449 §4.2, §7",
    ),
    entry(
        "not-a-software-statement",
        "This JWT is a certification, not a software statement",
        "A certification that an app signed itself looks much like its software statement. What has a certification's own claims is never taken for a statement.",
        "Send the software statement as `software_statement` and the certification in `certifications`.",
        "UDAP Certifications and Endorsements §4",
    ),
    entry(
        "not-a-security-event",
        "This JWT is not a security event token",
        "A security event token declares the type `secevent+jwt`. No other JWT is ever taken for one.",
        "Send the event as its issuer made it.",
        "RFC 8417 §2.3",
    ),
    entry(
        "certification-sub-mismatch",
        "The certification is about another app",
        "`sub` of a certification must be, byte for byte, the `iss` of the software statement it comes with.",
        "Submit a certification that was issued for this app.",
        "UDAP Certifications and Endorsements §2",
    ),
    entry(
        "certification-outlives-signer",
        "The certification ends later than its signer's certificate",
        "A certification must not outlive the certificate that signed it.",
        "Ask the certifier for one that ends earlier, or for one signed with a newer certificate.",
        "UDAP Certifications and Endorsements §2",
    ),
    entry(
        "certification-claim-misplaced",
        "The certification has a claim that it must not have",
        "What an app signed itself names no issuer and no status endpoint; redirect URIs belong to `authorization_code`, a launch URI to the scope `launch`, and keys are named in `jwks`, never by a URL.",
        "Ask the certifier to leave out the claim that the message names.",
        "UDAP Certifications and Endorsements §2",
    ),
    entry(
        "certification-mismatch",
        "The registration goes beyond the certification",
        "The message names a parameter with a value that the certification does not cover. Of a list, a part may be asked for; `*` in a redirect URI stands for one path segment or one query value.",
        "Ask for less, or submit a certification that covers it.",
        "UDAP Certifications and Endorsements §§2, 4",
    ),
    entry(
        "definition-malformed",
        "The definition of a certification cannot be read",
        "A definition names its URI, its name, who signs, for how long at most, and what is asked. The message names the key that is wrong.",
        "Correct the key; the definitions that come with `udap` are examples.",
        "HL7 SSRAA §7.4",
    ),
    entry(
        "definition-signer",
        "The definition wants another signer",
        "Some certifications are an app's own word and others need somebody else's; the definition says which.",
        "Use `udap certify --self` for an app's own word and `udap ca certify` for a certifier's.",
        "HL7 SSRAA §7.4",
    ),
    entry(
        "definition-answers",
        "The answers do not fit the definition",
        "A question of the definition is open, its answer has another form, or something is answered that nobody asked.",
        "Correct the answer that the message names.",
        "HL7 SSRAA §7.4.2",
    ),
    entry(
        "restriction-unknown",
        "This claim cannot limit an app",
        "A certification limits an app by registration parameters, keys and addresses. Other claims follow from the definition and the signer, or mean nothing.",
        "Leave the claim out.",
        "UDAP Certifications and Endorsements §2",
    ),
    entry(
        "id-token-other-audiences",
        "The ID token is for others as well",
        "An ID token with audiences that are not known here is refused, since they could use it here.",
        "The identity provider must issue a token for this client alone.",
        "OpenID Connect Core §3.1.3.7",
    ),
    entry(
        "id-token-azp-mismatch",
        "The ID token was issued to somebody else",
        "`azp`, where it is there, must be the client that asked.",
        "Start the sign-in again; tell the operator of the identity provider.",
        "OpenID Connect Core §3.1.3.7",
    ),
    entry(
        "id-token-nonce-mismatch",
        "The ID token belongs to another sign-in",
        "`nonce` must be the one that was sent when this sign-in began.",
        "Start the sign-in again.",
        "OpenID Connect Core §3.1.3.7",
    ),
    entry(
        "body-malformed",
        "The body is not a JSON object",
        "A registration request is a JSON object in which no member is named twice.",
        "Send `application/json` with `software_statement` and `udap`.",
        "UDAP Dynamic Client Registration §3",
    ),
    entry(
        "udap-version",
        "The request does not say that it is UDAP version 1",
        "`udap` must be there, and must be the string \"1\" (not the number).",
        "Add `\"udap\": \"1\"`.",
        "UDAP Dynamic Client Registration §3",
    ),
    entry(
        "statement-missing",
        "The registration request has no software statement",
        "Everything an app says about itself stands in the signed software statement; parameters beside it are ignored.",
        "Add `software_statement` with the signed JWT.",
        "UDAP Dynamic Client Registration §3",
    ),
    entry(
        "certifications-malformed",
        "`certifications` has the wrong shape",
        "It is an array of signed JWTs, at most sixteen.",
        "Send an array of strings, or leave it out.",
        "UDAP Certifications and Endorsements §4",
    ),
    entry(
        "parameter-missing",
        "A required parameter is missing",
        "The message names the parameter. Which ones are required depends on the grant type.",
        "Add it.",
        "HL7 SSRAA §3.1, §5.2.2; RFC 6749 §4.4.2",
    ),
    entry(
        "parameter-invalid",
        "A parameter has a value that is not allowed",
        "The message names the parameter, its value and what is allowed.",
        "Correct it.",
        "HL7 SSRAA §3.1, §5.2.2",
    ),
    entry(
        "parameter-repeated",
        "A parameter was sent twice",
        "Two readers could take different ones, so neither is taken.",
        "Send each parameter once.",
        "RFC 6749 §3.2",
    ),
    entry(
        "redirect-uri-invalid",
        "A redirect URI is refused",
        "Redirect URIs are complete https URLs without fragment, user information or wildcard.",
        "Register the exact URL at which the app receives its codes.",
        "HL7 SSRAA §3.1; RFC 9700 §2.1",
    ),
    entry(
        "form-malformed",
        "The body is not a form",
        "A token request is `application/x-www-form-urlencoded`, in UTF-8, with at most 32 parameters.",
        "Encode the parameters as a form.",
        "RFC 6749 appendix B",
    ),
    entry(
        "grant-unsupported",
        "The grant type is not supported here",
        "The server's metadata lists the grant types it supports.",
        "Use one of `grant_types_supported`.",
        "RFC 6749 §5.2",
    ),
    entry(
        "client-secret-refused",
        "Client secrets are not accepted",
        "A UDAP client authenticates by signing an authentication token, and by nothing else.",
        "Leave out `client_secret` and the Authorization header.",
        "HL7 SSRAA §4.3, §5.2.2",
    ),
    entry(
        "metadata-malformed",
        "The server's metadata cannot be read",
        "UDAP metadata is a JSON object with the endpoints as absolute URLs.",
        "Tell the operator of the server.",
        "HL7 SSRAA §2.2",
    ),
    entry(
        "metadata-not-signed",
        "The server's metadata is not signed",
        "Without `signed_metadata` nobody vouches for the endpoints.",
        "Do not go on. Tell the operator of the server.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "metadata-endpoint-mismatch",
        "An endpoint in the metadata is not the signed one",
        "The plain part names an endpoint that the signed part does not name, or names otherwise. Somebody may have changed it on its way.",
        "Do not go on. Tell the operator of the server.",
        "UDAP Server Metadata §3",
    ),
];

const COUNT: usize = OWN.len() + community::CATALOGUE.len();

#[expect(
    clippy::indexing_slicing,
    reason = "a constant: a wrong index does not compile"
)]
const fn joined() -> [Explanation; COUNT] {
    let mut all = [OWN[0]; COUNT];
    let mut at = 1;
    while at < COUNT {
        all[at] = match at.checked_sub(OWN.len()) {
            None => OWN[at],
            Some(behind) => community::CATALOGUE[behind],
        };
        at += 1;
    }
    all
}

pub(crate) const fn entry(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    hint: &'static str,
    section: &'static str,
) -> Explanation {
    Explanation {
        code,
        title,
        meaning,
        hint,
        section,
    }
}

#[cfg(test)]
mod tests {
    use super::CATALOGUE;

    /// Every code in the sources stands in the catalogue, and every entry is some error's code.
    #[test]
    fn the_catalogue_and_the_errors_agree() {
        let sources = [
            include_str!("access_token.rs"),
            include_str!("assertion.rs"),
            include_str!("authorization.rs"),
            include_str!("bundle.rs"),
            include_str!("certification.rs"),
            include_str!("certification/definition.rs"),
            include_str!("certification/draft.rs"),
            include_str!("certification/restrictions.rs"),
            include_str!("claims.rs"),
            include_str!("community/error.rs"),
            include_str!("community/policy.rs"),
            include_str!("client_cert.rs"),
            include_str!("dpop.rs"),
            include_str!("event.rs"),
            include_str!("extensions/id_token.rs"),
            include_str!("extensions/mod.rs"),
            include_str!("id_token.rs"),
            include_str!("jwk.rs"),
            include_str!("jws.rs"),
            include_str!("metadata.rs"),
            include_str!("registration.rs"),
            include_str!("smart.rs"),
            include_str!("statement.rs"),
            include_str!("token.rs"),
            include_str!("vouched.rs"),
        ];
        let mut codes = Vec::new();
        for source in sources {
            for after in source.split("fn code(&self)").skip(1) {
                let body = after.split("\n    }\n").next().unwrap_or_default();
                codes.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
        // `san-uri-mismatch` is the engine's code, and explained there.
        codes.retain(|code| code != "san-uri-mismatch");
        codes.sort();
        codes.dedup();
        let mut explained: Vec<_> = CATALOGUE.iter().map(|e| e.code.to_owned()).collect();
        explained.sort();
        assert_eq!(explained, codes);
    }
}
