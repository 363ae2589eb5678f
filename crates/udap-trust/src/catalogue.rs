//! The meaning of every code this crate refuses with.

use udap_pki::Explanation;

/// One entry for each code.
pub const CATALOGUE: &[Explanation] = &[
    entry(
        "community-unknown",
        "This community is not configured",
        "Trust is decided within one community's anchors, never over all of them; of this one there are none here.",
        "Name one of the configured communities, or add it to the configuration.",
        "HL7 SSRAA §2.4",
    ),
    entry(
        "url-refused",
        "A URL is not fetched",
        "Only https URLs without user information are fetched; CRLs, OCSP responses and issuers' certificates, which are signed in themselves, also over http.",
        "Correct the URL where it comes from: a certificate, metadata or the configuration.",
        "—",
    ),
    entry(
        "address-not-public",
        "A host has an address that is not public",
        "Loopback, private, link-local and other special addresses are not connected to, since a URL from outside could aim at something inside.",
        "If the host is yours, list it as `host:port` under `allow_hosts`.",
        "RFC 6890",
    ),
    entry(
        "key-set-unavailable",
        "A client's key set cannot be fetched",
        "The URL of keys that was registered for the client did not answer with a key set: over https, without a redirect, at most 64 KiB, in time. It is asked again after half a minute.",
        "Fetch the URL yourself, from the machine of the server. The log has the reason.",
        "RFC 7517 §5",
    ),
    entry(
        "key-set-malformed",
        "A client's key set cannot be used",
        "What the registered URL answered is no JSON object with an array `keys`, or holds a private key.",
        "Publish public keys only, as a JSON Web Key Set.",
        "RFC 7517 §5",
    ),
    entry(
        "host-unknown",
        "A host name cannot be resolved",
        "The name has no address, or the resolver did not answer.",
        "Check the name and the DNS of this machine.",
        "—",
    ),
    entry(
        "connection-failed",
        "No connection",
        "The host was found and did not accept a connection.",
        "Check that it runs and that a firewall lets you through.",
        "—",
    ),
    entry(
        "tls-failed",
        "The TLS handshake failed",
        "The host did not prove its name to the TLS roots that are relied upon, or offers nothing acceptable.",
        "Look with `udap tls inspect HOST`. For a private TLS root set `tls_roots`.",
        "RFC 8446",
    ),
    entry(
        "fetch-timeout",
        "No answer in time",
        "The host accepted the request and did not finish its answer in time.",
        "Try again; check the host.",
        "—",
    ),
    entry(
        "fetch-status",
        "An unexpected status",
        "The host answered with another status than 200. Redirects are not followed.",
        "Look at the URL with a browser, and use the address it ends at.",
        "—",
    ),
    entry(
        "answer-too-large",
        "The answer is larger than is read",
        "Answers are read up to 16 MiB.",
        "Check that the URL is the right one.",
        "—",
    ),
    entry(
        "exchange-broken",
        "The exchange broke off",
        "The connection ended before the answer did, or the answer is not HTTP.",
        "Try again; check the host.",
        "—",
    ),
    entry(
        "tls-roots-missing",
        "There is no TLS root to rely on",
        "The file of TLS roots is empty or cannot be used.",
        "Set `tls_roots` to `\"system\"` or to a PEM file with root certificates.",
        "—",
    ),
    entry(
        "key-generation",
        "No key could be made",
        "The cryptographic library refused.",
        "Try again; look at the log.",
        "—",
    ),
    entry(
        "key-unreadable",
        "A private key cannot be read",
        "Private keys are read in PKCS#8 form (PEM `BEGIN PRIVATE KEY`): RSA of 2048 bits or more, P-256 or P-384.",
        "Convert it: `openssl pkcs8 -topk8 -nocrypt -in old.key -out new.key`.",
        "RFC 5958",
    ),
    entry(
        "key-kind",
        "This kind of private key is not supported",
        "RSA, P-256 and P-384 are.",
        "Use one of those.",
        "—",
    ),
    entry(
        "provider-unavailable",
        "A provider of credentials cannot be asked",
        "Its configuration, which says where its keys are, cannot be fetched.",
        "Try again later. Operator: the provider's host must be reachable by https, and be in `fetch.allow_hosts` if it has a private address.",
        "OpenID Connect Discovery §4",
    ),
    entry(
        "provider-malformed",
        "The configuration of a provider of credentials cannot be used",
        "It must be a JSON object with `jwks_uri`, and name the very issuer that was asked.",
        "Compare `credential_providers` with the provider's own `issuer`, letter for letter.",
        "OpenID Connect Discovery §4.3",
    ),
    entry(
        "signature-scheme",
        "The key cannot make such a signature",
        "The signature algorithm must fit the key: RS256 needs an RSA key, ES256 a P-256 key.",
        "Choose the algorithm by the key.",
        "RFC 7518 §3.1",
    ),
    entry(
        "signing-failed",
        "Nothing was signed",
        "The cryptographic library refused.",
        "Try again; look at the log.",
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
    /// Every code in the sources stands in the catalogue, and every entry is some error's code.
    #[test]
    fn the_catalogue_and_the_errors_agree() {
        let sources = [
            include_str!("fetch/error.rs"),
            include_str!("key_sets.rs"),
            include_str!("keys.rs"),
            include_str!("providers.rs"),
            include_str!("signer.rs"),
            include_str!("verify/error.rs"),
        ];
        let mut codes = Vec::new();
        for source in sources {
            let Some((_, after)) = source.split_once("fn code(&self)") else {
                continue;
            };
            let body = after.split("\n    }\n").next().unwrap_or_default();
            codes.extend(body.split('"').skip(1).step_by(2));
        }
        codes.sort_unstable();
        let mut explained: Vec<_> = super::CATALOGUE.iter().map(|e| e.code).collect();
        explained.sort_unstable();
        assert_eq!(explained, codes);
    }
}
