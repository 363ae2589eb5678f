//! X.509 trust, pure: certificates, evidence and a time in, a verdict with its trace out
