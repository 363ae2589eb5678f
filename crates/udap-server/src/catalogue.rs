//! The meaning of every code this crate refuses with.

use udap_pki::Explanation;

/// One entry for each code.
pub const CATALOGUE: &[Explanation] = &[
    entry(
        "media-type",
        "The body has the wrong media type",
        "A token request is a form.",
        "Send `Content-Type: application/x-www-form-urlencoded`.",
        "RFC 6749 §4.4.2",
    ),
    entry(
        "authorization-header-refused",
        "An Authorization header was sent to the token endpoint",
        "A UDAP client authenticates with its signed authentication token and with nothing else.",
        "Leave the header out.",
        "HL7 SSRAA §5.2.2; UDAP JWT-Based Client Authentication §5",
    ),
    entry(
        "too-many-registrations",
        "Too many registration requests came from one address",
        "More came within a minute than the operator allows (`limits.registrations_per_minute`, 300 unless set). Registering is done once; what repeats it is mostly a loop.",
        "Wait as long as `Retry-After` says. An app that has a `client_id` need not register again.",
        "RFC 6585 §4",
    ),
    entry(
        "too-many-strangers",
        "Too many untrusted certificates came from this network",
        "More certificates came from this network within a minute than the operator allows (`limits.refusals_per_minute`, 120 unless set) that no community vouches for, or are being judged. Judging one costs the server more than its sender; until the minute is over none is judged that is not known to be good already. Those that prove to be a member's do not count.",
        "Wait as long as `Retry-After` says; whoever sends such certificates should look at the first refusals.",
        "RFC 6585 §4",
    ),
    entry(
        "too-many-refusals",
        "This client was refused too often",
        "More requests of this client from this address were refused within a minute than the operator allows (`limits.refusals_per_minute`, 120 unless set): repeated assertions, or a certificate that is revoked or has expired. None is looked at until the minute is over; from other addresses the client is served, and what others send in its name does not count.",
        "Wait as long as `Retry-After` says, and mend what the first refusals named.",
        "RFC 6585 §4",
    ),
    entry(
        "resource-missing",
        "It is not said for which FHIR server the token is to be",
        "Several FHIR servers share this token endpoint, and one token is for one of them: were it good at all, whoever receives it at one could use it at another.",
        "Send the FHIR base URL of the server as `resource`.",
        "RFC 8707 §2",
    ),
    entry(
        "resource-unknown",
        "There are no tokens here for that FHIR server",
        "`resource` is not a FHIR base URL of this token endpoint. It is compared letter for letter.",
        "Send the base URL as it stands in `iss` of the server's signed metadata, or leave `resource` out where the endpoint serves only one.",
        "RFC 8707 §2",
    ),
    entry(
        "identity-expired",
        "The data holder's certificate is not valid any more",
        "Metadata is signed with this data holder's certificate in the community. When that ends the metadata ends with it, and no app can find out how to register or ask for tokens.",
        "The operator has to renew the certificate; the files are read again as soon as they change.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "bundle-unavailable",
        "The community's bundle cannot be had",
        "`bundle.url` does not answer with a bundle. What is in force stays so until it ends; anchors that were followed end with it.",
        "Look at the community's server, and at what this one may reach (`fetch.allow_hosts`, `fetch.tls_roots`).",
        "udap.toml: community.bundle.url",
    ),
    entry(
        "bundle-older",
        "The bundle is older than the last one",
        "Its sequence is lower than that of a bundle which was in force already. Whoever could bring an old one back could bring back an anchor that the community took away.",
        "The community has to publish its newest bundle; sequences only rise.",
        "udap.toml: community.bundle",
    ),
    entry(
        "bundle-sequence-reused",
        "Two different bundles have one sequence",
        "A sequence names one bundle. Another one with the same is not taken, since nobody could say which of them is newer.",
        "The community has to sign again with a higher sequence; `udap ca bundle` counts by itself.",
        "udap.toml: community.bundle",
    ),
    entry(
        "bundle-lapsed",
        "The last bundle has ended",
        "There was no newer one in time, or the one who signed it is not trusted any more. Its rules stay in force, but anchors that were followed do not count beyond it: nobody of the community is trusted until a new one comes.",
        "Find out why there is no newer bundle: `udap community verify URL`.",
        "udap.toml: community.bundle.anchors",
    ),
    entry(
        "bundle-anchors-proposed",
        "The community names anchors that do not count here",
        "Its bundle lists trust anchors that the configuration does not have. They are followed only where `bundle.anchors` is \"follow\", and what is no CA not even there.",
        "Compare their SHA-256 with what the community says elsewhere, and add them to `anchors`, or set `bundle.anchors = \"follow\"`.",
        "udap.toml: community.bundle.anchors",
    ),
    entry(
        "client-id-mismatch",
        "`client_id` is not the assertion's issuer",
        "The parameter may be left out; where it is sent, it names the client that signed the assertion.",
        "Leave `client_id` out, or send the same value as in `iss`.",
        "UDAP JWT-Based Client Authentication §6",
    ),
    entry(
        "client-certificate-missing",
        "The connection shows no client certificate",
        "This client authenticates by the certificate of its TLS connection, or wants only tokens that are bound to one. The server asks for certificates at a port of its own and nowhere else.",
        "Use the addresses of `mtls_endpoint_aliases` in the server's metadata, and give the TLS library the certificate and its key.",
        "UDAP Mutual TLS §3; RFC 8705 §2, §5",
    ),
    entry(
        "auth-method-mismatch",
        "The client is registered to authenticate in another way",
        "`token_endpoint_auth_method` of the registration says how the client proves who it is. Another way is refused, so that whoever has only one of its credentials cannot choose the weaker one.",
        "Authenticate as registered, or register again with the other method.",
        "UDAP Mutual TLS §2; RFC 7591 §2",
    ),
    entry(
        "tls-client-auth-not-offered",
        "The community does not let clients authenticate by certificate",
        "The registration is from a time when it did.",
        "Register again with `private_key_jwt`, or ask the operator (`tls_client_auth` of the community).",
        "UDAP Mutual TLS §2",
    ),
    entry(
        "certificate-not-registered",
        "No app is registered under a URI of the certificate",
        "The certificate is one of a member, and none of its URIs is that of a registration in its community.",
        "Register the app first.",
        "UDAP Mutual TLS §4",
    ),
    entry(
        "certificate-ambiguous",
        "The certificate names more than one registered app",
        "Without a `client_id` it is undecided which of them is meant, and they may have different rights.",
        "Ask for an access token with `client_id`, or use a certificate for each app.",
        "UDAP Mutual TLS §4",
    ),
    entry(
        "dpop-token-required",
        "The certificate alone is not enough for this app",
        "The app registered for tokens that are bound to a key (`dpop_bound_access_tokens`), or its community requires that. A request without a token proves no such key.",
        "Ask for an access token with a DPoP proof, and send it with another one.",
        "RFC 9449 §7",
    ),
    entry(
        "client-unknown",
        "No such client is registered",
        "The `client_id` in `iss` and `sub` was not assigned here, or the registration is gone.",
        "Register first, and use the `client_id` of the answer.",
        "RFC 6749 §2.2",
    ),
    entry(
        "community-ambiguous",
        "More than one community vouches for this app",
        "The certificate is trusted in several communities of this endpoint, and they may have different rules. It is undecided which of them counts.",
        "Use a certificate that only one of them trusts, or ask the operator for an endpoint for each community.",
        "HL7 SSRAA §3.4",
    ),
    entry(
        "jwt-replayed",
        "This JWT was sent before",
        "A `jti` may be used once by its issuer until the JWT expires.",
        "Sign a fresh JWT, with a new random `jti`, for each request.",
        "HL7 SSRAA §1.2.2",
    ),
    entry(
        "jwt-before-restart",
        "This JWT may have been used before the server ended unexpectedly",
        "A busy server does not keep a record on disk of each JWT. When it crashes, what was signed before is refused, since it cannot know which of them were used.",
        "Sign a fresh JWT and send it; within two seconds of the crash, wait that long.",
        "HL7 SSRAA §1.2.2",
    ),
    entry(
        "registration-unknown",
        "There is nothing to cancel",
        "No registration with this URI exists in this community.",
        "Nothing needs to be done.",
        "HL7 SSRAA §3.4",
    ),
    entry(
        "registration-cancelled",
        "The registration was cancelled",
        "The app left, or was removed; its tokens and its client_id no longer work.",
        "Register again.",
        "HL7 SSRAA §3.4",
    ),
    entry(
        "registration-suspended",
        "The registration is suspended",
        "The operator of this data holder has suspended the app.",
        "Ask the operator.",
        "—",
    ),
    entry(
        "certification-required",
        "A certification that is required did not come along",
        "The metadata lists under `udap_certifications_required` what an app must bring with its registration. An endorsement does not stand in for a certification.",
        "Get the certification that the message names, and send it in `certifications`.",
        "HL7 SSRAA §3.3; UDAP Certifications and Endorsements §4.3",
    ),
    entry(
        "certification-self-signed",
        "The app signed a certification that a certifier has to sign",
        "For this programme an app's own word is not enough in this community.",
        "Ask a certifier of the community to sign it.",
        "UDAP Certifications and Endorsements §4",
    ),
    entry(
        "certifier-unknown",
        "The certification is by nobody who may certify here",
        "This community names its certifiers by their URIs, and the issuer of this certification is none of them.",
        "Ask a certifier that the community names.",
        "UDAP Certifications and Endorsements §4",
    ),
    entry(
        "certification-ended",
        "The certifier took the certification back",
        "Its status endpoint answered that the certification is not valid.",
        "Ask the certifier why, and for another one.",
        "UDAP Certifications and Endorsements §5",
    ),
    entry(
        "certification-status-unknown",
        "Nobody could say whether the certification still holds",
        "The certification names a status endpoint, and it could not be asked or did not answer. What cannot be learned is not assumed to be good.",
        "Try again later; if it stays so, tell the certifier.",
        "UDAP Certifications and Endorsements §5",
    ),
    entry(
        "certification-lapsed",
        "A required certification no longer holds",
        "It expired, its certifier took it back, does not answer or is not trusted any more, or this data holder requires another one by now. Tokens of the app have ended.",
        "Register again with a certification that is in force.",
        "UDAP Certifications and Endorsements §5",
    ),
    entry(
        "registration-replaced",
        "The token is older than the registration",
        "The app has changed its registration since the token was issued, and with it what it may do.",
        "Get a new token.",
        "HL7 SSRAA §3.4",
    ),
    entry(
        "grant-not-registered",
        "The client is not registered for this grant",
        "A registration is for certain grant types, and a token is asked for by one of them.",
        "Use the grant type of your registration, or register again with another one.",
        "RFC 6749 §5.2",
    ),
    entry(
        "client-known-by-keys",
        "The client is known by its keys, and asked as a UDAP client does",
        "The operator configured this client with a key set (SMART Backend Services). It signs with such a key and never with a certificate, so that neither kind of client can come in as the other.",
        "Leave out `udap` and `x5c`, and name the key in `kid`.",
        "SMART App Launch 2.2, Client Authentication: Asymmetric",
    ),
    entry(
        "client-known-by-certificate",
        "A UDAP client asked as one that is known by its keys",
        "This client_id is of an app that registered by UDAP. Its request says so by `udap=1`, and its authentication token carries certificates.",
        "Send `udap=1`, and your certificates in `x5c`.",
        "UDAP JWT-Based Client Authentication §5",
    ),
    entry(
        "token-of-another",
        "The token is another client's",
        "A client ends, and is told about, tokens of its own registration only. It is answered as if there were no such token.",
        "Ask with the client that got the token. A resource server that is to see every token is named by `resource_servers` in the configuration.",
        "RFC 7009 §2.1; RFC 7662 §4",
    ),
    entry(
        "token-revoked",
        "The token was revoked",
        "Its client ended it before its time.",
        "Get a new token.",
        "RFC 7009 §2",
    ),
    entry(
        "scope-wildcard-unsupported",
        "Wildcard scopes are not supported here",
        "The metadata lists no wildcard in `scopes_supported`, so none can be asked for.",
        "Ask for the resource types one by one.",
        "HL7 SSRAA §7.3",
    ),
    entry(
        "scope-none-granted",
        "None of the scopes can be granted",
        "Nothing that was asked for is available to this app. An app without a user gets `system/` scopes only.",
        "Compare what you ask for with `scopes_supported`, and with the scopes of your registration.",
        "HL7 SSRAA §7.3",
    ),
    entry(
        "scope-too-many",
        "The scopes that can be granted are too many",
        "A wildcard with a query means one scope for each resource type that is available; a token holds 500 scopes at most.",
        "Ask for the resource types that are needed, one by one.",
        "—",
    ),
    entry(
        "community-key-mismatch",
        "The community identity's key is another one's",
        "The private key does not belong to the first certificate of the file.",
        "Put the certificate that belongs to the key first.",
        "—",
    ),
    entry(
        "identity-algorithm",
        "The community does not have the algorithm of this data holder's key",
        "Metadata is signed with an algorithm that the community lists.",
        "Ask the community for a certificate with an RSA key.",
        "HL7 SSRAA §7.1.2",
    ),
    entry(
        "identity-without-issuer",
        "The issuer's certificate does not come along",
        "Members of this community send their certificate and its issuer's, in this order.",
        "Append the certificate of the issuing CA to the file of `identity.cert`.",
        "TEFCA Facilitated FHIR SOP",
    ),
    entry(
        "identity-not-rsa",
        "The community identity cannot sign metadata",
        "Signed metadata is signed with RS256.",
        "Get an RSA certificate for the data holder.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "access-key-unusable",
        "The key for access tokens cannot be used",
        "The file in the state directory cannot be read or written, or is no P-256 key.",
        "Restore the file, or remove it: a new one is made, and tokens issued before end.",
        "—",
    ),
    entry(
        "replay-log-unusable",
        "The replay log cannot be used",
        "Without it a JWT could be used twice, so the server does not start. One process uses it at a time.",
        "Check the state directory: disk space, owner, mode, and whether another server runs on it.",
        "—",
    ),
];

