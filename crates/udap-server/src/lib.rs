//! The data holder's authorization server: signed metadata, registration, tokens
