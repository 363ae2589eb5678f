//! The laboratory: a whole community on a laptop, and the benchmarks

pub mod fhir;
