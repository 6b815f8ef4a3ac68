//! Packs style sheet and icons into the program.

fn main() {
    glib_build_tools::compile_resources(
        &["../resources"],
        "../resources/guesthouse.gresource.xml",
        "guesthouse.gresource",
    );
}
