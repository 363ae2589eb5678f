//! UDAP, OAuth and SMART messages, pure: bytes and a time in, typed results out
