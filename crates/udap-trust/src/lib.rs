//! The edge of trust: the guarded fetcher, the trust loop, its caches, and signers
