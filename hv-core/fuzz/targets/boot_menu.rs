//! See `hv_tests::fuzz::boot_menu`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hv_tests::fuzz::boot_menu(bytes));
