//! What the fuzzers begin with and what they once found is tried by each run of the tests.

use hv_core::guest::config::Definition;
use hv_tests::fuzz;
use std::fs;
use std::path::Path;

/// All that is kept for a fuzzer.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hv-core/fuzz/corpus").join(target);
    let files = fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("an entry").path());
    files.map(|file| fs::read(file).expect("a file")).collect()
}

#[test]
fn definitions_that_were_made_up_do_no_harm() {
    let kept = kept("definition");
    for bytes in &kept {
        fuzz::definition(bytes);
    }
    // One of them is whole, so that the fuzzer need not find out what one looks like.
    let read: Vec<_> = kept.iter().map(|bytes| Definition::read(&String::from_utf8_lossy(bytes))).collect();
    assert!(read.iter().any(Result::is_ok), "{read:?}");
}

#[test]
fn appliances_that_were_made_up_do_no_harm() {
    let kept = kept("appliance");
    assert!(kept.len() >= 4, "{}", kept.len());
    for bytes in &kept {
        fuzz::appliance(bytes);
    }
}

#[test]
fn media_that_were_made_up_do_no_harm() {
    let kept = kept("medium");
    assert!(kept.len() >= 4, "{}", kept.len());
    for bytes in &kept {
        fuzz::medium(bytes);
    }
}

#[test]
fn trees_that_were_made_up_do_no_harm() {
    let kept = kept("tree");
    assert!(kept.len() >= 4, "{}", kept.len());
    for bytes in &kept {
        fuzz::tree(bytes);
    }
}

#[test]
fn answers_that_were_made_up_do_no_harm() {
    let kept = kept("answers");
    assert!(!kept.is_empty());
    for bytes in &kept {
        fuzz::answers(bytes);
    }
}

#[test]
fn disks_that_were_made_up_do_no_harm() {
    for bytes in kept("boot_menu") {
        fuzz::boot_menu(&bytes);
    }
}

#[test]
fn engines_that_were_made_up_do_no_harm() {
    for bytes in kept("qmp") {
        fuzz::qmp(&bytes);
    }
}

#[test]
fn clients_that_were_made_up_do_no_harm() {
    for bytes in kept("requests") {
        fuzz::requests(&bytes);
    }
}
