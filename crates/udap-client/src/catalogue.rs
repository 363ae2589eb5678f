//! The meaning of every code this crate refuses with, apart from those of the crates below.

use udap_pki::Explanation;

/// One entry for each code.
pub const CATALOGUE: &[Explanation] = &[
    entry(
        "base-url-invalid",
        "This is not a FHIR base URL that can be used",
        "A FHIR base URL is https, without user information, query or fragment. It is compared byte for byte with the name in the server's certificate.",
        "Write the base URL as the server's operator publishes it, for example `https://fhir.example.org/r4`.",
        "HL7 SSRAA §2",
    ),
    entry(
        "redirect-refused",
        "The server answered with a redirect",
        "Redirects are not followed: what is trusted is a server at the address that its certificate names and its signed metadata lists, not wherever it points to.",
        "Use the address that the redirect ends at as the base URL, if you trust it.",
        "UDAP Server Metadata §3",
    ),
    entry(
        "udap-not-offered",
        "The server does not offer UDAP",
        "A server that takes part in a trust community publishes `{base}/.well-known/udap`; this one answers that there is no such thing.",
        "Compare the base URL with what the operator publishes. A trailing segment (`/r4`, `/fhir`) is easily forgotten.",
        "HL7 SSRAA §2",
    ),
    entry(
        "community-not-served",
        "The server is not a member of this community",
        "Asked for metadata signed for this community, the server answers that it has none.",
        "Name a community with `--community` that both you and the server belong to; the operator knows which.",
        "HL7 SSRAA §2.4",
    ),
    entry(
        "metadata-status",
        "The server's metadata cannot be had",
        "The metadata URL answered with an error. Without verified metadata nothing else is asked of a server.",
        "Try again later; if it stays so, tell the server's operator.",
        "HL7 SSRAA §2",
    ),
    entry(
        "endpoint-url-refused",
        "An endpoint in the metadata cannot be used",
        "Tokens, statements and patient data travel over https only, to URLs without user information.",
        "The server's operator has to publish https endpoints.",
        "HL7 SSRAA §2.2",
    ),
    entry(
        "discovery-expired",
        "What was verified of the server no longer holds",
        "Signed metadata has an end, and so has the verdict about the certificate that signed it: the certificate may have been revoked since. Nothing more is signed for a server that was verified before that.",
        "Discover the server again; a program that keeps running looks at `Discovered::expires`.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "community-none-configured",
        "No community is configured",
        "Whether a server is to be trusted is for a trust community to say; without its anchor certificate nobody vouches for anybody.",
        "Name the community and its anchor with `--community URI --anchor FILE`, or work in a sandbox (`udap dev`), whose URLs are on `localhost`.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "community-none-accepts",
        "No configured community vouches for the server",
        "Its certificate was tried in each community by itself. What each said stands in the message.",
        "Find out which community the server belongs to and add its anchor; or the server is not what it says it is.",
        "HL7 SSRAA §2.3",
    ),
    entry(
        "server-community-ambiguous",
        "More than one community vouches for the server",
        "The rules that hold, and the certificate you register with, depend on the community, so that it is not guessed.",
        "Choose one with `--community URI`.",
        "HL7 SSRAA §2.4",
    ),
    entry(
        "identity-missing",
        "The app has no identity",
        "To register or to ask for a token an app needs a certificate of the community and its private key.",
        "Give `--cert FILE --key FILE`, or work in a sandbox (`udap dev`).",
        "HL7 SSRAA §3.1",
    ),
    entry(
        "identity-certificate-missing",
        "The identity has no certificate",
        "The chain that was given is empty.",
        "Put the app's certificate first, then the issuing CA's.",
        "HL7 SSRAA §1.2.3",
    ),
    entry(
        "identity-uri-mismatch",
        "The app's URI is not in its certificate",
        "Servers know an app by a URI that must be one of the URI names of its certificate, byte for byte.",
        "Use one of the certificate's URIs (`udap x509 show FILE` lists them), or get a certificate with the right one.",
        "HL7 SSRAA §3.1",
    ),
    entry(
        "identity-key-mismatch",
        "The private key does not belong to the certificate",
        "What one signs, the other cannot verify.",
        "Give the key that was made for this certificate; the leaf must be the first in its file.",
        "HL7 SSRAA §1.2.2",
    ),
    entry(
        "identity-other-community",
        "The app's certificate is of another community than the server's",
        "A registration belongs to one community: both certificates must be of the same.",
        "Use the certificate that the server's community issued to you, with those of its issuers behind it; name another community, or, if it has several roots, each with an `--anchor`.",
        "HL7 SSRAA §2.4",
    ),
    entry(
        "not-offered",
        "The server does not offer what is needed",
        "Its metadata lists what it supports, and this is not in the list. Asking anyway would end in a refusal.",
        "Use what it offers; for another signature algorithm a certificate with another kind of key is needed.",
        "UDAP Server Metadata §2",
    ),
    entry(
        "header-invalid",
        "A header cannot be sent",
        "It holds characters that HTTP does not allow.",
        "Look at the value that was to be sent.",
        "RFC 9110 §5.5",
    ),
    entry(
        "registration-refused",
        "The server refused the registration",
        "`unapproved_software_statement`: your certificate is not trusted there. `invalid_software_statement`: the signature or a claim is wrong. `invalid_client_metadata`: a parameter is.",
        "The server's description says which; a code in brackets can be looked up with `udap explain`.",
        "RFC 7591 §3.2.2; UDAP Dynamic Client Registration §5.2",
    ),
    entry(
        "token-refused",
        "The server refused a token",
        "`invalid_client`: unknown, cancelled, or the certificate is no longer trusted. `invalid_request`: the assertion's signature or the form. `invalid_scope`, `invalid_grant`: what was asked for.",
        "The server's description says which. After `invalid_client` register again.",
        "RFC 6749 §5.2",
    ),
    entry(
        "introspection-refused",
        "The server refused to say anything about the token",
        "`invalid_client`: this app is unknown there, or its certificate is no longer trusted.",
        "The server's description says which. After `invalid_client` register again.",
        "RFC 7662 §2.3",
    ),
    entry(
        "revocation-refused",
        "The server refused to end the token",
        "`invalid_client`: this app is unknown there, or its certificate is no longer trusted. The token may still count.",
        "The server's description says which. Cancelling the registration ends all of its tokens: `udap unregister URL`.",
        "RFC 7009 §2.2.1",
    ),
    entry(
        "endpoint-not-offered",
        "The server has no such endpoint, or does not say where",
        "Where questions about tokens go stands in `/.well-known/smart-configuration`, and there it does not.",
        "Without a connection: run the command once with one. Else ask the operator of the server.",
        "SMART App Launch 2.2, Conformance",
    ),
    entry(
        "endpoint-elsewhere",
        "An endpoint that nobody signed is on another host",
        "The document that names it is not signed, so it could send a token and an assertion to anybody. It is believed only where the signed token endpoint is.",
        "Tell the operator of the server.",
        "UDAP Server Metadata §3",
    ),
    entry(
        "fhir-refused",
        "The FHIR server refused the request",
        "401: the token does not count (any more). 403: its scopes do not permit this. 404: there is no such resource.",
        "Compare the token's scopes (`udap token`) with what you ask for.",
        "RFC 6750 §3.1",
    ),
    entry(
        "answer-malformed",
        "The server's answer is not what it must be",
        "It has the status of a success, and lacks what a success holds.",
        "Tell the server's operator.",
        "RFC 6749 §5.1; RFC 7591 §3.2.1",
    ),
    entry(
        "cancel-unconfirmed",
        "The server did not confirm the cancellation",
        "A cancellation is confirmed by an answer whose `grant_types` are empty. This one's are not, so the registration may still stand.",
        "Tell the server's operator. Until then revoke nothing on the strength of this.",
        "HL7 SSRAA §3.4",
    ),
    entry(
        "url-outside-base",
        "The URL is not below the server's base URL",
        "A token is sent to the server that issued it and to no other, whatever a link says.",
        "Use a URL that begins with the base URL the token was issued for.",
        "RFC 6750 §5.3",
    ),
    entry(
        "state-unusable",
        "What is remembered cannot be read or written",
        "Registrations are remembered in a directory of yours, so that they need not be made again each time.",
        "Look at the directory's owner and space, or name another with `--state-dir`.",
        "—",
    ),
    entry(
        "state-damaged",
        "What is remembered is not what this program wrote",
        "The file was changed by hand or by another program. It is left as it is.",
        "Move it away; what it held will be asked for again.",
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
        let mut codes = Vec::new();
        for source in [include_str!("error.rs"), include_str!("state.rs")] {
            let Some((_, after)) = source.split_once("fn code(&self)") else {
                continue;
            };
            let body = after.split("\n    }\n").next().unwrap_or_default();
            codes.extend(body.split('"').skip(1).step_by(2));
        }
        codes.sort_unstable();
        codes.dedup();
        let mut explained: Vec<_> = super::CATALOGUE.iter().map(|e| e.code).collect();
        explained.sort_unstable();
        assert_eq!(explained, codes);
    }
}
