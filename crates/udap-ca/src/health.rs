//! `GET /healthz`: the process answers. `GET /readyz`: what it publishes can be used by members.

use std::sync::Arc;

use udap_host::health::Readiness;

use crate::{Ca, authority::Role};

pub(crate) fn readiness(ca: Arc<Ca>) -> Readiness {
    Readiness::new().check("crl", move || {
        let published = ca.published.load();
        let now = ca.now();
        let has_lapsed = |role| {
            published
                .crl(role)
                .is_some_and(|crl| crl.next_update <= now)
        };
        if has_lapsed(Role::Root) || has_lapsed(Role::Issuing) {
            Err("ca-crl-lapsed")
        } else {
            Ok(())
        }
    })
}
