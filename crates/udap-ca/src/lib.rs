//! The trust community's certificate authority
