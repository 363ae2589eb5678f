//! What has to be known about single examples. Each entry is found by a part of the line as the help has it.

/// What is not run here, by its command, and why.
pub(super) const EXCEPTIONS: &[(&str, &str)] = &[
    ("udap bench register", MEASURES),
    ("udap bench growth", MEASURES),
    ("udap bench metadata", MEASURES),
    ("udap bench gateway", MEASURES),
    ("udap bench start", MEASURES),
    ("udap bench trust", MEASURES),
];

const MEASURES: &str = "measures for minutes; udap-lab's tests run it for a moment";

/// Go on until they are ended.
pub(super) const SERVES: &[&str] = &["udap dev --upstream", "udap serve", "udap ca serve"];

/// What those say when they answer.
pub(super) const READY: &[&str] = &["Ctrl-C ends it.", "publishing", "serving"];

/// What is done before an example: its help takes it for granted, or shows two ways to do one thing.
pub(super) const BEFORE: [(&str, &str); 6] = [
    (
        "introspect https://localhost:8440/fhir --token-file",
        "udap token https://localhost:8440/fhir > token.txt",
    ),
    (
        "unregister https://localhost:8440/fhir",
        "udap register https://localhost:8440/fhir",
    ),
    (
        "unregister https://fhir.example.org/r4",
        "udap register https://fhir.example.org/r4 ALLOWED --community https://community.example \
         --anchor community.pem --cert app.pem --key app.key --contact mailto:ops@app.example",
    ),
    (
        "suspend 2xBUc3c2F2diWFy_N459jw --reason 'key lost' ",
        "udap admin restore 2xBUc3c2F2diWFy_N459jw --reason again",
    ),
    (
        "operator add ada --password-file",
        "udap admin operator remove ada",
    ),
    (
        "operator passwd ada",
        "udap admin operator list | grep -q ada || udap admin operator add ada --password-file ada.password",
    ),
];

/// What is read from standard input, or typed.
pub(super) const INPUT: [(&str, &str); 6] = [
    ("udap x509 show -", "app.pem"),
    ("udap crl show -", "issuing.crl"),
    ("udap ocsp show -", "response.der"),
    ("operator add ada", "ada.password"),
    ("operator add vera", "ada.password"),
    ("operator passwd ada", "ada.password"),
];

/// What is said besides, since tests have ports of their own and little time.
pub(super) const ADDED: [(&str, &str); 3] = [
    ("udap dev", " --port-base PORT_BASE"),
    ("udap bench token", " --seconds 1"),
    (
        "udap x509 verify --anchor root.pem --cert app.pem --fetch",
        " ALLOWED",
    ),
];

/// Commands that ask other hosts, which need to be told that those of this test are on this machine.
pub(super) const ASKS: &[&str] = &[
    "udap discover",
    "udap register",
    "udap token",
    "udap get",
    "udap unregister",
    "udap doctor",
    "udap tls inspect",
    "udap community verify",
];

/// Whose help says that the answer is no, by the end of the line.
pub(super) const REFUSED: [(&str, &str); 2] = [
    ("--app revoked", "how a revoked app is refused"),
    (
        "udap community verify bundle.jwt",
        "nothing says who may sign",
    ),
];

/// Options whose values are names: compared, written into what is signed, and never asked.
pub(super) const NAMES: &[&str] = &[
    "--community",
    "--uri",
    "--app",
    "--name",
    "--contact",
    "--base-url",
    "--status-endpoint",
    "--aud",
];
