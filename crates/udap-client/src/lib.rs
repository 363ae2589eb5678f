//! The UDAP client: discover, register, get a token, read FHIR
