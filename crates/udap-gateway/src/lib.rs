//! The gateway in front of a FHIR server: token, request and scopes decide
