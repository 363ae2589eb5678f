//! The app operator's agent: a local proxy to which any program sends plain FHIR requests, and which
//! adds trust to them: discovery, registration and tokens by way of `udap-client`.
//!
//! It is empty for now. What belongs here: the proxy, a fleet of endpoints kept registered from a
//! directory, and the agent's own state. What does not: the protocol itself, which is
//! `udap-client`'s, and inbound trust, which is `udap-server`'s.
