#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| udap_fuzz::issue::csr(data));
