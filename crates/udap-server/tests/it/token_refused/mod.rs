//! `POST {base}/oauth/token`: each refusal, with its exact status, error and code.

mod assertion;
mod authorization;
mod certificate;
mod once;
mod request;

use crate::support::{Holder, Jwt, Member, world};

const CLIENT: &str = "400 invalid_client";
const REQUEST: &str = "400 invalid_request";
const GRANT: &str = "400 invalid_grant";
const SCOPE: &str = "400 invalid_scope";

async fn refused(holder: &Holder, table: Vec<(&str, Jwt, &str, &str)>) {
    for (what, jwt, error, code) in table {
        let reply = holder.token(&jwt.sign()).await;
        assert_eq!(
            reply.refusal(),
            format!("{error} {code}"),
            "{what}: {reply}"
        );
    }
}

async fn registered() -> (Holder, Member, String) {
    let holder = Holder::new().await;
    let app = world().a.app("https://app.token-refused.example");
    let id = holder.registered(&app).await;
    (holder, app, id)
}
