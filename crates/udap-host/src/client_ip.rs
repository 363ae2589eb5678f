//! The address that audit and limits use.
