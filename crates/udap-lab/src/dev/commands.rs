//! What to try while the sandbox is up.

use serde_json::{Value, json};

use super::layout::Layout;

/// Five commands that work as they are.
pub(crate) fn to_try(layout: &Layout) -> Vec<String> {
    let url = layout.data_holder_url();
    let sandbox = layout.dir().display();
    vec![
        format!("udap discover {url} --sandbox {sandbox}"),
        format!("udap register {url} --sandbox {sandbox}"),
        format!("udap token {url} --sandbox {sandbox}"),
        format!("udap get '{url}/Patient?family=Shaw' --sandbox {sandbox}"),
        format!("udap get '{url}/Patient?family=Shaw' --curl --sandbox {sandbox}"),
    ]
}

/// The same for a program.
pub(crate) fn up_json(layout: &Layout) -> Value {
    json!({
        "up": layout.data_holder_url(),
        "sandbox_json": layout.path("sandbox.json"),
        "try": to_try(layout),
    })
}
