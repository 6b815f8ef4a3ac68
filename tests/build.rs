//! Builds the library that stands between a program and its disk: not a part of this package's own, which it would stand
//! before as well.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let source = "faulty-disk/lib.rs";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var("OUT_DIR").expect("Cargo says where");
    let mut compiler = Command::new(env::var("RUSTC").expect("Cargo says which"));
    compiler.args(["--edition=2024", "--crate-name=faulty_disk", "--crate-type=cdylib", "-Dwarnings"]);
    compiler
        .args(["-Cpanic=abort", "-Copt-level=2", source, "-o"])
        .arg(Path::new(&folder).join("libfaulty_disk.so"));
    assert!(compiler.status().expect("a compiler").success(), "{source} does not build");
}
