//! `POST {base}/oauth/register`: each refusal, with its exact status, error and code.

mod body;
mod certificate;
mod claims;
mod jws;
mod once;
mod parameters;

use crate::support::{Holder, Jwt, Member, world};

const METADATA: &str = "400 invalid_client_metadata";
const STATEMENT: &str = "400 invalid_software_statement";
const UNAPPROVED: &str = "400 unapproved_software_statement";

async fn refused(holder: &Holder, table: Vec<(&str, Jwt, &str, &str)>) {
    for (what, jwt, error, code) in table {
        let reply = holder.register(&jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{error} {code}"),
            "{what}: {reply}"
        );
    }
}

fn good() -> Member {
    world().a.app("https://good.refused.example")
}
