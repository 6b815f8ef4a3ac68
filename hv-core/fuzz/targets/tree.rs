//! See `hv_tests::fuzz::tree`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hv_tests::fuzz::tree(bytes));
