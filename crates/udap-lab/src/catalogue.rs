use udap_pki::Explanation;

/// Every code that the sandbox and the benchmarks themselves can give.
pub const CATALOGUE: &[Explanation] = &[];
