//! What every server shares: configuration, TLS listener, database, audit, metrics
