//! See `hv_tests::fuzz::medium`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hv_tests::fuzz::medium(bytes));