const fn entry(
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
    use std::collections::BTreeSet;

    /// Every code that this crate's sources use is explained here or in a crate below, and every
    /// entry here is used.
    #[test]
    fn the_catalogue_and_the_errors_agree() {
        let sources = [
            include_str!("asserted.rs"),
            include_str!("access_key.rs"),
            include_str!("app.rs"),
            include_str!("assertion_grant.rs"),
            include_str!("certifications/error.rs"),
            include_str!("certifications/status.rs"),
            include_str!("certifications/watch.rs"),
            include_str!("client_authentication.rs"),
            include_str!("client_authentication/certified.rs"),
            include_str!("client_authentication/smart.rs"),
            include_str!("base.rs"),
            include_str!("communities.rs"),
            include_str!("communities/bundles.rs"),
            include_str!("communities/files.rs"),
            include_str!("communities/in_force.rs"),
            include_str!("communities/reload.rs"),
            include_str!("communities/served.rs"),
            include_str!("metadata.rs"),
            include_str!("introspection.rs"),
            include_str!("registration.rs"),
            include_str!("revocation.rs"),
            include_str!("scopes.rs"),
            include_str!("smart_clients.rs"),
            include_str!("store/certifications.rs"),
            include_str!("store/registrations.rs"),
            include_str!("store/replay.rs"),
            include_str!("store/revocations.rs"),
            include_str!("token.rs"),
        ];
        // A code is a text of words with hyphens between; so are few other things.
        let no_codes = [
            "access-token.key",
            "access-token",
            "client-confidential-asymmetric",
            "udap-replay",
        ];
        let used: BTreeSet<_> = sources
            .iter()
            .map(|source| source.split("#[cfg(test)]").next().unwrap_or_default())
            .flat_map(str::lines)
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| line.split('"').skip(1).step_by(2))
            .filter(|text| is_code(text) && !no_codes.contains(text))
            .collect();
        let below = |code: &str| {
            [
                udap_pki::CATALOGUE,
                udap_proto::CATALOGUE,
                udap_trust::CATALOGUE,
                udap_host::CATALOGUE,
            ]
            .into_iter()
            .flatten()
            .any(|entry| entry.code == code)
        };
        let used: Vec<_> = used.into_iter().filter(|code| !below(code)).collect();
        let mut own: Vec<_> = super::CATALOGUE.iter().map(|entry| entry.code).collect();
        own.sort_unstable();
        assert_eq!(own, used);
    }

    fn is_code(text: &str) -> bool {
        text.contains('-')
            && text
                .split('-')
                .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
    }
}
