//! Test helpers: a PKI in a few words, hostile servers and clients
