//! The meaning of every code of the administration.

use udap_pki::Explanation;

const fn entry(
    code: &'static str,
    title: &'static str,
    meaning: &'static str,
    hint: &'static str,
) -> Explanation {
    Explanation {
        code,
        title,
        meaning,
        hint,
        section: "—",
    }
}

/// One entry for each code.
pub const CATALOGUE: &[Explanation] = &[
    entry(
        "admin-token-missing",
        "The administration's API was asked without a token",
        "Programs authenticate with a token of their own; the session of a person's browser does not count there, so that no web page can use it.",
        "Make a token with `udap admin token create`, and send it as `Authorization: Bearer …`.",
    ),
    entry(
        "admin-token-invalid",
        "The token does not count",
        "It was never made here, it has expired, or somebody revoked it.",
        "`udap admin token list` shows which tokens count; make another with `udap admin token create`.",
    ),
    entry(
        "admin-login-needed",
        "Nobody is logged in",
        "There was no session, it was not used for half an hour, it is older than twelve hours, or the password was changed since.",
        "Log in again.",
    ),
    entry(
        "admin-role",
        "The role does not allow that",
        "A viewer sees everything and changes nothing.",
        "Ask somebody with the role `operator`, or for that role.",
    ),
    entry(
        "admin-request-forged",
        "The request does not come from a page of this server",
        "What changes something must come from a form of this very session. Another site could otherwise have the browser send it in the operator's name.",
        "Open the page again and press the button there. Behind a proxy, the `Host` header must arrive as the browser sent it.",
    ),
    entry(
        "login-failed",
        "The name or the password is wrong",
        "Which of the two is not said, so that nobody learns who the operators are.",
        "Try again. Whoever has the server's files can set another password: `udap admin operator passwd NAME`.",
    ),
    entry(
        "login-too-often",
        "Too many attempts to log in",
        "In a minute ten attempts are heard from one address, and thirty for one name.",
        "Wait as long as `Retry-After` says.",
    ),
    entry(
        "login-busy",
        "Too many people log in at this moment",
        "Checking a password takes memory and time on purpose, so only a few are checked at once.",
        "Try again in a moment.",
    ),
    entry(
        "app-unknown",
        "There is no such app",
        "No registration has that `client_id`.",
        "`udap admin apps` lists them.",
    ),
    entry(
        "app-state",
        "The registration is in a state in which that makes no sense",
        "What is cancelled stays so; only what is suspended can be restored; what is suspended is not suspended again.",
        "Look at the app: somebody else may have been quicker. An app that was cancelled registers anew.",
    ),
    entry(
        "reason-missing",
        "There is no reason",
        "Why an app was suspended, restored or cancelled is asked for later, so the audit trail keeps it.",
        "Say in a sentence why.",
    ),
    entry(
        "admin-parameter",
        "A parameter has a value that is not understood",
        "Nothing is guessed: a list that was filtered wrongly would look complete.",
        "The sentence says what it can be.",
    ),
    entry(
        "admin-not-found",
        "There is no such page",
        "The administration has no such address.",
        "Begin at `/`; the API is described at `/api/v1/openapi.json`.",
    ),
    entry(
        "admin-method",
        "The address is there, and is asked for in another way",
        "What is shown is got, and what changes something is posted.",
        "The API is described at `/api/v1/openapi.json`.",
    ),
    entry(
        "admin-body",
        "The body cannot be read",
        "A form, or for the API a JSON object, is expected, of at most 64 KiB.",
        "The API is described at `/api/v1/openapi.json`.",
    ),
    entry(
        "operator-exists",
        "There is an operator of that name",
        "Names are given once.",
        "Take another name, or set a new password with `udap admin operator passwd NAME`.",
    ),
    entry(
        "operator-unknown",
        "There is no operator of that name",
        "Nobody was added by that name, or they were removed.",
        "`udap admin operator list` lists them.",
    ),
    entry(
        "operator-name-invalid",
        "The name cannot be used",
        "A name has 1 to 64 letters, digits, and any of `. _ @ -`, so that it reads the same in every log.",
        "Take another name.",
    ),
    entry(
        "password-too-short",
        "The password is too short",
        "Length is what keeps a password from being guessed; there are no other rules.",
        "Take a sentence, or let a password manager make one.",
    ),
    entry(
        "password-too-long",
        "The password is too long",
        "It has more than a kilobyte.",
        "Take a shorter one.",
    ),
    entry(
        "password-hashing",
        "The password could not be hashed",
        "The 19 MiB of memory that it takes were not to be had.",
        "Try again when the machine has memory.",
    ),
    entry(
        "operator-token-unknown",
        "There is no such token",
        "No token has that id, or it was revoked before.",
        "`udap admin token list` lists them.",
    ),
    entry(
        "operator-token-lifetime",
        "A token cannot live as long",
        "A token that nobody has to think of again is one that leaks unseen.",
        "Say how long with `--days`, from 1 to 366.",
    ),
];
