//! HTTP/1.1 over one connection, with nothing between the caller and the wire.
