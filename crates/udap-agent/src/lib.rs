//! The app operator's agent: a local proxy that adds trust
